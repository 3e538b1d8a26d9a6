"""finetune/data/leakage.py: planted leakage is found and told with its rows; what only resembles it is not."""

import dataclasses
import random
import unicodedata

import pytest

from finetune.data import leakage, splits
from finetune.data.leakage import Pair
from finetune.recipe import Data
from tests.data.test_splits import questions

ASKED = "আজ সকালে বাড়িতে মায়ের সঙ্গে ঝগড়া হলো।"
"""Seven words."""


def rows(*asked, reply="শুনছি"):
    """A row for each question, each with a reply of its own."""
    return [{"topic": "", "title": "", "question": one, "answer": f"{reply} {n}।"} for n, one in enumerate(asked)]


def found(train, others):
    return leakage.between(rows(*train), rows(*others, reply="বলুন")).pairs


@pytest.mark.parametrize(
    "copy",
    [
        ASKED,
        f"  {ASKED}\n",
        ASKED.replace("।", "!"),
        unicodedata.normalize("NFD", ASKED),
        ASKED.replace("\u09a1\u09bc", "\u09dc").replace("\u09af\u09bc", "\u09df"),  # as most of the web writes them
        ASKED.replace("মায়ের", "মায়ের\u200b"),
    ],
)
def test_a_question_that_stands_in_training_is_found_however_it_is_encoded(copy):
    assert found(["অন্য কথা।", ASKED], ["একটা নতুন প্রশ্ন।", copy]) == (Pair(other=2, train=2, similarity=1.0, exact=True),)


def test_questions_that_stand_in_the_other_split_are_counted_and_told():
    train, other = rows("অন্য কথা।"), rows(ASKED.replace("সকালে", "রাতে"), reply="বলুন")
    both = leakage.between(train, rows("একটা নতুন প্রশ্ন।", ASKED, reply="আহা"), other)
    assert (both.beside, both.shared, both.pairs) == (1, 1, ())
    assert "1 of the questions stand in the 1 rows of the other split" in both.sentence()
    none = leakage.between(train, rows("একটা নতুন প্রশ্ন।", reply="আহা"), other)
    assert none.shared == 0 and "None stands in the 1 rows of the other split" in none.sentence()
    assert none.to_dict()["beside"] == 1
    alone = leakage.between(train, other)
    assert alone.beside is None and "other split" not in alone.sentence()


def test_a_question_with_one_word_changed_is_found_as_nearly_the_same():
    changed = ASKED.replace("সকালে", "রাতে")
    assert found(["অন্য কথা।", ASKED], [changed]) == (Pair(other=1, train=2, similarity=6 / 8, exact=False),)


@pytest.mark.parametrize("rest", ["আজ আমাকে খুব বকেছে", "আমাকে খুব বকেছে"])
def test_one_word_changed_in_a_question_of_four_or_five_is_found_and_two_are_not(rest):
    pairs = found(["অন্য কথা।", f"মা {rest}"], [f"বাবা {rest}", f"বাবা {rest.replace('খুব', 'একটু')}"])
    assert [(pair.other, pair.train, pair.exact) for pair in pairs] == [(1, 2, False)]


def test_a_question_that_stands_whole_in_a_longer_one_is_found_and_scattered_words_are_not():
    longer = f"কী বলব, মাথা কাজ করছে না। {ASKED} তারপর থেকে সারাদিন একটা কথাও কেউ কারও সঙ্গে বলিনি, খাইওনি।"
    scattered = " ".join(f"{word} {other}" for word, other in zip(ASKED.split(), longer.split(), strict=False))
    (pair,) = found(["অন্য কথা।", longer], [ASKED])
    assert (pair.train, pair.exact) == (2, False) and pair.similarity < splits.NEAR_IDENTICAL
    assert found([scattered], [ASKED]) == ()
    assert found([longer], ["মাথা কাজ করছে না"]) == ()  # what many people say


def test_the_nearest_of_several_training_questions_is_named():
    near, nearer = ASKED.replace("সকালে", "রাতে"), ASKED.replace("আজ ", "")
    assert [pair.train for pair in found([near, nearer], [ASKED])] == [2]
    assert [pair.train for pair in found([near, nearer, ASKED, ASKED], [ASKED])] == [3]


@pytest.mark.parametrize(
    ("train", "other"),
    [
        (ASKED, "সকালে মায়ের সঙ্গে খুব কথা কাটাকাটি হয়ে গেছে।"),  # a paraphrase: words cannot tell
        (ASKED, "আজ রাতে বাবার সঙ্গে অফিসে ঝগড়া হলো।"),
        ("মন খারাপ লাগছে।", "মন ভালো লাগছে।"),  # too short for a share of words to mean much
        ("মা কথা বলে না।", "বলে না মা কথা?"),
    ],
)
def test_what_only_resembles_is_not_leakage(train, other):
    assert found([train], [other]) == ()


def test_short_questions_and_such_without_words_leak_where_they_are_the_same():
    assert [pair.exact for pair in found(["মন খারাপ।", "😢"], ["মন খারাপ", "😢", "🙂"])] == [True, True]


def test_the_case_of_latin_letters_makes_no_other_question():
    assert [pair.exact for pair in found(["OSU-র খেলা দেখি।"], ["osu-র খেলা দেখি।"])] == [True]


def test_of_four_hundred_planted_changes_all_are_found_at_their_rows():
    asked = questions(400, length=9)
    chance = random.Random(5)
    changed = []
    for question in asked:
        words = question.split()
        words[chance.randrange(9)] = "বদল"
        changed.append(" ".join(words))
    new = questions(400, seed=99)
    report = leakage.between(rows(*asked), rows(*new, *changed, reply="বলুন"))
    assert [(pair.other, pair.train) for pair in report.pairs] == [(400 + n, n) for n in range(1, 401)]
    assert (report.exact, report.near) == (0, 400)


def test_replies_that_stand_in_training_are_counted_whatever_the_question():
    report = leakage.between(rows("এক প্রশ্ন।", "দুই প্রশ্ন।"), rows("তিন প্রশ্ন।", reply="শুনছি"))
    assert (report.pairs, report.replies) == ((), 1)
    assert report.sentence().endswith(
        f" training rows, word for word or nearly ({leakage.NEARLY}). Replies that stand there word for word: 1."
    )


def test_the_sentence_says_how_many_leaked_and_what_that_means():
    report = leakage.between(rows(ASKED, "অন্য কথা।"), rows(ASKED, ASKED.replace("সকালে", "রাতে"), "নতুন", reply="বলুন"))
    assert report.sentence() == (
        "Leakage: 2 of 3 questions (66.7%) also stand in the 2 training rows, 1 word for word and 1 nearly (70% of both"
        " questions' words in common, one word changed, or whole within a longer one), so the figures look better than"
        " the model is."
    )
    assert leakage.between(rows(ASKED), rows("নতুন", "কথা", reply="বলুন")).sentence() == (
        "No leakage found: none of the 2 questions stands in the 1 training rows, word for word or nearly"
        f" ({leakage.NEARLY})."
    )


def test_results_hold_the_facts_the_sentence_and_every_pair():
    report = leakage.between(rows(ASKED), rows(ASKED, reply="বলুন"))
    assert report.to_dict() == {
        "train": 1,
        "others": 1,
        "exact": 1,
        "near": 0,
        "replies": 0,
        "percent": "100",
        "beside": None,
        "shared": 0,
        "sentence": report.sentence(),
        "pairs": [{"other": 1, "train": 1, "similarity": 1.0, "exact": True}],
    }
    assert dataclasses.is_dataclass(report) and leakage.between([], []).facts()["percent"] == "0"


def test_what_prepare_split_by_groups_comes_out_clean_and_a_random_split_does_not(tmp_path):
    base = questions(60)
    table = [f"{question} {extra}" for question in base for extra in ("বারবার", "একা", "আবার")]
    path = tmp_path / "corpus.csv"
    lines = [f",,{question},উত্তর নম্বর {number} শুনছি।" for number, question in enumerate(table)]
    path.write_text("\n".join(["Topics,Question-Title,Questions,Answers", *lines]), encoding="utf-8")
    for grouped in (True, False):
        splits.prepare(Data(source=str(path), group=grouped), tmp_path / "out")
        train, test = (splits.read_split(tmp_path / "out", name) for name in ("train", "test"))
        report = leakage.between(train, test)
        assert bool(report.near) is not grouped
