"""From pairs to a verdict and on to the next run, as a maker and a reviewer go; the reviewer by keyboard alone."""

import re
import time

import pytest
from playwright.sync_api import expect

from finetune.review.reviewing import Reviewing
from finetune.training import metrics, runs
from tests.browser.conftest import PATIENCE
from tests.browser.test_tabs import COMPARE, LONGEST_RUN, bengali, go_to, set_number, settle
from tests.serving import running_app
from ui.services import kept_secret
from ui.wording import SENTENCES

pytestmark = pytest.mark.browser

PAIRS, REVIEW, VERDICT = 1, 2, 3
WRITING = 120_000
"""Milliseconds for ten pairs; on a quiet machine they take five seconds."""


def open_page_of(page, number):
    page.locator("#compare-pages [role=tab]").nth(number).click()


def set_count(page, number):
    field = page.locator("#pairs-count input[type=number]")
    field.fill(str(number))
    field.press("Tab")


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    """An app of this file's own: the run that it trains would stand in the other tests' lists."""
    with running_app(tmp_path_factory.mktemp("compare")) as running:
        yield running


@pytest.fixture(scope="module")
def reviewing(app):
    """What lies in the app's home."""
    return Reviewing(app.home, kept_secret(app.home))


@pytest.fixture(scope="module")
def made(app, browser):
    """A set of ten pairs, written from the page."""
    page = browser.new_page()
    page.set_default_timeout(PATIENCE)
    page.goto(app.address)
    page.get_by_role("tab").nth(2).wait_for()
    go_to(page, COMPARE)
    open_page_of(page, PAIRS)
    set_count(page, 10)
    page.locator("#pairs-start").click()
    link = page.locator("#pairs-about a")
    ended = page.locator("#pairs-about a, #pairs-about .error, #pairs-card .error").first
    ended.wait_for(timeout=WRITING)
    assert link.is_visible(), ended.inner_text()  # why there is no set, at once
    expect(page.locator("#pairs-about")).to_contain_text(re.compile("প্রমাণ"))
    address = link.get_attribute("href")
    page.close()
    return address


def shown_on(page):
    """The texts of the item on the page."""
    texts = [one.inner_text() for one in page.locator(".review-item .reply p").all()]
    return page.locator(".review-item .question p").inner_text(), *texts


def key_for(reviewing, set_id, shown):
    """The key with which a reviewer says that the tuned reply is better; they see only texts."""
    question, left, _ = shown
    pair = next(
        p for p in reviewing.read(set_id).pairs if " ".join(p.prompt.text.split()) == " ".join(question.split())
    )
    return "1" if " ".join(pair.tuned.split()) == " ".join(left.split()) else "2"


def focus_and_press(page, selector, key="Enter"):
    page.locator(selector).focus()
    page.keyboard.press(key)


def test_a_reviewer_goes_through_ten_pairs_by_keyboard_alone(page, app, made, reviewing, screenshot):
    set_id = made.partition("set=")[2]
    page.goto(f"{app.address}{made}")
    name = page.locator("#review-name input, #review-name textarea")
    expect(page.locator("#review-begin")).to_be_enabled()
    name.focus()
    page.keyboard.type("মিতা")
    page.keyboard.press("Enter")
    page.locator(".review-item").wait_for()
    assert not re.search("ডেমো|মূল মডেল|base|tuned", page.locator("#review-desk").inner_text())
    screenshot(page, "review.png")
    total = 11
    for number in range(total):
        page.locator("#review-left").wait_for()
        page.keyboard.press(key_for(reviewing, set_id, shown_on(page)))
        page.locator("#review-next").wait_for()
        assert len(reviewing.votes.lines(set_id)) == number + 1  # on disk before the page says so
        if number == 3:  # a second thought
            page.keyboard.press("u")
            expect(page.locator("#review-said")).to_contain_text(SENTENCES["review.undone"][0])
            assert len(reviewing.votes.lines(set_id)) == number
            page.keyboard.press("4")
            page.locator("#review-next").wait_for()
        page.keyboard.press("n")
        expect(page.locator(".review-progress")).to_contain_text("হয়েছে")
    expect(page.locator("#review-said")).to_contain_text("অনেক ধন্যবাদ")
    choices = [line["choice"] for line in reviewing.votes.lines(set_id)]
    assert (choices.count("tuned"), choices.count("both_bad"), len(choices)) == (10, 1, 11)
    assert [line["choice"] for line in reviewing.votes.lines(set_id, history=True)].count("tuned") == 11
    focus_and_press(page, "#review-reveal-yes")
    expect(page.locator(".revealed")).to_contain_text("ডেমো অ্যাডাপ্টার")
    expect(page.locator("#review-left")).to_have_count(0)
    screenshot(page, "revealed.png")


def test_keys_are_letters_while_a_person_writes(page, app, made, reviewing):
    page.goto(f"{app.address}{made}")
    expect(page.locator("#review-begin")).to_be_enabled()
    name = page.locator("#review-name input, #review-name textarea")
    name.fill("রহিম ১২৩৪")
    name.press("Enter")
    page.locator("#review-left").wait_for()
    before = len(reviewing.votes.lines())
    page.keyboard.press("Control+1")
    page.keyboard.press("9")
    assert len(reviewing.votes.lines()) == before
    press = "document.body.dispatchEvent(new KeyboardEvent('keydown', {key: '৩', bubbles: true}))"
    page.evaluate(press)  # Bengali digits are keys as well; Playwright's own keyboard is American
    page.locator("#review-next").wait_for()
    page.locator("#review-more button.label-wrap").click()
    settle(page)
    note = page.locator("#review-note textarea")
    note.fill("")
    note.press_sequentially("n1u4 ভালো")
    expect(note).to_have_value("n1u4 ভালো")
    page.locator("#review-keep").click()
    expect(page.locator("#review-said")).to_contain_text(SENTENCES["review.details_saved"][0])
    assert reviewing.votes.lines()[-1]["note"] == "n1u4 ভালো"
    assert len(reviewing.votes.lines()) == before + 1
    page.reload()  # whoever comes back goes on where they were
    expect(page.locator("#review-name input, #review-name textarea")).to_have_value("রহিম ১২৩৪")
    page.locator("#review-begin").click()
    expect(page.locator(".review-progress")).to_contain_text("১১টার মধ্যে ১টা")


def test_on_a_phone_both_replies_and_all_four_buttons_are_there(open_page, app, made, screenshot):
    page = open_page(width=390, scheme="dark")
    page.goto(f"{app.address}{made}")
    expect(page.locator("#review-begin")).to_be_enabled()
    page.locator("#review-name input, #review-name textarea").fill("করিম")
    page.locator("#review-begin").click()
    page.locator(".review-item").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    boxes = [page.locator(f"#review-{one}").bounding_box() for one in ("left", "right", "both_good", "both_bad")]
    assert all(box["height"] >= 44 and box["x"] >= 0 and box["x"] + box["width"] <= 390 for box in boxes)
    screenshot(page, "review-phone.png")


def test_a_set_that_cannot_be_is_told_on_the_page(page, app):
    go_to(page, COMPARE)
    open_page_of(page, PAIRS)
    page.locator("#pairs-base input").fill("demo")
    page.locator("#pairs-base input").press("Enter")
    page.locator("#pairs-start").click()
    expect(page.locator("#pairs-card .error")).to_contain_text("হুবহু একই উত্তর", timeout=WRITING)


def test_the_votes_become_a_verdict_a_report_and_a_run_that_learns_from_them(page, app, made, reviewing, screenshot):
    go_to(page, COMPARE)
    open_page_of(page, VERDICT)
    expect(page.locator("#verdict")).to_contain_text("ডেমো অ্যাডাপ্টার")
    expect(page.locator("#verdict svg").first).to_be_visible()
    screenshot(page, "verdict.png")
    page.get_by_role("button", name=bengali("verdict.report")).locator("visible=true").click()
    settle(page)
    page.locator("#verdict-report-bn").click()
    with page.expect_download() as download:
        page.locator("#verdict-file a[download], #verdict-file a").first.click()
    report = download.value.path().read_text(encoding="utf-8")
    assert report.startswith("<!doctype html>") and "ডেমো অ্যাডাপ্টার" in report and "মিতা" not in report
    page.get_by_role("button", name=bengali("verdict.preferences")).locator("visible=true").click()
    page.locator("#verdict-make").click()
    expect(page.locator("#verdict-train")).to_be_visible()
    page.locator("#verdict-train").click()
    expect(page.get_by_role("tab").nth(0)).to_have_attribute("aria-selected", "true")
    page.get_by_role("button", name=bengali("train.columns")).locator("visible=true").click()
    source = page.locator("#data-source input, #data-source textarea")
    expect(source).to_have_value(re.compile("dpo.jsonl$"))
    settle(page)
    set_number(page, "training.max_steps", 8)
    before = {run.name for run in runs.all_runs(app.home)}
    page.locator("#start").click()
    deadline = time.monotonic() + LONGEST_RUN / 1000
    run = None
    while time.monotonic() < deadline and (run is None or run.status().active):
        run = next((one for one in runs.all_runs(app.home) if one.name not in before), None)
        time.sleep(0.3)
    assert run is not None and run.status().state == "finished", run and run.log_tail()
    losses = metrics.series(metrics.read(run.folder)[0], "loss")[1]
    assert run.recipe().training.objective == "dpo"
    assert losses[0] == pytest.approx(0.6931, abs=0.002)  # ln 2: it begins as the adapter that was reviewed
    assert sum(losses[-3:]) / 3 < losses[0] - 0.05
