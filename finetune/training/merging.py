"""Merge an adapter into its 16-bit base, so that transformers alone can load and talk to the result.

Always into the original base as its owner published it, never into a dequantised 4-bit copy: what
NF4 has rounded away would stay away. Works on the CPU, where a chat may leave the GPU's memory to
itself. Writes the chat format as a Jinja template too. It does not know runs (`export.py`).
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from finetune import fetching, models
from finetune.data import prompts
from finetune.errors import RunError
from finetune.recipe import Generation

SHARD = "4GB"
"""Largest file of the merged weights: FAT disks and many web servers end at 4 GB."""

MEMORY_PER_BYTE, DISK_PER_BYTE = 1.2, 1.05
"""Memory and disk needed for each byte of the base's weights: one matrix is copied while it is merged, tokenizer and
configuration come beside the weights."""


def merge_into(folder: Path, base: str, adapter: Path, how: Generation, tell: Callable[[str], None] = print) -> None:
    """Write base + adapter to a folder: safetensors shards, tokenizer with chat template, generation settings.

    base: a folder or Hub id; the dtype is that of its own configuration. Raises ModelError where the base cannot
    be loaded, RunError where it is itself quantised, where memory or disk do not suffice, or where the result has
    weights that are no numbers.
    """
    from peft import PeftModel
    from transformers import AutoConfig, AutoModelForCausalLM

    tokenizer = models.load_tokenizer(base)  # first, for it says in a sentence what is wrong with a base
    source = models.resolve(base)
    config = AutoConfig.from_pretrained(source)
    if getattr(config, "quantization_config", None):
        raise RunError(
            f"{base} is a quantised copy; an adapter is merged into the original only. Train on the 16-bit original"
            " with base.load_in_4bit set to true: that needs as little memory.",
            key="export.quantised_base",
            base=base,
        )
    size = weights_size(config)
    tell(
        f"merging {base}: needs about {size * MEMORY_PER_BYTE / 1e9:.2f} GB of memory and"
        f" {size * DISK_PER_BYTE / 1e9:.2f} GB of disk"
    )
    _refuse_where_short(size, folder)
    # On the CPU, also beside a GPU: the work is a few seconds of small matrices, reading and writing take the time.
    if not Path(source).is_dir():
        fetching.refuse_where_short(source)
    with models.load_errors(base):
        model = AutoModelForCausalLM.from_pretrained(source, dtype="auto", device_map={"": "cpu"})
    tell(f"adding the adapter to {sum(p.numel() for p in model.parameters()):,} parameters in {model.dtype}")
    try:
        merged = PeftModel.from_pretrained(model, str(adapter)).merge_and_unload(safe_merge=True)
    except ValueError as error:
        if "NaN" not in str(error):
            raise
        raise RunError(
            "The adapter makes weights that are no numbers: its training diverged. Train again with a lower"
            " training.learning_rate.",
            key="export.not_finite",
        ) from error
    style = prompts.PromptFormat.load(adapter)
    tokenizer.chat_template = chat_template(style)
    merged.generation_config = _generation(how, tokenizer)
    tell(f"writing {folder}")
    merged.save_pretrained(folder, max_shard_size=SHARD)
    tokenizer.save_pretrained(folder)
    style.save(folder)


def weights_size(config: Any) -> int:
    """Bytes of a model's weights in its own dtype, from its configuration alone."""
    import torch
    from transformers import AutoModelForCausalLM

    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config, dtype=config.dtype or torch.bfloat16)
    return sum(parameter.numel() * parameter.element_size() for parameter in model.parameters())


def _refuse_where_short(size: int, folder: Path) -> None:
    import psutil

    needed, free = size * MEMORY_PER_BYTE, psutil.virtual_memory().available + psutil.swap_memory().free
    if free < needed:
        raise RunError(
            f"Merging needs about {needed / 1e9:.1f} GB of memory, and {free / 1e9:.1f} GB are free. Close other"
            " programs, or take the adapter as a zip file and merge it on a larger machine.",
            key="export.memory",
            needed=f"{needed / 1e9:.1f}",
            free=f"{free / 1e9:.1f}",
        )
    needed, free = size * DISK_PER_BYTE, shutil.disk_usage(folder).free
    if free < needed:
        raise RunError(
            f"The merged model needs about {needed / 1e9:.1f} GB of disk, and {free / 1e9:.1f} GB are free. Make"
            " room, or choose a folder on another disk.",
            key="export.disk",
            needed=f"{needed / 1e9:.1f}",
            free=f"{free / 1e9:.1f}",
        )


def _generation(how: Generation, tokenizer: Any) -> Any:
    from transformers import GenerationConfig

    sampling = {"temperature": how.temperature, "top_p": how.top_p} if how.temperature else {}
    return GenerationConfig(
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=sorted(prompts.stop_ids(tokenizer)),
        pad_token_id=tokenizer.pad_token_id,
        max_new_tokens=how.max_new_tokens,
        repetition_penalty=how.repetition_penalty,
        do_sample=bool(sampling),
        **sampling,
    )


def chat_template(style: prompts.PromptFormat) -> str:
    """The chat format as the Jinja template that transformers applies; the same ids as `prompts.encode_prompt`.

    One difference cannot be helped: a template is text, so special tokens that a person types become special.
    """
    dates = prompts.OFFICIAL_DATES if style.name == "official" else ""
    end = "\n" if style.name == "reference" else ""
    return (
        "{{- bos_token }}"
        f"{{%- if messages[0]['role'] != 'system' %}}{{{{- {_header('system')} + {_quoted(dates)}"
        f" + {_quoted(style.system_prompt.strip() + end)} + '<|eot_id|>' }}}}{{%- endif %}}"
        "{%- for message in messages %}"
        "{{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n' }}"
        f"{{%- if message['role'] == 'system' %}}{{{{- {_quoted(dates)} }}}}{{%- endif %}}"
        f"{{{{- message['content'] | trim + {_quoted(end)} + '<|eot_id|>' }}}}"
        "{%- endfor %}"
        f"{{%- if add_generation_prompt %}}{{{{- {_header('assistant')} }}}}{{%- endif %}}"
    )


def _header(role: str) -> str:
    return _quoted(f"<|start_header_id|>{role}<|end_header_id|>\n\n")


def _quoted(text: str) -> str:
    """A Jinja string literal; Jinja reads escapes as Python does, and only these need one."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n").replace("\r", "\\r")
    return f"'{escaped}'"
