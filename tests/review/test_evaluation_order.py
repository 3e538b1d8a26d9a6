"""finetune/review/evaluation_order.py: what is asked, how it is grouped and batched, and what makes it another one."""

import json
import shutil
from dataclasses import replace

import pytest

from finetune import models
from finetune.data.prompts import PromptFormat
from finetune.errors import BackendError, ModelError, ReviewError
from finetune.inference.backends import LocalBackend
from finetune.recipe import Recipe
from finetune.review import evaluation_order
from finetune.review.contestants import Contestant
from finetune.training import runs
from tests.review import evaluations


@pytest.fixture
def order():
    """An order of eight questions; no model is loaded for it."""
    return evaluations.order(LocalBackend(str(models.DEMO_BASE)))


def row(question, answer, topic="", title=""):
    return {"question": question, "answer": answer, "topic": topic, "title": title}


def test_a_question_is_asked_once_and_all_its_answers_are_references():
    rows = [row("কেমন আছেন?", "ভালো।"), row("আজ মনটা খারাপ।", "শুনছি।"), row("কেমন আছেন?", "বলুন।")]
    asked = {one.text: one for one in evaluation_order.questions(rows)}
    assert asked["কেমন আছেন?"].references == ("ভালো।", "বলুন।")
    assert len(asked) == 2


def test_an_answer_given_twice_or_in_decomposed_letters_is_one_reference():
    rows = [row("সময় হলো?", "হয়।"), row("সম\u09df হলো?", "হ\u09df।")]
    (asked,) = evaluation_order.questions(rows)
    assert asked.references == ("হয়।",)


def test_questions_one_word_apart_are_one_group():
    rows = [
        row("আজ অফিসে বসের কথায় মনটা খুব ভেঙে গেছে", "ক।"),
        row("কাল অফিসে বসের কথায় মনটা খুব ভেঙে গেছে", "খ।"),
        row("রাতে একটুও ঘুম আসে না", "গ।"),
    ]
    groups = {one.text: one.group for one in evaluation_order.questions(rows)}
    assert groups[rows[0]["question"]] == groups[rows[1]["question"]] != groups[rows[2]["question"]]


def test_a_smaller_limit_asks_the_first_of_a_larger_and_always_the_same():
    few, many = (evaluation_order.questions(evaluations.KEPT, limit) for limit in (5, 12))
    assert many[:5] == few and len(many) == 12
    assert set(few) != set(evaluation_order.questions(evaluations.KEPT)[5:10])


def test_ids_are_those_of_a_set_of_compare(order):
    from finetune.review.prompt_sets import pasted

    (prompt,) = pasted(evaluations.KEPT[0]["question"]).prompts
    assert prompt.id in {one.id for one in order.questions}


def test_the_longest_questions_come_first_whatever_the_order_of_rows(order):
    lengths = [len(question.text) for question in order.in_turn]
    assert lengths == sorted(lengths, reverse=True) and len(lengths) == 8
    assert replace(order, questions=order.questions[::-1]).in_turn == order.in_turn


def test_whatever_determines_the_result_makes_another_folder(order, tmp_path):
    shutil.copytree(models.DEMO_ADAPTER, tmp_path / "own")
    PromptFormat("reference").save(tmp_path / "own")
    others = [
        replace(order, split="validation"),
        replace(order, questions=order.questions[1:]),
        replace(order, settings=replace(order.settings, max_new_tokens=13)),
        replace(order, resident="another base"),
        replace(order, beside=evaluations.KEPT),
        replace(order, train=evaluations.KEPT),
        replace(order, tuned=Contestant("demo", tmp_path / "own")),
        replace(order, questions=(replace(order.questions[0], references=("অন্য।",)), *order.questions[1:])),
    ]
    assert len({order.id, *(other.id for other in others)}) == len(others) + 1
    assert evaluations.order(LocalBackend(str(models.DEMO_BASE))).id == order.id
    assert replace(order, batching=None).id == order.id  # memory is another every day; batches are the folder's


def test_replies_may_be_longer_or_shorter_than_the_recipe_says():
    found = evaluation_order.of_demo(LocalBackend(str(models.DEMO_BASE)), "test", 4, new_tokens=7)
    assert found.settings.max_new_tokens == 7


def test_its_description_holds_no_path_and_no_text_of_the_corpus(order):
    told = json.dumps(order.described(), ensure_ascii=False)
    assert "/" not in told.replace("4-bit", "")
    assert not any(one["question"] in told or one["answer"] in told for one in evaluations.KEPT)


def test_training_rows_are_not_evaluated():
    with pytest.raises(ReviewError) as caught:
        evaluation_order.of_demo(LocalBackend(str(models.DEMO_BASE)), "train")
    assert caught.value.key == "evaluation.split"


def test_the_demo_s_order_asks_its_held_out_questions_greedily():
    found = evaluation_order.of_demo(LocalBackend(str(models.DEMO_BASE)), "test", 20)
    assert len(found.questions) == 20 and len(found.held_out) == 500 and len(found.train) > 3000
    assert found.settings.temperature == 0 and len(found.beside) > 300
    assert {one.text for one in found.questions} <= {row["question"] for row in found.held_out}


@pytest.fixture
def run(tmp_path):
    """A run with the demo's adapter, eight test rows and the rest to train on."""
    made = runs.create(tmp_path, Recipe.read("demo"))
    shutil.copytree(models.DEMO_ADAPTER, made.adapter)
    for name, rows in (("train", evaluations.KEPT[8:]), ("test", evaluations.KEPT[:8]), ("validation", [])):
        text = "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in rows)
        (made.data / f"{name}.jsonl").write_text(text, encoding="utf-8")
    return made


def test_a_run_is_evaluated_on_its_own_split_and_in_its_own_folder(run, tmp_path):
    found = evaluation_order.of_run(run, LocalBackend(str(models.DEMO_BASE)))
    assert (found.name, len(found.questions), len(found.train)) == (run.name, 8, 22)
    assert evaluation_order.place(tmp_path, run, found) == run.folder / "evaluations" / found.id
    assert evaluation_order.place(tmp_path, None, found) == tmp_path / "evaluations" / found.id


def test_a_split_without_rows_and_a_run_without_an_adapter_are_told_in_words(run):
    backend = LocalBackend(str(models.DEMO_BASE))
    with pytest.raises(ReviewError) as caught:
        evaluation_order.of_run(run, backend, "validation")
    assert caught.value.key == "evaluation.no_rows"
    shutil.rmtree(run.adapter)
    with pytest.raises(ModelError):
        evaluation_order.of_run(run, backend)


def test_an_adapter_of_another_base_is_refused_before_anything_is_asked(run):
    config = json.loads((run.adapter / "adapter_config.json").read_text("utf-8"))
    config["base_model_name_or_path"] = "unsloth/llama-3-8b-Instruct-bnb-4bit"
    (run.adapter / "adapter_config.json").write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(BackendError, match="was trained on unsloth/llama-3-8b") as caught:
        evaluation_order.of_run(run, LocalBackend("unsloth/Meta-Llama-3.1-8B-Instruct"))
    assert caught.value.key == "backend.other_base"
