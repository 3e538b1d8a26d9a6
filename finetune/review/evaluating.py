"""The evaluation run: both sides answer a split and read its references, a batch at a time, and may be killed.

    FOLDER/order.json     what is evaluated and how; the first to be written
    FOLDER/batches.json   which questions are decoded together (`evaluation_batches.py`)
    FOLDER/bits.jsonl     a line a question: what each of its references costs both sides, in bits
    FOLDER/replies.jsonl  a line a question: what both sides answer, greedily
    FOLDER/rows.jsonl     a line a question: every figure of both replies
    FOLDER/scores.json    the result; where it is there, the evaluation is whole

Batches are fixed by the folder, written whole and synced; whoever goes on after a kill drops what is left of a torn one
and writes it again. One that does not fit into memory is halved, and the folder says so. No file holds a time or a
path, so an evaluation that was cut off anywhere comes out byte for byte as one that was not, on the same machine.
Replies are texts as people are shown them (`TokenText`), with a mark where what the model wrote was broken, which
people are not shown. A model sees one batch at a time, however large the split is. It does not know what the figures
mean (`evaluation_figures.py`).
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finetune import bengali, models
from finetune.data import leakage
from finetune.data.prompts import IGNORED, PromptFormat, conversation, encode_example, encode_prompt
from finetune.errors import ReviewError
from finetune.inference.backends import LocalBackend, Side, cleaned
from finetune.inference.graphemes import TokenText
from finetune.review import bertscore, durable, evaluation_batches, evaluation_figures, judging
from finetune.review.evaluation import BITS, ORDER, REPLIES, ROWS, SCORES, Evaluation
from finetune.review.evaluation_order import Order, Question

MADE = ("bits", "replies")
"""Stages that ask the model, a batch at a time."""

STAGES = (*MADE, "scores")

NO_ROOM = object()
"""Instead of a batch's lines, where there is not enough memory for it."""

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

    An evaluation that is whole is opened without a model; where BERTScore could not be run then and can now, it is
    scored again from the replies there are. ReviewError where the folder holds another one, where another process is at
    it, where the adapter's weights change on the way, or where not even one question fits into memory.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with alone(folder):
        _begin(folder, order)
        known = Evaluation.open(folder).result
        if known is None or (known["bertscore"].startswith(bertscore.NOT_RUN) and not bertscore.missing()):
            _Writing(folder, order, backend, stop or threading.Event(), report).all()
    return Evaluation.open(folder)


def forget(folder: Path) -> None:
    """Remove an evaluation's files, whose folder may be another's as well. ReviewError while it is being written."""
    if not folder.is_dir():
        return
    with alone(folder):
        # What makes it whole goes first; a judge's answers are known by their texts, and what they came to goes too.
        for name in (SCORES, judging.RESULT, ROWS, REPLIES, BITS, evaluation_batches.FILE, ORDER):
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
        self.questions = order.in_turn
        self.sizes = evaluation_batches.read(folder, len(self.questions), MADE) or self._laid_down()
        self.fingerprint = order.tuned.fingerprint()

    def all(self) -> None:
        """Every stage in turn; none after `stop`."""
        if self._log("bits", BITS, self._bits) and self._log("replies", REPLIES, self._replies):
            total = len(self.questions)
            self.report(Progress("scores", 0, total))
            found = leakage.between(self.order.train, self.order.held_out, self.order.beside)
            texts, bits = (list(lines(self.folder / name)) for name in (REPLIES, BITS))
            result, rows = evaluation_figures.figures(self.order.described(), texts, bits, found)
            durable.replace(self.folder / ROWS, "".join(_line(row) for row in rows))
            durable.replace(self.folder / SCORES, json.dumps(result, ensure_ascii=False, indent=1) + "\n")
            self.report(Progress("scores", total, total, 0.0))

    def _laid_down(self) -> evaluation_batches.Sizes:
        """Sizes of batches by what memory is free beside the base, on the disk before anything else is."""
        batching = self.order.batching
        if batching is None:
            self.backend.load()
            batching = evaluation_batches.of_machine(self.backend.model)
        prompts = (
            encode_prompt(self.tokenizer, cleaned(conversation(one.text)), self.order.style) for one in self.questions
        )
        sizes = batching.sizes([len(ids) for ids in prompts], self.order.settings.max_new_tokens)
        found = {stage: sizes for stage in MADE}
        evaluation_batches.write(self.folder, found)
        return found

    def _log(self, stage: str, name: str, make: Callable[[list[Question]], list[Line] | None]) -> bool:
        """Append a batch of lines after the other to a file; True once all are there, False where `stop` was set."""
        file, total = self.folder / name, len(self.questions)
        number = evaluation_batches.mend(file, [one.id for one in self.questions], self.sizes[stage])
        done = before = sum(self.sizes[stage][:number])
        self.report(Progress(stage, done, total, 0.0 if done == total else None))
        began = time.monotonic()
        while number < len(self.sizes[stage]):
            batch = self.questions[done : done + self.sizes[stage][number]]
            made = None if self.stop.is_set() else self._tried(make, batch)
            if made is NO_ROOM:
                self._halve(stage, number)
                continue
            if made is None or self.stop.is_set():
                return False
            self._refuse_changed()
            durable.append(file, "".join(map(_line, made)))
            done, number = done + len(batch), number + 1
            pace = (time.monotonic() - began) / (done - before)
            self.report(Progress(stage, done, total, pace * (total - done)))
        return not self.stop.is_set()

    def _tried(self, make: Callable[[list[Question]], list[Line] | None], batch: list[Question]) -> Any:
        """What `make` makes of a batch; NO_ROOM where the card's memory does not suffice."""
        import torch

        try:
            return make(batch)
        except torch.OutOfMemoryError as error:
            if len(batch) == 1:
                raise ReviewError(
                    f"Not even one question of {self.order.name} fits into the memory that is free. Close what else"
                    " uses the card, such as a training run, and evaluate again: what is done is kept.",
                    key="evaluation.memory",
                    name=self.order.name,
                ) from error
        return NO_ROOM

    def _halve(self, stage: str, number: int) -> None:
        """Go on with smaller batches, as everybody will who goes on in this folder."""
        models.free_memory()  # outside the handler, which held on to what the batch had been given
        self.sizes = {**self.sizes, stage: evaluation_batches.halved(self.sizes[stage], number)}
        evaluation_batches.write(self.folder, self.sizes)

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
        with contextlib.closing(self.backend.tokens(sides, alone=True)) as steps:
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
                | {"references": question.references, **{side: text for side, (text, _, _) in said.items()}}
                | {f"{side}_ended": ended for side, (_, ended, _) in said.items()}
                | {f"{side}_broken": broken for side, (_, _, broken) in said.items()}
            )
        return made

    def _reply(self, ids: list[int]) -> tuple[str, bool, bool]:
        """A row's text, whether the model ended it itself, and whether what it wrote was broken before it was mended.

        A letter that the limit cut in two was not broken by the model.
        """
        writer = TokenText(self.tokenizer)
        text = "".join(map(writer.add, ids)) + writer.end()
        ended = len(ids) < self.order.settings.max_new_tokens
        raw = unicodedata.normalize("NFC", self.tokenizer.decode(ids, skip_special_tokens=True))
        broken = bengali.broken_graphemes(raw if ended else bengali.trim_unfinished(raw))
        return text.strip(), ended, bool(broken)

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


def _line(what: Line) -> str:
    return json.dumps(what, ensure_ascii=False) + "\n"
