"""How long the evaluation of a whole test set takes, with random weights: `python -m finetune.bench_evaluation FOLDER`.

    python -m finetune.bench_evaluation FOLDER llama-3.1-8b [--questions 3821] [--seconds 500]
    python -m finetune.bench_evaluation FOLDER --scores

An ordinary evaluation of an adapter (`review/evaluating.py`), on questions and answers as long as the corpus' and 256
tokens a reply, which random weights always fill. FOLDER keeps base, adapter, questions and what has been done: what was
cut off after `--seconds` is taken up again by the same command, and told are the seconds of each. `--scores` measures
the last stage alone, which asks no model and takes one processor core. It says nothing about the replies.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from finetune import bench_weights, models
from finetune.bench_measure import lengths
from finetune.bench_training import base_in
from finetune.data import leakage, sources
from finetune.data.prompts import PromptFormat
from finetune.inference.backends import LocalBackend
from finetune.recipe import Recipe
from finetune.review import durable, evaluating, evaluation_batches, evaluation_figures, evaluation_order
from finetune.training.machine import machine

TOKENS = 256
"""Of a reply."""

TEST_SHARE = 0.1
"""Of the rows, as the recipe splits them."""


def evaluate(folder: Path, shape: str | None, questions: int, seconds: float | None = None) -> dict[str, Any]:
    """What is done so far, and the seconds of all commands together. `shape` as in `bench_roundtrip.roundtrip`."""
    base = prepare(folder, shape, questions)
    backend = LocalBackend(str(base))
    backend.load()
    adapter = folder / "adapter"
    if not adapter.exists():
        save_adapter(adapter, backend, str(base))
    order = evaluation_order.of_adapter(adapter, recipe(folder, base), backend, "test", questions)
    stop, done = threading.Event(), {stage: 0 for stage in evaluating.STAGES}

    spent = folder / "seconds.json"
    before = json.loads(spent.read_text()) if spent.is_file() else []

    def write_down() -> None:  # after each batch, for who is killed has spent its seconds too
        durable.replace(spent, json.dumps([*before, round(time.perf_counter() - began, 1)]))

    def report(progress: evaluating.Progress) -> None:
        done[progress.stage] = progress.done
        write_down()
        print(f"{progress.stage}: {progress.done} of {progress.total}", file=sys.stderr, flush=True)

    if seconds:
        timer = threading.Timer(seconds, stop.set)
        timer.daemon = True
        timer.start()
    began = time.perf_counter()
    evaluating.run(folder / "evaluation", order, backend, stop, report)
    write_down()
    return {
        "questions": len(order.questions), "done": done, "seconds": json.loads(spent.read_text()),
        "batches": json.loads((folder / "evaluation" / evaluation_batches.FILE).read_text()),
        "tokens_a_reply": TOKENS, "machine": machine().name,
        "date": time.strftime("%Y-%m-%d"),
    }  # fmt: skip


def recipe(folder: Path, base: Path) -> Recipe:
    """The reference recipe on the bench's own corpus, whose rows are all kept."""
    return Recipe.read("llama-3.1-8b").with_settings(
        {
            "base.model": str(base),
            "data.source": str(folder / "corpus.csv"),
            "data.group": False,
            "data.deduplicate": False,
            "generation.max_new_tokens": TOKENS,
        }
    )


def scores(folder: Path, questions: int) -> dict[str, Any]:
    """Seconds of the search for leakage and of all figures, on replies of TOKENS tokens of the demo's sentences."""
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "corpus.csv").is_file():
        write_corpus(folder / "corpus.csv", rows_for(questions), "corpus")
    backend = LocalBackend(str(models.DEMO_BASE))
    order = evaluation_order.of_adapter(
        models.DEMO_ADAPTER, recipe(folder, models.DEMO_BASE), backend, "test", questions
    )
    say, drawn = sentences(), random.Random(1)
    replies, costs = [], []
    for one in order.questions:
        said = {side: say(TOKENS, drawn) for side in evaluation_figures.SIDES}
        flags = {f"{side}_{what}": False for side in said for what in ("ended", "broken")}
        replies.append({"id": one.id, "question": one.text, "topic": one.topic, "group": one.group,
                        "references": one.references, **said, **flags})  # fmt: skip
        paid = [2.0 * len(text) for text in one.references]
        costs.append({"id": one.id, "tokens": [TOKENS for _ in paid], "base": paid, "tuned": paid})
    began = time.perf_counter()
    found = leakage.between(order.train, order.held_out, order.beside)
    searched = time.perf_counter() - began
    evaluation_figures.figures(order.described(), replies, costs, found)
    return {
        "questions": len(order.questions), "tokens_a_reply": TOKENS, "leakage_s": round(searched, 1),
        "scores_s": round(time.perf_counter() - began, 1), "machine": machine().name, "date": time.strftime("%Y-%m-%d"),
    }  # fmt: skip


def prepare(folder: Path, shape: str | None, questions: int) -> Path:
    """The base, made where it is not there yet, and a corpus whose test split has so many questions."""
    folder.mkdir(parents=True, exist_ok=True)
    base = base_in(folder, shape)
    if not (folder / "corpus.csv").is_file():
        write_corpus(folder / "corpus.csv", rows_for(questions), "corpus" if shape else "demo")
    return base


def rows_for(questions: int) -> int:
    """How many rows have a test split of so many questions."""
    return round(questions / TEST_SHARE) + 10


def write_corpus(file: Path, rows: int, like: str) -> None:
    """Rows of the demo's sentences, question and answer together about as many tokens as `lengths` says."""
    say, drawn = sentences(), random.Random(0)
    with file.with_suffix(".part").open("w", encoding="utf-8", newline="") as opened:
        writer = csv.writer(opened)
        writer.writerow(["Topics", "Question-Title", "Questions", "Answers"])
        for number, size in enumerate(lengths(rows, like)):
            writer.writerow(["", "", f"{say(size / 2, drawn)} {number}", say(size / 2, drawn)])
    file.with_suffix(".part").replace(file)


def sentences() -> Callable[[float, random.Random], str]:
    """Draws so many tokens of the demo corpus' sentences."""
    data = Recipe.read(models.DEMO).data
    tokenizer = models.load_tokenizer(str(models.DEMO_BASE))
    texts = [row[name] for row in sources.read_rows(data) for name in (data.question, data.answer)]
    known = [(text, len(tokenizer.encode(text))) for text in texts]

    def say(tokens: float, drawn: random.Random) -> str:
        parts: list[str] = []
        while tokens > 0:
            text, size = drawn.choice(known)
            parts.append(text)
            tokens -= size
        return " ".join(parts)

    return say


def save_adapter(folder: Path, backend: LocalBackend, base: str) -> None:
    """Small random matrices as PEFT saves an adapter."""
    from safetensors.torch import save_file

    matrices = bench_weights.random_adapter(backend._decoder).matrices
    part = folder.with_name("adapter.part")
    part.mkdir(exist_ok=True)
    tensors = {}
    for (layer, name), pair in matrices.items():
        block = "self_attn" if name in ("q_proj", "k_proj", "v_proj", "o_proj") else "mlp"
        for half, matrix in zip("AB", pair, strict=True):
            tensors[f"base_model.model.model.layers.{layer}.{block}.{name}.lora_{half}.weight"] = matrix.contiguous()
    save_file(tensors, part / "adapter_model.safetensors")
    rank = bench_weights.RANK
    config = {"peft_type": "LORA", "task_type": "CAUSAL_LM", "r": rank, "lora_alpha": rank, "bias": "none",
              "target_modules": bench_weights.PROJECTIONS, "base_model_name_or_path": base}  # fmt: skip
    (part / "adapter_config.json").write_text(json.dumps(config))
    PromptFormat().save(part)
    part.replace(folder)


def main(words: list[str]) -> None:
    """See the module."""
    parser = argparse.ArgumentParser(prog="python -m finetune.bench_evaluation")
    parser.add_argument("folder", type=Path)
    parser.add_argument("shape", nargs="?")
    parser.add_argument("--questions", type=int, default=3821)
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--scores", action="store_true")
    given = parser.parse_args(words)
    if given.scores:
        print(json.dumps(scores(given.folder, given.questions)))
        return
    print(json.dumps(evaluate(given.folder, given.shape, given.questions, given.seconds)))


if __name__ == "__main__":
    main(sys.argv[1:])
