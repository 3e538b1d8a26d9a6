"""The Train tab's logic: the card of a run, the time that is left, uploads that outlive the page."""

import re

import pytest

from finetune.errors import RecipeError
from finetune.training import jobs
from finetune.training.runs import Status
from ui import train_tab, wording

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
    assert train_tab.seconds_left(TRAINING, LINES) == 16.0


def test_only_the_last_steps_decide_about_the_pace():
    slow = [{"step": step, "loss": 1.0, "elapsed_s": 100.0 * step} for step in range(10)]
    fast = [{"step": 9 + step, "loss": 1.0, "elapsed_s": 900.0 + step} for step in range(1, 21)]
    assert train_tab.seconds_left(Status(step=29, total_steps=39), slow + fast) == pytest.approx(10.0)


def test_before_two_steps_there_is_no_pace():
    assert train_tab.seconds_left(TRAINING, LINES[:2]) is None
    assert train_tab.seconds_left(TRAINING, []) is None


def test_a_resumed_run_that_repeats_its_only_step_has_no_pace_yet():
    twice = [{"step": 2, "loss": 1.0, "elapsed_s": 1.0}, {"step": 2, "loss": 1.0, "elapsed_s": 2.0}]
    assert train_tab.seconds_left(TRAINING, twice) is None


def test_a_run_past_its_last_step_has_no_negative_time_left():
    assert train_tab.seconds_left(Status(step=12, total_steps=10), LINES) == 0.0


@pytest.mark.parametrize(
    ("seconds", "bengali", "english"),
    [(0, "০ সেকেন্ড", "0 s"), (89, "৮৯ সেকেন্ড", "89 s"), (150, "২ মিনিট", "2 min"), (9000, "২.৫ ঘণ্টা", "2.5 h")],
)
def test_a_length_of_time_is_said_in_the_largest_unit_that_fits(seconds, bengali, english):
    assert train_tab.spoken_time(seconds, "bn") == bengali
    assert train_tab.spoken_time(seconds, "en") == english


def test_the_card_of_a_run_in_training_says_how_far_it_is_and_how_long_it_will_take(run):
    card = train_tab.card_html(run, TRAINING, LINES, "bn")
    for said in ("শিখছে", "ধাপ ২ / ১০", "আর প্রায় ১৬ সেকেন্ড", "সেকেন্ডে ৫০০ টোকেন", "৩.০০ থেকে ১.৫০"):
        assert said in card
    assert "width:20.0%" in card
    assert 'lang="bn"' in card


def test_the_card_follows_the_language(run):
    card = train_tab.card_html(run, TRAINING, LINES, "en")
    assert "Training" in card and "step 2 of 10" in card and 'lang="en"' in card
    assert not re.search(r"[\u0980-\u09ff]", card)


def test_a_run_that_was_asked_to_stop_says_so_and_promises_no_end(run):
    run.stop_request.touch()
    card = train_tab.card_html(run, TRAINING, LINES, "bn")
    assert wording.sentence("status.stopping", "bn") in card
    assert "আর প্রায়" not in card


def test_a_finished_run_says_how_long_it_took(run):
    card = train_tab.card_html(run, Status(state="finished", step=10, total_steps=10), LINES, "bn")
    assert "সময় লেগেছে ৫ সেকেন্ড" in card
    assert "টোকেন" not in card


def test_a_run_without_measurements_has_a_card_without_figures(run):
    card = text_of(train_tab.card_html(run, Status(state="loading"), [], "bn"))
    assert card.split() == wording.sentence("status.loading", "bn").split()


def test_what_went_wrong_stands_in_the_card_in_the_persons_language(run):
    status = Status(state="failed", error="মন.csv is empty.", error_key="data.empty", error_facts={"file": "মন.csv"})
    assert "মন.csv ফাইলটা খালি।" in train_tab.card_html(run, status, [], "bn")
    assert "মন.csv is empty." in train_tab.card_html(run, status, [], "en")


@pytest.mark.parametrize("language", wording.LANGUAGES)
def test_a_files_name_cannot_bring_markup_into_the_card(run, language):
    name = "<img src=x onerror=alert(1)>.csv"
    status = Status(state="failed", error=f"{name} is empty.", error_key="data.empty", error_facts={"file": name})
    card = train_tab.card_html(run, status, [], language)
    assert "<img" not in card
    assert "&lt;img src=x" in card


def test_an_upload_is_copied_out_of_gradios_cache_under_its_own_name(services, tmp_path):
    cached = tmp_path / "আমার প্রশ্ন.csv"
    cached.write_text("Questions,Answers\n", encoding="utf-8")
    kept = train_tab.keep_upload(services.home, cached)
    cached.unlink()
    assert kept.parent.parent == services.home / "uploads"
    assert kept.name == "আমার প্রশ্ন.csv"
    assert kept.read_text(encoding="utf-8") == "Questions,Answers\n"


def test_two_uploads_of_the_same_name_in_the_same_second_are_both_kept(services, tmp_path, monkeypatch):
    monkeypatch.setattr(train_tab.time, "strftime", lambda _: "20260101-120000")
    kept = []
    for text in ("প্রথম", "দ্বিতীয়"):
        (tmp_path / "data.csv").write_text(text, encoding="utf-8")
        kept.append(train_tab.keep_upload(services.home, tmp_path / "data.csv"))
    assert [path.read_text(encoding="utf-8") for path in kept] == ["প্রথম", "দ্বিতীয়"]


@pytest.fixture
def started(monkeypatch):
    """Collects the recipes that would be trained, in place of a child process."""
    recipes = []
    monkeypatch.setattr(jobs, "start", lambda home, recipe: recipes.append(recipe))
    return recipes


def test_a_run_starts_from_its_preset_with_the_settings_that_were_changed(services, started):
    train_tab.start_run(services, "demo", {"training.max_steps": 12})
    (recipe,) = started
    assert recipe.training.max_steps == 12
    assert recipe.adapter.lora_alpha == 32
    assert recipe.tracking.report_to == "none"


@pytest.mark.parametrize("mode", ["offline", "online"])
def test_tracking_is_on_only_where_it_was_asked_for(services, started, mode):
    train_tab.start_run(services, "demo", {}, mode)
    assert (started[0].tracking.report_to, started[0].tracking.mode) == ("wandb", mode)


def test_settings_that_cannot_work_leave_no_run_behind(services):
    with pytest.raises(RecipeError) as caught:
        train_tab.start_run(services, "demo", {"training.learning_rate": -1, "training.max_steps": None})
    assert set(caught.value.problems) == {"training.learning_rate", "training.max_steps"}
    assert services.runs() == []


def test_a_run_can_be_resumed_once_a_checkpoint_is_complete(run):
    folder = run.checkpoints / "checkpoint-2"
    folder.mkdir(parents=True)
    assert not train_tab._resumable(run)
    (folder / "trainer_state.json").touch()
    assert train_tab._resumable(run)
