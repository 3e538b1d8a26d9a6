"""From votes to figures, each worked by hand."""

import json
import random

import pytest

from finetune.errors import DataError
from finetune.review import verdict as verdicts


def line(prompt, reviewer="a", choice="tuned", left="tuned", **more):
    return {"prompt_id": str(prompt), "reviewer": reviewer, "choice": choice, "left": left, **more}


def cautions(found):
    """Warnings by key."""
    return {warning["key"]: {k: v for k, v in warning.items() if k != "key"} for warning in found["warnings"]}


def test_the_rate_is_over_decided_votes_and_ties_and_both_bad_stand_apart():
    votes = [line(1), line(2), line(3, choice="base"), line(4, choice="both_good"), line(5, choice="both_bad"), line(6)]
    found = verdicts.verdict(votes)
    assert (found["votes"], found["decided"], found["ties"], found["both_bad"]) == (6, 4, 1, 1)
    assert (found["tuned_wins"], found["base_wins"], found["win_rate"]) == (3, 1, 0.75)
    assert found["net"]["rate"] == 4 / 6
    assert (found["prompts"], found["reviewers"]) == (6, 1)
    assert found["low"] < 0.75 < found["high"]


def test_minimal_lines_are_enough_for_every_key():
    found = verdicts.verdict([line(1), line(2, "b")])
    assert found["length"] == {"longer_rate": None, "low": None, "high": None, "n": 0, "controlled": None}
    assert all(slices == [] for slices in found["slices"].values())
    assert found["ratings"]["empathy"]["difference"] == {"mean": None, "low": None, "high": None, "n": 0}
    assert json.loads(json.dumps(found)) == found


def test_repeats_and_votes_after_a_reveal_decide_nothing():
    votes = [line(1), line(1, choice="base", left="base", repeat=True), line(2, unblinded=True, choice="base")]
    found = verdicts.verdict(votes)
    assert (found["votes"], found["win_rate"], found["repeats"], found["unblinded"]) == (1, 1.0, 1, 1)
    assert found["within"] == {"same": 0, "of": 1, "rate": 0.0}
    assert cautions(found)["unblinded"] == {"text": "Votes that came after a reveal are left out: 1.", "count": 1}


def test_a_reviewer_s_repeat_is_held_against_their_own_first_vote():
    votes = [line(1), line(1, "b", choice="base"), line(1, repeat=True), line(1, "b", choice="tuned", repeat=True)]
    assert verdicts.verdict(votes)["within"] == {"same": 1, "of": 2, "rate": 0.5}


def test_a_repeat_is_held_against_the_first_vote_by_time_in_the_same_set():
    votes = [
        line(1, choice="base", at="2026-11-29T10:05:00+00:00"),
        line(1, choice="tuned", at="2026-11-29T10:00:00+00:00"),
        line(1, choice="tuned", at="2026-11-29T10:30:00+00:00", repeat=True),
        line(1, choice="base", set_id="other", at="2026-11-29T09:00:00+00:00", repeat=True),
    ]
    for order in (votes, votes[::-1]):
        assert verdicts.verdict(order)["within"] == {"same": 1, "of": 1, "rate": 1.0}


def test_a_repeat_after_the_reveal_is_no_repeat():
    found = verdicts.verdict([line(1), line(1, repeat=True, unblinded=True)])
    assert (found["within"]["of"], found["repeats"], found["unblinded"]) == (0, 0, 1)


def test_agreement_is_told_of_first_blind_votes_over_all_four_choices():
    # two prompts of two votes, one agreed on: observed 1/2; shares 3/4 tuned and 1/4 both_bad, chance 2 * 3/16 / 3,
    # AC1 (1/2 - 1/8) / (7/8); alpha 1 - (2/4) / (2 * 3 * 1 / (4 * 3))
    votes = [line(1), line(1, "b"), line(2), line(2, "b", choice="both_bad")]
    found = verdicts.verdict([*votes, line(2, "b", repeat=True), line(1, "c", choice="base", unblinded=True)])
    assert found["agreement"] == {"observed": 0.5, "pairs": 2, "items": 2}
    assert found["gwet_ac1"] == pytest.approx(3 / 7)
    assert found["krippendorff_alpha"] == pytest.approx(0.0)


def test_two_exports_put_together_count_each_vote_once():
    votes = [line(n, vote_id=f"v{n}") for n in range(4)]
    assert verdicts.verdict(votes + votes[:2]) == verdicts.verdict(votes)


def test_an_undone_vote_of_a_history_does_not_count_even_where_an_older_export_still_has_it():
    votes = [line(1, vote_id="a", undone=False), line(1, choice="base", vote_id="b", undone=True)]
    older = line(1, choice="base", vote_id="b")
    for lines in (votes, [older, *votes]):
        found = verdicts.verdict(lines)
        assert (found["votes"], found["win_rate"]) == (1, 1.0)


def test_no_votes_that_count_give_every_key_and_no_figure():
    for lines in ([], [line(1, unblinded=True)], [line(1, choice="both_bad")]):
        found = verdicts.verdict(lines)
        assert (found["win_rate"], found["low"], found["needed"]) == (None, None, {"votes": None, "settled": False})
        assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_the_left_side_s_share_is_told():
    votes = [line(1, left="tuned"), line(2, left="base"), line(3, choice="base", left="base"), line(4, left="tuned")]
    assert verdicts.verdict(votes)["position"]["left_rate"] == 0.75


def test_whoever_always_takes_the_left_is_warned_of():
    votes = [line(n, choice=side, left=side) for n in range(30) for side in [("tuned", "base")[n % 2]]]
    found = verdicts.verdict(votes)
    assert found["win_rate"] == 0.5
    assert cautions(found)["side_bias"]["rate"] == 1.0
    assert "sides_uneven" not in cautions(found)


@pytest.mark.parametrize(("side", "percent"), [("tuned", 100), ("base", 0)])
def test_sides_that_were_not_drawn_by_lot_are_warned_of(side, percent):
    """The tuned reply always in one place: nothing tells a liking for it from a liking for the place."""
    found = verdicts.verdict([line(n, choice=("base", "tuned")[n % 4 > 0], left=side) for n in range(40)])
    assert cautions(found)["sides_uneven"]["percent"] == percent
    assert "side_bias" not in cautions(found)


def test_sides_that_are_uneven_by_luck_in_a_few_votes_are_not():
    assert "sides_uneven" not in cautions(verdicts.verdict([line(n, left="tuned") for n in range(6)]))


def test_reviewers_who_agree_no_more_than_by_luck_are_warned_of_and_others_are_not():
    apart = [line(n, r, choice=c) for n in range(20) for r, c in zip("abc", ("tuned", "base", "both_bad"), strict=True)]
    assert "disagreement" in cautions(verdicts.verdict(apart))
    assert "disagreement" not in cautions(verdicts.verdict(apart[:40])), "13 prompts and a bit tell nothing yet"
    alike = [line(n, r, choice=("tuned", "base")[n % 2]) for n in range(20) for r in "abc"]
    assert "disagreement" not in cautions(verdicts.verdict(alike))
    nearly = [line(n, r) for n in range(20) for r in "ab"] + [line(20, "a"), line(20, "b", choice="base")]
    assert verdicts.verdict(nearly)["krippendorff_alpha"] <= 0
    assert "disagreement" not in cautions(verdicts.verdict(nearly)), "20 of 21 agree"


def test_few_prompts_and_a_single_reviewer_are_warned_of():
    assert {"few_prompts", "one_reviewer"} <= cautions(verdicts.verdict([line(n) for n in range(14)])).keys()
    enough = [line(n, r, left=side) for n in range(15) for r, side in (("a", "tuned"), ("b", "base"))]
    assert cautions(verdicts.verdict(enough)) == {}


def test_reviewers_who_do_not_repeat_themselves_are_warned_of():
    firsts = [line(n) for n in range(5)]
    other = [line(n, choice="base", left="base", repeat=True) for n in range(5)]
    assert cautions(verdicts.verdict(firsts + other))["unsteady"]["rate"] == 0.0
    assert "unsteady" not in cautions(verdicts.verdict(firsts + other[:4]))


def test_the_longer_reply_s_share_leaves_out_equal_lengths():
    def lengths(base, tuned):
        return {"base_characters": base, "tuned_characters": tuned}

    long, short, same = lengths(10, 20), lengths(20, 10), lengths(5, 5)
    votes = [line(1, **long), line(2, **short), line(3, choice="base", **short), line(4, **same)]
    found = verdicts.verdict(votes)["length"]
    assert (found["longer_rate"], found["n"]) == (2 / 3, 3)
    assert found["controlled"] is None


def test_the_rate_at_equal_length_is_that_of_the_votes_on_equally_long_replies():
    # 12 of 20 where both have 50 characters, 16 of 20 where tuned has twice as many: in between nothing has to fit
    wins = {1: 5, 2: 1, 3: 4, 4: 2, 5: 5, 6: 5, 7: 2, 8: 4}
    votes = [
        line(n, r, ("base", "tuned")["abcde".index(r) < won], base_characters=50, tuned_characters=50 if n < 5 else 100)
        for n, won in wins.items()
        for r in "abcde"
    ]
    found = verdicts.verdict(votes)
    assert found["win_rate"] == 0.7
    controlled = found["length"]["controlled"]
    assert controlled["win_rate"] == pytest.approx(0.6)
    assert controlled["low"] < 0.6 < controlled["high"]


def test_the_same_prompt_in_two_sets_is_two_prompts():
    assert verdicts.verdict([line(1, set_id="x"), line(1, set_id="y")])["prompts"] == 2


def test_the_order_of_lines_changes_nothing():
    chance = random.Random(1)
    votes = [line(n, r, choice=chance.choice(["tuned", "base", "both_good"])) for n in range(20) for r in "abc"]
    shuffled = chance.sample(votes, len(votes))
    assert verdicts.verdict(votes) == verdicts.verdict(shuffled)


def test_a_clear_preference_is_settled_and_a_faint_one_says_how_many_votes_are_lacking():
    clear = verdicts.verdict([line(n, r) for n in range(20) for r in "abc"])
    assert clear["needed"] == {"votes": 0, "settled": True}
    votes = [line(n, r, choice="tuned" if (n + ord(r)) % 9 < 5 else "base") for n in range(20) for r in "abc"]
    faint = verdicts.verdict(votes)["needed"]
    assert faint["settled"] is False and faint["votes"] > 0


def test_votes_are_read_with_blank_lines_and_a_byte_order_mark(tmp_path):
    file = tmp_path / "votes.jsonl"
    file.write_text("\ufeff" + json.dumps(line(1)) + "\n\n" + json.dumps(line(2, note="এক\u2028দুই")) + "\n", "utf-8")
    assert [vote["prompt_id"] for vote in verdicts.read_votes(file)] == ["1", "2"]


@pytest.mark.parametrize(
    ("second", "said"),
    [
        ("{", "Line 2 of votes.jsonl is no vote"),
        ("[1]", "Line 2 of votes.jsonl is no vote"),
        (json.dumps({"prompt_id": "1", "reviewer": "a", "choice": "tuned"}), "prompt_id, reviewer, choice, left"),
        (json.dumps(line(1, choice="left")), "choice is one of base, tuned, both_good, both_bad"),
        (json.dumps(line(1, left="middle")), "left one of base, tuned"),
        (json.dumps(line(1, reviewer="")), "prompt_id, reviewer, choice, left"),
        (json.dumps(line(1) | {"prompt_id": ["1"]}), "prompt_id is neither text nor a number"),
        (json.dumps(line(1, repeat="false")), "repeat is not true or false"),
        (json.dumps(line(1, topic=3)), "topic is not text"),
        (json.dumps(line(1, base_characters=-1)), "fewer than no characters"),
        (json.dumps(line(1, base_characters="12")), "base_characters is not a whole number"),
        (json.dumps(line(1, ratings={"empathy": {"base": 6}})), "empathy is not rated 1 to 5 by side"),
        (json.dumps(line(1, ratings={"empathy": {"tuned": float("nan")}})), "empathy is not rated 1 to 5"),
        (json.dumps(line(1, ratings={"natural": 4})), "natural is not rated 1 to 5 by side"),
        (json.dumps(line(1, reasons=[1])), "reasons are not text"),
        ("[" * 100_000, "Line 2 of votes.jsonl is no vote"),
    ],
)
def test_a_line_that_is_no_vote_is_named(tmp_path, second, said):
    file = tmp_path / "votes.jsonl"
    file.write_text(f"{json.dumps(line(1))}\n{second}\n", encoding="utf-8")
    with pytest.raises(DataError, match=said) as caught:
        verdicts.read_votes(file)
    assert (caught.value.key, caught.value.facts) == ("votes.broken", {"file": "votes.jsonl", "line": 2})


@pytest.mark.parametrize("content", [b"", b"\n\n"])
def test_a_file_without_votes_is_told(tmp_path, content):
    file = tmp_path / "votes.jsonl"
    file.write_bytes(content)
    with pytest.raises(DataError, match="holds no votes"):
        verdicts.read_votes(file)


def test_a_file_that_is_no_text_is_told(tmp_path):
    file = tmp_path / "votes.jsonl"
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="UTF-8"):
        verdicts.read_votes(file)


def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(DataError, match="There is no file nowhere.jsonl"):
        verdicts.read_votes(tmp_path / "nowhere.jsonl")
    with pytest.raises(DataError, match="There is no file"):
        verdicts.read_votes(tmp_path)


def test_prompts_and_reviewers_may_be_numbered_and_unknown_keys_are_kept(tmp_path):
    file = tmp_path / "votes.jsonl"
    file.write_text('{"prompt_id": 7, "reviewer": 0, "choice": "tuned", "left": "base", "topic": null, "x": [1]}')
    assert verdicts.read_votes(file) == [line(7, "0", left="base", topic=None, x=[1])]
