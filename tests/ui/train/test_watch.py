"""Watching a run: what the page is sent of what lies in the run's folder."""

import html
import json
from types import SimpleNamespace

import gradio as gr
import pytest

from finetune.recipe import Recipe
from finetune.training import metrics, runs
from ui import wording
from ui.train import watch

REQUEST = SimpleNamespace(cookies={"shohomormi_language": "en"}, headers={}, session_hash="s")
VIEW = ([], 0.6, "step", False, True)
"""Beside it, smoothing, x, logarithmic, clip: as the page begins."""


@pytest.fixture
def page(services):
    """The page's parts and a function that shows a run; what it is sent is keyed by what the parts are called."""
    with gr.Blocks() as blocks:
        parts = watch.build(services, blocks)

    def show(name, step=None, last=""):
        names = dict(zip(parts.panel, NAMES, strict=True))
        return {names[part]: update for part, update in parts.show(REQUEST, name, *VIEW, step, last).items()}

    return show


NAMES = (
    "chosen others card told loss learning_rate grad_norm tokens_per_second gpu_memory_gb eval_loss log stop cancel"
    " copy again checkpoint ways learning replies timer seen removal delete key log_shown"
).split()


def trained(run, state="training", **status):
    lines = [{"step": step, "loss": 3 - step / 10, "elapsed_s": float(step)} for step in range(1, 6)]
    (run.folder / metrics.FILE).write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    (run.folder / "log.txt").write_text("loading\nRuntimeError: it broke\n", encoding="utf-8")
    run.set_status(state=state, step=5, total_steps=10, **status)
    return run


def checkpoint(run, step):
    folder = run.checkpoints / f"checkpoint-{step}"
    folder.mkdir(parents=True)
    for name in ("adapter_model.safetensors", "adapter_config.json", "optimizer.pt", "scheduler.pt", "rng_state.pth"):
        (folder / name).write_bytes(b"x")
    (folder / "trainer_state.json").write_text(json.dumps({"global_step": step, "log_history": []}), encoding="utf-8")


def test_without_a_run_the_page_says_so_and_offers_nothing(page):
    shown = page(None)
    assert wording.sentence("status.none", "en") in html.unescape(shown["card"])
    assert all(shown[button].interactive is False for button in ("stop", "cancel", "copy"))
    assert not shown["again"].visible


def test_a_refresh_that_finds_nothing_new_sends_nothing(page, run):
    trained(run, "finished")
    first = page(run.name)
    again = page(run.name, last=first["seen"])
    assert set(again) == {"seen"}
    with (run.folder / metrics.FILE).open("a", encoding="utf-8") as file:
        file.write('{"step": 6, "loss": 1.0, "elapsed_s": 6.0}\n')
    assert "loss" in page(run.name, last=first["seen"])


def test_an_ended_run_is_watched_until_its_process_has_gone_with_the_log_s_last_line(page, run):
    trained(run, "failed", error="Memory ran out.", **runs.this_process())
    first = page(run.name)
    assert first["timer"].active
    run.set_status(pid_created=1.0)  # the number belongs to another process now
    again = page(run.name, last=first["seen"])
    assert again["timer"].active is False
    assert set(page(run.name, last=again["seen"])) == {"seen"}


def test_a_run_s_last_line_is_shown_though_its_status_has_not_changed(page, run):
    trained(run, "failed", error="Memory ran out.", **runs.this_process())
    first = page(run.name)
    with run.log.open("a", encoding="utf-8") as file:
        file.write("error: Memory ran out.\n")
    assert page(run.name, last=first["seen"])["log"].endswith("error: Memory ran out.")


def test_a_failed_run_opens_its_log_and_says_what_to_do(page, run):
    trained(run, "failed", error="Memory ran out.", error_key="run.out_of_memory.four_bit")
    shown = page(run.name)
    assert "Memory ran out." in shown["card"]
    assert shown["log_shown"].open and "RuntimeError: it broke" in shown["log"]
    assert shown["copy"].interactive and not shown["stop"].interactive


def test_the_checkpoint_that_a_person_chose_stays_chosen_at_the_next_refresh(page, run):
    trained(run, "stopped")
    for step in (2, 4):
        checkpoint(run, step)
    first = page(run.name)
    assert first["again"].visible and first["checkpoint"].value == "4"
    run.set_status(total_steps=11)
    assert page(run.name, step="2", last=first["seen"])["checkpoint"].value == "2"
    assert page(run.name, step="3", last=first["seen"])["checkpoint"].value == "4"


@pytest.mark.parametrize(("tracker", "asked"), [("wandb", True), ("none", False)])
def test_a_run_that_goes_on_with_wandb_can_be_given_its_key_anew(page, services, tracker, asked):
    run = runs.create(services.home, Recipe.read("demo").with_settings({"tracking.report_to": tracker}))
    trained(run, "stopped")
    checkpoint(run, 4)
    assert page(run.name)["key"].visible is asked


def test_one_damaged_file_is_told_in_a_sentence_and_the_run_can_be_deleted(page, run):
    (run.folder / "status.json").write_text("{", encoding="utf-8")
    shown = page(run.name)
    assert "is damaged" in shown["card"]
    assert run.name in shown["delete"].value


def test_the_commands_for_more_ways_name_the_run(run):
    assert watch.ways_of(run).count(f"--run {run.folder}") == 2
