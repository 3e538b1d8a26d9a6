"""The comparison of ways to train: what it tells, and what it does where one fails."""

import json
import subprocess
import sys
import time
from importlib.util import find_spec

import psutil
import pytest

from finetune import bench_training, models
from finetune.errors import RunError
from finetune.recipe import ROOT
from finetune.review import durable
from finetune.training.memory import shape


class Card:
    """Stands in for the processes that measure; it fails while `broken` ways are measured and notes what was asked."""

    def __init__(self, broken: str = "") -> None:
        self.broken, self.asked = broken, []

    def __call__(self, module: str, kind: str, *words: str) -> dict:
        name = json.loads(words[0])["name"] if kind == "measure" else kind
        self.asked.append(name)
        if kind == "matrix":
            return {"tflops": float(len(self.asked))}
        if name == self.broken:
            raise RunError("", key="bench.failed", part="measure", text="CUDA out of memory")
        return {"tokens_per_second": 5.0, "settings": "16 x 1"}


def test_a_way_that_fails_is_told_and_the_others_go_on(monkeypatch):
    def child(module: str, kind: str, *words: str) -> dict:
        if kind == "measure" and json.loads(words[0])["recompute_mlps"] == 32:
            raise RunError("", key="bench.failed", part="measure", text="CUDA out of memory")
        if kind == "matrix":
            return {"tflops": 0.5}
        batch = json.loads(words[0])["batch"]
        return {"tokens_per_second": 100.0 * batch, "settings": f"{batch} x {16 // batch}"}

    monkeypatch.setattr(bench_training, "child", child)
    found = bench_training.train()
    assert (found["ours"], found["peer"], found["ratio"], found["ratio_to_best"]) == (1600.0, 200.0, 8.0, 1.0)
    assert [row["settings"] for row in found["ways"][-3:]] == ["2 x 8", "8 x 2", "16 x 1"]
    assert [row["way"] for row in found["ways"] if "failed" in row] == ["ours, each MLP recomputed"]
    demo = shape(str(models.DEMO_BASE))
    weights = demo.linear + demo.vocabulary * demo.hidden
    assert found["ways"][0]["matrix_share"] == pytest.approx(4 * weights * 1600 / 0.5e12)
    assert found["versions"]["trl"] == "1.13.0" and found["machine"]
    told = bench_training.lines(found)
    assert told[0].startswith("ours (16 x 1): 1,600 tokens/s, ") and "8.00 times the peer" in told
    assert "ours, each MLP recomputed (batch 16): failed (CUDA out of memory)" in told


def test_peers_are_measured_over_as_many_updates_as_ours():
    every = (*bench_training.OURS, *(way for ways in bench_training.PEERS.values() for way in ways))
    assert {way.updates for way in every} == {6}


def test_a_process_that_fails_is_told_with_its_own_last_line():
    with pytest.raises(RunError, match="measure.*no_such_setting") as caught:
        bench_training.child("finetune.bench_measure", "measure", '{"no_such_setting": 1}', "", "demo")
    assert caught.value.key == "bench.failed"


def test_without_a_peer_there_is_no_ratio(monkeypatch):
    monkeypatch.setattr(bench_training, "child", Card())
    found = bench_training.train(None, [])
    assert len(found["ways"]) == len(bench_training.OURS) and found["peer"] is found["ratio"] is None


def test_what_a_folder_keeps_is_not_measured_again_and_what_failed_is(monkeypatch, tmp_path):
    last, told = bench_training.OURS[-1].name, []
    monkeypatch.setattr(bench_training, "child", first := Card(broken=last))
    begun = bench_training.train(None, [], told.append, tmp_path / "kept")
    assert first.asked == ["matrix", *(way.name for way in bench_training.OURS)] and "failed" in begun["ways"][-1]
    monkeypatch.setattr(bench_training, "child", second := Card())
    found = bench_training.train(None, ["transformers"], told.append, tmp_path / "kept")
    assert second.asked == [last, *["TRL + PEFT, padded"] * 3]
    assert found["matrix_tflops"] == begun["matrix_tflops"] and found["ways"][:-4] == begun["ways"][:-1]
    assert not any("failed" in row for row in found["ways"]) and found["ratio"] == 1.0
    assert [line.split(" (")[0] for line in told] == [name for name in first.asked[1:] + second.asked]


def test_one_that_was_killed_has_kept_every_row_that_was_there(monkeypatch, tmp_path):
    def killed(module: str, kind: str, *words: str) -> dict:
        if kind == "measure" and json.loads(words[0])["checkpointing"]:
            raise KeyboardInterrupt
        return card(module, kind, *words)

    card = Card()
    monkeypatch.setattr(bench_training, "child", killed)
    with pytest.raises(KeyboardInterrupt):
        bench_training.train(None, [], folder=tmp_path)
    monkeypatch.setattr(bench_training, "child", second := Card())
    bench_training.train(None, [], folder=tmp_path)
    assert second.asked == [way.name for way in bench_training.OURS if way.checkpointing]


def test_a_comparison_is_of_one_machine_one_shape_and_one_set_of_versions(monkeypatch, tmp_path):
    monkeypatch.setattr(bench_training, "child", Card())
    bench_training.train(None, [], folder=tmp_path)
    monkeypatch.setattr(bench_training, "boot", lambda: "elsewhere")
    with pytest.raises(RunError, match=f"{tmp_path} holds a comparison with another boot") as caught:
        bench_training.train(None, [], folder=tmp_path)
    assert caught.value.key == "bench.other"


def test_a_folder_that_can_be_imported_is_not_yet_a_package_whose_version_is_told(monkeypatch, tmp_path):
    (tmp_path / "flash_attn" / "cute").mkdir(parents=True)  # as flash-attn-4 leaves it
    monkeypatch.syspath_prepend(tmp_path)
    assert find_spec("flash_attn")
    assert "flash-attn" not in bench_training._surroundings()["versions"]


@pytest.mark.parametrize("text", ["{", "[]", "{}"])
def test_a_file_of_rows_that_is_damaged_is_told(tmp_path, text):
    (tmp_path / bench_training.KEPT).write_text(text, encoding="utf-8")
    with pytest.raises(RunError, match="training.json is damaged. Delete it") as caught:
        bench_training.train(None, [], folder=tmp_path)
    assert caught.value.key == "bench.damaged"


@pytest.mark.skipif(not bench_training.PRCTL, reason="only Linux ends a process with its parent")
def test_what_is_being_measured_ends_with_a_bench_that_is_killed():
    waiting = "from finetune import bench_training; bench_training.child('http.server', '0')"
    parent = subprocess.Popen([sys.executable, "-c", waiting], cwd=ROOT)
    (child,) = until(lambda: psutil.Process(parent.pid).children())
    until(lambda: "http.server" in child.cmdline())
    parent.kill()
    parent.wait()
    until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)


def until(come, seconds=30):
    """What `come` gives as soon as it gives something."""
    end = time.monotonic() + seconds
    while not (found := come()):
        assert time.monotonic() < end
        time.sleep(0.05)
    return found


def test_two_benches_do_not_measure_into_one_folder(tmp_path):
    with durable.alone(tmp_path, RunError("")), pytest.raises(RunError, match="Another bench is measuring") as caught:
        bench_training.train(None, [], folder=tmp_path)
    assert caught.value.key == "bench.busy"


def test_an_unknown_shape_is_refused_before_anything_is_measured():
    with pytest.raises(RunError, match="llama-3.1-8b"):
        bench_training.train("llama-9-900b")
