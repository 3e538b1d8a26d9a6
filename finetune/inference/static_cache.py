"""One batch on its way through the model in buffers of fixed size: prompts in, then a token a row and step.

Every step does the same operations on the same addresses, whatever it is about, so that a CUDA graph can repeat them:
lengths, tokens, random numbers and gates are read from memory, and attention masks what is not there yet. Rows begin
at position 0 of their own cache, so a ragged batch needs no padding mask: what stands behind a row's end is never
looked at, and later written over. `Plain` does the arithmetic with PyTorch's own operators, on any machine;
`kernel_arithmetic.py` does it on a GPU with fewer launches. Nothing here captures or chooses sizes.
"""

from __future__ import annotations

from typing import Any

from finetune.inference.adapter_slots import AdapterSlots, Share
from finetune.inference.decoding import Decoder, Request
from finetune.inference.projection import Projection
from finetune.inference.sampling import Manner, Sampling

PROMPT_TOKENS = 16_384
"""Tokens of prompts that are read together, filled up to the longest: their activations take 3 GB in an 8B model."""


class StaticPass:
    """Cache, positions, gates and random numbers of up to `rows` rows of up to `room` tokens each."""

    def __init__(self, decoder: Decoder, slots: AdapterSlots, rows: int, room: int) -> None:
        import torch

        self.decoder = d = decoder
        self.slots, self.rows, self.room = slots, rows, room
        shape = (len(d.layers), rows, d.kv_heads, room, d.head_dim)
        self.keys = torch.zeros(shape, dtype=d.dtype, device=d.device)
        self.values = torch.zeros(shape, dtype=d.dtype, device=d.device)
        cos, sin = d.rotary(self.keys, torch.arange(room, device=d.device)[None])
        self.cos, self.sin = cos[0].contiguous(), sin[0].contiguous()
        self.ids = torch.zeros(rows, room, dtype=torch.long, device=d.device)
        self.lengths = torch.ones(rows, dtype=torch.long, device=d.device)
        """Tokens of each row in the cache, which is also where its next one goes."""
        self.gates = slots.gates(rows)
        self.sampling = Sampling(rows, room, d.head.shape[0], d.device)
        self.logits = torch.zeros(rows, d.head.shape[0], dtype=d.dtype, device=d.device)
        self.told = torch.zeros(rows, 2, dtype=torch.long, device=d.device)
        """The last step's tokens, and 1 where a token must be drawn again."""
        self.graphs: dict[Any, Any] = {}
        """What has been captured on these buffers, by the work it does."""
        self.short_of_memory = False
        """True where these rows left no memory to capture in; what comes after them tries again."""

    def begin(self, requests: list[Request], listening: list[int | None]) -> None:
        """Take over new rows; `listening` says which slot each listens to."""
        import torch

        self.short_of_memory = False
        ids = torch.zeros(self.rows, max(len(request.prompt) for request in requests), dtype=torch.long)
        for row, request in enumerate(requests):
            ids[row, : len(request.prompt)] = torch.tensor(request.prompt)
        self.ids[:, : ids.shape[1]].copy_(ids)
        lengths = [len(request.prompt) for request in requests] + [1] * (self.rows - len(requests))
        self.lengths.copy_(torch.tensor(lengths))
        self.slots.open(self.gates, listening)
        self.sampling.begin(requests)

    def read_prompts(self, tokens: int, manner: Manner) -> None:
        """Put the prompts, up to `tokens` each, into the cache, and draw the first tokens."""
        import torch

        at_once = max(1, PROMPT_TOKENS // tokens)
        states = [
            self._read(slice(begin, min(begin + at_once, self.rows)), tokens) for begin in range(0, self.rows, at_once)
        ]
        self._draw(torch.cat(states), manner)

    def _read(self, rows: slice, tokens: int) -> Any:
        """The states behind some rows' prompts, (rows, width), once these are in the cache."""
        import torch

        plain = Plain()  # matrices with matrices: libraries do that best

        def attend(number: int, qkv: Any, share: Share) -> tuple[Any, Any]:
            out = self._attend_prompts(number, qkv, rows)
            return out, plain.low(out, share)

        x = self._layers(self.ids[rows, :tokens], plain, attend, rows)
        return x[torch.arange(len(x), device=x.device), self.lengths[rows] - 1]

    def step(self, manner: Manner, arithmetic: Any) -> None:
        """Put the last tokens into the cache, and draw the next ones; `arithmetic` is a `Plain` or one like it."""

        def attend(number: int, qkv: Any, share: Share) -> tuple[Any, Any]:
            keys, values = self.keys[number], self.values[number]
            return arithmetic.attend(qkv, keys, values, self.lengths, self.cos, self.sin, share)

        tokens = self.told[:, 0]
        if manner.penalised:
            self.sampling.note(tokens)  # only now, for one that was drawn again is no longer what it was
        x = self._layers(tokens, arithmetic, attend)
        self.lengths.add_(1)
        self._draw(x, manner)

    def tokens(self, rows: int, manner: Manner) -> list[int]:
        """The last tokens of the first rows, once they are there; those that must be are drawn again."""
        import torch

        told = self.told[:rows].tolist()
        tokens, again = [token for token, _ in told], [row for row, (_, flat) in enumerate(told) if flat]
        if again:
            for row, token in zip(again, self.sampling.redraw(self.logits, again, manner), strict=True):
                tokens[row] = token
            self.told[:rows, 0].copy_(torch.tensor(tokens))
        return tokens

    def _draw(self, x: Any, manner: Manner) -> None:
        import torch.nn.functional as F

        d = self.decoder
        self.logits.copy_(F.linear(F.rms_norm(x, x.shape[-1:], d.final_norm, d.epsilon), d.head))
        self.told.copy_(self.sampling.draw(self.logits, manner))

    def _layers(self, ids: Any, arithmetic: Any, attend: Any, rows: slice = slice(None)) -> Any:
        import torch.nn.functional as F

        d, a = self.decoder, arithmetic
        x = F.embedding(ids, d.embedding)
        for number, (layer, held) in enumerate(zip(d.layers, self.slots.layers, strict=True)):
            share = {key: Share(*held[key], self.gates[key][rows]) for key in held}
            qkv = a.project(*a.norm(x, layer["norm_in"], d.epsilon, share["qkv"]), layer["qkv"], share["qkv"])
            x = a.project(*attend(number, qkv, share["o"]), layer["o"], share["o"], x)
            both = a.project(
                *a.norm(x, layer["norm_mid"], d.epsilon, share["gate_up"]), layer["gate_up"], share["gate_up"]
            )
            x = a.project(*a.gated(both, share["down"]), layer["down"], share["down"], x)
        return x

    def _attend_prompts(self, number: int, qkv: Any, rows: slice) -> Any:
        import torch.nn.functional as F

        d = self.decoder
        count, tokens = qkv.shape[:2]
        heads = qkv.view(count, tokens, -1, d.head_dim).transpose(1, 2)
        turned = rotated(heads[:, : d.heads + d.kv_heads], self.cos[:tokens], self.sin[:tokens])
        keys, values = turned[:, d.heads :], heads[:, d.heads + d.kv_heads :]
        self.keys[number, rows, :, :tokens] = keys
        self.values[number, rows, :, :tokens] = values
        out = F.scaled_dot_product_attention(
            turned[:, : d.heads], keys, values, is_causal=True, enable_gqa=d.heads != d.kv_heads
        )
        return out.transpose(1, 2).reshape(count, tokens, -1)


def rotated(x: Any, cos: Any, sin: Any) -> Any:
    """x (…, head_dim) turned by its position's angles, in Llama's order: first half real, second half imaginary."""
    import torch

    left, right = x.chunk(2, dim=-1)
    return x * cos + torch.cat([-right, left], dim=-1) * sin


class Plain:
    """A layer's arithmetic with PyTorch's operators.

    Each part takes h with whatever stands before its last dimension, one token a row or many, and also gives back what
    the adapters see of it: `low`, (…, ranks), zero where a row's gate is shut.
    """

    def norm(self, x: Any, weight: Any, epsilon: float, share: Share) -> tuple[Any, Any]:
        """Root mean square norm."""
        import torch.nn.functional as F

        h = F.rms_norm(x, x.shape[-1:], weight, epsilon)
        return h, self.low(h, share)

    def gated(self, both: Any, share: Share) -> tuple[Any, Any]:
        """The MLP's middle: SiLU of the first half times the second."""
        import torch.nn.functional as F

        left, right = both.chunk(2, dim=-1)
        h = F.silu(left) * right
        return h, self.low(h, share)

    def project(self, h: Any, low: Any, projection: Projection, share: Share, residual: Any = None) -> Any:
        """h times the frozen matrix, the adapters' part, and the residual where there is one."""
        y = projection(h) + low @ share.up
        return y if residual is None else residual + y

    def attend(
        self, qkv: Any, keys: Any, values: Any, lengths: Any, cos: Any, sin: Any, share: Share
    ) -> tuple[Any, Any]:
        """Put each row's new key and value at its length, and attend from its new query to all that is there then.

        qkv (rows, all heads' numbers), keys and values (rows, kv heads, room, head_dim), cos and sin (room, head_dim).
        """
        import torch
        import torch.nn.functional as F

        rows, kv_heads, room, head_dim = keys.shape
        heads = qkv.view(rows, -1, head_dim)
        count = heads.shape[1] - 2 * kv_heads
        turned = rotated(heads[:, : count + kv_heads], cos[lengths][:, None], sin[lengths][:, None])
        every = torch.arange(rows, device=keys.device)
        keys[every, :, lengths] = turned[:, count:]
        values[every, :, lengths] = heads[:, count + kv_heads :]
        there = torch.arange(room, device=keys.device)[None] <= lengths[:, None]
        out = F.scaled_dot_product_attention(
            turned[:, :count, None],
            keys,
            values,
            attn_mask=there[:, None, None],
            enable_gqa=count != kv_heads,
        )
        out = out.reshape(rows, -1)
        return out, self.low(out, share)

    @staticmethod
    def low(h: Any, share: Share) -> Any:
        """What the adapters see of h."""
        gate = share.gate if h.dim() == 2 else share.gate[:, None]
        return (h @ share.down.t()) * gate
