"""An evaluation as a maker makes one: asked for, watched, read, searched, taken away; with the demo model."""

import csv
import json

import pytest
from playwright.sync_api import expect

from tests.browser.test_tabs import EVALUATE, bengali, button, go_to, settle, unfold
from ui.wording import SENTENCES

pytestmark = pytest.mark.browser

QUESTIONS = 20
LONGEST = 120_000
"""Milliseconds before an evaluation is given up; on a quiet machine twenty questions take ten seconds."""


def open_page_of(page, key):
    page.locator("#evaluate-pages").get_by_role("tab", name=bengali(key), exact=True).click()


def taken(page, button_id, file_id):
    """What is downloaded after a button has made it."""
    page.locator(button_id).click()
    with page.expect_download() as download:
        page.locator(f"{file_id} a").locator("visible=true").first.click()
    return download.value


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
