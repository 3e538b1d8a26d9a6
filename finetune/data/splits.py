"""Split rows 80/10/10 into train, validation and test, so that nothing near-identical sits on two sides.

A group is never torn: rows with the same or a near-identical question, and neighbouring rows with
the same topic and title (consecutive turns of one conversation; titles alone repeat across
conversations, research on the corpus found). Groups join transitively. It does not clean
(`corpus.py`, `preference_file.py`); it only reads the fields topic, title and question.
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
from contextlib import ExitStack
from pathlib import Path

from finetune import bengali
from finetune.data import corpus, preference_file
from finetune.errors import DataError
from finetune.recipe import Data

SPLITS = ("train", "validation", "test")

_FILES = (*(f"{name}.jsonl" for name in SPLITS), "report.json")

NEAR_IDENTICAL = 0.7
"""Jaccard similarity of two questions' word sets from which they count as one; one word changed
in a question of six words gives 5/7 = 0.71."""

BANDS, BAND_ROWS = 25, 4
"""How MinHash finds candidates, which are then compared exactly: of pairs at 5/7 it misses 1 in 2,000.
datasketch's own choice for 64 permutations, 8 bands of 8, misses every second one."""

FEWEST_WORDS = 5
"""Shorter questions are grouped only when all their words are the same."""

FEWEST_ROWS = 10

FEWEST_PAIRS = 2
"""Preferences: one to learn from and one to check with. Votes are dear, and the gate warns where there are few."""

MOST_TURNS = 8
LARGEST_SHARE = 0.05
"""More neighbouring rows under one title than either number are no conversation, but a table that
gives whole chapters one title: kept together they would all be training rows."""


def prepare(data: Data, out: Path, limit: int | None = None, *, objective: str = "sft") -> dict:
    """Clean and split a source into `train.jsonl validation.jsonl test.jsonl report.json` in `out`.

    For the objective dpo the source is a preference file, whose test split may be empty where there are few rows.
    Returns the report. Files are replaced only when everything went well.
    """
    pairs = objective == "dpo"
    clean_rows = preference_file.clean_rows if pairs else corpus.clean_rows
    began = time.perf_counter()
    try:
        out.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise DataError(
            f"{out} cannot be a folder: a file has that name. Choose another folder.", key="data.out", file=str(out)
        ) from error
    report = corpus.Report()
    groups = Groups()
    rows_part, *side_parts, report_part = parts = [out / f"{name}.part" for name in ("rows", *_FILES)]
    try:
        with rows_part.open("w", encoding="utf-8") as file:
            for row in clean_rows(data, report, limit):
                file.write(json.dumps(row, ensure_ascii=False) + "\n")
                if data.group:
                    groups.add(row)
        if pairs and report.kept < FEWEST_PAIRS:
            raise DataError(
                f"Only {report.kept} of {report.rows} preferences in {report.source} can be used; {FEWEST_PAIRS} are"
                " the least. Let reviewers judge more pairs.",
                key="data.few_pairs",
                kept=report.kept,
                rows=report.rows,
                fewest=FEWEST_PAIRS,
                file=report.source,
            )
        if not pairs and report.kept < FEWEST_ROWS:
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
        counts = {name: sides.count(index) for index, name in enumerate(SPLITS)}
        largest = max(Counter(members).values())
        if not all(counts[name] for name in (SPLITS[:2] if pairs else SPLITS)):
            raise DataError(
                f"The rows of {report.source} hang together too much to be split: {largest} of {report.kept} have"
                " near-identical questions or are one conversation. Add other rows, or set data.group to false.",
                key="data.one_group",
                kept=report.kept,
                largest=largest,
                file=report.source,
            )
        _write_sides(rows_part, sides, side_parts)
        result = report.to_dict() | {
            "splits": counts,
            "groups": len(set(members)),
            "largest_group": largest,
            "near_identical_seconds": round(groups.seconds, 3),
            "seconds": round(time.perf_counter() - began, 3),
        }
        report_part.write_text(json.dumps(result, ensure_ascii=False, indent=1), encoding="utf-8")
        for part, name in zip(parts[1:], _FILES, strict=True):
            part.replace(out / name)
    finally:
        for part in parts:
            part.unlink(missing_ok=True)
    return result


def assign(members: list[int], seed: int) -> bytearray:
    """The split, 0 train, 1 validation, 2 test, of each row, given the number of the group it is in.

    Two stages as the reference project did it: a fifth is held out (rounded up), then halved, test
    taking the odd row, but for a single one: what is trained on must be validated. Groups larger than half a split
    go to training, so that none swallows a side; a pair always fits, so that small tables get all three sides too.
    """
    sizes = Counter(members)
    total = len(members)
    held_out = math.ceil(total * 0.2)
    wanted = {2: math.ceil(held_out / 2), 1: held_out // 2} if held_out > 1 else {1: held_out}
    order = sorted(sizes)
    random.Random(seed).shuffle(order)
    side_of_group: dict[int, int] = {}
    for side, target in wanted.items():
        filled = 0
        for group in order:
            size = sizes[group]
            if filled >= target:
                break
            if group in side_of_group or size > max(2, target // 2) or filled + size > target + max(1, target // 20):
                continue
            side_of_group[group] = side
            filled += size
    return bytearray(side_of_group.get(group, 0) for group in members)


class Groups:
    """Finds which rows belong together while they stream by; holds hashes, not texts."""

    def __init__(self) -> None:
        self.seconds = 0.0
        """Time spent on comparing questions, which is reported by itself."""
        self._parent = array("l")
        self._conversation = array("l")
        """The number of the first of the neighbouring rows that share a row's topic and title."""
        self._row_of_question: dict[bytes, int] = {}
        self._words: dict[int, frozenset[int]] = {}
        self._last_title: tuple[str, str] = ("", "")
        self._lsh = None

    def add(self, row: dict[str, str]) -> None:
        """Take the next row, in file order."""
        number = len(self._parent)
        self._parent.append(number)
        title = (row["topic"], row["title"].casefold())
        goes_on = bool(row["title"]) and title == self._last_title
        self._conversation.append(self._conversation[-1] if goes_on else number)
        self._last_title = title
        began = time.perf_counter()
        words = [word.casefold() for word in bengali.words(row["question"])]
        digest = hashlib.blake2b(" ".join(words).encode(), digest_size=12).digest()
        same = self._row_of_question.setdefault(digest, number)
        if same != number:
            self._join(number, same)
        elif len(words) >= FEWEST_WORDS:
            self._join_near_identical(number, words)
        self.seconds += time.perf_counter() - began

    def _join_near_identical(self, number: int, words: Iterable[str]) -> None:
        from datasketch import MinHash, MinHashLSH

        if self._lsh is None:
            self._lsh = MinHashLSH(num_perm=BANDS * BAND_ROWS, params=(BANDS, BAND_ROWS))
            self._blank = MinHash(num_perm=BANDS * BAND_ROWS)
        sketch = self._blank.copy()
        sketch.update_batch([word.encode() for word in words])
        mine = frozenset(map(hash, words))
        for other in self._lsh.query(sketch):
            theirs = self._words[other]
            shared = len(mine & theirs)
            if shared >= NEAR_IDENTICAL * (len(mine) + len(theirs) - shared):
                self._join(number, other)
        self._words[number] = mine
        self._lsh.insert(number, sketch)

    def numbers(self) -> list[int]:
        """The group of each row: the number of the first row in it."""
        longest = max(MOST_TURNS, LARGEST_SHARE * len(self._parent))
        turns = Counter(self._conversation)
        for number, first in enumerate(self._conversation):
            if turns[first] <= longest:
                self._join(number, first)
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


def _write_sides(rows_file: Path, sides: bytearray, parts: list[Path]) -> None:
    with ExitStack() as stack:
        files = [stack.enter_context(part.open("wb")) for part in parts]
        for side, line in zip(sides, stack.enter_context(rows_file.open("rb")), strict=True):
            files[side].write(line)


def read_split(folder: Path, name: str) -> list[dict[str, str]]:
    """The rows of one split as `prepare` wrote them."""
    path = folder / f"{name}.jsonl"
    if not path.is_file():
        raise DataError(
            f"{path} does not exist. Run `python -m finetune prepare` first.", key="data.no_split", file=str(path)
        )
    with path.open(encoding="utf-8") as file:
        return [json.loads(line) for line in file]
