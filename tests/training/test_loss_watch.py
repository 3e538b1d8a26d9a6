"""What updates came to is read and told in order, and, a step behind a card, an update later and never too late."""

import pytest
import torch

from finetune.training import metrics, padding_free, trainer
from finetune.training.loss_watch import LossWatch
from tests.training.test_stopping import made, own_environment  # noqa: F401


def ended(watch: LossWatch, *losses: float) -> LossWatch:
    """The watch after updates of one pass each."""
    for step, loss in enumerate(losses, watch.step + len(watch.ended) + 1):
        watch.see(torch.tensor(loss).isfinite())
        watch.end_update(step)
    return watch


NAN = float("nan")


@pytest.mark.parametrize(
    ("late", "due", "read", "streak"), [(False, False, 4, 2), (True, False, 3, 1), (True, True, 4, 2)]
)
def test_the_last_update_is_read_unless_it_is_late_and_not_due(late, due, read, streak):
    watch = ended(LossWatch(late=late), 1.0, 2.0, NAN, NAN)
    watch.read(due=due)
    assert (watch.step, watch.streak, len(watch.ended)) == (read, streak, 4 - read)


def test_one_pass_of_an_update_that_is_no_number_is_enough_and_a_good_update_ends_the_streak():
    watch = LossWatch()
    for loss in (1.0, NAN, 2.0):
        watch.see(torch.tensor(loss).isfinite())
    watch.end_update(1)
    watch.read(due=False)
    assert watch.streak == 1
    ended(watch, 3.0).read(due=False)
    assert (watch.streak, watch.step) == (0, 2)


def test_a_step_behind_a_card_every_line_is_told_in_order_and_before_anything_is_saved_or_evaluated(
    tiny_base, tiny_csv, tmp_path, monkeypatch
):
    told, runs_of, states = {}, {}, padding_free.hidden_states
    for is_late in (False, True):
        monkeypatch.setattr(trainer, "reads_late", lambda training, is_late=is_late: is_late)
        settings = {"max_steps": 7, "eval_steps": 4, "save_steps": 4, "gradient_accumulation_steps": 2}
        run = made(tiny_base, tiny_csv, tmp_path / str(is_late), padding_free=True, plan="as_written", **settings)
        lines = told[is_late] = []

        def noted(*given, run=run, lines=lines):
            if torch.is_grad_enabled():
                lines.append(sum("loss" in line for line in metrics.read(run.folder)[0]))
            return states(*given)

        monkeypatch.setattr(padding_free, "hidden_states", noted)
        trainer.train(run)
        runs_of[is_late] = [
            {key: line[key] for key in line if key not in ("elapsed_s", "tokens_per_second")}
            for line in metrics.read(run.folder)[0]
        ]
    assert runs_of[True] == runs_of[False] and [line["step"] for line in runs_of[True]] == [
        0,
        1,
        2,
        3,
        4,
        4,
        5,
        6,
        7,
        7,
    ]
    assert told[False] == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6]
    assert told[True] == [0, 0, 0, 0, 1, 1, 2, 2, 4, 4, 4, 4, 5, 5]
