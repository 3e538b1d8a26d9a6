"""Every page with every fold open, for tests that read all of it; prepared so that something stands everywhere."""

import re
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Page, expect

from finetune.inference.backends import ScriptedBackend
from finetune.recipe import Generation, Recipe
from finetune.review import judging, pair_sets, prompt_sets
from finetune.review.contestants import Contestant, contestant
from finetune.review.evaluation import FOLDER, Evaluation
from finetune.review.reviewing import Reviewing
from finetune.training import metrics, runs, samples
from tests.review import evaluations
from ui.services import PATH, kept_secret
from ui.wording import LABELS

TOP = "#tabs > .tab-wrapper [role=tab]"
INNER = {0: "#train-pages", 1: "#compare-pages", 2: "#evaluate-pages", 3: ""}

SOFT, CRISIS = "আমি না থাকলে সবাই ভালো থাকত।", "আমি আর বাঁচতে চাই না।"
MESSAGE = "নতুন শহরে এসে সন্ধ্যা হলেই ভীষণ একা লাগে।"
QUESTIONS = ("আজ মনটা ভালো নেই।", "নতুন চাকরি পেয়েছি!", "রাতে ঘুম আসে না।", "বন্ধু কথা বলছে না।", "মা অসুস্থ।")
QUESTION, FIRST, LATER = "পরীক্ষায় ফেল করেছি।", "কষ্ট হচ্ছে।", "কষ্টটা খুব স্বাভাবিক। কী নিয়ে ভয় লাগছে?"


def lay_out(home: Path) -> str:
    """A run that has ended, with curves, alerts and replies, a set of pairs with a vote on it, and an evaluation of the
    demo with a judge's figures; no model is asked.

    Gives the set's address for reviewers, without the app's.
    """
    run = runs.create(home, Recipe.read("demo"))
    for step in range(1, 11):
        line = {"step": step, "loss": 4 - step / 5, "learning_rate": 1e-3, "grad_norm": 1.0, "elapsed_s": float(step)}
        metrics.append_line(run.folder / metrics.FILE, line | ({"eval_loss": 4 - step / 6} if step % 5 == 0 else {}))
    for step, said in ((0, FIRST), (10, LATER)):
        samples.write(run.folder, step, 3.0, QUESTION, said)
    run.log.write_text("adapter saved\n", encoding="utf-8")
    run.set_status(state="finished", step=10, total_steps=10)
    sides = Contestant("base"), contestant("remote:demo@http://localhost:1", home)
    prompts = prompt_sets.pasted("\n".join(QUESTIONS))
    order = pair_sets.Order(*sides, prompts, Generation(), "demo, 4-bit NF4")
    made = pair_sets.generate(home, order, (ScriptedBackend(FIRST), ScriptedBackend(LATER)))
    reviewing = Reviewing(home, kept_secret(home))
    person = reviewing.person({}, "নীলা")
    reviewing.vote(person, reviewing.next(made.set_id, person["reviewer"]), "left")
    evaluated = evaluations.lay_out(home / FOLDER / "test-1")
    judging.save(
        evaluated, {"judge": "a-judge", **judging.figures(judging.of_evaluation(Evaluation.open(evaluated)), ())}
    )
    return f"/{PATH}?set={made.set_id}"


def begin(page: Page) -> None:
    """Go into the blind review under a name."""
    expect(page.locator("#review-begin")).to_be_enabled()
    page.locator("#review-name input, #review-name textarea").fill("মিতা")
    page.locator("#review-begin").click()
    page.locator(".review-item").wait_for()


def unfold(page: Page) -> None:
    """Open what is folded, and what is folded within."""
    for _ in range(3):
        opened = page.evaluate(
            """() => {
              document.querySelectorAll("details").forEach((one) => { one.open = true; });
              const shut = [...document.querySelectorAll("button.label-wrap")].filter(
                (one) => one.checkVisibility() && !one.classList.contains("open"));
              shut.forEach((one) => one.click());
              return shut.length;
            }"""
        )
        page.wait_for_timeout(150)
        if not opened:
            return


def states(page: Page, review: str, address: str, scheme: str) -> Iterator[str]:
    """Every tab and every page, one after the other, with the mistakes and messages that belong to it on display."""
    for number, inner in INNER.items():
        page.locator(TOP).nth(number).click()
        tabs = page.locator(f"{inner} > .tab-wrapper [role=tab]") if inner else None
        if tabs is None:
            talk(page)
            unfold(page)
            yield "chat"
            yield from states_of_a_conversation(page)
            continue
        tabs.last.wait_for()
        for place in range(tabs.count()):
            tabs.nth(place).click()
            page.wait_for_timeout(250)
            unfold(page)
            if (number, place) == (0, 0):
                look_and_err(page)
            if (number, place) == (0, 2):
                keep_a_note(page)
            yield f"{inner}, page {place + 1}"
    for name, where in (("/review", review), ("/privacy", f"{address}/privacy")):
        page.goto(f"{where}{'&' if '?' in where else '?'}__theme={scheme}")
        if name == "/review":
            begin(page)
            page.locator("#review-both_good").click()
            page.locator("#review-next").wait_for()
        else:
            page.locator(".privacy li").first.wait_for()
        unfold(page)
        yield name


def states_of_a_conversation(page: Page) -> Iterator[str]:
    """What a conversation that has one reply can come to, on the same page."""
    press(page, "chat.retry")
    expect(page.locator("#chat-alternatives article")).to_have_count(2)
    expect(page.locator("#chat-send")).to_be_visible()
    press(page, "chatbot.like")
    page.locator("#chat-opinion").wait_for()
    yield "chat, replies side by side and an opinion"
    press(page, "chat.clear")
    expect(page.locator("#chat [data-testid=user]")).to_have_count(0)
    talk(page, SOFT)
    page.locator("#chat-care .care").wait_for()
    yield "chat, heavy words"
    press(page, "chat.clear")
    expect(page.locator("#chat [data-testid=user]")).to_have_count(0)
    talk(page, CRISIS)
    page.locator("#chat-care .care").wait_for()
    yield "chat, crisis"


def press(page: Page, key: str) -> None:
    """Press the button with this label, whichever language the page speaks."""
    named = re.compile("|".join(f"^{re.escape(text)}$" for text in LABELS[key]))
    page.get_by_role("button", name=named).locator("visible=true").first.click()


def look_and_err(page: Page) -> None:
    """Have the data looked at, then write a rank that no adapter can have."""
    press(page, "gate.look")
    page.locator("#gate .run-card").wait_for()
    unfold(page)
    rank = page.locator("#adapter-r input")
    rank.fill("0")
    rank.press("Tab")
    page.locator("#plan .error").first.wait_for()


def keep_a_note(page: Page) -> None:
    """Write a note about the run; a toast says that it is kept."""
    press(page, "history.keep")
    expect(page.get_by_test_id("toast-body").first).to_have_css("opacity", "1")  # pale while it comes into sight


def talk(page: Page, message: str = MESSAGE) -> None:
    """Say something as the first message and wait for the whole reply."""
    page.locator("#chat-message textarea").fill(message)
    page.locator("#chat-send").click()
    expect(page.locator("#chat [data-testid=bot]")).to_have_count(1)
    expect(page.locator("#chat-send")).to_be_visible()
