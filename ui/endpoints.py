"""The app's endpoints for other programs (`gradio_client`): chat, compare and training.

Gradio reads the annotations as what one value looks like, also where a function yields many; so this
file cannot postpone their evaluation. The page's own events are private and do not pass here.
"""

from dataclasses import asdict
from typing import Any

import gradio as gr

from finetune.errors import DataError, RecipeError
from finetune.errors import Problem as SettingProblem
from finetune.recipe import Recipe, presets
from finetune.review.reviewing import Ticket
from finetune.training import jobs, metrics, queue, runs
from ui import sent
from ui.chat.answering import Asked, answers
from ui.compare import free_play
from ui.errors import language_of, shown_to_user
from ui.layout_parts import MODEL_SLOTS
from ui.maker import for_maker
from ui.services import DEMO, Services
from ui.train import new_run

WRITTEN = Recipe.read(DEMO).generation
TEMPERATURE, TOP_P, LENGTH, SEED = WRITTEN.temperature, WRITTEN.top_p, WRITTEN.max_new_tokens, WRITTEN.seed

OPEN_SECTIONS = ("adapter.", "training.", "generation.")
"""Settings that another program may change: none that names files, models or where data goes."""

CLOSED = ("training.sample_prompts", "adapter.start_from")
"""But not these: the one would be answered without the crisis screen, the other names a folder."""


def add(services: Services) -> None:
    """Register the endpoints on the page that is being built."""

    def chat(
        request: gr.Request,
        message: str,
        history: list[dict[str, str]] = [],  # noqa: B006  (Gradio shows it as the default)
        adapter: str = services.first,
        temperature: float = TEMPERATURE,
        top_p: float = TOP_P,
        max_new_tokens: int = LENGTH,
        seed: int = SEED,
    ) -> str:
        """Answer a message after the given history of {"role", "content"}; streams the reply as it grows."""
        language = language_of(request)
        values = [temperature, top_p, max_new_tokens, seed]
        with shown_to_user(language):
            turns = [*sent.history(history), {"role": "user", "content": sent.message(message)}]
            for grown in answers(services, turns, Asked(sent.name(adapter), values), language):
                yield grown.text

    def compare(
        request: gr.Request,
        prompt: str,
        adapter: str = services.first,
        temperature: float = TEMPERATURE,
        top_p: float = TOP_P,
        max_new_tokens: int = LENGTH,
        seed: int = SEED,
    ) -> tuple[str, str]:
        """Answer a prompt with the base and with the adapter, same seed; streams both replies as they grow."""
        language = language_of(request)
        values = [temperature, top_p, max_new_tokens, seed]
        with shown_to_user(language):
            prompt, adapter = sent.message(prompt), sent.name(adapter)
            yield from free_play.compare(services, prompt, adapter, values, language)

    def start_training(request: gr.Request, recipe: str = DEMO, settings: dict[str, Any] = {}) -> str:  # noqa: B006
        """Start a run from a preset, with settings such as {"training.max_steps": 30}, or let it wait for its turn;
        returns the run's name.
        """
        with for_maker(services, request):
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
        with for_maker(services, request):
            jobs.stop(runs.find(services.home, run))
            return run

    def next_pair(
        request: gr.Request,
        set_id: str = "",
        name: str = "",
        reviewer: dict[str, str] = {},  # noqa: B006
    ) -> dict[str, Any]:
        """The next pair of a set for a reviewer, blind: `reviewer` to hand back each time, `ticket` (none when done),
        `question`, `left`, `right`, `done`, `total`. An empty set_id takes the newest set.
        """
        with shown_to_user(language_of(request)):
            return _next(services, set_id, services.reviewing.person(reviewer, name))

    def vote(request: gr.Request, ticket: dict[str, Any], choice: str, reviewer: dict[str, str]) -> dict[str, Any]:
        """Keep a vote on a pair from /next_pair: left, right, both_good or both_bad. It is on the disk when this
        answers, once, however often the same ticket is sent. Answers with the next pair, as /next_pair does.
        """
        with shown_to_user(language_of(request)):
            services.reviewing.vote(reviewer, _ticket(ticket), choice)
            return _next(services, ticket["set_id"], reviewer)

    for function in (next_pair, vote):  # past the queue: a vote waits for no model
        gr.api(function, api_name=function.__name__, queue=False)
    for function in (chat, compare):
        gr.api(function, api_name=function.__name__, concurrency_id="model", concurrency_limit=MODEL_SLOTS)
    for function in (start_training, training_status, stop_training):
        gr.api(function, api_name=function.__name__)


def _next(services: Services, set_id: str, person: dict[str, str]) -> dict[str, Any]:
    reviewing = services.reviewing
    sets = [set_id] if set_id else reviewing.sets()[:1]
    if not sets:
        raise DataError("There is no set to review yet. Make one first.", key="review.no_sets")
    ticket = reviewing.next(sets[0], person["reviewer"])
    done, total = reviewing.progress(sets[0], person["reviewer"])
    shown = asdict(reviewing.shown(ticket, person["reviewer"])) if ticket else {}
    return {"reviewer": person, "ticket": ticket and asdict(ticket), "done": done, "total": total, **shown}


def _ticket(raw: dict[str, Any]) -> Ticket:
    try:
        return Ticket(str(raw["set_id"]), str(raw["prompt_id"]), bool(raw["repeat"]), str(raw["vote_id"]))
    except (KeyError, TypeError) as error:
        raise DataError("A vote needs the ticket from /next_pair as it is.", key="review.no_ticket") from error
