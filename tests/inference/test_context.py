"""Long conversations are cut by whole turns, from the front, and it is counted what was left out."""

import pytest

from finetune.errors import BackendError
from finetune.inference.context import within

SYSTEM = {"role": "system", "content": "s"}


def turn(size):
    return [{"role": "user", "content": "u" * size}, {"role": "assistant", "content": "a" * size}]


def count(messages):
    return sum(len(message["content"]) for message in messages)


TALK = [*turn(3), *turn(2), *turn(1), {"role": "user", "content": "now"}]


def test_what_fits_is_given_whole():
    assert within(TALK, 15, count) == (TALK, 0)


@pytest.mark.parametrize(("room", "left_out"), [(14, 1), (9, 1), (8, 2), (5, 2), (4, 3), (3, 3)])
def test_the_oldest_turns_go_first_and_whole(room, left_out):
    kept, gone = within(TALK, room, count)
    assert gone == left_out
    assert kept == TALK[2 * left_out :]
    assert count(kept) <= room


def test_the_system_prompt_stays_and_counts():
    assert within([SYSTEM, *TALK], 9, count) == ([SYSTEM, *TALK[4:]], 2)


def test_a_message_that_alone_is_too_long_is_told():
    with pytest.raises(BackendError) as caught:
        within(TALK, 2, count)
    assert caught.value.key == "backend.message_too_long"
    assert "2 tokens" in str(caught.value)


def test_a_reply_that_stands_first_belongs_to_the_first_turn():
    greeting = {"role": "assistant", "content": "hello"}
    assert within([greeting, *TALK], 20, count) == ([greeting, *TALK], 0)
    assert within([greeting, *TALK], 15, count) == (TALK[2:], 1)


def test_a_very_long_conversation_is_counted_a_few_times_only():
    counted = []
    within([message for size in range(500) for message in turn(1)], 100, lambda m: counted.append(m) or count(m))
    assert len(counted) <= 10  # two to the ninth is more than 500
