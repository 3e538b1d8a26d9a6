"""Watching a run: its state, alerts, curves, replies and log, and what can be done with it.

Everything shown comes from the run's folder; closing the page changes nothing for a run. A refresh that finds nothing
new sends nothing.
"""

from __future__ import annotations

import html
import shlex
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from finetune.errors import FinetuneError
from finetune.training import alerts, checkpoints, export, jobs, queue, runs, samples, trackers
from finetune.training.runs import Run
from ui import plots, wording
from ui.errors import language_of, shown_to_user
from ui.layout_parts import label
from ui.maker import for_maker
from ui.plots import View
from ui.services import Services
from ui.train.run_card import alerts_html, card_html, empty_html, samples_html

REFRESH_SECONDS = 2
LAST_LINES = 8
"""Of the log, of a run that failed: what it said at the end, without scrolling."""

EVAL = "eval_loss"
"""Drawn by itself only where several runs are overlaid; of one run it stands beside the train loss."""


@dataclass
class Watch:
    """The page's parts that others wire."""

    chosen: gr.Dropdown
    show: Any
    inputs: list[gr.components.Component]
    panel: list[gr.components.Component]
    copy: gr.Button


def build(services: Services, page: gr.Blocks) -> Watch:
    """Lay out the page and wire it."""
    with gr.Row(equal_height=False):
        with gr.Column(scale=5, min_width=320):
            chosen = gr.Dropdown([], label=label("train.run"), interactive=True, allow_custom_value=True)
            card = gr.HTML(padding=False)
            told = gr.HTML(padding=False)
            with gr.Row(elem_classes="actions"):
                stop = gr.Button(label("train.stop"), interactive=False, size="sm")
                cancel = gr.Button(label("train.cancel"), interactive=False, size="sm")
                copy = gr.Button(label("train.copy"), size="sm", interactive=False)
            with gr.Row(elem_classes="actions", visible=False) as again:
                checkpoint = gr.Dropdown(
                    [], label=label("train.checkpoint"), min_width=220, interactive=True, allow_custom_value=True
                )
                resume = gr.Button(label("train.resume"), size="sm")
            key = gr.Textbox(
                type="password", label=label("train.wandb_key"), info=label("train.wandb_key.info"), visible=False
            )
            with gr.Accordion(label("train.take"), open=False):
                make = gr.Button(label("train.zip"), size="sm")
                parcel = gr.File(label=label("train.zip.file"), visible=False, interactive=False, elem_id="adapter-zip")
                table = gr.Button(label("train.csv"), size="sm")
                with gr.Accordion(label("train.more_ways"), open=False):
                    gr.Markdown(label("train.more_ways.info"), elem_classes="quiet")
                    ways = gr.Code(language="shell", show_label=False, interactive=False)
                    hub = gr.Textbox(label=label("train.hub"), placeholder="name/llama-bangla-empathic-lora")
                    token = gr.Textbox(type="password", label=label("train.hub.token"), info=label("train.hub.info"))
                    push = gr.Button(label("train.hub.push"), size="sm")
            with gr.Accordion(label("train.delete"), open=False) as removal:
                gr.Markdown(label("train.delete.sure"), elem_classes="quiet")
                delete = gr.Button(label("train.delete.yes"), variant="stop", size="sm")
            with gr.Accordion(label("train.log"), open=False) as log_shown:
                log = gr.Textbox(
                    label=label("train.log"),
                    lines=10,
                    max_lines=14,
                    show_label=False,
                    interactive=False,
                    elem_classes="log",
                )
        with gr.Column(scale=8, min_width=320):
            with gr.Accordion(label("plot.view"), open=False):
                others = gr.Dropdown(
                    [], multiselect=True, label=label("plot.others"), interactive=True, allow_custom_value=True
                )
                with gr.Row():
                    smoothing = gr.Slider(
                        0, 0.99, View().smoothing, step=0.01, label=label("plot.smoothing"), min_width=160
                    )
                    x = gr.Radio(
                        [(label(f"plot.x.{kind}"), kind) for kind in ("step", "epoch", "time")],
                        value="step",
                        label=label("plot.x"),
                        min_width=160,
                    )
                with gr.Row():
                    logarithmic = gr.Checkbox(False, label=label("plot.log"), min_width=120)
                    clip = gr.Checkbox(True, label=label("plot.clip"), min_width=120)
            drawn = {}
            drawn["loss"] = gr.Plot(label=label("train.loss"), visible=False)
            with gr.Row():
                for metric in (*plots.FIGURES[1:], EVAL):
                    drawn[metric] = gr.Plot(label=label(f"plot.{metric}.label"), visible=False, min_width=280)
            with gr.Accordion(label("samples.title"), open=True, visible=False) as learning:
                replies = gr.HTML(padding=False, elem_id="samples")
    timer = gr.Timer(REFRESH_SECONDS, active=False)
    seen = gr.State("")
    panel = [chosen, others, card, told, *drawn.values(), log, stop, cancel, copy, again, checkpoint, ways, learning,
             replies, timer, seen, removal, delete, key, log_shown]  # fmt: skip
    inputs = [chosen, others, smoothing, x, logarithmic, clip, checkpoint, seen]

    def show(
        request: gr.Request, name: str | None, beside: list[str], smoothing: float, x: str, logarithmic: bool,
        clip: bool, step: str | None, last: str,
    ) -> Any:  # fmt: skip
        """The page of a run, or nothing where nothing has changed since it was shown last."""
        language = language_of(request)
        with shown_to_user(language):
            known = services.runs()
            run = next((run for run in known if run.name == name), known[0] if known else None)
            if run is None:
                return {card: empty_html(language), chosen: gr.Dropdown(choices=[], value=None), seen: "", **nothing()}
            view = View(smoothing=smoothing, log=logarithmic, clip=clip, x=x)
            drawn_runs = [run, *(one for one in known if one.name in (beside or []) and one.name != run.name)]
            mark = f"{run.name} {language} {view} {[r.name for r in known]} {[_mark(r) for r in drawn_runs]}"
            if mark == last:
                return {seen: gr.skip()}
            fresh = not last.startswith(f"{run.name} ")  # another run: its deletion must be asked for anew
            try:
                return _filled(run, known, drawn_runs, view, language, None if fresh else step or "") | {seen: mark}
            except FinetuneError as error:  # one damaged file must not take the page with it
                names = [one.name for one in known]
                told_ = f'<div class="run-card failed" lang="{language}"><div class="error" role="alert">'
                told_ += f"{html.escape(wording.error(error, language))}</div></div>"
                damaged = {card: told_, chosen: gr.Dropdown(choices=names, value=run.name), seen: ""}
                remove = gr.Button(wording.sentence("train.delete.this", language, run=run.name))
                return {**nothing(), **damaged, delete: remove}

    def nothing() -> dict[Any, Any]:
        """Where no run is left, nothing of the last one stays."""
        hidden = {one: gr.Plot(visible=False) for one in drawn.values()}
        hidden |= {again: gr.Row(visible=False), key: gr.Textbox(visible=False)}
        shut = {one: gr.Button(interactive=False) for one in (stop, cancel, copy)}
        return {told: "", log: "", ways: "", learning: gr.Accordion(visible=False), **hidden, **shut}

    def _filled(
        run: Run, known: list[Run], drawn_runs: list[Run], view: View, language: str, step: str | None
    ) -> dict[Any, Any]:
        """step: the checkpoint that is chosen on the page; None where another run was shown until now."""
        status = run.status()
        names = [one.name for one in known]
        histories = {one.name: services.curves(one) for one in drawn_runs}
        lines = services.lines(run)
        figures = {
            metric: plots.overlay(histories, metric, view, language)
            if len(drawn_runs) > 1 and any(metric in history.metrics for history in histories.values())
            else None
            for metric in (*plots.FIGURES, EVAL)
        }
        if len(drawn_runs) == 1:
            figures = {**plots.figures(histories[run.name], language, view, run.name), EVAL: None}
        fresh = step is None
        points = [point for point in checkpoints.of(run) if point.complete]
        written = samples.read(run.folder)
        resumable = not status.active and bool(points) and status.state != "finished"
        if step not in [str(point.step) for point in points]:
            step = str(points[-1].step) if points else None
        return {
            chosen: gr.Dropdown(choices=names, value=run.name),
            others: gr.Dropdown(choices=[one for one in names if one != run.name]),
            card: card_html(run, status, lines, language),
            told: alerts_html(_alerts(run, lines, status), language) + _tracker_html(run, language),
            **{drawn[metric]: gr.Plot(value=figure, visible=figure is not None) for metric, figure in figures.items()},
            log: run.log_tail(LAST_LINES) if status.state == "failed" else run.log_tail(),
            stop: gr.Button(interactive=status.active and not status.waiting and not run.stop_request.exists()),
            cancel: gr.Button(interactive=status.active and not run.cancel_request.exists()),
            copy: gr.Button(interactive=True),
            again: gr.Row(visible=resumable),
            checkpoint: gr.Dropdown(
                choices=[(_spoken(point, language), str(point.step)) for point in reversed(points)],
                value=step,
            ),
            key: gr.Textbox(visible=resumable and run.recipe().tracking.report_to == "wandb"),
            ways: ways_of(run),
            learning: gr.Accordion(visible=bool(written)),
            replies: samples_html(written, language),
            timer: gr.Timer(active=any(_active(one) for one in known)),
            **({removal: gr.Accordion(open=False)} if fresh else {}),
            **({log_shown: gr.Accordion(open=True)} if status.state == "failed" else {}),
            delete: gr.Button(wording.sentence("train.delete.this", language, run=run.name)),
        }

    def act(function: Any) -> Any:
        """A handler that does something with the chosen run and shows what became of it."""

        def handler(request: gr.Request, *values: Any) -> Any:
            shown, extra = values[: len(inputs)], values[len(inputs) :]
            with for_maker(services, request):
                function(runs.find(services.home, shown[0] or ""), *extra)
            return show(request, *shown[:-1], "")

        return handler

    def go_on(run: Run, step: str | None, secret: str) -> None:
        environment = {"WANDB_API_KEY": secret.strip()} if secret and secret.strip() else None
        jobs.resume(run, int(step) if step else None, environment=environment)

    def remove(run: Run) -> None:
        jobs.delete(run)
        services.drop(run)

    def zipped(name: str, request: gr.Request) -> Any:
        with for_maker(services, request):
            run = runs.find(services.home, name or "")
            return gr.File(value=str(export.to_zip(run, export.place(run, "zip"))), visible=True)

    def tabled(name: str, beside: list[str], request: gr.Request) -> Any:
        with for_maker(services, request):
            found = [runs.find(services.home, one or "") for one in dict.fromkeys([name, *(beside or [])])]
            path = Path(tempfile.mkdtemp(dir=services.scratch)) / f"{name}.csv"
            plots.csv_of({run.name: services.curves(run) for run in found}, path)
            return gr.File(value=str(path), visible=True)

    def pushed(name: str, repository: str, secret: str, request: gr.Request) -> None:
        with for_maker(services, request) as language:
            export.to_hub(
                runs.find(services.home, name or ""), (repository or "").strip(), token=(secret or "").strip() or None
            )
            gr.Info(wording.sentence("train.hub.done", language))

    private = {"api_visibility": "private", "show_progress": "hidden"}
    stop.click(act(jobs.stop), inputs, panel, **private)
    cancel.click(act(jobs.cancel), inputs, panel, **private)
    resume.click(act(go_on), [*inputs, checkpoint, key], panel, **private)
    delete.click(act(remove), inputs, panel, **private)
    make.click(zipped, chosen, parcel, api_visibility="private")
    table.click(tabled, [chosen, others], parcel, api_visibility="private")
    push.click(pushed, [chosen, hub, token], None, api_visibility="private")
    for changed in (chosen.input, others.input, smoothing.release, x.input, logarithmic.input, clip.input):
        changed(show, inputs, panel, trigger_mode="always_last", **private)  # what is chosen meanwhile counts, too
    timer.tick(show, inputs, panel, **private)
    page.load(show, inputs, panel, **private)
    return Watch(chosen, show, inputs, panel, copy)


def _active(run: Run) -> bool:
    """Whether more may come of a run, whose log ends after its status; of a damaged one nothing does."""
    try:
        return (status := run.status()).active or runs.process_runs(status.pid, status.pid_created)
    except FinetuneError:
        return False


def _mark(run: Run) -> tuple[Any, ...]:
    """Changes when anything that the page shows of a run does."""
    try:
        status: Any = run.status(), queue.position(run)
    except FinetuneError as error:
        status = str(error)
    sizes = []
    for name in ("metrics.jsonl", samples.FILE, "log.txt", trackers.FILE, "stop", "cancel"):
        path = run.folder / name
        sizes.append(path.stat().st_size if path.is_file() else None)
    return run.name, status, tuple(sizes), _active(run)


def _alerts(run: Run, lines: list[dict[str, Any]], status: runs.Status) -> tuple[alerts.Alert, ...]:
    """What is to be told beside the card, which says how a run ended."""
    found = alerts.current(lines, status, alerts.disk(run))
    return tuple(alert for alert in found if alert.key not in ("alert.failed", "alert.stopped"))


def _tracker_html(run: Run, language: str) -> str:
    problem = trackers.problem(run)
    told = [] if problem is None else [wording.told(problem.key, problem.facts, str(problem), language)]
    commands = [command for command in (trackers.sync_command(run), trackers.dashboard_command(run)) if command]
    notes = "".join(f'<li class="warning">{html.escape(text)}</li>' for text in told)
    notes += "".join(f'<li class="info"><code>{html.escape(command)}</code></li>' for command in commands)
    return f'<ul class="findings" lang="{language}">{notes}</ul>' if notes else ""


def _spoken(point: Any, language: str) -> str:
    text = wording.sentence("samples.step", language, step=point.step)
    return text if point.eval_loss is None else f"{text} · {wording.digits(f'{point.eval_loss:.3f}', language)}"


def ways_of(run: Run) -> str:
    """The commands for a merged model and for GGUF, which take minutes and gigabytes on a large base."""
    return "\n".join(
        shlex.join(["python", "-m", "finetune", "export", "--run", str(run.folder), "--to", kind])
        for kind in ("merged", "gguf")
    )
