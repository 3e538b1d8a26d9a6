"""A steady pace: nothing lost, nothing broken, no bursts, and nobody reads on after a stop."""

import threading

import pytest

from finetune import bengali
from finetune.inference import pacing
from finetune.inference.pacing import due, paced

TEXT = "ক্ষ্মতা, র‍্যাব আর হ্যাঁ: কষ্টটা আমি বুঝতে পারছি। " * 4


def no_sleep(_):
    pass


def test_nothing_is_lost_and_every_piece_is_whole_graphemes():
    pieces = list(paced(iter([TEXT]), sleep=no_sleep))
    assert "".join(pieces) == TEXT
    assert len(pieces) > 10
    assert [one for piece in pieces for one in bengali.graphemes(piece)] == bengali.graphemes(TEXT)


def test_a_burst_is_spread_and_no_piece_is_large():
    largest = max(len(bengali.graphemes(piece)) for piece in paced(iter([TEXT]), sleep=no_sleep))
    assert largest <= len(bengali.graphemes(TEXT)) / (pacing.LAST_SECONDS / pacing.FRAME_SECONDS) + 1


@pytest.mark.parametrize(
    ("arrived", "given", "seconds", "over", "expected"),
    [
        (100, 0, 1.0, False, 5),  # 100 a second, as they come
        (10, 0, 10.0, False, 2),  # never slower than SLOWEST: 30 * 0.05
        (1000, 0, 1.0, False, 8),  # never faster than FASTEST while more is coming: 150 * 0.05
        (1000, 0, 1.0, True, 62),  # all is there: 1000 within 0.8 s
        (3, 2, 1.0, False, 1),
        (3, 3, 1.0, False, 0),
    ],
)
def test_the_pace_is_that_of_the_text_within_what_eyes_follow(arrived, given, seconds, over, expected):
    assert due(arrived, given, seconds, over=over) == expected


def test_what_goes_wrong_is_raised_after_what_was_written():
    def source():
        yield "কষ্টটা "
        raise ValueError("gone")

    seen = []
    with pytest.raises(ValueError, match="gone"):
        for piece in paced(source(), sleep=no_sleep):
            seen.append(piece)
    assert "".join(seen) == "কষ্টটা "


def endless(closed):
    try:
        while True:
            yield "ক"
            threading.Event().wait(0.001)
    finally:
        closed.set()


def test_closing_ends_the_source():
    closed = threading.Event()
    stream = paced(endless(closed), sleep=no_sleep)
    next(stream)
    stream.close()
    assert closed.wait(5)


def test_a_stop_ends_it_at_once_also_where_the_source_says_nothing():
    closed, stop, begun = threading.Event(), threading.Event(), threading.Event()

    def silent():
        begun.set()
        closed.wait(5)
        yield "too late"

    stop_soon = threading.Timer(0.05, stop.set)
    stop_soon.start()
    assert list(paced(silent(), stop)) == []
    assert begun.is_set() and stop.is_set()
    closed.set()


def test_an_empty_reply_is_empty():
    assert list(paced(iter([]))) == []
