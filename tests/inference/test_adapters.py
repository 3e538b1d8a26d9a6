"""Adapters are read as PEFT wrote them, added row by row, and refused in words where they cannot be applied."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM

from finetune import models
from finetune.data.prompts import PromptFormat
from finetune.errors import ModelError
from finetune.inference import adapters
from finetune.inference.decoding import Decoder
from tests.conftest import make_adapter

IDS = [0, 300, 400, 500, 600, 700]


def read(folder: Path) -> adapters.Adapter:
    return adapters.read(folder, torch.float32, "cpu")


def change_config(folder: Path, **changes: object) -> None:
    path = folder / "adapter_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text(encoding="utf-8")), **changes}), encoding="utf-8")


@pytest.fixture
def copied(tiny_adapter: Path, tmp_path: Path) -> Path:
    """The tiny adapter in a folder of the test's own."""
    return Path(shutil.copytree(tiny_adapter, tmp_path / "adapter"))


@pytest.fixture(scope="module")
def decoder(tiny_base: Path) -> Decoder:
    return Decoder(models.load_base(str(tiny_base), four_bit=False, dtype="float32")[0])


def test_every_layer_and_projection_is_read_with_its_scaling_in_b(tiny_adapter):
    from safetensors.torch import load_file

    adapter = read(tiny_adapter)
    assert len(adapter.matrices) == 2 * 7
    a, b = adapter.matrices[1, "down_proj"]
    stored = load_file(tiny_adapter / "adapter_model.safetensors")
    name = "base_model.model.model.layers.1.mlp.down_proj.lora_{}.weight"
    assert torch.equal(a, stored[name.format("A")])
    assert torch.allclose(b, stored[name.format("B")] * 8 / 4)


def test_base_and_prompt_format_come_with_the_adapter(tiny_base, copied):
    PromptFormat("reference", "আপনি একজন সহমর্মী বন্ধু।").save(copied)
    adapter = read(copied)
    assert adapter.base == str(tiny_base)
    assert adapter.style == PromptFormat("reference", "আপনি একজন সহমর্মী বন্ধু।")


@pytest.mark.parametrize(
    "lora",
    [
        {"use_rslora": True, "r": 8, "lora_alpha": 8},
        {"target_modules": ["k_proj", "up_proj"]},
        {"rank_pattern": {"q_proj": 2}},
    ],
    ids=lambda lora: next(iter(lora)),
)
def test_logits_are_those_of_peft_for_every_kind_of_lora_that_is_read(tiny_base, decoder, tmp_path, lora):
    from peft import PeftModel

    folder = make_adapter(tiny_base, tmp_path, **lora)
    model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(tiny_base, dtype=torch.float32), folder)
    (ours,) = decoder.logits([IDS], read(folder))
    with torch.inference_mode():
        assert torch.allclose(ours, model.eval()(torch.tensor([IDS])).logits[0], atol=1e-4)


def test_a_scaling_of_its_own_for_some_projections_is_applied_or_refused_never_ignored(tiny_base, decoder, tmp_path):
    from peft import PeftModel

    folder = make_adapter(tiny_base, tmp_path, alpha_pattern={"q_proj": 32, "down_proj": 1})
    try:
        adapter = read(folder)
    except ModelError as refused:
        assert "alpha_pattern" in str(refused)
        return
    model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(tiny_base, dtype=torch.float32), folder)
    (ours,) = decoder.logits([IDS], adapter)
    with torch.inference_mode():
        assert torch.allclose(ours, model(torch.tensor([IDS])).logits[0], atol=1e-4)


@pytest.mark.parametrize("rows", [[None, 0], [0, None], [0, 0], [None, 1], [1, 0], [None, None]], ids=str)
def test_a_gate_adds_an_adapter_to_the_rows_that_asked_and_exactly_nothing_to_the_others(rows):
    random = torch.Generator().manual_seed(1)

    def noise(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=random)

    both = [
        adapters.Adapter(Path("এক"), "", PromptFormat(), {(0, "q_proj"): (noise(2, 8), noise(6, 2))}),
        adapters.Adapter(Path("দুই"), "", PromptFormat(), {(0, "v_proj"): (noise(3, 8), noise(4, 3))}),
    ]
    parts = [("q_proj", 6), ("k_proj", 4), ("v_proj", 4)]
    x, y = noise(2, 5, 8), noise(2, 5, 14)
    got = adapters.Gate(both, 0, parts, rows).add(x, y)
    for row, owner in enumerate(rows):
        wanted = y[row].clone()
        if owner is not None:
            place = {0: slice(0, 6), 1: slice(10, 14)}[owner]
            ((a, b),) = both[owner].matrices.values()
            wanted[:, place] += x[row] @ a.t() @ b.t()
            assert torch.allclose(got[row], wanted, atol=1e-5)
            assert not torch.allclose(got[row], y[row], atol=1e-2)
        assert owner is not None or torch.equal(got[row], y[row])


def test_a_layer_that_no_adapter_touches_is_left_alone():
    adapter = adapters.Adapter(Path("এক"), "", PromptFormat(), {(0, "q_proj"): (torch.ones(1, 2), torch.ones(2, 1))})
    y = torch.ones(1, 1, 2)
    assert adapters.Gate([adapter], 1, [("q_proj", 2)], [0]).add(torch.ones(1, 1, 2), y) is y


def test_a_missing_adapter_is_told_with_its_folder(tmp_path):
    with pytest.raises(ModelError, match="no adapter in .*nowhere"):
        read(tmp_path / "nowhere")


def test_weights_cut_off_while_copying_are_told_as_damage(copied):
    weights = copied / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(ModelError, match="damaged"):
        read(copied)


@pytest.mark.parametrize(
    "feature", [{"use_dora": True}, {"modules_to_save": ["lm_head"]}, {"layer_replication": [[0, 2]]}]
)
def test_an_adapter_that_is_more_than_lora_is_refused_and_the_feature_named(copied, feature):
    change_config(copied, **feature)
    with pytest.raises(ModelError, match=next(iter(feature))):
        read(copied)


@pytest.mark.parametrize("target", ["lm_head", "embed_tokens"])
def test_an_adapter_on_something_else_than_the_seven_projections_is_refused(tiny_base, tmp_path, target):
    folder = make_adapter(tiny_base, tmp_path, target_modules=["q_proj", target])
    with pytest.raises(ModelError):
        read(folder)


def test_a_file_that_lacks_half_of_a_pair_is_told_as_damage(copied):
    from safetensors.torch import load_file, save_file

    tensors = load_file(copied / "adapter_model.safetensors")
    del tensors["base_model.model.model.layers.0.mlp.up_proj.lora_B.weight"]
    save_file(tensors, copied / "adapter_model.safetensors")
    with pytest.raises(ModelError, match="damaged"):
        read(copied)
