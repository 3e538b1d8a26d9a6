"""finetune/review/spoken.py: figures as a person reads them, in both languages."""

import pytest

from finetune.review.spoken import Spoken

BN = Spoken({"between": "{low} থেকে {high}", "count": "{n}টি মত, {name}"}, "bn")
EN = Spoken({"between": "{low} to {high}"}, "en")


def test_shares_are_percentages_in_the_digits_of_the_language():
    assert (BN.share(0.714), EN.share(0.714)) == ("৭১%", "71\u00a0%")
    assert BN.share(0.714, decimals=1) == "৭১.৪%"


@pytest.mark.parametrize(("share", "shown"), [(0.5, "50\u00a0%"), (0.503, "50.3\u00a0%"), (0.4961, "49.6\u00a0%")])
def test_a_share_that_would_be_rounded_to_one_half_keeps_the_decimal_that_shows_its_side(share, shown):
    assert EN.share(share) == shown


def test_a_rate_has_a_decimal_only_where_there_are_observations_enough_for_one():
    assert (EN.rate(0.7143, 99), EN.rate(0.7143, 100)) == ("71\u00a0%", "71.4\u00a0%")


def test_what_is_not_known_is_a_dash():
    assert (BN.share(None), BN.number(None, 2), BN.between({"low": None, "high": 0.7})) == ("–", "–", "–")


def test_an_interval_has_both_its_ends():
    assert BN.between({"low": 0.64, "high": 0.779}) == "৬৪% থেকে ৭৮%"


def test_numbers_are_rounded_grouped_and_signed():
    assert BN.number(12345) == "১২,৩৪৫"
    assert (EN.number(0.84, 1, signed=True), EN.number(-0.3, 1, signed=True)) == ("+0.8", "−0.3")


def test_in_a_sentence_numbers_become_digits_and_names_stay_as_they_are():
    assert BN.say("count", n=7, name="run-7") == "৭টি মত, run-7"


def test_words_that_nobody_has_are_told_by_the_fallback_and_never_guessed():
    assert BN.told("reason.new", "new") == "new"
    with pytest.raises(KeyError):
        BN.say("lacking")
