"""What both sides answer, from four sources; and the hundred messages that were written for it."""

import csv
import json
import unicodedata
from collections import Counter
from itertools import combinations, product

import pytest
import yaml

from finetune import bengali
from finetune.errors import DataError
from finetune.inference import safety
from finetune.recipe import ROOT
from finetune.review import prompt_sets

CURATED = prompt_sets.curated().prompts
JOYFUL = {"আনন্দ": 5, "গর্ব": 5, "ছোট সুখ": 5}


def words_of(text):
    return frozenset(word.casefold() for word in bengali.words(bengali.clean(text)))


def alike(one, other):
    """Jaccard similarity of two texts' words, as `data.splits` compares questions."""
    return len(one & other) / len(one | other)


def test_the_curated_set_is_a_hundred_messages_on_twenty_topics_a_part_of_them_joyful():
    assert len(CURATED) == len({prompt.id for prompt in CURATED}) == 100
    topics = Counter(prompt.topic for prompt in CURATED)
    assert len(topics) == 20 and set(topics.values()) == {5}
    assert topics & Counter(JOYFUL) == Counter(JOYFUL)


def test_the_curated_set_has_enough_of_every_register_script_and_length_to_look_at_each_alone():
    count = {key: Counter(getattr(prompt, key) for prompt in CURATED) for key in ("register", "script", "length")}
    assert count["register"] == {"apni": 45, "tumi": 28, "tui": 20, "": 7}
    assert count["script"] == {"bengali": 75, "banglish": 20, "mixed": 5}
    assert 45 <= count["length"]["long"] <= 55
    crossed = Counter((prompt.register, prompt.script, prompt.length) for prompt in CURATED)
    for register in ("apni", "tumi", "tui"):
        assert all(crossed[register, "bengali", length] >= 5 for length in ("short", "long")), register
        assert sum(crossed[register, "banglish", length] for length in ("short", "long")) >= 5, register


def test_ten_curated_messages_need_care_none_is_a_crisis_and_care_is_written_wherever_the_screen_asks_for_it():
    tiers = {prompt.text: safety.screen(prompt.text) for prompt in CURATED}
    assert [text for text, tier in tiers.items() if tier == "strong"] == []
    raw = yaml.safe_load(prompt_sets.CURATED.read_text(encoding="utf-8"))
    assert [entry["text"] for entry in raw if tiers[entry["text"]] == "soft" and not entry["care"]] == []
    assert sum(prompt.care for prompt in CURATED) == 10
    assert len({prompt.topic for prompt in CURATED if prompt.care}) >= 8  # else a slice by care is one by topic


def test_what_the_curated_set_says_of_script_and_length_is_what_is_read_off_other_texts():
    for prompt in CURATED:
        found = prompt_sets.described(prompt.text)
        assert (found.script, found.length) == (prompt.script, prompt.length), prompt.text


def test_the_curated_file_is_written_in_nfc_and_as_clean_as_what_reaches_a_model():
    assert unicodedata.is_normalized("NFC", prompt_sets.CURATED.read_text(encoding="utf-8"))
    raw = yaml.safe_load(prompt_sets.CURATED.read_text(encoding="utf-8"))
    assert [entry["text"] for entry in raw] == [prompt.text for prompt in CURATED]


def test_no_curated_message_resembles_another_or_a_question_of_the_demo_corpus():
    written = [words_of(prompt.text) for prompt in CURATED]
    assert [pair for pair in combinations(written, 2) if alike(*pair) >= 0.25] == []
    with (ROOT / "assets" / "demo" / "corpus.csv").open(encoding="utf-8", newline="") as file:
        asked = {words_of(row["Questions"]) for row in csv.DictReader(file)}
    assert len(asked) > 3_000
    assert [pair for pair in product(written, asked) if alike(*pair) >= 0.3] == []


def test_curated_messages_begin_and_end_as_differently_as_people_do():
    words = [[word.casefold() for word in bengali.words(prompt.text)] for prompt in CURATED]
    for said in ([one[0] for one in words], [tuple(one[-2:]) for one in words]):
        assert max(Counter(said).values()) <= 5, Counter(said).most_common(3)


def test_a_prompt_s_id_is_its_text_s_whatever_its_unicode_form():
    text = "মায়ের জন্য মন কেমন করে"
    assert prompt_sets.described(unicodedata.normalize("NFD", text)).id == prompt_sets.described(text).id
    assert prompt_sets.described(text).id == "5afef4347ab9"  # printf %s TEXT | sha256sum
    assert prompt_sets.described(text).id != prompt_sets.described(text + "?").id


@pytest.mark.parametrize(
    ("text", "register", "script", "length"),
    [
        ("আপনি কেমন আছেন?", "apni", "bengali", "short"),
        ("tumi ki bujhbe amar kotha", "tumi", "banglish", "short"),
        ("আমার manager বলেছে sorry বলতে, meeting শেষে", "", "mixed", "short"),
        ("হাসপাতাল থেকে ফিরে সারাদিন ICU-র কথাই মনে পড়ছে।", "", "bengali", "short"),
        ("মনটা ভালো নেই। " * 12, "", "bengali", "long"),
        ("😭❤️", "", "", "short"),
    ],
)
def test_what_a_source_does_not_say_is_read_off_the_text(text, register, script, length):
    found = prompt_sets.described(text)
    assert (found.register, found.script, found.length) == (register, script, length)


def test_what_a_source_says_stands_and_care_is_only_added():
    found = prompt_sets.described("আপনি শুনছেন?", topic="মন", register="tui", script="mixed", length="long", care=True)
    assert (found.topic, found.register, found.script, found.length, found.care) == ("মন", "tui", "mixed", "long", True)
    assert prompt_sets.described("বেঁচে থাকার মানে খুঁজে পাই না।", care=False).care


def test_pasted_lines_lose_numbers_and_doubles_and_what_no_model_should_answer():
    found = prompt_sets.pasted("১. মন ভালো নেই।\n- মন ভালো নেই।\n2) আমি মরে যেতে চাই\n-\n\n• নতুন চাকরি!\n(৪) ১২ জন এল")
    assert [prompt.text for prompt in found.prompts] == ["মন ভালো নেই।", "নতুন চাকরি!", "১২ জন এল"]
    assert found.left_out == {"duplicate": 1, "strong": 1, "empty": 1}


def test_short_pasted_lines_are_a_message_each_whatever_blank_lines_part_them():
    found = prompt_sets.pasted("প্রথম কথা।\r\nদ্বিতীয় কথা।\r\n\r\nআরেকটা কথা।\n")
    assert [prompt.text for prompt in found.prompts] == ["প্রথম কথা।", "দ্বিতীয় কথা।", "আরেকটা কথা।"]


def test_long_pasted_lines_between_blank_ones_are_one_message():
    line = "সারাদিন অফিসে হাসিমুখে থাকি, বাড়ি ফিরে দরজা বন্ধ করলেই সব ফাঁকা লাগে আমার।"
    found = prompt_sets.pasted(f"{line}\n{line} আবার।\n\nআরেকটা কথা।")
    assert [prompt.text for prompt in found.prompts] == [f"{line}\n{line} আবার।", "আরেকটা কথা।"]
    listed = prompt_sets.pasted(f"1. {line}\n2. {line} আবার।\n\n3. আরেকটা কথা।")
    assert len(listed.prompts) == 3


@pytest.mark.parametrize("text", ["", " \n ", "আমি মরে যেতে চাই"])
def test_where_nothing_is_left_it_is_told(text):
    with pytest.raises(DataError, match="No prompt is left"):
        prompt_sets.pasted(text)


def test_a_text_too_long_to_be_a_message_is_left_out():
    found = prompt_sets.pasted("ক" * 4_001 + "\n" + "খ" * 4_000)
    assert ([len(prompt.text) for prompt in found.prompts], found.left_out) == ([4_000], {"too_long": 1})


def test_more_messages_than_anybody_reviews_are_refused(monkeypatch):
    monkeypatch.setattr(prompt_sets, "MOST", 3)
    assert len(prompt_sets.pasted("এক\nদুই\nতিন").prompts) == 3
    with pytest.raises(DataError, match="more than 3 messages"):
        prompt_sets.pasted("এক\nদুই\nতিন\nচার")


def test_a_file_s_messages_come_with_their_topics_and_a_text_file_is_as_if_pasted(tmp_path):
    table = tmp_path / "a.csv"
    table.write_text("Topics,Questions\nমন,মন ভালো নেই।\n,\n", encoding="utf-8")
    found = prompt_sets.from_file(table)
    assert [(prompt.text, prompt.topic) for prompt in found.prompts] == [("মন ভালো নেই।", "মন")]
    assert (found.name, found.left_out) == ("a.csv", {"empty": 1})
    plain = tmp_path / "a.txt"
    plain.write_text("১. এক কথা।\n২. দুই কথা।", encoding="utf-8")
    assert [prompt.text for prompt in prompt_sets.from_file(plain).prompts] == ["এক কথা।", "দুই কথা।"]


def test_a_sample_takes_every_topic_in_turn_and_a_smaller_one_is_its_beginning():
    twenty = prompt_sets.sampled(CURATED, 20, seed=3)
    assert len({prompt.topic for prompt in twenty}) == 20
    assert prompt_sets.sampled(CURATED, 40, seed=3)[:20] == twenty != prompt_sets.sampled(CURATED, 20, seed=4)
    assert set(prompt_sets.sampled(CURATED, 0, seed=3)) == set(CURATED)


def test_a_run_s_test_rows_are_taken_by_topic_in_turn_and_what_is_left_out_is_made_up_for(tmp_path):
    rows = [{"question": f"কথা {n}।", "answer": "শুনছি।", "topic": "ক" if n % 2 else "খ"} for n in range(10)]
    rows += [{"question": "আমি মরে যেতে চাই", "answer": "শুনছি।", "topic": "গ"}]
    (tmp_path / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    found = prompt_sets.from_run(tmp_path, 4, seed=1)
    assert sorted(prompt.topic for prompt in found.prompts) == ["ক", "ক", "খ", "খ"]
    assert found.left_out == {"strong": 1} and found == prompt_sets.from_run(tmp_path, 4, seed=1)
    assert len(prompt_sets.from_run(tmp_path, 0, seed=1).prompts) == 10
