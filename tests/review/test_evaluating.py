"""finetune/review/evaluating.py: the real demo model, and files that are the same wherever the work was cut off."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace

import pytest
import torch

from finetune import models
from finetune.data.prompts import PromptFormat, conversation
from finetune.errors import ReviewError
from finetune.inference.backends import LocalBackend, Side, reply
from finetune.recipe import ROOT
from finetune.review import bertscore, evaluating, judging
from finetune.review.contestants import Contestant
from finetune.review.evaluation import BITS, ORDER, REPLIES, ROWS, SCORES, Evaluation
from finetune.review.evaluation_batches import FILE as BATCHES
from finetune.review.evaluation_batches import Batching
from tests.review import evaluations

FILES = (ORDER, BATCHES, BITS, REPLIES, ROWS, SCORES)
KILLS = 5
COUNT = 24


@pytest.fixture(scope="module")
def demo():
    """The demo's base in memory; one thread, as in the children that are killed."""
    torch.set_num_threads(1)
    return LocalBackend(str(models.DEMO_BASE))


@pytest.fixture(scope="module")
def whole(demo, tmp_path_factory):
    """A folder with an evaluation that nobody interrupted."""
    folder = tmp_path_factory.mktemp("whole")
    evaluating.run(folder, evaluations.order(demo, COUNT), demo)
    return folder


@pytest.fixture
def copy(whole, tmp_path):
    """The same in a folder of the test's own."""
    shutil.copytree(whole, tmp_path / "copy")
    return tmp_path / "copy"


def contents(folder):
    return {name: (folder / name).read_bytes() for name in FILES}


def test_every_question_has_both_replies_and_all_costs_in_the_order_of_the_batches(whole, demo):
    said, paid, scored = (list(evaluating.lines(whole / name)) for name in (REPLIES, BITS, ROWS))
    wanted = [one.id for one in evaluations.order(demo, COUNT).in_turn]
    assert [one["id"] for one in said] == [one["id"] for one in paid] == [one["id"] for one in scored] == wanted
    assert all(one["base"] and one["tuned"] for one in said)
    assert sum(one["base"][0] for one in paid) > sum(one["tuned"][0] for one in paid)


def test_replies_are_those_that_chat_gives_and_are_marked_where_the_limit_cut_them(demo, tmp_path):
    order = evaluations.order(demo, 2, settings=replace(evaluations.SHORT, max_new_tokens=60))
    long = list(evaluating.lines(evaluating.run(tmp_path / "long", order, demo).folder / REPLIES))
    cut = replace(order, settings=replace(order.settings, max_new_tokens=3))
    short = list(evaluating.lines(evaluating.run(tmp_path / "short", cut, demo).folder / REPLIES))
    one = long[0]
    alone = reply(demo, Side(conversation(one["question"]), models.DEMO_ADAPTER, order.settings))
    assert one["tuned"] == alone
    assert all(one["tuned_ended"] for one in long) and not any(one["tuned_ended"] for one in short)
    assert all(after["tuned"].startswith(before["tuned"]) for before, after in zip(short, long, strict=True))


def test_both_sides_read_the_references_in_the_adapter_s_format(demo, tmp_path):
    own = tmp_path / "own"
    shutil.copytree(models.DEMO_ADAPTER, own)
    PromptFormat("reference").save(own)
    plain, other = (evaluations.order(demo, 2, adapter=folder) for folder in (models.DEMO_ADAPTER, own))
    paid = [evaluating.costs(demo, order.style, order.questions, None) for order in (plain, other)]
    assert paid[0] == evaluating.costs(demo, PromptFormat(), plain.questions, None)
    assert paid[0] != paid[1]


def test_a_token_count_includes_the_end_of_the_reply(whole, demo):
    tokenizer = models.load_tokenizer(demo.model)
    answers = {one["id"]: one["references"][0] for one in evaluating.lines(whole / REPLIES)}
    for one in evaluating.lines(whole / BITS):
        assert one["tokens"] == [len(tokenizer.encode(answers[one["id"]], add_special_tokens=False)) + 1]


@pytest.mark.parametrize("name", [BITS, REPLIES])
def test_a_log_cut_off_at_any_byte_comes_out_the_same(name, whole, copy, demo):
    size = (whole / name).stat().st_size
    chance = random.Random(7)
    for end in (chance.randrange(size) for _ in range(2)):
        for gone in (ROWS, SCORES):
            (copy / gone).unlink(missing_ok=True)
        os.truncate(copy / name, end)
        if name == BITS:  # replies come after them
            (copy / REPLIES).unlink(missing_ok=True)
        evaluating.run(copy, evaluations.order(demo, COUNT), demo)
        assert contents(copy) == contents(whole), end


def test_what_a_crashed_file_system_left_is_written_again(whole, copy, demo):
    data = (copy / REPLIES).read_bytes()
    (copy / REPLIES).write_bytes(data[:2000] + b"\0" * (len(data) - 2000))
    (copy / SCORES).unlink()
    evaluating.run(copy, evaluations.order(demo, COUNT), demo)
    assert contents(copy) == contents(whole)


BYTES = ("à", "¦")
"""What a byte-level tokenizer calls two bytes of a Bengali letter that has three."""


def test_bytes_that_are_no_letter_are_counted_as_broken_though_no_reader_sees_them(demo, tmp_path, monkeypatch):
    tokenizer = models.load_tokenizer(demo.model)
    good = tokenizer.encode("ভালো", add_special_tokens=False)
    halves = [tokenizer.convert_tokens_to_ids(byte) for byte in BYTES]
    lone_sign = tokenizer.encode(" \u09be", add_special_tokens=False)
    written = {"bytes": [*good, *halves, *good], "sign": [*good, *lone_sign], "good": good}

    def tokens(sides, **how):
        rows = [written["good"], written[kind]]
        for place in range(max(map(len, rows))):
            yield [row[place] if place < len(row) else None for row in rows]

    monkeypatch.setattr(demo, "tokens", tokens)
    for kind, wanted in (("bytes", 1.0), ("sign", 1.0), ("good", 0.0)):
        found = evaluating.run(tmp_path / kind, evaluations.order(demo, 1), demo)
        assert "\ufffd" not in found.replies[0].tuned
        assert (found.result["base"]["broken"], found.result["tuned"]["broken"]) == (0.0, wanted), kind


def test_a_letter_that_the_limit_cut_in_two_was_not_broken_by_the_model(demo, tmp_path, monkeypatch):
    tokenizer = models.load_tokenizer(demo.model)
    cut = [*tokenizer.encode("ভালো আছি", add_special_tokens=False), tokenizer.convert_tokens_to_ids(BYTES[0])]
    order = evaluations.order(demo, 1, settings=replace(evaluations.SHORT, max_new_tokens=len(cut)))
    monkeypatch.setattr(demo, "tokens", lambda sides, **how: ([token, token] for token in cut))
    result = evaluating.run(tmp_path, order, demo).result
    assert (result["tuned"]["broken"], result["tuned"]["truncated"]) == (0.0, 1.0)


class Small:
    """A card on which only so many rows fit; otherwise the backend that it is given."""

    def __init__(self, backend, rows):
        self.backend, self.rows, self.refused = backend, rows, 0

    def __getattr__(self, name):
        return getattr(self.backend, name)

    def tokens(self, sides, **how):
        if len(sides) > self.rows:
            self.refused += 1
            raise torch.OutOfMemoryError("CUDA out of memory.")
        yield from self.backend.tokens(sides, **how)


def test_a_batch_that_does_not_fit_is_halved_and_whoever_resumes_does_not_try_it_again(demo, tmp_path):
    order = evaluations.order(demo, 8, batching=Batching(most=4))
    card = Small(demo, rows=4)
    evaluating.run(tmp_path / "one", order, card)
    assert card.refused == 1
    assert json.loads((tmp_path / "one" / BATCHES).read_text()) == {"bits": [4, 4], "replies": [2, 2, 2, 2]}

    stop, first, then = threading.Event(), Small(demo, rows=4), Small(demo, rows=99)

    def report(progress):
        if progress.stage == "replies" and progress.done == 4:
            stop.set()

    assert not evaluating.run(tmp_path / "two", order, first, stop, report).whole
    evaluating.run(tmp_path / "two", order, then)  # on a machine with room, and in the folder's batches all the same
    assert (first.refused, then.refused) == (1, 0)
    assert contents(tmp_path / "two") == contents(tmp_path / "one")


def test_where_not_even_one_question_fits_that_is_told_and_what_is_done_is_kept(demo, tmp_path):
    order = evaluations.order(demo, 4)
    with pytest.raises(ReviewError) as caught:
        evaluating.run(tmp_path, order, Small(demo, rows=1))
    assert caught.value.key == "evaluation.memory" and "what is done is kept" in str(caught.value)
    assert len(list(evaluating.lines(tmp_path / BITS))) == 4
    assert evaluating.run(tmp_path, order, demo).whole


def test_references_that_do_not_fit_together_are_read_in_smaller_batches(demo, tmp_path, monkeypatch):
    real = demo.answer_bits

    def answer_bits(conversations, *rest):
        if len(conversations) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return real(conversations, *rest)

    monkeypatch.setattr(demo, "answer_bits", answer_bits)
    assert evaluating.run(tmp_path, evaluations.order(demo, 4), demo).whole
    assert json.loads((tmp_path / BATCHES).read_text()) == {"bits": [1, 1, 1, 1], "replies": [2, 2]}


def test_replies_do_not_depend_on_what_the_process_answered_before(demo, tmp_path, monkeypatch):
    asked = []
    real = demo.tokens
    monkeypatch.setattr(demo, "tokens", lambda sides, **how: asked.append(how) or real(sides, **how))
    evaluating.run(tmp_path, evaluations.order(demo, 2), demo)
    assert asked == [{"alone": True}]


def test_weights_that_came_later_are_scored_without_any_reply_being_written_again(copy, demo, monkeypatch):
    before = (copy / REPLIES).read_bytes()
    assert evaluating.run(copy, evaluations.order(demo, COUNT), Silent()).result["bertscore"].startswith("not run")
    monkeypatch.setattr(bertscore, "missing", lambda *_: "")
    monkeypatch.setattr(bertscore, "of_sides", lambda sides, references, *_: ([[0.5] * len(one) for one in sides], ""))
    result = evaluating.run(copy, evaluations.order(demo, COUNT), Silent()).result
    assert result["intervals"]["tuned"]["bertscore"]["mean"] == 0.5
    assert result["bertscore"] == bertscore.signature()
    assert (copy / REPLIES).read_bytes() == before


class Silent:
    """A backend that must not be asked anything."""

    model = str(models.DEMO_BASE)
    four_bit = True


def test_an_evaluation_that_is_whole_is_opened_without_a_model(copy, demo):
    assert evaluating.run(copy, evaluations.order(demo, COUNT), Silent()).whole


def test_stopping_keeps_the_batches_there_are_and_going_on_comes_out_the_same(whole, demo, tmp_path):
    stop, told = threading.Event(), []

    def report(progress):
        told.append(progress)
        if progress.stage == "replies" and progress.done == 6:
            stop.set()

    folder = tmp_path / "stopped"
    half = evaluating.run(folder, evaluations.order(demo, COUNT), demo, stop, report)
    assert not half.whole and half.figures() == () and half.replies == ()
    assert len(list(evaluating.lines(folder / REPLIES))) == 6
    assert evaluating.run(folder, evaluations.order(demo, COUNT), demo).whole
    assert contents(folder) == contents(whole)


def test_a_stop_between_the_two_sides_of_a_batch_does_not_wait_for_the_second(demo, tmp_path, monkeypatch):
    stop, asked, real = threading.Event(), [], evaluating.costs

    def costs(backend, style, questions, adapter):
        asked.append(adapter)
        stop.set()
        return real(backend, style, questions, adapter)

    monkeypatch.setattr(evaluating, "costs", costs)
    assert not evaluating.run(tmp_path, evaluations.order(demo, 4), demo, stop).whole
    assert asked == [None]


def test_a_stop_after_the_last_reply_leaves_the_figures_for_later(demo, tmp_path):
    stop, told = threading.Event(), []

    def report(progress):
        told.append(progress.stage)
        if progress.stage == "replies" and progress.done == progress.total:
            stop.set()

    assert not evaluating.run(tmp_path, evaluations.order(demo, 4), demo, stop, report).whole
    assert "scores" not in told and evaluating.run(tmp_path, evaluations.order(demo, 4), demo).whole


def test_progress_tells_stages_in_order_questions_and_the_time_left(demo, tmp_path):
    told = []
    evaluating.run(tmp_path, evaluations.order(demo, 4), demo, None, told.append)
    assert [(one.stage, one.done, one.total) for one in told] == [
        ("bits", 0, 4), ("bits", 2, 4), ("bits", 4, 4),
        ("replies", 0, 4), ("replies", 2, 4), ("replies", 4, 4),
        ("scores", 0, 4), ("scores", 4, 4),
    ]  # fmt: skip
    assert told[0].left is None and told[1].left > 0 and told[2].left == 0


def test_a_folder_with_another_evaluation_is_refused_until_that_is_forgotten(copy, demo):
    other = evaluations.order(demo, 4)
    with pytest.raises(ReviewError) as caught:
        evaluating.run(copy, other, demo)
    assert caught.value.key == "evaluation.other"
    (copy / "mine.txt").write_text("kept")
    judging.save(copy, {"judge": "a-judge"})
    evaluating.forget(copy)
    assert not (copy / judging.RESULT).exists()
    assert evaluating.run(copy, other, demo).order["prompts"] == 4
    assert (copy / "mine.txt").read_text() == "kept"


def test_two_processes_do_not_evaluate_into_one_folder(copy, demo):
    with evaluating.alone(copy), pytest.raises(ReviewError) as caught:
        evaluating.run(copy, evaluations.order(demo, COUNT), demo)
    assert caught.value.key == "evaluation.busy"


def test_an_adapter_that_is_replaced_on_the_way_ends_the_evaluation(demo, tmp_path):
    own = tmp_path / "own"
    shutil.copytree(models.DEMO_ADAPTER, own)
    order = evaluations.order(demo, 4, adapter=own, tuned=Contestant("run:own", own))

    def retrained(progress):
        if progress.stage == "bits" and progress.done == 2:
            config = own / "adapter_config.json"
            config.write_text(config.read_text("utf-8") + "\n", encoding="utf-8")

    with pytest.raises(ReviewError) as caught:
        evaluating.run(tmp_path / "out", order, demo, None, retrained)
    assert caught.value.key == "evaluation.changed"
    assert len(list(evaluating.lines(tmp_path / "out" / BITS))) == 2


NURSERY = """
import os, sys
from pathlib import Path
import torch
from finetune import models
from finetune.inference.backends import LocalBackend
from finetune.review import bertscore, evaluating, judging
from tests.review import evaluations

torch.set_num_threads(1)
demo = LocalBackend(str(models.DEMO_BASE))
demo.load()
for folder in sys.stdin:
    child = os.fork()
    if child == 0:
        evaluating.run(Path(folder.strip()), evaluations.order(demo, int(sys.argv[1])), demo)
        os._exit(0)
    print(child, flush=True)
    print(os.waitpid(child, 0)[1], flush=True)
"""
"""Loads the model once, then lets a process of its own evaluate for each line it reads: its id, then how it ended."""


def size(folder):
    return sum(file.stat().st_size for file in folder.glob("*.jsonl")) if folder.is_dir() else 0


def test_a_process_that_is_killed_five_times_leaves_the_bytes_of_one_that_was_not(whole, tmp_path):
    chance, folder = random.Random(), tmp_path / "killed"
    with subprocess.Popen(
        [sys.executable, "-c", NURSERY, str(COUNT)], cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as nursery:
        for _ in range(KILLS):
            before = size(folder)
            print(folder, file=nursery.stdin, flush=True)
            child = int(nursery.stdout.readline())
            while size(folder) == before:  # so that something was done, wherever it stands in the next batch
                assert nursery.poll() is None and not (folder / SCORES).exists()
                time.sleep(0.001)
            time.sleep(chance.uniform(0, 0.2))
            os.kill(child, signal.SIGKILL)
            assert int(nursery.stdout.readline()) == signal.SIGKILL, "it had ended before it was killed"
        print(folder, file=nursery.stdin, flush=True)
        nursery.stdin.close()
        assert nursery.stdout.read().split()[1] == "0"
    assert contents(folder) == contents(whole)


def test_the_result_says_leakage_first_and_keeps_the_keys_of_old(whole):
    result = json.loads((whole / SCORES).read_text(encoding="utf-8"))
    assert next(iter(result)) == "first_line"
    assert {"prompts", "largest_group", "bits_saved", "base", "tuned"} <= set(result)
    old = ("bits_per_character", "script_share", "broken", "ended", "distinct", "on_the_point", "commonest_opener")
    assert all(isinstance(result[side][key], float) for side in ("base", "tuned") for key in old)
    assert Evaluation.open(whole).whole
