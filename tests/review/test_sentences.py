"""finetune/review/sentences.py: what a verdict says to a person, from figures made for each case."""

import pytest

from finetune.review import sentences
from finetune.review.spoken import Spoken
from tests.review.verdicts import NONE, full
from ui.wording_review import report_words

BN, EN = (Spoken(report_words(language), language) for language in ("bn", "en"))


def plain(text):
    return text.replace("\u00a0", " ")


def test_a_clear_verdict_gives_counts_rate_and_interval_and_says_that_it_is_clear():
    assert plain(sentences.headline(full(), EN)) == (
        "In 143 of 200 decided comparisons reviewers preferred the reply of the fine-tuned model: 71.5 %, and with 95 %"
        " confidence between 64 % and 78 %. That is clearly better than chance."
    )
    assert sentences.headline(full(), BN).endswith("এটা শুধু কপালের জোর নয়, শেখানো মডেল স্পষ্টই এগিয়ে।")


def test_a_clear_loss_is_told_as_plainly_as_a_win():
    assert "clearly worse" in sentences.headline(full(win_rate=0.3, low=0.22, high=0.39), EN)


def test_an_interval_around_one_half_is_too_early_with_the_votes_that_it_takes():
    early = full(win_rate=0.55, low=0.44, high=0.66, needed={"votes": 60, "settled": False})
    assert "about 60 more decided votes" in sentences.headline(early, EN)
    assert "আরও প্রায় ৬০টি মত লাগবে" in sentences.headline(early, BN)
    open_ = full(win_rate=0.5, low=0.4, high=0.6, needed={"votes": None, "settled": False})
    assert "cannot be told yet" in sentences.headline(open_, EN)


@pytest.mark.parametrize("low", [0.5, 0.499])
def test_an_interval_that_touches_one_half_is_not_called_clear(low):
    assert "clearly" not in sentences.headline(full(low=low, needed={"votes": 5, "settled": False}), EN)


def test_no_votes_no_decision_and_no_interval_each_have_a_sentence():
    assert sentences.headline(NONE, EN) == "There are no votes to count yet."
    ties = {**NONE, "votes": 4, "ties": 4}
    assert "None of them calls one reply better" in sentences.headline(ties, EN)
    single = full(win_rate=1.0, low=None, high=None, decided=1, tuned_wins=1, base_wins=0)
    assert plain(sentences.headline(single, EN)).endswith("100 %. So few votes say no more than that.")


def test_the_basis_names_ties_and_repeats_only_where_there_are_some():
    assert len(sentences.basis(full(), EN)) == 3
    bare = full(ties=0, both_bad=0, repeats=0)
    assert sentences.basis(bare, EN) == ["Votes: 300; messages: 60; reviewers: 5."]


@pytest.mark.parametrize(
    ("low", "high", "said"), [(0.46, 0.6, "does not seem"), (0.51, 0.6, "on the left"), (0.3, 0.49, "on the right")]
)
def test_the_side_is_said_to_matter_only_where_its_interval_leaves_one_half_out(low, high, said):
    position = {"left_rate": (low + high) / 2, "low": low, "high": high, "n": 200}
    assert said in sentences.biases(full(position=position), EN)[0]


def test_a_lead_that_equal_length_would_dissolve_is_told_as_such():
    length = full()["length"] | {"controlled": {"win_rate": 0.55, "low": 0.47, "high": 0.63}}
    assert "may thus be length alone" in sentences.biases(full(length=length), EN)[-1]
    assert "may thus be length alone" not in sentences.biases(full(), EN)[-1]
    assert "cannot tell" in sentences.biases(full(length=length | {"controlled": None}), EN)[-1]


def test_biases_that_nothing_is_known_of_are_left_out():
    assert sentences.biases(NONE, EN) == []


def test_agreement_gives_the_plain_share_both_coefficients_and_the_repeats():
    told = " ".join(sentences.agreement(full(), EN))
    assert "alpha 0.31" in told and "AC1 0.38" in told and "10 of 12" in told and "The two part" not in told


def test_where_ac1_and_alpha_part_the_report_says_why():
    assert any("The two part" in line for line in sentences.agreement(full(krippendorff_alpha=0.1, gwet_ac1=0.7), EN))
    unanimous = sentences.agreement(full(krippendorff_alpha=None, gwet_ac1=1.0), EN)
    assert any("alpha is undefined" in line for line in unanimous)


def test_agreement_that_nobody_can_know_is_said_to_be_unknown():
    assert sentences.agreement(NONE, EN) == [
        "No pair was read by two people, so how far they agree cannot be told.",
        "No pair was shown to the same person twice.",
    ]


def test_reasons_praise_the_chosen_and_blame_the_other_the_most_frequent_first():
    assert sentences.reasons(full(), EN)[:2] == [
        "Where the fine-tuned model was chosen, reviewers liked: warm (61), it listened (48), a good question (22).",
        "Where the fine-tuned model was chosen, what was wrong with the other: cold (40), lectures (17).",
    ]
    assert sentences.reasons(NONE, EN) == []


def test_a_reason_that_nobody_wrote_words_for_is_told_by_its_key():
    assert "made up (1)" in sentences.reasons(full(reasons={"tuned": {"made up": 1}}), EN)[0]


def test_warnings_are_told_in_the_language_and_else_in_their_own_words():
    warnings = [
        {"key": "few_prompts", "text": "English", "prompts": 9},
        {"key": "brand_new", "text": "Own words.", "rate": 0.4},
    ]
    told = sentences.warnings(full(warnings=warnings), BN)
    assert told[0].startswith("মাত্র ৯টি কথার") and told[1] == "Own words."
