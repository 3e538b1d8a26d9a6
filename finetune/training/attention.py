"""Attention over sequences that lie behind one another without padding, each seeing only itself.

Registered in transformers under a name of its own, so that a model takes it like any other attention. On a GPU it is
PyTorch's varlen attention (FlashAttention; compute capability 8.0 and 16-bit numbers), elsewhere the same sums sequence
by sequence. It does not know where the sequences come from: `padding_free.py` lays them out.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Sequence
from typing import Any

NAME = "varlen"
"""What `attn_implementation` is set to."""

CAPABILITY = (8, 0)
"""The least compute capability that PyTorch's varlen attention runs on: Ampere."""

CAUSAL = {"window_size_left": -1, "window_size_right": 0}
"""What a token sees, as FlashAttention is told beside that it is causal."""


def register() -> str:
    """Make the attention known to transformers, and give back its name; again and again does no harm."""
    from transformers import AttentionInterface, AttentionMaskInterface

    AttentionInterface.register(NAME, attend)
    AttentionMaskInterface.register(NAME, mask)
    return NAME


def mask(*, q_length: int, kv_length: int, attention_mask: Any = None, **rest: Any) -> Any:
    """No mask for whole sequences without padding, which `attend` tells apart itself; else the one SDPA takes."""
    from transformers.masking_utils import sdpa_mask

    if attention_mask is None and q_length == kv_length:
        return None  # over a batch of 8,000 tokens it would be 64 million entries
    return sdpa_mask(q_length=q_length, kv_length=kv_length, attention_mask=attention_mask, **rest)


def attend(
    module: Any,
    query: Any,
    key: Any,
    value: Any,
    attention_mask: Any,
    scaling: float,
    dropout: float = 0.0,
    cu_seq_lens_q: Any = None,
    max_length_q: int | None = None,
    position_ids: Any = None,
    **rest: Any,
) -> tuple[Any, None]:
    """Causal attention within each sequence: the result (1, tokens, heads, head width), and no weights.

    `query` (1, heads, tokens, head width), `key` and `value` with as many heads or fewer that groups of query heads
    share; `cu_seq_lens_q` (sequences + 1) int32, where each begins and the last one ends, `max_length_q` the longest
    (names as in transformers' FlashAttentionKwargs). Where they are not given, a sequence begins wherever
    `position_ids` is 0. Padded batches and a cache, as generation has them, go to transformers' SDPA attention.
    """
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    if cu_seq_lens_q is None:
        cu_seq_lens_q = _boundaries(query, key, attention_mask, position_ids)
    if cu_seq_lens_q is None:
        return sdpa_attention_forward(
            module, query, key, value, attention_mask, dropout=dropout, scaling=scaling, **rest
        )
    if dropout:
        raise ValueError("Attention without padding knows no dropout; set the base's attention_dropout to 0.")
    if max_length_q is None:
        max_length_q = int(cu_seq_lens_q.diff().max())
    # Tokens first. Squeezed, for the gradient of `part[0]` is laid into zeros in another order, and copied once more.
    packed = [part.squeeze(0).transpose(0, 1) for part in (query, key, value)]
    if supported(query.device, query.dtype):
        return _varlen(*packed, cu_seq_lens_q, max_length_q, scaling).unsqueeze(0), None
    return _one_by_one(*packed, cu_seq_lens_q, scaling).unsqueeze(0), None


def forward(query: Any, key: Any, value: Any, boundaries: Any, longest: int, scaling: float) -> tuple[Any, Any]:
    """The same result without autograd, and what `backward` asks for besides: (heads, tokens), None off a card.

    `query` (tokens, heads, head width), `key` and `value` with as many heads or fewer, `boundaries` and `longest` as
    `cu_seq_lens_q` and `max_length_q` above.
    """
    import torch

    with torch.no_grad():
        if not supported(query.device, query.dtype):
            return _one_by_one(query, key, value, boundaries, scaling).contiguous(), None
        result, sums, *_ = torch.ops.aten._flash_attention_forward(
            query, key, value, boundaries, boundaries, longest, longest, 0.0, True, False, scale=scaling, **CAUSAL
        )  # fmt: skip
    return result, sums


def backward(
    gradient: Any, parts: Sequence[Any], result: Any, sums: Any, boundaries: Any, longest: int, scaling: float
) -> tuple[Any, Any, Any]:
    """The gradients by query, key and value (`parts`) from the one by the result of `forward`; all of them as there."""
    import torch

    if sums is None:
        parts = [part.detach().requires_grad_() for part in parts]
        with torch.enable_grad():
            again = _one_by_one(*parts, boundaries, scaling)
        return torch.autograd.grad(again, parts, gradient)
    unused = torch.zeros(2, dtype=torch.uint64, device=result.device)  # the state of a dropout that there is not
    return torch.ops.aten._flash_attention_backward(
        gradient.contiguous(), *parts, result, sums, boundaries, boundaries, longest, longest, 0.0, True,
        unused, unused[:0], scale=scaling, **CAUSAL,
    )  # fmt: skip


def supported(device: Any, dtype: Any) -> bool:
    """Whether PyTorch's varlen attention runs on a device in a number format."""
    import torch

    if torch.device(device).type != "cuda" or dtype not in (torch.bfloat16, torch.float16):
        return False
    return torch.cuda.get_device_capability(device) >= CAPABILITY


def _boundaries(query: Any, key: Any, attention_mask: Any, position_ids: Any) -> Any:
    """Where sequences begin as position ids tell it; None for padded batches, one sequence alone, and a cache."""
    import torch

    whole = query.shape[0] == 1 and query.shape[2] == key.shape[2]
    if attention_mask is not None or position_ids is None or not whole:
        return None
    starts = (position_ids[0] == 0).nonzero()[:, 0]
    if len(starts) < 2:
        return None
    return torch.nn.functional.pad(starts, (0, 1), value=query.shape[2]).to(torch.int32)


@functools.cache
def _shared_heads() -> dict[str, bool]:
    """What tells varlen attention that query heads share keys; PyTorch up to 2.11 takes them without being told."""
    from torch.nn.attention.varlen import varlen_attn

    return {"enable_gqa": True} if "enable_gqa" in inspect.signature(varlen_attn).parameters else {}


def _varlen(query: Any, key: Any, value: Any, boundaries: Any, longest: int, scaling: float) -> Any:
    from torch.nn.attention.varlen import varlen_attn

    return varlen_attn(
        query.contiguous(),
        key.contiguous(),
        value.contiguous(),
        boundaries,
        boundaries,
        longest,
        longest,
        scale=scaling,
        window_size=tuple(CAUSAL.values()),
        **_shared_heads(),
    )


def _one_by_one(query: Any, key: Any, value: Any, boundaries: Any, scaling: float) -> Any:
    """The same from SDPA, a call for each sequence; queries, keys and values with tokens first."""
    import torch

    lengths = boundaries.diff().tolist()
    results = []
    for q, k, v in zip(*(part.transpose(0, 1).split(lengths, dim=1) for part in (query, key, value)), strict=True):
        results.append(
            torch.nn.functional.scaled_dot_product_attention(
                q[None], k[None], v[None], is_causal=True, scale=scaling, enable_gqa=q.shape[0] != k.shape[0]
            )[0]
        )
    return torch.cat(results, dim=1).transpose(0, 1)
