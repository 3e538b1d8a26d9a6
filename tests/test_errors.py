"""finetune/errors.py: one tree, and messages that carry what translators need."""

import inspect

import pytest

from finetune import errors
from finetune.errors import DataError, FinetuneError, RecipeError

TREE = [error for _, error in inspect.getmembers(errors, inspect.isclass) if issubclass(error, Exception)]


def test_every_error_hangs_on_the_one_tree():
    assert len(TREE) >= 6
    for error in TREE:
        assert issubclass(error, FinetuneError), error.__name__


def test_the_module_text_draws_the_whole_tree():
    for error in TREE:
        assert f"{error.__name__} " in errors.__doc__, f"{error.__name__} is missing from the tree in errors.py"


def test_every_error_says_in_one_sentence_what_it_stands_for():
    for error in TREE:
        assert error.__doc__, f"{error.__name__} has no docstring"


@pytest.mark.parametrize("error", [e for e in TREE if e is not RecipeError], ids=lambda e: e.__name__)
def test_an_error_carries_its_sentence_its_key_and_its_facts(error):
    raised = error("ফাইলটা খালি।", key="data.empty", file="a.csv", rows=0)
    assert str(raised) == "ফাইলটা খালি।"
    assert raised.key == "data.empty"
    assert raised.facts == {"file": "a.csv", "rows": 0}


def test_an_error_without_a_key_still_shows_its_sentence():
    assert str(DataError("no file")) == "no file"
    assert DataError("no file").key == ""


def test_a_recipe_error_lists_each_problem_on_its_own_line():
    raised = RecipeError({"training.learning_rate": "too small.", "adapter.r": "too large."})
    assert str(raised).splitlines() == ["training.learning_rate: too small.", "adapter.r: too large."]
    assert list(raised.problems) == ["training.learning_rate", "adapter.r"]
    assert raised.key == "recipe"


def test_what_led_to_an_error_is_told_once_each_also_where_it_leads_back():
    first, second, third = ValueError("1"), KeyError("2"), OSError("3")
    first.__cause__, second.__context__, third.__cause__ = second, third, second
    assert list(errors.chain_of(first)) == [first, second, third]
    assert list(errors.chain_of(None)) == []
