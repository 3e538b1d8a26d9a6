"""One way to train, measured in this process: `python -m finetune.bench_measure`, as `bench_training.py` starts it.

It makes the model of random weights that stands in for a real one, measures what a card's matrix products reach, and
trains a few updates on random tokens. It does not compare and does not judge what is learnt.
"""

from __future__ import annotations

import json
import random
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finetune import bench_unsloth, bench_weights, models
from finetune.recipe import Training
from finetune.training import attention, llama_layers, loss_watch, memory, padding_free, stopping

EXAMPLES = 16
"""Of an update, whatever the way."""

WARM_UP = 6
"""Updates before those that are measured, of the same examples, so that kernels are found and memory is laid out for
every size as they soon are in a run; behind them the last one is made once more and profiled."""

MATRIX = 8192
"""Side of the square matrices whose product tells a card's rate."""

KERNELS = 15
"""How many of the kernels that take the most time are told."""

ASIDE = ("Memcpy DtoH", "Memcpy HtoD")
"""Copies to the host's memory and back, which go on beside the kernels and do not count among them."""


@dataclass(frozen=True)
class Way:
    """One way to train."""

    name: str
    batch: int
    padding_free: bool = True
    four_bit: bool = False
    checkpointing: bool = False
    recompute_mlps: int = 0
    """In so many layers."""
    offloading: bool = False
    """What recomputed layers keep waits in the host's memory."""
    unsloth: bool = False
    """Unsloth's own model, checkpointing and trainer, padded."""
    updates: int = WARM_UP
    """Measured, after the warm-up and at most as many."""


def build(shape: memory.Shape, folder: Path) -> None:
    """Write random bfloat16 weights of a shape, with the demo's tokenizer, which nothing is written with.

    The same ones each time on the same kind of device. The folder is there only when all of them are.
    """
    import torch
    from transformers import AutoModelForCausalLM

    torch.manual_seed(0)
    with torch.device(models.device()):
        model = AutoModelForCausalLM.from_config(bench_weights.config(shape), dtype=torch.bfloat16)
    part = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    model.save_pretrained(part, max_shard_size="5GB")
    models.load_tokenizer(str(models.DEMO_BASE)).save_pretrained(part)
    part.replace(folder)


def matrix_rate() -> float:
    """TFLOP/s of bfloat16 products of large square matrices on this machine, the median of twenty."""
    import torch

    device = models.device()
    side = MATRIX if device == "cuda" else MATRIX // 8
    a, b = (torch.randn(side, side, device=device, dtype=torch.bfloat16) for _ in range(2))
    seconds = []
    for _ in range(25):
        _wait()
        began = time.perf_counter()
        a @ b
        _wait()
        seconds.append(time.perf_counter() - began)
    return 2 * side**3 / sorted(seconds[5:])[10] / 1e12


def lengths(count: int, like: str) -> list[int]:
    """Lengths in tokens, log-normal: `corpus` with a median of 450 and at most 2,020, `demo` of 50 and at most 256."""
    drawn = random.Random(0)
    middle, spread, least, most = (6.1, 0.55, 64, bench_weights.LONGEST) if like == "corpus" else (3.9, 0.4, 16, 256)
    return [max(least, min(most, int(drawn.lognormvariate(middle, spread)))) for _ in range(count)]


def measure(way: Way, base: str, like: str) -> dict[str, Any]:
    """Train a few updates one way, and tell tokens a second, seconds an update, peak memory and the kernels."""
    import torch
    from datasets import Dataset

    if way.padding_free:
        padding_free.let_memory_grow()
    if way.unsloth:
        model, tokenizer = bench_unsloth.model(base, four_bit=way.four_bit, checkpointing=way.checkpointing)
    else:
        model, tokenizer = _model(way, base)
    from trl import SFTConfig, SFTTrainer  # only now: Unsloth's own comes first

    learning = {name: p.detach().float().clone() for name, p in model.named_parameters() if p.requires_grad}
    if way.padding_free:
        llama_layers.fuse(model, recompute_mlps=way.recompute_mlps)
    updates = WARM_UP + way.updates + 1
    sizes, drawn = lengths(WARM_UP * EXAMPLES, like), random.Random(1)
    most = model.config.vocab_size - 1
    ids = [[drawn.randint(10, most) for _ in range(size)] for size in sizes]
    ids += [*ids[: way.updates * EXAMPLES], *ids[(way.updates - 1) * EXAMPLES : way.updates * EXAMPLES]]
    cuda = torch.cuda.is_available()
    with tempfile.TemporaryDirectory() as folder:
        config = SFTConfig(
            output_dir=folder,
            per_device_train_batch_size=way.batch,
            gradient_accumulation_steps=EXAMPLES // way.batch,
            max_steps=updates,
            learning_rate=2e-4,
            warmup_steps=WARM_UP,
            weight_decay=0.01,
            lr_scheduler_type="cosine",
            optim="adamw_8bit" if cuda else "adamw_torch",
            bf16=not way.padding_free,
            use_cpu=not cuda,
            gradient_checkpointing=way.checkpointing,
            train_sampling_strategy="sequential",
            max_length=None if way.padding_free else bench_weights.LONGEST,
            dataset_kwargs=None if way.unsloth else {"skip_prepare_dataset": True},
            logging_steps=1 if way.padding_free else 10,  # the recipe's, and TRL's own
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
            # What a run of ours is given (`arguments.py`, `trainer.py`); the peers keep the defaults.
            **(
                {"loss_type": "nll", "logging_nan_inf_filter": False, "accelerator_config": {"non_blocking": cuda}}
                if way.padding_free
                else {}
            ),
        )
        clock = _clock({WARM_UP, WARM_UP + way.updates})
        parts = {"data_collator": padding_free.collator()} if way.padding_free else {}
        kind, watching = SFTTrainer, []
        if way.padding_free:
            kind = padding_free.trainer(SFTTrainer, activation_offloading=way.offloading)
            watch = loss_watch.LossWatch(late=cuda)
            kind = loss_watch.watched(kind, watch)
            watching = stopping.callbacks(Training(load_best_model_at_end=False), watch)
        trainer = kind(
            model=model,
            args=config,
            train_dataset=Dataset.from_dict({"input_ids": ids} | ({} if way.unsloth else {"labels": ids})),
            processing_class=tokenizer,
            callbacks=[*watching, clock],
            **parts,
        )
        for name, parameter in trainer.model.named_parameters():
            if way.padding_free and name in learning:
                parameter.data = learning[name]
        trainer.train()
    seconds = clock.ends[WARM_UP + way.updates] - clock.ends[WARM_UP]
    tokens = sum(sizes[: way.updates * EXAMPLES])
    measured = {
        "tokens_per_second": tokens / seconds,
        "seconds_an_update": seconds / way.updates,
        "updates": way.updates,
        "tokens": tokens,
        "settings": f"{way.batch} x {EXAMPLES // way.batch}",
    }
    if cuda:
        peak = torch.cuda.max_memory_allocated()
        measured |= {"peak_gb": peak / 1e9, "peak_gib": peak / 2**30}
    return {**measured, **clock.profiled}


def _model(way: Way, base: str) -> tuple[Any, Any]:
    """A base with a fresh adapter, and its tokenizer, ours or as TRL and PEFT come."""
    from peft import LoraConfig, get_peft_model, prepare_model_for_kbit_training

    name = attention.register() if way.padding_free else "sdpa"
    model, tokenizer = models.load_base(base, four_bit=way.four_bit, dtype="bfloat16", attention=name)
    if way.four_bit and not way.padding_free:
        model = prepare_model_for_kbit_training(model, use_gradient_checkpointing=way.checkpointing)
    rank, targets = bench_weights.RANK, bench_weights.PROJECTIONS
    lora = LoraConfig(task_type="CAUSAL_LM", r=rank, lora_alpha=rank, target_modules=targets)
    return get_peft_model(model, lora), tokenizer


def _clock(wanted: set[int]) -> Any:
    """A callback that notes when the updates of these numbers end, and has the last one of all profiled."""
    import torch
    from torch.profiler import ProfilerActivity, profile
    from transformers import TrainerCallback

    class Clock(TrainerCallback):
        """Waits for the card at the ends that are wanted, and nowhere else."""

        def __init__(self) -> None:
            self.ends: dict[int, float] = {}
            self.profiled: dict[str, Any] = {}
            self.profile: Any = None
            self.began = 0.0

        def on_step_begin(self, args, state, control, **_):  # noqa: ANN001
            if torch.cuda.is_available() and state.global_step == state.max_steps - 1:
                self.profile = profile(activities=[ProfilerActivity.CUDA])
                self.profile.start()
                _wait()
                self.began = time.perf_counter()

        def on_step_end(self, args, state, control, **_):  # noqa: ANN001
            if state.global_step in wanted or self.profile:
                _wait()
                self.ends[state.global_step] = time.perf_counter()
            if self.profile:
                self.profile.stop()
                events = sorted(self.profile.key_averages(), key=lambda one: -one.self_device_time_total)
                kernels = [
                    {"kernel": one.key[:80], "ms": one.self_device_time_total / 1000, "calls": one.count}
                    for one in events
                    if one.self_device_time_total and not one.key.startswith(ASIDE)
                ]
                self.profiled = {
                    "kernels": kernels[:KERNELS],
                    "all_kernels": {key: sum(one[key] for one in kernels) for key in ("ms", "calls")},
                    "profiled_update_ms": (self.ends[state.global_step] - self.began) * 1000,
                }

    return Clock()


def _wait() -> None:
    import torch

    if torch.cuda.is_available():
        torch.cuda.synchronize()


def main(words: list[str]) -> None:
    """`build SHAPE FOLDER`, `matrix` or `measure WAY BASE LENGTHS`; the result is the last line printed, as JSON."""
    kind, *rest = words
    if kind == "build":
        build(memory.Shape(**json.loads(rest[0])), Path(rest[1]))
        found: dict[str, Any] = {}
    elif kind == "matrix":
        found = {"tflops": matrix_rate()}
    else:
        found = measure(Way(**json.loads(rest[0])), rest[1], rest[2])
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1:])
