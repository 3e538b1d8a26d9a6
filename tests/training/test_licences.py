"""Licences go by the names of base and data, and what no name tells is unknown."""

import pytest

from finetune.recipe import ROOT, Recipe
from finetune.training import licences


def recipe(base: str = "assets/demo/base", source: str = "assets/demo/corpus.csv") -> Recipe:
    return Recipe().with_settings({"base.model": base, "data.source": source})


@pytest.mark.parametrize(
    ("base", "version"),
    [
        ("unsloth/Meta-Llama-3.1-8B-Instruct", "3.1"),
        ("unsloth/Llama-3.2-1B-Instruct", "3.2"),
        ("meta-llama/Llama-3.3-70B-Instruct", "3.3"),
        ("meta-llama/Meta-Llama-3-8B", "3"),
        ("/models/llama3.1", "3.1"),
        ("huggyllama/llama-30b", ""),
        ("somebody/Llama-3.7-8B", ""),
        ("meta-llama-3.1/other-model", ""),
        ("meta-llama/Llama-2-7b-hf", ""),
        ("assets/demo/base", ""),
    ],
)
def test_a_llama_is_known_by_its_own_name(base, version):
    assert licences.llama(base) == version


def test_the_demo_is_apache_through_and_through_wherever_it_is_named_from():
    assert licences.front_matter(recipe()) == {"license": "apache-2.0"}
    whole = recipe(str(ROOT / "assets/demo/base"), str(ROOT / "assets/demo/corpus.csv"))
    assert licences.front_matter(whole) == {"license": "apache-2.0"}
    assert not any("unknown" in line for line in licences.notes(recipe()))


def test_a_corpus_of_the_demo_s_name_elsewhere_is_not_the_demo_s(tmp_path):
    assert licences.of_data(recipe(source=str(tmp_path / "corpus.csv"))) == licences.UNKNOWN


def test_the_reference_recipe_carries_both_licences_and_what_they_ask():
    reference = Recipe.read("llama-3.1-8b")
    assert licences.front_matter(reference) == {"license": "other", "license_name": "base-llama3.1-data-cc-by-nc-4.0"}
    base, data, _ = licences.notes(reference)
    for asked in ("Llama 3.1 Community License", "“Built with Llama”", "begin the model's name with “Llama”"):
        assert asked in base
    assert "EmpatheticDialogues (CC BY-NC 4.0" in data and "whole is unknown" in data


def test_a_base_and_data_that_nobody_knows_are_said_to_be_unknown():
    strange = recipe("somebody/model", "mine.csv")
    assert licences.front_matter(strange) == {"license": "other", "license_name": "base-unknown-data-unknown"}
    assert all("unknown" in line for line in licences.notes(strange)[:2])
