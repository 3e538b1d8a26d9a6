"""On which cards a base lies: one, this process' own, or spread because one is too small."""

from dataclasses import replace

import pytest

from finetune.training import batching, placement
from finetune.training.memory import KNOWN
from tests.training.test_batching import H200, LAPTOP, T4, changed

LLAMA = KNOWN[r"llama-3\.1-8b"]
TWO = replace(T4, cards=2)
SMALL = replace(H200, memory_gb=15.0)


@pytest.mark.parametrize(
    ("settings", "machine", "environment", "expected"),
    [
        ({}, LAPTOP, {}, {"": "cpu"}),
        ({}, LAPTOP, {"LOCAL_RANK": "1"}, {"": "cpu"}),
        ({}, H200, {}, {"": 0}),
        ({}, replace(H200, cards=8), {}, {"": 0}),
        ({}, replace(H200, cards=8), {"LOCAL_RANK": "3"}, {"": 3}),
        ({}, TWO, {"LOCAL_RANK": "1"}, {"": 1}),
        ({}, T4, {}, {"": 0}),
        ({}, TWO, {}, "auto"),
        ({"base__load_in_4bit": True}, TWO, {}, {"": 0}),
        ({"base__dtype": "float32"}, replace(H200, cards=2, memory_gb=30.0), {}, "auto"),
    ],
)
def test_a_base_lies_on_one_card_unless_one_process_has_several_and_it_does_not_fit(
    settings, machine, environment, expected
):
    assert placement.device_map(changed(**settings), machine, LLAMA, environment) == expected


def test_a_base_of_unknown_size_is_not_spread():
    assert placement.device_map(changed(), TWO, None, {}) == {"": 0}


def test_a_base_that_is_spread_is_trained_with_padding():
    assert "2 cards" in batching.chosen(changed(), replace(SMALL, cards=2), LLAMA).why
    assert "no padding" in batching.chosen(changed(base__load_in_4bit=True), replace(SMALL, cards=2), LLAMA).why
