"""The chat format: messages to token ids and labels. The only place where it exists.

Training, evaluation, comparison and chat all come through here, and the format is saved with the
adapter (`prompt_format.json`) and read back by whoever loads it. Segments between special tokens are
encoded one by one, special tokens are put in by id: so there is exactly one BOS, and what a person
types, `<|eot_id|>` included, stays ordinary text. This module does not load tokenizers or models.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from finetune.errors import ModelError
from finetune.recipe import Data, default, describe

IGNORED = -100
"""The label that the loss skips (PyTorch's cross-entropy ignore_index)."""

FILE = "prompt_format.json"

OFFICIAL_DATES = "Cutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024\n\n"
"""What Llama 3.1's own chat template puts before the system prompt when it is given no date."""

Message = dict[str, str]


@dataclass(frozen=True)
class PromptFormat:
    """How a conversation is written for the model: which variant, and the system prompt."""

    name: str = default("data.prompt_format")
    system_prompt: str = default("data.system_prompt")

    def __post_init__(self) -> None:
        known = describe("data.prompt_format")["choices"]
        if self.name not in known:
            raise ModelError(
                f"{FILE} names the format {self.name!r}, which this version does not know ({', '.join(known)})."
                " Delete it to use the default format, or copy it again from the run.",
                key="model.prompt_format",
                file=FILE,
            )
        if not isinstance(self.system_prompt, str):
            raise TypeError(f"the system prompt must be a text, not {self.system_prompt!r}")

    @staticmethod
    def of(data: Data) -> PromptFormat:
        """The format that a recipe's data section asks for."""
        return PromptFormat(data.prompt_format, data.system_prompt)

    def save(self, folder: Path) -> None:
        """Write it beside an adapter."""
        (folder / FILE).write_text(json.dumps(asdict(self), ensure_ascii=False, indent=1), encoding="utf-8")

    @staticmethod
    def load(folder: Path) -> PromptFormat:
        """The format saved with an adapter; the default where a foreign adapter has none."""
        path = folder / FILE
        if not path.is_file():
            return PromptFormat()
        try:
            return PromptFormat(**json.loads(path.read_text(encoding="utf-8")))
        except (ValueError, TypeError) as error:
            raise ModelError(
                f"{path} is damaged. Delete it to use the default format, or copy it again from the run.",
                key="model.prompt_format",
                file=str(path),
            ) from error


def encode_prompt(tokenizer: Any, messages: Sequence[Message], style: PromptFormat) -> list[int]:
    """Token ids of a conversation that waits for the assistant's next message.

    messages: `{"role": "user" | "assistant" | "system", "content": text}` in order; without a system
    message the format's own stands first.
    """
    ids = [_special(tokenizer, "<|begin_of_text|>")]
    if not messages or messages[0]["role"] != "system":
        messages = [{"role": "system", "content": style.system_prompt}, *messages]
    for message in messages:
        ids += _header(tokenizer, message["role"]) + _content(tokenizer, message, style) + [end_id(tokenizer)]
    return ids + _header(tokenizer, "assistant")


def encode_example(
    tokenizer: Any, messages: Sequence[Message], style: PromptFormat, max_length: int
) -> tuple[list[int], list[int]]:
    """Token ids and labels of a finished conversation; the loss sees only the last reply and its `<|eot_id|>`.

    Cut to max_length tokens at the end, as TRL does. Labels have the ids' length, IGNORED elsewhere.
    """
    prompt = encode_prompt(tokenizer, messages[:-1], style)
    reply = _content(tokenizer, messages[-1], style) + [end_id(tokenizer)]
    ids = (prompt + reply)[:max_length]
    labels = ([IGNORED] * len(prompt) + reply)[:max_length]
    return ids, labels


def conversation(question: str, answer: str | None = None) -> list[Message]:
    """A single turn as messages, finished where an answer is given."""
    messages = [{"role": "user", "content": question}]
    return messages if answer is None else [*messages, {"role": "assistant", "content": answer}]


def end_id(tokenizer: Any) -> int:
    """The id of `<|eot_id|>`, which ends every message and must be learnt and stopped at."""
    return _special(tokenizer, "<|eot_id|>")


def stop_ids(tokenizer: Any) -> set[int]:
    """Every id that ends a reply in Llama 3.1's vocabulary."""
    ids = tokenizer.convert_tokens_to_ids(["<|eot_id|>", "<|end_of_text|>", "<|eom_id|>"])
    return {number for number in ids if number is not None and number != tokenizer.unk_token_id}


def _content(tokenizer: Any, message: Message, style: PromptFormat) -> list[int]:
    text = message["content"].strip()
    if style.name == "official" and message["role"] == "system":
        text = OFFICIAL_DATES + text
    return _text(tokenizer, text + "\n" if style.name == "reference" else text)


def _header(tokenizer: Any, role: str) -> list[int]:
    # The blank line is encoded with the header: Llama's pre-tokenizer never joins it with what follows.
    start, end = _special(tokenizer, "<|start_header_id|>"), _special(tokenizer, "<|end_header_id|>")
    return [start, *_text(tokenizer, role), end, *_text(tokenizer, "\n\n")]


def _text(tokenizer: Any, text: str) -> list[int]:
    return tokenizer.encode(text, add_special_tokens=False, split_special_tokens=True)


def _special(tokenizer: Any, token: str) -> int:
    known = tokenizer.convert_tokens_to_ids(token)
    if known is None or known == tokenizer.unk_token_id:
        raise ModelError(
            f"This model's tokenizer has no {token}: it is no Llama 3 model. Choose a Llama 3, 3.1 or 3.2 base.",
            key="model.no_special_token",
            token=token,
        )
    return known
