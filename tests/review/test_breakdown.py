"""Votes taken apart: each figure worked by hand."""

import pytest

from finetune.review import breakdown


def line(prompt, reviewer="a", choice="tuned", left="tuned", **more):
    return {"prompt_id": str(prompt), "reviewer": reviewer, "choice": choice, "left": left, **more}


def test_slices_say_where_and_are_greyed_where_votes_are_few():
    votes = [line(n, r, topic="শোক") for n in range(6) for r in "abcd"]
    votes += [line(9, choice="base", topic="আনন্দ"), line(9, "b", choice="both_good", topic="আনন্দ"), line(10)]
    found = breakdown.slices(votes, "topic", 0)
    keys = ("value", "win_rate", "decided", "prompts", "ties", "both_bad", "thin")
    assert [tuple(one[key] for key in keys) for one in found] == [
        ("শোক", 1.0, 24, 6, 0, 0, False),
        ("আনন্দ", 0.0, 1, 1, 1, 0, True),
    ]
    assert found[0]["low"] == pytest.approx(0.025 ** (1 / 6))


@pytest.mark.parametrize(("prompts", "reviewers", "thin"), [(4, 6, True), (5, 4, False), (19, 1, True), (20, 1, False)])
def test_a_slice_is_thin_under_five_prompts_or_twenty_decided_votes(prompts, reviewers, thin):
    votes = [line(n, f"r{r}", script="bengali") for n in range(prompts) for r in range(reviewers)]
    assert breakdown.slices(votes, "script", 0)[0]["thin"] is thin


def test_a_slice_of_ties_alone_has_no_rate():
    (found,) = breakdown.slices([line(1, choice="both_bad", topic="শোক")], "topic", 0)
    assert (found["win_rate"], found["low"], found["decided"], found["both_bad"]) == (None, None, 0, 1)


def test_what_is_true_or_false_stays_so_and_nothing_said_is_no_slice():
    votes = [line(1, care=False), line(2, care=False), line(3, care=True), line(4), line(5, care=None)]
    assert [one["value"] for one in breakdown.slices(votes, "care", 0)] == [False, True]
    assert breakdown.slices([line(1, topic="")], "topic", 0) == []


def test_ratings_are_means_by_side_and_their_difference_within_a_reviewer():
    votes = [
        line(1, ratings={"empathy": {"base": 2, "tuned": 5}}),
        line(2, ratings={"empathy": {"base": 4, "tuned": 4}}),
        line(3, ratings={"empathy": {"tuned": 3}}),
        line(4, ratings=None),
    ]
    found = breakdown.ratings(votes)["empathy"]
    assert (found["base"]["mean"], found["tuned"]["mean"], found["difference"]["mean"]) == (3.0, 4.0, 1.5)
    assert (found["base"]["n"], found["tuned"]["n"], found["difference"]["n"]) == (2, 3, 2)
    # 5, 4 and 3 on three prompts: 4 plus or minus 4.3027 / sqrt(3), cut off at 5
    assert (found["tuned"]["low"], found["tuned"]["high"]) == (pytest.approx(4 - 2.484, abs=1e-3), 5)
    # two prompts leave everything open, within what a difference can be
    assert (found["difference"]["low"], found["difference"]["high"]) == (-4, 4)
    nothing = {"mean": None, "low": None, "high": None, "n": 0}
    assert breakdown.ratings(votes)["safety"] == {"base": nothing, "tuned": nothing, "difference": nothing}


def test_reasons_are_counted_by_who_won():
    votes = [
        line(1, reasons=["warm"]),
        line(2, reasons=["warm", "heard"]),
        line(3, choice="both_bad", reasons=["cold"]),
        line(4, choice="base", reasons=None),
    ]
    assert breakdown.reasons(votes) == {"base": {}, "tuned": {"warm": 2, "heard": 1}, "both": {"cold": 1}}


def test_each_reviewer_has_their_own_shares_or_none_where_they_decided_nothing():
    votes = [
        line(1, "b", left="base"),
        line(2, "b", choice="base", left="base"),
        line(3, "b", choice="both_bad"),
        line(1, "a", choice="both_good"),
    ]
    assert breakdown.by_reviewer(votes) == [
        {"reviewer": "a", "votes": 1, "win_rate": None, "left_rate": None},
        {"reviewer": "b", "votes": 3, "win_rate": 0.5, "left_rate": 0.5},
    ]
