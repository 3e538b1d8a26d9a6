"""A model of random weights that stands in for a real one where decoding is measured, and adapters for it.

Speed does not depend on the values of weights. Everything is made on this machine's device, and nothing touches a disk.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from finetune import models
from finetune.data.prompts import PromptFormat
from finetune.inference.adapters import Adapter
from finetune.inference.decoding import FUSED, Decoder
from finetune.training.memory import Shape

RANK = 16

LONGEST = 2020
"""Tokens of an example at most, as the reference recipe cuts it."""

PROJECTIONS = [name for names in FUSED.values() for name in names]


def config(shape: Shape) -> Any:
    """The configuration of a Llama of these dimensions."""
    from transformers import LlamaConfig

    return LlamaConfig(
        vocab_size=shape.vocabulary,
        hidden_size=shape.hidden,
        intermediate_size=shape.intermediate,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.kv_heads,
        head_dim=shape.head_dim,
        max_position_embeddings=8192,
        tie_word_embeddings=shape.tied,
    )


def build(shape: Shape) -> Any:
    """A Llama of random weights on this device, its projections in NF4 as `models.load_base` loads them."""
    import bitsandbytes as bnb
    import torch
    from transformers import AutoModelForCausalLM

    device, compute = models.device(), models.compute_dtype()
    with torch.device(device):
        model = AutoModelForCausalLM.from_config(config(shape), dtype=compute).eval()
    for layer in model.model.layers:
        for name in PROJECTIONS:
            block = layer.self_attn if hasattr(layer.self_attn, name) else layer.mlp
            dense = getattr(block, name)
            made = bnb.nn.Linear4bit(
                dense.in_features,
                dense.out_features,
                bias=False,
                compute_dtype=compute,
                compress_statistics=device == "cuda",
                quant_type="nf4",
                device="meta",
            )
            made.weight = bnb.nn.Params4bit(
                dense.weight.data,
                requires_grad=False,
                compress_statistics=device == "cuda",
                quant_type="nf4",
                module=made,
            ).to(device)
            setattr(block, name, made)
    model.is_loaded_in_4bit = True  # by which PEFT knows
    return model


def without_peft(model: Any) -> Any:
    """The model again without what PEFT has put around its layers."""
    if hasattr(model, "peft_config"):
        for layer in model.model.layers:
            for block in (layer.self_attn, layer.mlp):
                for name, module in list(block.named_children()):
                    if hasattr(module, "base_layer"):
                        setattr(block, name, module.base_layer)
        del model.peft_config
    return model


def with_peft(model: Any) -> Any:
    """The model with a fresh adapter as PEFT runs it; it is put around the layers of the model itself."""
    from peft import LoraConfig, get_peft_model

    lora = LoraConfig(task_type="CAUSAL_LM", r=RANK, lora_alpha=RANK, target_modules=PROJECTIONS)
    return get_peft_model(model, lora).eval()


def random_adapter(decoder: Decoder, seed: int = 0) -> Adapter:
    """Small random matrices for every projection."""
    import torch

    torch.manual_seed(seed)
    matrices = {}
    for number in range(len(decoder.layers)):
        for name, (inputs, out) in decoder.sizes.items():
            a, b = (
                torch.randn(s, device=decoder.device).to(decoder.dtype) * 0.01 for s in ((RANK, inputs), (out, RANK))
            )
            matrices[number, name] = (a, b)
    return Adapter(Path("random"), "", PromptFormat(), matrices)
