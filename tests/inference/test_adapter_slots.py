"""Adapters in fixed places: what a slot adds is what the adapter adds, and nothing is left of the one before."""

from pathlib import Path

import pytest
import torch

from finetune import models
from finetune.inference import adapters
from finetune.inference.adapter_slots import AdapterSlots
from finetune.inference.adapters import Gate
from finetune.inference.decoding import FUSED, Decoder
from tests.conftest import make_adapter


@pytest.fixture(scope="module")
def decoder(tiny_base: Path) -> Decoder:
    return Decoder(models.load_base(str(tiny_base), four_bit=False, dtype="float32")[0])


@pytest.fixture(scope="module")
def three(decoder: Decoder, tiny_base: Path, tiny_adapter: Path, tmp_path_factory) -> list[adapters.Adapter]:
    """One of every projection, one of two only, and one of a rank of its own for each."""
    folder = tmp_path_factory.mktemp("adapters")
    some = make_adapter(tiny_base, folder / "some", seed=2, r=6, target_modules=["k_proj", "down_proj"])
    mixed = make_adapter(tiny_base, folder / "mixed", seed=3, r=4, rank_pattern={"v_proj": 11, "up_proj": 2})
    return [adapters.read(one, decoder.dtype, "cpu") for one in (tiny_adapter, some, mixed)]


def added(slots: AdapterSlots, gates: dict, decoder: Decoder, layer: int, key: str, x: torch.Tensor) -> torch.Tensor:
    down, up = slots.layers[layer][key]
    return ((x @ down.t()) * gates[key]) @ up


def same_as_gates(slots: AdapterSlots, decoder: Decoder, wanted: list) -> None:
    """Each row's sum is what `adapters.Gate` adds for its adapter, on every layer and projection."""
    known = list({id(one): one for one in wanted if one is not None}.values())
    where = dict(zip(map(id, known), slots.load(known), strict=True))
    gates = slots.gates(len(wanted) + 1)
    slots.open(gates, [where.get(id(one)) for one in wanted])
    for number, layer in enumerate(decoder.layers):
        for key in FUSED:
            x = torch.randn(len(wanted) + 1, layer[key].inputs)
            ours = added(slots, gates, decoder, number, key, x)
            for row, one in enumerate([*wanted, None]):
                gate = Gate([one] if one else [], number, layer[key].parts, [0 if one else None])
                theirs = gate.add(x[row, None, None], torch.zeros(1, 1, ours.shape[1]))[0, 0]
                assert torch.allclose(ours[row], theirs, atol=1e-4)
                assert one is not None or not ours[row].any()


def test_each_row_gets_its_own_adapter_s_part_and_a_row_without_one_exactly_nothing(decoder, three):
    slots = AdapterSlots(decoder, 3, 16)
    same_as_gates(slots, decoder, [three[0], None, three[1], three[2], three[0]])


def test_an_adapter_leaves_nothing_of_the_one_that_was_in_its_slot(decoder, three):
    slots = AdapterSlots(decoder, 1, 16)
    for one in (three[0], three[1], three[2], three[1]):
        same_as_gates(slots, decoder, [one, None])


def test_the_one_longest_unused_makes_room_and_never_one_that_is_asked_for(decoder, three):
    slots = AdapterSlots(decoder, 2, 16)
    assert slots.load([three[0]]) == [0]
    assert slots.load([three[1]]) == [1]
    assert slots.load([three[0]]) == [0]
    assert slots.load([three[2]]) == [1]
    assert slots.load([three[1], three[2]]) == [0, 1]
    assert slots.held == [three[1], three[2]]


def test_what_is_there_already_is_not_copied_again(decoder, three, monkeypatch):
    slots = AdapterSlots(decoder, 2, 16)
    slots.load(three[:2])
    monkeypatch.setattr(torch, "_foreach_copy_", lambda *_: pytest.fail("copied again"))
    assert slots.load([three[1], three[0]]) == [1, 0]


def test_a_slot_that_could_not_be_filled_is_taken_for_empty(decoder, three, monkeypatch):
    slots = AdapterSlots(decoder, 1, 16)
    slots.load([three[0]])
    with monkeypatch.context() as broken:
        broken.setattr(torch, "_foreach_copy_", lambda *_: (_ for _ in ()).throw(torch.OutOfMemoryError("full")))
        with pytest.raises(torch.OutOfMemoryError):
            slots.load([three[1]])
    same_as_gates(slots, decoder, [three[0]])


def test_ranks_are_rounded_up_so_that_another_adapter_need_not_move_anything(three):
    assert AdapterSlots.needed([]) == (0, 16)
    assert AdapterSlots.needed(three) == (3, 16)
    wide = adapters.Adapter(Path(), "", three[0].style, {(0, "q_proj"): (torch.zeros(33, 4), torch.zeros(4, 33))})
    assert AdapterSlots.needed([wide]) == (1, 64)
