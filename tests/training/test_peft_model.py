"""A base with its adapter by transformers and PEFT, as a run gets it; test_trainer.py trains them."""

import pytest
import torch

from finetune.recipe import Recipe
from finetune.training import peft_model

HERE = {"": "cpu"}


def recipe(base, **settings: object) -> Recipe:
    adapter = {"r": 4, "lora_alpha": 8, "target_modules": ["q_proj", "down_proj"]}
    made = Recipe.from_dict({"base": {"model": str(base), "dtype": "float32"}, "adapter": adapter})
    return made.with_settings({name.replace("__", "."): value for name, value in settings.items()})


def learning(model) -> dict[str, torch.Tensor]:
    return {name: p for name, p in model.named_parameters() if p.requires_grad}


@pytest.mark.parametrize("four_bit", [False, True])
def test_only_a_fresh_adapter_on_the_named_projections_learns_and_it_begins_with_nothing(tiny_base, four_bit):
    model, tokenizer = peft_model.load(recipe(tiny_base, base__load_in_4bit=four_bit), HERE)
    assert {name.split(".")[-4] for name in learning(model)} == {"q_proj", "down_proj"}
    assert all(bool(p.any()) == ("lora_A" in name) for name, p in learning(model).items())
    assert tokenizer.pad_token_id != tokenizer.eos_token_id


def test_a_fresh_adapter_is_its_seed_s(tiny_base):
    one, same, other = (
        learning(peft_model.load(recipe(tiny_base, training__seed=seed), HERE)[0]) for seed in (1, 1, 2)
    )
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not all(torch.equal(one[name], other[name]) for name in one)


def test_an_adapter_to_go_on_from_comes_with_its_weights(tiny_base, tiny_adapter):
    model, _ = peft_model.load(recipe(tiny_base), HERE, tiny_adapter)
    assert all(bool(p.any()) for p in learning(model).values())
