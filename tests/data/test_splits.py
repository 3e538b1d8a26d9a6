"""finetune/data/splits.py: 80/10/10, and nothing near-identical on two sides."""

import csv
import json
import os
import random
import subprocess
import sys
from collections import Counter

import pytest

from finetune.data import splits
from finetune.errors import DataError, FinetuneError
from finetune.recipe import ROOT, Data

COLUMNS = ("Topics", "Question-Title", "Questions", "Answers")
FILES = {"train.jsonl", "validation.jsonl", "test.jsonl", "report.json"}
CHATTERBOT = ROOT.parent / "shared" / "data" / "chatterbot_bengali.csv"

WORDS = (
    "আজ কাল সকালে রাতে অফিসে বাড়িতে মায়ের বাবার ভাইয়ের বোনের বন্ধুর সঙ্গে ঝগড়া হলো কথা বন্ধ মনটা খুব ভারী লাগছে"
    " বৃষ্টি নেমেছে ছাদে একা বসে চা খাচ্ছি পরীক্ষা খারাপ চাকরি গেছে ট্রেন ধরতে পারিনি ফোন ধরছে না কেউ বোঝে না ঘুম আসে"
    " শহর ছেড়ে গ্রামে ফিরতে চাই রান্না পুড়ে গেল বিড়ালটা হারিয়ে গেছে টাকা ফুরিয়ে এল গান শুনে কান্না পায় চিঠি পেলাম"
).split()
WORDS = sorted(set(WORDS))


def sentence(rng, length=9):
    """A question of random words: no two of them are near-identical."""
    return " ".join(rng.sample(WORDS, length)) + "।"


def questions(count, seed=0, length=9):
    """Questions that have nothing to do with each other."""
    rng = random.Random(seed)
    return [sentence(rng, length) for _ in range(count)]


def rows_of(asked, topic="", title=""):
    """Table rows for the questions, each with its own answer."""
    return [(topic, title, question, f"শুনছি, বলুন, কথা নম্বর {number}।") for number, question in enumerate(asked)]


@pytest.fixture
def prepare(tmp_path):
    """Write rows to a CSV file, prepare it, and give the report and the rows of the three sides."""

    def prepare(rows, out="out", **settings):
        path = tmp_path / "corpus.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([COLUMNS, *rows])
        report = splits.prepare(Data(source=str(path), **settings), tmp_path / out)
        return report, {name: splits.read_split(tmp_path / out, name) for name in splits.SPLITS}

    return prepare


def numbers(rows):
    """The group of each (topic, title, question)."""
    groups = splits.Groups()
    for topic, title, question in rows:
        groups.add({"topic": topic, "title": title, "question": question})
    return groups.numbers()


def sizes(sides):
    return tuple(sides.count(side) for side in range(3))


# sizes


def test_the_real_corpus_size_gives_exactly_the_reference_projects_splits(prepare):
    """With grouping and de-duplication off, every row on its own."""
    asked = questions(300)
    rows = rows_of(asked * 128)[:38_210]
    report, sides = prepare(rows, group=False, deduplicate=False)
    assert report["splits"] == {"train": 30_568, "validation": 3_821, "test": 3_821}
    assert {name: len(side) for name, side in sides.items()} == report["splits"]
    assert report["kept"] == report["groups"] == 38_210 and report["largest_group"] == 1


@pytest.mark.parametrize("total", [10, 11, 19, 20, 101, 999, 1000, 38_210, 38_213])
def test_a_fifth_rounded_up_is_held_out_and_test_takes_the_odd_row(total):
    train, validation, test = sizes(splits.assign(list(range(total)), seed=42))
    assert validation + test == -(-total // 5)
    assert test - validation in (0, 1)
    assert train + validation + test == total


@pytest.mark.parametrize("size", [2, 3, 5])
def test_groups_move_the_sizes_by_five_percent_at_most(size):
    members = [row // size for row in range(6000)]
    _, validation, test = sizes(splits.assign(members, seed=1))
    assert 600 <= validation <= 630
    assert 600 <= test <= 630


def test_no_group_is_ever_torn():
    rng = random.Random(3)
    members = [group for group in range(400) for _ in range(rng.randint(1, 12))]
    rng.shuffle(members)
    sides = splits.assign(members, seed=7)
    for group in set(members):
        assert len({side for side, member in zip(sides, members, strict=True) if member == group}) == 1
    assert min(sizes(sides)) > 0


@pytest.mark.parametrize("seed", range(10))
def test_a_huge_group_goes_to_training(seed):
    members = [0] * 300 + list(range(1, 701))
    sides = splits.assign(members, seed)
    assert set(sides[:300]) == {0}
    assert sizes(sides) == (800, 100, 100)


@pytest.mark.parametrize("seed", range(10))
def test_a_group_that_would_fill_more_than_half_a_side_goes_to_training_too(seed):
    members = [0] * 40 + list(range(1, 561))
    sides = splits.assign(members, seed)
    assert set(sides[:40]) == {0}
    assert sizes(sides) == (480, 60, 60)


@pytest.mark.parametrize("seed", range(10))
def test_uneven_groups_do_not_overfill_a_side(seed):
    rng = random.Random(seed)
    members = [group for group in range(240) for _ in range(rng.randint(1, 49))]
    wanted = len(members) / 10
    _, validation, test = sizes(splits.assign(members, seed))
    assert wanted - 1 <= validation <= wanted * 1.05 + 1
    assert wanted - 1 <= test <= wanted * 1.05 + 1


@pytest.mark.parametrize("pairs", [5, 10, 15])
def test_a_small_table_where_each_question_has_two_answers_still_gets_three_sides(prepare, pairs):
    report, sides = prepare([row for row in rows_of(questions(pairs)) for row in (row, (*row[:3], "আচ্ছা, বলুন।"))])
    assert all(report["splits"].values()), report["splits"]


def test_rows_that_all_belong_together_are_not_split_into_nothing(prepare, tmp_path):
    """One question with many answers; training without validation rows would fail later."""
    rows = [("", "", "আজ মনটা খুব ভারী লাগছে আমার।", f"শুনছি, বলুন, কথা নম্বর {number}।") for number in range(40)]
    with pytest.raises(DataError, match="40 of 40 .* data.group") as raised:
        prepare(rows)
    assert raised.value.facts["largest"] == 40
    assert list((tmp_path / "out").iterdir()) == []
    assert prepare(rows, group=False)[0]["splits"] == {"train": 32, "validation": 4, "test": 4}


def test_one_title_for_the_whole_table_makes_no_conversation_of_it(prepare):
    report, _ = prepare(rows_of(questions(40), topic="শোক", title="একটাই শিরোনাম"))
    assert report["splits"] == {"train": 32, "validation": 4, "test": 4}


@pytest.mark.parametrize("count", [1, 9])
def test_fewer_than_ten_rows_cannot_be_split_and_the_numbers_are_told(prepare, count):
    with pytest.raises(DataError, match=f"Only {count} of {count + 1} rows"):
        prepare([*rows_of(questions(count)), ("", "", "", "")])


def test_ten_rows_can_be_split(prepare):
    report, _ = prepare(rows_of(questions(10)))
    assert report["splits"] == {"train": 8, "validation": 1, "test": 1}


# seeds


def test_the_same_seed_gives_the_same_split_and_another_seed_another():
    members = list(range(500))
    assert splits.assign(members, 5) == splits.assign(members, 5)
    assert splits.assign(members, 5) != splits.assign(members, 6)


def test_preparing_twice_writes_the_same_files(prepare, tmp_path):
    rows = rows_of(questions(60))
    prepare(rows, out="one")
    prepare(rows, out="two")
    for name in splits.SPLITS:
        assert (tmp_path / "one" / f"{name}.jsonl").read_bytes() == (tmp_path / "two" / f"{name}.jsonl").read_bytes()


def test_the_recipes_seed_is_the_one_that_splits(prepare):
    rows = rows_of(questions(60))
    _, one = prepare(rows, out="one", seed=1)
    _, two = prepare(rows, out="two", seed=2)
    assert one["test"] != two["test"]


def test_the_split_does_not_depend_on_pythons_hash_seed():
    program = (
        "import random; from finetune.data import splits; from tests.data.test_splits import questions, variant\n"
        "rng = random.Random(1); asked = [q for q in questions(60) for q in (q, variant(q, rng))]\n"
        "groups = splits.Groups()\n"
        "for q in asked: groups.add({'topic': '', 'title': '', 'question': q})\n"
        "print(groups.numbers(), list(splits.assign(groups.numbers(), 42)))"
    )
    seen = {
        subprocess.run(
            [sys.executable, "-c", program],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(seen) == 1


# groups


def variant(question, rng):
    """The question with one of its words replaced."""
    words = question.rstrip("।").split()
    words[rng.randrange(len(words))] = rng.choice([word for word in WORDS if word not in words])
    return " ".join(words) + "।"


def test_the_same_question_is_one_group_whatever_its_punctuation_and_case():
    one, two, three, other = numbers(
        [
            (
                "",
                "",
                "কেউ কি আমাকে ok বোঝে?",
            ),
            ("", "", "“কেউ কি আমাকে OK বোঝে?!”"),
            ("", "", "কেউ কি, আমাকে Ok বোঝে।"),
            ("", "", "কেউ কি আমাকে মনে রাখে?"),
        ]
    )
    assert one == two == three != other


def test_short_questions_are_one_group_only_with_all_words_the_same():
    assert numbers([("", "", "খুব একা লাগছে আজ।"), ("", "", "খুব একা লাগছে কাল।")]) == [0, 1]
    assert numbers([("", "", "খুব একা লাগছে।"), ("", "", "আজ খুব একা লাগছে।")]) == [0, 1]
    assert numbers([("", "", "খুব একা লাগছে।"), ("", "", "খুব একা লাগছে!")]) == [0, 0]


@pytest.mark.parametrize("length", [6, 8, 12])
def test_a_question_with_one_word_changed_is_always_grouped_with_the_original(length):
    """The docstring's own example: one word changed in a question of six words counts as near-identical."""
    rng = random.Random(length)
    torn = []
    for question in questions(150, seed=length, length=length):
        changed = variant(question, rng)
        if len(set(numbers([("", "", question), ("", "", changed)]))) > 1:
            torn.append((question, changed))
    assert not torn, f"{len(torn)} of 150 near-identical pairs could be split apart, such as {torn[0]}"


def test_questions_that_share_only_some_words_stay_apart():
    assert numbers(
        [
            ("", "", "আজ অফিসে সবার সামনে বস আমাকে বকলেন।"),
            ("", "", "আজ বাড়িতে সবার সামনে বাবা আমাকে জড়িয়ে ধরলেন।"),
        ]
    ) == [0, 1]


def test_near_identical_questions_join_transitively():
    first = "আজ অফিসে সবার সামনে বস আমাকে খুব জোরে বকলেন।"
    second = first.replace("আজ", "কাল")
    third = second.replace("জোরে", "রেগে")
    apart = "বৃষ্টি নেমেছে ছাদে একা বসে চা খাচ্ছি আর গান শুনছি।"
    assert numbers([("", "", text) for text in (first, apart, third, second)]) == [0, 1, 0, 0]


def test_a_question_in_the_other_unicode_form_stands_on_the_same_side(prepare):
    """Letters with a dot below come composed or decomposed; readers see no difference."""
    asked = [f"{question} বা\u09dcিতে পে\u09df\u09beলা ভাঙা" for question in questions(30, length=6)]
    decomposed = [q.replace("\u09dc", "\u09a1\u09bc").replace("\u09df", "\u09af\u09bc") for q in asked]
    assert asked != decomposed
    report, sides = prepare(rows_of(asked + decomposed))
    assert report["kept"] == 60
    assert_no_question_on_two_sides(sides)


def test_consecutive_turns_of_one_conversation_are_one_group():
    asked = questions(5)
    titles = [("শোক", "দাদুর ঘর"), ("শোক", "দাদুর ঘর"), ("শোক", "দাদুর ঘর"), ("রাগ", "দাদুর ঘর"), ("রাগ", "অফিস")]
    assert numbers([(*title, question) for title, question in zip(titles, asked, strict=True)]) == [0, 0, 0, 3, 4]


def test_more_turns_than_a_conversation_has_are_none_in_a_small_table_but_may_be_in_a_large_one():
    asked = questions(400, length=12)
    small = [("শোক", "ঘর" if row < 9 else "", question) for row, question in enumerate(asked[:100])]
    assert numbers(small) == list(range(100))
    large = [("শোক", "ঘর" if row < 20 else "", question) for row, question in enumerate(asked)]
    assert numbers(large) == [0] * 20 + list(range(20, 400))
    assert numbers(small[1:]) == [0] * 8 + list(range(8, 99))


def test_the_same_title_further_down_is_another_conversation():
    a, b, c = questions(3)
    assert numbers([("শোক", "অনেক বছর আগে", a), ("শোক", "ছাদ", b), ("শোক", "অনেক বছর আগে", c)]) == [0, 1, 2]


def test_rows_without_a_title_are_no_conversation():
    assert numbers([("শোক", "", question) for question in questions(4)]) == [0, 1, 2, 3]


def test_conversations_and_near_identical_questions_join_each_other():
    a, b, c = questions(3)
    rows = [("শোক", "চিঠি", a), ("শোক", "চিঠি", b), ("রাগ", "ফোন", c), ("রাগ", "ট্রেন", b)]
    assert numbers(rows) == [0, 0, 2, 0]


def assert_no_question_on_two_sides(sides):
    seen = {name: {row["question"] for row in side} for name, side in sides.items()}
    assert not seen["train"] & seen["validation"]
    assert not seen["train"] & seen["test"]
    assert not seen["validation"] & seen["test"]


@pytest.mark.parametrize("seed", [1, 42])
def test_nothing_that_belongs_together_is_found_on_two_sides(prepare, seed):
    """Conversations of three turns, each first question asked again elsewhere with one word more."""
    asked = questions(240, seed=seed, length=12)
    conversations = [asked[at : at + 3] for at in range(0, 240, 3)]
    rows = [
        ("দিনলিপি", f"কথা {number}", question, f"শুনছি {number} {turn}।")
        for number, turns in enumerate(conversations)
        for turn, question in enumerate(turns)
    ]
    rows += [("", "", f"{turns[0]} বলুন", f"আবার শুনছি {number}।") for number, turns in enumerate(conversations)]
    report, sides = prepare(rows, seed=seed)
    assert report["kept"] == 320 and report["groups"] == 80 and report["largest_group"] == 4
    side_of = {row["answer"]: name for name, side in sides.items() for row in side}
    for number in range(len(conversations)):
        turns = [f"শুনছি {number} {turn}।" for turn in range(3)]
        assert len({side_of[answer] for answer in [*turns, f"আবার শুনছি {number}।"]}) == 1
    assert all(len(side) >= 32 for side in sides.values())


def test_with_grouping_off_each_row_is_on_its_own(prepare):
    report, _ = prepare(rows_of(questions(10) * 3), group=False)
    assert report["groups"] == 30 and report["largest_group"] == 1


def test_the_real_chatterbot_table_keeps_each_question_on_one_side(tmp_path):
    if not CHATTERBOT.is_file():
        pytest.skip(f"{CHATTERBOT} is not on this machine")
    report = splits.prepare(Data(source=str(CHATTERBOT)), tmp_path)
    sides = {name: splits.read_split(tmp_path, name) for name in splits.SPLITS}
    assert_no_question_on_two_sides(sides)
    assert sum(report["splits"].values()) == report["kept"]
    assert all(report["splits"].values())


# what is written


def test_prepare_writes_the_three_sides_and_the_report_and_nothing_else(prepare, tmp_path):
    rows = rows_of(questions(40))
    report, sides = prepare([*rows, rows[0], ("", "", "", "শুনছি।")])
    assert {path.name for path in (tmp_path / "out").iterdir()} == FILES
    assert json.loads((tmp_path / "out" / "report.json").read_text(encoding="utf-8")) == report
    assert (report["rows"], report["kept"]) == (42, 40)
    assert report["dropped"] == {**dict.fromkeys(report["dropped"], 0), "duplicate": 1, "empty": 1}
    assert report["dropped_rows"]["duplicate"] == [41] and report["dropped_rows"]["empty"] == [42]
    assert report["splits"] == {name: len(side) for name, side in sides.items()}
    assert report["near_identical_seconds"] <= report["seconds"]


def test_every_kept_row_is_on_exactly_one_side_in_the_files_order(prepare):
    rows = rows_of(questions(50), topic="শোক")
    _, sides = prepare(rows)
    order = [row[3] for row in rows]
    assert Counter(row["answer"] for side in sides.values() for row in side) == Counter(order)
    for side in sides.values():
        places = [order.index(row["answer"]) for row in side]
        assert places == sorted(places)
        assert all(set(row) == {"topic", "title", "question", "answer"} for row in side)


def test_a_limit_is_passed_on(tmp_path, prepare):
    prepare(rows_of(questions(40)))
    report = splits.prepare(Data(source=str(tmp_path / "corpus.csv")), tmp_path / "few", limit=20)
    assert (report["rows"], report["kept"]) == (20, 20)


def test_preparing_again_replaces_the_splits(prepare, tmp_path):
    prepare(rows_of(questions(40)))
    report, sides = prepare(rows_of(questions(20, seed=9)))
    assert sum(len(side) for side in sides.values()) == report["kept"] == 20
    assert {path.name for path in (tmp_path / "out").iterdir()} == FILES


def test_a_source_that_fails_leaves_nothing_half_written(prepare, tmp_path):
    with pytest.raises(DataError):
        prepare([("", "", "hello there", "I am here")] * 50)
    assert list((tmp_path / "out").iterdir()) == []


def test_a_source_that_fails_leaves_the_earlier_splits_alone(prepare, tmp_path):
    prepare(rows_of(questions(40)))
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    damaged = tmp_path / "damaged.csv"
    damaged.write_bytes((tmp_path / "corpus.csv").read_bytes() + b"\xe0\xa6\n")
    for source in (damaged, tmp_path / "gone.csv"):
        with pytest.raises(DataError):
            splits.prepare(Data(source=str(source)), tmp_path / "out")
        assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before


@pytest.mark.parametrize("blocked", ["train", "validation", "test"])
def test_a_failure_while_writing_the_sides_leaves_no_part_files(prepare, tmp_path, blocked):
    (tmp_path / "out" / f"{blocked}.jsonl" / "something of the user").mkdir(parents=True)
    with pytest.raises((OSError, FinetuneError)):
        prepare(rows_of(questions(40)))
    assert list((tmp_path / "out").glob("*.part")) == []


def test_an_output_folder_that_is_a_file_gives_one_clear_sentence(prepare, tmp_path):
    (tmp_path / "out").write_text("notes", encoding="utf-8")
    with pytest.raises(FinetuneError, match="out"):
        prepare(rows_of(questions(40)))
    assert (tmp_path / "out").read_text(encoding="utf-8") == "notes"


@pytest.mark.parametrize("name", splits.SPLITS)
def test_a_side_that_was_never_prepared_is_answered_with_the_command_to_run(tmp_path, name):
    with pytest.raises(DataError, match="finetune prepare"):
        splits.read_split(tmp_path, name)
