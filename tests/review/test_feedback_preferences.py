"""finetune/review/feedback_preferences.py: rows that TRL takes, by rules that each have their case."""

import json
import random

import pytest

from finetune.data import preference_file
from finetune.data.corpus import Report
from finetune.models import DEMO_BASE
from finetune.recipe import Data
from finetune.review import feedback
from finetune.review.feedback_preferences import LEFT_OUT, RULES, preference_rows
from tests.review.test_feedback import CRISIS, TALK, given

LONG, SHORT = "সারাদিন চুপ করে থাকা কষ্টের।", "শুনছি, বলুন।"


def said(text):
    return [{"role": "assistant", "content": text}]


def like(reply=LONG, liked=True, **more):
    return given(reply=reply, liked=liked, reasons=(), **more)


def choice(chosen=LONG, rejected=SHORT, **more):
    return given(reply=chosen, rejected=rejected, reasons=(), **more)


def left_out(found):
    return {reason: count for reason, count in found.left_out.items() if count}


def test_a_like_is_desirable_and_a_dislike_is_not():
    found = preference_rows([like(), like(SHORT, liked=False)])
    assert found.dpo == ()
    assert list(found.kto) == [
        {"prompt": list(TALK), "completion": said(SHORT), "label": False},
        {"prompt": list(TALK), "completion": said(LONG), "label": True},
    ]


def test_a_choice_is_a_row_for_dpo_and_two_for_kto():
    found = preference_rows([choice()])
    assert list(found.dpo) == [{"prompt": list(TALK), "chosen": said(LONG), "rejected": said(SHORT)}]
    assert [(row["completion"], row["label"]) for row in found.kto] == [(said(SHORT), False), (said(LONG), True)]


def test_the_same_said_by_many_is_one_row():
    found = preference_rows([choice(), choice(), like(), like()])
    assert (len(found.dpo), len(found.kto), left_out(found)) == (1, 2, {})


@pytest.mark.parametrize(
    ("likes", "dislikes", "label"), [(2, 1, True), (1, 2, False), (1, 1, None), (3, 2, None), (4, 2, True)]
)
def test_two_thirds_decide_about_a_reply(likes, dislikes, label):
    found = preference_rows([like()] * likes + [like(liked=False)] * dislikes)
    assert [row["label"] for row in found.kto] == ([] if label is None else [label])
    assert left_out(found) == ({"disagreement": 1} if label is None else {})


def test_two_thirds_decide_between_two_replies_whichever_stood_first():
    found = preference_rows([choice(), choice(), choice(SHORT, LONG)])
    assert [row["chosen"] for row in found.dpo] == [said(LONG)]
    torn = preference_rows([choice(), choice(SHORT, LONG)])
    assert (torn.dpo, torn.kto, left_out(torn)) == ((), (), {"disagreement": 3})  # the pair, and each of the replies


def test_the_same_reply_to_other_messages_is_another_matter():
    found = preference_rows([like(), like(liked=False, conversation=TALK[:1])])
    assert sorted((len(row["prompt"]), row["label"]) for row in found.kto) == [(1, False), (3, True)]


def test_two_replies_that_are_the_same_prefer_nothing():
    found = preference_rows([choice(LONG, LONG)])
    assert (found.dpo, found.kto, left_out(found)) == ((), (), {"identical": 1})


@pytest.mark.parametrize("row", [like(CRISIS), choice(rejected=CRISIS)], ids=["like", "choice"])
def test_what_calls_for_care_never_becomes_training_data_even_where_it_was_kept(row):
    found = preference_rows([row, like()])
    assert left_out(found) == {"care": 1} and len(found.kto) == 1


def test_the_screen_of_today_is_asked(monkeypatch):
    monkeypatch.setattr(feedback.safety, "screen", lambda text: "soft" if text == SHORT else "none")
    assert left_out(preference_rows([choice()])) == {"care": 1}


def test_the_order_of_rows_does_not_matter():
    rows = [choice(), choice(SHORT, LONG), like(), like("অন্য।"), choice("ক খ।", "গ ঘ।"), like(conversation=TALK[:1])]
    whole = preference_rows(rows)
    for seed in range(5):
        random.Random(seed).shuffle(rows)
        assert preference_rows(rows) == whole


def test_nothing_gives_nothing():
    found = preference_rows([])
    assert (found.dpo, found.kto) == ((), ()) and list(found.left_out) == list(LEFT_OUT)


def test_the_rules_name_the_share_that_decides():
    assert "two thirds" in RULES


def test_our_own_reader_takes_the_rows_of_a_single_turn(tmp_path):
    found = preference_rows([choice(), choice(conversation=TALK[:1])])
    single = found.single_turn()
    assert (len(found.dpo), len(single.dpo), len(single.kto)) == (2, 1, 2)
    file = tmp_path / "dpo.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in single.dpo), encoding="utf-8")
    (row,) = preference_file.clean_rows(Data(source=str(file)), Report())
    assert (row["question"], row["answer"], row["rejected"]) == (TALK[0]["content"], LONG, SHORT)


def test_trl_takes_conversations_of_several_turns_for_what_they_are(tmp_path):
    from datasets import load_dataset
    from transformers import AutoTokenizer
    from trl import is_conversational
    from trl.data_utils import apply_chat_template

    tokenizer = AutoTokenizer.from_pretrained(DEMO_BASE)
    found = preference_rows([choice(), like(liked=False, conversation=TALK[:1])])
    for rows, completion in ((found.dpo, "chosen"), (found.kto, "completion")):
        file = tmp_path / f"{completion}.jsonl"
        file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
        (row, *_) = load_dataset("json", data_files=str(file), split="train", cache_dir=tmp_path / "c").filter(
            lambda row: len(row["prompt"]) == 3
        )
        assert is_conversational(row)
        written = apply_chat_template(row, tokenizer)
        places = [written["prompt"].index(message["content"]) for message in TALK]
        assert places == sorted(places) and row[completion][0]["content"] in written[completion]
