"""A fused model against the same model as transformers and PEFT make it."""

import pytest
import torch
from peft import PeftModel

from finetune.models import load_base
from finetune.training import llama_layers


def tuned(base, adapter):
    model, _ = load_base(str(base), four_bit=False, dtype="float32")
    return PeftModel.from_pretrained(model, str(adapter), is_trainable=True)


@pytest.fixture
def pair(tiny_base, tiny_adapter):
    """The model as it comes, and fused."""
    plain, fused = tuned(tiny_base, tiny_adapter), tuned(tiny_base, tiny_adapter)
    llama_layers.fuse(fused)
    return plain, fused


IDS = torch.arange(10, 40).view(2, 15)


def test_logits_are_the_same(pair):
    with torch.no_grad():
        plain, fused = (model(input_ids=IDS).logits for model in pair)
    torch.testing.assert_close(fused, plain, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("checkpointing", [False, True])
@pytest.mark.parametrize("recompute_mlps", [0, 1, 2])
def test_gradients_are_the_same_with_any_kind_of_recomputing(pair, checkpointing, recompute_mlps):
    plain, fused = pair
    llama_layers.fuse(fused, recompute_mlps=recompute_mlps)
    assert [layer.recompute_mlp for layer in fused.get_base_model().model.layers].count(True) == recompute_mlps
    if checkpointing:
        fused.enable_input_require_grads()
        fused.gradient_checkpointing_enable()
    passes = []
    for layer in fused.get_base_model().model.layers:
        layer.self_attn.register_forward_pre_hook(lambda *_: passes.append(1))
    for model in pair:
        model.train()
        model(input_ids=IDS, labels=IDS, use_cache=False).loss.backward()
    wanted = {name: p.grad for name, p in plain.named_parameters() if p.grad is not None}
    found = {name: p.grad for name, p in fused.named_parameters() if p.grad is not None}
    assert found.keys() == wanted.keys() and len(wanted) == 28
    assert len(passes) == 2 + (2 - recompute_mlps) * checkpointing, "a layer whose MLP is recomputed is not, whole"
    for name, gradient in wanted.items():
        assert (found[name] - gradient).norm() <= 1e-3 * gradient.norm(), name


@pytest.mark.parametrize("given", [{}, {"dropout": 0.1}, {"cache": True}, {"longest": False}])
def test_what_a_recomputed_layer_keeps_is_ours_only_without_padding_cache_and_dropout(pair, given):
    _, fused = pair
    fused.gradient_checkpointing_enable()
    fused.train()
    layer = fused.get_base_model().model.layers[0]
    layer.self_attn.attention_dropout = given.get("dropout", 0.0)
    said = {"cu_seq_lens_q": torch.tensor([0, 15]), "max_length_q": 15, "past_key_values": given.get("cache")}
    if given.get("longest") is False:
        del said["max_length_q"]
    assert layer._ours(said) is (not given)
    fused.eval()
    assert not layer._ours(said)


def test_every_pass_takes_the_adapters_as_they_are_then(pair):
    _, fused = pair
    with torch.no_grad():
        before = fused(input_ids=IDS).logits
        for name, parameter in fused.named_parameters():
            if "lora_B" in name:
                parameter.zero_()
        emptied = fused(input_ids=IDS).logits
        with fused.disable_adapter():
            without = fused(input_ids=IDS).logits
    assert torch.equal(emptied, without) and not torch.allclose(before, emptied, atol=1e-3)


def test_fused_once_more_it_takes_them_once(pair):
    _, fused = pair
    llama_layers.fuse(fused)
    assert len(fused.get_base_model().model._forward_pre_hooks) == 1


def test_every_weight_keeps_its_name_so_that_what_is_saved_is_the_same(pair):
    plain, fused = (model.state_dict() for model in pair)
    assert list(plain) == list(fused) and all(torch.equal(plain[name], fused[name]) for name in plain)


def test_it_writes_the_same_replies_with_a_cache(pair):
    written = [
        model.generate(input_ids=IDS, attention_mask=torch.ones_like(IDS), do_sample=False, max_new_tokens=8,
                       eos_token_id=None)
        for model in pair
    ]  # fmt: skip
    assert written[0].shape == (2, 23) and torch.equal(*written)


def test_another_architecture_is_refused():
    from transformers import GPT2Config, GPT2LMHeadModel

    with pytest.raises(TypeError, match="gpt2"):
        llama_layers.fuse(GPT2LMHeadModel(GPT2Config(n_layer=1, n_embd=8, n_head=1, vocab_size=16)))
