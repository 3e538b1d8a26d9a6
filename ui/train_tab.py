"""The Train tab: choose recipe and data, start and stop, watch. Everything shown comes from the run's folder.

The handlers only translate between widgets and `finetune`; closing the page changes nothing for a run.
"""

from __future__ import annotations

import html
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

import gradio as gr

from finetune import recipe as recipes
from finetune.errors import DataError
from finetune.recipe import Recipe
from finetune.training import jobs, metrics, runs
from ui import plots, wording
from ui.errors import language_of, shown_to_user
from ui.layout_parts import label
from ui.services import Services

REFRESH_SECONDS = 2
MAIN = ("training.learning_rate", "training.max_steps", "training.per_device_train_batch_size", "adapter.r")
MORE = (
    "training.gradient_accumulation_steps",
    "training.eval_steps",
    "training.save_steps",
    "adapter.lora_alpha",
    "training.seed",
)
TRACKING = ("none", "offline", "online")


def build_train_tab(services: Services, page: gr.Blocks) -> None:
    """Lay out the tab and wire it."""
    shown = Recipe.read("demo")
    with gr.Row(equal_height=False):
        with gr.Column(scale=5, min_width=300):
            preset = gr.Dropdown(
                recipes.presets(), value="demo", label=label("train.recipe"), info=label("train.recipe.info")
            )
            source = gr.Radio(
                [(label("train.data.recipe"), "recipe"), (label("train.data.upload"), "upload")],
                value="recipe",
                label=label("train.data"),
            )
            with gr.Group(visible=False) as upload:
                file = gr.File(
                    label=label("train.file"), file_types=[".csv", ".jsonl", ".parquet"], type="filepath", height=120
                )
                with gr.Row():
                    question = gr.Textbox(shown.data.question, label=label("train.question"))
                    answer = gr.Textbox(shown.data.answer, label=label("train.answer"))
            fields: dict[str, gr.Number] = {}
            with gr.Accordion(label("train.settings"), open=True):
                with gr.Row():
                    for name in MAIN:
                        fields[name] = _number(name, shown)
            with gr.Accordion(label("train.more"), open=False):
                with gr.Row():
                    for name in MORE:
                        fields[name] = _number(name, shown)
                tracking = gr.Radio(
                    [(label(f"train.tracking.{mode}"), mode) for mode in TRACKING],
                    value="none",
                    label=label("train.tracking"),
                    info=label("train.tracking.info"),
                )
            with gr.Row(elem_classes="actions"):
                start = gr.Button(label("train.start"), variant="primary")
                stop = gr.Button(label("train.stop"), interactive=False)
                resume = gr.Button(label("train.resume"), visible=False)
        with gr.Column(scale=7, min_width=320):
            chosen = gr.Dropdown([], label=label("train.run"), interactive=True)
            card = gr.HTML(padding=False)
            loss = gr.Plot(label=label("train.loss"), visible=False)
            rate = gr.Plot(label=label("train.rate"), visible=False)
            with gr.Accordion(label("train.log"), open=False):
                log = gr.Textbox(lines=10, max_lines=14, show_label=False, interactive=False, elem_classes="log")
    timer = gr.Timer(REFRESH_SECONDS, active=False)
    seen = gr.State("")

    panel = [chosen, card, loss, rate, log, start, stop, resume, timer, seen]

    def show(name: str | None, last: str, request: gr.Request) -> Any:
        """The panel of a run, or nothing where nothing has changed since it was shown last."""
        language = language_of(request)
        with shown_to_user(language):
            known = services.runs()
            names = [run.name for run in known]
            run = next((run for run in known if run.name == name), known[0] if known else None)
            if run is None:
                return {card: _empty(language), chosen: gr.Dropdown(choices=[], value=None), seen: ""}
            status = run.status()
            lines, end = metrics.read(run.folder)
            mark = f"{language} {run.name} {status} {end} {names} {run.stop_request.exists()} {run.log_tail(3)}"
            if mark == last:
                return {seen: gr.skip()}
            return {
                chosen: gr.Dropdown(choices=names, value=run.name),
                card: card_html(run, status, lines, language),
                loss: gr.Plot(plots.loss(lines, language), visible=bool(lines)),
                rate: gr.Plot(plots.learning_rate(lines, language), visible=bool(lines)),
                log: run.log_tail(),
                start: gr.Button(interactive=not any(r.status().active for r in known)),
                stop: gr.Button(interactive=status.active and not run.stop_request.exists()),
                resume: gr.Button(visible=status.state in ("stopped", "failed") and _resumable(run)),
                timer: gr.Timer(active=status.active),
                seen: mark,
            }

    def begin(request: gr.Request, preset_name: str, kind: str, path: str | None, *values: Any) -> Any:
        language = language_of(request)
        with shown_to_user(language):
            if kind == "upload" and not path:
                raise DataError(wording.sentence("train.no_file", "en"), key="train.no_file")
            *numbers, question_column, answer_column, mode = values
            settings: dict[str, Any] = dict(zip(fields, numbers, strict=True))
            if kind == "upload":
                settings |= {
                    "data.source": str(keep_upload(services.home, Path(path))),
                    "data.question": question_column,
                    "data.answer": answer_column,
                }
            run = start_run(services, preset_name, settings, mode)
            gr.Info(wording.sentence("train.started", language, run=run.name))
            return show(run.name, "", request)

    def end(name: str, request: gr.Request) -> Any:
        with shown_to_user(language_of(request)):
            jobs.stop(runs.find(services.home, name))
            return show(name, "", request)

    def go_on(name: str, request: gr.Request) -> Any:
        with shown_to_user(language_of(request)):
            jobs.resume(runs.find(services.home, name))
            return show(name, "", request)

    def fill_in(preset_name: str) -> list[Any]:
        recipe = Recipe.read(preset_name)
        return [_value(recipe, name) for name in fields]

    private = {"api_visibility": "private", "show_progress": "hidden"}
    preset.change(fill_in, preset, list(fields.values()), **private)
    source.change(lambda kind: gr.Group(visible=kind == "upload"), source, upload, **private)
    inputs = [preset, source, file, *fields.values(), question, answer, tracking]
    start.click(begin, inputs, panel, **private)
    stop.click(end, chosen, panel, **private)
    resume.click(go_on, chosen, panel, **private)
    chosen.input(show, [chosen, seen], panel, **private)
    timer.tick(show, [chosen, seen], panel, **private)
    page.load(show, [chosen, seen], panel, **private)


def start_run(services: Services, preset: str, settings: dict[str, Any], tracking: str = "none") -> runs.Run:
    """Start a run from a preset with some settings changed; used by the page and the API."""
    recipe = Recipe.read(preset)
    if tracking != "none":
        settings = {**settings, "tracking.report_to": "wandb", "tracking.mode": tracking}
    return jobs.start(services.home, recipe.with_settings(settings))


def keep_upload(home: Path, path: Path) -> Path:
    """Copy an upload out of Gradio's cache, for a run may outlive it."""
    uploads = home / "uploads"
    uploads.mkdir(parents=True, exist_ok=True)
    kept = Path(tempfile.mkdtemp(prefix=time.strftime("%Y%m%d-%H%M%S-"), dir=uploads)) / path.name
    shutil.copyfile(path, kept)
    return kept


def card_html(run: runs.Run, status: runs.Status, lines: list[dict[str, Any]], language: str) -> str:
    """A run's state in one card: what it does, how far it is, how long it will take, what went wrong."""

    def say(key: str, **facts: object) -> str:
        return html.escape(wording.sentence(key, language, **facts))

    stopping = status.active and run.stop_request.exists()
    state = say("status.stopping" if stopping else f"status.{status.state}")
    facts = []
    if status.total_steps:
        facts.append(say("status.steps", step=status.step, total=status.total_steps))
    left = seconds_left(status, lines)
    if status.state == "training" and left is not None and not stopping:
        facts.append(say("status.eta", time=spoken_time(left, language)))
    speeds = [line["tokens_per_second"] for line in lines[-10:] if "tokens_per_second" in line]
    if status.active and speeds:
        facts.append(say("status.speed", speed=int(sum(speeds) / len(speeds))))
    if status.state in ("finished", "stopped") and lines:
        facts.append(say("status.took", time=spoken_time(lines[-1]["elapsed_s"], language)))
    evaluations = [line["eval_loss"] for line in lines if "eval_loss" in line]
    if len(evaluations) > 1:
        facts.append(say("status.loss", first=f"{evaluations[0]:.2f}", last=f"{evaluations[-1]:.2f}"))
    share = 100 * status.step / status.total_steps if status.total_steps else 0
    bar = f'<div class="bar"><i style="width:{share:.1f}%"></i></div>' if status.total_steps else ""
    problem = ""
    if status.error:
        told = wording.told(status.error_key, status.error_facts, status.error, language)
        problem = f'<div class="error" role="alert">{html.escape(told)}</div>'
    kind = "active" if status.active else status.state
    told = "".join(f"<span>{fact}</span>" for fact in facts)
    return (
        f'<div class="run-card {kind}" lang="{language}" aria-live="polite">'
        f'<div class="state"><span class="dot"></span>{state}</div>{bar}<div class="facts">{told}</div>{problem}</div>'
    )


def seconds_left(status: runs.Status, lines: list[dict[str, Any]]) -> float | None:
    """How long the remaining steps will take at the pace of the last ones; None before there is a pace."""
    timed = [(line["step"], line["elapsed_s"]) for line in lines if "loss" in line][-20:]
    if len(timed) < 2 or timed[-1][0] == timed[0][0]:
        return None
    pace = (timed[-1][1] - timed[0][1]) / (timed[-1][0] - timed[0][0])
    return max(0.0, pace * (status.total_steps - status.step))


def spoken_time(seconds: float, language: str) -> str:
    """A length of time as one would say it."""
    if seconds < 90:
        return wording.sentence("status.seconds", language, n=round(seconds))
    if seconds < 5400:
        return wording.sentence("status.minutes", language, n=round(seconds / 60))
    return wording.sentence("status.hours", language, n=round(seconds / 3600, 1))


def _empty(language: str) -> str:
    text = html.escape(wording.sentence("status.none", language))
    return f'<div class="run-card" lang="{language}">{text}</div>'


def _resumable(run: runs.Run) -> bool:
    return any(run.checkpoints.glob("checkpoint-*/trainer_state.json"))


def _number(name: str, recipe: Recipe) -> gr.Number:
    return gr.Number(_value(recipe, name), label=label(name), min_width=160, precision=None)


def _value(recipe: Recipe, name: str) -> Any:
    section, key = name.split(".")
    return getattr(getattr(recipe, section), key)
