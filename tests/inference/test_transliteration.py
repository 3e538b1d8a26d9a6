"""One romanised word in Bengali: however it is typed, with endings, and English left alone."""

import unicodedata

import pytest

from finetune.inference.transliteration import in_bengali, is_english, nearest, with_ending

SPELLINGS = {
    "করছি": "korchi korci korsi kortesi kortechi kortasi krchi",
    "ভালো": "valo bhalo vlo balo bhaloo",
    "বিশ্বাস": "bishwas bishshash bissas biswas",
    "হয়েছে": "hoyeche hoise hoyese hoeche",
    "খেতে": "khete khaite",
    "স্বপ্ন": "shopno sopno swapno",
    "ঘুমাতে": "ghumate gumate ghumaite",
    "লাগছে": "lagche lagtese lagse",
    "ভেঙে": "venge bhenge",
    "অপেক্ষা": "opekkha opekha apekkha",
    "ক্লান্ত": "klanto clanto klant",
}


@pytest.mark.parametrize("word", SPELLINGS)
def test_the_ways_of_typing_a_word_all_mean_it(word):
    meant = unicodedata.normalize("NFC", word)
    assert {typed: in_bengali(typed) for typed in SPELLINGS[word].split()} == dict.fromkeys(
        SPELLINGS[word].split(), meant
    )


@pytest.mark.parametrize(
    ("word", "ending", "whole"),
    [
        ("বাবা", "ের", "বাবার"),
        ("মা", "ের", "মায়ের"),
        ("ভাই", "ের", "ভাইয়ের"),
        ("ঘর", "র", "ঘরের"),
        ("ঢাকা", "ে", "ঢাকায়"),
        ("বাড়ি", "ে", "বাড়িতে"),
        ("অফিস", "তে", "অফিসে"),
        ("মন", "টা", "মনটা"),
    ],
)
def test_an_ending_takes_the_shape_that_the_words_last_letter_wants(word, ending, whole):
    word, ending, whole = (unicodedata.normalize("NFC", text) for text in (word, ending, whole))
    assert with_ending(word, ending) == whole


def test_an_english_word_takes_bengali_endings():
    assert [in_bengali(typed) for typed in ("bosser", "examer", "phoneta")] == ["বসের", "এক্সামের", "ফোনটা"]


def test_english_without_a_bengali_spelling_is_left_alone_by_list_and_by_looks():
    assert in_bengali("understand") is None
    assert in_bengali("literally") is None
    assert in_bengali("react") is None
    assert is_english("wondering") and not is_english("more") and not is_english("korchi")


def test_a_name_that_nobody_listed_is_spelt_as_it_sounds():
    assert in_bengali("nusrat") == "নুসরাত"
    assert in_bengali("zubaida") == "জুবাইদা"


def test_what_is_too_long_for_a_word_is_compared_with_none():
    assert nearest("ka" * 16) is None
