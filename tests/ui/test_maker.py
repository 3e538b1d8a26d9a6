"""What only the maker may do. Requests are Gradio's own class, made from a real HTTP scope."""

import gradio as gr
import pytest
from starlette.requests import Request

from finetune.inference.backends import ScriptedBackend
from ui import layout, maker
from ui.services import Services
from ui.wording import ERRORS_BN


def request(session="ক", password=None):
    headers = [] if password is None else [(maker.HEADER.encode(), password.encode())]
    scope = {"type": "http", "headers": headers, "query_string": b"", "path": "/"}
    return gr.Request(Request(scope), session_hash=session)


@pytest.fixture
def guarded(tmp_path):
    return Services(tmp_path, ScriptedBackend("হুঁ।"), password="padma-42")


def does(services, asked):
    with maker.for_maker(services, asked) as language:
        return language


def test_without_a_password_everybody_is_the_maker(services):
    assert does(services, request()) == "bn"


def test_with_a_password_a_stranger_is_told_what_to_do(guarded):
    with pytest.raises(gr.Error) as caught:
        does(guarded, request())
    assert caught.value.message == ERRORS_BN["access.maker"]


def test_a_session_that_entered_the_password_is_admitted_and_no_other(guarded):
    guarded.makers.add("ক")
    assert does(guarded, request("ক")) == "bn"
    with pytest.raises(gr.Error):
        does(guarded, request("খ"))


@pytest.mark.parametrize(("said", "admitted"), [("padma-42", True), ("padma-4", False), ("", False)])
def test_a_program_says_the_password_in_a_header(guarded, said, admitted):
    assert maker.admitted(guarded, request(password=said)) is admitted


def test_the_password_stands_in_no_description_of_the_services(guarded):
    assert "padma-42" not in repr(guarded)


def entered(services):
    """The handler behind the field, and the field's page."""
    page = layout.build(services)
    return next(fn.fn for fn in page.fns.values() if fn.fn is not None and fn.fn.__name__ == "entered")


def test_the_field_admits_with_the_password_alone(guarded, monkeypatch):
    monkeypatch.setattr(maker, "WRONG_SECONDS", 0)
    enter = entered(guarded)
    with pytest.raises(gr.Error) as caught:
        enter("নদী", request())
    assert caught.value.message == ERRORS_BN["access.wrong_password"]
    assert guarded.makers == set()
    enter("padma-42", request())
    assert guarded.makers == {"ক"}


def test_a_page_without_password_has_no_field(services):
    page = layout.build(services)
    assert all(getattr(block, "elem_id", None) != "maker-password" for block in page.blocks.values())
