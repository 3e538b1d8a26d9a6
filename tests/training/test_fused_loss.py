"""The loss without logits against the loss with them."""

import pytest
import torch
import torch.nn.functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from finetune.training import fused_loss


def made(tokens: int = 23, dtype: torch.dtype = torch.float32) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Hidden states, an output matrix and labels."""
    random = torch.Generator().manual_seed(0)
    hidden = torch.randn(tokens, 16, generator=random).to(dtype).requires_grad_()
    weight = torch.randn(101, 16, generator=random).to(dtype)
    return hidden, weight, torch.randint(0, 101, (tokens,), generator=random)


@pytest.mark.parametrize("chunk", [1, 7, 23, 512])
def test_loss_and_gradient_are_those_of_the_whole_logits_whatever_the_chunk(chunk):
    hidden, weight, labels = made()
    loss = fused_loss.cross_entropy(hidden, weight, labels, chunk=chunk) / 40
    loss.backward()
    ours, hidden.grad = hidden.grad, None
    wanted = F.cross_entropy(hidden @ weight.T, labels, reduction="sum") / 40
    wanted.backward()
    assert loss.item() == pytest.approx(wanted.item(), rel=1e-5)
    torch.testing.assert_close(ours, hidden.grad, atol=1e-6, rtol=1e-5)


def test_in_16_bits_the_loss_is_summed_in_float32_and_the_gradient_keeps_the_format():
    hidden, weight, labels = made(dtype=torch.bfloat16)
    loss = fused_loss.cross_entropy(hidden, weight, labels)
    loss.backward()
    exact = hidden.detach().float().requires_grad_()
    F.cross_entropy(exact @ weight.float().T, labels, reduction="sum").backward()
    assert loss.dtype == torch.float32 and hidden.grad.dtype == torch.bfloat16
    assert (hidden.grad.float() - exact.grad).norm() < 0.01 * exact.grad.norm()


def test_a_sure_and_wrong_model_has_a_finite_loss():
    hidden = torch.tensor([[1000.0]])
    loss = fused_loss.cross_entropy(hidden, torch.tensor([[1.0], [-1.0]]), torch.tensor([1]))
    assert loss.item() == pytest.approx(2000)


class Largest(TorchDispatchMode):
    """Sees how many numbers the largest tensor has that an operation makes; views are none."""

    numbers = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):  # noqa: ANN001
        result = function(*args, **(kwargs or {}))
        given = {one.data_ptr() for one in args if isinstance(one, torch.Tensor)}
        if isinstance(result, torch.Tensor) and result.data_ptr() not in given:
            self.numbers = max(self.numbers, result.numel())
        return result


def test_no_more_logits_exist_at_once_than_those_of_a_chunk():
    hidden, weight, labels = made(tokens=64)
    with Largest() as largest:
        fused_loss.cross_entropy(hidden, weight, labels, chunk=4).backward()
    assert largest.numbers == max(4 * 101, hidden.numel())


def test_where_no_gradient_is_wanted_none_is_made():
    hidden, weight, labels = made(tokens=64)
    with torch.no_grad(), Largest() as largest:
        loss = fused_loss.cross_entropy(hidden, weight, labels, chunk=4)
    assert not loss.requires_grad and largest.numbers < hidden.numel()


def test_a_pass_without_any_label_costs_nothing_and_teaches_nothing():
    hidden, weight, labels = made()
    loss = fused_loss.cross_entropy(hidden[:0], weight, labels[:0])
    loss.backward()
    assert loss.item() == 0 and not hidden.grad.any()
