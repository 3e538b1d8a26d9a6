"""Twenty reviewers vote at once through the app, which is killed with -9 five times on the way.

Each reviewer is a thread that asks for a pair, thinks for a moment, and votes, over plain HTTP. A vote whose answer a
kill cut off is sent again with the same ticket, as the page does. At the end the store holds each one, once.
"""

from __future__ import annotations

import json
import random
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from pathlib import Path
from typing import Any

from finetune.inference.backends import ScriptedBackend
from finetune.recipe import Generation
from finetune.review import pair_sets, prompt_sets
from finetune.review.contestants import Contestant
from finetune.review.votes import FILE, VoteStore
from trials.serving import App, free_port

CLAIM = (
    "Of votes by 20 reviewers at once, the app killed with -9 five times, not one that was acknowledged is lost or"
    " doubled, and 95 % of votes are answered within 100 ms."
)
REVIEWERS, KILLS = 20, 5
MOST_MS = 100.0
THINKING_SECONDS = (0.3, 0.9)
"""Between two votes; people take longer, so that this is a room of about a hundred."""

MOST_SECONDS = 1800.0


def trial(folder: Path, size: int, seed: int) -> dict[str, Any]:
    """Take `size` votes; what came out, as `trials/__main__.py` wants it."""
    home, chance = folder / "home", random.Random(seed)
    each = -(-size // REVIEWERS)
    _lay_out(home, each)
    app = App(folder, free_port())
    people = [_Person(app.address, number, each, random.Random(f"{seed} {number}")) for number in range(REVIEWERS)]
    app.start()
    app.wait()
    threads = [threading.Thread(target=person.review, daemon=True) for person in people]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for kill in range(KILLS):
        due = size * (kill + 1) / (KILLS + 1) * chance.uniform(0.85, 1.0)
        while sum(len(person.acknowledged) for person in people) < due and time.monotonic() - began < MOST_SECONDS:
            time.sleep(0.02)
        app.kill()
        app.start()
        app.wait()
    for thread in threads:
        thread.join(max(0.0, MOST_SECONDS - (time.monotonic() - began)))
    seconds = time.monotonic() - began
    app.kill()
    kept = Counter(line["vote_id"] for line in VoteStore(home / FILE).lines())
    said = [ticket for person in people for ticket in person.acknowledged]
    times = sorted(ms for person in people for ms in person.milliseconds)
    p95 = times[int(0.95 * len(times))]
    lost, doubled = len(set(said) - set(kept)), sum(count > 1 for count in kept.values())
    problems = [problem for person in people for problem in person.problems]
    return {
        "claim": CLAIM,
        "passed": not lost and not doubled and not problems and len(said) == len(kept) >= size and p95 <= MOST_MS,
        "votes_acknowledged": len(said),
        "votes_kept": len(kept),
        "lost": lost,
        "doubled": doubled,
        "app_kills": KILLS,
        "answers_that_a_kill_cut_off": sum(person.cut_off for person in people),
        "reviewers": REVIEWERS,
        "seconds": round(seconds),
        "votes_a_second": round(len(said) / seconds, 1),
        "median_ms": round(times[len(times) // 2], 1),
        "p95_ms": round(p95, 1),
        "longest_ms": round(times[-1], 1),
        "problems": problems[:5],
        "rows": [],
    }


def _lay_out(home: Path, each: int) -> None:
    """A set with as many items as each reviewer shall judge, repeats left out of account: it may be a few more."""
    prompts = prompt_sets.pasted("\n".join(f"কথা নম্বর {number}, মনটা আজ ভালো নেই।" for number in range(each)))
    sides = Contestant("base"), Contestant("remote:m@http://localhost:1", model="m", url="http://localhost:1")
    home.mkdir(parents=True)
    order = pair_sets.Order(*sides, prompts, Generation())
    pair_sets.generate(home, order, (ScriptedBackend("তথ্য একটি।"), ScriptedBackend("শুনছি আপনার কথা।")))


class _Person:
    """A reviewer: asks, thinks, votes, and sends a vote again until it is acknowledged."""

    def __init__(self, address: str, number: int, most: int, chance: random.Random) -> None:
        self.address, self.name, self.most, self.chance = address, f"r{number}", most, chance
        self.acknowledged: list[str] = []
        self.milliseconds: list[float] = []
        self.cut_off = 0
        self.problems: list[str] = []

    def review(self) -> None:
        """Go through the set."""
        shown = self._ask("next_pair", "", self.name, {})
        while shown and shown["ticket"] and len(self.acknowledged) < self.most:
            time.sleep(self.chance.uniform(*THINKING_SECONDS))
            ticket = shown["ticket"]
            shown = self._ask("vote", ticket, self.chance.choice(("left", "right", "both_good")), shown["reviewer"])
            if shown:
                self.acknowledged.append(ticket["vote_id"])

    def _ask(self, endpoint: str, *data: Any) -> dict[str, Any] | None:
        body = json.dumps({"data": data, "session_hash": self.name}).encode()  # a session each, as browsers have
        while True:
            request = urllib.request.Request(
                f"{self.address}/gradio_api/run/{endpoint}", body, {"Content-Type": "application/json"}
            )
            began = time.perf_counter()
            try:
                with urllib.request.urlopen(request, timeout=30) as answer:
                    result = json.load(answer)["data"][0]
            except urllib.error.HTTPError as error:
                self.problems.append(f"{endpoint}: HTTP {error.code}")
                return None
            except (urllib.error.URLError, ConnectionError, TimeoutError, OSError, ValueError):
                self.cut_off += endpoint == "vote"
                time.sleep(0.2)
                continue
            if endpoint == "vote":
                self.milliseconds.append(1000 * (time.perf_counter() - began))
            return result
