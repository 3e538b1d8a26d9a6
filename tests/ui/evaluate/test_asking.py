from finetune.errors import ReviewError
from finetune.models import DEMO
from finetune.review.evaluating import Progress
from finetune.review.evaluation import FOLDER, Evaluation
from tests.review import evaluations
from ui.evaluate import asking
from ui.evaluate.background import Job


def card(language="bn", **facts):
    return asking.card_html(Job((DEMO,), name=DEMO, **facts), language)


def test_a_card_says_who_is_asked_what_happens_and_how_long_it_still_takes():
    told = card(progress=Progress("replies", 100, 400, 90.0))
    assert "ডেমো অ্যাডাপ্টার" in told and "১০০ / ৪০০" in told and "width:25.0%" in told and "আর প্রায়" in told
    assert "Both are answering: 100 of 400" in card("en", progress=Progress("replies", 100, 400))
    assert "শুরু হচ্ছে" in card()


def test_what_was_stopped_says_that_it_can_go_on_and_what_is_done_says_so():
    told = card(over=True, stopped=True, progress=Progress("bits", 100, 400))
    assert "run-card stopped" in told and "সেখান থেকেই চলবে" in told and "width:25.0%" in told
    assert "width:0.0%" in card(over=True, stopped=True)
    assert "run-card finished" in card(over=True) and "width:100.0%" in card(over=True)


def test_an_error_is_shown_in_the_page_s_language():
    error = ReviewError("Choose what to evaluate first.", key="evaluation.nothing")
    assert "আগে বাছুন" in card(over=True, error=error)
    assert "Choose what to evaluate first." in card("en", over=True, error=error)


def test_all_evaluations_stand_in_a_table_with_their_differences(tmp_path):
    one = Evaluation.open(evaluations.lay_out(tmp_path / FOLDER / "test-1"))
    told = asking.table_html([one], "bn")
    assert "ডেমো অ্যাডাপ্টার · পরীক্ষার ভাগ" in told and "−০.৫০০" in told and "ভালো" in told
    assert asking.table_html([], "bn") == ""
