"""Weights that are trained as one tensor learn what they would learn one by one, and stay where the model has them."""

import copy
import io

import pytest
import torch
from bitsandbytes.optim import AdamW8bit
from torch import nn

from finetune.training.flat_optimizer import adamw_8bit

SETTINGS = {"lr": 1e-2, "betas": (0.9, 0.95), "eps": 1e-8}


def model():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(256, 64, bias=False), nn.Tanh(), nn.Linear(64, 256, bias=False))


def groups(net):
    return [{"params": list(net.parameters()), "weight_decay": 0.1}, {"params": [], "weight_decay": 0.0}]


def learn(net, optimizer, updates, begin=0):
    for number in range(begin, begin + updates):
        torch.manual_seed(number)
        net(torch.randn(32, 256)).square().mean().backward()
        optimizer.step()
        net.zero_grad()


def test_learns_bit_for_bit_what_the_matrices_would_learn_one_by_one():
    one, other = model(), model()
    learn(one, AdamW8bit([groups(one)[0]], **SETTINGS), 8)
    learn(other, adamw_8bit()(groups(other), **SETTINGS), 8)
    for mine, theirs in zip(other.parameters(), one.parameters(), strict=True):
        assert torch.equal(mine, theirs)
    assert not torch.equal(mine, list(model().parameters())[-1])


def test_goes_on_from_a_saved_state_as_if_it_had_not_ended():
    whole, cut = model(), model()
    learn(whole, adamw_8bit()(groups(whole), **SETTINGS), 6)
    optimizer = adamw_8bit()(groups(cut), **SETTINGS)
    learn(cut, optimizer, 3)
    file = io.BytesIO()
    torch.save({"model": cut.state_dict(), "optimizer": optimizer.state_dict()}, file)
    file.seek(0)
    saved = torch.load(file, weights_only=False)
    later = model()
    later.load_state_dict(saved["model"])
    optimizer = adamw_8bit()(groups(later), **SETTINGS)
    optimizer.load_state_dict(saved["optimizer"])
    learn(later, optimizer, 3, begin=3)
    assert all(torch.equal(a, b) for a, b in zip(later.parameters(), whole.parameters(), strict=True))


def test_weights_loaded_in_place_later_are_the_ones_that_learn():
    net, source = model(), model()
    for parameter in source.parameters():
        parameter.data.mul_(2)
    optimizer = adamw_8bit()(groups(net), **SETTINGS)
    net.load_state_dict(copy.deepcopy(source.state_dict()))
    other = copy.deepcopy(source)
    learn(net, optimizer, 1)
    learn(other, AdamW8bit([groups(other)[0]], **SETTINGS), 1)
    assert all(torch.equal(a, b) for a, b in zip(net.parameters(), other.parameters(), strict=True))


def test_weights_that_were_put_elsewhere_are_an_error_and_not_silence():
    net = model()
    optimizer = adamw_8bit()(groups(net), **SETTINGS)
    net[0].weight.data = net[0].weight.data.clone()
    with pytest.raises(RuntimeError, match="put elsewhere"):
        learn(net, optimizer, 1)


def test_frozen_weights_stay_out():
    net = model()
    net[0].weight.requires_grad = False
    before = net[0].weight.clone()
    learn(net, adamw_8bit()(groups(net), **SETTINGS), 2)
    assert torch.equal(net[0].weight, before)


def test_zero_grad_forgets_the_model_s_own_gradients():
    net = model()
    optimizer = adamw_8bit()(groups(net), **SETTINGS)
    net(torch.randn(2, 256)).sum().backward()
    optimizer.zero_grad(set_to_none=False)
    assert net[0].weight.grad.abs().max() == 0
    optimizer.zero_grad()
    assert net[0].weight.grad is None
