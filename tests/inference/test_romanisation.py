"""What it costs to read a typed word as a Bengali one, and which are compared at all."""

import math
import unicodedata

import pytest

from finetune.inference.romanisation import price, skeletons, spelt, typed_skeleton


def words(*texts):
    return [unicodedata.normalize("NFC", text) for text in texts]


def test_the_usual_spelling_costs_nothing_and_each_slip_more():
    (word,) = words("খারাপ")
    costs = [price(word, typed) for typed in ("kharap", "karap", "krp", "xyz")]
    assert costs[0] == 0
    assert costs == sorted(set(costs))


def test_the_word_that_is_said_is_cheaper_than_its_neighbours():
    ghor, gor = words("ঘর", "গড়")
    assert price(ghor, "ghor") < price(gor, "ghor")
    pore, porhe = words("পরে", "পড়ে")
    assert price(pore, "pore") == price(porhe, "pore") == 0


def test_a_price_beyond_the_limit_is_infinite():
    (word,) = words("ভালো")
    assert 0 < price(word, "vlo") < 2
    assert price(word, "vlo", limit=0.1) == math.inf


@pytest.mark.parametrize(
    ("word", "typed"),
    [
        ("করছি", "korsi"),
        ("বিশ্বাস", "bishwas"),
        ("বিশ্বাস", "bisbas"),
        ("আত্মহত্যা", "attohotta"),
        ("আত্মহত্যা", "atmohotya"),
        ("বাঁচতে", "banchte"),
        ("বাঁচতে", "bachte"),
        ("হাঁটতে", "hatte"),
        ("অপেক্ষা", "opekkha"),
        ("সহ্য", "sojjo"),
        ("মৃত্যু", "mrittu"),
        ("ভাঙা", "bhanga"),
    ],
)
def test_a_word_is_found_under_the_skeleton_of_its_spellings(word, typed):
    assert typed_skeleton(typed) in dict(skeletons(words(word)))


def test_composed_and_decomposed_letters_are_one():
    assert dict(skeletons(["বা\u09dcি"])).keys() == dict(skeletons(["বা\u09a1\u09bcি"])).keys() == {"br"}
    assert price("বা\u09dcি", "bari") == price("বা\u09a1\u09bcি", "bari") == 0


def test_a_name_is_spelt_as_it_sounds():
    assert [spelt(name) for name in ("rakib", "nusrat", "tanvir", "oishi")] == ["রাকিব", "নুসরাত", "তানভির", "ঐশি"]
