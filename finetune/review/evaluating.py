"""The evaluation run: both sides answer a split and read its references, a batch at a time, and may be killed.

    FOLDER/order.json     what is evaluated and how; the first to be written
    FOLDER/bits.jsonl     a line a question: what each of its references costs both sides, in bits
    FOLDER/replies.jsonl  a line a question: what both sides answer, greedily
    FOLDER/rows.jsonl     a line a question: every figure of both replies
    FOLDER/scores.json    the result; where it is there, the evaluation is whole

Batches are fixed by the order, written whole and synced; whoever goes on after a kill drops what is left of a torn one
and writes it again. No file holds a time or a path, so an evaluation that was cut off anywhere comes out byte for byte
as one that was not, on the same machine. Replies are texts as people are shown them (`TokenText`). A model sees one
batch at a time, however large the split is. It does not know what the figures mean (`evaluation_figures.py`).
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finetune import models
from finetune.data import leakage
from finetune.data.prompts import IGNORED, PromptFormat, conversation, encode_example
from finetune.errors import ReviewError
from finetune.inference.backends import LocalBackend, Side, cleaned
from finetune.inference.graphemes import TokenText
from finetune.review import durable, evaluation_figures
from finetune.review.evaluation import BITS, ORDER, REPLIES, ROWS, SCORES, Evaluation
from finetune.review.evaluation_order import Order, Question

STAGES = ("bits", "replies", "scores")

Line = dict[str, Any]


@dataclass(frozen=True)
class Progress:
    """How far a stage is, in questions; `left`: seconds that it still takes at the pace so far, None while unknown."""

    stage: str
    done: int
    total: int
    left: float | None = None


Report = Callable[[Progress], None]


def run(
    folder: Path,
    order: Order,
    backend: LocalBackend,
    stop: threading.Event | None = None,
    report: Report = lambda progress: None,
) -> Evaluation:
    """Evaluate what is still missing in the folder; the evaluation as far as it came, for `stop` may end it early.

    An evaluation that is whole is opened without a model. ReviewError where the folder holds another one, where another
    process is at it, or where the adapter's weights change on the way.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with alone(folder):
        _begin(folder, order)
        if not (folder / SCORES).is_file():
            _Writing(folder, order, backend, stop or threading.Event(), report).all()
    return Evaluation.open(folder)


def forget(folder: Path) -> None:
    """Remove an evaluation's files, whose folder may be another's as well. ReviewError while it is being written."""
    if not folder.is_dir():
        return
    with alone(folder):
        for name in (SCORES, ROWS, REPLIES, BITS, ORDER):  # what makes it whole goes first
            (folder / name).unlink(missing_ok=True)


def costs(
    backend: LocalBackend, style: PromptFormat, asked: Sequence[Question], adapter: Path | None
) -> list[list[float]]:
    """What each question's references cost a side, in bits with `<|eot_id|>`, in the format that both sides get."""
    finished = [conversation(one.text, reference) for one in asked for reference in one.references]
    found = iter(backend.answer_bits(finished, adapter, style))
    return [[next(found) for _ in one.references] for one in asked]


class _Writing:
    """One process' part in an evaluation."""

    def __init__(self, folder: Path, order: Order, backend: LocalBackend, stop: threading.Event, report: Report):
        self.folder, self.order, self.backend, self.stop, self.report = folder, order, backend, stop, report
        self.tokenizer = models.load_tokenizer(backend.model)
        self.batches = order.batches()
        self.fingerprint = order.tuned.fingerprint()

    def all(self) -> None:
        """Every stage in turn; none after `stop`."""
        if self._log("bits", BITS, self._bits) and self._log("replies", REPLIES, self._replies):
            total = len(self.order.questions)
            self.report(Progress("scores", 0, total))
            found = leakage.between(self.order.train, self.order.held_out)
            texts, bits = (list(lines(self.folder / name)) for name in (REPLIES, BITS))
            result, rows = evaluation_figures.figures(self.order.described(), texts, bits, found)
            durable.replace(self.folder / ROWS, "".join(_line(row) for row in rows))
            durable.replace(self.folder / SCORES, json.dumps(result, ensure_ascii=False, indent=1) + "\n")
            self.report(Progress("scores", total, total, 0.0))

    def _log(self, stage: str, name: str, make: Callable[[list[Question]], list[Line] | None]) -> bool:
        """Append a batch of lines after the other to a file; True once all are there, False where `stop` was set."""
        file, total = self.folder / name, len(self.order.questions)
        whole = _mend(file, self.batches)
        done = before = sum(map(len, self.batches[:whole]))
        self.report(Progress(stage, done, total, 0.0 if done == total else None))
        began = time.monotonic()
        for batch in self.batches[whole:]:
            made = None if self.stop.is_set() else make(batch)
            if made is None or self.stop.is_set():
                return False
            self._refuse_changed()
            durable.append(file, "".join(map(_line, made)))
            done += len(batch)
            pace = (time.monotonic() - began) / (done - before)
            self.report(Progress(stage, done, total, pace * (total - done)))
        return not self.stop.is_set()

    def _bits(self, batch: list[Question]) -> list[Line] | None:
        base = costs(self.backend, self.order.style, batch, None)
        if self.stop.is_set():
            return None
        tuned = costs(self.backend, self.order.style, batch, self.order.tuned.adapter)
        found = zip(batch, base, tuned, strict=True)
        return [
            {"id": one.id, "tokens": [self._tokens(one, text) for text in one.references], "base": a, "tuned": b}
            for one, a, b in found
        ]

    def _tokens(self, question: Question, reference: str) -> int:
        """How many tokens a reference's cost paid for, the one that ends it included."""
        messages = cleaned(conversation(question.text, reference))
        _, labels = encode_example(self.tokenizer, messages, self.order.style, 1 << 30)
        return sum(label != IGNORED for label in labels)

    def _replies(self, batch: list[Question]) -> list[Line] | None:
        adapters = {"base": None, "tuned": self.order.tuned.adapter}
        sides = [
            Side(conversation(q.text), adapter, self.order.settings) for q in batch for adapter in adapters.values()
        ]
        ids: list[list[int]] = [[] for _ in sides]
        with contextlib.closing(self.backend.tokens(sides)) as steps:
            for tokens in steps:
                if self.stop.is_set():
                    return None
                for row, token in zip(ids, tokens, strict=True):
                    if token is not None:
                        row.append(token)
        rows = iter(map(self._reply, ids))
        made = []
        for question in batch:
            said = {side: next(rows) for side in adapters}
            made.append(
                {"id": question.id, "question": question.text, "topic": question.topic, "group": question.group}
                | {"references": question.references, **{side: text for side, (text, _) in said.items()}}
                | {f"{side}_ended": ended for side, (_, ended) in said.items()}
            )
        return made

    def _reply(self, ids: list[int]) -> tuple[str, bool]:
        """A row's text, and whether the model ended it itself."""
        writer = TokenText(self.tokenizer)
        text = "".join(map(writer.add, ids)) + writer.end()
        return text.strip(), len(ids) < self.order.settings.max_new_tokens

    def _refuse_changed(self) -> None:
        if self.order.tuned.fingerprint() != self.fingerprint:  # a run that was taken up again, say
            raise ReviewError(
                f"The adapter of {self.order.name} changed while it was being evaluated. Evaluate it again when its"
                " training is over.",
                key="evaluation.changed",
                name=self.order.name,
            )


def lines(file: Path) -> Iterator[Line]:
    """The JSON lines of a file that is whole."""
    with file.open(encoding="utf-8") as opened:
        yield from map(json.loads, opened)


def alone(folder: Path) -> contextlib.AbstractContextManager[None]:
    """The folder of an evaluation for this process only; ReviewError where another one writes in it."""
    busy = "This evaluation is being made just now. Wait until it is done, or stop it."
    return durable.alone(folder, ReviewError(busy, key="evaluation.busy"))


def _begin(folder: Path, order: Order) -> None:
    """Lay down what is evaluated, or see that it is what the folder holds already."""
    described, file = order.described(), folder / ORDER
    if not file.is_file():
        durable.replace(file, json.dumps(described, ensure_ascii=False, indent=1) + "\n")
    elif Evaluation.open(folder).order != described:
        raise ReviewError(
            f"{folder} holds an evaluation of something else: another adapter, split, number of questions or other"
            " settings. Choose another folder, or add --anew to replace it.",
            key="evaluation.other",
            folder=folder.name,
        )


def _mend(file: Path, batches: Sequence[Sequence[Question]]) -> int:
    """Cut a log off after the last batch that is there whole and in its place; how many batches that are."""
    data = file.read_bytes() if file.is_file() else b""
    whole = end = at = 0
    for batch in batches:
        for question in batch:
            until = data.find(b"\n", at) + 1
            if not until or _id(data[at:until]) != question.id:
                break
            at = until
        else:
            whole, end = whole + 1, at
            continue
        break
    if len(data) > end:
        os.truncate(file, end)
    return whole


def _id(line: bytes) -> str | None:
    """The question of a line; None where a killed process or a crashed file system left something else."""
    try:
        return json.loads(line)["id"]
    except (ValueError, KeyError, TypeError):
        return None


def _line(what: Line) -> str:
    return json.dumps(what, ensure_ascii=False) + "\n"
