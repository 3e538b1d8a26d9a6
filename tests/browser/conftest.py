"""One app and one Chromium for all browser tests, and a fresh Bengali page for each."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.serving import App, running_app
from trials.chromium import PROGRAM, QUIET

PATIENCE = 60_000
"""Milliseconds until something is given up that on a quiet machine is there at once."""

expect.set_options(timeout=PATIENCE)


@pytest.fixture(scope="session")
def app(tmp_path_factory: pytest.TempPathFactory) -> App:
    """The real app; its runs stay from test to test, as they would for a person."""
    with running_app(tmp_path_factory.mktemp("browser")) as running:
        yield running


@pytest.fixture(scope="session")
def browser() -> Browser:
    """Headless Chromium from the system's packages."""
    program = shutil.which(PROGRAM)
    if program is None:
        pytest.skip(f"no {PROGRAM}; `make system` installs it")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=program, args=QUIET)
        yield launched
        launched.close()


@pytest.fixture
def open_page(app: App, browser: Browser) -> Callable[..., Page]:
    """Opens the page in a browser profile of its own, and fails the test where the page reports an error."""
    contexts, complaints = [], []

    def opened(width: int = 1280, scheme: str = "light") -> Page:
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        contexts.append(context)
        context.set_default_timeout(PATIENCE)
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(f"{app.address}/?__theme={scheme}")
        page.get_by_role("tab").nth(2).wait_for()
        return page

    yield opened
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture
def page(open_page: Callable[..., Page]) -> Page:
    """The page on a desk: 1280 pixels wide, light, Bengali."""
    return open_page()


@pytest.fixture
def screenshot() -> Callable[[Page, str], None]:
    """Saves a picture of the page where SHOHOMORMI_SCREENSHOTS names a folder; else does nothing."""
    folder = os.environ.get("SHOHOMORMI_SCREENSHOTS")

    def save(page: Page, name: str) -> None:
        if folder:
            Path(folder).mkdir(parents=True, exist_ok=True)
            page.screenshot(path=Path(folder) / name, full_page=True)

    return save
