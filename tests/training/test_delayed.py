"""Numbers that are read later are those that were there when they were asked for."""

import time

import pytest
import torch

from finetune.training.delayed import Clock, Delayed

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


def test_what_is_written_over_a_tensor_later_is_not_what_is_read():
    numbers = torch.tensor([1.5, float("nan")], device=DEVICE)
    delayed, truth = Delayed(numbers), Delayed(numbers.isnan().any())
    numbers.zero_()
    first, second = delayed.read()
    assert first == 1.5 and second != second
    assert truth.read() is True


def test_a_clock_tells_the_host_s_time():
    clock = Clock()
    before = time.perf_counter()
    told = clock.time(Delayed(torch.ones(1, device=DEVICE)))
    assert before - 0.001 <= told <= time.perf_counter() + 0.001


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_clock_tells_when_a_card_had_come_so_far_however_late_it_is_asked():
    clock, one = Clock(), torch.randn(4096, 4096, device="cuda")
    first = Delayed(one.sum())
    for _ in range(20):
        one = one @ one / 64
    last = Delayed(one.sum())
    torch.cuda.synchronize()
    done = time.perf_counter()
    time.sleep(0.05)
    assert clock.time(first) < clock.time(last) <= done + 0.001
