"""The comparison of ways to train: what it tells, and what it does where one fails."""

import json

import pytest

from finetune import bench_training, models
from finetune.errors import RunError
from finetune.training.memory import shape


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
    assert found["ways"][0]["matrix_share"] == pytest.approx(4 * demo.parameters * 1600 / 0.5e12)
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
    def child(module: str, kind: str, *words: str) -> dict:
        return {"tflops": 1.0} if kind == "matrix" else {"tokens_per_second": 5.0, "settings": "16 x 1"}

    monkeypatch.setattr(bench_training, "child", child)
    found = bench_training.train(None, [])
    assert len(found["ways"]) == len(bench_training.OURS) and found["peer"] is found["ratio"] is None


def test_an_unknown_shape_is_refused_before_anything_is_measured():
    with pytest.raises(RunError, match="llama-3.1-8b"):
        bench_training.train("llama-9-900b")
