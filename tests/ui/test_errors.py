"""One boundary turns what went wrong into one sentence in the person's language."""

import logging

import gradio as gr
import pytest

from finetune.errors import DataError
from ui import wording
from ui.errors import language_of, shown_to_user


class FakeRequest:
    """The two things of gr.Request that the language is read from."""

    def __init__(self, cookie=None, accepts=None):
        self.cookies = {} if cookie is None else {"shohomormi_language": cookie}
        self.headers = {} if accepts is None else {"accept-language": accepts}


@pytest.mark.parametrize(
    ("language", "message", "title"),
    [("bn", "মন.csv ফাইলটা খালি।", "একটা সমস্যা হয়েছে"), ("en", "মন.csv is empty.", "There is a problem")],
)
def test_what_people_can_mend_is_shown_in_their_language(language, message, title, caplog):
    with pytest.raises(gr.Error) as caught, shown_to_user(language):
        raise DataError("মন.csv is empty.", key="data.empty", file="মন.csv")
    assert str(caught.value.message).startswith(message)
    assert caught.value.title == title
    assert caught.value.print_exception is False
    assert caplog.text == ""


def test_what_people_cannot_mend_is_one_sentence_for_them_and_a_traceback_for_the_log(caplog):
    with caplog.at_level(logging.ERROR), pytest.raises(gr.Error) as caught, shown_to_user("bn"):
        raise ZeroDivisionError("division by zero")
    assert caught.value.message == wording.SENTENCES["busy"][0]
    assert "unexpected ZeroDivisionError" in caplog.text
    assert "Traceback" in caplog.text


def test_an_error_that_already_is_for_the_page_stays_as_it_is():
    told = gr.Error("ইতিমধ্যে বলা হয়েছে।")
    with pytest.raises(gr.Error) as caught, shown_to_user("bn"):
        raise told
    assert caught.value is told


def test_a_stream_that_is_closed_ends_quietly(caplog):
    def words():
        with shown_to_user("bn"):
            yield "একটু"
            yield "পরে"

    stream = words()
    assert next(stream) == "একটু"
    stream.close()
    assert caplog.text == ""


def test_an_error_inside_a_stream_is_caught_where_the_stream_is_read():
    def words():
        with shown_to_user("bn"):
            yield "একটু"
            raise DataError("মন.csv is empty.", key="data.empty", file="মন.csv")

    stream = words()
    next(stream)
    with pytest.raises(gr.Error):
        next(stream)


@pytest.mark.parametrize(
    ("request_", "language"),
    [
        (None, "bn"),
        (FakeRequest(), "bn"),
        (FakeRequest(cookie="en"), "en"),
        (FakeRequest(cookie="bn", accepts="en-GB,en;q=0.9"), "bn"),
        (FakeRequest(cookie="fr", accepts="en-US"), "en"),
        (FakeRequest(accepts="EN-us,en"), "en"),
        (FakeRequest(accepts="bn-BD,en;q=0.5"), "bn"),
        (FakeRequest(accepts="de-DE,en;q=0.5"), "bn"),
    ],
)
def test_the_language_is_the_one_chosen_else_the_browsers_else_bengali(request_, language):
    assert language_of(request_) == language
