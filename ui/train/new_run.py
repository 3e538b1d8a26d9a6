"""A new run: data, gate, recipe, plan, start. The handlers only translate between widgets and `finetune`.

Start looks at the data first, whatever was looked at before, and begins nothing that would waste the run.
"""

from __future__ import annotations

import html
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from finetune import recipe as recipes
from finetune.data import gate
from finetune.errors import DataError, FinetuneError, RecipeError
from finetune.recipe import Recipe
from finetune.training import jobs, plan, runs
from ui import wording
from ui.errors import language_of, shown_to_user
from ui.layout_parts import label
from ui.services import Services
from ui.train import recipe_form
from ui.train.gate_view import gate_html
from ui.train.run_card import spoken_time

DATA = ("data.source", "data.question", "data.answer", "data.topic", "data.title")
NAMES = (*DATA, *(name for name in recipe_form.FIELDS if name not in DATA))
"""Every setting, in the order in which its control is laid out."""

SHOWN = Recipe.read("demo")


@dataclass(frozen=True)
class Measured:
    """What the gate found out that the plan needs; `of` names the settings it holds for."""

    of: str = ""
    rows: int = 0
    tokens: int = 0
    longest: int = 0
    blocked: bool = False


@dataclass
class NewRun:
    """The page's parts that others wire: the form, and what a started run is shown in."""

    fields: dict[str, gr.components.Component]
    preset: gr.Dropdown
    start: gr.Button
    started: gr.Textbox
    """Invisible; holds the name of a run that has just been started."""
    fill: gr.Textbox
    """Invisible; the YAML text of a recipe to fill the form with."""


def build(services: Services) -> NewRun:
    """Lay out the page and wire it."""
    fields: dict[str, gr.components.Component] = {}
    with gr.Row(equal_height=False):
        with gr.Column(scale=7, min_width=320):
            with gr.Group():
                preset = gr.Dropdown(
                    recipes.presets(), value="demo", label=label("train.recipe"), info=label("train.recipe.info")
                )
                kind = gr.Radio(
                    [(label(f"train.data.{one}"), one) for one in ("recipe", "upload")],
                    value="recipe",
                    label=label("train.data"),
                )
            with gr.Column(visible=False) as upload:
                file = gr.File(
                    label=label("train.file"), file_types=[".csv", ".jsonl", ".parquet"], type="filepath", height=120
                )
            with gr.Accordion(label("train.columns"), open=False):
                fields |= recipe_form.controls(DATA, SHOWN)
            look = gr.Button(label("gate.look"), size="sm")
            gate_shown = gr.HTML(padding=False, elem_id="gate")
            dropped = gr.File(label=label("gate.dropped_file"), visible=False, interactive=False)
            with gr.Group():
                fields |= recipe_form.controls(recipe_form.BASIC, SHOWN)
            rest = [name for name in NAMES if name not in fields]
            folds = {}
            for section, names in recipe_form.sections_of(rest).items():
                with gr.Accordion(label(f"section.{section}"), open=False) as folds[section]:
                    fields |= recipe_form.controls(names, SHOWN)
                    if section == "tracking":
                        key = gr.Textbox(
                            type="password",
                            label=label("train.wandb_key"),
                            info=label("train.wandb_key.info"),
                            elem_id="wandb-key",
                        )
        with gr.Column(scale=4, min_width=300, elem_classes="beside"):
            plan_shown = gr.HTML(padding=False, elem_id="plan")
            called = gr.Textbox(label=label("train.name"), info=label("train.name.info"), max_length=80)
            start = gr.Button(label("train.start"), variant="primary", elem_id="start")
            with gr.Accordion(label("train.command"), open=False):
                command = gr.Code(language="shell", show_label=False, interactive=False, lines=3)
                with gr.Row():
                    save = gr.DownloadButton(label("train.yaml.save"), size="sm")
                    load = gr.UploadButton(label("train.yaml.load"), file_types=[".yaml", ".yml"], size="sm")
    measured = gr.State(Measured())
    started, fill = gr.Textbox(visible=False), gr.Textbox(visible=False)
    controls = [fields[name] for name in NAMES]
    chosen = [preset, kind, file, *controls]

    def recipe_of(preset_name: str, kind: str, path: str | None, values: tuple[Any, ...]) -> Recipe:
        base = Recipe.read(preset_name)
        settings = recipe_form.settings(NAMES, values)
        if kind == "upload":
            if not path:
                raise DataError(wording.sentence("train.no_file", "en"), key="train.no_file")
            settings["data.source"] = path
        return base.with_settings(settings)

    def planned(
        request: gr.Request, found: Measured, preset_name: str, kind: str, path: str | None, *values: Any
    ) -> Any:
        language = language_of(request)
        with shown_to_user(language):
            try:
                recipe = recipe_of(preset_name, kind, path, values)
            except RecipeError as error:
                told = recipe_form.problems_of(NAMES, error, language)
                return [problems_html(error, language), gr.skip(), gr.Button(interactive=False), gr.skip(), *told]
            except DataError as error:
                return [note_html(wording.error(error, language), language), gr.skip(), gr.Button(interactive=True),
                        gr.skip(), *recipe_form.problems_of(NAMES, None, language)]  # fmt: skip
            stands = found if found.of == _signature(recipe) else Measured()
            return [
                plan_html(services, recipe, stands, language),
                plan.equivalent_command(recipe, preset_name),
                gr.Button(interactive=not stands.blocked),
                gr.DownloadButton(value=str(_yaml_file(recipe))),
                *recipe_form.problems_of(NAMES, None, language),
            ]

    def looked(request: gr.Request, preset_name: str, kind: str, path: str | None, *values: Any) -> Any:
        language = language_of(request)
        with shown_to_user(language):
            shown, table, found, _ = _examine(recipe_of(preset_name, kind, path, values), language)
            return shown, table, found, gr.Button(interactive=not found.blocked)

    def begin(
        request: gr.Request, found: Measured, name: str, secret: str, preset_name: str, kind: str, path: str | None,
        *values: Any,
    ) -> Any:  # fmt: skip
        language = language_of(request)
        with shown_to_user(language):
            recipe = recipe_of(preset_name, kind, path, values)
            shown, table = gr.skip(), gr.skip()
            if found.of != _signature(recipe):
                shown, table, found, _ = _examine(recipe, language)
            if found.blocked:
                gr.Warning(wording.sentence("gate.blocked", language))
                return shown, table, found, gr.skip(), gr.Button(interactive=False)
            if kind == "upload":
                recipe = recipe.with_settings({"data.source": str(keep_upload(services.home, Path(path or "")))})
            environment = {"WANDB_API_KEY": secret.strip()} if secret and secret.strip() else None
            run = jobs.start(services.home, recipe, name=(name or "").strip(), environment=environment)
            waits = run.status().waiting
            gr.Info(wording.sentence("train.queued" if waits else "train.started", language, run=run.name))
            return shown, table, found, run.name, gr.Button(interactive=True)

    def filled(preset_name: str) -> list[Any]:
        recipe = Recipe.read(preset_name)
        return [recipe_form.value_of(recipe, name) for name in NAMES]

    def loaded(path: str, request: gr.Request) -> list[Any]:
        with shown_to_user(language_of(request)):
            recipe = Recipe.read(path)
            return [recipe_form.value_of(recipe, name) for name in NAMES]

    def poured(text: str) -> list[Any]:
        import yaml

        recipe = Recipe.from_dict(yaml.safe_load(text))
        return ["recipe", *(recipe_form.value_of(recipe, name) for name in NAMES)]

    private = {"api_visibility": "private", "show_progress": "hidden"}
    plan_outputs = [plan_shown, command, start, save, *controls]
    preset.input(filled, preset, controls, **private)
    load.upload(loaded, load, controls, **private)
    fill.change(poured, fill, [kind, *controls], **private)
    kind.change(lambda kind: gr.Column(visible=kind == "upload"), kind, upload, **private)
    file.upload(looked, chosen, [gate_shown, dropped, measured, start], **private)
    look.click(looked, chosen, [gate_shown, dropped, measured, start], api_visibility="private")
    gr.on(
        [kind.change, file.change, measured.change, *(control.change for control in controls)],
        planned,
        [measured, *chosen],
        plan_outputs,
        trigger_mode="always_last",
        queue=True,
        concurrency_limit=4,
        **private,
    )
    start.click(
        begin,
        [measured, called, key, *chosen],
        [gate_shown, dropped, measured, started, start],
        api_visibility="private",
    )
    page = gr.context.Context.root_block
    page.load(planned, [measured, *chosen], plan_outputs, **private)
    return NewRun(fields, preset, start, started, fill)


def start_run(services: Services, preset: str, settings: dict[str, Any]) -> runs.Run:
    """Start a run from a preset with some settings changed; for the API."""
    return jobs.start(services.home, Recipe.read(preset).with_settings(settings))


def keep_upload(home: Path, path: Path) -> Path:
    """Copy an upload out of Gradio's cache, for a run may outlive it."""
    uploads = home / "uploads"
    uploads.mkdir(parents=True, exist_ok=True)
    kept = Path(tempfile.mkdtemp(prefix=time.strftime("%Y%m%d-%H%M%S-"), dir=uploads)) / path.name
    shutil.copyfile(path, kept)
    return kept


def _signature(recipe: Recipe) -> str:
    """What the gate's result depends on."""
    t = recipe.training
    counted = (t.max_length, t.per_device_train_batch_size, t.gradient_accumulation_steps, t.max_steps)
    return repr((recipe.data, recipe.base.model, counted, t.num_train_epochs, t.warmup_steps))


def _examine(recipe: Recipe, language: str) -> tuple[str, Any, Measured, gate.Gate]:
    with tempfile.TemporaryDirectory(prefix="shohomormi-gate-") as folder:
        seen = gate.examine(recipe, Path(folder))
    found = Measured(
        _signature(recipe), seen.report["splits"]["train"], seen.lengths.median, seen.lengths.longest, seen.blocked
    )
    table = gr.File(visible=False)
    if gate.dropped_rows(seen.report):
        path = Path(tempfile.mkdtemp()) / "dropped.csv"
        gate.write_dropped_csv(seen.report, path)
        table = gr.File(value=str(path), visible=True)
    return gate_html(seen, language), table, found, seen


def _yaml_file(recipe: Recipe) -> Path:
    path = Path(tempfile.mkdtemp()) / f"{recipe.name}.yaml"
    path.write_text(recipe.to_yaml(), encoding="utf-8")
    return path


def plan_html(services: Services, recipe: Recipe, found: Measured, language: str) -> str:
    """What the run will be: updates, time, memory, and what does not fit."""

    def say(key: str, **facts: object) -> str:
        return html.escape(wording.sentence(key, language, **facts))

    if not found.rows:
        return f'<div class="run-card plan" lang="{language}"><div class="facts">{say("plan.after_gate")}</div></div>'
    base = recipe.base.model
    estimate = plan.estimate(
        recipe,
        plan.machine(services.home),
        plan.shape(base),
        rows=found.rows,
        mean_tokens=found.tokens,
        longest=found.longest,
        past=plan.past_runs(services.home, base),
    )
    facts = [say("plan.steps", steps=estimate.steps, epochs=f"{estimate.epochs:.2g}")]
    if estimate.seconds_high:
        low, high = (spoken_time(seconds, language) for seconds in (estimate.seconds_low, estimate.seconds_high))
        facts.append(say("plan.time", low=low, high=high) if low != high else say("plan.about", time=low))
    if estimate.peak_gb:
        facts.append(say("plan.memory", gb=f"{estimate.peak_gb:.1f}"))
    advice = "".join(
        f'<li class="{"error" if estimate.fits is False else "warning"}">'
        f"{html.escape(wording.told(one.key, one.facts, one.message, language))}</li>"
        for one in estimate.advice
    )
    told = "".join(f"<span>{fact}</span>" for fact in facts)
    return (
        f'<div class="run-card plan" lang="{language}"><div class="state">{say("plan.title")}</div>'
        f'<div class="facts">{told}</div>{f"<ul class=findings>{advice}</ul>" if advice else ""}</div>'
    )


def problems_html(error: FinetuneError, language: str) -> str:
    """Every problem of the form, where the plan would stand."""
    lines = "".join(
        f'<li class="error">{html.escape(line)}</li>' for line in wording.error(error, language).split("\n")
    )
    return f'<div class="run-card plan" lang="{language}"><ul class="findings" role="alert">{lines}</ul></div>'


def note_html(text: str, language: str) -> str:
    """One sentence where the plan would stand."""
    return f'<div class="run-card plan" lang="{language}"><div class="facts">{html.escape(text)}</div></div>'
