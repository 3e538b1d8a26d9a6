"""Attention that makes queries, keys and values again against the same sums kept by autograd."""

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers.models.llama.modeling_llama import LlamaRMSNorm

from finetune.models import load_base
from finetune.training import attention, llama_layers, padding_free, recomputed_attention
from finetune.training.lora_precision import LowRank, project

HEADS, SHARED, WIDE = 4, 2, 8
LENGTHS = (5, 1, 9)


@pytest.fixture
def parts():
    """A norm, three frozen projections, their adapters, and the residual stream of three sequences."""
    torch.manual_seed(0)
    norm = LlamaRMSNorm(24).requires_grad_(False)
    norm.weight.copy_(torch.rand(24) + 0.5)
    widths = (HEADS * WIDE, SHARED * WIDE, SHARED * WIDE)
    layers = [torch.nn.Linear(24, width, bias=False).requires_grad_(False) for width in widths]
    adapters = LowRank(
        torch.randn(6, 24, requires_grad=True), tuple(torch.randn(width, 2, requires_grad=True) for width in widths)
    )
    return norm, layers, adapters, torch.randn(1, sum(LENGTHS), 24, requires_grad=True)


def made(parts, adapters: LowRank, *, again: bool):
    """What the heads give, and the gradients by the stream and the adapters."""
    norm, layers, _, stream = parts

    def inward(states, adapters):
        found = project(states, layers, adapters)
        return tuple(part.view(sum(LENGTHS), -1, WIDE) for part in found)

    boundaries = torch.tensor([0, *LENGTHS]).cumsum(0).to(torch.int32)
    states = norm(stream)
    if again:
        block = recomputed_attention.Block(norm, inward, boundaries, max(LENGTHS), WIDE**-0.5)
        result = recomputed_attention.attended(states, stream, adapters, block)
    else:
        query, key, value = (part.transpose(0, 1)[None] for part in inward(states, adapters))
        result, _ = attention.attend(None, query, key, value, None, WIDE**-0.5, cu_seq_lens_q=boundaries)
        result = result[0]
    learning = [one for one in (stream, adapters.a, *adapters.bs) if one is not None]
    return result, torch.autograd.grad((result * torch.arange(WIDE)).sum(), learning)


@pytest.mark.parametrize("have", ["all", "one", "none"])
def test_result_and_gradients_are_those_of_what_autograd_keeps_whichever_projections_have_adapters(parts, have):
    adapters = parts[2]
    if have == "one":
        adapters = LowRank(adapters.a[:2].detach().requires_grad_(), (None, adapters.bs[1], None))
    elif have == "none":
        adapters = LowRank(None, (None, None, None))
    ours, by_ours = made(parts, adapters, again=True)
    theirs, by_theirs = made(parts, adapters, again=False)
    torch.testing.assert_close(ours, theirs)
    assert len(by_ours) == {"all": 5, "one": 3, "none": 1}[have]
    for one, other in zip(by_ours, by_theirs, strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize(("dtype", "widths"), [("float32", 3), ("bfloat16", 3 + 4)])
def test_of_a_layer_without_padding_three_tensors_as_wide_as_the_stream_are_kept(tiny_base, dtype, widths):
    """Off a card transformers' norms keep two float32 copies of their own, each as wide as two in 16 bits."""
    model, _ = load_base(str(tiny_base), four_bit=False, dtype=dtype, attention=attention.register())
    model = get_peft_model(model, LoraConfig(task_type="CAUSAL_LM", r=1, target_modules=["q_proj", "down_proj"]))
    llama_layers.fuse(model)
    model.gradient_checkpointing_enable()
    model.train()
    kept = []
    layers = model.get_base_model().model.layers
    layers[0].register_forward_pre_hook(lambda *_: kept.clear())
    layers[1].register_forward_pre_hook(lambda *_: kept.append("the second layer"))
    batch = padding_free.collator()([{"input_ids": [*range(9, 90)], "labels": [*range(9, 90)]} for _ in range(4)])
    with torch.autograd.graph.saved_tensors_hooks(lambda one: kept.append(one) or one, lambda one: one):
        padding_free.hidden_states(model, batch)
    first = kept[: kept.index("the second layer")]
    wide = 4 * 81 * model.config.hidden_size
    large = {one.data_ptr(): one.nbytes for one in first if one.numel() >= wide}
    assert sum(large.values()) == widths * wide * getattr(torch, dtype).itemsize
    assert all(one.numel() <= wide for one in first), "neither gate nor up"
