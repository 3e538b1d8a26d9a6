"""finetune/review/preferences.py: each rule by votes made for it, and files that TRL and our own reader take."""

import json
import random
import unicodedata

import pytest

from finetune.data import preference_file
from finetune.data.corpus import Report
from finetune.errors import DataError
from finetune.recipe import Data
from finetune.review import preferences as module
from finetune.review.preferences import RULES, Preferences, preferences

PROMPT, BASE, TUNED = "আজ মনটা ভালো নেই।", "ডাক্তার দেখান।", "মন খারাপের দিনে পাশে আছি।"


def vote(choice="tuned", reviewer="r1", **more):
    """One line of an export, complete."""
    line = {"prompt_id": "p1", "reviewer": reviewer, "choice": choice, "left": "base", "set_id": "s"}
    return line | {"prompt": PROMPT, "base_reply": BASE, "tuned_reply": TUNED} | more


def votes(*choices, **more):
    """Votes of one reviewer each on one pair."""
    return [vote(choice, f"r{number}", **more) for number, choice in enumerate(choices)]


OTHER = vote(reviewer="r9", prompt_id="p9", prompt="বাবা আজ হাসপাতাল থেকে ফিরেছেন!")
"""A vote on another pair, so that something is always left."""


def contents(row):
    return [row[side][0]["content"] for side in ("prompt", "chosen", "rejected")]


def left_out(found: Preferences) -> dict[str, int]:
    return {reason: count for reason, count in found.left_out.items() if count}


# outcomes


def test_a_preferred_reply_is_chosen_over_the_other_and_desirable_where_the_other_is_not():
    found = preferences([vote()])
    assert found.dpo == (
        {
            "prompt": [{"role": "user", "content": PROMPT}],
            "chosen": [{"role": "assistant", "content": TUNED}],
            "rejected": [{"role": "assistant", "content": BASE}],
        },
    )
    assert [(row["completion"][0]["content"], row["label"]) for row in found.kto] == [(BASE, False), (TUNED, True)]
    assert all(row["prompt"] == found.dpo[0]["prompt"] for row in found.kto)
    assert (found.votes, found.reviewers, left_out(found)) == (1, 1, {})


def test_the_base_s_reply_can_be_the_preferred_one():
    (row,) = preferences([vote("base")]).dpo
    assert contents(row) == [PROMPT, BASE, TUNED]


@pytest.mark.parametrize(
    ("choices", "outcome"),
    [
        (["tuned"], "tuned"),
        (["tuned", "tuned", "base"], "tuned"),
        (["base", "base", "tuned"], "base"),
        (["tuned", "base"], None),
        (["tuned"] * 3 + ["base"] * 2, None),
        (["tuned"] * 4 + ["base"] * 2, "tuned"),
        (["tuned", "both_good"], "tuned"),
        (["tuned", "both_good", "both_good"], "both_good"),
        (["tuned", "both_good", "both_bad"], None),
        (["tuned", "base", "both_good"], None),
        (["both_good"], "both_good"),
        (["both_bad"], "both_bad"),
        (["both_good", "both_bad"], None),
        (["both_good", "both_good", "both_bad"], "both_good"),
        (["both_bad", "both_bad", "both_good"], "both_bad"),
        (["tuned", "both_bad", "both_bad", "both_bad"], "both_bad"),
    ],
    ids=lambda value: "+".join(value) if isinstance(value, list) else str(value),
)
def test_two_thirds_of_those_who_choose_make_a_preference_and_two_thirds_of_the_others_a_tie(choices, outcome):
    found = preferences([*votes(*choices), OTHER])
    told = {name: count for name, count in found.outcomes.items() if count}
    assert told == ({"tuned": 2} if outcome == "tuned" else {"tuned": 1, **({outcome: 1} if outcome else {})})
    assert left_out(found) == ({} if outcome else {"disagreement": 1})
    assert len(found.dpo) == 1 + (outcome in ("tuned", "base"))
    labels = {"tuned": [False, True], "base": [True, False], "both_good": [True] * 2, "both_bad": [False] * 2}
    of_pair = [row["label"] for row in found.kto if row["prompt"][0]["content"] == PROMPT]
    assert of_pair == labels.get(outcome, [])
    assert found.votes == 1 + (len(choices) if outcome else 0)


def test_ties_alone_make_rows_for_kto_and_none_for_dpo():
    found = preferences([vote("both_good"), vote("both_bad", prompt_id="p2")])
    assert found.dpo == () and [row["label"] for row in found.kto] == [True, True, False, False]


# what is left out


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"repeat": True}, "repeats"),
        ({"unblinded": True}, "unblinded"),
        ({"undone": True}, "undone"),
        ({"tuned_reply": " "}, "without_text"),
        ({"prompt": None}, "without_text"),
        ({"care": True}, "care"),
        ({"care": True, "prompt": "", "base_reply": "", "tuned_reply": ""}, "care"),
        ({"prompt": "আমি মরে যেতে চাই।"}, "care"),
        ({"tuned_reply": "আমি মরে যেতে চাই।"}, "care"),
        ({"base_reply": f" {TUNED} "}, "identical"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_is_left_out_is_counted_by_its_reason(more, reason):
    found = preferences([vote() | more, OTHER])
    assert left_out(found) == {reason: 1}
    assert len(found.dpo) == 1 and contents(found.dpo[0])[0] != PROMPT


def test_a_pair_that_needs_care_is_out_whoever_marked_it_and_whatever_others_said():
    found = preferences([*votes("tuned", "tuned"), vote(reviewer="r7", care=True), OTHER])
    assert left_out(found) == {"care": 1}


def test_the_screen_is_asked_about_every_text(monkeypatch):
    monkeypatch.setattr(module.safety, "screen", lambda text: "soft" if text == BASE else "none")
    with pytest.raises(DataError, match="care"):
        preferences([vote()])


def test_a_reviewer_s_last_vote_on_a_pair_counts_and_the_same_line_twice_counts_once():
    first, last = vote("base", at="2026-11-01T10:00:00+00:00"), vote("tuned", at="2026-11-01T11:00:00+00:00")
    found = preferences([last, first, last])
    assert found.outcomes["tuned"] == 1 and (found.votes, left_out(found)) == (1, {"replaced": 2})


def test_the_same_prompt_in_two_sets_or_with_other_replies_is_two_pairs():
    other = {"tuned_reply": "শুনছি, বলুন।"}
    found = preferences([vote(), vote("base", set_id="t"), vote("base", reviewer="r2", **other)])
    assert (len(found.dpo), found.outcomes["base"], found.reviewers) == (3, 2, 2)


def test_minimal_lines_with_texts_are_enough():
    line = {key: vote()[key] for key in ("prompt_id", "reviewer", "choice", "left", *module.TEXTS)}
    assert len(preferences([line]).dpo) == 1


def test_the_order_of_lines_and_the_unicode_form_of_texts_do_not_matter():
    lines = [
        *votes("tuned", "tuned", "base"),
        *votes("both_bad", prompt_id="p2"),
        *votes("base", prompt_id="p3"),
        OTHER,
    ]
    decomposed = [line | {name: unicodedata.normalize("NFD", line[name]) for name in module.TEXTS} for line in lines]
    whole = preferences(lines)
    for seed in range(5):
        random.Random(seed).shuffle(decomposed)
        assert preferences(decomposed) == whole


# nothing left


@pytest.mark.parametrize("lines", [[], [vote(prompt="", base_reply="", tuned_reply="")]], ids=["no votes", "no texts"])
def test_votes_without_their_texts_are_told(lines):
    stripped = [{key: value for key, value in line.items() if key not in module.TEXTS} for line in lines]
    with pytest.raises(DataError, match=r"\(prompt, base_reply, tuned_reply\)") as told:
        preferences(stripped)
    assert told.value.key == "preferences.no_text"


def test_where_nothing_is_left_every_rule_says_how_much_it_dropped():
    lines = [
        *votes("tuned", "base"), vote(prompt_id="p2", care=True), vote(prompt_id="p3", base_reply=TUNED),
        vote(prompt_id="p4", repeat=True), vote(prompt_id="p4", unblinded=True),
    ]  # fmt: skip
    with pytest.raises(DataError, match="Nothing is left of 6 votes: 1 votes on a pair shown again") as told:
        preferences(lines)
    facts = told.value.facts
    assert (facts["care"], facts["identical"], facts["disagreement"], facts["uncounted"]) == (1, 1, 1, 2)


# files


def test_the_files_hold_the_rows_and_the_card_and_replace_what_was_there(tmp_path):
    folder = tmp_path / "made" / "here"
    preferences([vote("base"), OTHER]).write(folder)
    found = preferences([vote(), vote("both_bad", prompt_id="p2"), OTHER])
    found.write(folder)
    assert {path.name for path in folder.iterdir()} == {"dpo.jsonl", "kto.jsonl", "README.md"}
    for name, rows in (("dpo.jsonl", found.dpo), ("kto.jsonl", found.kto)):
        text = (folder / name).read_text(encoding="utf-8")
        assert [json.loads(line) for line in text.splitlines()] == list(rows)
        assert PROMPT in text, "readable Bengali"
    assert RULES in (folder / "README.md").read_text(encoding="utf-8")


def test_a_file_that_cannot_be_written_leaves_the_old_ones_whole(tmp_path, monkeypatch):
    found = preferences([vote()])
    found.write(tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    (tmp_path / "README.md.part").mkdir()
    with pytest.raises(OSError):
        preferences([vote("base")]).write(tmp_path)
    assert all((tmp_path / name).read_bytes() == content for name, content in before.items())


def test_our_own_reader_takes_the_file_for_dpo(tmp_path):
    found = preferences([vote(), OTHER])
    found.write(tmp_path)
    rows = list(preference_file.clean_rows(Data(source=str(tmp_path / "dpo.jsonl")), Report()))
    assert [[row["question"], row["answer"], row["rejected"]] for row in rows] == [contents(row) for row in found.dpo]


def test_trl_takes_both_files_for_what_they_are(tmp_path):
    from datasets import load_dataset
    from trl import is_conversational

    preferences([vote(), OTHER]).write(tmp_path)
    for name, columns in (("dpo", {"prompt", "chosen", "rejected"}), ("kto", {"prompt", "completion", "label"})):
        rows = load_dataset("json", data_files=str(tmp_path / f"{name}.jsonl"), split="train", cache_dir=tmp_path / "c")
        assert set(rows.column_names) == columns and is_conversational(rows[0])
