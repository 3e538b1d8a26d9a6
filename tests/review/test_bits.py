"""Bits per character and per byte, worked by hand, and perplexity that never comes alone."""

import math
import random

import pytest

from finetune.review import bits

REPLIES = ["কখগ", "কখগঘঙ চছ"]  # 3 and 8 characters, 9 and 22 bytes: a blank has one


def test_bits_are_over_all_characters_and_over_all_bytes():
    assert bits.per_character([6.0, 27.0], REPLIES).value == 33 / 11
    assert bits.per_byte([6.0, 27.0], REPLIES).value == 33 / 31


def test_characters_are_those_that_the_model_reads():
    composed, decomposed = "ব\u09dfস", "ব\u09af\u09bcস"
    assert bits.characters([composed, f"  {decomposed} \u200b\n"]) == [4, 4]
    assert bits.utf8_bytes([composed]) == [12]


def test_the_difference_is_tuned_less_base_on_the_same_characters():
    assert bits.difference([6.0, 27.0], [4.0, 18.0], REPLIES).value == -11 / 11
    assert bits.saved([6.0, 27.0], [4.0, 18.0]).value == pytest.approx(1 / 3)


def test_intervals_are_around_and_pairing_makes_the_differences_narrow():
    chance = random.Random(3)
    replies = ["ক" * chance.randint(20, 90) for _ in range(60)]
    base = [len(reply) * chance.uniform(1, 3) for reply in replies]
    tuned = [cost * chance.uniform(0.94, 0.98) for cost in base]
    before, after, change = (
        bits.per_character(base, replies),
        bits.per_character(tuned, replies),
        bits.difference(base, tuned, replies),
    )
    assert before.low < after.value < before.high  # apart these two could not be told from each other
    assert change.low < change.value < change.high < 0
    assert change.value == pytest.approx(after.value - before.value)


def test_perplexity_comes_with_bits_per_character_and_a_warning():
    """8 tokens of 2 bits each: as if of 4 at every step."""
    found = bits.per_token([6.0, 10.0], REPLIES, [3, 5])
    assert found == {
        "bits_per_character": 16 / 11,
        "perplexity_per_token": pytest.approx(4),
        "warning": bits.PERPLEXITY_WARNING,
    }


def test_a_tokenizer_that_cuts_finer_has_a_lower_perplexity_and_the_same_bits():
    coarse, fine = (bits.per_token([6.0, 10.0], REPLIES, tokens) for tokens in ([3, 5], [9, 15]))
    assert fine["perplexity_per_token"] == pytest.approx(math.exp2(16 / 24))
    assert coarse["perplexity_per_token"] == pytest.approx(math.exp2(16 / 8))
    assert fine["bits_per_character"] == coarse["bits_per_character"]


def test_sides_of_different_length_are_refused():
    with pytest.raises(ValueError):
        bits.difference([1.0], [1.0, 2.0], REPLIES)
