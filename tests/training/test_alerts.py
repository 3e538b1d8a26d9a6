"""What a maker hears of a run: each alert where its cause is there, and silence where it is not."""

import random
import shutil

import pytest

from finetune.training import alerts, runs
from finetune.training.alerts import Disk
from finetune.training.runs import Status
from ui import wording

ROOM = Disk(free=10**12)
TRAINING = Status(state="training", step=1, total_steps=100)


def losses(*values: float | None, key: str = "loss", begin: int = 1) -> list[dict]:
    """Metrics lines of consecutive steps; None stands for a value that was no number."""
    return [
        {"step": begin + i, **({"not_finite": [key]} if value is None else {key: value})}
        for i, value in enumerate(values)
    ]


def noisy(level: float, count: int, seed: int = 1) -> list[float]:
    """Losses that scatter by a fifth, as those of the demo run do."""
    chance = random.Random(seed)
    return [level * chance.lognormvariate(0, 0.18) for _ in range(count)]


# The loss is no number


def test_a_loss_that_is_no_number_is_an_error_at_the_step_where_it_began():
    told = alerts.not_finite(losses(2.0, None, 2.0, None, None, None))
    assert (told.key, told.level, told.step, told.facts) == ("alert.not_finite", "error", 4, {"step": 6})


def test_a_loss_that_is_a_number_again_is_a_warning_about_the_last_that_was_none():
    told = alerts.not_finite(losses(2.0, None, None, 2.0, 2.0))
    assert (told.key, told.level, told.step, told.facts) == ("alert.not_finite_once", "warning", 2, {"step": 3})


def test_an_evaluation_loss_counts_and_a_gradient_alone_does_not():
    assert alerts.not_finite(losses(2.0, None, key="eval_loss")).key == "alert.not_finite"
    assert alerts.not_finite(losses(2.0, None, key="grad_norm")) is None  # float16's loss scaler meets some
    assert alerts.not_finite(losses(2.0, 1.0)) is None
    assert alerts.not_finite([]) is None


def test_what_a_resumed_run_has_given_up_is_no_cause_for_an_alert():
    given_up = losses(2.0, 2.0, None, None)
    assert alerts.not_finite([*given_up, *losses(1.9, begin=3)]) is None
    assert alerts.not_finite([*given_up, *losses(None, begin=3)]).step == 3


# The train loss rises


def test_a_loss_that_climbs_is_told_with_its_rise_and_where_that_began():
    told = alerts.loss_rising(losses(*noisy(1.0, 100), *noisy(2.0, 25, seed=2)))
    assert (told.key, told.level) == ("alert.loss_rising", "warning")
    assert 60 <= told.facts["percent"] <= 160
    assert told.step == told.facts["step"] <= 100


def test_a_loss_that_has_climbed_and_stays_there_is_still_told():
    assert alerts.loss_rising(losses(*noisy(1.0, 100), *noisy(3.0, 400, seed=2)))


@pytest.mark.parametrize("seed", range(10))
def test_a_loss_that_scatters_without_rising_is_never_told(seed):
    flat = losses(*noisy(0.55, 2000, seed))
    assert [n for n in range(10, 2001, 50) if alerts.loss_rising(flat[:n])] == []


def test_a_falling_loss_and_one_bad_batch_are_not_told():
    falling = [3.0 - i / 50 for i in range(100)]
    assert alerts.loss_rising(losses(*falling)) is None
    assert alerts.loss_rising(losses(*falling[:-1], 5.0)) is None
    assert alerts.loss_rising(losses(1.0, 9.0)) is None


def test_a_rise_that_a_resumed_run_has_given_up_is_not_told():
    risen = losses(*noisy(1.0, 100), *noisy(3.0, 50, seed=2))
    assert alerts.loss_rising(risen)
    assert alerts.loss_rising([*risen, *losses(*noisy(1.0, 3, seed=3), begin=101)]) is None


# The evaluation loss rises


def test_an_evaluation_that_gets_worse_twice_in_a_row_is_told_with_the_best_step():
    told = alerts.evaluation_rising(losses(3.0, 1.25, 1.0, 1.125, 1.5, key="eval_loss", begin=0))
    assert told.facts == {"count": 2, "step": 2, "best": "1.000", "last": "1.500"}
    assert (told.key, told.level, told.step) == ("alert.evaluation_rising", "warning", 3)


def test_an_alert_that_lasts_keeps_its_key_and_step():
    rising = losses(3.0, 1.0, 1.1, 1.2, 1.3, key="eval_loss", begin=0)
    first, second = alerts.evaluation_rising(rising[:-1]), alerts.evaluation_rising(rising)
    assert (first.key, first.step) == (second.key, second.step)
    assert second.facts["count"] == 3


@pytest.mark.parametrize("values", [(), (1.0, 1.1), (1.0, 1.1, 1.0, 1.1), (1.0, 1.1, 1.1), (1.2, 1.1, 1.0)])
def test_one_worse_evaluation_or_an_up_and_down_is_not_told(values):
    assert alerts.evaluation_rising(losses(*values, key="eval_loss")) is None


def test_how_many_evaluations_must_be_worse_can_be_chosen():
    rising = losses(1.0, 1.1, 1.2, key="eval_loss")
    assert alerts.evaluation_rising(rising, 3) is None
    assert alerts.evaluation_rising(rising[:2], 1)


def test_evaluations_are_found_however_many_train_lines_lie_between():
    lines = []
    for i, value in enumerate((1.0, 1.1, 1.2)):
        lines += losses(value, key="eval_loss", begin=5000 * i)
        lines += losses(*[0.5] * 4999, begin=5000 * i + 1)
    assert alerts.evaluation_rising(lines).facts["step"] == 0


# Gradients


def test_gradients_that_stay_many_times_as_long_as_usual_are_told():
    told = alerts.gradient_exploding(losses(*[0.5] * 40, 0.5, 8.0, 0.5, 9.0, 20.0, key="grad_norm"))
    assert (told.key, told.level, told.step) == ("alert.gradient_exploding", "warning", 42)
    assert told.facts == {"times": 40, "step": 42}


@pytest.mark.parametrize(
    "latest", [(0.5, 0.5, 0.5, 0.5, 90.0), (4.0, 4.0, 4.0, 4.0, 4.0)], ids=["one spike", "longer, but not so much"]
)
def test_lone_spikes_and_moderate_gradients_are_not_told(latest):
    assert alerts.gradient_exploding(losses(*[0.5] * 40, *latest, key="grad_norm")) is None


def test_before_there_is_a_usual_length_no_gradient_is_told():
    assert alerts.gradient_exploding(losses(*[0.1] * 10, *[9.0] * 5, key="grad_norm")) is None
    assert alerts.gradient_exploding(losses(*[0.0] * 40, *[9.0] * 5, key="grad_norm")) is None


# The disk


def test_a_disk_that_may_not_hold_two_checkpoints_and_the_adapter_is_told():
    space = Disk(free=2_400_000, checkpoint=1_000_000, adapter=500_000)
    told = alerts.disk_nearly_full(space)
    assert (told.key, told.level, told.facts) == ("alert.disk", "warning", {"free": 2, "needed": 3})
    assert alerts.disk_nearly_full(Disk(free=2_500_000, checkpoint=1_000_000, adapter=500_000)) is None


def test_the_disk_is_measured_by_the_largest_whole_checkpoint(tmp_path):
    run = runs.Run(tmp_path)
    free = shutil.disk_usage(tmp_path).free
    for number, size in ((5, 300), (10, 700), (15, 5000)):
        folder = run.checkpoints / f"checkpoint-{number}"
        folder.mkdir(parents=True)
        (folder / "adapter_model.safetensors").write_bytes(b"x" * size)
        (folder / "optimizer.pt").write_bytes(b"x" * 100)
        if number != 15:  # still being written
            (folder / "trainer_state.json").write_bytes(b"{}")
    space = alerts.disk(run)
    assert (space.checkpoint, space.adapter, space.needed) == (802, 700, 2304)
    assert space.free == pytest.approx(free, rel=0.1)


def test_before_the_first_checkpoint_the_reference_run_s_sizes_are_taken(tmp_path):
    assert alerts.disk(runs.Run(tmp_path)).needed == 2 * alerts.ASSUMED_CHECKPOINT + alerts.ASSUMED_ADAPTER


# The end


@pytest.mark.parametrize(
    ("state", "step", "key", "level"),
    [
        ("finished", 100, "alert.finished", "info"),
        ("finished", 40, "alert.finished_early", "info"),
        ("stopped", 40, "alert.stopped", "info"),
        ("failed", 40, "alert.failed", "error"),
    ],
)
def test_the_end_of_a_run_is_told_once_and_as_what_it_was(state, step, key, level):
    told = alerts.current([], Status(state=state, step=step, total_steps=100), ROOM)
    assert [(alert.key, alert.level, alert.step) for alert in told] == [(key, level, step)]


@pytest.mark.parametrize("state", runs.ACTIVE)
def test_a_run_that_goes_well_is_not_told_of(state):
    assert alerts.current(losses(*noisy(1.0, 200)), Status(state=state), ROOM) == ()


SMALLER_BATCH = {"step": 7, "start": 5, "batch": 4, "smaller": 2, "steps": 8, "more": 16}
FEWER_TOKENS = {"step": 7, "start": 0, "tokens": 9000, "fewer": 4500}


@pytest.mark.parametrize(
    ("facts", "key", "said"),
    [
        (SMALLER_BATCH, "alert.second_try.batch", "train_batch_size at 2 instead of 4"),
        (FEWER_TOKENS, "alert.second_try.tokens", "at most 4,500 tokens a pass instead of 9,000"),
    ],
)
def test_a_second_try_is_told_while_the_run_goes_on_and_afterwards(facts, key, said):
    for state in ("training", "finished"):
        told = alerts.current([], Status(state=state, step=9, total_steps=9, second_try=facts), ROOM)[0]
        assert (told.key, told.level, told.step, told.facts) == (key, "info", 7, facts)
        assert said in told.message and "Memory ran out at step 7" in told.message


# All together

TROUBLE = [
    *losses(*noisy(1.0, 100)),
    *losses(*noisy(3.0, 30, seed=2), None, begin=101),
    *losses(*[0.5] * 126, *[50.0] * 5, key="grad_norm"),
]


def test_the_gravest_comes_first_and_an_ended_run_hears_only_what_still_matters():
    lines = sorted(TROUBLE, key=lambda line: line["step"])
    full = Disk(free=0)
    told = alerts.current(lines, TRAINING, full)
    assert {alert.key for alert in told} == {
        "alert.not_finite", "alert.loss_rising", "alert.gradient_exploding", "alert.disk",
    }  # fmt: skip
    assert told[0].level == "error"
    failed = Status(state="failed", step=131, total_steps=200)
    assert {alert.key for alert in alerts.current(lines, failed, full)} == {"alert.not_finite", "alert.failed"}


def every_alert() -> list[alerts.Alert]:
    """One of each kind, with figures that need a thousands separator where there can be any."""
    far = 12_000
    ends = [("finished", far, False), ("finished", 40, False), ("stopped", 40, False), ("stopped", 40, True)]
    ends += [("failed", far, False)]
    return [
        alerts.not_finite(losses(None, begin=far)),
        alerts.not_finite(losses(None, 1.0, begin=far)),
        alerts.loss_rising(losses(*noisy(1.0, 50), *noisy(30.0, 50), begin=far)),
        alerts.evaluation_rising(losses(1.0, 1.1, 1.2, key="eval_loss", begin=far)),
        alerts.gradient_exploding(losses(*[0.01] * 40, *[50.0] * 5, key="grad_norm", begin=far)),
        alerts.disk_nearly_full(Disk(free=1_234_567_890, checkpoint=10**10)),
        *(alerts.second_try(Status(second_try={**facts, "step": far})) for facts in (SMALLER_BATCH, FEWER_TOKENS)),
        *(alerts.ended(Status(state=state, step=step, total_steps=far, cancelled=gone)) for state, step, gone in ends),
    ]


def test_every_alert_has_its_sentence_in_both_languages_and_the_english_one_is_its_message():
    told = every_alert()
    assert {alert.key for alert in told} == {key for key in wording.SENTENCES if key.startswith("alert.")}
    for alert in told:
        assert wording.sentence(alert.key, "en", **alert.facts) == alert.message
        bengali = wording.sentence(alert.key, "bn", **alert.facts)
        assert "{" not in bengali and bengali.endswith("।")
