"""Fused products against PEFT's own layers: results and gradients, in 4, 16 and 32 bits."""

import pytest
import torch
from peft import LoraConfig, get_peft_model

from finetune.models import load_base
from finetune.recipe import Adapter, Recipe
from finetune.training import cpu, lora_precision

EVERY = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def adapted(base_folder, targets=EVERY, *, four_bit: bool = False, dtype: str = "float32"):
    """The tiny base with an adapter whose every matrix is random and not zero; its attention and its MLP."""
    base, _ = load_base(str(base_folder), four_bit=four_bit, dtype=dtype)
    if four_bit:
        cpu.keep_weights_unpacked(base)
    model = get_peft_model(base, LoraConfig(task_type="CAUSAL_LM", r=4, lora_alpha=8, target_modules=targets))
    random = torch.Generator().manual_seed(3)
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data = torch.randn(parameter.shape, generator=random) * 0.1
    layer = model.get_base_model().model.layers[0]
    return model, layer.self_attn, layer.mlp


def states(dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.randn(2, 9, 64, generator=torch.Generator().manual_seed(4)).to(dtype).requires_grad_()


def learnt(model, x: torch.Tensor, results: list[torch.Tensor]) -> dict[str, torch.Tensor]:
    """Gradients by input and adapter of a weighted sum of results; they are taken away from model and input."""
    random = torch.Generator().manual_seed(5)
    sum((r.float() * torch.randn(r.shape, generator=random)).sum() for r in results).backward()
    found = {"input": x.grad, **{name: p.grad for name, p in model.named_parameters() if p.grad is not None}}
    x.grad = None
    model.zero_grad()
    return found


def assert_same(ours: dict[str, torch.Tensor], wanted: dict[str, torch.Tensor], tolerance: float) -> None:
    assert ours.keys() == wanted.keys() and len(ours) > 1
    for name, gradient in wanted.items():
        assert (ours[name].float() - gradient.float()).norm() <= tolerance * gradient.float().norm(), name


@pytest.mark.parametrize("four_bit", [False, True])
@pytest.mark.parametrize("targets", [EVERY, ["q_proj", "v_proj"], ["k_proj"]])
def test_projections_of_one_input_are_peft_s_with_all_their_gradients(tiny_base, targets, four_bit):
    model, attention, _ = adapted(tiny_base, targets, four_bit=four_bit)
    layers, x = (attention.q_proj, attention.k_proj, attention.v_proj), states()
    theirs = [layer(x) for layer in layers]
    wanted = learnt(model, x, theirs)
    ours = lora_precision.project(x, layers)
    for result, expected in zip(ours, theirs, strict=True):
        torch.testing.assert_close(result, expected, atol=1e-4, rtol=1e-4)
    assert_same(learnt(model, x, list(ours)), wanted, 1e-5)


@pytest.mark.parametrize("recompute", [False, True])
@pytest.mark.parametrize("four_bit", [False, True])
@pytest.mark.parametrize("targets", [EVERY, ["up_proj"], ["down_proj"]])
def test_the_mlp_is_peft_s_with_all_its_gradients(tiny_base, targets, four_bit, recompute):
    model, _, mlp = adapted(tiny_base, targets, four_bit=four_bit)
    x = states()
    theirs = mlp(x)
    wanted = learnt(model, x, [theirs])
    ours = lora_precision.gated(x, mlp.gate_proj, mlp.up_proj, mlp.down_proj, recompute=recompute)
    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)
    assert_same(learnt(model, x, [ours]), wanted, 1e-5)


def test_in_16_bits_weights_and_gradients_stay_float32_and_all_else_is_16_bits(tiny_base):
    model, attention, mlp = adapted(tiny_base, dtype="bfloat16")
    exact, exact_attention, exact_mlp = adapted(tiny_base, dtype="float32")
    x = states(torch.bfloat16)
    results = [
        *lora_precision.project(x, (attention.q_proj, attention.k_proj, attention.v_proj)),
        lora_precision.gated(x, mlp.gate_proj, mlp.up_proj, mlp.down_proj),
    ]
    assert {result.dtype for result in results} == {torch.bfloat16}
    ours = learnt(model, x, results)
    assert {gradient.dtype for name, gradient in ours.items() if "lora" in name} == {torch.float32}
    wide = states()
    wanted = learnt(exact, wide, [*(getattr(exact_attention, name)(wide) for name in EVERY[:3]), exact_mlp(wide)])
    assert_same(ours, wanted, 0.03)


def test_an_update_too_small_for_16_bits_is_not_lost(tiny_base):
    model, attention, _ = adapted(tiny_base, dtype="bfloat16")
    weight = attention.q_proj.lora_A["default"].weight
    before = weight.detach().clone()
    with torch.no_grad():
        weight += before.abs() * 1e-4  # bfloat16 has steps of 4e-3 and more
    lora_precision.project(states(torch.bfloat16), (attention.q_proj,))
    assert weight.dtype == torch.float32 and not torch.equal(weight, before)


def test_an_adapter_that_is_off_adds_nothing(tiny_base):
    model, attention, _ = adapted(tiny_base)
    x = states().detach()
    with model.disable_adapter():
        (result,) = lora_precision.project(x, (attention.q_proj,))
    torch.testing.assert_close(result, attention.q_proj.get_base_layer()(x))


def test_adapters_of_several_groups_are_those_of_each_with_gradients_of_their_own(tiny_base):
    model, attention, mlp = adapted(tiny_base, ["q_proj", "v_proj", "down_proj"])
    groups = [(attention.q_proj, attention.k_proj, attention.v_proj), (attention.o_proj,), (mlp.down_proj,)]
    together = lora_precision.low_rank(groups, torch.float32)
    for group, found in zip(groups, together, strict=True):
        (alone,) = lora_precision.low_rank([group], torch.float32)
        for mine, theirs in zip((found.a, *found.bs), (alone.a, *alone.bs), strict=True):
            assert (mine is None and theirs is None) or torch.equal(mine, theirs)
    assert [one.a is None for one in together] == [False, True, False]
    assert [b is None for b in together[0].bs] == [False, True, False]
    together[2].bs[0].sum().backward()
    b, a = mlp.down_proj.lora_B["default"].weight, attention.q_proj.lora_A["default"].weight
    assert torch.equal(b.grad, torch.full_like(b, mlp.down_proj.scaling["default"])) and not a.grad.any()


def test_a_model_without_any_adapter_has_none_in_any_group(tiny_base):
    base, _ = load_base(str(tiny_base), four_bit=False, dtype="float32")
    layers = (base.model.layers[0].self_attn.q_proj,)
    (found,) = lora_precision.low_rank([layers], torch.float32)
    assert found.a is None and found.bs == (None,)


def test_an_input_that_learns_nothing_gets_no_gradient(tiny_base):
    model, attention, _ = adapted(tiny_base)
    x = states().detach()
    (result,) = lora_precision.project(x, (attention.q_proj,))
    result.sum().backward()
    assert x.grad is None and attention.q_proj.lora_B["default"].weight.grad.any()


def kept(function) -> int:
    """Bytes of activations that autograd keeps after a function has run, each tensor once; weights do not count."""
    found: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        if tensor.dim() and not tensor.is_leaf or tensor.shape[0] == 18:
            found[tensor.data_ptr()] = tensor.nbytes
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        result = function()
    assert result.requires_grad
    return sum(found.values())


def test_recomputing_keeps_neither_gate_nor_up_and_nobody_keeps_their_product(tiny_base):
    _, _, mlp = adapted(tiny_base)
    x = states()
    fused = {
        again: kept(
            lambda again=again: lora_precision.gated(x, mlp.gate_proj, mlp.up_proj, mlp.down_proj, recompute=again)
        )
        for again in (False, True)
    }
    one = 18 * 128 * 4  # eighteen tokens, 128 wide, float32
    assert fused[False] - fused[True] == 2 * one
    assert kept(lambda: mlp(x)) >= fused[False] + one


def test_dropout_and_trained_biases_are_left_to_peft():
    assert lora_precision.supported(Recipe.read("llama-3.1-8b").adapter)
    assert not lora_precision.supported(Adapter(lora_dropout=0.05))
    assert not lora_precision.supported(Adapter(bias="lora_only"))
