"""One way to train measured, on a model so small that its figures mean nothing; that they are there does."""

import pytest

from finetune import bench_measure
from finetune.bench_measure import Way, lengths, measure
from finetune.models import load_base
from finetune.training.memory import Shape, shape

TINY = Shape(2, 64, 128, 4, 2, 16, 8192, tied=True)


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> str:
    folder = tmp_path_factory.mktemp("bench") / "base"
    bench_measure.build(TINY, folder)
    return str(folder)


def test_the_model_that_stands_in_has_the_shape_asked_for_and_loads_like_any_base(base):
    assert shape(base) == TINY
    model, tokenizer = load_base(base, four_bit=False, dtype="float32")
    assert sum(p.numel() for p in model.parameters()) == TINY.parameters
    assert tokenizer.pad_token_id is not None


def test_of_weights_whose_writing_was_cut_off_nothing_stays(tmp_path):
    (tmp_path / "base.part").mkdir()
    (tmp_path / "base.part" / "model-00009-of-00009.safetensors").touch()
    bench_measure.build(TINY, tmp_path / "base")
    assert list(tmp_path.iterdir()) == [tmp_path / "base"] and not list((tmp_path / "base").glob("*00009*"))


@pytest.mark.parametrize(
    "way",
    [Way("ours", 4, updates=1), Way("peer", 2, padding_free=False, checkpointing=True, updates=1)],
)
def test_every_way_tells_its_rate(base, monkeypatch, way):
    monkeypatch.setattr(bench_measure, "EXAMPLES", 4)
    monkeypatch.setattr(bench_measure, "WARM_UP", 1)
    found = measure(way, base, "demo")
    assert found["tokens_per_second"] > 0 and found["settings"] in ("4 x 1", "2 x 2")
    tokens = sum(lengths(4, "demo"))
    assert (found["updates"], found["tokens"]) == (1, tokens)
    assert found["tokens_per_second"] * found["seconds_an_update"] == pytest.approx(tokens)


def test_lengths_are_those_the_design_measured_with_and_always_the_same():
    drawn = lengths(4000, "corpus")
    assert drawn == lengths(4000, "corpus") and min(drawn) >= 64 and max(drawn) == 2020
    assert sorted(drawn)[2000] == pytest.approx(446, rel=0.05)
