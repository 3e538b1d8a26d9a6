"""From a conversation to its next reply: screened, understood, cut to what fits, written, screened again.

The order is the point: what a person says is screened before any model is asked, as it was typed and as it is
understood; what a model says is screened sentence by sentence before anybody sees it. Knows no widgets, keeps nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from finetune.inference import banglish, safety
from finetune.inference.backends import Side
from finetune.inference.pacing import paced
from finetune.inference.reply_screen import UnsafeReply, screened
from ui import history as histories
from ui.history import Turn
from ui.layout_parts import LONGEST_SYSTEM_PROMPT, crisis_text, settings_of, withheld_text
from ui.services import Services


@dataclass(frozen=True)
class Asked:
    """What is asked of the model beside the conversation."""

    adapter: str
    values: Sequence[Any]
    """Temperature, top-p, length and seed, as the panel holds them."""
    system_prompt: str = ""
    """Empty: the one that the adapter was trained with."""
    times: int = 0
    """How often the last message was answered anew: each time takes the next seed."""
    meant: Mapping[str, str] = field(default_factory=dict)
    """What a person said that their romanised messages mean, by the message."""


@dataclass(frozen=True)
class Answer:
    """The conversation as the reply grows."""

    turns: list[Turn]
    left_out: int = 0
    """Turns at the beginning that the model was not given, for want of room."""
    withheld: bool = False
    """True once a sentence of the reply was held back; help stands in its place."""

    @property
    def text(self) -> str:
        """The reply so far."""
        return self.turns[-1]["content"] if self.turns[-1]["role"] == "assistant" else ""


def tier_of(turns: Sequence[Turn], meant: Mapping[str, str] = {}) -> str:  # noqa: B006  (it is only read)
    """How urgent the person's last messages are, as they were typed and as they are understood."""
    said = [message for message in histories.messages(turns) if message["role"] == "user"]
    read = [{**message, "content": understood(message["content"], meant)} for message in said]
    return max(map(safety.screen_conversation, (said, read)), key=safety.TIERS.index)


def understood(text: str, meant: Mapping[str, str] = {}) -> str:  # noqa: B006
    """A message as the model reads it: what the person said that it means, else Banglish in Bengali letters."""
    return meant.get(text) or banglish.understood(text) or text


def help_first(turns: Sequence[Turn], meant: Mapping[str, str], language: str) -> Turn | None:
    """The fixed message, which answers instead of a model where the screen says strong; else None."""
    if tier_of(turns, meant) != "strong":
        return None
    last = next(turn for turn in reversed(histories.messages(turns)) if turn["role"] == "user")
    return _fixed(crisis_text(language, again=tier_of([last], meant) != "strong"))


def answers(
    services: Services,
    turns: list[Turn],
    asked: Asked,
    language: str,
    stop: threading.Event | None = None,
    *,
    pace: bool = False,
) -> Iterator[Answer]:
    """The conversation as the reply grows; the fixed message where the screen says strong.

    stop: ends the reply once it is set. pace: letters at a steady pace, for eyes; other programs get the sentences as
    they come.
    """
    fixed = help_first(turns, asked.meant, language)
    if fixed:
        yield Answer([*turns, fixed])
        return
    folder = services.adapter(asked.adapter)
    settings = settings_of(services.generation(asked.adapter), *asked.values)
    settings = replace(settings, seed=settings.seed + asked.times)
    side = Side(_for_model(turns, asked), folder, settings)
    cut: list[int] = [0]

    def written() -> Iterator[str]:
        fitting, cut[0] = services.backend.fit(side)
        for (piece,) in services.backend.stream([fitting], stop):
            yield piece

    text = ""
    stream = screened(written())
    try:
        for piece in paced(stream, stop) if pace else stream:
            text += piece
            yield Answer([*turns, _said(text)], cut[0])
    except UnsafeReply:
        kept = [_said(text.strip())] if text.strip() else []
        yield Answer([*turns, *kept, _fixed(withheld_text(language))], cut[0], withheld=True)
        return
    yield Answer([*turns, _said(text.strip())] if text.strip() else turns, cut[0])


def _for_model(turns: list[Turn], asked: Asked) -> list[dict[str, str]]:
    messages: list[dict[str, str]] = []
    heavy = False
    for message in histories.for_model(turns):
        if message["role"] == "user":  # other programs hand back a history that does not say what was fixed in it
            heavy = tier_of([message], asked.meant) == "strong"
            message = {**message, "content": understood(message["content"], asked.meant)}
        if not heavy:
            messages.append(message)
    system = asked.system_prompt.strip()[:LONGEST_SYSTEM_PROMPT]
    return [{"role": "system", "content": system}, *messages] if system else messages


def _said(text: str) -> Turn:
    return {"role": "assistant", "content": text}


def _fixed(text: str) -> Turn:
    return {**_said(text), "metadata": {"id": histories.FIXED}}
