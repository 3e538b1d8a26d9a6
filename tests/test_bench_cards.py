"""What several cards are compared by; the runs themselves are stand-ins, for cards there are none here."""

import csv
import json
from pathlib import Path

import pytest

from finetune import bench_cards, models
from finetune.bench_cards import Way
from finetune.recipe import Recipe
from finetune.training import metrics, runs


def line(step: int, loss: float, rate: float = 0.0) -> dict:
    return {"step": step, "loss": loss, "tokens": 100 * step, "tokens_per_second": rate, "gpu_memory_gb": 2.0}


@pytest.fixture
def begun(monkeypatch) -> list[list[str]]:
    """The command lines that were run; each leaves a run, twice as fast where a launcher shared it."""
    words_seen: list[list[str]] = []

    def train(words: list[str], log: Path) -> dict:
        words_seen.append(words)
        shared = "accelerate.commands.launch" in words
        folder = Path(words[words.index("--run-dir") + 1])
        chosen = dict(word.split("=", 1) for word in words if "=" in word)
        run = runs.adopt(folder, Recipe.read("llama-3.1-8b").with_settings({"data.source": chosen["data.source"]}))
        for step in (1, 2, 3, 4):
            rate = {1: 1.0, 2: 5.0}.get(step, 20.0 if shared else 10.0)
            metrics.append(run.folder, line(step, 2.0 + (0.02 if shared and step == 3 else 0), rate))
        metrics.append(run.folder, {"step": 4, "eval_loss": 1.0})
        run.adapter.mkdir()
        run.set_status(state="finished", step=4)
        return {"exit_code": 0, "seconds": 1.0}

    monkeypatch.setattr(bench_cards, "train", train)
    return words_seen


def test_cards_are_told_by_how_much_faster_and_how_far_apart_they_are(begun, tmp_path):
    found = bench_cards.compare(tmp_path, None, 2, 24)
    assert [way["way"] for way in found["ways"]] == [
        "one process",
        "2 processes (DDP)",
        "one process, 4 bits",
        "2 processes (FSDP), 4 bits",
    ]
    alone, shared, *_ = found["ways"]
    assert (alone["tokens_per_second"], shared["tokens_per_second"]) == (10.0, 20.0), "not the first updates' rates"
    assert (shared["times_as_fast"], shared["eval_loss_apart"]) == (2.0, 0.0)
    assert shared["loss_apart"] == pytest.approx(0.01)
    assert alone["tokens_an_update"] == 100 and alone["adapter_saved"] and alone["state"] == "finished"
    json.dumps(found)


def test_runs_that_are_there_are_read_and_not_made_again(begun, tmp_path):
    first = bench_cards.compare(tmp_path, None, 2, 24)
    again = bench_cards.compare(tmp_path, None, 2, 24)
    assert len(begun) == 4
    assert [way["loss"] for way in again["ways"]] == [way["loss"] for way in first["ways"]]


def test_a_run_that_was_cut_off_is_made_anew(begun, tmp_path):
    first = bench_cards.compare(tmp_path, None, 2, 24)
    (tmp_path / "run-2.json").unlink()
    metrics.append(tmp_path / "run-2", line(5, 9.0))
    again = bench_cards.compare(tmp_path, None, 2, 24)
    assert len(begun) == 5 and again["ways"] == first["ways"]


def test_a_run_that_failed_before_it_began_does_not_end_the_comparison(monkeypatch, tmp_path):
    monkeypatch.setattr(bench_cards, "train", lambda words, log: {"exit_code": 2, "seconds": 1.0})
    found = bench_cards.compare(tmp_path, None, 2, 24)
    assert [(way["state"], way["exit_code"]) for way in found["ways"]] == 4 * [("failed", 2)]


def test_a_command_is_what_a_person_would_give(begun, tmp_path):
    bench_cards.compare(tmp_path, None, 4, 24)
    alone, shared, four_bit, sharded = (" ".join(words[1:]) for words in begun)
    assert alone.startswith("-m finetune train llama-3.1-8b --run-dir ")
    assert shared.startswith("-m accelerate.commands.launch --multi_gpu --num_processes 4 -m finetune train")
    assert "--set base.load_in_4bit=false" in shared and "--set base.load_in_4bit=true" in four_bit
    assert "fsdp-qlora.yaml --num_processes 4 -m finetune" in sharded
    chosen = bench_cards.settings(models.DEMO_BASE, tmp_path / "rows.csv", 24, four_bit=True)
    recipe = Recipe.read("llama-3.1-8b").with_settings(chosen)
    assert recipe.base.load_in_4bit and recipe.training.max_steps == 24 and recipe.training.sample_prompts == ()


def test_rows_are_several_conversations_each_of_them_once(tmp_path):
    bench_cards.join_rows(tmp_path / "rows.csv")
    with (tmp_path / "rows.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    with (models.DEMO_BASE.parent / "corpus.csv").open(encoding="utf-8", newline="") as file:
        demo = list(csv.DictReader(file))
    assert len(rows) == len(demo) // bench_cards.JOINED == 623
    joined = sum(row["Answers"].count(demo[0]["Answers"]) for row in rows)
    assert joined == 1
    assert sum(len(row["Questions"]) - 7 for row in rows) == sum(len(row["Questions"]) for row in demo[: 623 * 8])


def test_a_run_that_ended_before_its_first_update_has_no_speed_to_compare():
    alone = {"loss": [2.0], "eval_loss": [], "tokens_per_second": 10.0}
    found = bench_cards.against(alone, {"loss": [], "eval_loss": [], "tokens_per_second": None})
    assert found == {"loss_apart": None, "eval_loss_apart": None, "times_as_fast": None}


def test_what_a_run_says_goes_to_its_log_and_its_exit_code_is_told(tmp_path):
    done = bench_cards.train([bench_cards.sys.executable, "-c", "print('said'); raise SystemExit(3)"], tmp_path / "log")
    assert done["exit_code"] == 3 and (tmp_path / "log").read_text() == "said\n"
    assert bench_cards.command(Way("alone"), {}, tmp_path)[1:3] == ["-m", "finetune"]
