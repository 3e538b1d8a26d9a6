"""What stands beside a conversation: help where it is needed, what the model no longer sees, and that it waits."""

import pytest

from finetune.inference import safety
from finetune.inference.backends import LocalBackend
from finetune.review.evaluating import Progress
from ui import wording
from ui.chat.beside import note_html, shut, sign_html
from ui.compare.pair_writing import Writing
from ui.evaluate.background import EVALUATION, JUDGE, Job
from ui.layout_parts import care_html


def test_nothing_stands_beside_light_words_and_a_whole_conversation():
    assert care_html("none", "bn") == ""
    assert note_html(0, "bn") == ""


@pytest.mark.parametrize("tier", ["soft", "strong"])
@pytest.mark.parametrize("language", wording.LANGUAGES)
def test_heavy_words_bring_every_number_to_tap(tier, language):
    shown = care_html(tier, language)
    assert all(f'href="tel:{line.number.replace("-", "")}"' in shown for line in safety.helplines())
    assert (wording.sentence("chat.care", language) in shown) is (tier == "soft")


def test_it_is_said_how_much_the_model_no_longer_sees():
    assert "৩টা কথা" in note_html(3, "bn")
    assert "the first 3 messages" in note_html(3, "en")


CRISIS = {"role": "user", "content": "আমি আর বাঁচতে চাই না।"}
SAID = {"role": "user", "content": "আজ মনটা খারাপ।"}


def test_while_a_run_has_the_memory_one_sentence_says_which_and_when_replies_come_again(services):
    assert (sign_html(services, "bn"), shut(services, [SAID], {})) == ("", False)
    services.lent_to = "demo-001"
    assert "demo-001 শেখানো চলছে" in sign_html(services, "bn")
    assert "demo-001 is being trained" in sign_html(services, "en")
    assert shut(services, [SAID], {})


def test_while_an_evaluation_or_a_set_of_pairs_asks_the_model_one_sentence_says_that_replies_begin_later(services):
    services.background.job = Job(JUDGE)
    assert sign_html(services, "bn") == ""
    services.background.job = Job(EVALUATION)
    assert "একটু বেশি সময় লাগবে" in sign_html(services, "bn")
    assert not shut(services, [SAID], {})
    services.background.job.report(Progress("scores", 0, 9))  # figures, of which no model is asked
    assert sign_html(services, "bn") == ""
    services.background.job.report(Progress("bits", 0, 9))
    assert sign_html(services, "bn") != ""
    services.background.job.over = True
    assert sign_html(services, "en") == ""
    services.pairs.writing = Writing("first")
    assert sign_html(services, "en") == ""  # another server writes them
    services.backend = LocalBackend("a-base")
    assert "a little longer to begin" in sign_html(services, "en")
    services.pairs.writing.remote = True  # each side another server's own
    assert sign_html(services, "en") == ""
    services.pairs.writing.remote, services.pairs.writing.over = False, True
    assert sign_html(services, "en") == ""


def test_words_about_dying_are_answered_whoever_has_the_memory(services):
    services.lent_to = "demo-001"
    assert not shut(services, [CRISIS], {})
    assert not shut(services, [{"role": "user", "content": "x"}], {"x": CRISIS["content"]})
