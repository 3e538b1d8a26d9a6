"""Attention without padding against padded attention: the same sums, and no sequence sees another."""

import pytest
import torch

from finetune.models import load_base
from finetune.training import attention


class Layer(torch.nn.Module):
    """What transformers hands an attention function besides tensors."""

    num_key_value_groups = 2
    is_causal = True


def tensors(tokens: int, device: str = "cpu", dtype: torch.dtype = torch.float32) -> list[torch.Tensor]:
    """Queries of four heads, keys and values of two."""
    random = torch.Generator().manual_seed(0)
    return [torch.randn(1, heads, tokens, 64, generator=random).to(device, dtype) for heads in (4, 2, 2)]


def attended(parts: list[torch.Tensor], lengths: list[int], **more: object) -> torch.Tensor:
    boundaries = torch.tensor([0, *torch.tensor(lengths).cumsum(0)], dtype=torch.int32, device=parts[0].device)
    result, weights = attention.attend(
        Layer(), *parts, None, scaling=0.125, cu_seq_lens_q=boundaries, max_length_q=max(lengths), **more
    )
    assert weights is None
    return result


def alone(parts: list[torch.Tensor], begin: int, end: int) -> torch.Tensor:
    """One sequence by transformers' own eager attention, with a causal mask."""
    from transformers.models.llama.modeling_llama import eager_attention_forward

    cut = [part[:, :, begin:end] for part in parts]
    mask = torch.full((end - begin, end - begin), -torch.inf).triu(1)
    return eager_attention_forward(Layer(), *cut, mask, scaling=0.125)[0]


def test_each_sequence_attends_as_if_it_were_alone():
    parts = tensors(12)
    result = attended(parts, [5, 1, 6])
    assert result.shape == (1, 12, 4, 64)
    for begin, end in ((0, 5), (5, 6), (6, 12)):
        torch.testing.assert_close(result[:, begin:end], alone(parts, begin, end), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def test_backward_by_hand_gradients_are_those_of_autograd(device):
    dtype = torch.float32 if device == "cpu" else torch.bfloat16
    if device == "cuda" and not (torch.cuda.is_available() and attention.supported("cuda", dtype)):
        pytest.skip("needs a GPU of compute capability 8.0")
    parts = [part.requires_grad_() for part in tensors(11, device, dtype)]
    weights = torch.randn(11, 4, 64, generator=torch.Generator().manual_seed(1)).to(device, dtype)
    wanted = attended(parts, [4, 7])[0]
    packed = [part[0].transpose(0, 1).contiguous().detach() for part in parts]
    around = torch.tensor([0, 4, 11], dtype=torch.int32, device=device), 7, 0.125
    result, sums = attention.forward(*packed, *around)
    assert not result.requires_grad and (sums is None) == (device == "cpu")
    torch.testing.assert_close(result, wanted)
    by_hand = attention.backward(weights, packed, result, sums, *around)
    for ours, theirs in zip(by_hand, torch.autograd.grad((wanted * weights).sum(), parts), strict=True):
        torch.testing.assert_close(ours, theirs[0].transpose(0, 1))


def test_gradients_are_those_of_each_sequence_alone():
    parts = [part.requires_grad_() for part in tensors(11)]
    weights = torch.randn(1, 11, 4, 64, generator=torch.Generator().manual_seed(1))
    (attended(parts, [4, 7]) * weights).sum().backward()
    packed = [part.grad.clone() for part in parts]
    for part in parts:
        part.grad = None
    (torch.cat([alone(parts, 0, 4), alone(parts, 4, 11)], dim=1) * weights).sum().backward()
    for ours, theirs in zip(packed, parts, strict=True):
        torch.testing.assert_close(ours, theirs.grad, atol=1e-5, rtol=1e-4)


def test_a_sequence_of_other_tokens_leaves_the_others_as_they_were_bit_by_bit(tiny_base):
    model, _ = load_base(str(tiny_base), four_bit=False, dtype="float32", attention=attention.register())
    ids = torch.arange(10, 22)[None]
    positions = torch.tensor([[0, 1, 2, 3, 0, 1, 2, 3, 4, 0, 1, 2]])
    boundaries = torch.tensor([0, 4, 9, 12], dtype=torch.int32)
    told = {"position_ids": positions, "cu_seq_lens_q": boundaries, "max_length_q": 5, "use_cache": False}
    other = ids.clone()
    other[0, 4:9] += 30
    with torch.no_grad():
        before, after = (model(input_ids=tokens, **told).logits[0] for tokens in (ids, other))
        for begin, end in ((0, 4), (4, 9), (9, 12)):
            single = model(input_ids=ids[:, begin:end], use_cache=False).logits[0]
            torch.testing.assert_close(before[begin:end], single, atol=1e-4, rtol=1e-4)
    assert torch.equal(before[:4], after[:4]) and torch.equal(before[9:], after[9:])
    assert not torch.equal(before[4:9], after[4:9])


def test_sequences_that_only_their_positions_tell_apart_are_told_apart():
    parts = tensors(9)
    positions = torch.tensor([[0, 1, 2, 0, 1, 2, 3, 4, 5]])
    by_positions, _ = attention.attend(Layer(), *parts, None, scaling=0.125, position_ids=positions)
    assert torch.equal(by_positions, attended(parts, [3, 6]))


def test_a_model_with_this_attention_generates_from_padded_prompts_as_with_transformers_own(tiny_base):
    ids = torch.tensor([[4, 4, 11, 12, 13, 14], [21, 22, 23, 24, 25, 26]])
    seen = torch.tensor([[0, 0, 1, 1, 1, 1], [1] * 6])
    written = []
    for name in ("sdpa", attention.register()):
        model, _ = load_base(str(tiny_base), four_bit=False, dtype="float32", attention=name)
        written.append(
            model.generate(input_ids=ids, attention_mask=seen, do_sample=False, max_new_tokens=8, eos_token_id=None)
        )
    assert written[0].shape == (2, 14) and torch.equal(*written)


def test_dropout_is_refused_rather_than_forgotten():
    with pytest.raises(ValueError, match="attention_dropout"):
        attended(tensors(6), [3, 3], dropout=0.1)


def test_a_cpu_and_float32_are_not_what_the_card_s_kernel_takes():
    assert not attention.supported("cpu", torch.bfloat16)
    assert not attention.supported("cuda", torch.float32)


@pytest.mark.gpu
def test_the_card_s_kernel_gives_what_sequence_by_sequence_gives():
    if not (torch.cuda.is_available() and attention.supported("cuda", torch.bfloat16)):
        pytest.skip("needs a GPU of compute capability 8.0")
    parts = [part.requires_grad_() for part in tensors(300, "cuda", torch.bfloat16)]
    result = attended(parts, [120, 1, 179])
    result.float().square().sum().backward()
    exact = [part.detach().float().cpu().requires_grad_() for part in parts]
    wanted = attended(exact, [120, 1, 179])
    wanted.square().sum().backward()
    torch.testing.assert_close(result.float().cpu(), wanted, atol=2e-2, rtol=2e-2)
    for ours, theirs in zip(parts, exact, strict=True):
        assert (ours.grad.float().cpu() - theirs.grad).norm() < 0.02 * theirs.grad.norm()
