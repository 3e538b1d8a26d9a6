"""The app's endpoints for other programs (`gradio_client`): chat, compare and training.

Gradio reads the annotations as what one value looks like, also where a function yields many; so this
file cannot postpone their evaluation. The page's own events are private and do not pass here.
"""

from typing import Any

import gradio as gr

from finetune.errors import DataError, RecipeError
from finetune.errors import Problem as SettingProblem
from finetune.recipe import Recipe, presets
from finetune.training import jobs, metrics, queue, runs
from ui import chat_tab, compare_tab, wording
from ui.errors import language_of, shown_to_user
from ui.services import DEMO, Services
from ui.train import new_run

WRITTEN = Recipe.read(DEMO).generation
TEMPERATURE, TOP_P, LENGTH, SEED = WRITTEN.temperature, WRITTEN.top_p, WRITTEN.max_new_tokens, WRITTEN.seed

OPEN_SECTIONS = ("adapter.", "training.", "generation.")
"""Settings that another program may change: none that names files, models or where data goes."""

CLOSED = ("training.sample_prompts",)
"""But not these: they would be answered without the crisis screen."""


def add(services: Services) -> None:
    """Register the endpoints on the page that is being built."""

    def chat(
        request: gr.Request,
        message: str,
        history: list[dict[str, str]] = [],  # noqa: B006  (Gradio shows it as the default)
        adapter: str = DEMO,
        temperature: float = TEMPERATURE,
        top_p: float = TOP_P,
        max_new_tokens: int = LENGTH,
        seed: int = SEED,
    ) -> str:
        """Answer a message after the given history of {"role", "content"}; streams the reply as it grows."""
        turns = [*history, {"role": "user", "content": message}]
        language = language_of(request)
        values = [temperature, top_p, max_new_tokens, seed]
        with shown_to_user(language):
            if not message.strip():
                raise DataError(wording.sentence("compare.empty", "en"), key="compare.empty")
            for grown in chat_tab.reply(services, turns, adapter, values, 0, language, f"{request.session_hash}/api"):
                yield grown[-1]["content"]

    def compare(
        request: gr.Request,
        prompt: str,
        adapter: str = DEMO,
        temperature: float = TEMPERATURE,
        top_p: float = TOP_P,
        max_new_tokens: int = LENGTH,
        seed: int = SEED,
    ) -> tuple[str, str]:
        """Answer a prompt with the base and with the adapter, same seed; streams both replies as they grow."""
        language = language_of(request)
        values = [temperature, top_p, max_new_tokens, seed]
        with shown_to_user(language):
            yield from compare_tab.compare(services, prompt, adapter, values, language, f"{request.session_hash}/api")

    def start_training(request: gr.Request, recipe: str = DEMO, settings: dict[str, Any] = {}) -> str:  # noqa: B006
        """Start a run from a preset, with settings such as {"training.max_steps": 30}, or let it wait for its turn;
        returns the run's name.
        """
        with shown_to_user(language_of(request)):
            closed = [name for name in settings if not name.startswith(OPEN_SECTIONS) or name in CLOSED]
            if closed:
                text = "cannot be set from another program; use a recipe on the server."
                raise RecipeError({name: SettingProblem(text, "recipe.closed") for name in closed})
            if recipe not in presets():  # a path would let a file that was sent here name any model or data
                known = ", ".join(presets())
                text = f"there is no preset {recipe}. Presets: {known}."
                raise RecipeError({"recipe": SettingProblem(text, "recipe.no_file", file=recipe, known=known)})
            return new_run.start_run(services, recipe, settings).name

    def training_status(request: gr.Request, run: str) -> dict[str, Any]:
        """Where a run stands: state, place in the queue (0: none), step, total_steps, error, its last metrics."""
        with shown_to_user(language_of(request)):
            found = runs.find(services.home, run)
            status = found.status()
            lines, _ = metrics.read(found.folder)
            last = {key: value for line in lines for key, value in line.items()}
            return {
                "run": run,
                "state": status.state,
                "position": queue.position(found),
                "step": status.step,
                "total_steps": status.total_steps,
                "error": status.error,
                "metrics": last,
            }

    def stop_training(request: gr.Request, run: str) -> str:
        """Ask a run to save and stop; returns the run's name."""
        with shown_to_user(language_of(request)):
            jobs.stop(runs.find(services.home, run))
            return run

    for function in (chat, compare):
        gr.api(function, api_name=function.__name__, concurrency_id="model", concurrency_limit=1)
    for function in (start_training, training_status, stop_training):
        gr.api(function, api_name=function.__name__)
