"""finetune/training/machine.py: what is there, and what a container allows of it."""

from dataclasses import replace
from pathlib import Path

import psutil
import pytest
import torch

from finetune import processors
from finetune.training.machine import Machine, machine, machine_now


@pytest.fixture
def container(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A control group with the limits that a test writes."""
    monkeypatch.setattr(processors, "CGROUP", tmp_path)
    return lambda **limits: [
        (tmp_path / name.replace("_", ".")).write_text(f"{text}\n") for name, text in limits.items()
    ]


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a card")
def test_without_a_card_the_machine_is_its_processor_its_free_memory_and_its_disk(container, tmp_path):
    here = machine(tmp_path)
    assert (here.kind, here.cards) == ("cpu", 0)
    assert here.name
    assert 1 <= here.cores <= (psutil.cpu_count(logical=False) or psutil.cpu_count())
    assert 0 < here.available_gb == here.free_ram_gb < here.memory_gb == round(psutil.virtual_memory().total / 1e9, 2)
    assert here.free_disk_gb > 0
    assert here.dtype in ("bfloat16", "float32")


def test_a_container_may_allow_fewer_cores_and_less_memory_than_its_host_has(container):
    container(cpu_max="100000 100000", memory_max=2_000_000_000, memory_current=500_000_000)
    here = machine()
    assert (here.cores, here.free_ram_gb) == (1, 1.5)
    container(cpu_max="max 100000", memory_max="max")
    assert machine().cores >= 1
    assert machine().free_ram_gb > 0


def test_a_container_with_half_a_core_still_has_one(container):
    container(cpu_max="50000 100000")
    assert machine().cores == 1


def test_a_home_that_is_not_made_yet_has_the_disk_that_it_will_lie_on(tmp_path):
    assert machine(tmp_path / "not" / "yet").free_disk_gb == pytest.approx(machine(tmp_path).free_disk_gb, abs=0.5)


def test_a_run_may_fill_one_whole_card_but_for_what_is_held_there():
    card = Machine("cuda", "Tesla T4", 15.6, 2, 4, 30.0, 60.0, "float16")
    assert card.available_gb == 15.6
    assert replace(card, held_gb=6.0).available_gb == pytest.approx(9.6)


@pytest.mark.parametrize("cards", [1, 2])
def test_a_card_is_told_by_its_own_name_and_memory(monkeypatch, cards):
    class Properties:
        name, total_memory, major, minor = "Tesla T4", 15_642_329_088, 7, 5

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: cards)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: Properties)
    here = machine()
    assert (here.kind, here.name, here.memory_gb, here.cards) == ("cuda", "Tesla T4", 15.64, cards)
    assert (here.dtype, here.capability) == ("float16", (7, 5))
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (9_642_329_088, 15_642_329_088))
    assert (here.available_gb, machine_now().available_gb) == (15.64, pytest.approx(9.64))


def test_several_processes_of_one_machine_share_its_free_memory(monkeypatch):
    alone = machine_now().free_ram_gb
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "4")
    assert machine_now().free_ram_gb == pytest.approx(alone / 4, rel=0.2)
