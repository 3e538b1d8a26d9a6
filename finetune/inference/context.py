"""How much of a long conversation a model is given: the last whole turns that fit, never a part of one.

A turn is what a person said with the reply to it. The system prompt always stays, and so does the last message;
what is left out is counted, so that the page can say so. It counts nothing itself.
"""

from __future__ import annotations

import bisect
from collections.abc import Callable, Sequence

from finetune.data.prompts import Message
from finetune.errors import BackendError

WINDOW = 4096
"""Tokens of prompt and reply together, at most: a cache that fits beside an 8B base in 4 bits on a 16 GB card, and
more turns than a listener recalls. A model that can take less is given less."""


def within(
    messages: Sequence[Message], room: int, count: Callable[[Sequence[Message]], int]
) -> tuple[list[Message], int]:
    """The messages that fit, and how many turns before them were left out.

    room: tokens that the prompt may take; count: tokens of a conversation. BackendError where the last message alone
    takes more.
    """
    system = [message for message in messages[:1] if message["role"] == "system"]
    spoken = list(messages[len(system) :])
    starts = [number for number, message in enumerate(spoken) if message["role"] == "user"]

    def kept(left_out: int) -> list[Message]:
        return [*system, *spoken[starts[left_out] if left_out else 0 :]]

    # Counting is dear, and what is left grows ever shorter: so the first cut that fits is searched for by halves.
    numbers = range(len(starts))
    fewest = bisect.bisect_left(numbers, True, key=lambda left_out: count(kept(left_out)) <= room)
    if fewest < len(starts):
        return kept(fewest), fewest
    raise BackendError(
        f"The message is longer than the model can read at once ({room} tokens). Send it in parts.",
        key="backend.message_too_long",
        room=room,
    )
