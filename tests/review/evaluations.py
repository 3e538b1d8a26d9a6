"""Small orders over the tests' thirty rows for the demo's model, and a result by hand, for the tests of evaluations."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from finetune import models
from finetune.data import leakage
from finetune.recipe import Generation
from finetune.review import evaluation_figures, evaluation_order, orders
from finetune.review.contestants import Contestant
from finetune.review.evaluation import BITS, ORDER, REPLIES, SCORES
from finetune.review.evaluation import ROWS as OWN
from finetune.review.evaluation_batches import Batching
from finetune.review.evaluation_order import Order
from tests.rows import ROWS

KEPT = [{"topic": t, "title": title, "question": q, "answer": a} for t, title, q, a in ROWS]
SHORT = Generation(max_new_tokens=12, temperature=0.0)


def order(backend: Any, count: int = 8, *, adapter: Path = models.DEMO_ADAPTER, **changes: Any) -> Order:
    """So many questions of the tests' rows, the others being training rows, two questions a batch."""
    made = Order(
        name="demo",
        tuned=Contestant("demo", adapter),
        split="test",
        questions=evaluation_order.questions(KEPT[:count]),
        settings=SHORT,
        resident=orders.resident(backend),
        largest_group=2,
        train=KEPT[count:],
        held_out=KEPT[:count],
        batching=Batching(most=2),
    )
    return replace(made, **changes)


def lines(
    count: int = 24, *, gain: float = 0.5, said_at: Mapping[int, str] | None = None
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Reply lines and cost lines of so many questions by hand; tuned says its reference, or what `said_at` has at a
    question's number, and pays `gain` bits less a character, topics in turn."""
    said, paid = [], []
    for number, (_, _, question, answer) in enumerate(ROWS[:count]):
        name = f"{number:012d}"
        said.append(
            {"id": name, "question": question, "topic": ("শোক", "আনন্দ")[number % 2], "group": number,
             "references": [answer], "base": "হ্যাঁ।", "tuned": (said_at or {}).get(number, answer),
             "base_ended": True, "tuned_ended": True, "base_broken": False, "tuned_broken": False}
        )  # fmt: skip
        bits = float((2 + 0.01 * number) * len(answer))
        paid.append({"id": name, "tokens": [10], "base": [bits], "tuned": [bits - gain * len(answer)]})
    return said, paid


DESCRIBED = {
    "name": "demo", "split": "test", "prompts": 24, "references": 24, "largest_group": 2, "texts": "", "searched": "",
    "adapter": "demo", "fingerprint": "ab12" * 16, "resident": "base, 4-bit NF4", "measure": 2, "seed": 42,
    "format": {"name": "shohomormi", "system_prompt": "You listen."},
    "settings": {"max_new_tokens": 12, "temperature": 0.0, "top_p": 0.9, "repetition_penalty": 1.0, "seed": 42},
}  # fmt: skip
"""What an order of these lines would describe."""


def figures(described: Mapping[str, Any] = DESCRIBED, **how: Any) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The result and rows of the lines by hand, without any leakage."""
    found = leakage.between(KEPT[24:], KEPT[:24])
    return evaluation_figures.figures(described, *lines(**how), found)


def lay_out(folder: Path, *, gain: float = 0.5, said_at: Mapping[int, str] | None = None, **changes: Any) -> Path:
    """An evaluation's folder from the lines by hand; `changes` to what the order describes, such as `name`."""
    folder.mkdir(parents=True)
    described = {**DESCRIBED, **changes}
    said, paid = lines(gain=gain, said_at=said_at)
    result, rows = figures(described, gain=gain, said_at=said_at)
    for name, one in ((ORDER, described), (SCORES, result)):
        (folder / name).write_text(json.dumps(one, ensure_ascii=False), encoding="utf-8")
    for name, each in ((REPLIES, said), (BITS, paid), (OWN, rows)):
        text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in each)
        (folder / name).write_text(text, encoding="utf-8")
    return folder
