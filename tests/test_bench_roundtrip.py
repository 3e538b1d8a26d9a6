"""The whole way of a run, on a model so small that its figures mean little; that every stage is passed does."""

import json

import pytest

from finetune import bench_measure, bench_roundtrip
from finetune.training import memory
from finetune.training.memory import Shape

TINY = Shape(2, 64, 128, 4, 2, 16, 10240, tied=False)


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> tuple[dict, dict]:
    """What it tells, and what it tells again of the same folder."""
    folder = tmp_path_factory.mktemp("roundtrip")

    def here(module: str, *words: str) -> dict:  # in this process: each of its own takes 15 seconds to start
        if module == "finetune.bench_roundtrip":
            return bench_roundtrip.train(folder / "run", int(words[2]))
        bench_measure.main(list(words))
        return {}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(memory, "shape", lambda model: TINY)
        patch.setattr(bench_roundtrip, "child", here)
        found = bench_roundtrip.roundtrip(folder, "tiny", steps=20)
        return found, bench_roundtrip.roundtrip(folder, "tiny", steps=20)


def test_the_run_is_stopped_taken_up_again_and_ends_with_every_loss_once(made):
    run = made[0]["run"]
    assert (run["state"], run["steps"], run["losses"]) == ("finished", 20, 20)
    assert run["last_eval_loss"] < run["first_eval_loss"]  # of the same rows, which train losses are not
    assert {"weights", "first half", "second half", "merge", "logits"} == made[0]["seconds"].keys()


def test_the_merged_model_is_as_near_to_the_adapter_as_quantisation_lets_it_be(made):
    apart = made[0]["logits"]
    assert apart["merge"] < apart["quantisation"]
    assert apart["merged_quantisation"] == pytest.approx(apart["quantisation"], rel=0.5)
    assert apart["adapter"] > 0


def test_what_is_there_is_not_made_again(made):
    assert made[1]["seconds"].keys() == {"logits"} and made[1]["run"] == made[0]["run"]
    json.dumps(made[0])
