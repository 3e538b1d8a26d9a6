"""On a CPU nothing leaves; what does on a card is in tests/gpu/test_host_memory.py."""

import pytest
import torch

from finetune.training import host_memory
from finetune.training.host_memory import HostMemory


def test_what_lies_in_the_hosts_memory_already_stays_as_it_is():
    kept, weight = HostMemory(), torch.randn(600, 600, requires_grad=True)
    x = torch.randn(600, 600)
    with kept.saving():
        y = (x @ weight).relu().square().sum()
    y.backward()
    plain = weight.detach().clone().requires_grad_()
    (x @ plain).relu().square().sum().backward()
    assert torch.equal(weight.grad, plain.grad)


@pytest.mark.parametrize("size", [1, 500, 513, 900, 1025, 3000, 5000])
def test_tensors_of_a_pass_lie_in_chunks_that_are_nearly_full_and_used_again(monkeypatch, size):
    """Page-locking needs a card, lying beside one another does not."""
    monkeypatch.setattr(host_memory, "CHUNK", 4096)
    empty = torch.empty
    monkeypatch.setattr(torch, "empty", lambda *given, pin_memory, **named: empty(*given, **named))
    kept = HostMemory()
    for _ in range(2):
        kept.saving()
        places = [kept._room(size) for _ in range(96)]
        assert len({place.data_ptr() for place in places}) == 96 and all(len(place) == size for place in places)
    *full, last = kept._chunks
    assert all(len(chunk) == max(4096, 1 << (4 * size - 1).bit_length()) for chunk in kept._chunks)
    assert sum(map(len, full)) * 4 / 5 <= 96 * size <= sum(map(len, kept._chunks))
