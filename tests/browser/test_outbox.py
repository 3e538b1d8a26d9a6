"""A slow or broken way to the server: nothing that a person sends is lost, swallowed with the next, or said twice."""

import pytest
from playwright.sync_api import expect

from tests.browser.test_tabs import CHAT, bubbles, button, expect_ready, go_to, send, settle, unfold

pytestmark = pytest.mark.browser

FIRST, SECOND, DRAFT = "আজ মনটা ভালো নেই।", "চাকরিটা শেষমেশ পেয়েই গেলাম!", "আরেকটা কথা"
EVENTS = "**/gradio_api/run/**"


@pytest.fixture
def talk(page):
    """The page with the chat open."""
    go_to(page, CHAT)
    return page


class Way:
    """The way to the server: while it is shut, messages wait in `held`, and a test says what becomes of them."""

    def __init__(self, page):
        self.shut, self.held = True, []
        page.route(EVENTS, self.travel)

    def travel(self, route):
        said = route.request.post_data or ""
        if self.shut and (FIRST in said or SECOND in said):
            self.held.append(route)
        else:
            route.continue_()


@pytest.fixture
def way(talk):
    return Way(talk)


def field(page):
    return page.locator("#chat-message textarea")


def remembered(page):
    return page.evaluate("() => sessionStorage.getItem('shohomormi_outbox')")


def test_what_is_said_before_an_answer_has_come_follows_it_and_the_draft_stays(talk, way):
    page = talk
    send(page, FIRST)
    expect(field(page)).to_have_value("")
    field(page).press("Enter")  # once more, as one does where nothing happens
    field(page).fill(SECOND)
    field(page).press("Enter")
    expect(field(page)).to_have_value("")
    field(page).fill(DRAFT)
    page.wait_for_timeout(300)
    assert len(way.held) == 1, "one message at a time is on its way"
    way.shut = False
    way.held[0].continue_()
    expect(bubbles(page, "user")).to_have_text([FIRST, SECOND])
    expect_ready(page)
    expect(page.locator("#chat [data-testid='user'], #chat [data-testid='bot']").last).to_have_attribute(
        "data-testid", "bot"
    )
    expect(bubbles(page, "user")).to_have_text([FIRST, SECOND])
    expect(field(page)).to_have_value(DRAFT)
    unfold(page, "chat.shelf")
    expect(page.locator(".shelf li")).to_have_count(1)
    assert remembered(page) is None


def test_what_has_not_begun_its_way_comes_back_where_another_conversation_is_opened(talk, way):
    page = talk
    send(page, FIRST)
    send(page, SECOND)
    expect(field(page)).to_have_value("")
    button(page, "chat.clear").click()
    expect(field(page)).to_have_value(SECOND)
    way.shut = False
    way.held[0].continue_()
    expect(bubbles(page, "user")).to_have_text([FIRST])
    expect_ready(page)
    expect(bubbles(page, "user")).to_have_text([FIRST])
    expect(field(page)).to_have_value(SECOND)


def test_a_message_that_the_server_fails_on_comes_back_before_what_was_typed_since(talk, way):
    page = talk
    send(page, FIRST)
    expect(field(page)).to_have_value("")
    field(page).fill(DRAFT)
    way.shut = False
    way.held[0].fulfill(status=500, json={"error": None})
    expect(field(page)).to_have_value(f"{FIRST}\n{DRAFT}")
    expect(bubbles(page, "user")).to_have_count(0)
    send(page, FIRST)
    expect(bubbles(page, "user")).to_have_text([FIRST])
    expect_ready(page)


def test_what_had_not_arrived_when_the_page_went_is_in_the_field_of_the_next_until_it_is_taken_out(talk, way):
    page = talk
    send(page, FIRST)
    expect(field(page)).to_have_value("")
    for _ in range(2):  # the page is drawn anew again and again until the way is free, and leads to it
        page.reload()
        expect(page.get_by_role("tab").nth(CHAT)).to_have_attribute("aria-selected", "true")
        expect(field(page)).to_have_value(FIRST)
    field(page).fill(DRAFT)
    page.reload()
    expect(field(page)).to_have_value(DRAFT)
    field(page).fill("")
    assert remembered(page) is None
    page.reload()
    settle(page)
    expect(page.get_by_role("tab").first).to_have_attribute("aria-selected", "true")
    go_to(page, CHAT)
    expect(field(page)).to_have_value("")


def test_a_message_that_has_to_wait_stands_in_the_field_before_what_was_typed_since(talk):
    page = talk
    field(page).fill(DRAFT)
    page.evaluate("(kept) => shohomormi.outbox.arrived(kept)", FIRST)
    expect(field(page)).to_have_value(f"{FIRST}\n{DRAFT}")
    assert remembered(page) == f"{FIRST}\n{DRAFT}"
    field(page).press("Enter")
    expect(bubbles(page, "user")).to_have_count(1)
    expect_ready(page)
    assert remembered(page) is None


def test_the_field_is_empty_before_the_next_letter_can_come(talk, way):
    typed = """(text) => {
      const field = document.querySelector("#chat-message textarea");
      field.value = text;
      field.dispatchEvent(new Event("input", { bubbles: true }));
      field.dispatchEvent(new KeyboardEvent("keypress", { key: "Enter", bubbles: true }));
      return field.value;
    }"""
    assert talk.evaluate(typed, FIRST) == ""
    talk.wait_for_timeout(300)
    assert [FIRST in route.request.post_data for route in way.held] == [True]
