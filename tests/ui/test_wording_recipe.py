"""Every field of a recipe can be named and explained on the page, in both languages."""

import re
from dataclasses import fields

import pytest

from finetune.recipe import SECTIONS
from ui import wording, wording_recipe

FIELDS = {f"{name}.{field.name}" for name, section in SECTIONS.items() for field in fields(section)}
BENGALI = re.compile(r"[\u0980-\u09ff]")
LONGEST_LABEL = 40


def test_every_field_of_the_recipe_has_its_texts_and_nothing_else_has():
    assert set(wording_recipe.FIELDS) == FIELDS
    assert set(wording_recipe._EXPLANATIONS) == FIELDS


def test_every_section_of_the_recipe_has_its_heading_and_nothing_else_has():
    assert list(wording_recipe.SECTIONS) == list(SECTIONS)


@pytest.mark.parametrize("name", wording_recipe.FIELDS)
def test_a_field_has_a_short_label_and_one_full_sentence_in_each_language(name):
    label_bn, label_en, info_bn, info_en = wording_recipe.FIELDS[name]
    assert 0 < len(label_bn.strip()) <= LONGEST_LABEL and 0 < len(label_en.strip()) <= LONGEST_LABEL
    assert info_bn.endswith("।") and info_bn.count("।") == 1
    assert info_en.endswith(".") and not re.search(r"\. [A-Z]", info_en)


@pytest.mark.parametrize("name", [*wording_recipe.FIELDS, *wording_recipe.SECTIONS])
def test_bengali_is_in_bengali_letters_and_english_in_none(name):
    texts = wording_recipe.FIELDS.get(name) or wording_recipe.SECTIONS[name]
    assert [bool(BENGALI.search(text)) for text in texts] == [True, False] * (len(texts) // 2)


def test_no_two_fields_of_a_section_have_the_same_label():
    for section in SECTIONS:
        for language in (0, 1):
            labels = [
                texts[language] for name, texts in wording_recipe.FIELDS.items() if name.startswith(f"{section}.")
            ]
            assert len(set(labels)) == len(labels)


def test_the_page_finds_labels_explanations_and_headings_among_its_own():
    for name, texts in wording_recipe.FIELDS.items():
        assert wording.LABELS[name] == texts[:2]
        assert wording.LABELS[f"{name}.info"] == texts[2:]
    for name, heading in wording_recipe.SECTIONS.items():
        assert wording.LABELS[f"section.{name}"] == heading
