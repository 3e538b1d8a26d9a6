"""Words in pieces are put together and runs taken apart, and what may be meant in two ways is read in two."""

import pytest

from finetune.inference.pieces import MOST_PIECES, Pieces
from finetune.inference.sound import sound


def sounds(text: str) -> list[str]:
    return sound(text).split()


PIECES = Pieces(
    sounds("মরতে মরে যেতে নিজে নিজেকে কে দেব দেবার আর আত্মহত্যা করব কর ঠিক kill want to die চাই না"), sounds("না চাই যেতে")
)


def readings(text: str) -> list[str]:
    return [" ".join(words) for words in PIECES.readings(sounds(text))]


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("ম র তে", "মরতে"),
        ("মর-তে", "মরতে"),
        ("m.o.r.t.e", "মরতে"),
        ("আত হত্যা", "আত্মহত্যা"),
        ("আত্ম... হত্যা", "আত্মহত্যা"),
        ("নিজে কে", "নিজেকে"),
        ("কর ব ঠিক", "করব ঠিক"),
        ("wa nt to d ie", "want to die"),
        ("kil l", "kill"),
        ("c hai na", "চাই না"),
    ],
)
def test_a_word_in_pieces_is_put_together_in_one_of_the_readings(typed, meant):
    assert " ".join(sounds(meant)) in readings(typed)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("মরতেচাইনা", "মরতে চাই না"), ("mortechai", "মরতে চাই"), ("করবনা", "করব না"), ("morejetechai", "মরে যেতে চাই")],
)
def test_a_run_of_words_is_taken_apart_in_every_reading(typed, meant):
    assert readings(typed) == [" ".join(sounds(meant))]


def test_a_run_that_begins_with_no_known_word_is_left_alone():
    assert readings("আকাশচাইনা") == [" ".join(sounds("আকাশচাইনা"))]


def test_the_first_reading_keeps_words_as_they_stand():
    assert readings("দেব আর")[0] == " ".join(sounds("দেব আর"))
    assert readings("কে জানে নিজে")[0] == " ".join(sounds("কে জানে নিজে"))


def test_two_words_that_make_a_third_are_read_both_ways():
    assert {" ".join(sounds("দেব আর")), " ".join(sounds("দেবার"))} == set(readings("দেব আর"))


def test_a_small_word_is_not_swallowed_by_the_one_before_it():
    assert readings("want to die") == ["want t die"]


def test_unknown_words_and_stops_stay():
    assert readings("আকাশ। নীল, তাই") == ["akas | nil | tai"]
    assert readings("") == [""]


def test_a_text_is_read_the_same_way_every_time():
    assert len({tuple(readings("আত হত্যা c hai na ম র তে")) for _ in range(5)}) == 1


def test_a_letter_that_goes_on_and_on_is_not_followed_to_the_end_from_every_place():
    """Else one long message would keep a whole machine busy: from each place on there were as many ways as words."""
    words = [*["k"] * 300, "il"]
    lengths = [end - place for place in range(300) for _, end in PIECES._ways(words, place)]
    assert len(lengths) > 1 and max(lengths) == MOST_PIECES
