"""Two recipes compared, setting by setting."""

from finetune.recipe import Recipe
from finetune.training import differences
from finetune.training.differences import Difference


def test_the_differences_of_two_recipes_are_all_their_differing_settings_in_order():
    one = Recipe.read("demo")
    other = one.with_settings(
        {"training.learning_rate": 1e-4, "adapter.target_modules": "q_proj", "base.dtype": "float32"}
    )
    assert differences.between(one, other) == (
        Difference("base.dtype", "auto", "float32"),
        Difference("adapter.target_modules", one.to_dict()["adapter"]["target_modules"], ["q_proj"]),
        Difference("training.learning_rate", 1.5e-3, 1e-4),
    )
    assert differences.between(one, one) == ()


def test_recipes_of_another_name_differ_in_it():
    assert differences.between(Recipe("a"), Recipe("b")) == (Difference("name", "a", "b"),)
