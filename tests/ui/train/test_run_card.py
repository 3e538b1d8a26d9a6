"""The card of a run, its alerts, and its replies while it learns."""

import re

import pytest

from finetune.recipe import Recipe
from finetune.training import runs
from finetune.training.alerts import Alert
from finetune.training.runs import Status
from ui import wording
from ui.train import run_card

LINES = [
    {"step": 0, "eval_loss": 3.0, "elapsed_s": 1.0},
    {"step": 1, "loss": 2.9, "elapsed_s": 2.0, "tokens_per_second": 400.0},
    {"step": 2, "loss": 2.5, "elapsed_s": 4.0, "tokens_per_second": 600.0},
    {"step": 2, "eval_loss": 1.5, "elapsed_s": 5.0},
]
TRAINING = Status(state="training", step=2, total_steps=10)


def text_of(card):
    return re.sub(r"<[^>]+>", " ", card)


def test_the_time_left_is_the_steps_left_at_the_pace_of_the_last_ones():
    assert run_card.seconds_left(TRAINING, LINES) == 16.0


def test_only_the_last_steps_decide_about_the_pace():
    slow = [{"step": step, "loss": 1.0, "elapsed_s": 100.0 * step} for step in range(10)]
    fast = [{"step": 9 + step, "loss": 1.0, "elapsed_s": 900.0 + step} for step in range(1, 21)]
    assert run_card.seconds_left(Status(step=29, total_steps=39), slow + fast) == pytest.approx(10.0)


def test_before_two_steps_there_is_no_pace():
    assert run_card.seconds_left(TRAINING, LINES[:2]) is None
    assert run_card.seconds_left(TRAINING, []) is None


def test_a_resumed_run_that_repeats_its_only_step_has_no_pace_yet():
    twice = [{"step": 2, "loss": 1.0, "elapsed_s": 1.0}, {"step": 2, "loss": 1.0, "elapsed_s": 2.0}]
    assert run_card.seconds_left(TRAINING, twice) is None


def test_a_run_past_its_last_step_has_no_negative_time_left():
    assert run_card.seconds_left(Status(step=12, total_steps=10), LINES) == 0.0


@pytest.mark.parametrize(
    ("seconds", "bengali", "english"),
    [(0, "০ সেকেন্ড", "0 s"), (89, "৮৯ সেকেন্ড", "89 s"), (150, "২ মিনিট", "2 min"), (9000, "২.৫ ঘণ্টা", "2.5 h")],
)
def test_a_length_of_time_is_said_in_the_largest_unit_that_fits(seconds, bengali, english):
    assert wording.spoken_time(seconds, "bn") == bengali
    assert wording.spoken_time(seconds, "en") == english


def test_the_card_of_a_run_in_training_says_how_far_it_is_and_how_long_it_will_take(run):
    card = run_card.card_html(run, TRAINING, LINES, "bn")
    for said in ("শিখছে", "ধাপ ২ / ১০", "আর প্রায় ১৬ সেকেন্ড", "সেকেন্ডে ৫০০ টোকেন", "৩.০০ থেকে ১.৫০"):
        assert said in card
    assert "width:20.0%" in card
    assert 'lang="bn"' in card


def test_the_card_follows_the_language(run):
    card = run_card.card_html(run, TRAINING, LINES, "en")
    assert "Training" in card and "step 2 of 10" in card and 'lang="en"' in card
    assert not re.search(r"[\u0980-\u09ff]", card)


def test_a_run_that_was_asked_to_stop_says_so_and_promises_no_end(run):
    run.stop_request.touch()
    card = run_card.card_html(run, TRAINING, LINES, "bn")
    assert wording.sentence("status.stopping", "bn") in card
    assert "আর প্রায়" not in card


def test_a_finished_run_says_how_long_it_took(run):
    card = run_card.card_html(run, Status(state="finished", step=10, total_steps=10), LINES, "bn")
    assert "সময় লেগেছে ৫ সেকেন্ড" in card
    assert "টোকেন" not in card


def test_a_run_without_measurements_has_a_card_without_figures(run):
    card = text_of(run_card.card_html(run, Status(state="loading"), [], "bn"))
    assert card.split() == wording.sentence("status.loading", "bn").split()


def test_what_went_wrong_stands_in_the_card_in_the_persons_language(run):
    status = Status(state="failed", error="মন.csv is empty.", error_key="data.empty", error_facts={"file": "মন.csv"})
    assert "মন.csv ফাইলটা খালি।" in run_card.card_html(run, status, [], "bn")
    assert "মন.csv is empty." in run_card.card_html(run, status, [], "en")


@pytest.mark.parametrize("language", wording.LANGUAGES)
def test_a_files_name_cannot_bring_markup_into_the_card(run, language):
    name = "<img src=x onerror=alert(1)>.csv"
    status = Status(state="failed", error=f"{name} is empty.", error_key="data.empty", error_facts={"file": name})
    card = run_card.card_html(run, status, [], language)
    assert "<img" not in card
    assert "&lt;img src=x" in card


def test_a_run_that_waits_says_how_many_are_before_it(services):
    first, second = (runs.create(services.home, Recipe.read("demo"), queued=float(number)) for number in (1, 2))
    assert "আগে আরও ০টি রান" in run_card.card_html(first, first.status(), [], "bn")
    assert "1 runs ahead" in run_card.card_html(second, second.status(), [], "en")


def test_a_cancelled_run_does_not_claim_that_something_is_kept(run):
    card = run_card.card_html(run, Status(state="stopped", cancelled=True), [], "bn")
    assert wording.sentence("status.cancelled", "bn") in card
    assert wording.sentence("status.stopped", "bn") not in card


def test_alerts_are_told_in_the_persons_language_with_their_figures():
    alert = Alert("alert.finished", {"step": 110}, "Training finished after 110 steps.", "info", 110)
    assert "১১০ ধাপের শেখানো শেষ।" in run_card.alerts_html([alert], "bn")
    assert "110 steps" in run_card.alerts_html([alert], "en")
    assert run_card.alerts_html([], "bn") == ""


def test_replies_stand_under_their_prompt_by_step_with_what_is_new_marked():
    lines = [
        {"step": 0, "eval_loss": 2.5, "prompt": "মন খারাপ", "reply": "এটা একটা তথ্য।"},
        {"step": 55, "eval_loss": 0.9, "prompt": "মন খারাপ", "reply": "এটা কষ্টের কথা।"},
    ]
    shown = run_card.samples_html(lines, "bn")
    assert shown.index("মন খারাপ") < shown.index("ধাপ ০ · ২.৫০") < shown.index("ধাপ ৫৫ · ০.৯০")
    assert re.findall("<mark>(.*?)</mark>", shown) == [" কষ্টের কথা।"]


def test_a_reply_cannot_bring_markup_into_the_page():
    shown = run_card.samples_html([{"step": 0, "eval_loss": None, "prompt": "<b>", "reply": "<script>"}], "en")
    assert "<script>" not in shown and "<b>" not in shown


def test_a_run_without_replies_says_so():
    assert wording.sentence("samples.none", "bn") in run_card.samples_html([], "bn")
