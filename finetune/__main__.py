"""The command line: `python -m finetune COMMAND`.

Each command is a few lines over the module that does the work; `terminal.py` says how they speak, and the commands
of review and evaluation stand in `review/commands.py` and `review/evaluation_commands.py`.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from finetune import processors
from finetune.recipe import Recipe, presets
from finetune.review import commands as review
from finetune.review import evaluation_commands as evaluation
from finetune.terminal import Json, end_when_asked, home, only_json, show, tell, told_to_user, usage

app = typer.Typer(
    add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, help="Fine-tune, compare and talk."
)

app.add_typer(review.app)
app.add_typer(evaluation.app)

Settings = Annotated[list[str] | None, typer.Option("--set", help="section.setting=value, may be repeated.")]


def as_settings(pairs: list[str] | None) -> dict[str, str]:
    """`["training.max_steps=30"]` as a dictionary; RecipeError where the equals sign is missing."""
    wrong = [pair for pair in pairs or [] if "=" not in pair]
    if wrong:
        raise usage("--set", f"write section.setting=value; found {', '.join(wrong)}.")
    return dict(pair.split("=", 1) for pair in pairs or [])


@app.command()
def prepare(
    source: Annotated[str, typer.Argument(help="CSV, JSONL or Parquet file, or a data set id on the Hub.")],
    out: Annotated[Path, typer.Option(help="Folder for the splits and the report.")],
    limit: Annotated[int | None, typer.Option(help="Read only so many rows.", min=1)] = None,
    settings: Settings = None,
    as_json: Json = False,
) -> None:
    """Clean a corpus and split it 80/10/10 into train, validation and test."""
    from finetune.data import splits

    with told_to_user(), only_json(as_json):
        chosen = {f"data.{key.removeprefix('data.')}": value for key, value in as_settings(settings).items()}
        data = Recipe().with_settings({**chosen, "data.source": source}).data
        report = splits.prepare(data, out, limit)
    dropped = [f"  {reason}: {count:,}" for reason, count in report["dropped"].items() if count]
    sizes = ", ".join(f"{name} {count:,}" for name, count in report["splits"].items())
    show(
        report,
        as_json,
        [
            f"{report['kept']:,} of {report['rows']:,} rows kept; dropped: {'' if dropped else 'none'}",
            *dropped,
            f"splits: {sizes}; {report['groups']:,} groups, the largest has {report['largest_group']} rows",
            f"written to {out} in {report['seconds']:.1f} s",
        ],
    )


@app.command()
def train(
    recipe: Annotated[str, typer.Argument(help="A YAML file or the name of a preset.")],
    settings: Settings = None,
    run_dir: Annotated[Path | None, typer.Option(help="The run's folder; by default a new one.")] = None,
    resume: Annotated[bool, typer.Option(help="Go on from a checkpoint in --run-dir.")] = False,
    checkpoint: Annotated[int | None, typer.Option(help="Its step; by default the last one's.", min=1)] = None,
) -> None:
    """Train an adapter as a recipe says."""
    from finetune.training import padding_free, processes, queue, reporting, runs, second_try, trainer

    environment = processes.alone(os.environ)  # before training sets what its own libraries need
    padding_free.let_memory_grow()

    def taken() -> runs.Run:
        if checkpoint is not None and not resume:
            raise usage("--checkpoint", "says where to go on; add --resume.")
        if resume:
            if run_dir is None:
                raise usage("--resume", "say which run to go on with: --run-dir FOLDER.")
            return queue.take_again(run_dir)
        chosen = Recipe.read(recipe).with_settings(as_settings(settings))
        if run_dir is None:
            return runs.create(home(), chosen, **runs.this_process())
        if (run_dir / "recipe.yaml").resolve() == Path(recipe).resolve():
            return queue.take_new(run_dir)  # the app has laid the folder out and started this process for it
        return runs.adopt(run_dir, chosen, **runs.this_process())

    with told_to_user(), processes.joined():
        run = processes.from_first(taken)
        try:
            with reporting.logged(run), told_to_user():
                print(f"run: {run.folder}", flush=True)
                trainer.train(run, resume=resume, checkpoint=checkpoint, may_try_again=True)
        except second_try.Again:
            second_try.begin(run, environment)
        finally:
            if processes.first():
                queue.hand_over(run, environment)


@app.command()
def generate(
    demo: Annotated[str | None, typer.Argument(help="`demo` takes the demo adapter.")] = None,
    run: Annotated[Path | None, typer.Option(help="A run's folder.")] = None,
    adapter: Annotated[Path | None, typer.Option(help="An adapter's folder.")] = None,
    prompt: Annotated[str, typer.Option(help="What the person writes.")] = ...,
    side: Annotated[str, typer.Option(help="base, tuned or both.")] = "both",
    seed: Annotated[int | None, typer.Option(help="Same seed, same reply.")] = None,
    settings: Settings = None,
    as_json: Json = False,
) -> None:
    """Answer one prompt with the base, the adapter, or both."""
    from finetune import models
    from finetune.data.prompts import conversation
    from finetune.inference.backends import LocalBackend, Side, replies
    from finetune.training import runs

    with told_to_user(), only_json(as_json):
        if sum(x is not None for x in (demo, run, adapter)) != 1 or demo not in (None, "demo"):
            raise usage("generate", "choose one of --run FOLDER, --adapter FOLDER or the word demo.")
        if side not in ("base", "tuned", "both"):
            raise usage("--side", f"{side!r} is not known; choose base, tuned or both.")
        if not prompt.strip():
            raise usage("--prompt", "is empty; write what the person says.")
        recipe = runs.at(run).recipe() if run else Recipe()
        chosen = {f"generation.{k.removeprefix('generation.')}": v for k, v in as_settings(settings).items()}
        if seed is not None:
            chosen["generation.seed"] = seed
        how = recipe.with_settings(chosen).generation
        folder = adapter or (runs.at(run).adapter if run else models.DEMO_ADAPTER)
        base = models.read_adapter_config(folder)["base_model_name_or_path"]
        asked = {"base": None, "tuned": folder}
        names = ["base", "tuned"] if side == "both" else [side]
        backend = LocalBackend(base)
        texts = replies(backend, [Side(conversation(prompt), asked[name], how) for name in names])
    answered = dict(zip(names, texts, strict=True))
    result = {"prompt": prompt, "base": answered.get("base"), "tuned": answered.get("tuned"), "seed": how.seed}
    show(result, as_json, [f"{name}: {text}" for name, text in answered.items()])


@app.command()
def export(
    run: Annotated[Path, typer.Option(help="A run's folder.")],
    to: Annotated[str, typer.Option(help="zip, merged, gguf, vllm or hub.")],
    out: Annotated[Path | None, typer.Option(help="File or folder to write; by default in the run's exports/.")] = None,
    quantisation: Annotated[str | None, typer.Option(help="Number format of the GGUF file, q8_0 by default.")] = None,
    repo_id: Annotated[str | None, typer.Option(help="OWNER/NAME on the Hugging Face Hub.")] = None,
    public: Annotated[bool, typer.Option(help="Let everybody see the repository.")] = False,
    as_json: Json = False,
) -> None:
    """Take a run's adapter away: as a zip file, merged into its base, as GGUF, for vLLM, or to the Hub (private)."""
    from finetune.training import export as exports
    from finetune.training import runs, serving

    with told_to_user(), only_json(as_json):
        if to not in exports.FORMATS:
            raise usage("--to", f"{to!r} is not known; choose one of {', '.join(exports.FORMATS)}.")
        if to == "hub" and not repo_id:
            raise usage("--repo-id", "is missing; say where to: --repo-id OWNER/NAME.")
        chosen = runs.at(run)
        written_as = quantisation or exports.QUANTISATIONS[0]
        if to == "zip":
            path = exports.to_zip(chosen, out or exports.place(chosen, to))
        elif to == "merged":
            path = exports.merge(chosen, out or exports.place(chosen, to))
        elif to == "gguf":
            path = exports.to_gguf(chosen, out or exports.place(chosen, to, written_as), written_as)
        elif to == "vllm":
            path = serving.to_vllm(chosen, out or exports.place(chosen, to))
        else:
            path = exports.to_hub(chosen, repo_id, private=not public)
    show({"path": str(path)}, as_json, [str(path)])


@app.command()
def recipes(as_json: Json = False) -> None:
    """List the recipes that ship with the project."""
    show(presets(), as_json, presets())


@app.command()
def screen(
    text: Annotated[str | None, typer.Argument(help="One text.")] = None,
    file: Annotated[Path | None, typer.Option(help="A file with one text a line.")] = None,
    red_team: Annotated[bool, typer.Option(help="Figures on the red-team lists of a checkout, or on --file.")] = False,
    as_json: Json = False,
) -> None:
    """Print the crisis screen's tier of each line: none, soft or strong."""
    from finetune.inference import red_team as lists
    from finetune.inference import safety

    with told_to_user():
        if red_team and text is None:
            found = lists.figures([file] if file else lists.lists())
            show(found, as_json, lists.lines(found))
            return
        if (text is None) == (file is None):
            raise usage("screen", "give one text, or --file FILE; or --red-team.")
        if file is not None and not file.is_file():
            raise usage("--file", f"there is no file {file}.")
        lines = [text] if text is not None else _lines(file)
        result = [{"line": line, "tier": safety.screen(line)} for line in lines]
    show(result, as_json, [f"{entry['tier']}\t{entry['line']}" for entry in result])


def _lines(file: Path) -> list[str]:
    """A file's lines; only a line break ends one, not the other signs that `str.splitlines` takes for one."""
    try:
        with file.open(encoding="utf-8") as opened:
            return [line.removesuffix("\n") for line in opened]
    except UnicodeDecodeError as error:
        raise usage("--file", f"{file} is not UTF-8 text. Save it as UTF-8.") from error


@app.command()
def score(
    predictions: Annotated[Path, typer.Option(help="Replies, one a line.")],
    references: Annotated[Path, typer.Option(help="What people answered, one a line; several of one line with tabs.")],
    prompts: Annotated[Path | None, typer.Option(help="What was asked, one a line: says what was copied.")] = None,
    as_json: Json = False,
) -> None:
    """Score any replies against references: chrF++, BLEU, ROUGE and what can be counted, with intervals."""
    from finetune.review import score_files

    with told_to_user(), only_json(as_json):
        result = score_files.score_files(predictions, references, prompts)
    show(result, as_json, score_files.lines(result))


@app.command()
def bench(
    what: Annotated[
        str, typer.Argument(help="chat: first token and rate; pair: a pair over one reply; train; decode.")
    ],
    repeats: Annotated[
        int | None, typer.Option(help="chat, pair, decode: replies measured after one warm-up.", min=1)
    ] = None,
    shape: Annotated[str | None, typer.Option(help="Random weights of this shape, llama-3.1-8b.")] = None,
    peer: Annotated[
        list[str] | None,
        typer.Option(
            help="transformers (as it comes; with TRL and PEFT for train), unsloth, or none; may be repeated."
            " By default transformers for train, all that are installed for decode, none for chat and pair."
        ),
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option(help="train: keeps weights and rows; cut off, the same command goes on with what is missing."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Measure the demo model, or a model of random weights, on this machine."""
    from finetune import bench as benches

    end_when_asked()
    with told_to_user(), only_json(as_json):
        result, told = benches.run(what, shape, peer or (), repeats, folder, lambda line: print(line, file=sys.stderr))
    show(result, as_json, told)


def main() -> None:
    """Entry point; a command that is written wrongly is refused in one line as well."""
    processors.bound_threads()
    try:
        sys.exit(app(sys.argv[1:] or ["--help"], standalone_mode=False))
    except typer.TyperException as error:
        tell(" ".join(error.format_message().split()) + " (--help shows how it is written)")
        sys.exit(error.exit_code)
    except (typer.Abort, KeyboardInterrupt):
        sys.exit(130)  # as shells do


if __name__ == "__main__":
    main()
