"""One reply in a place at a time: whoever asks for the next, or leaves, ends the one before it."""

import threading
import time

import pytest

from ui import replies as module
from ui.replies import Replies

HERE, THERE = "ক/chat", "খ/chat"


@pytest.fixture
def replies():
    return Replies()


def written(replies, ticket, place=HERE, *, unless=0.0):
    """Write a reply in a thread, as Gradio does, until it is stopped; the thread, and what it was allowed."""
    allowed, begun = [], threading.Event()

    def work():
        with replies.writing(place, ticket) as stop:
            allowed.append(stop)
            begun.set()
            if stop is not None:
                stop.wait(5)
                time.sleep(unless)

    thread = threading.Thread(target=work)
    thread.start()
    assert begun.wait(5)
    return thread, allowed[0]


def test_the_next_reply_in_a_place_begins_once_the_one_before_it_has_ended(replies):
    first = replies.begin(HERE)
    thread, stop = written(replies, first, unless=0.1)
    began = time.monotonic()
    second = replies.begin(HERE)
    assert stop.is_set() and not thread.is_alive()
    assert time.monotonic() - began >= module.ON_THE_WAY  # its last words have reached the page
    assert replies.current(HERE, second) and not replies.current(HERE, first)


def test_replies_in_other_places_are_left_alone(replies):
    thread, stop = written(replies, replies.begin(THERE), THERE)
    replies.begin(HERE)
    replies.settle(HERE)
    assert not stop.is_set() and replies.busy(THERE)
    assert replies.stop(THERE) is False  # it had begun
    thread.join(5)
    assert not thread.is_alive()


def test_a_reply_that_waited_while_the_next_was_asked_for_is_not_written(replies):
    first, second = replies.begin(HERE), replies.begin(HERE)
    with replies.writing(HERE, first) as stop:
        assert stop is None
    with replies.writing(HERE, second) as stop:
        assert stop is not None and not stop.is_set()


def test_a_reply_is_written_once(replies):
    ticket = replies.begin(HERE)
    with replies.writing(HERE, ticket):
        pass
    with replies.writing(HERE, ticket) as stop:
        assert stop is None


def test_who_stops_a_reply_that_waits_is_told_that_it_never_begins(replies):
    ticket = replies.begin(HERE)
    assert replies.stop(HERE) is True
    assert not replies.busy(HERE)
    with replies.writing(HERE, ticket) as stop:
        assert stop is None
    assert replies.stop(THERE) is False


def test_a_place_is_busy_from_asking_to_the_end(replies):
    ticket = replies.begin(HERE)
    assert replies.busy(HERE)
    with pytest.raises(ValueError), replies.writing(HERE, ticket):
        assert replies.busy(HERE)
        raise ValueError
    assert not replies.busy(HERE) and replies.current(HERE, ticket)


def test_settling_waits_for_nothing_where_nothing_is_written(replies, monkeypatch):
    monkeypatch.setattr(module.time, "sleep", lambda seconds: pytest.fail("there was nothing to wait for"))
    replies.settle(HERE)
    replies.begin(HERE)
    replies.settle(HERE)  # asked for, not begun


def test_a_browser_session_that_closed_ends_its_replies_and_no_others(replies):
    _, mine = written(replies, replies.begin(HERE))
    _, other = written(replies, replies.begin("কখ/chat"), "কখ/chat")
    replies.forget("ক")
    assert mine.is_set() and not other.is_set()
    replies.forget("কখ")
    assert other.is_set()
