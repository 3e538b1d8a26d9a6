"""Which form of address a message uses; and that quoted voices and look-alikes do not count."""

import unicodedata

import pytest

from finetune.review import prompt_sets
from finetune.review.address import register_of


@pytest.mark.parametrize(
    ("text", "register"),
    [
        ("আপনি কেমন আছেন?", "apni"),
        ("একটু বলুন তো কী করি।", "apni"),
        ("আমার জন্য দোয়া করবেন।", "apni"),
        ("আপনেরে না কইয়া পারলাম না।", "apni"),
        ("apnake na bole parlam na", "apni"),
        ("কী করব বলো তো", "tumi"),
        ("তুমি কি শুনছ?", "tumi"),
        ("Tumi ki bujhbe amar kotha", "tumi"),
        ("কী হলো, ঘুমিয়ে পড়েছিস?", "tui"),
        ("বিশ্বাস কর, আমি কিছু করিনি।", "tui"),
        ("tui ki korbi amar jaygay", "tui"),
    ],
)
def test_pronouns_and_verb_forms_show_it_in_either_script(text, register):
    assert register_of(unicodedata.normalize("NFC", text)) == register


@pytest.mark.parametrize(
    "text",
    [
        "মনটা ভালো নেই।",
        "মা বলেন, বাবা কাল আসবেন।",
        "ছেলেটা বল নিয়ে মাঠে গেছে।",
        "অফিসের জিনিস আপনজনের কাছে রেখে এলাম।",
        "মাছ আর গাছ, এই নিয়েই আছি।",
        "কাজটা করলে ভালো হতো।",
        "mon ta valo nai",
        "",
    ],
)
def test_where_nothing_shows_it_nothing_is_guessed(text):
    assert register_of(unicodedata.normalize("NFC", text)) == ""


def test_a_quoted_voice_does_not_count_and_an_unquoted_one_less_than_what_comes_after():
    assert register_of("বাবা বলতেন, “তোর চাকরি হলে মিষ্টি বিলোব।” মানুষটা নেই।") == ""
    assert register_of('ma bole "tui pagol", ami hashi') == ""
    assert register_of("খালা বললেন, তোর মায়ের মতোই হইছে। আপনাকে কী করে বোঝাই।") == "apni"


def test_of_the_curated_messages_nine_in_ten_are_told_and_none_wrongly():
    told = [(prompt.register, register_of(prompt.text)) for prompt in prompt_sets.curated().prompts]
    assert [pair for pair in told if pair[1] and pair[0] != pair[1]] == []
    assert sum(bool(found) for _, found in told) >= 0.9 * sum(bool(said) for said, _ in told)
