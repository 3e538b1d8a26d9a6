"""finetune/demo/corpus.py: the composed corpus keeps what the issue and voice.md promise."""

import csv
import re
import unicodedata
from collections import Counter

import pytest

from finetune import bengali
from finetune.data import corpus as cleaning
from finetune.data import splits
from finetune.demo import corpus
from finetune.demo.parts import MINIMUM_IN_SITUATION, fill
from finetune.recipe import Data

QUOTED = re.compile("“[^”]*”")
SENTENCE_END = re.compile("[।?!]+")

FAMILIAR = set(
    unicodedata.normalize(
        "NFC",
        "তুমি তোমার তোমারও তোমাকে তোমাকেও তোমায় তোমরা তোমাদের তুই তোর তোকে তোরা করো কোরো বলো বোলো দেখো শোনো ভাবো যেও"
        " দিও নিও এসো রেখো থেকো হোয়ো পেয়ো খেয়ো করেছ করছ পেয়েছ হয়েছ গিয়েছ গেছ দিয়েছ নিয়েছ বলেছ বলছ পারছ যাচ্ছ ভাবছ চাইছ"
        " আছ আছো পারো চাও দাও নাও হও খাও রাখো লেখো থাকো যাও জানো বোঝো",
    ).split()
)
"""Forms that can only be তুমি or তুই; written here anew, so that a gap in the parts' own list is found."""


@pytest.fixture(scope="session")
def prepared(composed, tmp_path_factory):
    """The composed corpus as `prepare` cleans and splits it: the report, and the rows of each side."""
    folder = tmp_path_factory.mktemp("composed")
    with (folder / "corpus.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([corpus.COLUMNS, *composed])
    report = splits.prepare(Data(source=str(folder / "corpus.csv")), folder / "data")
    return report, {name: splits.read_split(folder / "data", name) for name in splits.SPLITS}


# the file


def test_the_corpus_that_ships_is_what_the_code_composes(composed):
    with corpus.CORPUS.open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    assert tuple(header) == ("Topics", "Question-Title", "Questions", "Answers")
    assert len(rows) == len(composed), "run python -m finetune.demo.corpus"
    different = [n for n, (row, new) in enumerate(zip(rows, composed, strict=True), start=1) if tuple(row) != new]
    assert not different, f"rows {different[:5]} … differ; run python -m finetune.demo.corpus"


def test_writing_gives_the_four_columns_and_counts_the_rows(composed, tmp_path, monkeypatch):
    monkeypatch.setattr(corpus, "compose", lambda: composed[:3])
    assert corpus.write(tmp_path / "corpus.csv") == 3
    with (tmp_path / "corpus.csv").open(encoding="utf-8", newline="") as file:
        assert [tuple(row) for row in csv.reader(file)] == [corpus.COLUMNS, *composed[:3]]


def test_the_corpus_is_under_the_size_a_space_allows():
    assert corpus.CORPUS.stat().st_size < 10_000_000


# its size and shape


def test_there_are_four_thousand_rows_on_thirty_two_topics(composed):
    assert len(composed) >= 4000
    topics = Counter(topic for topic, _, _, _ in composed)
    assert len(topics) >= 32
    assert min(topics.values()) >= 50, "no topic is there for the count alone"


def test_no_question_occurs_twice_and_hardly_a_reply_does(composed):
    assert len({question for _, _, question, _ in composed}) == len(composed)
    assert len({answer for _, _, _, answer in composed}) >= 0.98 * len(composed)


def test_every_row_passes_the_cleaning_untouched(composed, prepared):
    report, sides = prepared
    assert report["kept"] == report["rows"] == len(composed), report["dropped"]
    assert report["repaired_rows"] == []
    kept = {(row["topic"], row["title"], row["question"], row["answer"]) for side in sides.values() for row in side}
    assert kept == set(composed)


# the voice


def test_every_reply_has_one_to_four_sentences(composed):
    """A part can hold two sentences, so three parts could make six."""
    wrong = [a for _, _, _, a in composed if not 1 <= len(SENTENCE_END.findall(QUOTED.sub("", a))) <= 4]
    assert not wrong, f"{len(wrong)} replies, such as: {wrong[0]}"


def test_every_question_and_reply_ends_its_last_sentence(composed):
    for _, _, question, answer in composed:
        assert bengali.ends_sentence(question), question
        assert bengali.ends_sentence(answer), answer


def test_no_reply_says_tumi_outside_what_it_quotes(composed):
    wrong = [
        (found, answer)
        for _, _, _, answer in composed
        if (found := FAMILIAR & set(bengali.words(QUOTED.sub(" ", answer))))
    ]
    assert not wrong, f"{len(wrong)} replies, such as {wrong[0]}"


def test_a_share_of_the_questions_says_tumi_and_is_answered_in_apni(composed):
    asked = sum(bool(re.search("তুমি|তোমা", question)) for _, _, question, _ in composed)
    assert 0.03 <= asked / len(composed) <= 0.4


def test_no_two_words_open_more_than_five_percent_of_the_replies(composed):
    openings = Counter(" ".join(answer.split()[:2]) for _, _, _, answer in composed)
    (opening, count), *_ = openings.most_common(1)
    assert count <= 0.05 * len(composed), opening


def test_about_half_of_the_replies_end_in_a_question(composed):
    ending = sum(answer.rstrip("”’").endswith("?") for _, _, _, answer in composed)
    assert 0.4 <= ending / len(composed) <= 0.6


def test_replies_are_bengali_without_latin_letters_lists_or_emoji(composed):
    for _, _, _, answer in composed:
        assert bengali.script_share(answer) == 1.0, answer
        assert not re.search(r"[\n•*]|[\U0001F000-\U0001FAFF\u2600-\u27bf]", answer), answer


def test_nothing_is_broken_and_no_slot_stays_open(composed):
    for row in composed:
        for text in row:
            assert not bengali.broken_graphemes(text)
            assert "<" not in text and ">" not in text
            assert "  " not in text


def test_nearly_every_reply_names_something_the_person_said(composed):
    near = sum(
        bool(bengali.content_words(question) & bengali.content_words(answer)) for _, _, question, answer in composed
    )
    assert near / len(composed) >= 0.85


def test_sorrow_gets_no_exclamation_mark(composed, topics):
    sad = {topic.name for topic in topics if topic.mood == "sad"}
    assert [answer for topic, _, _, answer in composed if topic in sad and "!" in QUOTED.sub("", answer)] == []


# what the test side keeps for itself


def test_the_sides_are_those_of_prepare_and_near_80_10_10(prepared, composed):
    report, _ = prepared
    held = (report["splits"]["validation"], report["splits"]["test"])
    assert all(0.09 <= side / len(composed) <= 0.11 for side in held)
    assert report["largest_group"] <= 0.01 * len(composed), "the largest group of the split is reported and small"


def test_the_rows_of_a_situation_stand_on_one_side(prepared):
    _, sides = prepared
    where = {}
    for name, rows in sides.items():
        for row in rows:
            where.setdefault((row["topic"], row["title"]), set()).add(name)
    assert {situation for situation, found in where.items() if len(found) > 1} == set()


@pytest.fixture(scope="session")
def places(prepared, topics):
    """Every hand-written part that can stand in a row, with the sides it occurs on."""
    _, sides = prepared
    by_situation, by_topic = {}, {}
    for name, rows in sides.items():
        for row in rows:
            text = f"{row['question']}\n{row['answer']}"
            by_situation.setdefault((row["topic"], row["title"]), []).append((name, text))
            by_topic.setdefault(row["topic"], []).append((name, text))
    found = {}
    for topic in topics:
        for kind in ("tails", "tails_tumi", "validate", "step", "open", "beside"):
            for part in getattr(topic, kind):
                found[topic.name, kind, part] = {side for side, text in by_topic[topic.name] if part in text}
        for situation in topic.situations:
            rows = by_situation[topic.name, situation.title]
            for kind in set(MINIMUM_IN_SITUATION) - {"flat"}:
                for part in getattr(situation, kind):
                    forms = {fill(part, filling) for filling in situation.fillings()}
                    found[topic.name, situation.title, part] = {s for s, text in rows if any(f in text for f in forms)}
    return found


def test_ten_percent_of_the_parts_that_occur_do_so_in_test_rows_only(places):
    used = [sides for sides in places.values() if sides]
    share = sum(sides == {"test"} for sides in used) / len(used)
    assert 0.1 <= share <= 0.2, f"{share:.1%} of {len(used)} parts"


def test_no_held_out_part_occurs_outside_the_test_rows(places, topics):
    for topic in topics:
        held = corpus.held_out(topic)
        leaked = [
            part
            for (name, _, part), sides in places.items()
            if name == topic.name and part in held and sides - {"test"}
        ]
        assert not leaked, f"{topic.name}: {leaked}"


@pytest.mark.parametrize("kind", [kind for kind in corpus.SHARED if kind != "flat"])
def test_held_out_parts_of_every_kind_do_occur_in_test_rows(places, topics, kind):
    """A part that occurs nowhere measures nothing; `flat` parts are the base's and stand in no row at all."""
    held = {(topic.name, part) for topic in topics for part in corpus.held_out(topic) & set(getattr(topic, kind))}
    seen = {(name, part) for (name, _, part), sides in places.items() if sides == {"test"}}
    occurring, all_held = len(held & seen), len(held)
    assert occurring >= 0.25 * all_held, f"{occurring} of {all_held} occur"


def test_at_least_a_tenth_of_each_kind_is_held_out_always_the_same(topics):
    for topic in topics:
        held = corpus.held_out(topic)
        assert held == corpus.held_out(topic)
        for kind in corpus.SHARED:
            texts = getattr(topic, kind)
            count = len(held & set(texts))
            assert max(1, round(len(texts) / 10)) <= count <= len(texts) / 3, (topic.name, kind)


def test_training_that_reads_the_shipped_corpus_gets_the_same_sides(prepared):
    """The held-out parts only measure something if the recipe's split is the one they were held out for."""
    _, sides = prepared
    cleaned = list(cleaning.clean_rows(Data(), cleaning.Report()))
    if {row["question"] for row in cleaned} != {row["question"] for side in sides.values() for row in side}:
        pytest.skip("the shipped corpus is not the one that the code composes; another test says so")
    groups = splits.Groups()
    for row in cleaned:
        groups.add(row)
    on_test = {
        row["question"]
        for row, side in zip(cleaned, splits.assign(groups.numbers(), Data().seed), strict=True)
        if side == 2
    }
    assert on_test == {row["question"] for row in sides["test"]}
