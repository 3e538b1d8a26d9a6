"""Proof that the two sides of a pair set are what they claim, before anybody is asked to judge.

One fixed probe goes through the very batch that pairs go through: both rows together, the adapter's gate open for one
and shut for the other. Then once more with the first side in both rows, so that each row can be held against itself: a
row depends, in its last bits, on its place in a batch. Equal hashes mean that an adapter is not applied (or is the same
twice), and the set is refused; a base whose row differs from the base without any adapter is refused as well.

Where a side is on another machine, no logits can be seen. Whole replies to the probes at temperature 0 are compared
instead, those that come out the same twice: others differ by chance. It does not know whether an adapter is any good.
"""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass
from typing import Any

from finetune.data.prompts import PromptFormat, conversation
from finetune.errors import ReviewError
from finetune.inference.backends import Backend, Side
from finetune.recipe import Generation
from finetune.review import pairs
from finetune.review.contestants import Contestant

PROBES = ("আজ মনটা ভালো নেই।", "নতুন চাকরিটা পেয়ে গেলাম, কাকে আগে জানাব?", "রাতে ঘুম আসে না, কেন জানি না।")
"""Neutral enough for any model; the first alone is used where logits can be seen."""

GREEDY = Generation(max_new_tokens=48, temperature=0.0)

log = logging.getLogger("shohomormi")


@dataclass(frozen=True)
class Proof:
    """What was seen of both sides, as sha256; `kind` is logits or replies, a state says whose weights were applied."""

    kind: str
    base_state: str
    tuned_state: str
    base_hash: str
    tuned_hash: str
    """Both empty where no reply came out the same twice."""
    base_alone_hash: str = ""
    """Of the first row with no adapter in the batch: base_hash, if base is base. Empty where the first side is none."""
    tuned_off_hash: str = ""
    """Of the second row asked as the first side: not tuned_hash, if the adapter does something. Empty for replies."""
    probe_hash: str = ""
    """Of what was asked, and in which format."""


def seen(base: Contestant, tuned: Contestant, backends: tuple[Backend, Backend]) -> Proof:
    """Ask both sides the probe; ReviewError where no one format fits both. It does not judge: `check` does."""
    style = pairs.format_of((base, tuned))
    states = [_state(one, backend) for one, backend in zip((base, tuned), backends, strict=True)]
    probe = getattr(backends[0], "first_logits", None)
    if backends[0] is not backends[1] or probe is None:
        return Proof("replies", *states, *_replies((base, tuned), backends), probe_hash=_probe_hash(PROBES, style))

    def rows(*contestants: Contestant) -> list[str]:
        sides = [Side(conversation(PROBES[0]), one.adapter, GREEDY) for one in contestants]
        return [_hash(logits) for logits in probe(sides, style)]

    both, twice = rows(base, tuned), rows(base, base)
    if base.adapter is None and both[0] != twice[0]:
        # Once, on a busy virtual machine, a first row came out otherwise, and never again: no gate explains that, and
        # one that does not shut is found the second time too.
        told = "The base's first row is %.8s with the adapter in its batch and %.8s without: asked again."
        log.warning(told, both[0], twice[0])
        both, twice = rows(base, tuned), rows(base, base)
    alone = twice[0] if base.adapter is None else ""
    return Proof("logits", *states, *both, alone, twice[1], _probe_hash(PROBES[:1], style))


def check(proof: Proof, base: Contestant, tuned: Contestant) -> None:
    """ReviewError where a proof shows that nothing could be judged: the same side twice, or a base that is not."""
    if not (proof.base_hash and proof.tuned_hash):
        raise ReviewError(
            f"{base.title} or {tuned.title} answers the same probe differently each time, even at temperature 0, so it"
            " cannot be shown which model answers. The set is refused. Try again while the server has nothing else to"
            " do.",
            key="review.unsteady",
            base=base.title,
            tuned=tuned.title,
        )
    if base.fingerprint() == tuned.fingerprint() or proof.tuned_hash in (proof.base_hash, proof.tuned_off_hash):
        raise ReviewError(
            f"{base.title} and {tuned.title} answer the probe in exactly the same way: the adapter is not applied, has"
            " learnt nothing, or is the same twice. Nothing could be judged, so the set is refused. Choose another"
            " adapter, or train it again.",
            key="review.same_model",
            base=base.title,
            tuned=tuned.title,
        )
    if proof.base_alone_hash and proof.base_alone_hash != proof.base_hash:
        raise ReviewError(
            "With the adapter's gate shut the base does not answer as the base alone does, so it is not the base that"
            " would be judged. The set is refused; please report this with your versions of torch and bitsandbytes.",
            key="review.not_the_base",
        )


def _replies(contestants: tuple[Contestant, Contestant], backends: tuple[Backend, Backend]) -> list[str]:
    """The hash of each side's replies to those probes that both sides answer the same way twice."""
    first, again = (pairs.matched(PROBES, contestants, [GREEDY] * len(PROBES), backends) for _ in range(2))
    steady = [one for one, other in zip(first, again, strict=True) if one == other]
    return [hashlib.sha256("\n".join(texts).encode()).hexdigest() for texts in zip(*steady, strict=True)] or ["", ""]


def _state(one: Contestant, backend: Backend) -> str:
    if one.remote or not hasattr(backend, "first_logits"):
        return "remote"
    return "gate shut" if one.adapter is None else f"gate open, {one.fingerprint()[:16]}"


def _probe_hash(probes: tuple[str, ...], style: PromptFormat) -> str:
    return hashlib.sha256("\n".join([style.name, style.system_prompt, *probes]).encode()).hexdigest()


def _hash(logits: Any) -> str:
    """Of one row's logits, (vocabulary,), to the last bit."""
    return hashlib.sha256(logits.float().cpu().numpy().tobytes()).hexdigest()
