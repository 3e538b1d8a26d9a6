"""Chromium as processes of ours, so that a trial can kill it with -9.

It runs without a window and with a profile that outlives it, in a process group of its own, and Playwright drives it
over its debugging port (the Chrome DevTools Protocol): a browser that Playwright launches can be closed, but not
killed. It does not know what is looked at.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PROGRAM = "chromium-headless-shell"
"""Chromium as a library of pages, without the window, tabs and menus that `chromium --headless` still draws unseen: a
page of ours opens with 1.5 s of work instead of 2.5. For the browser tests as well."""

QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
"""What keeps it from asking for a screen, a card or the network; for the browser tests as well."""

ARGUMENTS = ("--headless", *QUIET, "--window-size=1280,900", "--remote-debugging-port=0")

CLOSING_SECONDS = 30.0
"""How long a browser that was asked to close may take."""


class Browser:
    """Chromium, without a window, as processes that can be killed; RuntimeError where there is none."""

    def __init__(self, profile: Path) -> None:
        program = shutil.which(PROGRAM)
        if program is None:
            raise RuntimeError("There is no Chromium to watch runs with; `make system` installs it.")
        self._port = profile / "DevToolsActivePort"
        self._port.unlink(missing_ok=True)  # of a browser that was killed
        self._child = subprocess.Popen(
            [program, *ARGUMENTS, f"--user-data-dir={profile}", "about:blank"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    @property
    def alive(self) -> bool:
        """True while its main process is."""
        return self._child.poll() is None

    def page(self, playwright: Any) -> Any:
        """Its one page, as soon as it can be driven; Playwright's Error where the browser is gone before."""
        from playwright.sync_api import Error

        while not self._port.is_file() or "\n" not in self._port.read_text(encoding="utf-8"):
            if not self.alive:
                raise Error("the browser is gone")
            time.sleep(0.05)
        port = self._port.read_text(encoding="utf-8").partition("\n")[0]
        self._driver = playwright.chromium.connect_over_cdp(f"http://127.0.0.1:{port}")
        return self._driver.contexts[0].pages[0]

    def kill(self) -> None:
        """Kill all its processes with -9."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._child.pid, signal.SIGKILL)
        self._child.wait()

    def close(self) -> None:
        """Close it as a person does, and wait until it is gone."""
        self._driver.new_browser_cdp_session().send("Browser.close")
        self._child.wait(CLOSING_SECONDS)


@contextlib.contextmanager
def opened(profile: Path) -> Iterator[Browser]:
    """A browser that is gone afterwards, whatever happens."""
    browser = Browser(profile)
    try:
        yield browser
    finally:
        browser.kill()
