"""For notebooks: train, save and ask a model in a few lines, over the same modules as the app.

    tuner = LLAMAFineTuner("unsloth/Meta-Llama-3.1-8B-Instruct")
    tuner.train("corpus.csv")
    tuner.save_adapter()
    Evaluator(tuner).display_sample_responses()

A run that is trained here lies in the app's home like any other, and what goes wrong is a FinetuneError with a sentence
on what to do. Nothing here screens what people write (`inference/safety.py`): it is for makers.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from finetune import argument_checks, models
from finetune.data.prompts import FILE as FORMAT_FILE
from finetune.data.prompts import conversation
from finetune.errors import DataError, ModelError, RunError
from finetune.inference.backends import LocalBackend, Side, replies
from finetune.recipe import ROOT, Recipe, presets
from finetune.terminal import home
from finetune.training import runs
from finetune.training.runs import Run

REFERENCE = "llama-3.1-8b"
"""The recipe that is trained by where no other is given, and neither the model's run nor a preset has one for it."""

TOGETHER = 32
"""Questions answered in one batch: however long a list is, its keys and values fit beside the base."""


class LLAMAFineTuner:
    """A base with or without an adapter, to be trained, asked and saved."""

    def __init__(
        self,
        model_name: str | Path | None = None,
        *,
        load_in_4bit: bool | None = None,
        recipe: Recipe | str | Path | None = None,
        max_seq_length: int | None = None,
        dtype: Any = None,
        device_map: str | None = "auto",
    ) -> None:
        """Nothing is loaded until it is needed.

        model_name: a base (a Hub id, or a folder, which may be a merged model's), an adapter's folder, a run's folder,
        or `demo`; by default the recipe's base. load_in_4bit: for training as well as for answers; by default training
        goes by the recipe, and answers come from the 4-bit base. recipe: a recipe, a YAML file or a preset's name; by
        default that of the model's run, else the preset on the same base, else the reference recipe under the base's
        name. max_seq_length, dtype: the recipe's `training.max_length` and `base.dtype`, which is that of training.
        device_map: `auto` is the only one; the machine's cards decide where a base lies.
        """
        if device_map not in ("auto", None):
            raise ModelError(
                f'device_map={device_map!r} is not known. Leave it out, or write "auto": the machine decides.',
                key="model.device_map",
                device_map=str(device_map),
            )
        argument_checks.expect("model_name", model_name, str, Path, None)
        argument_checks.expect("recipe", recipe, Recipe, str, Path, None)
        argument_checks.expect("load_in_4bit", load_in_4bit, bool, None)
        given = recipe if isinstance(recipe, Recipe) or recipe is None else Recipe.read(str(recipe))
        name = (given or Recipe.read(REFERENCE)).base.model if model_name is None else str(model_name)
        self.adapter = _adapter(name)
        self.run = _run_of(self.adapter)
        """The run that made the adapter, where it still lies in its folder."""
        self.base = models.read_adapter_config(self.adapter)["base_model_name_or_path"] if self.adapter else name
        chosen = {"training.max_length": max_seq_length, "base.dtype": dtype and str(dtype).removeprefix("torch.")}
        self.recipe = (given or _recipe_for(self.run, self.base)).with_settings(
            {setting: value for setting, value in chosen.items() if value is not None}
        )
        self.load_in_4bit = load_in_4bit
        self._backend: LocalBackend | None = None

    @property
    def backend(self) -> LocalBackend:
        """What answers; it loads the base when it is first asked."""
        if self._backend is None:
            self._backend = LocalBackend(self.base, four_bit=self.load_in_4bit is not False)
        return self._backend

    @property
    def merged(self) -> bool:
        """True where what answers is a merged model: one with the format of the adapter that is in its weights."""
        return self.adapter is None and Path(models.resolve(self.base), FORMAT_FILE).is_file()

    def train(self, source: str | Path | None = None, **training: Any) -> Run:
        """Train on from the adapter, or a new one where there is none, and answer with the result from then on.

        source: the corpus, by default the recipe's. training: the recipe's training settings by name, such as
        `max_steps=200`. Returns the run; errors are `trainer.train`'s and the recipe's. Where memory runs out this
        ends, with a sentence on what to make smaller: a second try needs a process of its own, as the app and the
        command line give each run, and this one is the notebook's.
        """
        from finetune.training import padding_free, queue, reporting, starting_adapter, trainer

        argument_checks.expect("source", source, str, Path, None, hint=" Write a table to a CSV first.")
        chosen: dict[str, Any] = {"base.model": self.base}
        if self.adapter:
            chosen |= {**starting_adapter.settings(self.adapter), "adapter.start_from": str(self.adapter)}
        if self.load_in_4bit is not None:
            chosen["base.load_in_4bit"] = self.load_in_4bit
        if source is not None:
            chosen["data.source"] = str(source)
        recipe = self.recipe.with_settings(chosen | {f"training.{name}": value for name, value in training.items()})
        recipe = _by_transformers(recipe)
        environment = dict(os.environ)  # before training sets what its own libraries need
        padding_free.let_memory_grow()
        if self._backend is not None:
            self._backend.unload()  # makes room for the base that is trained, before anybody counts what is free
        run = runs.create(home(), recipe, **runs.this_process())
        try:
            with reporting.logged(run):
                trainer.train(run)
        finally:
            queue.hand_over(run, environment)
        self.recipe, self.run, self.adapter = run.recipe(), run, run.adapter
        return run

    def answer(self, questions: str | Sequence[str], *, tuned: bool = True, **generation: Any) -> str | list[str]:
        """The reply to a question, or to each of a list of questions, which are answered in batches of `TOGETHER`.

        tuned: False asks the base alone. generation: the recipe's generation settings by name, such as `temperature=0`.
        BackendError, before any is answered, where a question is longer than the model can read.
        """
        asked = argument_checks.questions(questions)
        settings = {f"generation.{name}": value for name, value in generation.items()}
        how = self.recipe.with_settings(settings).generation
        adapter = self.adapter if tuned else None
        sides = [self.backend.fit(Side(conversation(question), adapter, how))[0] for question in asked]
        batches = (sides[first : first + TOGETHER] for first in range(0, len(sides), TOGETHER))
        said = [reply for batch in batches for reply in replies(self.backend, batch)]
        return said[0] if isinstance(questions, str) else said

    def save_adapter(self, folder: str | Path | None = None) -> Path:
        """Copy the adapter with its prompt format into a new folder, by default `RECIPE-bangla-empathic-lora`."""
        adapter, out = self._adapter_to_save(), self._place(folder, "lora")
        with tempfile.TemporaryDirectory(prefix=f"{out.name}.part-", dir=out.parent) as part:
            shutil.copytree(adapter, Path(part, "adapter")).replace(out)
        return out

    def save_merged(self, folder: str | Path | None = None) -> Path:
        """Write base and adapter as one 16-bit model, by default into `RECIPE-bangla-empathic-merged`.

        Errors as `merging.merge_into`.
        """
        from finetune.training import export, merging

        adapter, out = self._adapter_to_save(), self._place(folder, "merged")
        if self.run:
            return export.merge(self.run, out)
        with tempfile.TemporaryDirectory(prefix=f"{out.name}.part-", dir=out.parent) as part:
            made = Path(part, "model")
            made.mkdir()  # with everybody's permissions, which a temporary folder has not
            merging.merge_into(made, self.base, adapter, self.recipe.generation)
            made.replace(out)
        return out

    def _adapter_to_save(self) -> Path:
        if self.merged:
            raise ModelError(
                f"{self.base} is a merged model, whose adapter cannot be taken out of its weights any more. Give the"
                " adapter's folder or its run's as model_name to save it again or to evaluate it beside its base.",
                key="model.merged",
                model=self.base,
            )
        if self.adapter is None:
            raise ModelError(
                f"{self.base} has no adapter yet. Call train() first, or give an adapter's folder as model_name.",
                key="model.nothing_trained",
                model=self.base,
            )
        return self.adapter

    def _place(self, folder: str | Path | None, what: str) -> Path:
        from finetune.training import export

        out = Path(folder or export.artefact(self.recipe, what)).absolute()
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise export.exists(out)
        out.parent.mkdir(parents=True, exist_ok=True)
        return out


class Evaluator:
    """What a model answers, and how well."""

    def __init__(self, fine_tuner: LLAMAFineTuner) -> None:
        argument_checks.expect("fine_tuner", fine_tuner, LLAMAFineTuner)
        self.fine_tuner = fine_tuner

    def generate_response(self, question: str | Sequence[str], **generation: Any) -> str | list[str]:
        """See `LLAMAFineTuner.answer`."""
        return self.fine_tuner.answer(question, **generation)

    def display_sample_responses(self, questions: str | Sequence[str] | None = None, **generation: Any) -> None:
        """Print what the base and the tuned model answer, by default to the recipe's sample prompts.

        A merged model, which has no base to stand beside, answers alone.
        """
        tuner = self.fine_tuner
        asked = argument_checks.questions(tuner.recipe.training.sample_prompts if questions is None else questions)
        sides = {"merged" if tuner.merged else "base": tuner.answer(asked, tuned=False, **generation)}
        if tuner.adapter:
            sides["tuned"] = tuner.answer(asked, **generation)
        for number, question in enumerate(asked):
            print(f"Q: {question}")
            for name, said in sides.items():
                print(f"{name}: {said[number]}")
            print()

    def evaluate(self, split: str = "test", limit: int | None = None, out: str | Path | None = None) -> dict[str, Any]:
        """Score base and tuned on held-out questions; prints the table and returns the whole result.

        What is there already is not asked again. An adapter without its run is evaluated on the recipe's corpus, split
        anew. limit: ask only so many questions. Errors are `evaluating.run`'s; ModelError where there is no adapter to
        set beside its base, as in a merged model.
        """
        from finetune.review import evaluating, evaluation_figures, evaluation_order
        from finetune.training import evaluated

        argument_checks.expect("limit", limit, int, None)
        argument_checks.expect("out", out, str, Path, None)
        if limit is not None and limit < 1:
            raise DataError(
                f"limit is {limit}. Ask at least one question, or leave it out for all.", key="api.limit", limit=limit
            )
        tuner = self.fine_tuner
        adapter, backend = tuner._adapter_to_save(), tuner.backend
        if tuner.run:
            order = evaluation_order.of_run(tuner.run, backend, split, limit)
        elif adapter == models.DEMO_ADAPTER:
            order = evaluation_order.of_demo(backend, split, limit)
        else:
            order = evaluation_order.of_adapter(adapter, tuner.recipe, backend, split, limit)
        folder = Path(out) if out else evaluation_order.place(home(), tuner.run, order)
        result = evaluating.run(folder, order, backend, report=_told).result
        if tuner.run:
            evaluated.keep(tuner.run, result)
        print(*evaluation_figures.table(result), sep="\n")
        return result


def _recipe_for(run: Run | None, base: str) -> Recipe:
    """A run's own recipe, else the preset on the same base, else the reference recipe, under the base's name."""
    if run:
        return run.recipe()
    for preset in map(Recipe.read, presets()):
        if _same_base(preset.base.model, base):
            return preset
    return replace(Recipe.read(REFERENCE), name=Path(base).name)


def _same_base(one: str, other: str) -> bool:
    return one == other or (ROOT / one).resolve() == Path(other).resolve()


def _by_transformers(recipe: Recipe) -> Recipe:
    """The recipe for training in this process: Unsloth would change transformers for all that is asked here later."""
    if recipe.training.engine == "unsloth":
        raise RunError(
            'Unsloth trains in a process of its own: run `python -m finetune train`, or pass engine="auto" here.',
            key="run.unsloth_notebook",
        )
    return recipe.with_settings({"training.engine": "transformers"})


def _told(progress: Any) -> None:
    print(f"\r{progress.stage}: {progress.done:,} of {progress.total:,}", end="", flush=True)
    if progress.done == progress.total:
        print()


def _adapter(name: str) -> Path | None:
    """The folder of the adapter that a name means; None for a base."""
    if name == models.DEMO:
        return models.DEMO_ADAPTER
    for path in (Path(name), ROOT / name):
        for folder in (path, path / "adapter"):
            if (folder / "adapter_config.json").is_file():
                return folder.resolve()
    return None


def _run_of(adapter: Path | None) -> Run | None:
    if adapter is None or adapter.name != "adapter" or not (adapter.parent / "recipe.yaml").is_file():
        return None
    return runs.at(adapter.parent)
