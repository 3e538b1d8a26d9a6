"""What a reviewer sees gives no side away, and shows no text as HTML."""

import re

from ui.compare import review_html
from ui.wording import sentence

NAMES = {"base": "মূল", "tuned": "শেখানো"}


def test_both_replies_stand_in_the_same_dress():
    shown = review_html.item_html("কেমন আছেন?", "এক", "দুই", "bn")
    left, right = re.findall(
        r'<article class="reply" aria-label="[^"]+"><h4>[^<]+</h4><p lang="bn">[^<]+</p></article>', shown
    )
    assert re.sub("এক|ক", "", left) == re.sub("দুই|খ", "", right)


def test_texts_are_escaped_and_keep_their_lines():
    shown = review_html.item_html("<b>", "এক\nদুই", "<script>", "en")
    assert "<script>" not in shown and "&lt;script&gt;" in shown and "এক<br>দুই" in shown


def test_progress_is_told_in_the_person_s_digits_and_to_screen_readers():
    shown = review_html.progress_html(3, 12, "bn")
    assert "১২টার মধ্যে ৩টা" in shown and 'aria-live="polite"' in shown and "width:25.0%" in shown
    assert "width:0.0%" in review_html.progress_html(0, 0, "en")


def test_the_reveal_names_who_wrote_what_and_marks_what_was_chosen():
    rows = [
        {"prompt": "ক?", "base": "এক", "tuned": "দুই", "choice": "tuned"},
        {"prompt": "খ?", "base": "তিন", "tuned": "চার", "choice": "both_bad"},
    ]
    shown = review_html.revealed_html(rows, NAMES, "bn")
    assert shown.count("chosen") == 1 and "১টির মধ্যে ১টিতে" in shown
    assert sentence("review.saved.both_bad", "bn") in shown
    assert shown.count("মূল") == 2 and shown.count("শেখানো") == 3
