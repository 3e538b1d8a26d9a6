"""How many questions of an evaluation are decoded together, and what becomes of a batch that does not fit.

    FOLDER/batches.json   by stage, the sizes of all batches in turn; laid down before the first, halved where one was
                          too large

The longest questions come first, so that what does not fit is found at once and not after an hour. A reply may depend,
in its last bits, on what is decoded beside it: whoever resumes takes the sizes in the folder, whatever memory is free
by then. It knows memory as the card tells it and as a batch that fails does, and reckons no model's activations.
"""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from finetune import models
from finetune.review import durable

FILE = "batches.json"

MOST_ON_CPU = 32
"""Questions decoded together, two rows each: on two cores 82 ms a question, 94 with 16 and 73 with 64, but a kill then
costs at most three seconds of work."""

MOST_ON_GPU = 128
"""The same where a step reads all weights however many rows there are: an H200 wrote 7,900 tokens a second with 128
rows and 12,500 with 256, which is what `captured.py` takes."""

SHARE_FOR_CACHE = 0.3
"""Of the memory that is free beside the base, for the keys and values of one batch; a prefill takes as much again."""

Sizes = dict[str, list[int]]


@dataclass(frozen=True)
class Batching:
    """How many questions are decoded together: so many, and less where their tokens would be more than `tokens`.

    Both rows of a question count, the prompt with all tokens that may follow it; None sets no such limit.
    """

    most: int = MOST_ON_CPU
    tokens: int | None = None

    def sizes(self, lengths: Sequence[int], new_tokens: int) -> list[int]:
        """Sizes of batches for prompts of so many tokens, about the longest first, and so many tokens a reply."""
        found: list[int] = []
        longest = 0
        for length in lengths:
            longest = max(longest, length)
            if (
                not found
                or found[-1] >= self.most
                or (self.tokens is not None and 2 * (found[-1] + 1) * (longest + new_tokens) > self.tokens)
            ):
                found.append(0)
                longest = length
            found[-1] += 1
        return found


def of_machine(model: str) -> Batching:
    """What this machine decodes together of a base that is in its memory, by what is free beside it just now."""
    if models.device() == "cpu":
        return Batching()
    import torch
    from transformers import AutoConfig

    c = AutoConfig.from_pretrained(models.resolve(model))
    a_token = 2 * c.num_hidden_layers * c.num_key_value_heads * c.head_dim * models.compute_dtype().itemsize
    free, _ = torch.cuda.mem_get_info()
    free += torch.cuda.memory_reserved() - torch.cuda.memory_allocated()  # PyTorch's own, to be used again
    return Batching(MOST_ON_GPU, int(SHARE_FOR_CACHE * free / a_token))


def halved(sizes: Sequence[int], at: int) -> list[int]:
    """The sizes after batch `at` did not fit: it and all later ones that have as many questions are cut in two."""
    limit, found = sizes[at], list(sizes[:at])
    for size in sizes[at:]:
        found += [size - size // 2, size // 2] if size >= limit else [size]
    return found


def read(folder: Path, total: int, stages: Sequence[str]) -> Sizes | None:
    """The sizes that were laid down for so many questions; None where there are none, or a crash left no such thing."""
    try:
        found = json.loads((folder / FILE).read_text(encoding="utf-8"))
        sizes = {stage: [int(size) for size in found[stage]] for stage in stages}
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None
    sound = all(sum(one) == total and min(one, default=1) > 0 for one in sizes.values())
    return sizes if sound else None


def write(folder: Path, sizes: Mapping[str, Sequence[int]]) -> None:
    """Lay the sizes down, whole or not at all."""
    durable.replace(folder / FILE, json.dumps({stage: list(one) for stage, one in sizes.items()}) + "\n")


def mend(file: Path, ids: Sequence[str], sizes: Sequence[int]) -> int:
    """Cut a log of a line a question off after its last batch that is whole and in its place; how many those are."""
    if not file.is_file():
        return 0
    whole = end = at = 0
    with file.open("rb") as opened:
        asked = iter(ids)
        for size in sizes:
            left = size
            for wanted, line in zip(itertools.islice(asked, size), opened, strict=False):
                if not line.endswith(b"\n") or _id(line) != wanted:
                    break
                at, left = at + len(line), left - 1
            if left:
                break
            whole, end = whole + 1, at
    if file.stat().st_size > end:
        os.truncate(file, end)
    return whole


def _id(line: bytes) -> str | None:
    """The question of a line; None where a killed process or a crashed file system left something else."""
    try:
        return json.loads(line)["id"]
    except (ValueError, KeyError, TypeError):
        return None
