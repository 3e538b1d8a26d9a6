"""What a person does with conversations beyond talking: keeps, finds, takes away, edits, chooses, gives, is helped."""

import json
import re

import pytest
from playwright.sync_api import expect

from finetune.inference import safety
from finetune.review.feedback import FILE, FeedbackStore
from tests.browser.test_tabs import CHAT, answered, bengali, bubbles, button, expect_ready, go_to, send, settle, unfold
from ui.privacy import PATH as PRIVACY
from ui.wording import SENTENCES as SENTENCES_OF_PAGE
from ui.wording_chat import LABELS, SENTENCES, SHELF

pytestmark = pytest.mark.browser

FIRST, SECOND = "আজ মনটা ভালো নেই।", "চাকরিটা শেষমেশ পেয়েই গেলাম!"


@pytest.fixture
def talk(page):
    """The page with the chat open."""
    go_to(page, CHAT)
    return page


def shelf(page):
    if page.locator(".shelf").locator("visible=true").count() == 0:
        unfold(page, "chat.shelf")
    return page.locator(".shelf")


def begin_anew(page):
    button(page, "chat.clear").click()
    expect(bubbles(page, "user")).to_have_count(0)


def kept_in(page):
    return page.evaluate("() => localStorage.getItem('shohomormi_conversations')")


def test_conversations_stay_in_the_browser_are_found_renamed_taken_away_and_deleted(talk, app, screenshot):
    page = talk
    answered(page, FIRST)
    begin_anew(page)
    reply = answered(page, SECOND)
    rows = shelf(page).locator("li")
    expect(rows).to_have_count(2)
    stored = kept_in(page)
    assert stored and "চাকরি" not in stored  # locked, not for the next person who opens the developer tools

    page.reload()
    page.get_by_role("tab").nth(CHAT).wait_for()
    go_to(page, CHAT)
    expect(shelf(page).locator("li")).to_have_count(2)
    shelf(page).get_by_role("searchbox").fill("মনটা")
    expect(rows.locator("visible=true")).to_have_count(1)
    shelf(page).get_by_role("searchbox").fill("নেই-এমন-কথা")
    expect(page.get_by_text(SHELF["nothing"][0])).to_be_visible()
    shelf(page).get_by_role("searchbox").fill("")

    rows.first.locator(".open").click()
    expect(bubbles(page, "user")).to_have_text([SECOND])
    expect(bubbles(page, "bot")).to_have_text([reply])
    answered(page, "আরও একটু বলি।")  # it goes on where it was, and is not another one
    expect(rows).to_have_count(2)
    screenshot(page, "chat-shelf.png")

    rows.first.get_by_role("button", name=SHELF["rename"][0]).click()
    field = rows.first.locator("input")
    field.press("Escape")
    expect(rows.first.locator(".open span")).to_have_text(SECOND)
    rows.first.get_by_role("button", name=SHELF["rename"][0]).click()
    field.fill("নতুন চাকরি <b>")
    for key in ("Enter", "Escape"):  # they end a word that an input method composes, and not the name
        field.dispatch_event("keydown", {"key": key, "isComposing": True})
    expect(field).to_be_visible()
    field.press("Enter")
    expect(rows.first.locator(".open span")).to_have_text("নতুন চাকরি <b>")

    with page.expect_download() as loading:
        rows.first.get_by_role("button", name=SHELF["markdown"][0]).click()
    text = loading.value.path().read_text(encoding="utf-8")
    assert text.startswith("# নতুন চাকরি <b>") and f"**আমি**\n\n{SECOND}" in text and f"**সহমর্মী**\n\n{reply}" in text
    assert re.match(r"[০-৯]+ [^\nA-Za-z0-9]+[০-৯]{4}", text.split("\n")[2])
    with page.expect_download() as loading:
        page.get_by_role("button", name=SHELF["all_json"][0]).click()
    saved = json.loads(loading.value.path().read_text(encoding="utf-8"))
    assert [one["messages"][0]["content"] for one in saved] == [SECOND, FIRST]

    rows.last.get_by_role("button", name=SHELF["delete"][0]).click()
    expect(rows).to_have_count(2)  # the second click means it
    rows.last.get_by_text(SHELF["sure"][0]).click()
    expect(rows).to_have_count(1)
    assert FIRST not in app.printed() and SECOND not in app.printed()


def test_an_english_page_saves_a_conversation_with_english_names_and_an_english_date(talk):
    page = talk
    reply = answered(page, FIRST)
    page.evaluate("() => { localStorage.shohomormi_language = 'en'; }")
    page.reload()
    page.get_by_role("tab").nth(CHAT).wait_for()
    go_to(page, CHAT)
    page.locator("#chat-shelf button.label-wrap").click()
    with page.expect_download() as loading:
        page.locator(".shelf [data-act=markdown]").first.click()
    lines = loading.value.path().read_text(encoding="utf-8").split("\n")
    assert re.match(r"\d{1,2} [A-Z][a-z]+ \d{4}", lines[2]), lines[2]
    assert lines[4:] == ["**Me**", "", FIRST, "", "**Shohomormi**", "", *reply.split("\n")]


def test_one_switch_ends_the_keeping_and_everything_is_deleted_at_once(talk):
    page = talk
    answered(page, FIRST)
    rows = shelf(page).locator("li")
    expect(rows).to_have_count(1)
    shelf(page).locator("input[type=checkbox]").click()
    expect(page.get_by_text(SHELF["off"][0])).to_be_visible()
    begin_anew(page)
    answered(page, SECOND)
    expect(rows).to_have_count(1)
    delete = shelf(page).locator("[data-act=delete-all]")
    delete.click()
    delete.click()
    expect(rows).to_have_count(0)
    page.reload()
    page.get_by_role("tab").nth(CHAT).wait_for()
    go_to(page, CHAT)
    expect(shelf(page).locator("input[type=checkbox]")).not_to_be_checked()
    expect(shelf(page).locator("li")).to_have_count(0)


def test_replies_to_the_same_message_stand_side_by_side_and_one_is_chosen(talk, screenshot):
    page = talk
    first = answered(page, FIRST)
    button(page, "chat.retry").click()
    cards = page.locator("#chat-alternatives article")
    expect(cards).to_have_count(2)
    expect_ready(page)
    second = bubbles(page, "bot").last.inner_text().strip()
    assert second != first
    expect(cards.locator("p")).to_have_text([first, second])
    screenshot(page, "chat-alternatives.png")
    cards.first.get_by_role("button").click()
    expect(bubbles(page, "bot")).to_have_text([first])
    expect(cards.first).to_have_class("chosen")
    answered(page, SECOND)
    expect(cards).to_have_count(0)


def test_an_earlier_message_in_other_words_is_answered_and_what_came_after_it_goes(talk):
    page = talk
    answered(page, FIRST)
    answered(page, "বাবার কথা খুব মনে পড়ে।")
    page.locator("#chat").get_by_role("button", name=re.compile("Edit|বদল|সম্পাদন")).first.click()
    page.locator("#chat textarea").fill(SECOND)
    page.locator("#chat").get_by_role("button", name=re.compile("Submit|পাঠান|রাখুন|জমা")).first.click()
    expect(bubbles(page, "user")).to_have_text([SECOND])
    expect(bubbles(page, "bot")).to_have_count(1)
    expect_ready(page)


def test_a_like_is_kept_for_teaching_only_with_consent_and_can_be_taken_back(talk, app, screenshot):
    page = talk
    store = FeedbackStore(app.home / FILE)
    reply = answered(page, FIRST)
    page.locator("#chat").get_by_role("button", name=re.compile("^(Like|like|ভালো লাগল|ভালো লেগেছে)")).first.click()
    panel = page.locator("#chat-opinion")
    expect(panel).to_be_visible()
    panel.get_by_text(bengali("review.reason.warm"), exact=True).click()
    page.locator("#chat-give").click()
    expect(page.get_by_test_id("toast-body").first).to_contain_text(SENTENCES["chat.consent_first"][0])
    assert store.rows() == []
    panel.get_by_text(LABELS["chat.consent"][0], exact=True).click()
    screenshot(page, "chat-opinion.png")
    page.locator("#chat-give").click()
    expect(panel).to_be_hidden()
    (row,) = store.rows()
    assert (row.liked, row.reasons, row.reply) == (True, ("warm",), reply)
    assert row.conversation == ({"role": "user", "content": FIRST},)

    page.locator("#chat").get_by_role("button", name=re.compile("^(Dislike|dislike|ভালো লাগেনি|খারাপ)")).first.click()
    page.locator("#chat-withdraw").click()
    expect(page.get_by_test_id("toast-body").last).to_contain_text(SENTENCES["chat.withdrawn"][0])
    assert store.rows() == []


def test_romanised_words_are_shown_as_they_were_understood_and_can_be_put_right(talk, screenshot):
    page = talk
    answered(page, "ami khub eka")
    row = page.locator("#chat-meant")
    expect(row.locator("textarea")).to_have_value(re.compile("^আমি খুব একা"))
    screenshot(page, "chat-banglish.png")
    row.locator("textarea").fill("আমি আর বাঁচতে চাই না")  # what was meant is screened as well
    button(page, "chat.meant.again").click()
    expect(bubbles(page, "bot").last).to_contain_text(safety.helplines()[0].number)
    expect(bubbles(page, "user")).to_have_text(["ami khub eka"])


def test_help_stands_beside_the_reply_to_heavy_words(talk, screenshot):
    page = talk
    care = page.locator("#chat-care .care")
    answered(page, FIRST)
    expect(care).to_have_count(0)
    answered(page, "আমি না থাকলে সবাই ভালো থাকত।")
    expect(care).to_be_visible()
    for line in safety.helplines():
        expect(care.locator(f"a[href='tel:{line.number.replace('-', '')}']")).to_be_visible()
    screenshot(page, "chat-soft.png")
    begin_anew(page)
    expect(care).to_have_count(0)


LONG = "বাবা চলে যাওয়ার পর থেকে কিছুতেই মন বসে না। কী করব, কার কাছে যাব, কিছুই বুঝি না।"


def being_written(page, text):
    """Send a message, and wait only until its reply has begun."""
    before = bubbles(page, "bot").count()
    send(page, text)
    expect(bubbles(page, "bot")).to_have_count(before + 1)


@pytest.mark.parametrize("wait", [True, False], ids=["while it is written", "before it begins"])
def test_what_is_said_while_a_reply_is_written_ends_it_and_is_answered(talk, wait):
    page = talk
    (being_written if wait else send)(page, LONG)
    page.locator("#chat-message textarea").fill(SECOND)
    page.locator("#chat-message textarea").press("Enter")
    expect(bubbles(page, "user")).to_have_text([LONG, SECOND])
    expect_ready(page)
    said = page.locator("#chat [data-testid='user'], #chat [data-testid='bot']")
    expect(said.last).to_have_attribute("data-testid", "bot")  # it is the last message that was answered
    expect(page.locator("#chat-message textarea")).to_have_value("")
    expect(shelf(page).locator("li")).to_have_count(1)


def test_words_about_dying_are_answered_at_once_while_another_reply_is_written(talk):
    page = talk
    being_written(page, LONG)
    page.locator("#chat-message textarea").fill("আমি আর বাঁচতে চাই না।")
    page.locator("#chat-message textarea").press("Enter")
    for line in safety.helplines():
        expect(bubbles(page, "bot").last).to_contain_text(line.number)
    page.wait_for_timeout(1500)  # what was being written would be over
    expect(bubbles(page, "user")).to_have_count(2)
    expect(bubbles(page, "bot").last).to_contain_text(safety.helplines()[0].number)
    expect_ready(page)


def test_a_conversation_that_is_opened_while_another_is_written_stays_as_it_was(talk):
    page = talk
    reply = answered(page, FIRST)
    begin_anew(page)
    being_written(page, LONG)
    shelf(page).get_by_role("button", name=FIRST).click()
    expect(bubbles(page, "user")).to_have_text([FIRST])
    page.wait_for_timeout(1500)
    expect(bubbles(page, "bot")).to_have_text([reply])
    expect_ready(page)
    shelf(page).get_by_role("button", name=LONG[:20]).click()
    expect(bubbles(page, "user")).to_have_text([LONG])
    shelf(page).get_by_role("button", name=FIRST).click()
    expect(bubbles(page, "user")).to_have_text([FIRST])
    expect(bubbles(page, "bot")).to_have_text([reply])


def test_help_stays_beside_a_heavy_conversation_and_comes_back_with_it_from_the_shelf(talk):
    page = talk
    care = page.locator("#chat-care .care")
    answered(page, "আমি না থাকলে সবাই ভালো থাকত।")
    shelf(page).get_by_role("checkbox").click()
    shelf(page).get_by_role("checkbox").click()
    expect(care).to_be_visible()
    begin_anew(page)
    expect(care).to_have_count(0)
    shelf(page).get_by_role("button", name="আমি না থাকলে").first.click()
    expect(bubbles(page, "user")).to_have_count(1)
    expect(care).to_be_visible()


def test_the_page_does_not_jump_while_somebody_reads_further_up(talk):
    page = talk
    for _ in range(3):
        answered(page, FIRST + " " + SECOND * 8)
    scrolled = page.locator("#chat [role=log]")
    scrolled.evaluate("(element) => { element.scrollTop = 0; }")
    settle(page)
    answered(page, SECOND)
    page_top = page.evaluate("() => window.scrollY")
    scrolled.evaluate("(element) => { element.scrollTop = 0; }")
    settle(page)
    button(page, "chat.retry").click()
    expect_ready(page)
    settle(page)
    assert page.evaluate("() => window.scrollY") == page_top
    assert scrolled.evaluate("(element) => element.scrollTop") < 40


VOICE = """
  window.said = [];
  Object.defineProperty(window, "SpeechSynthesisUtterance", { value: function (text) { this.text = text; } });
  Object.defineProperty(window, "speechSynthesis", { value: Object.assign(new EventTarget(), {
    getVoices: () => [{ lang: "bn-IN", name: "a voice" }], speaking: false, speak: (one) => window.said.push(one.text),
  }) });
"""
"""Stands for a system that has a Bengali voice, as no machine of ours has."""


def test_a_reply_is_read_aloud_only_where_the_browser_has_a_bengali_voice(page):
    go_to(page, CHAT)
    expect(page.locator("#chat-listen")).to_be_hidden()
    page.add_init_script(VOICE)
    page.reload()
    page.get_by_role("tab").nth(CHAT).wait_for()
    go_to(page, CHAT)
    reply = answered(page, FIRST)
    page.locator("#chat-listen").click()
    assert page.evaluate("() => window.said") == [reply]


@pytest.fixture
def two(talk, app):
    """Two tabs of one browser, both with the chat open; each has read what is kept before either keeps anything."""
    second = talk.context.new_page()
    second.goto(app.address)
    second.get_by_role("tab").nth(CHAT).wait_for()
    go_to(second, CHAT)
    expect(shelf(second).locator("li")).to_have_count(0)
    return talk, second


def kept_anew(page):
    """What the browser keeps, as a page that is opened now reads it."""
    page.reload()
    page.get_by_role("tab").nth(CHAT).wait_for()
    go_to(page, CHAT)
    shelf(page).wait_for()
    page.wait_for_timeout(500)
    return page.locator(".shelf li .open span").all_inner_texts()


def delete(page, text):
    row = shelf(page).locator("li", has_text=text)
    for _ in range(2):  # the second click means it
        row.locator("[data-act=delete]").click()
    expect(row).to_have_count(0)


def test_what_one_tab_deletes_does_not_come_back_from_another_and_what_that_one_keeps_is_not_lost(two):
    one, other = two
    answered(one, FIRST)  # with its shelf folded
    begin_anew(one)
    expect(other.locator(".shelf li")).to_have_count(1)
    answered(other, SECOND)
    delete(one, FIRST)
    expect(other.locator(".shelf li .open span")).to_have_text([SECOND])
    answered(other, "আরও একটু বলি।")
    answered(one, "বৃষ্টি নামল।")
    expect(other.locator(".shelf li .open span")).to_have_text(["বৃষ্টি নামল।", SECOND])
    assert kept_anew(one) == ["বৃষ্টি নামল।", SECOND]
    assert kept_anew(other) == ["বৃষ্টি নামল।", SECOND]


def test_a_conversation_that_is_open_in_one_tab_and_deleted_in_another_goes_there_too(two):
    one, other = two
    answered(one, FIRST)
    delete(other, FIRST)
    answered(one, SECOND)
    assert kept_anew(other) in ([], [SECOND])
    assert FIRST not in kept_anew(one)


def test_the_switch_and_deleting_everything_hold_in_every_tab(two):
    one, other = two
    answered(one, FIRST)
    answered(other, SECOND)
    expect(shelf(one).locator("li")).to_have_count(2)
    shelf(one).locator("input[type=checkbox]").click()
    expect(shelf(other).locator("input[type=checkbox]")).not_to_be_checked()
    begin_anew(other)
    answered(other, "এটা রাখা হবে না।")
    expect(shelf(other).locator("li")).to_have_count(2)
    for _ in range(2):
        shelf(other).locator("[data-act=delete-all]").click()
    expect(shelf(one).locator("li")).to_have_count(0)
    expect(bubbles(one, "user")).to_have_count(0)
    shelf(one).locator("input[type=checkbox]").click()
    answered(one, FIRST)
    assert kept_anew(other) == [FIRST]


def test_what_is_forgotten_on_the_page_about_privacy_is_not_written_back_by_a_tab_that_held_it(two, app):
    one, other = two
    answered(one, FIRST)
    expect(shelf(other).locator("li")).to_have_count(1)
    other.goto(f"{app.address}/{PRIVACY}")
    unfold(other, "privacy.forget")
    other.locator("#privacy-forget-yes").click()
    expect(other.locator("#privacy-forgotten")).to_contain_text(SENTENCES_OF_PAGE["privacy.forgotten"][0][:20])
    expect(shelf(one).locator("li")).to_have_count(0)
    begin_anew(one)
    answered(one, SECOND)
    assert kept_anew(one) == [SECOND]
