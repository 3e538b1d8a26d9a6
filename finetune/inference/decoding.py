"""The token loop: from prompts to token ids, one step at a time, several rows in one pass.

A plain Llama forward over the resident base's own weights (4 or 16 bits), with a static key-value
cache, projections of the same input fused into one product, and a LoRA gate per row. It runs in the
caller's thread: who stops iterating stops the work, and exceptions arrive where the loop is read.
It knows nothing about text, chat formats or Bengali.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from typing import Any

from finetune.errors import ModelError
from finetune.inference.adapters import Adapter, Gate
from finetune.inference.projection import Projection
from finetune.inference.sampler import Request, Sampler
from finetune.recipe import Generation

FUSED = {
    "qkv": ("q_proj", "k_proj", "v_proj"),
    "o": ("o_proj",),
    "gate_up": ("gate_proj", "up_proj"),
    "down": ("down_proj",),
}

PROMPT_PART = 128
"""Tokens of a prompt that go through the model in one pass, so that a stop does not wait for a long conversation."""

TOGETHER = 8192
"""Tokens, padding included, of the sequences that `logits` takes through the layers in one pass: on a GPU each pass
unpacks every 4-bit weight first, which then costs a tenth of it."""

LENGTH_STEP = 32
"""On a CPU, prompts are padded to a multiple of this, and each step looks at a multiple of it, what is not written yet
being masked. oneDNN makes code for every length that it meets and keeps it, some 5 MB for a prompt's in the demo model:
an app would grow with every message of a new length."""


class Decoder:
    """The resident base, ready to decode."""

    def __init__(self, model: Any) -> None:
        if model.config.model_type != "llama":
            raise ModelError(
                f"This base is a {model.config.model_type} model; chat and compare run Llama models only.",
                key="model.not_llama",
                kind=model.config.model_type,
            )
        c = model.config
        self.heads, self.kv_heads, self.head_dim = c.num_attention_heads, c.num_key_value_heads, c.head_dim
        self.epsilon = c.rms_norm_eps
        self.longest = c.max_position_embeddings
        """Tokens of prompt and reply together that the base was made for."""
        self.embedding = model.get_input_embeddings().weight
        self.head = model.get_output_embeddings().weight
        self.rotary = model.model.rotary_emb
        self.final_norm = model.model.norm.weight
        self.dtype, self.device = self.embedding.dtype, self.embedding.device
        self.length_step = LENGTH_STEP if self.device.type == "cpu" else 1
        self.layers = []
        for layer in model.model.layers:
            modules = {name: getattr(layer.self_attn, name) for name in (*FUSED["qkv"], "o_proj")}
            modules |= {name: getattr(layer.mlp, name) for name in (*FUSED["gate_up"], "down_proj")}
            fused = {key: Projection([modules[n] for n in names], names) for key, names in FUSED.items()}
            fused["norm_in"], fused["norm_mid"] = layer.input_layernorm.weight, layer.post_attention_layernorm.weight
            self.layers.append(fused)
        self.sizes = {name: (fused[key].inputs, out) for key in FUSED for name, out in fused[key].parts}
        """How many numbers go into each projection and come out, in every layer alike."""

    def generate(
        self, requests: list[Request], stop_ids: set[int], stop: threading.Event | None = None
    ) -> Iterator[list[int | None]]:
        """Yield one list a step: each row's next token id, None once the row has ended.

        A row ends at a stop id (not yielded) or after its max_new_tokens. Rows of one batch do not
        influence each other, whatever their lengths. `stop` ends the work also while a long prompt is being read.
        """
        import torch

        with torch.inference_mode():
            pass_ = _Pass(self, requests, self.length_step)
            samplers = [Sampler(request, self.device) for request in requests]
            for part in pass_.prompt_parts():
                if stop is not None and stop.is_set():
                    return
                logits = pass_.read(part)
        ended = [False] * len(requests)
        for _ in range(max(request.settings.max_new_tokens for request in requests)):
            with torch.inference_mode():
                tokens = Sampler.all(samplers, logits)
            for i, token in enumerate(tokens):
                ended[i] = ended[i] or token in stop_ids or samplers[i].taken > requests[i].settings.max_new_tokens
            if all(ended):
                return
            yield [None if done else token for done, token in zip(ended, tokens, strict=True)]
            if pass_.length + 1 > pass_.room:
                return
            with torch.inference_mode():
                logits = pass_.step(tokens)

    def generate_alone(
        self, requests: list[Request], stop_ids: set[int], stop: threading.Event | None = None
    ) -> Iterator[list[int | None]]:
        """`generate`, the same to the last bit whatever this process has answered before."""
        return self.generate(requests, stop_ids, stop)

    def first_logits(self, requests: list[Request]) -> Any:
        """The logits after the prompts, (rows, vocabulary), in the batch that `generate` would begin with."""
        import torch

        with torch.inference_mode():
            return _Pass(self, requests, self.length_step).prefill()

    def logits(self, ids: Sequence[list[int]], adapter: Adapter | None) -> Iterator[Any]:
        """The logits (tokens, vocabulary) of every position of each sequence, one sequence at a time.

        Neighbours go through the layers together, so that who has many sorts them by length. What they are padded with
        stands behind them, where no token looks.
        """
        import torch
        import torch.nn.functional as F

        for some in self._together(ids):
            longest = _stepped(max(map(len, some)), self.length_step)
            padded = [one + [0] * (longest - len(one)) for one in some]
            with torch.inference_mode():
                pass_ = _Pass(self, [Request(one, adapter, Generation(max_new_tokens=1)) for one in padded])
                states = pass_.states(pass_.ids)
            for sequence, state in zip(some, states, strict=True):
                with torch.inference_mode():
                    logits = F.linear(state[: len(sequence)], self.head)
                yield logits  # outside: who reads may want gradients of its own

    def _together(self, ids: Sequence[list[int]]) -> Iterator[list[list[int]]]:
        some: list[list[int]] = []
        for one in ids:
            if some and (len(some) + 1) * _stepped(max(map(len, [*some, one])), self.length_step) > TOGETHER:
                yield some
                some = []
            some.append(one)
        if some:
            yield some


class _Pass:
    """One batch on its way through the model: its cache, mask, positions and gates."""

    def __init__(self, decoder: Decoder, requests: list[Request], step: int = 1) -> None:
        """step: what the length of the prompts, padding included, is a multiple of, and what each token looks at."""
        import torch

        self.decoder = d = decoder
        self.rows = len(requests)
        self.length_step = step
        self.longest = _stepped(max(len(request.prompt) for request in requests), step)
        self.room = _stepped(self.longest + max(request.settings.max_new_tokens for request in requests), step)
        self.length = 0
        self.pads = [self.longest - len(request.prompt) for request in requests]
        self.ids = torch.tensor([[0] * p + r.prompt for p, r in zip(self.pads, requests, strict=True)], device=d.device)
        adapters = list({id(r.adapter): r.adapter for r in requests if r.adapter is not None}.values())
        owner = [next((i for i, a in enumerate(adapters) if a is r.adapter), None) for r in requests]
        self.gates = [
            {key: Gate(adapters, number, layer[key].parts, owner) for key in FUSED}
            for number, layer in enumerate(d.layers)
        ]
        shape = (len(d.layers), self.rows, d.kv_heads, self.room, d.head_dim)
        self.keys = torch.zeros(shape, dtype=d.dtype, device=d.device)
        self.values = torch.zeros(shape, dtype=d.dtype, device=d.device)
        pads = torch.tensor(self.pads, device=d.device)
        positions = (torch.arange(self.room, device=d.device)[None] - pads[:, None]).clamp(min=0)
        self.cos, self.sin = d.rotary(self.keys, positions)
        self.cos, self.sin = self.cos[:, None], self.sin[:, None]
        self.seen = torch.arange(self.room, device=d.device)[None] >= pads[:, None] if any(self.pads) else None
        self.written = torch.zeros(1, self.room, dtype=torch.bool, device=d.device)

    def prompt_parts(self) -> Sequence[Any]:
        """The prompts in the parts that `read` takes one after the other, (rows, up to PROMPT_PART)."""
        return self.ids.split(PROMPT_PART, dim=1)

    def read(self, part: Any) -> Any:
        """Logits after one more part of the prompts, (rows, vocabulary)."""
        return self._logits(part)

    def prefill(self) -> Any:
        """Logits after the prompts, (rows, vocabulary)."""
        for part in self.prompt_parts():
            logits = self.read(part)
        return logits

    def step(self, tokens: list[int]) -> Any:
        """Logits after one more token of each row, (rows, vocabulary)."""
        import torch

        return self._logits(torch.tensor(tokens, device=self.decoder.device)[:, None])

    def _logits(self, ids: Any) -> Any:
        import torch.nn.functional as F

        return F.linear(self.states(ids)[:, -1], self.decoder.head)

    def states(self, ids: Any) -> Any:
        """What the layers make of the next tokens of each row, normalised for the output matrix, (rows, tokens, …)."""
        import torch.nn.functional as F

        d, begin, end = self.decoder, self.length, self.length + ids.shape[1]
        x = F.embedding(ids, d.embedding)
        shown = _stepped(end, self.length_step) if ids.shape[1] == 1 else end
        mask, causal = self._mask(begin, end, shown)
        cos, sin = self.cos[:, :, begin:end], self.sin[:, :, begin:end]
        for number, (layer, gate) in enumerate(zip(d.layers, self.gates, strict=True)):
            h = F.rms_norm(x, x.shape[-1:], layer["norm_in"], d.epsilon)
            x = x + self._attention(number, layer, gate, h, cos, sin, mask, causal, shown)
            h = F.rms_norm(x, x.shape[-1:], layer["norm_mid"], d.epsilon)
            both = gate["gate_up"].add(h, layer["gate_up"](h))
            left, right = both.chunk(2, dim=-1)
            h = F.silu(left) * right
            x = x + gate["down"].add(h, layer["down"](h))
        self.length = end
        return F.rms_norm(x, x.shape[-1:], d.final_norm, d.epsilon)

    def _attention(
        self, number: int, layer: dict, gate: dict, h: Any, cos: Any, sin: Any, mask: Any, causal: bool, shown: int
    ) -> Any:
        import torch.nn.functional as F

        d = self.decoder
        rows, tokens = h.shape[:2]
        qkv = gate["qkv"].add(h, layer["qkv"](h)).view(rows, tokens, -1, d.head_dim).transpose(1, 2)
        turned = qkv[:, : d.heads + d.kv_heads]
        half = d.head_dim // 2
        swapped = F.pad(turned[..., :half], (half, 0))
        swapped[..., :half] = -turned[..., half:]
        turned = turned * cos + swapped * sin
        begin, end = self.length, self.length + tokens
        self.keys[number, :, :, begin:end] = turned[:, d.heads :]
        self.values[number, :, :, begin:end] = qkv[:, d.heads + d.kv_heads :]
        queries, alone = turned[:, : d.heads], tokens == 1
        if (
            alone
        ):  # heads with the same keys as queries of one: where there is a mask, a GPU would copy keys for each head
            queries = queries.reshape(rows, d.kv_heads, -1, d.head_dim)
        out = F.scaled_dot_product_attention(
            queries,
            self.keys[number, :, :, :shown],
            self.values[number, :, :, :shown],
            attn_mask=mask,
            is_causal=causal,
            enable_gqa=queries.shape[1] != d.kv_heads,
        )
        out = out.reshape(rows, 1, -1) if alone else out.transpose(1, 2).reshape(rows, tokens, -1)
        return gate["o"].add(out, layer["o"](out))

    def _mask(self, begin: int, end: int, shown: int) -> tuple[Any, bool]:
        """Which of the first `shown` keys each query sees, as (mask, is_causal) for PyTorch's attention."""
        import torch

        self.written[:, begin:end] = True
        if shown > end:
            visible = self.written if self.seen is None else self.written & self.seen
            return visible[:, None, None, :shown], False
        if self.seen is None and (begin == 0 or end - begin == 1):
            return None, end - begin > 1
        seen = None if self.seen is None else self.seen[:, None, None, :end]
        if end - begin == 1:
            return seen, False
        order = torch.ones(end, end, dtype=torch.bool, device=self.ids.device).tril()[begin:]
        if seen is None:  # PyTorch's is_causal would count the keys from the first on, not from `begin`
            return order, False
        # A padded query sees itself, or its softmax would be over nothing and give NaN.
        own = torch.eye(end, dtype=torch.bool, device=self.ids.device)[begin:]
        return (seen & order) | own, False


def _stepped(length: int, step: int) -> int:
    """A length as it is computed with."""
    return -(-length // step) * step
