"""The long trials, short: that each runs, that it passes on what works, and that it would see what does not."""

import functools
import random
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from finetune.inference.backends import Side
from finetune.recipe import Generation, Recipe
from finetune.training import metrics, runs
from trials import chats, kills, streams, watching
from trials.chats import Answer, Chat
from trials.chromium import PROGRAM, opened
from trials.kills import Begun
from trials.serving import App, free_port
from trials.streams import Reading, Way


def apart(test):
    """A test in a thread of its own: after a browser test Playwright keeps a loop in the main one."""

    @functools.wraps(test)
    def run(**fixtures):
        with ThreadPoolExecutor(1) as pool:
            pool.submit(test, **fixtures).result()

    return run


def measured(home, steps, **status):
    """A run that has measured a loss at every step and evaluated every fourth."""
    run = runs.create(home, Recipe.read("demo"))
    for step in range(1, steps + 1):
        metrics.append(run.folder, {"step": step, "epoch": step / 100, "loss": 3 / step, "elapsed_s": 0.5 * step})
        if step % 4 == 0:
            metrics.append(run.folder, {"step": step, "epoch": step / 100, "eval_loss": 2.0, "elapsed_s": 0.5 * step})
    run.set_status(**{"state": "finished", "step": steps, "total_steps": steps, **status})
    return run


@pytest.fixture
def chromium():
    """Skips where there is no browser to kill."""
    if shutil.which(PROGRAM) is None:
        pytest.skip(f"no {PROGRAM}; `make system` installs it")


# kills


@pytest.mark.browser
@apart
def test_a_short_run_survives_its_app_its_browser_and_its_own_process(tmp_path, monkeypatch, chromium):
    monkeypatch.setattr(kills, "STEPS", 4)
    monkeypatch.setattr(kills, "EVERY", 2)
    short = {"training.max_steps": 4, "training.eval_steps": 2, "training.save_steps": 2}
    monkeypatch.setattr(kills, "SETTINGS", kills.SETTINGS | short)
    result = kills.trial(tmp_path, 1, 0)
    assert result["passed"], result
    assert (result["processes_killed_and_resumed"], result["rows"][0]["resumed_from"]) == (1, 2)
    assert result["app_kills"] and result["browser_kills"] + result["browser_closings"]


@pytest.mark.browser
@apart
def test_a_browser_that_was_killed_shows_every_run_again_as_it_lies_on_the_disk(tmp_path, chromium, monkeypatch):
    from playwright.sync_api import Error, sync_playwright

    app, profile = App(tmp_path, free_port()), tmp_path / "profile"
    made = [measured(app.home, 14), measured(app.home, 9, state="failed", error="died", total_steps=12)]
    app.start()
    try:
        app.wait()
        with sync_playwright() as playwright, opened(profile) as browser:
            page = browser.page(playwright)
            watching.open_runs(page, app)
            browser.kill()
            with pytest.raises(Error):
                watching.on_page(page)
            assert not browser.alive
        metrics.append(made[0].folder, {"step": 15, "epoch": 0.15, "loss": 0.2, "elapsed_s": 8.0})
        assert watching.differences(app, made, profile) == {}
        monkeypatch.setattr(watching, "LAST_PATIENCE_SECONDS", 1.0)
        other = measured(tmp_path / "elsewhere", 3)  # of the same name, but not what the app has
        told = watching.differences(app, [other], profile)  # how much of the page had come by then is the machine's
        assert "page: Sight(" in told[made[0].name] and f"folder: {watching.on_disk(other)}" in told[made[0].name]
    finally:
        app.kill()


def test_what_the_disk_holds_of_a_run_is_counted_as_it_went_last(tmp_path):
    run = measured(tmp_path, 6, state="training", total_steps=8)
    metrics.append(run.folder, {"step": 5, "loss": 0.1, "elapsed_s": 9.0})  # resumed from step 4
    assert watching.on_disk(run) == watching.Sight(run.name, "active", "ধাপ ৬ / ৮", 5, 1)


def test_a_page_that_shows_fewer_points_or_another_run_does_not_cover_the_disk():
    held = watching.Sight("demo-001", "active", "ধাপ ৬ / ৮", 6, 1)
    assert held.covers(held) and replace(held, losses=7, state="finished").covers(held)
    assert not any(replace(held, **less).covers(held) for less in ({"losses": 5}, {"evaluations": 0}, {"run": "b"}))


def test_a_page_that_stays_behind_is_told_but_not_where_the_run_went_back_to_its_checkpoint():
    watcher = watching.Watcher(None, None, random.Random(0))
    held = watching.Sight("demo-001", "active", "", 6, 1)
    watcher.judge(held, held, held)
    watcher.judge(replace(held, losses=5), held, replace(held, losses=5))
    watcher.judge(replace(held, run="demo-002", losses=0), held, held)
    assert (watcher.sights, watcher.behind) == (1, [])
    watcher.judge(replace(held, losses=5), held, held)
    assert len(watcher.behind) == 1


def test_lines_that_are_lost_torn_or_other_than_the_undisturbed_run_s_are_found(tmp_path):
    run = measured(tmp_path, 8)
    expected = kills.curves(run.folder)
    one = Begun(run, None, seen=kills.written(run))
    fine = kills.outcome(one, expected)
    assert {key: fine[key] for key in ("steps_missing", "lines_lost", "lines_torn", "largest_difference")} == {
        "steps_missing": 0, "lines_lost": 0, "lines_torn": 0, "largest_difference": 0.0,
    }  # fmt: skip
    lines = kills.written(run).splitlines(keepends=True)
    (run.folder / metrics.FILE).write_bytes(
        b"".join([*lines[:3], lines[4], lines[5][:9]])
    )  # the evaluation at 4 is kept
    spoilt = kills.outcome(one, expected | {"loss": ([1, 2], [3.0, 1.75])})
    assert (spoilt["lines_lost"], spoilt["lines_torn"]) == (len(lines) - 4, 1)
    assert (spoilt["steps_missing"], spoilt["largest_difference"]) == (1, 0.25)


# streams


def test_a_few_streams_read_in_every_way_are_whole_and_leave_the_model_at_rest(tmp_path, monkeypatch):
    monkeypatch.setattr(streams, "TOKENS", (4, 16))
    monkeypatch.setattr(streams, "KINDS", {"curated": 3, "corpus": 3, "odd": 3, "long": 1})
    monkeypatch.setattr(streams, "WAYS", dict.fromkeys(streams.WAYS, 1))
    result = streams.trial(tmp_path, 40, 1)
    assert (result["flaws"], result["threads_left"]) == ({}, 0)
    assert result["most_steps_after_a_stop"] <= 1
    assert set(result["prompts"]) == {"curated", "corpus", "odd", "long"}
    assert all(row["replies"] for row in result["rows"]) and result["streams_ended_early"] > 5


@pytest.mark.parametrize(
    ("pieces", "flaw"),
    [
        (["ভা", "লো \ufffd"], "U+FFFD"),
        (["ভালো ", "া"], "broken grapheme"),
        (["ক", "্ষ"], "letter in two pieces"),
        (["\u09af\u09bc\u09be", "\u09c7\u09be"], "not in NFC"),
    ],
)
def test_a_flaw_of_what_was_shown_is_found(pieces, flaw):
    assert flaw in streams.flaws(pieces)
    assert streams.flaws(["ভা", "লো ", "আছি।"]) == []


class Deaf:
    """A backend that goes on for a while after a stop."""

    steps, working = 0, False

    def stream(self, sides, stop=None):
        late = 0
        while late < 5:
            self.steps += 1
            late += stop.is_set()
            yield ["ক"]


def test_a_model_that_goes_on_after_a_stop_is_found():
    way, reading = Way(), Reading(Deaf(), [Side([], None, Generation())])
    reading.stopped(0.5, 0.02)
    way.add(reading)
    assert way.most_steps >= 4 > streams.MOST_STEPS
    assert len(way.milliseconds) == 1


# chats


@apart
def test_a_few_chats_at_once_each_get_what_they_get_alone(tmp_path):
    result = chats.trial(tmp_path, 5, 0)
    assert result["passed"], result
    assert result["answered"] == 15


def held(number, *replies, places=(2, 1, 0), problem=""):
    """A chat that was answered."""
    return Chat(f"c{number}", [], [Answer(reply, list(places), 0.1, 0.2, 0.3) for reply in replies], problem)


def test_words_of_another_chat_a_place_that_gets_farther_and_a_chat_that_breaks_off_are_found():
    alone = [held(0, "ক", "খ", "গ"), held(1, "ঘ", "ঙ", "চ")]
    assert chats.outcome(alone, alone, 1.0)["passed"]
    mixed = chats.outcome(alone, [held(0, "ক", "ঙ", "গ"), held(1, "ঘ", "খ", "চ")], 1.0)
    assert (mixed["passed"], mixed["chats_with_other_words_than_alone"]) == (False, 2)
    for places in ((1, 2, 0), (2, 1), ()):
        astray = chats.outcome(alone, [alone[0], held(1, "ঘ", "ঙ", "চ", places=places)], 1.0)
        assert (astray["passed"], astray["messages_whose_place_did_not_only_get_nearer"]) == (False, 3)
    broken = chats.outcome(alone, [alone[0], held(1, "ঘ", problem="c1, message 2: ReadTimeout")], 1.0)
    assert (broken["passed"], broken["answered"]) == (False, 4)
    same = [held(0, "ক", "খ", "গ"), held(1, "ক", "খ", "গ")]
    assert not chats.outcome(same, same, 1.0)["passed"]


def test_no_two_people_write_the_same_and_nobody_what_is_answered_without_a_model():
    written = chats.texts(50)
    assert len({text for texts in written for text in texts}) == 150
    assert all(len(texts) == chats.MESSAGES for texts in written)
