"""How many bits the reference replies cost a model, per character and per byte, with intervals.

The only likelihood figures that can be set beside those of another tokenizer: Llama 3's cuts Bengali into 1.21 tokens a
character, most of them pieces of a letter, so that a per-token perplexity says as much about the tokenizer as about the
model. Costs come from `LocalBackend.answer_bits`: of the reply alone, its ending included, never of the
prompt; base and tuned must get the same texts in the same format. It does not know models.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from finetune import bengali
from finetune.review import bootstrap
from finetune.review.statistics import Interval

PERPLEXITY_WARNING = (
    "Perplexity per token depends on how the tokenizer cuts Bengali, so it compares only models with the same"
    " tokenizer. Compare bits per character."
)

Groups = Sequence[object] | None


def characters(replies: Sequence[str]) -> list[int]:
    """Code points of each reply as the model reads it: clean, in NFC."""
    return [len(bengali.clean(reply)) for reply in replies]


def utf8_bytes(replies: Sequence[str]) -> list[int]:
    """UTF-8 bytes of each reply as the model reads it; a Bengali letter has three."""
    return [len(bengali.clean(reply).encode()) for reply in replies]


def per_character(costs: Sequence[float], replies: Sequence[str], groups: Groups = None, seed: int = 0) -> Interval:
    """Bits of all replies over their characters, not a mean over replies: a long reply weighs what it has."""
    return bootstrap.ratio(costs, characters(replies), groups, seed)


def per_byte(costs: Sequence[float], replies: Sequence[str], groups: Groups = None, seed: int = 0) -> Interval:
    """Bits of all replies over their UTF-8 bytes."""
    return bootstrap.ratio(costs, utf8_bytes(replies), groups, seed)


def difference(
    base: Sequence[float], tuned: Sequence[float], replies: Sequence[str], groups: Groups = None, seed: int = 0
) -> Interval:
    """Bits per character, tuned less base, on the same replies; below 0 where tuning helped."""
    return bootstrap.ratio([b - a for a, b in zip(base, tuned, strict=True)], characters(replies), groups, seed)


def saved(base: Sequence[float], tuned: Sequence[float], groups: Groups = None, seed: int = 0) -> Interval:
    """The share of base's bits that tuned does without; below 0 where it needs more."""
    return bootstrap.ratio([a - b for a, b in zip(base, tuned, strict=True)], base, groups, seed)


def per_token(costs: Sequence[float], replies: Sequence[str], tokens: Sequence[int]) -> dict[str, Any]:
    """Perplexity per token, never by itself: `{"bits_per_character", "perplexity_per_token", "warning"}`.

    `tokens` counts what each cost paid for: the reply's tokens and the one that ends it.
    """
    return {
        "bits_per_character": per_character(costs, replies).value,
        "perplexity_per_token": 2 ** (sum(costs) / sum(tokens)),
        "warning": PERPLEXITY_WARNING,
    }
