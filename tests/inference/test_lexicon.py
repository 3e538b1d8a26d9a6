"""The notation of the phrase files, each sign by itself, and words that were typed in pieces or run together."""

import pytest

from finetune.inference import reply_screen, safety
from finetune.inference.lexicon import BETWEEN, Lexicon
from finetune.inference.sound import sound

WORDS = """
words:
  tails: না|চাই|যেতে
  want: চাই|চাচ্ছি
  wish: <want>|মন চায়
"""


@pytest.fixture
def says(tmp_path):
    """Whether a lexicon with these phrases finds one of them in a text, as it stands."""

    def found(text: str, *phrases: str) -> bool:
        return lexicon(tmp_path, *phrases).says("found", sound(text))

    return found


def lexicon(folder, *phrases: str) -> Lexicon:
    file = folder / "phrases.yaml"
    file.write_text(WORDS + "found:\n" + "".join(f"  - {phrase}\n" for phrase in phrases), encoding="utf-8")
    return Lexicon(file)


def test_a_phrase_that_was_written_in_bengali_is_found_in_latin_letters(says):
    assert says("Ami morte chaiii!", "মরতে চাই")
    assert not says("ami chai", "মরতে চাই")


def test_a_word_is_found_whole_unless_it_may_go_on(says):
    assert not says("মরতেই চাই", "মরতে চাই")
    assert says("ইচ্ছেটা আছে", "ইচ্ছে*") and says("ইচ্ছে", "ইচ্ছে*")
    assert not says("অনিচ্ছে", "ইচ্ছে*")


def test_spellings_names_and_names_within_names_stand_for_each_other(says):
    assert all(says(f"মরতে {want}", "মরতে|যেতে <wish>") for want in ("চাই", "চাচ্ছি", "মন চায়"))
    assert says("যেতে চাই", "মরতে|যেতে <wish>")
    assert not says("মরতে মন", "মরতে|যেতে <wish>")


def test_two_words_with_a_low_line_are_one_spelling(says):
    assert says("মনে হয় শেষ হয়ে গেল", "শেষ হোক|হয়ে_গেল")
    assert not says("শেষ হয়ে", "শেষ হোক|হয়ে_গেল")


def test_three_dots_let_a_few_words_stand_between_and_no_more(says):
    assert says("মরতে চাই", "মরতে … চাই")
    assert says("মরতে আমি খুব চাই", "মরতে … চাই")
    many = " ".join(["কেন"] * (BETWEEN // 3))  # a word of three letters, each with a blank
    assert not says(f"মরতে {many} চাই", "মরতে … চাই")


def test_two_halves_may_come_in_either_order(says):
    assert says("চাই না মরতে", "মরতে & চাই না") and says("মরতে আর চাই না", "মরতে & চাই না")
    assert not says("চাই মরতে না", "মরতে & চাই না")


def test_a_last_word_that_must_not_follow(says):
    assert says("মরে যাই", "মরে যাই !নি|না")
    assert not says("মরে যাই নি", "মরে যাই !নি|না") and not says("মরে যাই না", "মরে যাই !নি|না")


def test_a_stop_hides_no_phrase_but_nothing_is_taken_out_across_it(tmp_path):
    found = lexicon(tmp_path, "চাই না")
    assert found.says("found", sound("চাই। না"))
    assert found.without("found", sound("চাই না")).split() == ["·"]
    assert found.without("found", sound("চাই। না")) == sound("চাই। না")
    assert "·" in lexicon(tmp_path, "চাই , না").without("found", sound("চাই, না"))


def test_a_phrase_is_found_in_one_of_the_readings_however_its_words_were_cut(tmp_path):
    found = lexicon(tmp_path, "মরে যেতে চাই না")
    for typed in ("মরে যেতে চাই না", "ম রে যে-তে চাইনা", "moreje te chaina", "মরেযেতেচাইনা"):
        assert any(found.says("found", reading) for reading in found.readings(typed)), typed
    assert found.readings("মরে")[0] == sound("মরে")


@pytest.mark.parametrize("screen", [safety.shipped, reply_screen.shipped], ids=["messages", "replies"])
def test_every_phrase_that_ships_can_be_found_as_it_is_written(screen):
    # A name that is missing, or a blank inside a group of spellings, would make a phrase that never matches anything.
    found = screen()._lexicon
    for kind, listed in found._phrases.items():
        assert all(listed), kind
        for words in listed:
            shown = " ".join(word[0].rstrip("*") for word in words if word != ["…"] and not word[0].startswith("!"))
            said = f" {shown} "
            sees_stops = "|" in shown.split()
            assert found.without(kind, said) != said if sees_stops else found.says(kind, said), words
