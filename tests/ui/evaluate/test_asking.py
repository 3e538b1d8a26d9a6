from pathlib import Path

import gradio as gr
import pytest

from finetune.errors import ReviewError
from finetune.models import DEMO
from finetune.review.evaluating import Progress
from finetune.review.evaluation import FOLDER, Evaluation
from finetune.review.unfinished import Unfinished
from tests.review import evaluations
from ui.evaluate import asking
from ui.evaluate.background import EVALUATION, JUDGE, Background, Job
from ui.evaluate.pace import Pace


def at(stage, done, total, *, runs=1, seconds=None):
    """A pace that came so far in the only stage, after so many seconds."""
    now = {"at": 0.0}
    pace = Pace(runs, clock=lambda: now["at"])
    pace.begin({stage: 1.0})
    if seconds:
        pace.report(Progress(stage, 0, total))
        now["at"] = seconds
    pace.report(Progress(stage, done, total))
    return {"progress": Progress(stage, done, total), "pace": pace}


def card(language="bn", **facts):
    return asking.card_html(Job(EVALUATION, (DEMO,), name=DEMO, **facts), language)


def test_a_card_says_who_is_asked_what_happens_and_how_long_it_still_takes():
    told = card(**at("replies", 100, 400, seconds=30))
    assert "ডেমো অ্যাডাপ্টার" in told and "৪০০টি প্রশ্নের ১০০টি" in told and "width:25.0%" in told and "আর প্রায়" in told
    told = card("en", **at("replies", 100, 400, runs=2))
    assert "Both are answering" in told and "100 of 400 questions" in told and "1 of 2 to evaluate" in told
    assert "শুরু হচ্ছে" in card()


def test_what_was_stopped_says_that_it_can_go_on_and_what_is_done_says_so():
    told = card(over=True, **at("bits", 100, 400))
    assert "run-card stopped" in told and "সেখান থেকেই চলবে" in told and "width:25.0%" in told
    assert "width:0.0%" in card(over=True)
    assert "run-card finished" in card(over=True, whole=True) and "width:100.0%" in card(over=True, whole=True)


def test_from_a_stop_until_it_is_heeded_the_card_says_so_and_cannot_be_stopped_again():
    job = Job(EVALUATION, (DEMO,), **at("bits", 1, 4, seconds=9))
    assert asking.stoppable(job, EVALUATION) and not asking.stoppable(job, JUDGE)
    job.stop.set()
    told = asking.card_html(job, "en")
    assert "Stopping after what is in hand" in told and "left" not in told and not asking.stoppable(job, EVALUATION)


def test_the_bar_is_one_for_everybody_and_only_the_state_is_heard():
    told = card("en", **at("replies", 100, 400))
    assert 'role="progressbar"' in told and 'aria-valuenow="25"' in told and "aria-label=" in told
    assert 'role="status"' not in told  # a status would be read out with every second
    state = told[told.index('class="state"') : told.index('class="bar"')]
    assert "Both are answering" in state and "100" not in state


def test_another_page_s_job_is_shown_only_while_it_keeps_this_page_waiting():
    failed = Job(EVALUATION, (DEMO,), over=True, error=ReviewError("It failed.", key="busy"))
    assert asking.shown_html(failed, JUDGE, "en") == "" and "failed" in asking.shown_html(failed, EVALUATION, "en")
    assert "Reading" in asking.shown_html(Job(EVALUATION, (DEMO,), **at("bits", 1, 4)), JUDGE, "en")


def test_an_error_is_shown_in_the_page_s_language():
    error = ReviewError("Choose what to evaluate first.", key="evaluation.nothing")
    assert "আগে সেটা বাছুন" in card(over=True, error=error)
    assert "Choose what to evaluate first." in card("en", over=True, error=error)


def test_all_evaluations_stand_in_a_table_with_their_differences(tmp_path):
    one = Evaluation.open(evaluations.lay_out(tmp_path / FOLDER / "test-1"))
    told = asking.table_html([one], "bn")
    assert "ডেমো অ্যাডাপ্টার · পরীক্ষার ভাগ" in told and "−০.৫০০" in told and "ভালো" in told
    assert asking.table_html([], "bn") == ""


def left(name=DEMO, **facts):
    facts = {"split": "test", "questions": 60, "new_tokens": 9, "read": 60, "answered": 24, "written": 1.0} | facts
    return Unfinished(Path("evaluations/test-1"), name, **facts)


def test_what_is_unfinished_says_whose_it_is_of_which_split_and_how_far_it_came():
    told = asking.left_html([left()], "bn")
    assert "ডেমো অ্যাডাপ্টার · পরীক্ষার ভাগ · ৬০টি প্রশ্নের ২৪টির উত্তর" in told and "বোতাম" not in told
    assert "references of 30 of 60" in asking.left_html([left(read=30, answered=0)], "en")
    assert "60 questions, none of them begun" in asking.left_html([left(read=0, answered=0)], "en")
    assert asking.left_html([], "bn") == ""


def test_of_several_each_is_named_and_that_the_button_takes_the_newest():
    told = asking.left_html([left("<b>run-a</b>"), left(split="validation")], "en")
    assert "2 evaluations are unfinished" in told and "The button goes on with the first" in told
    assert told.index("&lt;b&gt;run-a") < told.index("Demo adapter · validation") and "<b>" not in told


@pytest.fixture
def pages(services):
    """The page as it is laid out, its handlers by name, and what is begun in the background."""
    background = Background(services.home, services.backend)
    with gr.Blocks() as page, gr.Tab() as tab:
        asking.build(services, background, tab)
    return {function.fn.__name__: function.fn for function in page.fns.values()}, background


def test_while_nothing_is_under_way_one_button_goes_on_with_the_newest(pages, monkeypatch):
    handlers, background = pages
    monkeypatch.setattr(asking.unfinished, "listed", lambda home, backend: [left(), left("run-a")])
    going = []
    monkeypatch.setattr(Background, "go_on", lambda self, one: going.append(one.name))
    card, *_, told, button = handlers["opened"]([DEMO], None)[1:]
    assert "২টা মূল্যায়ন শেষ হয়নি" in told.value and told.visible and button.visible and card == ""
    handlers["taken_up"](None)
    assert going == [DEMO]
    background.job = Job(EVALUATION, (DEMO,), name=DEMO)
    *_, told, button = handlers["ticked"](None)
    assert not told.visible and not button.visible


def test_where_nothing_is_unfinished_there_is_nothing_to_press(pages):
    card, *_, told, button = pages[0]["opened"]([DEMO], None)[1:]
    assert "কোনো মূল্যায়ন নেই" in card and not told.visible and not button.visible
