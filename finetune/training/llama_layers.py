"""Llama's layers on fused products: transformers' own modules, with attention and MLP computed by `lora_precision.py`.

The modules stay where they are with their weights and names, so that PEFT saves, loads and merges as ever and
transformers generates and checkpoints as ever; only how two of their classes compute is exchanged (as PyTorch's
`fully_shard` does). Norms and rotary positions go to Liger's kernels on a card where they are installed. It does not
know batches or losses.
"""

from __future__ import annotations

import functools
from typing import Any

from finetune.training import lora_precision


def fuse(model: Any, *, recompute_mlps: int = 0) -> None:
    """Let a PEFT model's Llama layers compute fused, from now on; the first `recompute_mlps` layers recompute
    their MLP as in `lora_precision.gated`.

    Raises TypeError for another architecture than Llama.
    """
    base = model.get_base_model() if hasattr(model, "get_base_model") else model
    if base.config.model_type != "llama":
        raise TypeError(f"Only Llama's layers can be fused, and this is a {base.config.model_type} model.")
    if next(base.parameters()).is_cuda and lora_precision.has_liger():
        from liger_kernel.transformers import _apply_liger_kernel_to_instance

        _apply_liger_kernel_to_instance(
            base, rope=True, rms_norm=True, swiglu=False, cross_entropy=False, fused_linear_cross_entropy=False
        )
    attention, mlp = _classes()
    for number, layer in enumerate(base.model.layers):
        layer.self_attn.__class__ = attention
        layer.mlp.__class__ = mlp
        layer.mlp.recompute = number < recompute_mlps


@functools.cache
def _classes() -> tuple[type, type]:
    from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS
    from transformers.models.llama import modeling_llama

    class FusedAttention(modeling_llama.LlamaAttention):
        """LlamaAttention, its queries, keys and values projected together."""

        def forward(
            self,
            hidden_states: Any,
            position_embeddings: Any = None,
            attention_mask: Any = None,
            past_key_values: Any = None,
            **kwargs: Any,
        ) -> tuple[Any, Any]:
            """As LlamaAttention.forward."""
            tokens = hidden_states.shape[:-1]
            query, key, value = (
                result.view(*tokens, -1, self.head_dim).transpose(1, 2)
                for result in lora_precision.project(hidden_states, (self.q_proj, self.k_proj, self.v_proj))
            )
            # Looked up where Liger puts its own.
            query, key = modeling_llama.apply_rotary_pos_emb(query, key, *position_embeddings)
            if past_key_values is not None:
                key, value = past_key_values.update(key, value, self.layer_idx)
            attend = ALL_ATTENTION_FUNCTIONS.get_interface(
                self.config._attn_implementation, modeling_llama.eager_attention_forward
            )
            dropout = self.attention_dropout if self.training else 0.0
            result, weights = attend(
                self, query, key, value, attention_mask, dropout=dropout, scaling=self.scaling, **kwargs
            )
            (result,) = lora_precision.project(result.reshape(*tokens, -1), (self.o_proj,))
            return result, weights

    class FusedMLP(modeling_llama.LlamaMLP):
        """LlamaMLP as one step of autograd."""

        recompute = False

        def forward(self, x: Any) -> Any:
            """As LlamaMLP.forward."""
            return lora_precision.gated(x, self.gate_proj, self.up_proj, self.down_proj, recompute=self.recompute)

    return FusedAttention, FusedMLP
