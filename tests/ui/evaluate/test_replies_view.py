import gradio as gr
import pytest

from finetune.review.evaluation import FOLDER, Evaluation, Reply
from finetune.review.evaluation_words import evaluation_words
from finetune.review.spoken import Spoken
from tests.review import evaluations
from ui.evaluate import replies_view
from ui.evaluate.replies_view import ANY

SCORES = {"base": {"chrf": 9.5}, "tuned": {"chrf": None}, "difference": {"chrf": None}}


def test_a_reply_stands_with_its_question_reference_both_sides_and_their_scores():
    one = Reply("1", "মন ভালো নেই", "শোক", ("কী হয়েছে?", "বলুন\nশুনছি"), "<b>হ্যাঁ</b>", "শুনছি", SCORES)
    told = replies_view.reply_html(one, "chrf", "tuned", Spoken(evaluation_words("bn"), "bn"))
    assert "মন ভালো নেই" in told and "শোক" in told and "বলুন<br>শুনছি" in told
    assert "&lt;b&gt;হ্যাঁ" in told and "<b>" not in told
    assert "chrF++: ৯.৫" in told and "chrF++: –" in told
    assert told.index("&lt;b&gt;হ্যাঁ") < told.index(">শুনছি<")


def test_a_text_is_marked_by_the_language_that_it_is_in():
    scores = {side: {"chrf": 1.0} for side in SCORES}
    one = Reply("1", "মন ভালো নেই", "", ("কী হয়েছে?",), "I am sorry to hear that.", "শুনছি", scores)
    told = replies_view.reply_html(one, "chrf", "tuned", Spoken(evaluation_words("bn"), "bn"))
    assert '<p lang="en">I am sorry' in told and '<p lang="bn">শুনছি' in told and '<p lang="bn">মন' in told


@pytest.mark.parametrize(
    ("score", "language", "told"),
    [
        ("chrf", "bn", "তফাত: +৪.৫<"),
        ("chrf", "en", "Difference: +4.5<"),
        ("script_share", "en", "Difference: −25.0 percentage points<"),
        ("bits_per_character", "en", "Difference: –<"),
    ],
)
def test_sorted_by_the_difference_a_reply_says_it_with_its_sign(score, language, told):
    base, tuned = {"chrf": 9.5, "script_share": 1.0}, {"chrf": 14.0, "script_share": 0.75}
    apart = {"chrf": 4.5, "script_share": -0.25, "bits_per_character": None}
    scores = {"base": base | {"bits_per_character": None}, "tuned": tuned | {"bits_per_character": 1.0}}
    one = Reply("1", "মন ভালো নেই", "", ("কী হয়েছে?",), "হ্যাঁ", "শুনছি", scores | {"difference": apart})
    spoken = Spoken(evaluation_words(language), language)
    assert told in replies_view.reply_html(one, score, "difference", spoken)
    assert told not in replies_view.reply_html(one, score, "base", spoken)


@pytest.fixture
def opened(tmp_path):
    """The evaluation of the lines by hand: bits grow with the number, topics take turns."""
    return Evaluation.open(evaluations.lay_out(tmp_path / FOLDER / "test-1"))


def numbers(one, *controls):
    """The numbers of the replies that the controls ask for, in their order."""
    return [int(reply.id) for reply in one.rows(**replies_view.asked_for(*controls), count=100).rows]


def test_the_list_is_sorted_either_way_as_the_controls_say(opened):
    assert numbers(opened, "bits_per_character", "base", "most", ANY, "") == list(range(23, -1, -1))
    assert numbers(opened, "bits_per_character", "base", "least", ANY, None) == list(range(24))
    assert numbers(opened, "chrf", "tuned", "most", ANY, "") != numbers(opened, "chrf", "base", "most", ANY, "")


def test_the_list_holds_one_topic_or_all_and_what_is_searched(opened):
    assert numbers(opened, "bits_per_character", "base", "least", "শোক", "") == list(range(0, 24, 2))
    assert numbers(opened, "bits_per_character", "base", "least", "আনন্দ", "") == list(range(1, 24, 2))
    assert len(numbers(opened, "bits_per_character", "base", "least", ANY, "বাবার চেয়ারটা")) == 1
    assert numbers(opened, "bits_per_character", "base", "least", "", "") == []  # a topic may be empty; it is not all


@pytest.fixture
def pages(services):
    """The replies' page as it is laid out, and its handlers by name."""
    evaluations.lay_out(services.home / FOLDER / "test-1")
    with gr.Blocks() as page, gr.Tabs(), gr.Tab() as tab:
        replies_view.build(services, tab)
    return {function.fn.__name__: function.fn for function in page.fns.values()}


NAME = "evaluations/test-1"


@pytest.mark.parametrize("handler", ["opened", "another"])
def test_on_coming_back_the_list_shows_what_the_controls_say(pages, handler):
    """Whoever comes back to the page, or chooses another evaluation, leaves the controls as they are."""
    controls = (NAME, "bits_per_character", "base", "least", "শোক", "বাবার")
    score, topic, shown, *_ = pages[handler](*controls, None)[-7:]
    assert (score.value, topic.value) == ("bits_per_character", "শোক")
    assert shown == pages["show"](*controls, None)[0]
    assert shown != pages["show"](NAME, "chrf", "difference", "most", ANY, "", None)[0]


def test_what_an_evaluation_does_not_have_is_not_asked_of_it(pages):
    score, topic, shown, *_ = pages["another"](NAME, "kindness", "base", "least", "ঘুম", "", None)
    assert (score.value, topic.value) == ("chrf", ANY) and "২৪টির মধ্যে" in shown
    score, topic, shown, *_ = pages["another"](None, None, "base", "least", None, "", None)
    assert (score.value, topic.value) == (None, ANY) and "কোনো মূল্যায়ন নেই" in shown
