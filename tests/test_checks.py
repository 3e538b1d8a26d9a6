"""What cannot work in a section: all of it is found, and one problem never hides another."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from finetune import checks
from finetune.errors import RecipeError
from finetune.recipe import Recipe, Training, option


@dataclass(frozen=True)
class Small:
    """A section of a number, a choice and a list."""

    steps: int = option(5, "A number.", low=1, high=9)
    kind: str = option("a", "A choice.", choices=("a", "b"))
    parts: tuple[str, ...] = option(["x"], "A list.", choices=("x", "y"))


def built(raw: object) -> tuple[Small, dict[str, str]]:
    """The section and the key of each problem."""
    problems = {}
    return checks.section("small", Small, raw, problems), {name: p.key for name, p in problems.items()}


def test_what_is_sound_is_built_beside_what_is_not() -> None:
    section, problems = built({"steps": 40, "kind": "b", "parts": "x, y", "more": 1})
    assert section == Small(kind="b", parts=("x", "y"))
    assert problems == {"small.steps": "recipe.range", "small.more": "recipe.unknown"}


@pytest.mark.parametrize(("raw", "key"), [([1], "recipe.no_settings"), ("text", "recipe.no_settings")])
def test_a_section_that_is_no_mapping_is_one_problem(raw: object, key: str) -> None:
    section, problems = built(raw)
    assert section == Small()
    assert problems == {"small": key}


def test_a_value_of_the_wrong_kind_and_one_out_of_the_choices_are_both_told() -> None:
    _, problems = built({"steps": "many", "kind": "c", "parts": "z"})
    assert problems == {
        "small.steps": "recipe.kind",
        "small.kind": "recipe.choices",
        "small.parts": "recipe.choices",
    }


def test_a_contradiction_is_told_beside_a_value_out_of_range() -> None:
    raw = {"training": {"learning_rate": -1, "eval_steps": 30, "save_steps": 50}}
    with pytest.raises(RecipeError) as told:
        Recipe.from_dict(raw)
    assert set(told.value.problems) == {"training.learning_rate", "training.save_steps"}


def test_a_contradiction_with_an_unsound_value_is_not_made_up() -> None:
    problems = {"training.eval_steps": None}
    checks.contradictions(Training(eval_steps=50, save_steps=75), problems)
    assert set(problems) == {"training.eval_steps"}


def test_what_unsloth_cannot_train_whatever_the_machine_is_told_with_the_recipe_s_other_problems() -> None:
    raw = {"training": {"engine": "unsloth", "objective": "dpo", "max_steps": 0}, "data": {"source": "a.csv"}}
    with pytest.raises(RecipeError) as told:
        Recipe.from_dict(raw)
    assert {name: problem.key for name, problem in told.value.problems.items()} == {
        "training.engine": "recipe.unsloth_objective",
        "training.max_steps": "recipe.no_steps",
        "data.source": "recipe.no_preferences",
    }
    with pytest.raises(RecipeError) as told:
        Recipe.from_dict({"training": {"engine": "unsloth"}, "base": {"dtype": "float32"}})
    assert {name: problem.key for name, problem in told.value.problems.items()} == {
        "training.engine": "recipe.unsloth_float32"
    }


@pytest.mark.parametrize("unsound", [{"objective": "rlhf"}, {"engine": "vllm", "objective": "dpo"}])
def test_a_problem_with_unsloth_is_not_made_up_beside_an_unsound_setting(unsound: dict[str, str]) -> None:
    raw = {"training": {"engine": "unsloth", **unsound}, "data": {"source": "dpo.jsonl"}, "base": {"dtype": "float16"}}
    with pytest.raises(RecipeError) as told:
        Recipe.from_dict(raw)
    assert {problem.key for problem in told.value.problems.values()} == {"recipe.choices"}
