"""No words of a person in any log, at any level: not in ours, nor in what libraries write through their handlers."""

import logging
import sys
import time

import httpx
import pytest
from gradio_client import Client

from tests.inference import chat_server
from tests.serving import running_app
from tests.ui.loud_app import KINDS
from ui import log

SECRET = "আজ মনটা ভীষণ খারাপ"
ANSWERED = "কাউকে বলব না"


def traceback_of(fails):
    """The log line of an error that `fails` raises."""
    try:
        fails()
    except Exception:
        record = log.Record("name", logging.ERROR, __file__, 1, "It failed.", (), sys.exc_info())
    return logging.Formatter(log.FORMAT).format(record)


def quoting():
    raise ValueError(f"invalid: {SECRET}")


def quoting_from_another():
    try:
        quoting()
    except ValueError as error:
        raise RuntimeError(SECRET) from error


def quoting_while_another():
    try:
        quoting()
    except ValueError:
        raise KeyError(SECRET)  # noqa: B904 - without a cause, as it happens in other people's code


def failing(error):
    raise error


def test_a_traceback_says_where_and_what_kind_but_not_what_the_error_said():
    told = traceback_of(quoting)
    assert "in quoting" in told and told.endswith("\nValueError")
    assert "name ERROR" in told and SECRET not in told


def test_what_an_error_came_from_is_told_before_it_and_says_no_more():
    for fails, last in ((quoting_from_another, "RuntimeError"), (quoting_while_another, "KeyError")):
        told = traceback_of(fails)
        assert told.index("\nValueError\n") < told.index(f"\n{last}")
        assert told.endswith(last) and SECRET not in told


def test_errors_of_the_machine_keep_their_words():
    assert traceback_of(lambda: open("/no/such/file")).endswith("No such file or directory: '/no/such/file'")
    assert traceback_of(lambda: __import__("no_such_package")).endswith("No module named 'no_such_package'")


def test_what_a_library_calls_an_error_of_the_machine_and_a_text_taken_for_a_path_keep_none():
    assert traceback_of(lambda: failing(OSError(SECRET))).endswith("\nOSError")
    assert traceback_of(lambda: open(SECRET * 100)).endswith("\nOSError")


def line_of(write):
    """What a library's logger makes of a call, as a handler of any kind would see it."""
    lines = []

    class Handler(logging.Handler):
        def emit(self, record):
            lines.append(self.format(record))

    before, library = logging.getLogRecordFactory(), logging.Logger("a.library")
    library.addHandler(Handler())
    logging.setLogRecordFactory(log.Record)
    try:
        write(library)
    finally:
        logging.setLogRecordFactory(before)
    (line,) = lines
    return line


def test_of_a_librarys_line_stays_what_stands_in_its_code_and_numbers():
    assert line_of(lambda library: library.error("It failed %d times.", 3)) == "It failed 3 times."
    assert line_of(lambda library: library.error("It was sent %s.", SECRET)) == "It was sent …."
    assert line_of(lambda library: library.error("%(n)d: %(what)s", {"n": 2, "what": SECRET})) == "2: …"


@pytest.mark.parametrize("said", [f"{SECRET}.", ValueError(SECRET), "It failed: " + str(ValueError(SECRET))])
def test_a_line_that_a_library_has_put_together_is_told_by_its_place_alone(said):
    line = line_of(lambda library: library.error(said))
    assert line.startswith("… (test_log.py:") and line.endswith(")")


def test_our_own_lines_are_written_as_they_are():
    record = log.Record(log.OURS, logging.INFO, __file__, 1, "%s waits", ("demo-001",), None)
    assert record.getMessage() == "demo-001 waits"


@pytest.fixture(scope="module")
def loud(tmp_path_factory):
    """The real app with every logger at its lowest level, asking another server, and with ways to fail."""
    with pytest.MonkeyPatch.context() as patch, chat_server.running() as server:
        server.offered = {"data": [{"id": "demo", "parent": None}]}
        server.answers = [chat_server.Answer(chat_server.said("আচ্ছা, ", ANSWERED, "।"))]
        patch.setenv("SHOHOMORMI_BACKEND_URL", server.address)
        patch.setenv("PYTHONASYNCIODEBUG", "1")
        with running_app(tmp_path_factory.mktemp("loud"), "tests/ui/loud_app.py") as app:
            yield app


def printed_since(app, before, sign):
    """What the app has printed since then, once a sign stands in it."""
    end = time.monotonic() + 30
    while sign not in app.printed()[before:] and time.monotonic() < end:
        time.sleep(0.05)
    assert sign in app.printed()[before:]
    return app.printed()[before:]


@pytest.mark.parametrize(
    ("kind", "sign"),
    [
        ("application", "Exception in ASGI application"),
        ("task", "asyncio ERROR"),
        ("callback", "asyncio ERROR"),
        ("thread", "A thread failed."),
        ("warning", "UserWarning at "),
        ("unraisable", "Something failed where nobody could be told."),
        ("library", "a.library ERROR It failed because of"),
    ],
)
def test_whatever_fails_in_a_real_app_is_told_without_the_words_that_it_quotes(loud, kind, sign):
    before = len(loud.printed())
    httpx.post(f"{loud.address}/quote/{kind}", content=SECRET.encode(), timeout=30)
    told = printed_since(loud, before, sign)
    assert "ValueError" in told or kind == "warning"
    assert SECRET not in told


def test_every_way_to_fail_is_tried():
    (marked,) = test_whatever_fails_in_a_real_app_is_told_without_the_words_that_it_quotes.pytestmark
    assert [kind for kind, _ in marked.args[1]] == [kind.__name__ for kind in KINDS]


def test_a_chat_with_another_server_stands_in_no_log_at_any_level(loud):
    before = len(loud.printed())
    assert Client(loud.address, verbose=False).predict(SECRET, api_name="/chat") == f"আচ্ছা, {ANSWERED}।"
    told = printed_since(loud, before, "httpcore.http11 DEBUG")
    for words in (SECRET, ANSWERED):
        for spelt in (words, ascii(words)[1:-1], repr(words.encode())[2:-1]):
            assert spelt not in told
