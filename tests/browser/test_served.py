"""The chat of an app whose replies another server writes: why nobody answers yet, and its models once it is up."""

import socket

import pytest
from playwright.sync_api import expect

from tests.browser.test_tabs import CHAT, answered, go_to
from tests.inference import chat_server
from tests.serving import running_app

pytestmark = pytest.mark.browser


def test_the_page_says_that_the_server_is_down_and_its_model_answers_once_it_is_up(tmp_path, browser, monkeypatch):
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    monkeypatch.setenv("SHOHOMORMI_BACKEND_URL", f"http://127.0.0.1:{port}/v1")
    with running_app(tmp_path) as app:
        page = browser.new_page()
        page.goto(app.address)
        page.get_by_role("tab").nth(CHAT).wait_for()
        go_to(page, CHAT)
        expect(page.get_by_text("কোনো সার্ভার সাড়া দিচ্ছে না").locator("visible=true").first).to_be_visible()
        with chat_server.running(port) as server:
            server.offered = {"data": [{"id": "org/llama-bangla"}]}
            expect(page.get_by_text("কোনো সার্ভার সাড়া দিচ্ছে না").locator("visible=true")).to_have_count(0)
            assert answered(page, "মন ভালো নেই।").strip() == "আমি শুনছি।"
            page.get_by_role("combobox").or_(page.get_by_role("listbox")).locator("visible=true").first.click()
            page.get_by_role("option", name="org/llama-bangla").click()
            assert answered(page, "আরও একটু বলি।").strip() == "আমি শুনছি।"
            assert {body["model"] for body in server.asked} == {"org/llama-bangla"}
        page.close()
