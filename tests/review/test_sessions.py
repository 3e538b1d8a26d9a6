"""A session: every item once, sides balanced by chance, repeats with sides swapped; the same after a reload."""

from collections import Counter

import pytest

from finetune.review import sessions

PROMPTS = [f"p{number}" for number in range(30)]


def session(reviewer="মিতা", prompts=PROMPTS, **more):
    return sessions.items("set", prompts, reviewer, **more)


def test_a_session_is_the_same_whenever_it_is_asked_for_and_in_whatever_order_the_prompts_come():
    assert session() == session() == session(prompts=PROMPTS[::-1])


def test_no_two_reviewers_go_the_same_way():
    orders = {tuple(item.prompt_id for item in session(f"r{number}")) for number in range(50)}
    sides = {
        tuple((i.prompt_id, i.left) for i in sorted(session(f"r{n}"), key=lambda i: i.prompt_id)) for n in range(50)
    }
    assert len(orders) == len(sides) == 50


def test_every_prompt_comes_once_and_a_tenth_come_again_at_the_end():
    items = session()
    assert [item.position for item in items] == list(range(33))
    assert sorted(item.prompt_id for item in items[:30]) == sorted(PROMPTS)
    assert [item.repeat for item in items] == [False] * 30 + [True] * 3


@pytest.mark.parametrize("number", range(20))
def test_a_repeat_has_its_sides_swapped_and_some_items_between(number):
    items = session(f"r{number}")
    first = {item.prompt_id: item for item in items if not item.repeat}
    for item in items[30:]:
        assert item.left != first[item.prompt_id].left
        assert item.position - first[item.prompt_id].position > sessions.FEWEST_BETWEEN


def test_a_short_session_has_no_repeats():
    assert not any(item.repeat for item in session(prompts=PROMPTS[:7]))
    assert sum(item.repeat for item in session(prompts=PROMPTS[:8])) == 1


def test_half_of_the_first_showings_have_the_tuned_reply_on_the_left():
    for number in range(20):
        assert Counter(item.left for item in session(f"r{number}")[:30]) == {"tuned": 15, "base": 15}
    odd = Counter(item.left for n in range(200) for item in session(f"r{n}", prompts=PROMPTS[:5]))
    assert abs(odd["tuned"] - odd["base"]) < 60  # 200 coins; the odd item must not always favour one side


def test_a_side_says_nothing_about_where_in_the_session_it_stands():
    early = Counter(item.left for n in range(300) for item in session(f"r{n}")[:5])
    assert abs(early["tuned"] / 1500 - 0.5) < 0.05


def test_the_next_item_is_the_first_without_a_vote():
    items = session()
    done = {(item.prompt_id, item.repeat) for item in items[:4]}
    assert sessions.next_item(items, done) == items[4]
    assert sessions.next_item(items, {(item.prompt_id, item.repeat) for item in items}) is None
    assert sessions.next_item(items, {(item.prompt_id, item.repeat) for item in items[:30]}) == items[30]


@pytest.mark.parametrize(
    ("choice", "left", "role"),
    [
        ("left", "tuned", "tuned"),
        ("left", "base", "base"),
        ("right", "tuned", "base"),
        ("right", "base", "tuned"),
        ("both_good", "base", "both_good"),
        ("both_bad", "tuned", "both_bad"),
    ],
)
def test_a_choice_by_side_becomes_a_choice_by_role(choice, left, role):
    assert sessions.role_of(choice, left) == role


def test_anything_else_is_no_choice():
    with pytest.raises(ValueError, match="no choice"):
        sessions.role_of("tuned", "base")
