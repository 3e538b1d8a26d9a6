"""The evaluation's bench: cut off and taken up again, it ends with every question answered."""

import csv
import json

import pytest

from finetune import bench_evaluation, models
from finetune.bench_measure import lengths


def test_a_bench_that_is_cut_off_goes_on_where_it_was(tmp_path, monkeypatch):
    monkeypatch.setattr(bench_evaluation, "TOKENS", 4)
    cut = bench_evaluation.evaluate(tmp_path, None, questions=40, seconds=0.01)
    assert cut["done"]["replies"] < 40
    whole = bench_evaluation.evaluate(tmp_path, None, questions=40)
    assert whole["questions"] == 40 and set(whole["done"].values()) == {40}
    assert len(whole["seconds"]) == 2
    again = bench_evaluation.evaluate(tmp_path, None, questions=40)
    assert again["seconds"][:2] == whole["seconds"] and again["seconds"][2] < 5


def test_a_bench_that_is_killed_has_its_seconds_written_down(tmp_path, monkeypatch):
    monkeypatch.setattr(bench_evaluation, "TOKENS", 4)

    def killed(folder, order, backend, stop, report):
        report(bench_evaluation.evaluating.Progress("bits", 2, 40))
        raise KeyboardInterrupt

    monkeypatch.setattr(bench_evaluation.evaluating, "run", killed)
    for times in (1, 2):
        with pytest.raises(KeyboardInterrupt):
            bench_evaluation.evaluate(tmp_path, None, questions=40)
        assert len(json.loads((tmp_path / "seconds.json").read_text())) == times


def test_the_last_stage_is_measured_without_a_model(tmp_path, monkeypatch):
    monkeypatch.setattr(bench_evaluation, "TOKENS", 12)
    monkeypatch.setattr(bench_evaluation.LocalBackend, "load", None)
    found = bench_evaluation.scores(tmp_path, 30)
    assert found["questions"] == 30 and 0 <= found["leakage_s"] <= found["scores_s"] > 0


def test_rows_are_about_as_long_as_they_should_be(tmp_path):
    bench_evaluation.write_corpus(tmp_path / "corpus.csv", 60, "corpus")
    tokenizer = models.load_tokenizer(str(models.DEMO_BASE))
    with (tmp_path / "corpus.csv").open(encoding="utf-8") as file:
        found = [len(tokenizer.encode(f"{row['Questions']} {row['Answers']}")) for row in csv.DictReader(file)]
    wanted = lengths(60, "corpus")
    assert sum(found) == pytest.approx(sum(wanted), rel=0.15)
