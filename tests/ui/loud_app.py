"""The app as it is, but every logger says all that it can, and some addresses fail in words that a person has sent.

`python tests/ui/loud_app.py`, for `test_log.py`. What is POSTed to `/quote/KIND` is quoted by an error, a warning or a
log line of a kind that Gradio, uvicorn, asyncio or any other library may produce.
"""

import asyncio
import gc
import logging
import runpy
import sys
import threading
import time
import warnings
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))


def told(request: bytes) -> str:
    return request.decode()


async def application(words: str) -> None:
    raise ValueError(words)


async def task(words: str) -> None:
    asyncio.create_task(application(words))  # noqa: RUF006 - nobody waits for it: that is what it is for
    await asyncio.sleep(0.01)
    gc.collect()


def failing(words: str) -> None:
    raise ValueError(words)


async def callback(words: str) -> None:
    asyncio.get_running_loop().call_soon(failing, words)


async def thread(words: str) -> None:
    threading.Thread(target=failing, args=(words,), name=words).start()


async def warning(words: str) -> None:
    warnings.warn(words, stacklevel=1)


async def unraisable(words: str) -> None:
    class Closing:
        def __del__(self) -> None:
            raise ValueError(words)

    Closing()


async def library(words: str) -> None:
    log = logging.getLogger("a.library")
    log.addHandler(logging.StreamHandler())  # with a formatter of its own, as uvicorn and transformers have one
    log.error("It was sent %s.", words)
    log.debug(f"It was sent {words}.")  # noqa: G004
    log.warning("%(what)s", {"what": words}, stack_info=True)
    try:
        failing(words)
    except ValueError as error:
        log.exception("It failed.")
        log.error(error)
        log.error("It failed because of %r.", error, exc_info=error)


KINDS = (application, task, callback, thread, warning, unraisable, library)


def quote(app: type) -> None:
    """Let an ASGI application fail, or have something fail, before it looks at what is asked."""
    answer = app.__call__

    async def call(self: object, scope: dict, receive: object, send: object) -> None:
        kinds = {f"/quote/{kind.__name__}": kind for kind in KINDS}
        if scope.get("path") not in kinds:
            await answer(self, scope, receive, send)
            return
        await kinds[scope["path"]](told((await receive())["body"]))
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    app.__call__ = call


def loud() -> None:
    """Every logger that there is by now, and soon those that come."""
    while True:
        for name in (None, *logging.root.manager.loggerDict):
            logging.getLogger(name).setLevel(1)
        time.sleep(0.02)


if __name__ == "__main__":
    from gradio.routes import App

    quote(App)
    threading.Thread(target=loud, daemon=True).start()
    runpy.run_path(str(ROOT / "app.py"), run_name="__main__")
