"""The recipe as controls: every field has one, each reaches the recipe, and each problem stands beside its own."""

import gradio as gr
import pytest

from finetune.errors import RecipeError
from finetune.recipe import SECTIONS, Recipe, describe
from ui.train import new_run, recipe_form

DEMO = Recipe.read("demo")


def other_value(name):
    """A sound value that differs from the demo recipe's, as its control would hold it."""
    facts, shown = describe(name), recipe_form.value_of(DEMO, name)
    if isinstance(shown, bool):
        return not shown
    if isinstance(shown, list):
        return shown[:1]
    if facts["choices"]:
        return next(choice for choice in facts["choices"] if choice != shown)
    if isinstance(shown, (int, float)):
        return facts["low"] if shown != facts["low"] else facts["high"]
    return "অন্য একটা লেখা"


def test_every_setting_of_a_recipe_has_a_control():
    named = {f"{section}.{key}" for section, values in DEMO.to_dict().items() if section in SECTIONS for key in values}
    assert set(recipe_form.FIELDS) == set(new_run.NAMES) == named


@pytest.mark.parametrize("name", recipe_form.FIELDS)
def test_every_control_reaches_the_recipe(name):
    values = [recipe_form.value_of(DEMO, one) for one in new_run.NAMES]
    values[new_run.NAMES.index(name)] = changed = other_value(name)
    held = recipe_form.settings(new_run.NAMES, values)
    if name == "training.load_best_model_at_end":
        held["training.early_stopping_patience"] = 0
    if name == "training.objective":
        held["data.source"] = "dpo.jsonl"
    if name in ("training.eval_steps", "training.save_steps"):  # these two must fit each other
        held["training.load_best_model_at_end"] = False
    recipe = DEMO.with_settings(held)
    assert recipe_form.value_of(recipe, name) == changed


@pytest.mark.parametrize("name", recipe_form.FIELDS)
def test_a_control_shows_the_recipes_value_and_says_what_it_means(name):
    with gr.Blocks():
        control = recipe_form.control(name, DEMO)
    assert control.value == recipe_form.value_of(DEMO, name)
    assert control.label and control.info


def test_untouched_controls_give_back_the_recipe():
    values = [recipe_form.value_of(DEMO, name) for name in new_run.NAMES]
    assert DEMO.with_settings(recipe_form.settings(new_run.NAMES, values)) == DEMO


def test_every_problem_stands_beside_its_own_control_and_the_others_are_as_they_were():
    with pytest.raises(RecipeError) as caught:
        DEMO.with_settings({"training.learning_rate": -1, "adapter.r": None, "training.save_steps": 7})
    told = dict(zip(new_run.NAMES, recipe_form.problems_of(new_run.NAMES, caught.value, "bn"), strict=True))
    wrong = {name for name, update in told.items() if update["elem_classes"]}
    assert wrong == {"training.learning_rate", "adapter.r", "training.save_steps"}
    assert told["training.learning_rate"]["info"].startswith("-১ চলবে না")


def test_an_emptied_list_of_prompts_is_an_empty_list():
    assert recipe_form.settings(["training.sample_prompts"], ["\n"]) == {"training.sample_prompts": []}
