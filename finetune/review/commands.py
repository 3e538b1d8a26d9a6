"""Review on the command line; each command is a few lines over the module that does the work.

`pairs` writes what people judge on the page, `verdict` reads their votes, `preferences` makes the next data set.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from finetune.recipe import default
from finetune.review import orders
from finetune.review.preferences import Preferences
from finetune.terminal import Json, home, only_json, show, told_to_user, usage

app = typer.Typer()


@app.command()
def pairs(
    tuned: Annotated[
        str, typer.Option(help="demo, run:NAME, run:NAME/checkpoint-50, hub:OWNER/NAME, remote:MODEL@URL.")
    ] = "demo",
    base: Annotated[str, typer.Option(help="What it is compared with, spelt the same way.")] = "base",
    prompts: Annotated[str, typer.Option(help="curated, run (its test rows), or a file.")] = "curated",
    count: Annotated[int, typer.Option(help="How many prompts at most; 0 takes all.", min=0)] = orders.PROMPTS,
    seed: Annotated[int, typer.Option(help="Of the replies and of the choice of prompts.", min=0)] = default(
        "generation.seed"
    ),
    as_json: Json = False,
) -> None:
    """Write a set of pairs for blind review; goes on where it was interrupted."""
    from finetune import models
    from finetune.inference import remote
    from finetune.inference.backends import LocalBackend
    from finetune.review import contestants, pair_sets

    with told_to_user(), only_json(as_json):
        folder = contestants.contestant(tuned, home()).adapter
        named = folder and models.read_adapter_config(folder).get("base_model_name_or_path")
        backend = remote.from_environment() or LocalBackend(named or str(models.DEMO_BASE))
        source = prompts if prompts in ("curated", "run") else "file"
        order = orders.order(
            home(), backend, base=base, tuned=tuned, source=source, given=prompts, count=count, seed=seed
        )
        sides = (order.base, order.tuned)
        backends = [remote.RemoteBackend(one.url, one.model) if one.remote else backend for one in sides]
        made = pair_sets.generate(home(), order, tuple(backends), on_progress=_progress)
    left_out = [f"  left out, {reason}: {number}" for reason, number in made.left_out.items()]
    result = {"set_id": made.set_id, "folder": str(made.folder), "pairs": len(made.pairs), "left_out": made.left_out}
    show(result, as_json, [f"{len(made.pairs)} pairs in {made.folder}", *left_out])


def _progress(done: int, total: int, seconds: float) -> None:
    if sys.stderr.isatty():
        print(f"\r{done} of {total} pairs, {seconds:.0f} s", end="\n" if done == total else "", file=sys.stderr)


@app.command()
def verdict(
    votes: Annotated[Path, typer.Argument(help="Votes as the page exports them, JSONL.")],
    seed: Annotated[int, typer.Option(help="Of the resampling.", min=0)] = 0,
    as_json: Json = False,
) -> None:
    """What reviewers' votes come to: win rate with interval, agreement, biases, slices."""
    from finetune.review import verdict as verdicts

    with told_to_user(), only_json(as_json):
        result = verdicts.verdict(verdicts.read_votes(votes), seed=seed)
    show(result, as_json, table(result))


@app.command()
def preferences(
    votes: Annotated[Path, typer.Argument(help="Votes as the page exports them, with their texts.")],
    out: Annotated[Path, typer.Option(help="Folder for dpo.jsonl, kto.jsonl and their card.")],
    feedback: Annotated[bool, typer.Option(help="Add what people gave of their chats, with consent.")] = False,
    as_json: Json = False,
) -> None:
    """Votes as the next training set: TRL's preference format for DPO, unpaired for KTO."""
    from finetune.review import preferences as made
    from finetune.review import verdict as verdicts

    with told_to_user(), only_json(as_json):
        if out.exists() and not out.is_dir():
            raise usage("--out", f"{out} is a file; name a folder.")
        lines = verdicts.read_votes(votes)
        found = made.preferences(lines)
        if feedback:
            found = _with_feedback(found)
        found.write(out, verdict=verdicts.verdict(lines))
    counts = {"dpo": len(found.dpo), "kto": len(found.kto), "left_out": dict(found.left_out), "folder": str(out)}
    told = [f"{counts['dpo']} pairs for DPO, {counts['kto']} rows for KTO in {out}"]
    show(counts, as_json, [*told, *(f"  {reason}: {number}" for reason, number in found.left_out.items() if number)])


def _with_feedback(found: Preferences) -> Preferences:
    """The rows of votes with those of the home's feedback, screened as the crisis screen is today."""
    from finetune.review.feedback import FILE, FeedbackStore
    from finetune.review.feedback_preferences import preference_rows

    store = FeedbackStore(home() / FILE)
    store.screen_again()
    more = preference_rows(store.rows()).single_turn()
    return replace(found, dpo=found.dpo + more.dpo, kto=found.kto + more.kto, given=len(more.dpo) + len(more.kto))


def table(result: dict[str, Any]) -> list[str]:
    """A verdict as lines for a terminal."""

    def share(value: float | None) -> str:
        return "–" if value is None else f"{100 * value:.1f} %"

    def figure(value: float | None) -> str:
        return "–" if value is None else f"{value:.3f}"

    needed, length, position = result["needed"], result["length"], result["position"]
    controlled = length["controlled"]
    lines = [
        f"win rate of tuned over base: {share(result['win_rate'])}"
        f"  (95 %: {share(result['low'])} to {share(result['high'])}, clustered by prompt)",
        f"votes {result['votes']}, prompts {result['prompts']}, reviewers {result['reviewers']}:"
        f" tuned {result['tuned_wins']}, base {result['base_wins']},"
        f" both good {result['ties']}, both bad {result['both_bad']}",
        f"agreement: Krippendorff's alpha {figure(result['krippendorff_alpha'])}, Gwet's AC1"
        f" {figure(result['gwet_ac1'])}; the same again on repeats {share(result['within']['rate'])}",
        f"left side chosen {share(position['left_rate'])}, longer reply chosen {share(length['longer_rate'])},"
        f" win rate at equal length {share(controlled and controlled['win_rate'])}",
    ]
    if needed["settled"]:
        lines.append("settled: the interval leaves 50 % out")
    elif needed["votes"] is not None:
        lines.append(f"not settled; about {needed['votes']} more decided votes would settle it at this rate")
    for name, slices in result["slices"].items():
        for one in slices:
            thin = "  (few)" if one["thin"] else ""
            interval = f"{share(one['low'])} to {share(one['high'])}"
            lines.append(f"  {name} {one['value']}: {share(one['win_rate'])} ({interval}), n {one['decided']}{thin}")
    return [*lines, *(f"note: {warning['text']}" for warning in result["warnings"])]
