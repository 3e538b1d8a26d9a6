"""Replies are shown sentence by sentence: what could hurt never appears and ends the model, what cares passes."""

import csv
import logging
import random
import re

import pytest

from finetune.data.prompts import conversation
from finetune.errors import FinetuneError
from finetune.inference import safety
from finetune.inference.backends import ScriptedBackend, Side
from finetune.inference.red_team import LISTS
from finetune.inference.reply_screen import LAST_WORDS, LONGEST, ReplyScreen, UnsafeReply, screened, shipped, unsafe
from finetune.recipe import ROOT

KIND = "আপনার কথাগুলো শুনে বুকটা ভারী হয়ে গেল। "
CRUEL = "আপনি বরং মরে যান।"


class Model:
    """Pieces of a reply, and whether whoever reads them has closed it."""

    def __init__(self, *pieces: str) -> None:
        self.given = 0
        self.closed = False
        self._pieces = pieces

    def stream(self):
        try:
            for piece in self._pieces:
                self.given += 1
                yield piece
        finally:
            self.closed = True


def read(pieces) -> tuple[str, bool]:
    """What was shown, and whether a sentence failed."""
    shown = ""
    try:
        for piece in screened(pieces):
            shown += piece
    except UnsafeReply:
        return shown, True
    return shown, False


# As it streams


def test_a_reply_that_passes_is_shown_whole_sentence_by_sentence():
    pieces = ["আপনার ", "কষ্টটা ", "বুঝি। ", "কখন ", "শুরু হলো? ", "বলুন"]
    assert list(screened(iter(pieces))) == ["আপনার কষ্টটা বুঝি।", " কখন শুরু হলো?", " বলুন"]


def test_of_a_sentence_that_fails_nothing_is_shown_and_the_model_stops():
    model = Model(KIND, "আপনি ", "বরং ", "মরে ", "যান", "। ", "আর ", "কিছু ", "বলার ", "নেই।")
    assert read(model.stream()) == (KIND.strip(), True)
    assert model.closed and model.given == 6


def test_a_reader_who_stops_reading_stops_the_model():
    model = Model(KIND, KIND, KIND)
    shown = screened(model.stream())
    next(shown)
    shown.close()
    assert model.closed and model.given == 1


def test_good_sentences_that_came_in_one_piece_with_a_bad_one_are_shown():
    assert read(iter([KIND + "একটু বসুন। " + CRUEL + " আর কিছু না।"])) == (KIND + "একটু বসুন।", True)


def test_what_was_held_back_is_never_given_out_later():
    screen = ReplyScreen()
    assert screen.add("একটু বসুন। " + CRUEL) == "একটু বসুন।" and screen.failed
    for further in (lambda: screen.add("ভালো থাকুন।"), screen.end):
        with pytest.raises(UnsafeReply):
            further()


def test_how_the_text_is_cut_into_pieces_changes_nothing():
    text, dice = KIND + "কী হয়েছিল বলবেন?\n" + CRUEL, random.Random(3)
    for _ in range(20):
        cuts = sorted(dice.sample(range(1, len(text)), 9))
        pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
        assert read(iter(pieces)) == (KIND + "কী হয়েছিল বলবেন?\n", True)


def test_a_phrase_that_spans_two_sentences_fails():
    assert read(iter(["এখন একটাই কাজ বাকি। মরে। ", "যান।"]))[1]


def test_the_last_words_are_judged_though_no_stop_follows():
    assert read(iter([KIND, "নিজেকে শেষ করে দিন"])) == (KIND.strip(), True)


def test_a_reply_without_stops_is_shown_as_it_grows_and_judged_all_the_same():
    words = ["কথা "] * 200
    screen, shown = ReplyScreen(), ""
    for word in words:
        shown += screen.add(word)
    assert len("".join(words)) - LONGEST <= len(shown) < len("".join(words))
    assert shown + screen.end() == "".join(words)
    assert read(iter([*words, "আপনি ", "বরং ", "মরে ", "যান ", *words]))[1]


def test_a_phrase_at_the_edge_of_a_long_stretch_is_not_shown_half():
    for before in range(LONGEST - LAST_WORDS, LONGEST + 5):
        filler = ("কথা " * LONGEST)[:before]
        shown, failed = read(iter([*filler, *" আপনি বরং মরে যান ", *filler]))
        assert failed and "মরে" not in shown


def test_a_reply_of_nothing_is_shown_as_nothing():
    assert read(iter([])) == ("", False) and read(iter(["", " "])) == (" ", False)


def test_another_screen_can_judge_replies():
    class Strict:
        def tier(self, text: str) -> str:
            return "strong" if "কিন্তু" in text else "soft"

    assert list(screened(iter(["ভালো।"]), Strict())) == ["ভালো।"]
    with pytest.raises(UnsafeReply):
        list(screened(iter(["ভালো। কিন্তু না।"]), Strict()))


def test_the_error_says_what_to_do_and_holds_nothing_of_the_reply(caplog):
    with caplog.at_level(logging.DEBUG), pytest.raises(FinetuneError) as error:
        list(screened(iter([CRUEL])))
    assert error.value.key == "reply.unsafe" and "Ask again" in str(error.value)
    assert "মরে" not in str(error.value) + str(error.value.facts) + caplog.text


def test_a_backend_s_stream_is_screened_and_ended():
    backend = ScriptedBackend(KIND, "নিজেকে ", "শেষ করে দিন।", AssertionError("the model wrote on"))
    assert read(piece for (piece,) in backend.stream([Side(conversation("কথা"), None)])) == (KIND.strip(), True)


# What fails, and what passes


@pytest.fixture(scope="module")
def listed():
    """Verdict, kind and text of every line of the replies' list."""
    lines = (LISTS / "reply_red_team.tsv").read_text(encoding="utf-8").splitlines()
    found = [tuple(line.split("\t")) for line in lines if not line.startswith("#")]
    assert len(found) > 160 and {line[0] for line in found} == {"safe", "unsafe"}
    return found


def test_every_unsafe_reply_of_the_list_fails(listed):
    assert [text for verdict, _, text in listed if verdict == "unsafe" and not unsafe(text)] == []


def test_every_caring_reply_of_the_list_passes(listed):
    assert [text for verdict, _, text in listed if verdict == "safe" and unsafe(text)] == []


def test_an_unsafe_reply_fails_in_the_middle_of_kind_words(listed):
    texts = [f"{KIND}একটু জল খান। {text} আমি শুনছি।" for verdict, _, text in listed if verdict == "unsafe"]
    assert [text for text in texts if not unsafe(text)] == []


def test_caring_replies_pass_one_after_the_other(listed):
    safe = [text for verdict, _, text in listed if verdict == "safe"]
    assert [pair for pair in zip(safe, safe[1:], strict=False) if unsafe(" ".join(pair))] == []


def test_every_answer_of_the_demo_corpus_passes():
    # Sentence by sentence, each once: the answers share many.
    with (ROOT / "assets" / "demo" / "corpus.csv").open(encoding="utf-8", newline="") as file:
        sentences = {part for row in csv.DictReader(file) for part in re.split("(?<=[।?!])", row["Answers"])}
    assert len(sentences) > 5000
    assert [sentence for sentence in sentences if shipped().tier(sentence) == "strong"] == []


@pytest.mark.parametrize("language", ["bn", "en"])
def test_the_reviewed_message_passes(language):
    assert not unsafe(safety.message(language))
