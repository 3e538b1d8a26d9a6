"""An evaluation as a maker makes one: asked for, watched, read, searched, taken away; with the demo model."""

import contextlib
import csv
import json

import pytest
from playwright.sync_api import expect

from finetune.recipe import Recipe
from finetune.review.evaluation import FOLDER
from finetune.review.evaluation_words import EVALUATION
from finetune.training import runs
from tests.browser.test_tabs import EVALUATE, bengali, button, go_to, settle, unfold
from tests.review import evaluations
from tests.serving import running_app
from ui.wording import LABELS, SENTENCES

pytestmark = pytest.mark.browser

QUESTIONS = 20
BITS = "bits_per_character"

LONGEST = 120_000
"""Milliseconds before an evaluation is given up; on a quiet machine twenty questions take ten seconds."""


@pytest.fixture
def open_own(browser, tmp_path):
    """Opens the page of an app of the test's own: a run and the demo have answered the same questions."""
    home = tmp_path / "home"
    run = runs.create(home, Recipe.read("demo"))
    evaluations.lay_out(run.folder / FOLDER / "test-1", name=run.name, said_at=dict.fromkeys(range(12), "হ্যাঁ।"))
    evaluations.lay_out(home / FOLDER / "test-1", gain=0.8)
    with running_app(tmp_path) as own, contextlib.ExitStack() as contexts:

        def opened(width):
            context = contexts.enter_context(browser.new_context(viewport={"width": width, "height": 900}))
            page = context.new_page()
            page.goto(own.address)
            page.get_by_role("tab").nth(2).wait_for()
            return page

        yield opened


def open_page_of(page, key):
    page.locator("#evaluate-pages").get_by_role("tab", name=bengali(key), exact=True).click()


def taken(page, button_id, file_id):
    """What is downloaded after a button has made it."""
    page.locator(button_id).click()
    with page.expect_download() as download:
        page.locator(f"{file_id} a").locator("visible=true").first.click()
    return download.value


def choose(page, elem_id, number):
    page.locator(f"{elem_id} input").click()
    page.get_by_role("option").nth(number).click()


def narrow_and_come_back(page):
    """Sort by another score and take one topic, look at the figures and come back: list, controls and file are one."""
    replies, topic = page.locator("#evaluate-replies"), page.locator("#evaluate-topic input")
    count = replies.locator("[role=status]")
    ours = replies.locator("[lang]").first  # while a list is asked for, Gradio counts seconds beside it, unseen
    choose(page, "#evaluate-sort", 0)
    expect(replies.locator(".reply").first).to_contain_text(EVALUATION[f"metric.{BITS}"][0])
    expect(replies.locator(".evaluated").first).to_contain_text("তফাত")
    choose(page, "#evaluate-topic", 1)
    expect(count).not_to_contain_text("২০টির")
    named, told, listed = topic.input_value(), count.inner_text(), ours.inner_text()
    assert told in listed and named in listed
    assert {one.inner_text() for one in replies.locator(".question .quiet").all()} == {f"প্রশ্ন · {named}"}
    open_page_of(page, "evaluate.page.figures")
    expect(page.locator("#evaluation .told")).to_be_visible()
    open_page_of(page, "evaluate.page.replies")
    expect(topic).to_have_value(named)
    settle(page)
    expect(ours).to_have_text(listed, use_inner_text=True)
    page.locator("#evaluate-json").click()
    with page.expect_download() as download:
        page.locator("a[href*='.json']").locator("visible=true").first.click()
    rows = json.loads(download.value.path().read_text(encoding="utf-8"))
    assert {row["topic"] for row in rows} == {named} and len(rows) < QUESTIONS
    gains = [row["scores"]["tuned"][BITS] - row["scores"]["base"][BITS] for row in rows]
    assert gains == sorted(gains)
    choose(page, "#evaluate-topic", 0)
    expect(count).to_contain_text("২০টির")


def test_held_out_questions_are_asked_and_the_figures_and_replies_can_be_read_and_taken_away(page, app, screenshot):
    go_to(page, EVALUATE)
    expect(page.locator("#evaluate-card")).to_contain_text(SENTENCES["evaluate.none"][0])
    count = page.locator("#evaluate-count input[type=number]")
    count.fill(str(QUESTIONS))
    count.press("Tab")
    page.locator("#evaluate-start").click()
    expect(page.locator("#evaluate-card .run-card.active")).to_be_visible()
    expect(page.locator("#evaluate-stop")).to_be_enabled()
    screenshot(page, "evaluate-running.png")
    expect(page.locator("#evaluate-card .run-card.finished")).to_be_visible(timeout=LONGEST)
    expect(page.locator("#evaluate-all tbody tr")).to_have_count(1)
    expect(page.locator("#evaluate-start")).to_be_enabled()

    open_page_of(page, "evaluate.page.figures")
    figures = page.locator("#evaluation")
    expect(figures.locator(".told")).to_contain_text("প্রতি অক্ষরে")
    expect(figures.locator("svg").first).to_be_visible()
    screenshot(page, "evaluate-figures.png")
    unfold(page, "evaluate.take")
    report = taken(page, "#evaluate-report-bn", "#evaluate-file")
    told = report.path().read_text(encoding="utf-8")
    assert told.startswith("<!doctype html>") and "মূল্যায়ন" in told and report.suggested_filename.endswith(".bn.html")

    open_page_of(page, "evaluate.page.replies")
    replies = page.locator("#evaluate-replies")
    expect(replies.locator(".evaluated")).to_have_count(10)
    question = replies.locator(".question p").first
    first = question.inner_text()
    screenshot(page, "evaluate-replies.png")
    page.locator("#evaluate-after").click()
    expect(replies.locator("[role=status]")).to_contain_text("১১ থেকে ২০")
    expect(page.locator("#evaluate-after")).to_be_disabled()
    button(page, "evaluate.before").click()
    expect(question).to_have_text(first)
    page.get_by_label(bengali("evaluate.order.least"), exact=True).locator("visible=true").click()
    expect(question).not_to_have_text(first)
    page.locator("#evaluate-search input, #evaluate-search textarea").fill("নেই-এমন-কথা")
    page.locator("#evaluate-search input, #evaluate-search textarea").press("Enter")
    expect(replies).to_contain_text(SENTENCES["evaluate.found.none"][0])
    page.locator("#evaluate-search input, #evaluate-search textarea").fill("")
    page.locator("#evaluate-search input, #evaluate-search textarea").press("Enter")
    expect(replies.locator(".evaluated")).to_have_count(10)
    narrow_and_come_back(page)
    page.locator("#evaluate-csv").click()
    link = page.locator("a[href*='.csv']").locator("visible=true").first
    with page.expect_download() as download:
        link.click()
    with download.value.path().open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == QUESTIONS and all(row["base"] and row["tuned"] for row in rows)

    (folder,) = (app.home / "evaluations").iterdir()
    result = json.loads((folder / "scores.json").read_text(encoding="utf-8"))
    assert result["prompts"] == QUESTIONS
    settle(page)


def test_what_cannot_be_judged_is_one_sentence_and_no_server_is_asked(page, app):
    go_to(page, EVALUATE)
    open_page_of(page, "evaluate.page.judge")
    button(page, "judge.start").click()
    toast = page.get_by_test_id("toast-body").first
    expect(toast).to_be_visible()
    assert "বিচারক" in toast.inner_text() or "মূল্যায়ন" in toast.inner_text()


def test_another_run_that_was_asked_the_same_can_be_set_beside_the_chosen_one(open_own, screenshot):
    """On the widths of a desk and a phone, in both languages."""
    for width in (1280, 390):
        page = open_own(width)
        go_to(page, EVALUATE)
        open_page_of(page, "evaluate.page.figures")
        chooser = page.locator("#evaluate-against input")
        expect(chooser).to_have_value(SENTENCES["evaluate.against.nobody"][0])
        chooser.click()
        page.get_by_role("option").nth(1).click()
        section = page.locator("#evaluate-between")
        expect(section.locator("h2").first).to_have_text(EVALUATION["between.title"][0])
        expect(section.locator("thead").first).to_contain_text("demo-001")
        expect(section.locator(".told")).to_contain_text("বিট")
        assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth"), width
        screenshot(page, f"evaluate-between-{width}-bn.png")
        page.locator("#language").click()
        page.get_by_role("tab", name=LABELS["tab.evaluate"][1], exact=True).click()
        page.get_by_role("tab", name=LABELS["evaluate.page.figures"][1], exact=True).click()
        expect(section.locator("h2")).to_have_count(0)
        chooser.click()
        page.get_by_role("option").nth(1).click()
        expect(section.locator("h2").first).to_have_text(EVALUATION["between.title"][1])
        screenshot(page, f"evaluate-between-{width}-en.png")
