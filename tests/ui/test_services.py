"""The one long-lived object: stop events by place, adapters by name, the base in the background."""

import json
import logging
import shutil
import threading
from dataclasses import replace

import pytest

from finetune import models
from finetune.errors import BackendError, ModelError, RunError
from finetune.inference.backends import LocalBackend, ScriptedBackend, Side, reply
from finetune.recipe import Generation, Recipe
from finetune.training import jobs, runs
from finetune.training.machine import Machine
from ui import layout
from ui import services as made
from ui.services import BROWSER_KEY, DEMO, PRIVATE_KEY, Services, kept_secret


class Unloadable:
    loaded = False

    """A backend whose base cannot be read."""

    def load(self):
        self.thread = threading.current_thread()
        raise ModelError("There is no model in /nowhere.", key="model.no_base", model="/nowhere")


def give_adapter(run):
    shutil.copytree(models.DEMO_ADAPTER, run.adapter)


def test_the_home_is_made_where_it_is_missing(tmp_path):
    built = made.build(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir()
    assert built.home == tmp_path / "a" / "b"
    assert built.backend.loaded is False


def test_warming_up_loads_in_the_background_and_a_base_that_cannot_be_loaded_is_one_line_in_the_log(services, caplog):
    services.backend = Unloadable()
    with caplog.at_level(logging.ERROR):
        services.warm_up()
        for thread in [thread for thread in threading.enumerate() if thread.name == "warm-up"]:
            thread.join(10)
    assert services.backend.thread is not threading.main_thread()
    assert "There is no model in /nowhere." in caplog.text
    assert "Traceback" not in caplog.text


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_the_queue_is_looked_at_again_and_again_whatever_goes_wrong_in_between(services, caplog, monkeypatch):
    looked = []

    def advance(home):
        looked.append(home)
        if len(looked) == 1:
            raise OSError(28, "No space left on device")
        if len(looked) == 3:
            raise SystemExit  # ends the thread, as nothing else does

    monkeypatch.setattr(made.queue, "advance", advance)
    monkeypatch.setattr(made, "QUEUE_SECONDS", 0)
    services.mind_queue()
    for thread in [thread for thread in threading.enumerate() if thread.name == "queue"]:
        thread.join(10)
    assert looked == [services.home] * 3
    assert "cannot move on" in caplog.text


# Memory


SAID = [{"role": "user", "content": "মন খারাপ।"}]
SHORT = Generation(max_new_tokens=4, temperature=0)


@pytest.fixture
def sharing(tiny_base, tmp_path, monkeypatch):
    """Services whose chat is the tiny base, and a machine with as much free memory as a test gives it."""
    memory = {"gb": 100.0}
    monkeypatch.setattr(made.queue, "_asked", {})
    monkeypatch.setattr(made.queue, "_start", lambda run, *_: bool(run.set_status(state="training", **BUSY)))
    monkeypatch.setenv(made.queue.DEVICES, "")
    monkeypatch.setattr(made, "machine_now", lambda home: replace(LAPTOP, free_ram_gb=memory["gb"]))
    monkeypatch.setattr(made.Services, "_advance", lambda services: None)  # the test looks at the queue
    services = made.Services(tmp_path / "home", LocalBackend(str(tiny_base), four_bit=False))
    services.mind_queue()
    return services, memory


LAPTOP = Machine("cpu", "AMD EPYC", 25.0, 0, 2, 23.0, 60.0, "float32")
BUSY = runs.this_process()


def look(services):
    """What the queue's thread does every other second."""
    made.queue.advance(services.home)
    services.share()


def test_a_run_that_fits_beside_the_chat_leaves_it_where_it_is(sharing):
    services, _ = sharing
    services.backend.load()
    run = jobs.start(services.home, Recipe.read("demo"))
    look(services)
    assert (run.status().state, run.status().alone, services.lent_to) == ("training", False, "")
    assert reply(services.backend, Side(SAID, None, SHORT)) and services.backend.loaded


def test_a_run_that_does_not_fit_gets_the_chat_s_memory_and_replies_come_again_after_the_last_that_waits(sharing):
    services, memory = sharing
    services.backend.load()
    memory["gb"] = 0.1
    first, second = (jobs.start(services.home, Recipe.read("demo")) for _ in range(2))
    assert (first.status().state, first.status().alone) == ("training", True)
    assert services.lent_to == first.name and not services.backend.loaded
    with pytest.raises(BackendError) as told:
        reply(services.backend, Side(SAID, None, SHORT))
    assert told.value.facts == {"run": first.name}
    services.warm_up()  # a page is opened meanwhile
    assert not any(thread.name == "warm-up" for thread in threading.enumerate())
    first.set_status(state="finished")
    services.share()
    assert services.lent_to == second.name  # it would be unloaded again at once
    look(services)
    assert second.status().alone and services.lent_to == second.name
    second.set_status(state="failed")
    look(services)
    assert services.lent_to == "" and not services.backend.loaded
    assert reply(services.backend, Side(SAID, None, SHORT))


def test_a_run_waits_for_the_reply_that_is_being_written_and_no_other_begins(sharing):
    services, memory = sharing
    stream = services.backend.stream([Side(SAID, None, SHORT)])
    next(stream)
    memory["gb"] = 0.1
    run = jobs.start(services.home, Recipe.read("demo"))
    look(services)
    assert run.status().waiting and services.lent_to == run.name and services.backend.loaded
    assert list(stream)  # the reply in hand goes on to its end
    with pytest.raises(BackendError):
        services.backend.load()
    look(services)
    assert run.status().state == "training" and not services.backend.loaded


def test_a_run_that_an_earlier_app_gave_the_memory_keeps_it(sharing):
    services, _ = sharing
    run = runs.create(services.home, Recipe.read("demo"))
    run.set_status(state="training", alone=True, **BUSY)
    services.mind_queue()
    assert services.lent_to == run.name


def test_a_chat_on_another_machine_keeps_its_memory(services, run, monkeypatch):
    monkeypatch.setattr(made, "machine_now", lambda home: replace(LAPTOP, free_ram_gb=0.1))
    assert services.make_room(run, "")
    services.share()
    assert services.lent_to == "" and not run.status().alone


def test_a_run_on_another_card_is_not_asked_for_its_size(sharing):
    services, memory = sharing
    services.backend.load()
    memory["gb"] = 0.1
    run = runs.create(services.home, Recipe.read("demo"))
    assert services.make_room(run, "1")
    assert services.backend.loaded and services.lent_to == ""


def test_closing_a_browser_tab_ends_all_of_its_replies(services):
    chat, compare, other = (services.replies.begin(place) for place in ("ক/chat", "ক/compare", "কখ/chat"))
    services.forget("ক")
    assert not services.replies.current("ক/chat", chat) and not services.replies.current("ক/compare", compare)
    assert services.replies.current("কখ/chat", other)


def test_the_demo_adapter_is_always_offered_and_of_the_runs_those_that_left_one(services):
    with_one, without = (runs.create(services.home, Recipe.read("demo")) for _ in range(2))
    give_adapter(with_one)
    assert without.name not in services.adapters()
    assert services.adapters() == [DEMO, with_one.name]


def test_an_adapter_is_found_by_its_runs_name(services, run):
    give_adapter(run)
    assert services.adapter(run.name) == run.adapter
    assert services.adapter(DEMO) == models.DEMO_ADAPTER


def test_a_run_without_an_adapter_gives_one_clear_error(services, run):
    with pytest.raises(ModelError) as caught:
        services.adapter(run.name)
    assert caught.value.key == "model.no_adapter"


@pytest.mark.parametrize("name", ["nobody-001", "../demo-001", "/etc", "", ".."])
def test_a_name_that_is_no_runs_name_gives_one_clear_error(services, run, name):
    with pytest.raises(RunError) as caught:
        services.adapter(name)
    assert caught.value.key == "run.unknown"


def test_replies_are_written_as_the_adapters_own_recipe_says(services):
    run = runs.create(services.home, Recipe.read("demo").with_settings({"generation.repetition_penalty": 1.3}))
    assert services.generation(run.name).repetition_penalty == 1.3
    assert services.generation(DEMO) == Recipe.read("demo").generation


def test_runs_are_listed_the_newest_first(services):
    import os

    old, new = (runs.create(services.home, Recipe.read("demo")) for _ in range(2))
    os.utime(old.folder / "recipe.yaml", (1, 1))
    assert [run.name for run in services.runs()] == [new.name, old.name]


def test_an_adapter_that_is_no_lora_is_refused_before_anything_is_written(services, run):
    run.adapter.mkdir()
    (run.adapter / "adapter_model.safetensors").touch()
    (run.adapter / "adapter_config.json").write_text(json.dumps({"peft_type": "IA3"}), encoding="utf-8")
    with pytest.raises(ModelError) as caught:
        services.adapter(run.name)
    assert caught.value.key == "model.not_lora"


def test_a_base_that_is_resident_is_not_loaded_again(services):
    before = threading.active_count()
    services.warm_up()
    assert services.backend.loaded and threading.active_count() == before


def test_files_on_their_way_to_a_browser_go_with_the_app(services):
    scratch = services.scratch
    (scratch / "run.csv").write_text("step", encoding="utf-8")
    services._scratch.cleanup()
    assert not scratch.exists()


def test_a_homes_two_secrets_stay_are_not_the_same_and_nobody_else_can_read_them(services):
    names = (BROWSER_KEY, PRIVATE_KEY)
    first, second = ([kept_secret(services.home, name) for name in names] for _ in range(2))
    assert first == second and len(set(first)) == 2 and all(len(one) >= 32 for one in first)
    assert [(services.home / name).stat().st_mode & 0o777 for name in names] == [0o600, 0o600]


def test_what_browsers_have_locked_so_far_can_still_be_unlocked(tmp_path):
    """A home from before there were two: every page has carried its one secret, so it can be no reviewer's any more."""
    (tmp_path / "secret.key").write_text("what every page has carried", encoding="utf-8")
    services = Services(tmp_path, ScriptedBackend("শুনছি।"))
    assert services.browser_key == "what every page has carried"
    assert services.reviewing.secret not in ("", services.browser_key)


def test_everything_that_a_page_sends_to_a_browser_holds_the_browsers_key_alone(services):
    """Gradio's BrowserState locks and unlocks in the page: its secret is everybody's who opens it."""
    sent = json.dumps(layout.build(services).config, default=str)
    assert services.browser_key in sent
    assert services.reviewing.secret not in sent
