"""Agreement figures meet the worked examples that their authors published."""

import pytest

from finetune.review import agreement

# Krippendorff 2011, "Computing Krippendorff's Alpha-Reliability", section C: four observers, twelve units, five
# categories, ratings missing; his nominal alpha is 0.743. Gwet 2014 works the same ratings (Handbook of Inter-Rater
# Reliability, 4th edition, page 120; `cac.raw4raters` in his R package irrCAC): observed 0.818, by chance 0.190,
# AC1 0.775.
UNITS = ("11.1 2232 3333 3333 2222 1234 4444 1121 2222 .555 ..11 ..3.").split()
RATINGS = {
    number: {f"observer {place}": mark for place, mark in enumerate(unit) if mark != "."}
    for number, unit in enumerate(UNITS)
}
CATEGORIES = "12345"

# `cont3x3abstractors` in the vignette "overview" of irrCAC: two abstractors, 100 patients; AC1 is 0.8493305.
TABLE = {"EE": 13, "AA": 20, "AN": 7, "NA": 4, "NN": 56}
ABSTRACTORS = {
    (pair, number): {"one": pair[0], "two": pair[1]} for pair, count in TABLE.items() for number in range(count)
}


def test_alpha_meets_krippendorff_s_own_example():
    assert agreement.krippendorff_alpha(RATINGS, CATEGORIES) == pytest.approx(0.743, abs=0.0005)


def test_ac1_meets_gwet_s_own_examples():
    assert agreement.gwet_ac1(RATINGS, CATEGORIES) == pytest.approx(0.775, abs=0.0005)
    assert agreement.gwet_ac1(ABSTRACTORS, "EAN") == pytest.approx(0.8493305, abs=5e-8)


def test_a_category_that_nobody_gave_changes_ac1_and_not_alpha():
    # x x, x x, y y, x y: agreement 3/4. Alpha: D_o 2/8, D_e 2 * 5 * 3 / (8 * 7), 1 - 0.25 * 56 / 30 = 8/15.
    # AC1: shares 5/8 and 3/8, chance 2 * 15/64 / (Q - 1): (48 - 30)/(64 - 30) with two categories, (48 - 10)/(64 - 10)
    # with four.
    ratings = {number: {"a": given[0], "b": given[1]} for number, given in enumerate(("xx", "xx", "yy", "xy"))}
    for categories, ac1 in (("xy", 18 / 34), ("xyzw", 38 / 54)):
        assert agreement.krippendorff_alpha(ratings, categories) == pytest.approx(8 / 15)
        assert agreement.gwet_ac1(ratings, categories) == pytest.approx(ac1)


def test_observed_agreement_counts_pairs_of_reviewers():
    ratings = {"one": {"a": "x", "b": "x", "c": "y"}, "two": {"a": "x", "b": "x"}, "three": {"a": "y"}}
    assert agreement.observed(ratings) == {"observed": 2 / 4, "pairs": 4, "items": 2}


def test_where_nearly_all_say_one_thing_alpha_falls_and_ac1_does_not():
    ratings = {number: {"a": "tuned", "b": "tuned"} for number in range(48)}
    ratings |= {48: {"a": "tuned", "b": "base"}, 49: {"a": "base", "b": "tuned"}}
    assert agreement.krippendorff_alpha(ratings, ("tuned", "base")) < 0.05
    assert agreement.gwet_ac1(ratings, ("tuned", "base")) > 0.9


@pytest.mark.parametrize("ratings", [{}, {"one": {"a": "x"}}, {"one": {}}], ids=["nothing", "one reviewer", "no one"])
def test_without_two_reviewers_on_an_item_there_is_no_agreement_to_speak_of(ratings):
    assert agreement.krippendorff_alpha(ratings, "xy") is None
    assert agreement.gwet_ac1(ratings, "xy") is None
    assert agreement.observed(ratings)["observed"] is None


def test_where_only_one_category_occurs_alpha_is_undefined_and_ac1_is_one():
    ratings = {number: {"a": "x", "b": "x"} for number in range(5)} | {9: {"a": "y"}}
    assert agreement.krippendorff_alpha(ratings, "xy") is None
    assert agreement.gwet_ac1({number: {"a": "x", "b": "x"} for number in range(5)}, "xy") == 1.0
