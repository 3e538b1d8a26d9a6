"""The card beside preference files: what it counts, what it does not know, and that it names nobody."""

import yaml

from finetune.review.preference_card import card
from finetune.review.preferences import REASONS, RULES, preferences
from tests.review.test_preferences import OTHER, TUNED, vote, votes

FOUND = preferences(
    [*votes("tuned", "tuned", "base", note="খুব ব্যক্তিগত কথা", reviewer_name="রুমা"), *votes("both_bad", prompt_id="p2"),
     vote(prompt_id="p3", base_reply=TUNED), vote(repeat=True), OTHER]
)  # fmt: skip
VERDICT = {
    "win_rate": 0.75, "low": 0.3456, "high": 0.9, "krippendorff_alpha": 0.1234, "gwet_ac1": None,
    "agreement": {"observed": 0.5, "pairs": 3, "items": 1}, "within": {"same": 1, "of": 1, "rate": 1.0},
}  # fmt: skip


def lines(text: str) -> set[str]:
    return set(text.splitlines())


def test_the_front_matter_is_what_the_hub_reads_and_names_both_files():
    front = yaml.safe_load(card(FOUND, {}, {}).split("---")[1])
    assert front["language"] == ["bn"]
    assert [(one["config_name"], one["data_files"]) for one in front["configs"]] == [
        ("dpo", "dpo.jsonl"),
        ("kto", "kto.jsonl"),
    ]


def test_it_counts_what_went_in_and_what_was_left_out_by_every_rule():
    text = card(FOUND, {}, {})
    assert {
        "| Votes that counted | 5 |", "| Reviewers | 4 |", "| Rows in dpo.jsonl | 2 |", "| Rows in kto.jsonl | 6 |",
        "| … desirable | 2 |", "| Pairs of which both replies are bad | 1 |",
        "| Pairs with two replies that are the same | 1 |",
    } <= lines(text)  # fmt: skip
    assert RULES in text
    for unit, why in REASONS.values():
        assert f"| {unit.capitalize()} {why} |" in text


def test_agreement_is_told_where_a_verdict_is_given_and_said_to_be_unmeasured_where_none_is():
    told = card(FOUND, VERDICT, {})
    assert "| Win rate of tuned over base | 0.750 (95 % interval 0.346 to 0.900) |" in told
    assert "| Krippendorff's α (nominal, four choices) | 0.123 |" in told
    assert "| Gwet's AC1 | unknown |" in told
    assert "Not measured here" in card(FOUND, {}, {})


def test_who_met_whom_is_told_where_it_is_known():
    assert "| `tuned` | run:demo-001 |" in card(FOUND, {}, {"tuned": "run:demo-001"})
    assert "| `base` | unknown |" in card(FOUND, {}, {})


def test_no_reviewer_no_note_and_no_text_stands_in_it():
    text = card(FOUND, VERDICT, {"base": "base", "tuned": "demo"})
    assert not any(private in text for private in ("রুমা", "ব্যক্তিগত", "r0", TUNED))


def test_the_command_it_gives_is_one_that_the_command_line_takes():
    from finetune.recipe import Recipe

    text = card(FOUND, {}, {})
    command = next(line for line in text.splitlines() if line.startswith("python -m finetune train"))
    words = command.split()
    settings = dict(word.split("=") for word in words if "=" in word)
    assert Recipe.read(words[4]).with_settings(settings).training.objective == "dpo"
