"""finetune/review/evaluation_batches.py: sizes by room, halved where one did not fit, read back or laid down anew."""

import pytest
import torch

from finetune import models
from finetune.review import evaluation_batches
from finetune.review.evaluation_batches import Batching


def test_batches_are_full_but_for_the_last():
    assert Batching(most=2).sizes([9, 8, 7, 6, 5], 12) == [2, 2, 1]
    assert Batching(most=2).sizes([], 12) == []


def test_a_batch_is_smaller_where_its_tokens_would_be_too_many_but_never_empty():
    # A row: a prompt of 100 tokens, and 12 may follow; two rows a question.
    assert Batching(most=4, tokens=2 * 112 * 3).sizes([100] * 5, 12) == [3, 2]
    assert Batching(4, 1).sizes([100] * 5, 12) == [1] * 5


def test_a_batch_is_as_long_as_its_longest_question():
    assert Batching(most=9, tokens=2 * 112 * 2).sizes([100, 10, 10, 10, 10], 12) == [2, 3]


def test_what_did_not_fit_is_halved_with_all_that_is_as_large_and_still_to_come():
    assert evaluation_batches.halved([4, 5, 3, 5, 6], 1) == [4, 3, 2, 3, 3, 2, 3, 3]


def test_sizes_are_read_back_and_what_cannot_be_theirs_is_not(tmp_path):
    assert evaluation_batches.read(tmp_path, 5, ["bits"]) is None
    evaluation_batches.write(tmp_path, {"bits": [3, 2]})
    assert evaluation_batches.read(tmp_path, 5, ["bits"]) == {"bits": [3, 2]}
    assert evaluation_batches.read(tmp_path, 6, ["bits"]) is None
    for left in ("", "{", "[]", '{"bits": [5, 0]}', '{"bits": [3, "x"]}', '{"bits": 5}'):
        (tmp_path / evaluation_batches.FILE).write_text(left, encoding="utf-8")
        assert evaluation_batches.read(tmp_path, 5, ["bits"]) is None, left


def test_a_log_is_cut_off_after_its_last_whole_batch(tmp_path):
    log, ids = tmp_path / "log.jsonl", ["a", "b", "c", "d", "e"]
    assert evaluation_batches.mend(log, ids, [2, 2, 1]) == 0
    lines = [f'{{"id": "{one}"}}\n' for one in ids]
    for text, whole, kept in (
        ("".join(lines), 3, 5),
        ("".join(lines[:4]) + '{"id": "e"}', 2, 4),
        ("".join(lines[:3]), 1, 2),
        ("".join([*lines[:2], lines[3], lines[2]]), 1, 2),
        ("".join([*lines[:2], "[1]\n", lines[3]]), 1, 2),
        ("\0" * 40, 0, 0),
    ):
        log.write_text(text, encoding="utf-8")
        assert evaluation_batches.mend(log, ids, [2, 2, 1]) == whole
        assert log.read_text("utf-8") == "".join(lines[:kept])


def test_a_card_is_filled_by_what_is_free_on_it_and_not_by_what_it_has(monkeypatch):
    monkeypatch.setattr(models, "device", lambda: "cuda")
    monkeypatch.setattr(models, "compute_dtype", lambda: torch.bfloat16)
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda: 300)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda: 100)
    found = []
    for free in (10**9, 2 * 10**9):
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda free=free: (free, 10**12))
        found.append(evaluation_batches.of_machine(str(models.DEMO_BASE)))
    assert found[1].tokens == pytest.approx(2 * found[0].tokens, rel=1e-3)
    assert {one.most for one in found} == {evaluation_batches.MOST_ON_GPU}
