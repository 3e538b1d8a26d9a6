"""One bar for a whole job, and what it still takes, told by a clock that the test sets."""

import pytest

from finetune.review.evaluating import Progress
from tests.review import evaluations
from ui.evaluate import pace
from ui.evaluate.pace import Pace

WEIGHTS = {"bits": 100.0, "replies": 300.0}


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def test_the_bar_goes_on_through_stages_and_runs_and_never_back(clock):
    one, seen = Pace(2, clock=clock), []
    for _ in range(2):
        one.begin(WEIGHTS)
        for stage in WEIGHTS:
            for done in (0, 5, 10):
                clock.now += 1
                one.report(Progress(stage, done, 10))
                seen.append(one.share)
    assert seen == sorted(seen) and seen[2] == pytest.approx(0.125) and seen[5] == 0.5 and seen[-1] == 1.0


def test_what_is_left_covers_the_stages_and_runs_to_come_and_counts_down_within_a_batch(clock):
    one = Pace(2, clock=clock)
    one.begin(WEIGHTS)
    one.report(Progress("bits", 0, 10))
    assert one.left is None
    clock.now = 5
    one.report(Progress("bits", 5, 10))  # fifty of weight in five seconds: 350 are left here, and 400 of the other run
    assert one.left == pytest.approx(75)
    clock.now = 8
    assert one.left == pytest.approx(72)


def test_a_stage_with_a_pace_of_its_own_is_reckoned_by_that(clock):
    one = Pace(clock=clock)
    one.begin(WEIGHTS)
    one.report(Progress("bits", 0, 10))
    clock.now = 10
    one.report(Progress("bits", 10, 10))
    one.report(Progress("replies", 0, 10))
    assert one.left == pytest.approx(30)
    clock.now = 40
    one.report(Progress("replies", 5, 10))  # three times slower than its weight said
    assert one.left == pytest.approx(30)


def test_what_lay_on_the_disk_is_done_and_says_nothing_of_the_pace(clock):
    one = Pace(clock=clock)
    one.begin(WEIGHTS)
    clock.now = 1
    one.report(Progress("bits", 10, 10))
    one.report(Progress("replies", 5, 10))
    assert one.share == pytest.approx(0.625) and one.left is None
    clock.now = 2
    one.report(Progress("replies", 6, 10))
    assert one.left == pytest.approx(4)


def test_nothing_to_measure_is_done(clock):
    one = Pace(clock=clock)
    one.begin({"steps": 1.0})
    one.report(Progress("steps", 0, 0))
    assert one.share == 1.0


def test_checkpoints_weigh_by_how_many_there_are_and_what_each_reads(demo_order):
    plain = pace.weights(demo_order)
    assert set(plain) == {"bits", "replies", "scores"} and plain["replies"] == pace.WRITTEN * 2 * 8 * 12
    with_steps = pace.weights(demo_order, demo_order.questions, 3)
    assert with_steps["steps"] == pytest.approx(1.5 * plain["bits"])  # one side each time, and three times


@pytest.fixture
def demo_order():
    from finetune import models
    from finetune.inference.backends import LocalBackend

    return evaluations.order(LocalBackend(str(models.DEMO_BASE)))
