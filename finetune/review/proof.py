"""Proof that the two sides of a pair set are what they claim, before anybody is asked to judge.

One fixed probe goes through the very batch that pairs go through: both rows together, the adapter's gate open for one
and shut for the other. Equal hashes mean that an adapter is not applied (or is the same twice), and the set is refused;
a base whose row differs from the base without any adapter is refused as well. Where weights are on another machine, no
logits can be seen: whole replies to the probes, at temperature 0, are compared instead.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from finetune.data.prompts import conversation
from finetune.errors import ReviewError
from finetune.inference.backends import Backend, Side, replies
from finetune.recipe import Generation
from finetune.review.contestants import Contestant

PROBES = ("আজ মনটা ভালো নেই।", "নতুন চাকরিটা পেয়ে গেলাম, কাকে আগে জানাব?", "রাতে ঘুম আসে না, কেন জানি না।")
"""Neutral enough for any model; the first alone is used where logits can be seen."""

GREEDY = Generation(max_new_tokens=48, temperature=0.0)


@dataclass(frozen=True)
class Proof:
    """What was seen: hashes of both sides and in what state each adapter was; `kind` is logits or replies."""

    kind: str
    base_state: str
    tuned_state: str
    base_hash: str
    tuned_hash: str
    base_alone_hash: str = ""
    """Of the base without any adapter in the batch; equals base_hash where the first side is the base."""


def prove(base: Contestant, tuned: Contestant, base_backend: Backend, tuned_backend: Backend) -> Proof:
    """Compare both sides on the probe; ReviewError where they are the same or the base is not the base."""
    states = _state(base), _state(tuned)
    probe = getattr(base_backend, "first_logits", None)
    if base_backend is tuned_backend and probe is not None:
        sides = [Side(conversation(PROBES[0]), one.adapter, GREEDY) for one in (base, tuned)]
        first, second = (_hash(logits) for logits in probe(sides))
        alone = ""
        if base.adapter is None:
            bare = [Side(side.messages, None, GREEDY) for side in sides]  # the same shape of batch, no adapter in it
            alone = _hash(probe(bare)[0])
        proof = Proof("logits", *states, first, second, alone)
    else:
        texts = [
            "\n".join(replies(backend, [Side(conversation(probe), one.adapter, GREEDY) for probe in PROBES]))
            for one, backend in ((base, base_backend), (tuned, tuned_backend))
        ]
        proof = Proof("replies", *states, *(hashlib.sha256(text.encode()).hexdigest() for text in texts))
    if proof.base_hash == proof.tuned_hash:
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
    return proof


def _state(one: Contestant) -> str:
    if one.remote:
        return "remote"
    return "gate shut" if one.adapter is None else f"gate open, {one.fingerprint()[:16]}"


def _hash(logits: Any) -> str:
    """Of one row's logits, (vocabulary,), to the last bit."""
    return hashlib.sha256(logits.float().cpu().numpy().tobytes()).hexdigest()
