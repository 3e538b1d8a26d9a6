"""What makes several processes' evaluation one; that they find one loss together is tested with real ones."""

import pytest
import torch

from finetune.data.prompts import IGNORED
from finetune.training import padding_free, shared_evaluation


@pytest.mark.parametrize(("rows", "batch", "processes", "lacking"), [(3, 2, 2, 1), (8, 2, 2, 0), (1, 4, 8, 31)])
def test_blanks_fill_up_whole_batches_in_every_process(monkeypatch, rows, batch, processes, lacking):
    monkeypatch.setenv("WORLD_SIZE", str(processes))
    blanks = shared_evaluation.blanks(rows, batch)
    assert len(blanks) == lacking
    assert all(set(blank["labels"]) == {IGNORED} for blank in blanks)


def test_a_process_alone_evaluates_its_rows_and_nothing_else():
    assert shared_evaluation.blanks(3, 2) == []


def test_replies_are_counted_whether_rows_are_padded_or_lie_behind_one_another():
    labels = [[IGNORED, IGNORED, 5, 6], [IGNORED, 7], [IGNORED, IGNORED]]  # the last is a blank
    padded = torch.tensor([row + [IGNORED] * (4 - len(row)) for row in labels])
    flat = padding_free.collator()([{"input_ids": [1] * len(row), "labels": row} for row in labels])["labels"]
    assert (shared_evaluation.replies(padded), shared_evaluation.replies(flat)) == (2, 2)
    assert shared_evaluation.replies(padded[2:]) == 0
