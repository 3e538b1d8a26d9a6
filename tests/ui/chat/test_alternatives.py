"""Replies side by side: what stands in the conversation while another is written, and after it."""

import pytest

from ui import history
from ui.chat import alternatives
from ui.chat.alternatives import ONE_REPLY

ASKED = {"role": "user", "content": "মন খারাপ।"}
HELP = {"role": "assistant", "content": "ফোন করুন।", "metadata": {"id": history.FIXED}}


def said(text):
    return {"role": "assistant", "content": text}


def test_the_reply_that_stands_is_listed_and_the_new_one_comes_after_it():
    options = alternatives.asked_again([ASKED, said("ক")], ONE_REPLY)
    assert (options["options"], options["chosen"]) == (["ক"], 1)
    assert alternatives.ended([ASKED, said("খ")], options)[1] == {"options": ["ক", "খ"], "chosen": 1}


def test_asked_again_once_more_all_replies_stay():
    options = {"options": ["ক", "খ"], "chosen": 0}
    options = alternatives.asked_again([ASKED, said("ক")], options)
    assert (options["options"], options["chosen"], options["before"]) == (["ক", "খ"], 2, 0)


@pytest.mark.parametrize(
    ("options", "left"),
    [
        ({"options": ["ক"], "chosen": 1, "before": 0}, ONE_REPLY),
        ({"options": ["ক", "খ"], "chosen": 2, "before": 0}, {"options": ["ক", "খ"], "chosen": 0}),
    ],
    ids=["one reply", "two replies"],
)
def test_where_nothing_new_came_the_reply_that_stood_there_stands_again(options, left):
    turns, after = alternatives.ended([ASKED], options)
    assert history.messages(turns) == [ASKED, said("ক")]
    assert after == left


@pytest.mark.parametrize("kept", [[], [said("অর্ধেক")]], ids=["nothing shown", "a part shown"])
def test_where_the_new_one_was_withheld_help_stays_and_the_old_one_can_be_taken_again(kept):
    turns = [ASKED, *kept, HELP]
    options = alternatives.asked_again([ASKED, said("ক")], ONE_REPLY)
    same, options = alternatives.ended(turns, options)
    assert same is turns and options == {"options": ["ক"], "chosen": -1}
    taken = {**options, "before": -1, "chosen": 0}  # what a click in chat.js makes of it
    assert alternatives.chosen(turns, taken) == ([ASKED, said("ক")], None)


def test_the_end_said_twice_lists_a_reply_once():
    turns = [ASKED, said("খ")]
    _, options = alternatives.ended(turns, alternatives.asked_again([ASKED, said("ক")], ONE_REPLY))
    assert alternatives.ended(turns, options) == (turns, options)
    assert alternatives.ended(turns, ONE_REPLY) == (turns, ONE_REPLY)


@pytest.mark.parametrize(
    ("before", "over"), [(1, "খ"), (0, None), (2, None)], ids=["another", "the same", "one that is being written"]
)
def test_a_choice_is_over_the_reply_that_stood_there_if_one_did(before, over):
    options = {"options": ["ক", "খ"], "chosen": 0, "before": before}
    assert alternatives.chosen([ASKED, said("খ")], options) == ([ASKED, said("ক")], over)


def test_a_message_that_was_never_answered_has_no_reply_to_stand_beside():
    options = alternatives.asked_again([ASKED], ONE_REPLY)
    assert alternatives.ended([ASKED], options) == ([ASKED], options)
    assert alternatives.ended([ASKED, said("ক")], options)[1]["options"] == []
