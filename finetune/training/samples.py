"""Watch it learn: fixed messages that every evaluation answers with the weights of that moment.

Written to `samples.jsonl` in the run's folder, one reply a line, and read back however it was cut off. Replies go to
that file and nowhere else. Answering changes nothing for the training in whose process it happens. This module does
not know how the trainer was set up, and does not judge replies.
"""

from __future__ import annotations

import contextlib
import difflib
import math
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finetune.data import prompts
from finetune.inference.backends import cleaned
from finetune.inference.graphemes import TokenText
from finetune.recipe import Recipe
from finetune.training import metrics, processes

FILE = "samples.jsonl"
"""Keys: step, eval_loss (null where it was no number), prompt, reply."""

LONGEST_REPLY = 80
"""Tokens: two or three sentences show the voice, and an evaluation must not become a chat."""

_WORD = re.compile(r"\s*\S+")


@dataclass(frozen=True)
class Answer:
    """One reply to a prompt, and what is new in it since the evaluation before; nothing is in the first."""

    step: int
    eval_loss: float | None
    reply: str
    changed: bool
    parts: tuple[tuple[str, bool], ...]
    """The reply in pieces, each True where its words are new."""


def read(folder: Path) -> list[dict[str, Any]]:
    """The lines of a run's samples in the order written; a half-written last one waits."""
    return metrics.read_lines(folder / FILE)[0]


def timeline(lines: list[dict[str, Any]], most: int | None = None) -> dict[str, list[Answer]]:
    """Each prompt's answers by step, of more than `most` the first and the latest.

    What weights said that a resumed run has given up is left out. Only the answers that are given are compared.
    """
    told: dict[str, list[dict[str, Any]]] = {}
    for line in lines:
        given = told.setdefault(line["prompt"], [])
        while given and given[-1]["step"] >= line["step"]:
            given.pop()
        given.append(line)
    return {prompt: _answers(given, most) for prompt, given in told.items()}


def _answers(given: list[dict[str, Any]], most: int | None) -> list[Answer]:
    places = range(len(given))
    if most is not None and len(given) > most:
        places = [0, *places[1 - most :]]
    answers = []
    for place in places:
        before, reply = given[place - 1]["reply"] if place else None, given[place]["reply"]
        changed = before not in (None, reply)
        answers.append(Answer(given[place]["step"], given[place]["eval_loss"], reply, changed, _parts(before, reply)))
    return answers


def _parts(before: str | None, reply: str) -> tuple[tuple[str, bool], ...]:
    if before is None:
        return ((reply, False),) if reply else ()
    words = _WORD.findall(reply)
    told = difflib.SequenceMatcher(None, before.split(), reply.split(), autojunk=False).get_opcodes()
    pieces = [("".join(words[start:end]), kind != "equal") for kind, _, _, start, end in told]
    return tuple((text, new) for text, new in pieces if text)  # where words are only gone, there is nothing to show


def sample_callback(folder: Path, recipe: Recipe, style: prompts.PromptFormat, tokenizer: Any) -> Any:
    """A callback for transformers' trainer that answers the recipe's sample prompts after every evaluation."""
    from transformers import TrainerCallback

    asked = list(dict.fromkeys(recipe.training.sample_prompts))
    most = min(recipe.generation.max_new_tokens, LONGEST_REPLY)

    class SampleCallback(TrainerCallback):
        """Writes one line a prompt when the evaluation loss is known."""

        def on_evaluate(self, args, state, control, model=None, metrics=None, **_):  # noqa: ANN001
            if not (processes.first() or processes.sharded()):  # where each has a part of the model, all have to answer
                return
            loss = (metrics or {}).get("eval_loss")
            dtype = "bfloat16" if args.bf16 else "float16" if args.fp16 else None
            replies = answers(model, tokenizer, asked, style, most, dtype)
            if processes.first():
                for prompt, reply in zip(asked, replies, strict=True):
                    write(folder, state.global_step, loss, prompt, reply)

    return SampleCallback()


def write(folder: Path, step: int, eval_loss: float | None, prompt: str, reply: str) -> None:
    """Add one line and hand it to the operating system."""
    known = eval_loss if eval_loss is not None and math.isfinite(eval_loss) else None
    metrics.append_line(folder / FILE, {"step": step, "eval_loss": known, "prompt": prompt, "reply": reply})


def answers(
    model: Any, tokenizer: Any, asked: list[str], style: prompts.PromptFormat, most: int, autocast: str | None = None
) -> list[str]:
    """Greedy replies of at most `most` tokens to all prompts in one batch; the model and every random state stay as
    they were. `autocast` names the 16-bit type that training computes in."""
    import torch
    from transformers import GenerationConfig

    if not asked:
        return []
    rows = [prompts.encode_prompt(tokenizer, cleaned(prompts.conversation(text)), style) for text in asked]
    longest = max(map(len, rows))
    device = next(model.parameters()).device
    ids = torch.tensor([[tokenizer.pad_token_id] * (longest - len(row)) + row for row in rows], device=device)
    seen = torch.tensor([[0] * (longest - len(row)) + [1] * len(row) for row in rows], device=device)
    stops = prompts.stop_ids(tokenizer)
    # Each value is given, for transformers fills what is missing from the base's own generation_config.
    greedy = GenerationConfig(
        do_sample=False,
        num_beams=1,
        repetition_penalty=1.0,
        no_repeat_ngram_size=0,
        max_new_tokens=most,
        use_cache=True,
        eos_token_id=sorted(stops),
        pad_token_id=tokenizer.pad_token_id,
    )
    compute = getattr(torch, autocast or "float32")
    with undisturbed(model), torch.autocast(device.type, compute, enabled=autocast is not None):
        written = model.generate(input_ids=ids, attention_mask=seen, generation_config=greedy)
    return [_text(tokenizer, row, stops) for row in written[:, longest:].tolist()]


def _text(tokenizer: Any, tokens: list[int], stops: set[int]) -> str:
    """A row's text up to its end, made as the chat makes it: whole graphemes, no orphan signs."""
    writer = TokenText(tokenizer)
    pieces = []
    for token in tokens:
        if token in stops:
            break
        pieces.append(writer.add(token))
    return "".join([*pieces, writer.end()]).strip()


@contextlib.contextmanager
def undisturbed(model: Any) -> Iterator[None]:
    """While it lasts the model evaluates without gradients; afterwards its mode and all random states are as before."""
    import numpy as np
    import torch

    training = [module for module in model.modules() if module.training]
    cards = sorted({p.device.index for p in model.parameters() if p.device.type == "cuda"})
    python, numpy = random.getstate(), np.random.get_state()
    with torch.random.fork_rng(cards), torch.no_grad():
        model.eval()
        try:
            yield
        finally:
            for module in training:
                module.training = True
            random.setstate(python)
            np.random.set_state(numpy)
