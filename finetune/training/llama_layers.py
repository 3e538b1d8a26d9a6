"""Llama's layers on fused products: transformers' own modules, with attention and MLP computed by `lora_precision.py`.

The modules stay where they are with their weights and names, so that PEFT saves, loads and merges as ever and
transformers generates as ever; only how some of their classes compute is exchanged (as PyTorch's `fully_shard` does),
and what a layer keeps that is told to recompute. Norms and the MLP's middle have kernels of our own on a card, rotary
positions go to Liger's where it is installed. It does not know losses, nor how batches are made.
"""

from __future__ import annotations

import functools
from typing import Any

from finetune.training import lora_precision, recomputed_attention, residual_norm


def fuse(model: Any, *, recompute_mlps: int = 0) -> None:
    """Let a PEFT model's Llama layers compute fused, from now on.

    A model that is told to recompute its layers (`gradient_checkpointing_enable`) keeps three tensors of each as wide
    as its residual stream, in batches without padding: the stream before attention and behind it, and what attention's
    heads give; it makes queries, keys, values, gate and up again, and no other product. The first `recompute_mlps`
    layers recompute their MLP as in `lora_precision.gated`, and nothing else, told or not.

    Raises TypeError for another architecture than Llama.
    """
    from transformers.utils import is_liger_kernel_available

    base = model.get_base_model() if hasattr(model, "get_base_model") else model
    if base.config.model_type != "llama":
        raise TypeError(f"Only Llama's layers can be fused, and this is a {base.config.model_type} model.")
    if next(base.parameters()).is_cuda and is_liger_kernel_available():
        from liger_kernel.transformers import _apply_liger_kernel_to_instance

        _apply_liger_kernel_to_instance(
            base, rope=True, rms_norm=False, swiglu=False, cross_entropy=False, fused_linear_cross_entropy=False
        )
    fused = _classes()
    if not isinstance(base.model.layers[0], fused["layer"]):
        base.model.register_forward_pre_hook(_take_adapters)
    base.model.norm.__class__ = fused["norm"]
    for number, layer in enumerate(base.model.layers):
        layer.__class__ = fused["layer"]
        layer.self_attn.__class__ = fused["attention"]
        layer.mlp.__class__ = fused["mlp"]
        layer.recompute_mlp = number < recompute_mlps


def _take_adapters(model: Any, given: Any) -> None:
    """Give every layer its adapters as this pass through LlamaModel computes them: a few launches for all of them."""
    blocks, groups = [], []
    for layer in model.layers:
        attention, mlp = layer.self_attn, layer.mlp
        blocks += [attention, mlp]
        groups += [(attention.q_proj, attention.k_proj, attention.v_proj), (attention.o_proj,)]
        groups += [(mlp.gate_proj, mlp.up_proj), (mlp.down_proj,)]
    found = lora_precision.low_rank(groups, model.embed_tokens.weight.dtype)
    for number, block in enumerate(blocks):
        block.adapters = tuple(found[2 * number : 2 * number + 2])


@functools.cache
def _classes() -> dict[str, type]:
    import torch
    from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS
    from transformers.models.llama import modeling_llama

    class FusedNorm(modeling_llama.LlamaRMSNorm):
        """LlamaRMSNorm by a kernel."""

        def forward(self, hidden_states: Any) -> Any:
            """As LlamaRMSNorm.forward."""
            return residual_norm.normed(self, hidden_states, way=super().forward)[1]

    class FusedLayer(modeling_llama.LlamaDecoderLayer):
        """LlamaDecoderLayer, its norms taken together with the residual stream beside them."""

        recompute_mlp = False
        """Its MLP and nothing else, whether or not the model is told to recompute its layers."""

        def __call__(self, *args: Any, **kwargs: Any) -> Any:
            """`forward`; transformers' gradient checkpointing around it only where ours does not do (`_ours`)."""
            if self.recompute_mlp or self._ours(kwargs):
                return torch.nn.Module.__call__(self, *args, **kwargs)
            return super().__call__(*args, **kwargs)

        def forward(self, hidden_states: Any, **kwargs: Any) -> Any:
            """As LlamaDecoderLayer.forward."""
            stream, states = residual_norm.normed(self.input_layernorm, hidden_states)
            again = not self.recompute_mlp and self._ours(kwargs)
            made_of = {"made_of": (self.input_layernorm, stream)} if again else {}
            states, _ = self.self_attn(hidden_states=states, **made_of, **kwargs)
            stream, states = residual_norm.normed(self.post_attention_layernorm, stream, states)
            recompute = again or self.recompute_mlp
            return stream + self.mlp(states, (self.post_attention_layernorm, stream) if recompute else None)

        def _ours(self, given: dict[str, Any]) -> bool:
            """Whether the layer is to be recomputed and we choose what it keeps: without padding, cache and dropout."""
            asked = self.gradient_checkpointing and self.training and not self.self_attn.attention_dropout
            packed = all(given.get(name) is not None for name in ("cu_seq_lens_q", "max_length_q"))
            return asked and packed and given.get("past_key_values") is None

    class FusedAttention(modeling_llama.LlamaAttention):
        """LlamaAttention, its queries, keys and values projected together."""

        adapters = (None, None)
        """Of those three, and of the output; made anew by each pass through the model."""

        def forward(
            self,
            hidden_states: Any,
            position_embeddings: Any = None,
            attention_mask: Any = None,
            past_key_values: Any = None,
            made_of: Any = None,
            **kwargs: Any,
        ) -> tuple[Any, Any]:
            """As LlamaAttention.forward; `made_of`: as in `lora_precision.gated`, queries, keys and values are made
            again for the backward pass."""
            tokens, (into, out) = hidden_states.shape[:-1], self.adapters
            weights = None
            if made_of is not None:
                norm, stream = made_of
                inward = functools.partial(self._packed, position_embeddings)
                passed = kwargs["cu_seq_lens_q"], kwargs["max_length_q"], self.scaling
                block = recomputed_attention.Block(norm, inward, *passed)
                result = recomputed_attention.attended(hidden_states, stream, into, block)
            else:
                query, key, value = self._inward(hidden_states, into, position_embeddings)
                if past_key_values is not None:
                    key, value = past_key_values.update(key, value, self.layer_idx)
                attend = ALL_ATTENTION_FUNCTIONS.get_interface(
                    self.config._attn_implementation, modeling_llama.eager_attention_forward
                )
                dropout = self.attention_dropout if self.training else 0.0
                result, weights = attend(
                    self, query, key, value, attention_mask, dropout=dropout, scaling=self.scaling, **kwargs
                )
            (result,) = lora_precision.project(result.reshape(*tokens, -1), (self.o_proj,), out)
            return result, weights

        def _inward(self, states: Any, adapters: Any, position_embeddings: Any) -> tuple[Any, Any, Any]:
            """Query, key and value, (batch, heads, tokens, head width) each, positions told."""
            query, key, value = (
                result.view(*states.shape[:-1], -1, self.head_dim).transpose(1, 2)
                for result in lora_precision.project(states, (self.q_proj, self.k_proj, self.v_proj), adapters)
            )
            # Looked up where Liger puts its own.
            return *modeling_llama.apply_rotary_pos_emb(query, key, *position_embeddings), value

        def _packed(self, position_embeddings: Any, states: Any, adapters: Any) -> tuple[Any, ...]:
            """The same of a batch without padding, (tokens, heads, head width) each."""
            parts = self._inward(states, adapters, position_embeddings)
            return tuple(part.squeeze(0).transpose(0, 1).contiguous() for part in parts)

    class FusedMLP(modeling_llama.LlamaMLP):
        """LlamaMLP as one step of autograd."""

        adapters = None
        """Of gate and up, and of down; made anew by each pass through the model."""

        def forward(self, x: Any, made_of: Any = None) -> Any:
            """As LlamaMLP.forward; with `made_of` as in `lora_precision.gated` recomputed."""
            layers = self.gate_proj, self.up_proj, self.down_proj
            return lora_precision.gated(x, *layers, self.adapters, recompute=made_of is not None, made_of=made_of)

    return {"norm": FusedNorm, "layer": FusedLayer, "attention": FusedAttention, "mlp": FusedMLP}
