"""Gradio's chat history as plain messages. It knows one thing: how Gradio 6 nests what was said."""

from __future__ import annotations

from typing import Any

from finetune.data.prompts import Message

Turn = dict[str, Any]
"""A message as Gradio's chatbot holds it: `role`, `content` as text or in blocks, sometimes `metadata`."""

FIXED = "fixed"
"""Marks a message that was not written by a model, such as the crisis message."""


def is_fixed(turn: Turn) -> bool:
    """True for a message that no model wrote."""
    return (turn.get("metadata") or {}).get("id") == FIXED


def place_of(event: Any) -> int:
    """The place in the history of what an event of Gradio's chatbot is about; it comes bare, or first in a list."""
    return int(event.index[0] if isinstance(event.index, (list, tuple)) else event.index)


def messages(history: list[Turn]) -> list[Message]:
    """`{"role", "content"}` with the text of every block joined; blocks that hold no text are left out."""
    plain = []
    for turn in history:
        content = turn["content"]
        if isinstance(content, list):
            content = "\n".join(block["text"] for block in content if block.get("type") == "text")
        if isinstance(content, str) and content.strip():
            plain.append({"role": turn["role"], "content": content})
    return plain


def for_model(history: list[Turn]) -> list[Message]:
    """What the model may see: turns that were answered with a fixed message are left out, both sides."""
    kept: list[Turn] = []
    for turn in history:
        if turn["role"] == "assistant" and is_fixed(turn):
            if kept and kept[-1]["role"] == "user":
                kept.pop()
            continue
        kept.append(turn)
    return messages(kept)


def without_last_reply(history: list[Turn]) -> list[Turn]:
    """The history up to and including the person's last message."""
    end = len(history)
    while end and history[end - 1]["role"] != "user":
        end -= 1
    return history[:end]
