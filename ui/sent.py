"""What another program sends to be answered, made sure of before anything looks at it: texts and a history.

It may be of any shape, for a call is JSON; each thing that does not fit is one sentence, which quotes nothing. It does
not know who asks or who answers.
"""

from __future__ import annotations

from typing import Any

from finetune.errors import DataError
from ui import history as histories
from ui import wording
from ui.history import Turn

LONGEST_TEXT = 20_000
"""Characters of one message: more than any model here can read, and few enough for the screen to read at once."""

MOST_TURNS, LONGEST_HISTORY = 1_000, 200_000
"""Messages of a history, and characters of all of them."""

SPEAKERS = ("user", "assistant")


def message(sent: Any) -> str:
    """The message; DataError where it is none that can be answered."""
    text = _text(sent)
    if text is None:
        raise DataError("The message must be a text.", key="sent.no_text")
    if not text.strip():
        raise DataError(wording.sentence("compare.empty", "en"), key="compare.empty")
    _refuse_long(len(text), LONGEST_TEXT)
    return text


def name(sent: Any) -> str:
    """The name of who is asked, an adapter's or a model's; DataError where it is no name."""
    text = _text(sent)
    if text is None or not 0 < len(text) <= 300:
        raise DataError("The adapter must be named by its name.", key="sent.no_name")
    return text


def history(sent: Any) -> list[Turn]:
    """Turns of {"role", "content"} as a chat holds them; DataError where one is none.

    Contents may be texts or lists of Gradio's text blocks; what says of itself that no model wrote it, says so on.
    """
    if sent is None:
        return []
    if not isinstance(sent, list):
        raise _no_history()
    _refuse_long(len(sent), MOST_TURNS)
    turns = [_turn(one) for one in sent]
    _refuse_long(sum(len(turn["content"]) for turn in turns), LONGEST_HISTORY)
    return turns


def _turn(sent: Any) -> Turn:
    if not isinstance(sent, dict) or sent.get("role") not in SPEAKERS:
        raise _no_history()
    content = sent.get("content")
    blocks = content if isinstance(content, list) else [content]
    texts = [_text(block.get("text") if isinstance(block, dict) else block) for block in blocks]
    if None in texts:
        raise _no_history()
    turn = {"role": sent["role"], "content": "\n".join(texts)}
    metadata = sent.get("metadata")
    if isinstance(metadata, dict) and metadata.get("id") == histories.FIXED:
        turn["metadata"] = {"id": histories.FIXED}
    return turn


def _text(sent: Any) -> str | None:
    """A text without half characters, which JSON can name and no tokenizer can read; None where it is no text."""
    return sent.encode("utf-8", "replace").decode() if isinstance(sent, str) else None


def _refuse_long(there: int, most: int) -> None:
    if there > most:
        raise DataError(
            f"Too much at once: {there:,}, where at most {most:,} can be read. Send less.",
            key="sent.too_long",
            there=there,
            most=most,
        )


def _no_history() -> DataError:
    return DataError(
        'The history must be a list of {"role": "user" or "assistant", "content": text}.', key="sent.no_history"
    )
