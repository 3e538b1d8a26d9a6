"""What both sides answer, from four sources; and the hundred messages that were written for it."""

import csv
import json
import unicodedata
from collections import Counter

import pytest
from datasketch import MinHash

from finetune import bengali
from finetune.errors import DataError
from finetune.inference import safety
from finetune.recipe import ROOT
from finetune.review import prompt_sets

CURATED = prompt_sets.curated().prompts


def test_the_curated_set_is_a_hundred_messages_of_twenty_topics_in_every_register_and_script():
    assert len(CURATED) == 100
    assert set(Counter(prompt.topic for prompt in CURATED).values()) == {5}
    count = {
        key: Counter(getattr(prompt, key) for prompt in CURATED) for key in ("register", "script", "length", "care")
    }
    assert set(count["register"]) == {"apni", "tumi", "tui"} and min(count["register"].values()) >= 15
    assert count["script"]["banglish"] >= 15 and count["script"]["mixed"] >= 3
    assert min(count["length"].values()) >= 20
    assert 6 <= count["care"][True] <= 15


def test_what_the_curated_set_says_of_its_script_is_so():
    for prompt in CURATED:
        share = bengali.script_share(prompt.text)
        assert {"bengali": share > 0.95, "banglish": share < 0.05, "mixed": 0.05 < share < 0.98}[prompt.script], prompt


def test_no_curated_message_is_a_crisis_and_all_are_in_nfc():
    assert [prompt.text for prompt in CURATED if safety.screen(prompt.text) == "strong"] == []
    assert all(unicodedata.is_normalized("NFC", prompt.text) for prompt in CURATED)


def shingles(text):
    found = MinHash(num_perm=64)
    for begin in range(max(1, len(text) - 4)):
        found.update(text[begin : begin + 5].encode())
    return found


def test_no_curated_message_resembles_another_or_one_of_the_demo_corpus():
    hashes = [shingles(prompt.text) for prompt in CURATED]
    assert max(one.jaccard(other) for place, one in enumerate(hashes) for other in hashes[:place]) < 0.4
    with (ROOT / "assets" / "demo" / "corpus.csv").open(encoding="utf-8") as file:
        known = {row["Questions"] for row in csv.DictReader(file)}
    corpus = [shingles(text) for text in sorted(known)[::4]]
    assert max(one.jaccard(other) for one in hashes for other in corpus) < 0.5
    assert not {prompt.text for prompt in CURATED} & known


def test_a_prompt_s_id_is_its_text_s_whatever_its_unicode_form():
    text = "মায়ের জন্য মন কেমন করে"
    assert prompt_sets.described(unicodedata.normalize("NFD", text)).id == prompt_sets.described(text).id
    assert prompt_sets.described(text).id != prompt_sets.described(text + "?").id


@pytest.mark.parametrize(
    ("text", "register", "script", "length"),
    [
        ("আপনি কেমন আছেন?", "apni", "bengali", "short"),
        ("তুই কি শুনছিস?", "tui", "bengali", "short"),
        ("tumi ki bujhbe amar kotha", "tumi", "banglish", "short"),
        ("আমার manager বলেছে sorry বলতে, meeting শেষে", "", "mixed", "short"),
        ("মনটা ভালো নেই। " * 12, "", "bengali", "long"),
    ],
)
def test_what_a_source_does_not_say_is_read_off_the_text(text, register, script, length):
    found = prompt_sets.described(text)
    assert (found.register, found.script, found.length) == (register, script, length)


def test_pasted_lines_lose_numbers_and_doubles_and_what_no_model_should_answer():
    found = prompt_sets.pasted("১. মন ভালো নেই।\n- মন ভালো নেই।\n2) আমি মরে যেতে চাই\n• নতুন চাকরি!")
    assert [prompt.text for prompt in found.prompts] == ["মন ভালো নেই।", "নতুন চাকরি!"]
    assert found.left_out == {"duplicate": 1, "strong": 1}


def test_pasted_paragraphs_stay_whole():
    found = prompt_sets.pasted("প্রথম লাইন।\nদ্বিতীয় লাইন।\n\nআরেকটা কথা।")
    assert [prompt.text for prompt in found.prompts] == ["প্রথম লাইন।\nদ্বিতীয় লাইন।", "আরেকটা কথা।"]


@pytest.mark.parametrize("text", ["", " \n ", "আমি মরে যেতে চাই"])
def test_where_nothing_is_left_it_is_told(text):
    with pytest.raises(DataError, match="No prompt is left"):
        prompt_sets.pasted(text)


def test_a_file_s_column_is_found_by_its_name(tmp_path):
    rows = [{"Questions": "মন ভালো নেই।", "Topics": "মন", "x": "1"}, {"Questions": "", "Topics": "", "x": "2"}]
    file = tmp_path / "a.csv"
    with file.open("w", encoding="utf-8", newline="") as opened:
        table = csv.DictWriter(opened, rows[0])
        table.writeheader()
        table.writerows(rows)
    found = prompt_sets.from_file(file)
    assert [(prompt.text, prompt.topic) for prompt in found.prompts] == [("মন ভালো নেই।", "মন")]
    assert found.left_out == {"empty": 1}
    lines = tmp_path / "a.jsonl"
    lines.write_text("\n".join(json.dumps({"text": row["Questions"]}) for row in rows), encoding="utf-8")
    assert prompt_sets.from_file(lines).prompts[0].text == "মন ভালো নেই।"
    plain = tmp_path / "a.txt"
    plain.write_text("এক কথা।\nদুই কথা।", encoding="utf-8")
    assert len(prompt_sets.from_file(plain).prompts) == 2


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.csv", b"a,b\n1,2\n", "no column of a known name"),
        ("a.pdf", b"%PDF", "cannot be read as a table"),
        ("a.jsonl", b"{", "cannot be read as a table"),
        ("a.csv", b"", "cannot be read as a table"),
    ],
)
def test_a_file_that_cannot_be_used_is_told(tmp_path, name, content, said):
    file = tmp_path / name
    file.write_bytes(content)
    with pytest.raises(DataError, match=said):
        prompt_sets.from_file(file)


def test_a_sample_takes_every_topic_in_turn_and_a_smaller_one_is_its_beginning():
    twenty = prompt_sets.sampled(CURATED, 20, seed=3)
    assert len({prompt.topic for prompt in twenty}) == 20
    assert prompt_sets.sampled(CURATED, 40, seed=3)[:20] == twenty != prompt_sets.sampled(CURATED, 20, seed=4)
    assert set(prompt_sets.sampled(CURATED, 0, seed=3)) == set(CURATED)


def test_a_run_s_test_rows_are_taken_with_their_topics(tmp_path):
    rows = [{"question": f"কথা {n}।", "answer": "শুনছি।", "topic": "ক" if n % 2 else "খ"} for n in range(10)]
    (tmp_path / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    found = prompt_sets.from_run(tmp_path, 4, seed=1)
    assert sorted(prompt.topic for prompt in found.prompts) == ["ক", "ক", "খ", "খ"]
