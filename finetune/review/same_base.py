"""Whether an adapter was trained on the base in memory, as far as names and configurations tell.

Shapes do not: Llama 3 and 3.1 have the same ones, and an adapter of the one, scored on the other, gets figures that
look like an honest failure. Refused is only what is certain: two names of the Hub that stand for different models, or
two configurations on this machine that do. A folder may have been renamed, moved, or merged since, so its name proves
nothing, unless it is gone and reads like a name of the Hub, for which `models.resolve` takes it too. Two bases of one
configuration, such as a merged one and its original, are not told apart.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from finetune import models
from finetune.errors import ModelError
from finetune.inference.adapters import other_base

CONFIGURED = ("vocab_size", "max_position_embeddings", "rms_norm_eps")
"""Of a configuration what copies of one model have in common, beside how positions are turned."""

TURNED = (
    "rope_theta",
    "rope_type",
    "factor",
    "low_freq_factor",
    "high_freq_factor",
    "original_max_position_embeddings",
)

_HUB = re.compile(r"[\w.-]+/[\w.-]+", re.ASCII)
_SNAPSHOT = re.compile(r"models--([\w.-]+?)--([\w.-]+)/snapshots/", re.ASCII)
_COPY = re.compile(r"(-unsloth|-bnb|-4bit|-8bit|-bf16|-fp16|-nf4)+$")


def check(adapter: Path, resident: str) -> None:
    """BackendError where the adapter in a folder belongs to another base than `resident`, the one in memory."""
    named = str(models.read_adapter_config(adapter)["base_model_name_or_path"])
    if certainly_others(named, resident):
        raise other_base(adapter.name, named, resident)


def certainly_others(one: str, other: str) -> bool:
    """True where two spellings of a base cannot mean the same model."""
    places = [_resolved(name) for name in (one, other)]
    if one == other or (places[0] is not None and places[0] == places[1]):
        return False
    titles = [_title(name) for name in (one, other)]
    if None not in titles:
        return titles[0] != titles[1]
    known = [_configured(name) for name in (one, other)]
    return None not in known and known[0] != known[1]


def _resolved(name: str) -> Path | None:
    """The folder of a base on this machine; None where it is a name of the Hub, or the folder is gone."""
    try:
        found = Path(models.resolve(name))
    except ModelError:
        return None
    return found.resolve() if found.is_dir() else None


def _title(name: str) -> str | None:
    """What a model is called on the Hub, whoever copied it there and in how many bits; None for a folder."""
    found = _SNAPSHOT.search(f"{name}/")
    if found:
        title = found[2]
    elif _resolved(name) is None and _HUB.fullmatch(name) and not name.startswith((".", "assets/")):
        title = name.partition("/")[2]
    else:
        return None
    return _COPY.sub("", title.casefold()).removeprefix("meta-")


def _configured(name: str) -> dict[str, Any] | None:
    """What the configuration of a base says that shapes do not; None where it is not on this machine."""
    from huggingface_hub import try_to_load_from_cache

    folder = _resolved(name)
    if folder is not None:
        file = folder / "config.json"
    elif _HUB.fullmatch(name) and isinstance(cached := try_to_load_from_cache(name, "config.json"), str):
        file = Path(cached)
    else:
        return None
    try:
        config = dict(json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):  # what cannot be read, loading will tell
        return None
    turned = config.get("rope_parameters") or config.get("rope_scaling") or {}  # as transformers 5 and 4 write it
    told = {"rope_theta": config.get("rope_theta"), **turned}
    if told.get("rope_type") == "default":
        told.pop("rope_type")
    return {key: config.get(key) for key in CONFIGURED} | {key: told.get(key) for key in TURNED}
