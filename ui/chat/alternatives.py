"""Replies to the same message, side by side: `{"options": their texts, "chosen": the place of the one that stands}`.

While another one is being written, `chosen` is the place after the last, and `before` the one that stood there. Pure:
what the page shows of it is in chat.js.
"""

from __future__ import annotations

from typing import Any

from ui import history as histories
from ui.history import Turn

ONE_REPLY: dict[str, Any] = {"options": [], "chosen": 0}
"""Where the last message has only one."""


def asked_again(turns: list[Turn], options: dict[str, Any]) -> dict[str, Any]:
    """Another reply is asked for; `turns` still hold the one that stands."""
    before = histories.without_last_reply(turns)
    standing = histories.messages(histories.for_model(turns)[len(histories.for_model(before)) :])
    listed = [*options["options"]] or [one["content"] for one in standing]
    return {"options": listed, "chosen": len(listed), "before": min(options["chosen"], len(listed) - 1)}


def ended(turns: list[Turn], options: dict[str, Any]) -> tuple[list[Turn], dict[str, Any]]:
    """The reply that was asked for is over: it stands beside the others, or what stood before it stands again."""
    texts = options["options"]
    if not texts or options["chosen"] != len(texts):
        return turns, options
    if turns and histories.is_fixed(turns[-1]):  # nothing of it is offered, and the help stays where it is
        return turns, {"options": texts, "chosen": -1}
    last = histories.messages(turns[-1:])
    if last and last[0]["role"] == "assistant":
        return turns, {"options": [*texts, last[0]["content"]], "chosen": len(texts)}
    place = options.get("before", len(texts) - 1)
    again = [*histories.without_last_reply(turns), {"role": "assistant", "content": texts[place]}]
    return again, {"options": texts, "chosen": place} if len(texts) > 1 else ONE_REPLY


def chosen(turns: list[Turn], options: dict[str, Any]) -> tuple[list[Turn], str | None]:
    """The conversation with another of the replies in it, and the text it was preferred to; None where none was."""
    texts, place = options["options"], options["chosen"]
    before = options.get("before", place)
    over = texts[before] if before != place and 0 <= before < len(texts) else None
    return [*histories.without_last_reply(turns), {"role": "assistant", "content": texts[place]}], over
