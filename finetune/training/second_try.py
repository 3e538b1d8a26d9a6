"""Memory ran out in an update: the one second try that a run gets by itself, with less in memory at once.

An update learns from the same examples all the same. What became smaller stands in the run's own recipe and in its
status; which error means that memory ran out is for `failures.py` to tell. It does not know how a trainer is made.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from finetune.recipe import Recipe, describe
from finetune.training import checkpoints, failures, queue
from finetune.training.runs import Run


class Again(Exception):
    """The run is ready for its second try, which needs a process of its own."""


def smaller(recipe: Recipe, largest_pass: Sequence[int] = ()) -> tuple[Recipe, dict[str, int]] | None:
    """The recipe with about half as much in memory at once, and what changed from what to what; None where none is.

    largest_pass: without padding, the lengths of the sequences in the pass with the most tokens, in tokens.
    """
    t = recipe.training
    if t.padding_free:
        if len(largest_pass) < 2:
            return None
        facts = {"tokens": sum(largest_pass), "fewer": failures.fewer_tokens(recipe, largest_pass)}
        settings: dict[str, Any] = {"training.most_tokens": facts["fewer"]}
    else:
        batch, steps = t.per_device_train_batch_size, t.gradient_accumulation_steps
        if batch < 2:
            return None
        less, factor = failures.smaller_batch(batch)
        if steps * factor > describe("training.gradient_accumulation_steps")["high"]:
            return None
        facts = {"batch": batch, "smaller": less, "steps": steps, "more": steps * factor}
        settings = {
            "training.per_device_train_batch_size": less,
            "training.gradient_accumulation_steps": steps * factor,
        }
    # The plan with them, or it would lay the batches out as it did before.
    return recipe.with_settings({**settings, "training.plan": "as_written"}), facts


def prepared(run: Run, error: BaseException, trainer: Any) -> bool:
    """Make a run ready for its second try; False where it has had it, or nothing could be smaller.

    It goes on from its last whole checkpoint, or from the beginning; the lines that it then writes supersede those of
    the same steps (`metrics.as_it_went`). `trainer` is the one whose training raised the error.
    """
    if run.status().second_try or not failures.ran_out_while_learning(error):
        return False
    if trainer.args.world_size > 1:  # each of several processes would begin again, and wait for the others for ever
        return False
    found = smaller(run.recipe(), getattr(trainer, "largest_pass", ()))
    if found is None:
        return False
    recipe, facts = found
    start = max((one.step for one in checkpoints.of(run) if one.complete), default=0)
    checkpoints.forget_later(run, start)
    run.resolve(recipe)
    told = {"step": trainer.state.global_step + 1, "start": start, **facts}
    run.set_status(state="queued", checkpoint=start, second_try=told)
    changes = ", ".join(f"{name} {value:,}" for name, value in told.items())
    print(f"memory ran out; the second and last try begins ({changes})", flush=True)
    return True


def begin(run: Run, environment: Mapping[str, str]) -> NoReturn:
    """Turn this process into the one that carries out the second try, with the environment it was started with.

    A process that stayed would not have all of its memory back: the error's frames, reference cycles and what
    libraries keep hold tensors, PyTorch's cache lies in pieces between them, and the CUDA context is never given up.
    When a program takes another's place the system frees all of that. The process id stays, and with it the run's
    card, its place before the queue, and whoever waits for the process.
    """
    command = queue.command(run)
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(command[0], command, dict(environment))
