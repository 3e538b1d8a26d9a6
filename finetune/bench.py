"""Measure the demo model, or a model of random weights, on this machine: `python -m finetune bench WHAT`.

`chat` and `pair` are measured here on the demo model: every figure is the median of several replies of equally many
tokens after a warm-up, a peer's in the same run. With a shape they are what `bench_decoding.py` measures of it, and
`decode` and `train` are whole comparisons. An option that a bench has no use for is refused. It does not judge what
was said.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from finetune import bench_decoding, bench_generate, bench_training, models
from finetune.bench_generate import USUAL, Load
from finetune.data.prompts import PromptFormat, conversation, encode_prompt
from finetune.errors import RunError
from finetune.inference.backends import LocalBackend, Side
from finetune.recipe import Generation
from finetune.terminal import usage

PROMPT = "আজ অফিসে সবার সামনে বস আমাকে বকলেন, তারপর থেকে কোনো কাজে মন বসাতে পারছি না।"
TOKENS = 100
REPEATS = 5
"""Of `chat` and `pair` where nobody says how many."""

TRANSFORMERS, UNSLOTH, NONE = "transformers", "unsloth", "none"

PEERS = {
    "chat": (TRANSFORMERS, UNSLOTH),
    "pair": (TRANSFORMERS,),
    "train": (TRANSFORMERS, UNSLOTH),
    "decode": (TRANSFORMERS, UNSLOTH),
}
"""Every bench with the peers that it can be set beside."""

SETTINGS = Generation(max_new_tokens=TOKENS, temperature=bench_generate.TEMPERATURE, top_p=bench_generate.TOP_P, seed=1)


def run(
    what: str,
    shape: str | None = None,
    peers: Sequence[str] = (),
    repeats: int | None = None,
    folder: Path | None = None,
    tell: Callable[[str], None] = lambda line: None,
) -> tuple[dict[str, Any], list[str]]:
    """The result of a bench, and its lines for people.

    Without `peers`, `train` and `decode` choose their own, `chat` and `pair` have none. `folder` keeps what `train` has
    measured, which `tell` hears of line by line. RecipeError, which says which option, where a bench has no use for
    what it was given; RunError where the shape is not known, a part fails, or the folder holds something else.
    """
    wanted = _peers(what, shape, peers)
    if shape == "":
        raise usage("--shape", "is empty. Write llama-3.1-8b, or leave it out for the demo model.")
    if folder is not None and (folder == Path() or folder.is_file()):
        raise usage("--folder", f"{str(folder)!r} is no folder to write into. Name one of its own, new or begun.")
    if folder and what != "train":
        raise usage("--folder", "only train keeps what it has measured. Leave it out.")
    if what == "train":
        if repeats is not None:
            raise usage("--repeats", "train measures six updates of each way, however often. Leave it out.")
        result = bench_training.train(shape, (TRANSFORMERS,) if wanted is None else wanted, tell, folder)
        return result, bench_training.lines(result)
    if what == "decode":
        result = bench_decoding.decode(shape, replace(USUAL, repeats=repeats or USUAL.repeats), peers=wanted)
        return result, bench_decoding.lines(result)
    asked = (what, wanted or [], repeats or REPEATS)
    result = _of_shape(*asked, shape) if shape else _of_demo(*asked)
    return result, _lines(result)


def _peers(what: str, shape: str | None, peers: Sequence[str]) -> list[str] | None:
    """The peers asked for; None where nobody asked."""
    if what not in PEERS:
        raise usage("bench", f"{what!r} is not known; choose one of {', '.join(PEERS)}.")
    if NONE in peers and set(peers) != {NONE}:
        raise usage("--peer", "none means that there is no peer; leave the others out, or leave it out.")
    for name in set(peers) - {NONE}:
        if name not in PEERS[what]:
            known = ", ".join(PEERS[what])
            raise usage("--peer", f"{what} has no peer {name!r} here; choose {known} or none.")
        if name == UNSLOTH and what == "chat" and not shape:
            raise usage("--peer", "unsloth is measured on random weights only; add --shape llama-3.1-8b.")
        if name == UNSLOTH and not find_spec("unsloth"):
            raise usage("--peer", "unsloth is not installed. Install requirements-gpu.txt, or leave it out.")
    return [name for name in dict.fromkeys(peers) if name != NONE] if peers else None


def _of_demo(what: str, peers: Sequence[str], repeats: int) -> dict[str, Any]:
    load = Load(tokens=TOKENS, repeats=repeats)
    ours = chat(repeats) if what == "chat" else pair(repeats)
    theirs = {}
    if TRANSFORMERS in peers:
        model, ids = _with_peft()
        measure = bench_generate.generate if what == "chat" else bench_generate.pair
        theirs[TRANSFORMERS] = measure(model, load, ids)
    return _beside(what, ours, theirs, repeats, TOKENS)


def _of_shape(what: str, peers: Sequence[str], repeats: int, shape: str) -> dict[str, Any]:
    load = Load(repeats=repeats)
    ours = bench_decoding.name_of_ours()
    parts = bench_decoding.decode(shape, load, peers=peers, only={ours})["parts"]
    for part in parts.values():
        if "failed" in part:
            text = part["failed"].strip().splitlines()[-1]
            raise RunError(
                f"The bench failed at {what}: {text}. Free memory and disk space, then try again.",
                key="bench.failed",
                part=what,
                text=text,
            )
    theirs = {name: parts[bench_decoding.PEERS[name]] for name in peers}
    return {**_beside(what, parts[ours], theirs, repeats, load.tokens), "shape": shape}


def _beside(
    what: str, ours: dict[str, Any], theirs: dict[str, dict[str, Any]], repeats: int, tokens: int
) -> dict[str, Any]:
    """What `chat` or `pair` tells: ours by itself, each peer by its name, and how much faster ours is than the best."""

    def kept(part: dict[str, Any]) -> dict[str, Any]:
        if what == "chat":
            return {key: part[key] for key in ("first_token_ms", "tokens_per_second")}
        return {"ratio": part["pair"], "pair_s": part["pair_s"], "reply_s": part["reply_s"]}

    found = {**kept(ours), "tokens": tokens, "repeats": repeats, "device": models.device()}
    if theirs:
        found["peers"] = {name: kept(part) for name, part in theirs.items()}
        if what == "chat":
            best = max(part["tokens_per_second"] for part in theirs.values())
            found["times_the_peer"] = ours["tokens_per_second"] / best
        else:
            found["times_the_peer"] = min(part["pair_s"] for part in theirs.values()) / ours["pair_s"]
    return found


def chat(repeats: int) -> dict[str, float]:
    """First token and rate of one reply: 4-bit base with the demo adapter, as the chat tab runs it."""
    backend, side = _backend(), Side(conversation(PROMPT), models.DEMO_ADAPTER, SETTINGS)
    replies = [_times(backend, [side]) for _ in range(repeats + 1)][1:]  # the first reply is the warm-up
    return {
        "first_token_ms": statistics.median(times[0] for times in replies) * 1000,
        "tokens_per_second": statistics.median(bench_generate.rate(times) for times in replies),
    }


def pair(repeats: int) -> dict[str, float]:
    """Time of base and tuned in one batch over the time of the tuned reply alone, same number of tokens."""
    backend, messages = _backend(), conversation(PROMPT)
    base, tuned = (Side(messages, adapter, SETTINGS) for adapter in (None, models.DEMO_ADAPTER))
    alone, both = [], []
    for number in range(repeats + 1):
        for sides, times in (([tuned], alone), ([base, tuned], both)):
            seconds = _times(backend, sides)[-1]
            if number:
                times.append(seconds)
    one, two = statistics.median(alone), statistics.median(both)
    return {"pair": two / one, "pair_s": two, "reply_s": one}


def _backend() -> LocalBackend:
    backend = LocalBackend(str(models.DEMO_BASE))
    backend.load()
    return backend


def _times(backend: LocalBackend, sides: Sequence[Side]) -> list[float]:
    """Seconds until each step's tokens were there; the end of a reply is ignored, so that lengths are equal."""
    began = time.perf_counter()
    return [time.perf_counter() - began for _ in backend.tokens(sides, ignore_end=True)]


def _with_peft() -> tuple[Any, list[int]]:
    """The demo's 4-bit base with its adapter as PEFT runs it, and the prompt that ours is asked."""
    from peft import PeftModel

    base, tokenizer = models.load_base(str(models.DEMO_BASE), four_bit=True)
    ids = encode_prompt(tokenizer, conversation(PROMPT), PromptFormat.load(models.DEMO_ADAPTER))
    return PeftModel.from_pretrained(base, models.DEMO_ADAPTER).eval(), ids


def _lines(found: dict[str, Any]) -> list[str]:
    peers = found.get("peers", {})
    rows = {key: value for key, value in found.items() if key != "peers"}
    rows |= {f"{name}: {key}": value for name, part in peers.items() for key, value in part.items()}
    return [f"{key}: {value:.2f}" if isinstance(value, float) else f"{key}: {value}" for key, value in rows.items()]
