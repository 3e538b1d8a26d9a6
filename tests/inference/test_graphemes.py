"""Text in pieces comes out in whole letters, in NFC, complete, and without half a letter at the end."""

import unicodedata

import pytest

from finetune import bengali
from finetune.inference.graphemes import GraphemeText

TEXT = "ক্ষুধার্ত শিশুটি স্বপ্নে উঁকি দিয়ে বলল: “দুঃখ কোরো না, আঁধার কাটবেই।” র‍্যাব 🙂"


def given(pieces: list[str], end: bool = True) -> list[str]:
    """What comes out for these pieces."""
    text = GraphemeText()
    out = [text.add(piece) for piece in pieces]
    return out + [text.end()] if end else out


@pytest.mark.parametrize("form", ["NFC", "NFD"])
@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_however_a_text_is_cut_its_letters_come_out_whole_and_in_nfc(size, form):
    raw = unicodedata.normalize(form, TEXT)
    out = given([raw[i : i + size] for i in range(0, len(raw), size)])
    wanted = bengali.graphemes(unicodedata.normalize("NFC", TEXT))
    assert [letter for piece in out for letter in bengali.graphemes(piece)] == wanted


def test_a_letter_comes_as_soon_as_the_next_one_begins():
    assert given(["ক", "্", "ষ", "মা", " আ"], end=False) == ["", "", "", "ক্ষ", "মা "]


@pytest.mark.parametrize("end", range(1, len(TEXT)))
def test_a_text_cut_off_anywhere_ends_without_half_a_letter(end):
    out = "".join(given([TEXT[:end]]))
    assert bengali.broken_graphemes(out) == []
    assert not out.endswith((bengali.VIRAMA, "\u200d"))


def test_replacement_signs_halves_of_pairs_and_signs_without_a_letter_are_left_out():
    assert "".join(given(["্টা", "কা\ufffd", "\ufffdছে ", "\ud83d", "আছি\ufffd"])) == "টাকাছে আছি"


def test_after_its_end_it_holds_nothing():
    text = GraphemeText()
    text.add("ভালো")
    assert (text.end(), text.end(), text.add("")) == ("লো", "", "")
