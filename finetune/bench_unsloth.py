"""Unsloth as it comes, for the benches to stand beside: its models, and how fast they decode.

    python -m finetune.bench_unsloth decode BASE LOAD

In a process of its own, for Unsloth exchanges parts of transformers, TRL and PEFT when it is imported, which must be
before they are. Its own settings are kept: `FastLanguageModel` with its checkpointing, the best attention that it finds
on the machine. It needs a GPU.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from finetune import bench_weights


def model(base: str, *, four_bit: bool, checkpointing: bool) -> tuple[Any, Any]:
    """A base with a fresh adapter, and its tokenizer, as Unsloth's own pages load them."""
    os.environ.setdefault("UNSLOTH_DISABLE_STATISTICS", "1")  # which would ask the network
    from unsloth import FastLanguageModel

    loaded, tokenizer = FastLanguageModel.from_pretrained(
        base, max_seq_length=bench_weights.LONGEST, dtype=None, load_in_4bit=four_bit
    )
    adapted = FastLanguageModel.get_peft_model(
        loaded,
        r=bench_weights.RANK,
        lora_alpha=bench_weights.RANK,
        lora_dropout=0,
        bias="none",
        target_modules=bench_weights.PROJECTIONS,
        use_gradient_checkpointing="unsloth" if checkpointing else False,
    )
    return adapted, tokenizer


def decode(base: str, load: dict[str, int]) -> dict[str, Any]:
    """Tokens a second and first token of `for_inference` on the 4-bit base with an adapter."""
    import unsloth
    from unsloth import FastLanguageModel

    from finetune import bench_generate

    adapted, _ = model(base, four_bit=True, checkpointing=False)
    FastLanguageModel.for_inference(adapted)
    bench_generate.forget_peak()  # loading's
    found = bench_generate.generate(adapted, bench_generate.Load(**load))
    return {**found, "unsloth": unsloth.__version__}


if __name__ == "__main__":
    print(json.dumps(decode(sys.argv[2], json.loads(sys.argv[3]))))
