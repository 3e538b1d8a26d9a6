"""An evaluation that lies in a folder: its figures, its replies sorted by any score, and both as files to take away.

It reads what `evaluating.py` wrote and works nothing out.
"""

from __future__ import annotations

import contextlib
import csv
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from finetune.errors import ReviewError
from finetune.inference import safety
from finetune.review import evaluation_shape, word_search
from finetune.review.evaluation_figures import SIDES
from finetune.training.metrics import read_lines

FOLDER = "evaluations"
"""Where evaluations lie, in a run's folder or in a home."""

ORDER, BITS, REPLIES, ROWS, SCORES = "order.json", "bits.jsonl", "replies.jsonl", "rows.jsonl", "scores.json"

DIFFERENCE = "difference"

GAIN = "difference.chrf"
"""What replies are sorted by where nobody says otherwise."""

SORTS = (*SIDES, DIFFERENCE)
"""What a score is sorted by: one side's, or tuned less base; written `tuned.chrf`."""


@dataclass(frozen=True)
class Figure:
    """One line of the table; each part is `{"mean", "low", "high", "n"}`."""

    name: str
    base: Mapping[str, Any]
    tuned: Mapping[str, Any]
    difference: Mapping[str, Any]


@dataclass(frozen=True)
class Reply:
    """One question with its references, both replies and every score of each."""

    id: str
    question: str
    topic: str
    references: tuple[str, ...]
    base: str
    tuned: str
    scores: Mapping[str, Mapping[str, float | None]]
    """By `base`, `tuned` and `difference`, then by score; None where a score is not defined."""

    @property
    def needs_care(self) -> bool:
        """True where the crisis screen marks any of its texts: then they are in no file that is sent around."""
        texts = (self.question, *self.references, self.base, self.tuned)
        return any(safety.screen(text) != "none" for text in texts)

    def score(self, sort: str) -> float | None:
        """The score that `tuned.chrf` names."""
        kind, _, name = sort.partition(".")
        return self.scores[kind][name]


@dataclass(frozen=True)
class Page:
    """Some of the replies that were asked for, and how many there are in all."""

    rows: tuple[Reply, ...]
    total: int


@dataclass(frozen=True)
class Evaluation:
    """What lies in an evaluation's folder; `result` is None until it is whole."""

    folder: Path
    order: Mapping[str, Any]
    result: Mapping[str, Any] | None

    @staticmethod
    def open(folder: Path) -> Evaluation:
        """The evaluation in a folder; ReviewError where there is none, or its files are damaged."""
        if not (folder / ORDER).is_file():
            raise ReviewError(
                f"There is no evaluation in {folder}. Make one with `python -m finetune evaluate`.",
                key="evaluation.none",
                folder=folder.name,
            )
        try:
            order = json.loads((folder / ORDER).read_text(encoding="utf-8"))
            evaluation_shape.check_order(order)
            file = folder / SCORES
            result = None
            if file.is_file():
                result = json.loads(file.read_text(encoding="utf-8"))
                evaluation_shape.check_result(result)
        except ValueError as error:
            raise _damaged(folder) from error
        return Evaluation(folder, order, result)

    @property
    def whole(self) -> bool:
        """True where every reply is written and scored."""
        return self.result is not None

    def check_whole(self) -> None:
        """ReviewError where it is not finished."""
        if not self.whole:
            raise ReviewError(
                f"The evaluation of {self.order['name']} in {self.folder.name} is not finished. Finish it with `python"
                " -m finetune evaluate` first.",
                key="evaluation.unfinished",
                run=self.order["name"],
            )

    def figures(self) -> tuple[Figure, ...]:
        """The table: every figure of base and tuned with its interval, and the difference. Empty until it is whole."""
        if self.result is None:
            return ()
        sides, difference = self.result["intervals"], self.result["difference"]
        return tuple(Figure(name, sides["base"][name], sides["tuned"][name], difference[name]) for name in difference)

    @cached_property
    def replies(self) -> tuple[Reply, ...]:
        """Every question with both replies, as they were decoded; empty until it is whole."""
        if self.result is None:
            return ()
        said, scored = (read_lines(self.folder / name)[0] for name in (REPLIES, ROWS))
        try:
            if not said:
                raise ValueError(f"{REPLIES} holds no reply")
            return tuple(_reply(line, own) for line, own in zip(said, scored, strict=True))
        except (ValueError, KeyError, TypeError) as error:
            raise _damaged(self.folder) from error

    @cached_property
    def topics(self) -> tuple[str, ...]:
        """Every topic there is a reply of, in the order of the alphabet."""
        return tuple(sorted({reply.topic for reply in self.replies}))

    @cached_property
    def sorts(self) -> tuple[str, ...]:
        """What `rows` can sort by."""
        names = self.replies[0].scores[DIFFERENCE] if self.replies else ()
        return tuple(f"{kind}.{name}" for kind in SORTS for name in names)

    def rows(
        self,
        sort: str = GAIN,
        topic: str | None = None,
        search: str = "",
        start: int = 0,
        count: int = 20,
        *,
        descending: bool = True,
    ) -> Page:
        """Replies `start` to `start + count`, of one topic (None: of all), with every word of `search` beginning one.

        Sorted by one of `sorts` (ReviewError for another); what has no such score comes last either way.
        """
        found = self._found(sort, topic, search, descending)
        return Page(tuple(found[max(0, start) :][: max(0, count)]), len(found))

    def save_csv(
        self,
        file: Path,
        sort: str = GAIN,
        topic: str | None = None,
        search: str = "",
        *,
        descending: bool = True,
    ) -> int:
        """Write the replies that `rows` would give, all of them and in its order, as CSV for a spreadsheet; how many.

        A file is sent around: what the crisis screen marks leaves without its texts, with 1 in the column `care`. All
        texts stand in the evaluation's own folder.
        """
        found = self._found(sort, topic, search, descending)
        scored = [f"{side}.{name}" for side in SIDES for name in (found[0].scores[side] if found else ())]
        with file.open("w", encoding="utf-8-sig", newline="") as opened:  # without the mark Excel takes it for Latin
            writer = csv.writer(opened)
            writer.writerow(["id", "topic", "care", "question", "references", *SIDES, *scored])
            for one, care in map(_leaving, found):
                texts = [one.question, "\n".join(one.references), one.base, one.tuned]
                writer.writerow(
                    [one.id, _as_text(one.topic), int(care), *map(_as_text, texts), *map(one.score, scored)]
                )
        return len(found)

    def save_json(
        self,
        file: Path,
        sort: str = GAIN,
        topic: str | None = None,
        search: str = "",
        *,
        descending: bool = True,
    ) -> int:
        """The same as JSON: a list of objects, scores by side, `care` true or false; how many."""
        found = self._found(sort, topic, search, descending)
        told = [
            {
                "id": one.id,
                "topic": one.topic,
                "care": care,
                "question": one.question,
                "references": list(one.references),
            }
            | {"base": one.base, "tuned": one.tuned, "scores": {side: dict(one.scores[side]) for side in SIDES}}
            for one, care in map(_leaving, found)
        ]
        file.write_text(json.dumps(told, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
        return len(found)

    @cached_property
    def _searched(self) -> list[str]:
        """Of each reply what a search looks in, made once: thousands of replies take a moment."""
        return [
            word_search.searched((one.question, one.topic, one.base, one.tuned, *one.references))
            for one in self.replies
        ]

    def _found(self, sort: str, topic: str | None, search: str, descending: bool) -> list[Reply]:
        if self.replies and sort not in self.sorts:
            raise ReviewError(
                f"Replies have no score {sort[:60]!r}. Sort by base, tuned or difference and a score's name, such as"
                " tuned.chrf.",
                key="evaluation.sort",
                name=sort[:60],
            )
        wanted = word_search.wanted(search)
        searched = self._searched if wanted else [""] * len(self.replies)
        mine = [
            one
            for one, words in zip(self.replies, searched, strict=True)
            if topic in (None, one.topic) and all(word in words for word in wanted)
        ]
        known = [one for one in mine if one.score(sort) is not None]
        known.sort(key=lambda one: (one.score(sort), one.id), reverse=descending)
        return [*known, *(one for one in mine if one.score(sort) is None)]


def within(home: Path) -> tuple[Evaluation, ...]:
    """The whole evaluations in a run's folder or, of the demo, in a home, the latest first; damaged ones are none."""
    files = (home / FOLDER).glob(f"*/{SCORES}")
    latest = sorted(files, key=lambda file: (-file.stat().st_mtime_ns, file.parent.name))
    found = []
    for file in latest:
        with contextlib.suppress(ReviewError):  # one that cannot be read must not hide the others
            found.append(Evaluation.open(file.parent))
    return tuple(found)


def _reply(line: Mapping[str, Any], own: Mapping[str, Any]) -> Reply:
    if line["id"] != own["id"]:
        raise ValueError(f"{REPLIES} and {ROWS} part at {line['id']}")
    base, tuned = own["base"], own["tuned"]
    difference = {
        name: None if base[name] is None or tuned[name] is None else tuned[name] - base[name] for name in base
    }
    return Reply(
        line["id"],
        line["question"],
        line["topic"],
        tuple(line["references"]),
        line["base"],
        line["tuned"],
        {"base": base, "tuned": tuned, DIFFERENCE: difference},
    )


def _leaving(one: Reply) -> tuple[Reply, bool]:
    """A reply as it may leave, and whether it needs care: then without any of its texts."""
    care = one.needs_care
    return (replace(one, question="", references=(), base="", tuned="") if care else one), care


def _as_text(text: str) -> str:
    """A text that no spreadsheet takes for a formula: model and corpus may say anything."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def _damaged(folder: Path) -> ReviewError:
    return ReviewError(
        f"The evaluation {folder.name} is damaged. Make it again with --anew.",
        key="evaluation.damaged",
        folder=folder.name,
    )
