"""Training and chat in one memory: whether both fit, and which run has it to itself."""

from dataclasses import replace

import pytest

from finetune.recipe import Recipe
from finetune.training import batching, sharing
from finetune.training.machine import Machine
from finetune.training.memory import KNOWN
from finetune.training.runs import Status

H200 = Machine("cuda", "NVIDIA H200", 150.7, 1, 16, 200.0, 500.0, "bfloat16", (9, 0))
L4 = replace(H200, name="NVIDIA L4", memory_gb=23.6, capability=(8, 9))
LAPTOP = Machine("cpu", "AMD EPYC", 25.0, 0, 2, 23.0, 60.0, "bfloat16")
REFERENCE = Recipe.read("llama-3.1-8b")
LLAMA = KNOWN[r"llama-3\.1-8b"]
CHAT = sharing.chat_gb("llama-3.1-8b", True, H200, LLAMA)


def test_a_large_card_has_room_for_both_and_a_small_one_has_not():
    assert sharing.both_fit(REFERENCE, replace(H200, held_gb=CHAT), LLAMA)
    assert sharing.both_fit(REFERENCE, L4, LLAMA)
    assert not sharing.both_fit(REFERENCE, replace(L4, held_gb=CHAT), LLAMA)


@pytest.mark.parametrize("card", [H200, L4])
def test_a_base_that_is_still_to_come_needs_its_room_beside_the_run_s_peak(card):
    peak = batching.peak_gb(REFERENCE, card, LLAMA, REFERENCE.training.max_length)
    room = batching.USABLE * card.available_gb - peak
    assert sharing.both_fit(REFERENCE, card, LLAMA, 0.99 * room)
    assert not sharing.both_fit(REFERENCE, card, LLAMA, 1.01 * room)


def test_what_is_not_known_gets_a_card_to_itself_and_on_a_cpu_may_try():
    assert not sharing.both_fit(REFERENCE, H200, None)
    assert sharing.both_fit(REFERENCE, LAPTOP, None)
    assert sharing.chat_gb("somebody/model", True, H200, None) == float("inf")


def test_a_computer_s_free_memory_counts_as_a_card_s_does():
    four_bit = REFERENCE.with_settings({"base.load_in_4bit": True, "training.gradient_checkpointing": True})
    assert sharing.both_fit(four_bit, replace(LAPTOP, free_ram_gb=64.0), LLAMA)
    assert not sharing.both_fit(four_bit, replace(LAPTOP, free_ram_gb=4.0), LLAMA)


def test_the_chat_in_four_bits_takes_a_third_of_what_it_takes_in_sixteen():
    assert 5 < CHAT < 10
    assert CHAT < sharing.chat_gb("llama-3.1-8b", False, H200, LLAMA) / 1.9


@pytest.mark.parametrize(
    ("card", "visible", "same"),
    [("", None, True), ("0", None, True), ("1", None, False), ("3", "3,1", True), ("1", "3,1", False), ("0", "", True)],
)
def test_a_run_on_another_card_is_not_in_the_chat_s_way(card, visible, same):
    assert sharing.same_card(card, visible) is same


ALONE = Status(state="training", pid=7, alone=True)
BESIDE = Status(state="training", pid=7)
NEXT, LATER = Status(queued=1.0), Status(queued=2.0)


@pytest.mark.parametrize(
    ("known", "before", "after"),
    [
        ({"a": ALONE, "b": NEXT}, "", "a"),
        ({"a": BESIDE}, "", ""),
        ({"a": BESIDE, "b": NEXT}, "", ""),
        ({"a": replace(ALONE, state="finished"), "c": LATER, "b": NEXT}, "a", "b"),
        ({"a": replace(ALONE, state="failed"), "b": NEXT}, "", ""),
        ({"a": replace(ALONE, state="finished")}, "a", ""),
        ({"a": BESIDE}, "a", ""),
        ({}, "a", ""),
    ],
    ids=["alone", "beside", "waits", "between", "never out", "ended", "fits now", "deleted"],
)
def test_the_chat_stays_out_for_a_run_that_is_alone_and_between_two_runs(known, before, after):
    assert sharing.holder(list(known.items()), before) == after


def test_whoever_wants_a_reply_meanwhile_is_told_which_run_it_waits_for():
    told = sharing.busy("demo-001")
    assert (told.key, told.facts) == ("backend.training", {"run": "demo-001"})
    assert "Replies come again" in str(told)
