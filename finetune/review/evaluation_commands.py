"""Evaluation on the command line; each command is a few lines over the module that does the work.

`evaluate` scores held-out questions, `report` makes a page of that to print, `between` sets two runs that did against
each other, `judge` asks a language model.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from finetune.errors import ReviewError, RunError
from finetune.models import DEMO
from finetune.recipe import Recipe
from finetune.review.evaluation import ORDER, Evaluation, within
from finetune.terminal import Json, home, only_json, show, told_to_user, usage

app = typer.Typer()


@app.command()
def evaluate(
    run: Annotated[Path | None, typer.Option(help="A run's folder; by default the demo adapter on its corpus.")] = None,
    split: Annotated[str, typer.Option(help="test or validation.")] = "test",
    limit: Annotated[int | None, typer.Option(help="Ask only so many questions.", min=1)] = None,
    new_tokens: Annotated[
        int | None, typer.Option(help="Of a reply at most; by default as the recipe says.", min=1)
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Its folder; by default in the run's evaluations/.")] = None,
    resume: Annotated[bool, typer.Option("--resume/--anew", help="Go on with what is there, or begin again.")] = True,
    as_json: Json = False,
) -> None:
    """Score base and tuned on held-out questions: bits per character, overlap, and what can be counted in replies."""
    from finetune.inference.backends import LocalBackend
    from finetune.review import evaluating, evaluation_figures, evaluation_order
    from finetune.training import evaluated, runs

    with told_to_user(), only_json(as_json):
        chosen = None if run is None else runs.at(run)
        recipe = Recipe.read("demo") if chosen is None else chosen.recipe()
        backend = LocalBackend(recipe.base.model)
        order = (
            evaluation_order.of_demo(backend, split, limit, new_tokens)
            if chosen is None
            else evaluation_order.of_run(chosen, backend, split, limit, new_tokens)
        )
        folder = out or evaluation_order.place(home(), chosen, order)
        if not resume:
            evaluating.forget(folder)
        result = evaluating.run(folder, order, backend, report=_teller()).result
        if chosen is not None:
            evaluated.keep(chosen, result)
    show({**result, "folder": str(folder)}, as_json, [*evaluation_figures.table(result), f"written to {folder}"])


BETWEEN_LINES = 30.0
"""Seconds between two lines about progress where nobody watches a terminal: in a log, say."""


def _teller(clock: Callable[[], float] = time.monotonic) -> Callable[[Any], None]:
    """Tells progress: one line that changes on a terminal; elsewhere a line now and then, and one as a stage ends."""
    terminal, told = sys.stderr.isatty(), clock()

    def tell(progress: Any) -> None:
        nonlocal told
        over = progress.done == progress.total
        left = "" if progress.left is None or over else f", {progress.left:.0f} s left"
        text = f"{progress.stage}: {progress.done:,} of {progress.total:,} questions{left}"
        if terminal:
            print(f"\r{text:60}", end="\n" if over else "", file=sys.stderr, flush=True)
        elif over or clock() - told >= BETWEEN_LINES:
            told = clock()
            print(text, file=sys.stderr, flush=True)

    return tell


@app.command()
def report(
    what: Annotated[str, typer.Argument(help="A run's folder, an evaluation's, or demo; of several the latest.")],
    split: Annotated[str, typer.Option(help="test or validation, of runs.")] = "test",
    language: Annotated[str, typer.Option(help="bn or en.")] = "bn",
    out: Annotated[Path | None, typer.Option(help="The HTML file; by default named after it, in this folder.")] = None,
    as_json: Json = False,
) -> None:
    """Write an evaluation as one HTML page to print or send, checkpoints and judge with it; asks no model."""
    from finetune.review import evaluation_order, evaluation_report, judging
    from finetune.review.evaluation_words import LANGUAGES, evaluation_words

    with told_to_user(), only_json(as_json):
        evaluation_order.check_split(split)
        if language not in LANGUAGES:
            raise usage("--language", f"choose {' or '.join(LANGUAGES)}.")
        one = _made(what, split)[0]
        one.check_whole()
        file = out or Path(f"{one.order['name']}-{one.folder.name}.{language}.html")
        page = evaluation_report.page(
            one,
            evaluation_words(language),
            language,
            steps=_steps(one),
            judged=judging.read(one.folder),
            date=time.strftime("%Y-%m-%d"),
        )
        file.write_text(page, encoding="utf-8")
    show({"file": str(file)}, as_json, [f"written to {file}"])


def _steps(one: Evaluation) -> Sequence[Mapping[str, Any]]:
    """What the run in whose folder an evaluation lies paid at its checkpoints; nothing where it lies elsewhere."""
    from finetune.review import bits_over_steps
    from finetune.training import runs

    try:
        run = runs.at(one.folder.resolve().parent.parent)
    except RunError:
        return ()
    return bits_over_steps.read(run).get(bits_over_steps.SPLIT, ())


@app.command()
def between(
    first: Annotated[str, typer.Argument(help="A run's folder, an evaluation's, or demo.")],
    second: Annotated[str, typer.Argument(help="The run that may be better, named the same way.")],
    split: Annotated[str, typer.Option(help="test or validation, of runs.")] = "test",
    as_json: Json = False,
) -> None:
    """Whether the second run is better than the first on the questions that both have answered; asks no model."""
    from finetune.review import between_runs, comparable, evaluation_order

    with told_to_user(), only_json(as_json):
        evaluation_order.check_split(split)
        found = between_runs.compare(*comparable.choose(_made(first, split), _made(second, split)))
    show(found.to_dict(), as_json, between_runs.table(found))


def _made(name: str, split: str) -> tuple[Evaluation, ...]:
    """The evaluations that a name on the command line stands for, the latest first; ReviewError where there are none.

    An evaluation's own folder stands for itself, whatever its split. RunError for a folder that is neither.
    """
    from finetune.training import runs

    if (Path(name) / ORDER).is_file():
        return (Evaluation.open(Path(name)),)
    folder = home() if name == DEMO else runs.at(Path(name)).folder
    found = tuple(one for one in within(folder) if one.order["split"] == split)
    if not found:
        how = "" if name == DEMO else f" --run {name}"
        raise ReviewError(
            f"{name} has no finished evaluation of the {split} split. Make one with `python -m finetune evaluate{how}"
            f" --split {split}`.",
            key="between.none",
            run=folder.name,
        )
    return found


@app.command()
def judge(
    what: Annotated[str, typer.Argument(help="A set of pairs by its name, or an evaluation's folder.")],
    model: Annotated[str, typer.Option(help="The judge: MODEL@URL of an OpenAI-compatible server.")],
    language: Annotated[str, typer.Option(help="In which it is asked: en or bn.")] = "en",
    as_json: Json = False,
) -> None:
    """Ask a language model which replies are better, both ways round, and how far it agrees with people's votes.

    Questions and replies go to that server, but for what needs care.
    """
    from finetune.inference.remote import RemoteBackend
    from finetune.review import judging, pair_sets
    from finetune.review.evaluation import Evaluation
    from finetune.review.reviewing import Reviewing

    with told_to_user(), only_json(as_json):
        name, at, url = model.rpartition("@")
        if not (name and at and url):
            raise usage("--model", "name the judge and its server: MODEL@URL.")
        votes: list[dict[str, Any]] = []
        if Path(what).is_dir():
            folder, items = Path(what), judging.of_evaluation(Evaluation.open(Path(what)))
        else:
            found = pair_sets.read(home(), what)
            folder, items, votes = found.folder, judging.of_set(found), Reviewing(home()).votes.lines(what)
        judgements = judging.judge(items, RemoteBackend(url, name), model, folder / judging.FILE, language)
        result = {"judge": name, **judging.figures(items, judgements, votes)}
        judging.save(folder, result)
    show(result, as_json, judging.table(result))
