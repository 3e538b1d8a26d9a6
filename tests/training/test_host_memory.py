"""On a CPU nothing leaves; what does on a card is in tests/gpu/test_host_memory.py."""

import torch

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
