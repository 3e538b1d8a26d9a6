"""What a run takes without padding, against what the bench measured on an H200."""

import pytest

from finetune import bench_measure, bench_report
from finetune.recipe import Recipe
from finetune.training import memory, memory_unpadded
from tests.training.test_batching import H200, LLAMA, changed

MEASURED = [
    {"training__gradient_checkpointing": False},
    {"training__gradient_checkpointing": False, "training__recompute_mlps": 16},
    {"training__gradient_checkpointing": False, "training__recompute_mlps": 32},
    {},
    {"training__activation_offloading": True, "base__load_in_4bit": True},
]
"""Ours of the bench, in its order."""


@pytest.mark.parametrize(("way", "settings"), enumerate(MEASURED))
def test_the_estimate_lies_a_little_above_what_was_measured_without_padding(way, settings):
    recipe = changed(training__plan="as_written", training__padding_free=True, **settings)
    assert_a_little_above(bench_report.read("training")["ways"][way]["peak_gb"], recipe)


@pytest.mark.parametrize("offloading", [False, True])
def test_the_same_where_what_layers_keep_stays_on_the_card_and_where_it_waits_on_the_host(offloading):
    recipe = changed(
        base__load_in_4bit=True, training__plan="as_written", training__padding_free=True,
        training__activation_offloading=offloading,
    )  # fmt: skip
    assert_a_little_above(bench_report.read("host-memory")["ways"][offloading]["peak_gb"], recipe)


def assert_a_little_above(measured: float, recipe: Recipe) -> None:
    """Of a recipe's peak on an H200, in the bench, in GB."""
    updates = [
        lengths[first : first + 16] for lengths in [bench_measure.lengths(96, "corpus")] for first in range(0, 96, 16)
    ]
    longest = max(map(sum, updates))
    peak = memory_unpadded.peak(recipe, H200, LLAMA, longest) / 1e9
    assert measured + memory.PROCESS < peak < measured + memory.PROCESS + 3


def test_of_a_layer_that_is_not_recomputed_more_goes_to_the_hosts_memory():
    as_written = {
        "training__plan": "as_written",
        "training__padding_free": True,
        "training__activation_offloading": True,
    }
    ways = [(True, 0), (True, 16), (False, 32), (False, 0)]
    kept = [
        memory_unpadded.kept_bytes(
            changed(**as_written, training__gradient_checkpointing=whole, training__recompute_mlps=mlps), H200, LLAMA
        )
        for whole, mlps in ways
    ]
    assert kept == sorted(kept)
    widths = [bytes_kept / (LLAMA.layers * LLAMA.hidden * 2) for bytes_kept in kept]
    assert widths == pytest.approx([3.05, 4.3, 5.5, 13.5], abs=0.1)
