"""What an evaluation's order and result must hold so that whoever reads them finds it: keys, and of what kind.

Files come from other versions of the program, from copies and from hands. It is checked once, where they are read, and
says nothing of whether a figure is right.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from finetune.training import evaluated

EVALUATED = ("validation", "test")
"""The splits that can be evaluated."""

NUMBER = (int, float)

MAYBE = (int, float, type(None))
"""A number that may not be known."""

INTERVAL = {"mean": MAYBE, "low": MAYBE, "high": MAYBE}

ORDER = {
    **dict.fromkeys(("name", "split", "texts", "adapter", "fingerprint", "resident"), str),
    **dict.fromkeys(("prompts", "references", "seed", "measure"), int),
    "largest_group": MAYBE,
    "format": {"name": str, "system_prompt": str},
    "settings": {"max_new_tokens": int, "repetition_penalty": NUMBER},
}

SIDE = {
    **dict.fromkeys(("chrf", "bleu", "distinct1", "distinct2", "distinct", "commonest_opener"), MAYBE),
    "per_token": {"bits_per_character": MAYBE, "perplexity_per_token": MAYBE, "warning": str},
}

RESULT = {
    **dict.fromkeys(("first_line", "name", "split", "adapter", "fingerprint", "resident", "bertscore"), str),
    **dict.fromkeys(("prompts", "references"), int),
    "leakage": {**dict.fromkeys(("train", "others", "exact", "near", "replies"), NUMBER), "percent": str},
    "bits_saved": NUMBER,
    "saved": {"mean": NUMBER, "low": MAYBE, "high": MAYBE},
    "base": SIDE,
    "tuned": SIDE,
    "intervals": {"base": {}, "tuned": {}},
    "difference": dict.fromkeys(evaluated.FIGURES, INTERVAL),
    "topics": list,
    "signatures": {},
    "settings": {},
    "format": {"name": str},
}

TOPIC = {"topic": str, "prompts": int, "bits_per_character": INTERVAL, "chrf": INTERVAL}


def check_order(order: Any) -> None:
    """ValueError where something is lacking that an evaluation is listed, compared or taken up by."""
    _check(order, ORDER, "order")
    if order["split"] not in EVALUATED:
        raise ValueError(f"order.split is {order['split']!r}")


def check_result(result: Any) -> None:
    """ValueError where something is lacking that the table, the pictures or the report are made from."""
    _check(result, RESULT, "result")
    for name in result["difference"]:  # every figure stands there three times
        _check(result["difference"], {name: INTERVAL}, "difference")
        _check(result["intervals"], {side: {name: INTERVAL} for side in result["intervals"]}, "intervals")
    for topic in result["topics"]:
        _check(topic, TOPIC, "topic")


def _check(found: Any, wanted: Mapping[str, Any], where: str) -> None:
    if not isinstance(found, Mapping):
        raise ValueError(f"{where} is a {type(found).__name__}")
    for key, kind in wanted.items():
        if key not in found:
            raise ValueError(f"{where} holds no {key}")
        if isinstance(kind, Mapping):
            _check(found[key], kind, f"{where}.{key}")
        elif not isinstance(found[key], kind):
            raise ValueError(f"{where}.{key} is a {type(found[key]).__name__}")
