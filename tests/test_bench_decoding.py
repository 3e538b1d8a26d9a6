"""What the comparison of ways to decode measures on any machine, and what it does where a part fails."""

import json

import pytest
import torch

from finetune import bench_decoding, bench_generate, bench_weights, models
from finetune.errors import RunError
from finetune.inference.decoding import Decoder
from finetune.training.memory import Shape, shape

SMALL = Shape(2, 64, 128, 4, 2, 16, 512, tied=False)


@pytest.fixture(scope="module")
def found() -> tuple[dict, list[str]]:
    """A run on a tiny model, with what was told meanwhile."""
    told: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bench_decoding.memory, "shape", lambda name: SMALL)
        load = bench_generate.Load(prompt=12, tokens=5, repeats=1)
        return bench_decoding.decode("tiny", load, told.append), told


def test_ours_and_the_peer_are_measured_with_and_without_an_adapter(found):
    parts = found[0]["parts"]
    for name in ("transformers generate, NF4", "transformers generate, NF4 + adapter", "ours, launch by launch"):
        assert parts[name]["tokens_per_second"] > 0 and parts[name]["first_token_ms"] > 0
    assert parts["ours, launch by launch"]["pair"] > 0
    assert parts["transformers generate, NF4 + adapter"]["pair"] > 0
    assert found[0]["peer"] == parts["transformers generate, NF4 + adapter"]["tokens_per_second"]


@pytest.mark.skipif(torch.cuda.is_available(), reason="with a GPU no part fails")
def test_a_part_that_fails_leaves_its_traceback_and_the_others_go_on(found):
    result, told = found
    assert "Traceback" in result["parts"]["ours, graphs"]["failed"]
    assert "Traceback" in result["parts"]["kernels of a step"]["failed"]
    assert result["ours"] is None and result["ratio"] is None
    assert [next(iter(json.loads(line))) for line in told] == list(result["parts"])
    lines = bench_decoding.lines(result)
    assert any(line.startswith("ours, launch by launch: ") and "a pair takes" in line for line in lines)
    assert any(line.startswith("ours, graphs: failed (") for line in lines)
    json.dumps(result)


def test_each_part_s_memory_is_measured_without_what_went_before(monkeypatch):
    events = []
    monkeypatch.setattr(bench_decoding.memory, "shape", lambda name: SMALL)
    monkeypatch.setattr(bench_decoding, "build", lambda dimensions: None)  # so that every part fails at once
    monkeypatch.setattr(bench_decoding, "forget_peak", lambda: events.append("forgotten"))
    parts = bench_decoding.decode("tiny", tell=lambda line: events.append("told"))["parts"]
    assert events == ["forgotten", "told"] * len(parts)


def test_only_what_is_asked_for_is_measured(monkeypatch):
    monkeypatch.setattr(bench_decoding.memory, "shape", lambda name: SMALL)
    monkeypatch.setattr(bench_decoding, "build", lambda dimensions: None)
    monkeypatch.setattr(bench_decoding, "child", None)  # a process of the peer's own would take long to fail as well
    ours = bench_decoding.name_of_ours()
    both = {"transformers generate, NF4", "transformers generate, NF4 + adapter"}
    assert not both & bench_decoding.decode("tiny", peers=[])["parts"].keys()
    assert both <= bench_decoding.decode("tiny", peers=["transformers"])["parts"].keys()
    assert list(bench_decoding.decode("tiny", peers=[], only={ours})["parts"]) == [ours]
    peer = bench_decoding.PEERS["unsloth"]
    assert list(bench_decoding.decode("tiny", peers=["unsloth"], only={ours})["parts"]) == [peer, ours]


def test_what_stands_in_for_a_model_is_a_model_in_nf4_of_the_same_shape():
    model = bench_weights.build(SMALL)
    decoder, real = Decoder(model), models.load_base(str(models.DEMO_BASE), four_bit=True)[0]
    assert all(layer[key].four_bit for layer in decoder.layers for key in layer if not key.startswith("norm"))
    ours, theirs = (type(one.model.layers[0].mlp.up_proj) for one in (model, real))
    assert ours is theirs
    assert decoder.sizes == SMALL.projections()
    adapter = bench_weights.random_adapter(decoder)
    assert {a.shape[0] for a, _ in adapter.matrices.values()} == {bench_weights.RANK}


def test_peft_is_put_around_the_layers_and_taken_off_again():
    model = bench_weights.build(SMALL)
    before = dict(model.named_parameters())
    wrapped = bench_weights.with_peft(model)
    assert sum("lora_A" in name for name, _ in wrapped.named_parameters()) == 2 * 7
    after = dict(bench_weights.without_peft(model).named_parameters())
    assert after.keys() == before.keys() and all(after[name] is before[name] for name in before)


def test_an_unknown_shape_is_refused_before_anything_is_measured():
    with pytest.raises(RunError, match="llama-3.1-8b"):
        bench_decoding.decode("llama-9-900b")


def test_the_shape_of_the_reference_base_is_known():
    assert shape("llama-3.1-8b").projections()["down_proj"] == (14336, 4096)
