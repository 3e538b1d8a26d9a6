"""Split rows 80/10/10 into train, validation and test, so that nothing near-identical sits on two sides.

A group is never torn: rows with the same or a near-identical question, and neighbouring rows with
the same topic and title (consecutive turns of one conversation; titles alone repeat across
conversations, research on the corpus found). Groups join transitively. It does not clean
(`corpus.py`); it only reads the fields topic, title and question.
"""

from __future__ import annotations

import hashlib
import json
import math
import random
import time
from array import array
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from finetune import bengali
from finetune.data import corpus
from finetune.errors import DataError
from finetune.recipe import Data

SPLITS = ("train", "validation", "test")

NEAR_IDENTICAL = 0.7
"""Jaccard similarity of two questions' word sets from which they count as one; one word changed
in a question of six words gives 5/7 = 0.71."""

PERMUTATIONS = 64
"""MinHash permutations: enough to find candidates, which are then compared exactly."""

FEWEST_WORDS = 5
"""Shorter questions are grouped only when all their words are the same."""

FEWEST_ROWS = 10


def prepare(data: Data, out: Path, limit: int | None = None) -> dict:
    """Clean and split a source into `train.jsonl validation.jsonl test.jsonl report.json` in `out`.

    Returns the report. Files are replaced only when everything went well.
    """
    began = time.perf_counter()
    out.mkdir(parents=True, exist_ok=True)
    report = corpus.Report()
    groups = Groups()
    rows_file = out / "rows.jsonl.part"
    try:
        with rows_file.open("w", encoding="utf-8") as file:
            for row in corpus.clean_rows(data, report, limit):
                file.write(json.dumps(row, ensure_ascii=False) + "\n")
                if data.group:
                    groups.add(row)
        if report.kept < FEWEST_ROWS:
            raise DataError(
                f"Only {report.kept} of {report.rows} rows of {report.source} can be used; {FEWEST_ROWS} are the least"
                " that can be split. Add rows, or look at what was dropped.",
                key="data.too_few",
                kept=report.kept,
                rows=report.rows,
                file=report.source,
            )
        members = groups.numbers() if data.group else list(range(report.kept))
        sides = assign(members, data.seed)
        _write_splits(rows_file, sides, out)
    finally:
        rows_file.unlink(missing_ok=True)
    result = report.to_dict()
    result["splits"] = {name: sides.count(index) for index, name in enumerate(SPLITS)}
    result["groups"] = len(set(members))
    result["largest_group"] = max(Counter(members).values())
    result["near_identical_seconds"] = round(groups.seconds, 3)
    result["seconds"] = round(time.perf_counter() - began, 3)
    (out / "report.json").write_text(json.dumps(result, ensure_ascii=False, indent=1), encoding="utf-8")
    return result


def assign(members: list[int], seed: int) -> bytearray:
    """The split, 0 train, 1 validation, 2 test, of each row, given the number of the group it is in.

    Two stages as the reference project did it: a fifth is held out (rounded up), then halved, test
    taking the odd row. Groups larger than half a split go to training, so that none swallows a side.
    """
    sizes = Counter(members)
    total = len(members)
    held_out = math.ceil(total * 0.2)
    wanted = {2: math.ceil(held_out / 2), 1: held_out // 2}
    order = sorted(sizes)
    random.Random(seed).shuffle(order)
    side_of_group: dict[int, int] = {}
    for side, target in wanted.items():
        filled = 0
        for group in order:
            size = sizes[group]
            if filled >= target:
                break
            if group in side_of_group or size > max(1, target // 2) or filled + size > target + target // 20:
                continue
            side_of_group[group] = side
            filled += size
    return bytearray(side_of_group.get(group, 0) for group in members)


class Groups:
    """Finds which rows belong together while they stream by; holds hashes, not texts."""

    def __init__(self) -> None:
        self.seconds = 0.0
        """Time spent on the near-identical search, which is reported by itself."""
        self._parent = array("l")
        self._row_of_question: dict[bytes, int] = {}
        self._words: dict[int, frozenset[int]] = {}
        self._last_title: tuple[str, str] = ("", "")
        self._lsh = None

    def add(self, row: dict[str, str]) -> None:
        """Take the next row, in file order."""
        number = len(self._parent)
        self._parent.append(number)
        title = (row["topic"], row["title"].casefold())
        if row["title"] and title == self._last_title:
            self._join(number, number - 1)
        self._last_title = title
        words = [word.casefold() for word in bengali.words(row["question"])]
        digest = hashlib.blake2b(" ".join(words).encode(), digest_size=12).digest()
        same = self._row_of_question.setdefault(digest, number)
        if same != number:
            self._join(number, same)
        elif len(words) >= FEWEST_WORDS:
            self._join_near_identical(number, words)

    def _join_near_identical(self, number: int, words: Iterable[str]) -> None:
        from datasketch import MinHash, MinHashLSH

        began = time.perf_counter()
        if self._lsh is None:
            self._lsh = MinHashLSH(threshold=NEAR_IDENTICAL, num_perm=PERMUTATIONS)
            self._blank = MinHash(num_perm=PERMUTATIONS)
        sketch = self._blank.copy()
        sketch.update_batch([word.encode() for word in words])
        mine = frozenset(map(hash, words))
        for other in self._lsh.query(sketch):
            theirs = self._words[other]
            if len(mine & theirs) >= NEAR_IDENTICAL * len(mine | theirs):
                self._join(number, other)
        self._words[number] = mine
        self._lsh.insert(number, sketch)
        self.seconds += time.perf_counter() - began

    def numbers(self) -> list[int]:
        """The group of each row: the number of the first row in it."""
        return [self._first(number) for number in range(len(self._parent))]

    def _first(self, number: int) -> int:
        parent = self._parent
        while parent[number] != number:
            parent[number] = parent[parent[number]]
            number = parent[number]
        return number

    def _join(self, one: int, other: int) -> None:
        one, other = self._first(one), self._first(other)
        self._parent[max(one, other)] = min(one, other)


def _write_splits(rows_file: Path, sides: bytearray, out: Path) -> None:
    parts = [out / f"{name}.jsonl.part" for name in SPLITS]
    files = [part.open("w", encoding="utf-8") for part in parts]
    try:
        with rows_file.open(encoding="utf-8") as rows:
            for side, line in zip(sides, rows, strict=True):
                files[side].write(line)
    finally:
        for file in files:
            file.close()
    for part, name in zip(parts, SPLITS, strict=True):
        part.replace(out / f"{name}.jsonl")


def read_split(folder: Path, name: str) -> list[dict[str, str]]:
    """The rows of one split as `prepare` wrote them."""
    path = folder / f"{name}.jsonl"
    if not path.is_file():
        raise DataError(
            f"{path} does not exist. Run `python -m finetune prepare` first.", key="data.no_split", file=str(path)
        )
    with path.open(encoding="utf-8") as file:
        return [json.loads(line) for line in file]
