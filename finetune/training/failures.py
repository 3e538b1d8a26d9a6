"""Why a training process failed, in words for people: what ran out, and which setting to change by how much.

Nothing here knows a run or its status; it looks at an error, a recipe and the free space of a disk.
"""

from __future__ import annotations

import errno
import shutil
import traceback
from collections.abc import Sequence
from pathlib import Path

from finetune.errors import RunError, chain_of
from finetune.recipe import Recipe, describe

MEMORY_SIGNS = ("out of memory", "can't allocate memory", "cannot allocate memory", "_status_alloc_failed")
"""What PyTorch, CUDA, its libraries (cuBLAS, cuDNN) and the operating system say, in small letters, where memory has
run out."""

MEMORY_ERRORS = ("MemoryError", "OutOfMemoryError")
"""Kinds of errors that say so whatever their text; the second is PyTorch's, which is not imported for its name."""

DISK_SIGNS = ("no space left on device", "disk quota exceeded", "pytorchstreamwriter failed writing")
"""What libraries that are not written in Python say in place of an OSError's number."""

LOST_SIGNS = ("gloo/transport", "remote process exited")
"""What PyTorch says, through Gloo and through NCCL, where another of the processes that train together is gone."""

LOADERS = ("finetune.training.peft_model", "finetune.training.unsloth_model")
"""The modules that load a base to train on."""

DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT)

FULL = 1_000_000
"""Bytes. With less free on its disk a run cannot even write down that the disk is full."""


def explain(error: BaseException, recipe: Recipe, folder: Path) -> RunError:
    """What to tell of an error that training raised; `folder` is the run's, whose disk may be full."""
    chain = list(chain_of(error))
    if any(_says(one, DISK_SIGNS) or getattr(one, "errno", None) in DISK_ERRORS for one in chain):
        return disk_full(folder)
    if any(_of_memory(one) for one in chain):
        if any(_in_loading(one) for one in chain):
            return out_of_memory_while_loading(recipe)
        return out_of_memory(recipe, evaluating=any(_in_evaluation(one) for one in chain))
    if any(_says(one, LOST_SIGNS) for one in chain):
        return RunError(
            "Another of the processes that trained together has ended without a word; possibly its memory ran out."
            " Resume it from its last checkpoint.",
            key="run.process_lost",
        )
    text = (str(error).splitlines() or [""])[0]
    kind = type(error).__name__
    return RunError(
        f"Training failed: {kind}: {text or 'no message'}. The log in the run's folder has the details.",
        key="run.crashed",
        kind=kind,
        text=text,
    )


def ran_out_while_learning(error: BaseException) -> bool:
    """True where training raised it for want of memory, in an update and not in an evaluation."""
    chain = list(chain_of(error))
    elsewhere = any(_in_evaluation(one) or _in_loading(one) for one in chain)
    return any(_of_memory(one) for one in chain) and not elsewhere


def out_of_memory_while_loading(recipe: Recipe) -> RunError:
    """What to tell where the base itself did not fit: no batch would help."""
    if not recipe.base.load_in_4bit:
        return RunError(
            "Memory ran out while the base was being loaded. Start it anew with base.load_in_4bit at true: the base"
            " then takes a third of the memory.",
            key="run.out_of_memory.loading_16bit",
        )
    return RunError(
        "Memory ran out while the base was being loaded, and that in 4 bits. Close what else uses the memory, or"
        f" choose a smaller model than {recipe.base.model}, or a machine with more memory.",
        key="run.out_of_memory.loading",
        model=recipe.base.model,
    )


def out_of_memory(recipe: Recipe, *, evaluating: bool = False, largest_pass: Sequence[int] = ()) -> RunError:
    """The one setting to change first, from its value in the run's recipe to the next smaller one.

    A smaller batch with as much more accumulation learns the same; the others are tried in the order of what they
    cost: 4 bits a little precision, recomputing activations time, shorter examples the ends of replies. Without padding
    a pass has fewer tokens in place of a smaller batch, which `training.plan: auto` would only lay out anew.
    largest_pass: the lengths of the sequences in the pass with the most tokens, where that is known.
    """
    t = recipe.training
    begin = "Memory ran out. Start it anew with"
    if evaluating and t.per_device_eval_batch_size > 1:
        old, new = t.per_device_eval_batch_size, t.per_device_eval_batch_size // 2
        return RunError(
            f"Memory ran out in an evaluation. Start it anew with training.per_device_eval_batch_size at {new} instead"
            f" of {old}; it learns the same.",
            key="run.out_of_memory.evaluation",
            old=old,
            new=new,
        )
    if t.padding_free:
        fewer = fewer_tokens(recipe, largest_pass)
        if fewer:
            return RunError(
                f"{begin} training.most_tokens at {fewer}: passes are smaller then, and it learns the same.",
                key="run.out_of_memory.tokens",
                fewer=fewer,
            )
    elif t.per_device_train_batch_size > 1:
        batch, steps = t.per_device_train_batch_size, t.gradient_accumulation_steps
        smaller, factor = smaller_batch(batch)
        return RunError(
            f"{begin} training.per_device_train_batch_size at {smaller} instead of {batch} and"
            f" training.gradient_accumulation_steps at {steps * factor} instead of {steps}; it learns the same.",
            key="run.out_of_memory.batch",
            batch=batch,
            smaller=smaller,
            steps=steps,
            more=steps * factor,
        )
    if not recipe.base.load_in_4bit:
        return RunError(
            f"{begin} base.load_in_4bit at true: the base then takes a third of the memory.",
            key="run.out_of_memory.four_bit",
        )
    if not t.gradient_checkpointing and t.padding_free:  # which auto would take for its own to decide
        settings = "training.gradient_checkpointing=true, training.padding_free=true, training.plan=as_written"
        return RunError(
            f"{begin} {settings}: less memory, about a quarter more time.",
            key="run.out_of_memory.checkpointing_as_written",
            settings=settings,
        )
    if not t.gradient_checkpointing:
        return RunError(
            f"{begin} training.gradient_checkpointing at true: less memory, about a third more time.",
            key="run.out_of_memory.checkpointing",
        )
    shortest = describe("training.max_length")["low"]
    if t.max_length > shortest:
        shorter = max(shortest, t.max_length // 2)
        return RunError(
            f"{begin} training.max_length at {shorter} instead of {t.max_length}; longer examples are cut.",
            key="run.out_of_memory.length",
            old=t.max_length,
            new=shorter,
        )
    return RunError(
        f"Memory ran out with the smallest settings that there are. Choose a smaller model than {recipe.base.model}, or"
        " a machine with more memory.",
        key="run.out_of_memory.model",
        model=recipe.base.model,
    )


def disk_full(folder: Path) -> RunError:
    """What to tell where a run could not write."""
    free = shutil.disk_usage(folder).free // 1_000_000
    return RunError(
        f"The disk is full ({free:,} MB free). Free some space, for example by deleting runs that you no longer need,"
        " then resume it from its last checkpoint.",
        key="run.disk_full",
        free=free,
    )


def died(last: str, folder: Path) -> RunError:
    """What to tell of a process that ended without a word; `last` is what it had printed before."""
    if shutil.disk_usage(folder).free < FULL:
        return disk_full(folder)
    return RunError(
        "The training process ended without finishing; possibly memory ran out. Resume it from its last checkpoint;"
        f" the last it said was: {last or 'nothing'}",
        key="run.died",
        last=last,
    )


def killed(recipe: Recipe, *, loading: bool = False) -> RunError:
    """What to tell of a process that was ended by SIGKILL, seen by the one that had started it."""
    t = recipe.training
    begin = "The training process was killed (signal 9)"
    if loading and not recipe.base.load_in_4bit:
        return RunError(
            f"{begin} while it loaded the base. Systems do that where memory runs out: close what else needs memory, or"
            " start it anew with base.load_in_4bit at true.",
            key="run.killed.loading_16bit",
        )
    if loading:
        return RunError(
            f"{begin} while it loaded the base. Systems do that where memory runs out: close what else needs memory, or"
            f" choose a smaller model than {recipe.base.model}.",
            key="run.killed.loading",
            model=recipe.base.model,
        )
    fewer = fewer_tokens(recipe) if t.padding_free else 0
    if fewer:
        return RunError(
            f"{begin}. Systems do that where memory runs out: close what else needs"
            " memory, then resume it from its last checkpoint. If it is killed again, start it anew with"
            f" training.most_tokens at {fewer}; it learns the same.",
            key="run.killed.tokens",
            fewer=fewer,
        )
    if not t.padding_free and t.per_device_train_batch_size > 1:
        smaller, factor = smaller_batch(t.per_device_train_batch_size)
        return RunError(
            f"{begin}. Systems do that where memory runs out: close what else needs"
            " memory, then resume it from its last checkpoint. If it is killed again, start it anew with"
            f" training.per_device_train_batch_size at {smaller} instead of {t.per_device_train_batch_size} and"
            f" training.gradient_accumulation_steps at {t.gradient_accumulation_steps * factor} instead of"
            f" {t.gradient_accumulation_steps}; it learns the same.",
            key="run.killed.batch",
            batch=t.per_device_train_batch_size,
            smaller=smaller,
            steps=t.gradient_accumulation_steps,
            more=t.gradient_accumulation_steps * factor,
        )
    return RunError(
        "The training process was killed (signal 9). Systems do that where memory runs out: close what else needs"
        " memory, then resume it from its last checkpoint. If it is killed again, start it anew with a shorter"
        f" training.max_length than {t.max_length}.",
        key="run.killed",
        length=t.max_length,
    )


def smaller_batch(batch: int) -> tuple[int, int]:
    """The next smaller batch, and by how much to accumulate more so that the effective batch stays exactly."""
    factor = next(n for n in range(2, batch + 1) if batch % n == 0)
    return batch // factor, factor


def fewer_tokens(recipe: Recipe, largest_pass: Sequence[int] = ()) -> int:
    """Without padding, half the tokens of the largest pass; 0 where that was one example, which is not cut in two.

    Where the largest is not known it is taken to be what the recipe allows.
    """
    t = recipe.training
    if largest_pass:
        return sum(largest_pass) // 2 if len(largest_pass) > 1 else 0
    whole = t.per_device_train_batch_size * t.max_length
    most = min(t.most_tokens or whole, whole)
    return most // 2 if most > t.max_length else 0


def _of_memory(error: BaseException) -> bool:
    return any(kind.__name__ in MEMORY_ERRORS for kind in type(error).__mro__) or _says(error, MEMORY_SIGNS)


def _says(error: BaseException, signs: tuple[str, ...]) -> bool:
    return any(sign in str(error).lower() for sign in signs)


def _in_loading(error: BaseException) -> bool:
    """True where it was raised while the base was being loaded."""
    names = {frame.f_globals.get("__name__") for frame, _ in traceback.walk_tb(error.__traceback__)}
    return not names.isdisjoint(LOADERS)


def _in_evaluation(error: BaseException) -> bool:
    """True where it was raised while transformers' trainer evaluated."""
    return any(frame.f_code.co_name == "evaluation_loop" for frame, _ in traceback.walk_tb(error.__traceback__))
