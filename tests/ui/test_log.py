import logging
import sys

from ui import log

SECRET = "আজ মনটা ভীষণ খারাপ"


def traceback_of(fails):
    """The log line of an error that `fails` raises."""
    try:
        fails()
    except Exception:
        record = logging.LogRecord("name", logging.ERROR, __file__, 1, "It failed.", (), sys.exc_info())
    return log.FramesOnly(log.FORMAT).format(record)


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


def test_a_traceback_says_where_and_what_kind_but_not_what_the_error_said():
    told = traceback_of(quoting)
    assert "in quoting" in told and told.endswith("\nValueError")
    assert "ERROR It failed." in told and SECRET not in told


def test_what_an_error_came_from_is_told_before_it_and_says_no_more():
    for fails, last in ((quoting_from_another, "RuntimeError"), (quoting_while_another, "KeyError")):
        told = traceback_of(fails)
        assert told.index("\nValueError\n") < told.index(f"\n{last}")
        assert told.endswith(last) and SECRET not in told


def test_errors_of_the_machine_keep_their_words():
    assert traceback_of(lambda: open("/no/such/file")).endswith("No such file or directory: '/no/such/file'")
    assert traceback_of(lambda: __import__("no_such_package")).endswith("No module named 'no_such_package'")


def test_an_error_of_another_package_is_named_with_it():
    import httpx

    def fails():
        raise httpx.DecodingError(SECRET)

    told = traceback_of(fails)
    assert told.endswith("\nhttpx.DecodingError") and SECRET not in told
