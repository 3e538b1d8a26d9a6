"""finetune/data/findings.py: each finding from its threshold on, not before, and in both languages."""

from dataclasses import replace

import pytest

from finetune.data.findings import Evidence, judge, planned_updates
from finetune.recipe import Recipe
from ui import wording

SOUND = Evidence(
    rows=1200,
    dropped=12,
    train=1000,
    held_out=188,
    repeated=0,
    examined=1188,
    truncated=0,
    cut=0,
    validation_learnt=94,
    covering=200,
    longest=260,
    bengali=0.97,
    reply_characters=90,
    topic="শোক",
    topic_share=0.2,
)

RECIPE = Recipe.from_dict(
    {
        "training": {
            "max_length": 256,
            "per_device_train_batch_size": 8,
            "gradient_accumulation_steps": 2,
            "warmup_steps": 10,
            "num_train_epochs": 2,
        }
    }
)
"""16 rows an update, two passes: 126 updates over a thousand rows."""

EDGES = {
    "gate.all_cut": ({"train": 0, "truncated": 1188, "cut": 1188}, {"train": 1000}),
    "gate.validation_cut": ({"validation_learnt": 0}, {"validation_learnt": 1}),
    "gate.truncated": ({"examined": 1000, "truncated": 51}, {"examined": 1000, "truncated": 50}),
    "gate.some_cut": ({"cut": 1}, {"cut": 0}),
    "gate.dropped": ({"rows": 1000, "dropped": 101}, {"rows": 1000, "dropped": 100}),
    "gate.repeated": ({"repeated": 1}, {"repeated": 0}),
    "gate.batch": ({"train": 15}, {"train": 16}),
    "gate.few_rows": ({"train": 499}, {"train": 500}),
    "gate.little_bengali": ({"bengali": 0.89}, {"bengali": 0.9}),
    "gate.short_replies": ({"reply_characters": 19}, {"reply_characters": 20}),
    "gate.one_topic": ({"topic_share": 0.51}, {"topic_share": 0.5}),
}
"""What just gives a finding, and what just does not."""

DPO = RECIPE.with_settings({"training.objective": "dpo", "data.source": "dpo.jsonl"})
PREFERENCES = {
    "gate.few_preferences": ({"train": 99}, {"train": 100}),
    "gate.dropped_preferences": ({"rows": 1000, "dropped": 101}, {"rows": 1000, "dropped": 100}),
}
"""The same for a recipe that learns from preferences; those of EDGES with the same figures are not told there."""

SETTINGS = {
    "gate.many_passes": (
        {"training.num_train_epochs": 20.5, "training.max_steps": -1},
        {"training.num_train_epochs": 20},
    ),
    "gate.warmup": ({"training.warmup_steps": 126}, {"training.warmup_steps": 125}),
}
BLOCKING = {"gate.all_cut", "gate.validation_cut", "gate.batch"}


def keys(recipe=RECIPE, **figures):
    return [finding.key for finding in judge(recipe, replace(SOUND, **figures))]


def every_finding():
    """One of each."""
    found = [f for over, _ in EDGES.values() for f in judge(RECIPE, replace(SOUND, **over))]
    found += [f for over, _ in PREFERENCES.values() for f in judge(DPO, replace(SOUND, **over))]
    return found + [f for over, _ in SETTINGS.values() for f in judge(RECIPE.with_settings(over), SOUND)]


def test_a_sound_corpus_gives_no_finding():
    assert judge(RECIPE, SOUND) == ()


@pytest.mark.parametrize("key", EDGES)
def test_a_figure_gives_its_finding_from_its_threshold_on_and_not_before(key):
    over, under = EDGES[key]
    assert key in keys(**over)
    assert key not in keys(**under)


@pytest.mark.parametrize("key", PREFERENCES)
def test_preferences_have_thresholds_of_their_own(key):
    over, under = PREFERENCES[key]
    assert keys(DPO, **over) == [key]
    assert keys(DPO, **under) == []


@pytest.mark.parametrize("key", SETTINGS)
def test_a_setting_gives_its_finding_from_its_threshold_on_and_not_before(key):
    over, under = SETTINGS[key]
    assert keys(RECIPE.with_settings(over)) == [key]
    assert keys(RECIPE.with_settings(under)) == []


def test_each_finding_blocks_or_warns_as_it_should_and_what_blocks_comes_first():
    for finding in every_finding():
        assert finding.blocking == (finding.key in BLOCKING), finding.key
    order = [f.blocking for f in judge(RECIPE, replace(SOUND, train=15, rows=100, dropped=50, topic_share=1, cut=2))]
    assert order == sorted(order, reverse=True)
    assert set(order) == {True, False}


def test_where_nothing_is_left_to_learn_the_cause_is_told_and_not_what_follows_from_it():
    assert keys(train=0, validation_learnt=0, truncated=1188, cut=1188) == ["gate.all_cut"]


def test_too_few_rows_for_one_update_are_told_once():
    assert "gate.few_rows" not in keys(train=15)


def test_passes_are_counted_from_the_steps_where_the_recipe_gives_steps():
    assert "gate.many_passes" in keys(RECIPE.with_settings({"training.max_steps": 1251}))
    assert keys(RECIPE.with_settings({"training.max_steps": 1250, "training.num_train_epochs": 100})) == []


def test_a_constant_learning_rate_has_no_warm_up_to_be_warned_of():
    constant = {"training.warmup_steps": 500, "training.lr_scheduler_type": "constant"}
    assert keys(RECIPE.with_settings(constant)) == []
    assert keys(RECIPE.with_settings(constant | {"training.lr_scheduler_type": "linear"})) == ["gate.warmup"]


def test_rows_without_topics_are_not_one_topic():
    assert keys(topic="", topic_share=1.0) == []


@pytest.mark.parametrize(("epochs", "steps", "updates"), [(0.5, -1, 956), (1, -1, 1911), (0.5, 7, 7)])
def test_updates_are_planned_as_the_trainer_counts_them(epochs, steps, updates):
    """The reference recipe: half a pass over 30,568 rows is 955.25 updates, 956 steps as the trainer counts."""
    recipe = RECIPE.with_settings({"training.num_train_epochs": epochs, "training.max_steps": steps})
    assert planned_updates(recipe, 30_568) == updates


def test_a_truncation_finding_says_which_max_length_would_do():
    (finding,) = judge(RECIPE, replace(SOUND, truncated=119, covering=1312))
    assert "10% of the examples" in finding.message
    assert "1,312 keeps 99%" in finding.message
    assert "১,৩১২ করলে ৯৯%" in wording.told(finding.key, finding.facts, finding.message, "bn")


def test_every_finding_is_said_in_bengali_from_its_facts_and_in_english_by_its_message():
    found = every_finding()
    for finding in found:
        assert wording.told(finding.key, finding.facts, finding.message, "en") == finding.message
        bengali = wording.told(finding.key, finding.facts, finding.message, "bn")
        assert bengali != finding.message and bengali.endswith("।")
    known = {key for key in wording.ERRORS_BN if key.startswith("gate.")}
    assert {finding.key for finding in found} == set(EDGES) | set(PREFERENCES) | set(SETTINGS) == known
