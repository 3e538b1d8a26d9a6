"""Fifty people write to the chat of one app at once, three messages each.

Over HTTP as the page does it: a message joins the queue, and the session's event stream (SSE) tells its place, that its
turn has come, and the reply as it grows. Nobody thinks before the next message, so that almost fifty wait all the time.
Replies are drawn greedily: what each person must get is what the same conversation gets when nobody else is there.
It does not tell how fast a model on a GPU would answer, and keeps no text.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from finetune.data import sources
from finetune.inference import safety
from finetune.recipe import Recipe
from finetune.review import prompt_sets
from trials.serving import App, free_port

CLAIM = (
    "Of so many chats at once, each message is answered, in order, with the words that its chat gets when it is alone;"
    " who has to wait is told their place in the queue, which only ever gets nearer."
)
MESSAGES = 3
ADAPTER = "demo"

ANSWER_SECONDS = 300.0
"""Without a word from the app for so long, a message counts as unanswered; its queue tells of every move in it."""


def trial(folder: Path, size: int, seed: int) -> dict[str, Any]:
    """Hold `size` chats at once; what came out, as `trials/__main__.py` wants it. Greedy replies need no seed."""
    app = App(folder, free_port())
    app.start()
    try:
        app.wait()
        alone, together, seconds = asyncio.run(hold(app.address, texts(size)))
    finally:
        app.kill()
    return outcome(alone, together, seconds)


def texts(size: int) -> list[list[str]]:
    """What each person writes: no message twice, and none that is answered without a model."""
    data = Recipe.read("demo").data
    curated = [prompt.text for prompt in prompt_sets.curated().prompts]
    asked = [*curated, *(row[data.question] for row in sources.read_rows(data))]
    fit = [text for text in dict.fromkeys(asked) if safety.screen(text) != "strong"]
    return [fit[number : MESSAGES * size : size] for number in range(size)]


async def hold(address: str, written: list[list[str]]) -> tuple[list[Chat], list[Chat], float]:
    """Each chat alone, one after another, then all at once; and the seconds that the latter took."""
    import httpx

    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(base_url=f"{address}/gradio_api", timeout=ANSWER_SECONDS, limits=limits) as client:
        known = (await client.get(f"{address}/config")).json()["dependencies"]
        number = next(one["id"] for one in known if one["api_name"] == "chat")
        settings = Recipe.read(ADAPTER).generation
        greedy = [0.0, settings.top_p, settings.max_new_tokens, settings.seed]
        alone, together = ([Chat(f"{how}{n}", one) for n, one in enumerate(written)] for how in ("alone", "together"))
        await Chat("first", written[0][:1]).hold(client, number, greedy)  # it alone waits until the model is loaded
        for chat in alone:
            await chat.hold(client, number, greedy)
        began = time.perf_counter()
        await asyncio.gather(*(chat.hold(client, number, greedy) for chat in together))
        return alone, together, time.perf_counter() - began


@dataclass
class Answer:
    """What came back for one message, and when, in seconds since it was sent."""

    reply: str = ""
    places: list[int] = field(default_factory=list)
    """In the queue, as the app told them; 0 for the next."""
    turn: float = 0.0
    first_words: float = 0.0
    whole: float = 0.0

    @property
    def waited(self) -> bool:
        """Whether others were before it."""
        return bool(self.places) and self.places[0] > 0

    @property
    def nearer(self) -> bool:
        """Whether its place only ever got nearer, down to the next, as it was told."""
        return bool(self.places) and self.places[-1] == 0 and self.places == sorted(self.places, reverse=True)


@dataclass
class Chat:
    """One person with a session of their own, who sends the next message when the last one is answered."""

    session: str
    written: list[str]
    answers: list[Answer] = field(default_factory=list)
    problem: str = ""
    """Why it ended before its time."""

    @property
    def replies(self) -> list[str]:
        """What this person read."""
        return [answer.reply for answer in self.answers]

    async def hold(self, client: Any, number: int, settings: list[float]) -> None:
        """Say everything; number: the endpoint's; settings: temperature, top-p, length and seed.

        What goes wrong is kept, so that the others go on.
        """
        import httpx

        history: list[dict[str, str]] = []
        try:
            for text in self.written:
                self.answers.append(await self._ask(client, number, [text, history, ADAPTER, *settings]))
                history += [{"role": "user", "content": text}, {"role": "assistant", "content": self.replies[-1]}]
        except (httpx.HTTPError, RuntimeError) as error:
            self.problem = f"{self.session}, message {len(self.answers) + 1}: {error!r}"

    async def _ask(self, client: Any, number: int, values: list[Any]) -> Answer:
        from httpx_sse import aconnect_sse

        answer, began = Answer(), time.perf_counter()
        data = {"data": values, "fn_index": number, "session_hash": self.session}
        (await client.post("/queue/join", json=data)).raise_for_status()
        async with aconnect_sse(client, "GET", "/queue/data", params={"session_hash": self.session}) as stream:
            async for event in stream.aiter_sse():
                told, now = json.loads(event.data), time.perf_counter() - began
                if told["msg"] == "estimation":
                    answer.places.append(told["rank"])
                elif told["msg"] == "process_starts":
                    answer.turn = now
                elif told["msg"] == "process_generating":
                    answer.first_words = answer.first_words or now
                elif told["msg"] == "process_completed":
                    if not told["success"]:
                        raise RuntimeError("the app refused it; its log says why")
                    answer.reply, answer.whole = told["output"]["data"][0], now
        return answer


def outcome(alone: list[Chat], together: list[Chat], seconds: float) -> dict[str, Any]:
    """The figures: who was answered with what, told which place, and after how long."""
    answers = [answer for chat in together for answer in chat.answers]
    before = [answer for chat in alone for answer in chat.answers]
    answered = sum(bool(answer.reply) for answer in answers)
    mixed = sum(one.replies != other.replies for one, other in zip(together, alone, strict=True))
    doubles = len(alone) - len({tuple(chat.replies) for chat in alone})
    waited = [answer for answer in answers if answer.waited]
    astray = sum(not answer.nearer for answer in answers)
    problems = [chat.problem for chat in (*alone, *together) if chat.problem]
    right = answered == MESSAGES * len(together) and not mixed and not doubles and not problems
    return {
        "claim": CLAIM,
        "passed": right and not astray and bool(waited),
        "chats": len(together),
        "messages": MESSAGES * len(together),
        "answered": answered,
        "chats_with_other_words_than_alone": mixed,
        "chats_that_could_be_taken_for_another": doubles,
        "messages_that_waited": len(waited),
        "farthest_place": max((answer.places[0] for answer in waited), default=0),
        "messages_whose_place_did_not_only_get_nearer": astray,
        "problems": problems[:5],
        "seconds": round(seconds, 1),
        "replies_a_second": round(answered / seconds, 2),
        "rows": [
            _row("until the first words, alone", (answer.first_words for answer in before)),
            _row("until the whole reply, alone", (answer.whole for answer in before)),
            _row("until the first words, all at once", (answer.first_words for answer in answers)),
            _row("until the whole reply, all at once", (answer.whole for answer in answers)),
            _row("of these, waiting in the queue", (answer.turn for answer in answers)),
        ],
    }


def _row(what: str, seconds: Iterable[float]) -> dict[str, Any]:
    times = sorted(seconds) or [0.0]
    shares = {"median_s": 0.5, "p95_s": 0.95, "longest_s": 1.0}
    return {"time": what, **{key: round(times[int(share * (len(times) - 1))], 3) for key, share in shares.items()}}
