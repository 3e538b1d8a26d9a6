"""Banglish in, Bengali out: how often, on lines that are held out, and what must stay as it was typed.

`python -m tests.inference.test_banglish` prints the figures.
"""

import csv
import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path

import pytest

from finetune import bengali
from finetune.inference.banglish import is_banglish, to_bengali, understood

ROWS = [row for row in Path(__file__).with_name("banglish.tsv").read_text("utf-8").splitlines() if row[0] != "#"]
LINES = list(csv.DictReader(ROWS, delimiter="\t", quoting=csv.QUOTE_NONE))
PARTS = ("tuned", "held", "last")


@dataclass(frozen=True)
class Figures:
    """Of one part of the list; shares from 0 to 1, character errors as a share of the characters expected."""

    banglish: int
    other: int
    recall: float
    precision: float
    words: int
    words_right: float
    character_errors: float


def figures(part):
    """How well the lines of a part are recognised and written."""
    lines = [line for line in LINES if line["part"] == part]
    banglish = [line for line in lines if line["bengali"]]
    others = [line for line in lines if not line["bengali"]]
    found = sum(is_banglish(line["line"]) for line in banglish)
    false = sum(is_banglish(line["line"]) for line in others)
    words = wrong = characters = character_errors = 0
    for line in banglish:
        expected = [
            [spelling.split("_") for spelling in word.split("/")]
            for word in re.findall(r"[^\s,.?!।]+", unicodedata.normalize("NFC", line["bengali"]))
        ]
        written = bengali.words(to_bengali(line["line"]))
        words += len(expected)
        wrong += edits(expected, written)
        first = " ".join(" ".join(spellings[0]) for spellings in expected)
        characters += len(first)
        character_errors += edits([[[letter]] for letter in first], list(" ".join(written)))
    return Figures(
        len(banglish),
        len(others),
        found / len(banglish),
        found / (found + false),
        words,
        1 - wrong / words,
        character_errors / characters,
    )


def edits(expected, written):
    """Words that must be put in, left out or changed; `expected` has a list of spellings for each, of words each."""
    costs = [list(range(len(written) + 1))]
    for spellings in expected:
        before, now = costs[-1], []
        for at in range(len(written) + 1):
            ways = [before[at] + 1]
            if at:
                ways += [now[-1] + 1, before[at - 1] + 1]
            ways += [before[at - len(s)] for s in spellings if len(s) <= at and written[at - len(s) : at] == s]
            now.append(min(ways))
        costs.append(now)
    return costs[-1][-1]


def test_the_list_is_as_long_as_promised_and_a_third_of_it_is_held_out():
    assert sum(bool(line["bengali"]) for line in LINES) >= 200
    assert sum(not line["bengali"] for line in LINES) >= 100
    assert sum(line["part"] != "tuned" for line in LINES) >= len(LINES) / 3
    assert len({line["line"] for line in LINES}) == len(LINES)


@pytest.mark.parametrize("part", ["held", "last"])
def test_banglish_is_told_from_others_and_nineteen_of_twenty_words_come_out_right(part):
    found = figures(part)
    assert found.recall >= 0.97 and found.precision >= 0.95
    assert found.words_right >= 0.95 and found.character_errors <= 0.03


def test_a_wrong_word_is_counted_once_and_any_listed_spelling_is_right():
    assert edits([[["মন"]], [["ভালো"], ["ভাল"]], [["না"]]], ["মন", "ভাল", "না"]) == 0
    assert edits([[["মন"]], [["ভালো"]], [["না"]]], ["মন", "আলো", "না"]) == 1
    assert edits([[["জীবনটা"], ["জীবন", "টা"]]], ["জীবন", "টা"]) == 0


@pytest.mark.parametrize(
    "text",
    [
        "I feel alone today",
        "আমার boss আজ office এ বকেছে",
        "https://example.com/ami-tumi",
        "ami.tumi@example.com",
        "Nusrat",
    ]
    + ["ok", "hi", "42", "", "😢", "mujhe bahut akela lagta hai", "to be or not to be", "#ami"],
)
def test_what_is_no_banglish_is_left_to_the_model_as_it_is(text):
    assert understood(text) is None


@pytest.mark.parametrize(
    "text", ["ki khobor", "amar boss khub rude", "আজ amar mon kharap", "AMI KHUB EKA", "khuuub eka"]
)
def test_banglish_is_recognised_beside_english_bengali_capitals_and_drawn_out_letters(text):
    assert is_banglish(text)


def same(text):
    return unicodedata.normalize("NFC", text)


def test_the_line_of_the_issue_reads_as_a_person_would_write_it():
    assert understood("ami khub eka feel kortesi, keu amake bujhe na.") == same("আমি খুব একা ফিল করছি, কেউ আমাকে বুঝে না।")


def test_dhaka_and_kolkata_are_understood_alike():
    dhaka = to_bengali("amare keu valobase na, ki hoise bujhtesi na, ami koi jamu")
    kolkata = to_bengali("amake keu bhalobashe na, ki hoyeche bujhchi na, ami koi jabo")
    assert dhaka == kolkata == same("আমাকে কেউ ভালোবাসে না, কি হয়েছে বুঝছি না, আমি কই যাব")


@pytest.mark.parametrize(
    ("typed", "written"),
    [
        ("2 din dhore kichu khai ni 😢", "2 দিন ধরে কিছু খাই নি 😢"),
        ("dekho https://example.com/ami-tumi", "দেখো https://example.com/ami-tumi"),
        ("mon kharap... 3.5 mash", "মন খারাপ... 3.5 মাস"),
        ("Dr. Karim bolechen. tarpor?", "Dr. করিম বলেছেন। তারপর?"),
        ("ami BUET theke", "আমি BUET থেকে"),
        ("amar boss toxic.", "আমার বস টক্সিক।"),
        ("ami ajke\nvalo nei", "আমি আজকে\nভালো নেই"),
        ("majhe-majhe", "মাঝে-মাঝে"),
        ("আমি valo", "আমি ভালো"),
    ],
)
def test_numbers_signs_addresses_and_capitals_stay_and_a_full_stop_becomes_a_danda(typed, written):
    assert to_bengali(typed) == same(written)


@pytest.mark.parametrize(
    ("typed", "written"),
    [
        ("exam er por", "এক্সামের পর"),
        ("mon ta", "মনটা"),
        ("office e", "অফিসে"),
        ("bari te", "বাড়িতে"),
        ("baba ke bolbo", "বাবাকে বলব"),
        ("amar e dosh", "আমারই দোষ"),
        ("tumi ke", "তুমি কে"),
        ("er jonno", "এর জন্য"),
        ("bolbe ta jani", "বলবে তা জানি"),
    ],
)
def test_an_ending_typed_apart_joins_its_word_and_what_is_a_word_itself_does_not(typed, written):
    assert to_bengali(typed) == same(written)


def test_two_words_typed_alike_are_told_apart_where_the_word_before_says_which():
    assert to_bengali("or kotha mone pore") == same("ওর কথা মনে পড়ে")
    assert to_bengali("pore kotha hobe") == same("পরে কথা হবে")


def test_no_word_however_long_holds_up_a_chat():
    assert understood("ami " + "kha" * 20_000)
    assert understood("a." * 20_000) is None


def test_nothing_that_a_person_types_is_logged(caplog):
    caplog.set_level(0)
    understood("ami khub eka, keu bujhe na")
    assert caplog.records == []


if __name__ == "__main__":
    for name in PARTS:
        print(name, figures(name))
