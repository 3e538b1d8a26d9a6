"""Somebody who watches runs in a real browser, which is killed with -9, closed and opened again at random moments.

What the page shows of a run is held against the run's folder, each time it was loaded. Nothing here starts runs, or
decides when the app is killed.
"""

from __future__ import annotations

import random
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from finetune.training import metrics, runs
from trials.chromium import Browser, opened
from trials.serving import App
from ui import wording

OPEN_SECONDS, SHUT_SECONDS = (1.0, 20.0), (0.0, 3.0)
"""How long a browser lives, its start included, and until the next: some are killed before they have shown anything."""

KILLED = 0.7
"""Share of browsers that are killed; the others are closed as a person closes them."""

PATIENCE_SECONDS = 15.0
"""Until a page that is there should show its run; on a quiet machine it takes a second or two."""

LAST_PATIENCE_SECONDS = 60.0
"""The same at the very end, where nobody is killed any more."""

SHOWN = """(label) => {
  const chosen = [...document.querySelectorAll(`input[aria-label="${label}"]`)].find((one) => one.offsetParent);
  const card = document.querySelector(".run-card:not(.plan, .gate)");
  const drawn = document.querySelector(".js-plotly-plot");
  const run = chosen?.value ?? "";
  const whose = drawn?.layout?.uirevision?.split(" ")[0];
  return {
    run,
    state: card?.className.replace("run-card", "").trim() ?? "",
    facts: [...(card?.querySelectorAll(".facts span") ?? [])].map((fact) => fact.textContent),
    lines: whose === run ? drawn.data.map((line) => [line.name, line.x.length]) : [],
  };
}"""
"""What stands on the page, in one moment; no lines where those that are drawn are still another run's."""


@dataclass(frozen=True)
class Sight:
    """What a page shows, or a folder holds, of a run: its state, its step, and the points of its two curves."""

    run: str
    state: str
    """`active` while it waits or trains, else how it ended; empty while nothing is shown."""
    steps: str
    """As the card says it, in Bengali; empty before it is known how many there will be."""
    losses: int
    evaluations: int

    def covers(self, other: Sight) -> bool:
        """Whether this shows the same run, with at least as many points."""
        return self.run == other.run and self.losses >= other.losses and self.evaluations >= other.evaluations


def on_disk(run: runs.Run) -> Sight:
    """What a page ought to show of a run right now."""
    status = run.status()
    state = "active" if status.active else status.state
    steps = wording.sentence("status.steps", "bn", step=status.step, total=status.total_steps)
    lines, _ = metrics.read(run.folder)
    points = [len(metrics.series(lines, key)[0]) for key in ("loss", "eval_loss")]
    return Sight(run.name, state, steps if status.total_steps else "", *points)


def on_page(page: Any) -> Sight:
    """What a page in Bengali shows of the run that is chosen on it; Playwright's Error where the browser is gone."""
    shown = page.evaluate(SHOWN, wording.LABELS["train.run"][0])
    begins = wording.SENTENCES["status.steps"][0].partition("{")[0]
    steps = next((fact for fact in shown["facts"] if fact.startswith(begins)), "")
    named = dict(reversed(shown["lines"]))  # the first of a name: the best evaluation's star has its curve's
    points = [named.get(wording.sentence(key, "bn"), 0) for key in ("plot.train", "plot.eval")]
    return Sight(shown["run"], shown["state"], steps, *points)


def differences(app: App, watched: list[runs.Run], profile: Path) -> dict[str, str]:
    """What a browser that is opened now, with a profile, shows of runs that have ended otherwise than their folders do.

    By run, and empty where it agrees with the disk on all of them. The app must answer.
    """
    from playwright.sync_api import sync_playwright

    told = {}
    with sync_playwright() as playwright, opened(profile) as browser:
        page = browser.page(playwright)
        open_runs(page, app)
        chosen = page.get_by_label(wording.LABELS["train.run"][0], exact=True).locator("visible=true")
        end = time.monotonic() + LAST_PATIENCE_SECONDS
        while not on_page(page).state and time.monotonic() < end:  # its first look would undo an earlier choice
            page.wait_for_timeout(200)
        for run in watched:
            expected, end = on_disk(run), time.monotonic() + LAST_PATIENCE_SECONDS
            while (shown := on_page(page)) != expected and time.monotonic() < end:
                if shown.run != run.name:  # not chosen yet, or the page has come back to what it shows at first
                    chosen.fill(run.name)
                    chosen.press("Enter")
                page.wait_for_timeout(200)
            if shown != expected:
                told[run.name] = f"page: {shown}; folder: {expected}"
    return told


def open_runs(page: Any, app: App) -> None:
    """Load the app's page and turn to the Train tab's page on which runs are watched."""
    page.goto(app.address)
    page.get_by_role("tab", name=wording.LABELS["tab.train"][0], exact=True).click()
    page.get_by_role("tab", name=wording.LABELS["train.page.watch"][0], exact=True).click()


@dataclass
class Watcher:
    """Watches the newest run, browser after browser, in a thread of its own."""

    app: App
    profile: Path
    chance: random.Random
    kills: int = 0
    closings: int = 0
    crashes: int = 0
    """Browsers that had ended by themselves."""
    sights: int = 0
    """Times that a page, newly loaded, showed what had been on the disk before it was."""
    behind: list[str] = field(default_factory=list)
    """Times that it did not, though the app lived all the while."""
    over: threading.Event = field(default_factory=threading.Event)

    def begin(self) -> None:
        """Open the first browser, and go on until `end`."""
        self._thread = threading.Thread(target=self._watch, name="browsers", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Open no more browsers, and wait until the last one is gone."""
        self.over.set()
        self._thread.join()

    def _watch(self) -> None:
        from playwright.sync_api import sync_playwright

        with sync_playwright() as playwright:
            while not self.over.is_set():
                with opened(self.profile) as browser:
                    self._sit_before(browser, playwright)
                self.over.wait(self.chance.uniform(*SHUT_SECONDS))

    def _sit_before(self, browser: Browser, playwright: Any) -> None:
        """Watch until this browser's time has come, and then kill it, whatever it is doing, or close it."""
        from playwright.sync_api import Error

        lives, violent = self.chance.uniform(*OPEN_SECONDS), self.chance.random() < KILLED
        end = time.monotonic() + lives
        killer = threading.Timer(lives, browser.kill)
        if violent:
            killer.start()
        try:
            page = browser.page(playwright)
            while time.monotonic() < end and not self.over.is_set():
                self._look(page, end)
            if not violent:
                browser.close()
                self.closings += 1
        except Error:  # the browser is gone
            self.crashes += not violent
        finally:
            killer.cancel()
            if violent:
                browser.kill()
                self.kills += 1

    def _look(self, page: Any, end: float) -> None:
        """Load the page, see whether it shows what the disk held, and stay for as long as the app lives."""
        from playwright.sync_api import Error

        process, newest = self.app.child, next(iter(runs.all_runs(self.app.home)), None)
        held = newest and on_disk(newest)
        page.set_default_timeout(1000 * max(0.1, end - time.monotonic()))
        try:
            open_runs(page, self.app)
            patient = min(end, time.monotonic() + PATIENCE_SECONDS)
            while held and not (shown := on_page(page)).covers(held) and time.monotonic() < patient:
                page.wait_for_timeout(100)
            given_up = time.monotonic() < end and self.app.child is process and self.app.alive
            if held and (shown.covers(held) or given_up):
                self.judge(shown, held, on_disk(newest))
            while time.monotonic() < end and self.app.child is process and self.app.alive and not self.over.is_set():
                page.wait_for_timeout(100)
        except Error:
            if page.is_closed():
                raise
            self.over.wait(0.3)  # no app answers, so the page is loaded again, as a person would

    def judge(self, shown: Sight, held: Sight, now: Sight) -> None:
        """Take note of whether a page has caught up with what the disk held before it was loaded."""
        newer = shown.run not in ("", held.run)  # another run was begun since
        if shown.covers(held):
            self.sights += 1
        elif not newer and now.losses >= held.losses:  # else it was resumed, and has gone back to its checkpoint
            self.behind.append(f"page: {shown}; folder before: {held}; after: {now}")
