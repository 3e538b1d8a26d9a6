"""A new run: data, gate, recipe, plan, start. The handlers only translate between widgets and `finetune`.

Start looks at the data first, whatever was looked at before, and begins nothing that would waste the run.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from finetune import fetching
from finetune import recipe as recipes
from finetune.data import gate
from finetune.errors import DataError, FinetuneError, RecipeError
from finetune.recipe import Recipe
from finetune.training import engine, jobs, plan, runs
from ui import wording
from ui.errors import language_of, shown_to_user
from ui.layout_parts import label
from ui.maker import for_maker
from ui.services import DEMO, Services
from ui.train import recipe_form
from ui.train.gate_view import gate_html, unread_html
from ui.train.plan_view import note_html, plan_html, problems_html

DATA = ("data.source", "data.question", "data.answer", "data.topic", "data.title")
NAMES = (*DATA, *(name for name in recipe_form.FIELDS if name not in DATA))
"""Every setting, in the order in which its control is laid out."""
OF_DATA = tuple(name for name in NAMES if name.startswith("data.") or name in ("base.model", "training.objective"))
"""The settings that rows and their lengths depend on."""

SHOWN = Recipe.read(DEMO)

SAVE_YAML = """(yaml) => {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([yaml], { type: "application/yaml" }));
  link.download = (/^name: *['"]?([^'"\\n/]+)/.exec(yaml)?.[1] ?? "recipe") + ".yaml";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}"""


OTHER_DATA = """(...chosen) => {
  const data = JSON.stringify(chosen);
  if (data === globalThis.dataOfGate) return undefined;
  globalThis.dataOfGate = data;
  return "";
}"""
"""What was found in other data goes at once, in the browser: the server's answer could come after the next find. Gradio
tells of changes that are none, too; nothing is touched then."""


@dataclass(frozen=True)
class Measured:
    """What the gate found out. `data`: the settings that rows and lengths depend on; `of`: those the verdict does."""

    data: str = ""
    of: str = ""
    rows: int = 0
    tokens: float = 0.0
    longest: int = 0
    blocked: bool = False


@dataclass
class NewRun:
    """The page's parts that others wire: the form, and the name of what was started."""

    form: list[gr.components.Component]
    """The preset, where the data come from, and every setting; `filled` says what to put there."""
    started: gr.Textbox
    """Invisible; holds the name of a run that has just been started, and on a second line when."""


def filled(recipe: Recipe, preset: str | None = None) -> list[Any]:
    """The form's values for a recipe, whose data are its own; the preset that is shown stays where none is given."""
    return [preset or gr.skip(), "recipe", *(recipe_form.value_of(recipe, name) for name in NAMES)]


def build(services: Services) -> NewRun:
    """Lay out the page and wire it."""
    fields: dict[str, gr.components.Component] = {}
    with gr.Row(equal_height=False):
        with gr.Column(scale=7, min_width=320):
            with gr.Group():
                preset = gr.Dropdown(
                    recipes.presets(), value=DEMO, label=label("train.recipe"), info=label("train.recipe.info")
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
            for section, names in recipe_form.sections_of(rest).items():
                with gr.Accordion(label(f"section.{section}"), open=False):
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
                    save = gr.Button(label("train.yaml.save"), size="sm", elem_id="save-recipe")
                    load = gr.UploadButton(label("train.yaml.load"), file_types=[".yaml", ".yml"], size="sm")
    measured = gr.State(Measured())
    started = gr.Textbox(visible=False)
    written = gr.Textbox(visible=False)
    """The recipe as YAML; the browser makes a file of it, for here it would be a file at every change of the form."""
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
                return [note_html(wording.error(error, language), language), gr.skip(), gr.Button(interactive=False),
                        gr.skip(), *recipe_form.problems_of(NAMES, None, language)]  # fmt: skip
            known = found.of == _signature(recipe)
            same_data = found.data == _data_signature(recipe)
            told = (
                plan_html(_estimate(services, recipe, found), language)
                if same_data and found.rows
                else note_html(wording.sentence("plan.after_gate", language), language)
            )
            return [
                told,
                plan.equivalent_command(recipe, preset_name),
                gr.Button(interactive=not (known and found.blocked)),
                recipe.to_yaml(),
                *recipe_form.problems_of(NAMES, None, language),
            ]

    def looked(request: gr.Request, preset_name: str, kind: str, path: str | None, *values: Any) -> Any:
        with for_maker(services, request) as language:
            shown, table, found = _examine(recipe_of(preset_name, kind, path, values), language, services.scratch)
            return shown, table, found, gr.Button(interactive=not found.blocked)

    def still_true(found: Measured, preset_name: str, kind: str, path: str | None, *values: Any) -> Any:
        try:
            recipe = recipe_of(preset_name, kind, path, values)
        except RecipeError:  # the form says what is wrong, and the rows stay what they were
            return gr.skip()
        except DataError:
            return ""
        return gr.skip() if found.data == _data_signature(recipe) else ""

    def begin(
        request: gr.Request, found: Measured, name: str, secret: str, preset_name: str, kind: str, path: str | None,
        *values: Any,
    ) -> Any:  # fmt: skip
        with for_maker(services, request) as language:
            recipe = recipe_of(preset_name, kind, path, values)
            shown, table = gr.skip(), gr.skip()
            if found.of != _signature(recipe):
                shown, table, found = _examine(recipe, language, services.scratch)
            if found.blocked:
                gr.Warning(wording.sentence("gate.blocked", language))
                return shown, table, found, gr.skip(), gr.Button(interactive=False)
            if kind == "upload":
                recipe = recipe.with_settings({"data.source": str(keep_upload(services.home, Path(path or "")))})
            environment = {"WANDB_API_KEY": secret.strip()} if secret and secret.strip() else None
            run = jobs.start(services.home, recipe, name=(name or "").strip(), environment=environment)
            waits = run.status().waiting
            gr.Info(wording.sentence("train.queued" if waits else "train.started", language, run=run.name))
            # With the time: a deleted run's name may come again, and a value that stays the same tells nobody.
            return shown, table, found, f"{run.name}\n{time.time()}", gr.Button(interactive=True)

    def preset_filled(preset_name: str) -> list[Any]:
        return filled(Recipe.read(preset_name))[2:]

    def loaded(path: str, request: gr.Request) -> list[Any]:
        with for_maker(services, request):
            recipe = Recipe.read(path)
            return [recipe.name, *filled(recipe)[2:]]

    private = {"api_visibility": "private", "show_progress": "hidden"}
    plan_outputs = [plan_shown, command, start, written, *controls]
    preset.input(preset_filled, preset, controls, **private)
    save.click(None, written, None, js=SAVE_YAML, **private)
    load.upload(loaded, load, [called, *controls], **private)
    kind.change(lambda kind: gr.Column(visible=kind == "upload"), kind, upload, **private)
    file.upload(looked, chosen, [gate_shown, dropped, measured, start], **private)
    measured.change(still_true, [measured, *chosen], gate_shown, **private)  # the form may have changed meanwhile
    look.click(looked, chosen, [gate_shown, dropped, measured, start], api_visibility="private")
    page = gr.context.Context.root_block
    of_data = [kind, file, *(fields[name] for name in OF_DATA)]
    gr.on([page.load, *(control.change for control in of_data)], None, of_data, gate_shown, js=OTHER_DATA)
    gr.on(
        [page.load, kind.change, file.change, measured.change, *(control.change for control in controls)],
        planned,
        [measured, *chosen],
        plan_outputs,
        trigger_mode="always_last",
        concurrency_limit=4,
        **private,
    )
    start.click(
        begin,
        [measured, called, key, *chosen],
        [gate_shown, dropped, measured, started, start],
        api_visibility="private",
    )
    return NewRun([preset, kind, *controls], started)


def start_run(services: Services, preset: str, settings: dict[str, Any]) -> runs.Run:
    """Start a run from a preset with some settings changed; for the API."""
    return jobs.start(services.home, Recipe.read(preset).with_settings(settings))


def keep_upload(home: Path, path: Path) -> Path:
    """Copy an upload out of Gradio's cache, for a run may outlive it."""
    uploads = home / jobs.UPLOADS
    uploads.mkdir(parents=True, exist_ok=True)
    kept = Path(tempfile.mkdtemp(prefix=time.strftime("%Y%m%d-%H%M%S-"), dir=uploads)) / path.name
    shutil.copyfile(path, kept)
    return kept


def _data_signature(recipe: Recipe) -> str:
    """What rows and their lengths depend on."""
    return repr((recipe.data, recipe.base.model, recipe.training.objective))


def _signature(recipe: Recipe) -> str:
    """What the gate's result depends on."""
    t = recipe.training
    counted = (
        t.objective,
        t.lr_scheduler_type,
        t.max_length,
        t.per_device_train_batch_size,
        t.gradient_accumulation_steps,
        t.max_steps,
    )
    return repr((recipe.data, recipe.base.model, counted, t.num_train_epochs, t.warmup_steps))


def _examine(recipe: Recipe, language: str, scratch: Path) -> tuple[str, Any, Measured]:
    try:
        with tempfile.TemporaryDirectory(prefix="shohomormi-gate-") as folder:
            seen = gate.examine(recipe, Path(folder))
    except FinetuneError as problem:  # it stays where the data would be shown; a toast is gone after 15 seconds
        found = Measured(_data_signature(recipe), _signature(recipe), blocked=True)
        return unread_html(wording.error(problem, language), language), gr.File(visible=False), found
    found = Measured(
        _data_signature(recipe),
        _signature(recipe),
        seen.report["splits"]["train"],
        seen.lengths.mean,
        seen.lengths.longest,
        seen.blocked,
    )
    table = gr.File(visible=False)
    if gate.dropped_rows(seen.report):
        path = Path(tempfile.mkdtemp(dir=scratch)) / "dropped.csv"
        gate.write_dropped_csv(seen.report, path)
        table = gr.File(value=str(path), visible=True)
    return gate_html(seen, language), table, found


def _estimate(services: Services, recipe: Recipe, found: Measured) -> plan.Plan:
    base, here = recipe.base.model, plan.machine(services.home)
    dimensions = plan.shape(base)
    return plan.estimate(
        engine.expected(recipe, here, engine.unsloth_installed()),
        here,
        dimensions,
        rows=found.rows,
        mean_tokens=found.tokens,
        longest=found.longest,
        past=plan.past_runs(services.home, base),
        to_fetch_gb=fetching.to_fetch_gb(base, dimensions.parameters, services.home) if dimensions else 0.0,
    )
