"""Layers recomputed from inputs that waited in the host's memory: the same gradients in less of the card's memory."""

import pytest
import torch
from torch.utils.checkpoint import checkpoint

from finetune.training.host_memory import HostMemory

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")]

LAYERS, WIDTH = 12, 1024


@pytest.fixture
def layers() -> torch.nn.ModuleList:
    torch.manual_seed(0)
    made = [
        torch.nn.Sequential(torch.nn.Linear(WIDTH, WIDTH), torch.nn.SiLU(), torch.nn.Linear(WIDTH, WIDTH))
        for _ in range(LAYERS)
    ]
    return torch.nn.ModuleList(made).cuda().bfloat16()


def learnt(layers: torch.nn.ModuleList, tokens: int, kept: HostMemory | None) -> tuple[list[torch.Tensor], int]:
    """All gradients of a pass, and the bytes it took on top of what was there."""
    layers.zero_grad()
    torch.manual_seed(tokens)
    x = torch.randn(tokens, WIDTH, device="cuda", dtype=torch.bfloat16, requires_grad=True)
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()

    def forward() -> torch.Tensor:
        state = x
        for layer in layers:
            state = state + checkpoint(layer, state, use_reentrant=False)
        return state.float().square().mean()

    if kept is None:
        loss = forward()
    else:
        with kept.saving():
            loss = forward()
    loss.backward()
    torch.cuda.synchronize()
    peak = torch.cuda.max_memory_allocated() - before
    return [x.grad, *(one.grad.clone() for one in layers.parameters())], peak


def test_gradients_are_the_same_to_the_last_bit_pass_after_pass_of_other_lengths(layers):
    kept = HostMemory()
    for tokens in (4096, 9000, 700, 9001):
        ours, _ = learnt(layers, tokens, kept)
        theirs, _ = learnt(layers, tokens, None)
        assert all(torch.equal(one, other) for one, other in zip(ours, theirs, strict=True))


def test_the_inputs_of_most_layers_take_no_memory_of_the_card(layers):
    kept, tokens = HostMemory(), 16_384
    learnt(layers, tokens, kept)  # gradients are there from now on
    _, with_host = learnt(layers, tokens, kept)
    _, without = learnt(layers, tokens, None)
    assert without - with_host > (LAYERS - 5) * tokens * WIDTH * 2


def test_what_is_kept_for_two_purposes_goes_once_and_comes_back_in_either_shape(layers):
    kept = HostMemory()
    x = torch.randn(4096, WIDTH, device="cuda", dtype=torch.bfloat16, requires_grad=True)
    with kept.saving():
        state = x * 2
        flat = state.view(-1)
        found = (state**2).sum() + (flat**3).sum()
    assert len(kept._sent) == 1 and kept._sent[0].uses == 2
    found.backward(retain_graph=True)
    first = x.grad.clone()
    assert kept._sent[0].here is None, "nobody wants it any more"
    x.grad = None
    found.backward()  # which is not what training does, and finds it all the same
    plain = x.detach().requires_grad_()
    state = plain * 2
    ((state**2).sum() + (state.view(-1) ** 3).sum()).backward()
    assert torch.equal(first, plain.grad) and torch.equal(x.grad, plain.grad)


def test_what_was_written_to_meanwhile_goes_once_more(layers):
    kept, places = HostMemory(), []
    x = torch.ones(4096, WIDTH, device="cuda", dtype=torch.bfloat16)
    for value in (1, 2):
        torch.cuda.synchronize()  # autograd lets nobody write to what it keeps; here the copy is on its way
        places.append(kept._pack(x.fill_(value)))
    assert len(kept._sent) == 2
    for value, place in zip((1, 2), places, strict=True):
        assert torch.equal(kept._unpack(place), torch.full_like(x, value))


def test_a_pass_that_was_given_up_leaves_the_next_one_whole(layers):
    kept = HostMemory()
    x = torch.randn(4096, WIDTH, device="cuda", dtype=torch.bfloat16, requires_grad=True)
    with kept.saving():
        checkpoint(layers[0], x, use_reentrant=False)
    ours, _ = learnt(layers, 4096, kept)
    theirs, _ = learnt(layers, 4096, None)
    assert all(torch.equal(one, other) for one, other in zip(ours, theirs, strict=True))
