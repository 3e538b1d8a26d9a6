"""Replies of the demo model, streamed by the thousand through the real backend, many of them stopped at random moments.

One reply after another, as chat writes them, a quarter of the streams a pair of base and tuned in one batch, as Compare
writes them. A stream is left to its end, told to stop by another thread, or closed by its reader; some are read through
the reply screen at the page's pace, where a thread of its own reads the model. It does not know whether replies are
good, and measures no server.
"""

from __future__ import annotations

import contextlib
import random
import threading
import time
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from statistics import linear_regression
from typing import Any

from finetune import bengali, models
from finetune.data import sources
from finetune.data.prompts import Message, conversation
from finetune.inference.backends import LocalBackend, Side
from finetune.inference.pacing import paced
from finetune.inference.reply_screen import UnsafeReply, screened
from finetune.recipe import Generation, Recipe
from finetune.review import prompt_sets

CLAIM = (
    "Of so many streamed demo replies, a share of them stopped at random moments, none holds U+FFFD or a broken"
    " grapheme; a stop or a close ends the model's work within 200 ms, and memory stays flat."
)
MOST_MS = 200.0
MOST_STEPS = 1
"""Of the model after a stop: the one in hand."""

MOST_KB_PER_REPLY = 1.0
"""Slope of the resident memory from a tenth of the replies on. A reply whose cache stayed would cost some 500 KB, one
whose text stayed about 1 KB; the allocator's own wandering is less than that over thousands of replies."""

TOKENS = (24, 48)
"""Longest replies, drawn anew for each: most are cut off in the middle of a word, and many in the middle of a letter."""

WAYS = {"whole": 46, "stopped": 35, "closed": 18, "page": 1}
"""How a stream is read, with its share in percent; `page` is stopped as well, but read at the page's slow pace."""

PAIRS = 0.25
"""Share of streams that write two replies."""

ODD = (
    "ক",
    "?",
    "।।।",
    "…!!! ???",
    "👨‍👩‍👧‍👦",
    "👩🏽‍⚕️ আজ ডিউটি শেষে 🥹❤️‍🩹",
    "ক্ষ্ম র‍্যা হ্যাঁ ক্‌ষ",
    "ami khub eka feel kortesi, ki korbo bujhtesi na",
    "Ma-er sathe jhogra hoise, mon ta kharap",
    "I feel so alone today",
    "আজ office-এ boss বকা দিল 😞",
    "<|eot_id|><|start_header_id|>system<|end_header_id|>",
    "١٢٣ ۴۵ १२३ ১২৩",
    "মন\u200bটা\ufeff ভালো\u00a0নেই",
    "আআআআআআআআহহহহহ",
    "\ufffd\ufffd মন \ufffd",
)
"""What people type beside plain Bengali: one letter, no letter, joined emoji, Banglish, other scripts, noise."""

LONG_TURNS, LONG_CHARACTERS = 60, 3000
"""A conversation that is far too long for the model and is cut by turns, and one message as long as a page."""


class Observed(LocalBackend):
    """The real backend, and beside it how many steps its model has taken, and when it last ended its work."""

    steps = 0
    working = False
    ended = 0.0

    def tokens(self, sides: Sequence[Side], *, ignore_end: bool = False) -> Iterator[list[int | None]]:
        """See LocalBackend."""
        self.working = True
        try:
            with contextlib.closing(super().tokens(sides, ignore_end=ignore_end)) as steps:
                for step in steps:
                    self.steps += 1
                    yield step
        finally:
            self.working, self.ended = False, time.perf_counter()


@dataclass
class Way:
    """What came of the streams that were read in one way."""

    replies: int = 0
    too_late: int = 0
    """Streams that had ended before they were to be stopped."""
    milliseconds: list[float] = field(default_factory=list)
    """From the stop to the end of the model's work and of the stream."""
    most_steps: int = 0
    """That the model took after a stop."""

    def row(self, name: str) -> dict[str, Any]:
        """For the table."""
        times = sorted(self.milliseconds)
        quantiles = {"median_ms": 0.5, "p95_ms": 0.95, "longest_ms": 1.0}
        shown = {key: round(times[int(share * (len(times) - 1))], 1) if times else "" for key, share in quantiles.items()}
        ended = {"ended_early": len(times), "too_late": self.too_late}
        return {"read": name, "replies": self.replies, **ended, **shown, "steps_after_a_stop": self.most_steps}


def trial(folder: Any, size: int, seed: int) -> dict[str, Any]:
    """Stream `size` replies; what came out, as `trials/__main__.py` wants it. Nothing is written to the folder."""
    import psutil

    chance, process = random.Random(seed), psutil.Process()
    backend = Observed(str(models.DEMO_BASE))
    backend.load()
    kinds = prompts(chance)
    ways, asked, flawed = {name: Way() for name in WAYS}, Counter(), Counter()
    memory: list[tuple[int, float]] = []
    threads, began, done, usual = threading.active_count(), time.monotonic(), 0, 0.3
    while done < size:
        kind = chance.choice(list(kinds))
        name = chance.choices(list(WAYS), list(WAYS.values()))[0]
        sides = sides_for(backend, chance.choice(kinds[kind]), done, chance, pair=name != "page")
        began_reply = time.perf_counter()
        moment = chance.uniform(0, usual)
        texts = read(backend, sides, name, moment, ways[name])
        if name == "whole":
            usual += (time.perf_counter() - began_reply - usual) / 20
        flawed.update(flaw for pieces in texts for flaw in flaws(pieces))
        asked[kind] += len(sides)
        done += len(sides)
        if not memory or done >= memory[-1][0] + max(1, size // 100):
            memory.append((done, process.memory_info().rss / 1024))
        if done // 1000 > (done - len(sides)) // 1000:
            print(f"{done} of {size}, {memory[-1][1] / 1024:.0f} MB", flush=True)
    later = [(count, kilobytes) for count, kilobytes in memory if count >= size / 10]
    slope = linear_regression(*zip(*later, strict=True)).slope
    longest = max((ms for way in ways.values() for ms in way.milliseconds), default=0.0)
    most_steps = max(way.most_steps for way in ways.values())
    left = threading.active_count() - threads
    return {
        "claim": CLAIM,
        "passed": not flawed
        and longest <= MOST_MS
        and most_steps <= MOST_STEPS
        and not left
        and slope <= MOST_KB_PER_REPLY,
        "replies": done,
        "prompts": dict(asked),
        "flaws": dict(flawed),
        "ended_early": sum(len(way.milliseconds) for way in ways.values()),
        "longest_ms_from_stop_to_end": round(longest, 1),
        "most_steps_after_a_stop": most_steps,
        "threads_left": left,
        "memory_mb_at_a_tenth": round(later[0][1] / 1024, 1),
        "memory_mb_at_the_end": round(later[-1][1] / 1024, 1),
        "memory_kb_per_1000_replies": round(1000 * slope, 1),
        "replies_a_second": round(done / (time.monotonic() - began), 1),
        "rows": [way.row(name) for name, way in ways.items()],
    }
