from finetune.review.evaluation import Reply
from finetune.review.evaluation_words import evaluation_words
from finetune.review.spoken import Spoken
from ui.evaluate import replies_view

SCORES = {"base": {"chrf": 9.5}, "tuned": {"chrf": None}, "difference": {"chrf": None}}


def test_a_reply_stands_with_its_question_reference_both_sides_and_their_scores():
    one = Reply("1", "মন ভালো নেই", "শোক", ("কী হয়েছে?", "বলুন\nশুনছি"), "<b>হ্যাঁ</b>", "শুনছি", SCORES)
    told = replies_view.reply_html(one, "chrf", Spoken(evaluation_words("bn"), "bn"))
    assert "মন ভালো নেই" in told and "শোক" in told and "বলুন<br>শুনছি" in told
    assert "&lt;b&gt;হ্যাঁ" in told and "<b>" not in told
    assert "chrF++: ৯.৫" in told and "chrF++: –" in told
    assert told.index("&lt;b&gt;হ্যাঁ") < told.index(">শুনছি<")


def test_a_text_is_marked_by_the_language_that_it_is_in():
    scores = {side: {"chrf": 1.0} for side in SCORES}
    one = Reply("1", "মন ভালো নেই", "", ("কী হয়েছে?",), "I am sorry to hear that.", "শুনছি", scores)
    told = replies_view.reply_html(one, "chrf", Spoken(evaluation_words("bn"), "bn"))
    assert '<p lang="en">I am sorry' in told and '<p lang="bn">শুনছি' in told and '<p lang="bn">মন' in told
