"""A norm with the addition in front of it; on a card it is tested in tests/gpu/test_layer_arithmetic.py."""

import torch
from transformers.models.llama.modeling_llama import LlamaRMSNorm

from finetune.training import residual_norm


def test_off_a_card_it_is_the_addition_and_the_module_itself():
    norm, stream, added = LlamaRMSNorm(12), torch.randn(2, 5, 12), torch.randn(2, 5, 12)
    norm.weight.data.normal_()
    total, result = residual_norm.normed(norm, stream, added)
    assert torch.equal(total, stream + added) and torch.equal(result, norm(stream + added))
    total, result = residual_norm.normed(norm, stream)
    assert total is stream and torch.equal(result, norm(stream))


def test_a_module_that_stands_behind_its_own_forward_is_asked_by_the_way_it_names():
    norm, stream = LlamaRMSNorm(12), torch.randn(3, 12)
    assert residual_norm.normed(norm, stream, way=lambda states: states * 2)[1].equal(stream * 2)


def test_made_again_it_is_the_same_to_the_last_bit_and_leads_nowhere():
    norm, stream = LlamaRMSNorm(12), torch.randn(3, 12, requires_grad=True)
    norm.weight.data.normal_()
    found = residual_norm.again(norm, stream)
    assert torch.equal(found, norm(stream)) and not found.requires_grad
