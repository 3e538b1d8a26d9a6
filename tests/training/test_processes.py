"""Two processes train as one would: the same losses and adapter, one of every log; and they end together.

Processes are real ones here, on the CPU, started as `accelerate launch` starts them for cards: by torchrun.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from safetensors.torch import load_file

from finetune.errors import RunError
from finetune.recipe import ROOT, Recipe
from finetune.training import metrics, processes, runs, samples, trainer
from tests.conftest import kept_environment, write_csv

LAUNCH = (sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2")

COMPARED = ("step", "loss", "eval_loss", "grad_norm", "learning_rate", "tokens")


@pytest.fixture
def launched(monkeypatch: pytest.MonkeyPatch):
    """Lets this process look like one of several."""

    def look(count: int, rank: int = 0) -> None:
        monkeypatch.setenv("WORLD_SIZE", str(count))
        monkeypatch.setenv("RANK", str(rank))
        monkeypatch.setenv("LOCAL_RANK", str(rank))

    return look


@pytest.fixture(scope="module")
def recipe(tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    """Three updates of eight examples, which are the 24 training rows; three rows to evaluate, two at a time."""
    return Recipe.from_dict(
        {
            "name": "shared",
            "base": {"model": str(tiny_base), "dtype": "float32"},
            "data": {"source": str(write_csv(tmp_path_factory.mktemp("corpus") / "corpus.csv"))},
            "adapter": {"r": 4, "lora_alpha": 8},
            "training": {
                "plan": "as_written",
                "max_length": 256,
                "per_device_train_batch_size": 4,
                "gradient_accumulation_steps": 2,
                "per_device_eval_batch_size": 2,
                "learning_rate": 0.01,
                "warmup_steps": 0,
                "max_steps": 3,
                "eval_steps": 1,
                "save_steps": 3,
                "sample_prompts": ["মনটা ভালো নেই।"],
            },
            "generation": {"max_new_tokens": 4},
        }
    )


def launch(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Two processes with one thread each, their output together."""
    return subprocess.run(
        [*LAUNCH, *arguments],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
    )


def adapter(run: runs.Run) -> dict:
    return load_file(run.adapter / "adapter_model.safetensors")


def figures(run: runs.Run, last: int) -> list[dict[str, float]]:
    """Every line of the metrics log up to a step, with what must not depend on the number of processes."""
    lines = [line for line in metrics.read(run.folder)[0] if line["step"] <= last]
    return [{key: line[key] for key in COMPARED if key in line} for line in lines]


# Real processes

LATE = """
from finetune.__main__ import main
from finetune.training import trainer

trainer.reads_late = lambda training: training.padding_free
main()
"""
"""A step behind, as processes with cards of their own are."""


@pytest.mark.parametrize("padding_free", [False, True], ids=["padded", "without padding"])
def test_two_processes_learn_what_one_learns_and_write_one_of_everything(recipe, tmp_path, padding_free):
    alone = runs.create(tmp_path, recipe.with_settings({"training.padding_free": padding_free}))
    with kept_environment():
        trainer.train(alone)
    together = runs.create(tmp_path, alone.recipe())
    if padding_free:
        together.stop_request.touch()  # both obey it in the same step, or one would wait for the other
    (tmp_path / "late.py").write_text(LATE, encoding="utf-8")
    with kept_environment():
        os.environ["PYTHONPATH"] = str(ROOT)
        words = ["train", str(together.folder / "recipe.yaml"), "--run-dir", str(together.folder)]
        done = launch(str(tmp_path / "late.py"), *words)
    assert done.returncode == 0, done.stdout
    status = together.status()
    assert (status.state, status.step) == (("stopped", 2) if padding_free else ("finished", 3))
    for mine, theirs in zip(figures(alone, status.step), figures(together, status.step), strict=True):
        assert theirs == pytest.approx(mine, abs=1e-4)
    lines = metrics.read(together.folder)[0]
    assert len({(line["step"], "eval_loss" in line) for line in lines}) == len(lines), "a line is there twice"
    assert [line["step"] for line in samples.read(together.folder)] == ([0, 1, 2] if padding_free else [0, 1, 2, 3])
    assert together.log_tail(1000).count("adapter saved") == 1
    assert "processes: 2, of each update 1 x 4 examples in every one" in together.log_tail(1000)
    assert together.recipe() == alone.recipe(), "the recipe's numbers are those of all processes"
    if not padding_free:
        mine, theirs = adapter(alone), adapter(together)
        assert set(mine) == set(theirs)
        for name, tensor in mine.items():
            assert theirs[name] == pytest.approx(tensor, abs=1e-4), name


FAILING = """
from finetune.__main__ import main
from finetune.training import processes, trainer


def build(run, recipe):
    if not processes.first():
        raise MemoryError
    processes.anywhere(False)  # waits for the other, as training does
    raise AssertionError("the other one has come")


trainer.build_trainer = build
main()
"""


def test_where_one_process_fails_the_others_end_too_and_the_status_says_why_once(recipe, tmp_path):
    (tmp_path / "failing.py").write_text(FAILING, encoding="utf-8")
    run = runs.create(tmp_path, recipe)
    with kept_environment():
        os.environ["PYTHONPATH"] = str(ROOT)
        done = launch(
            str(tmp_path / "failing.py"), "train", str(run.folder / "recipe.yaml"), "--run-dir", str(run.folder)
        )
    assert done.returncode != 0
    status = run.status()
    assert (status.state, status.error_key) == ("failed", "run.out_of_memory.batch")
    assert done.stdout.count("error: ") == done.stdout.count("error: Memory ran out") == 1, done.stdout
    assert "MemoryError" in run.log_tail(1000), "the log has the details, whichever process failed"


# What each can tell alone


def test_a_process_alone_is_the_first_has_every_card_and_asks_nobody():
    assert (processes.count(), processes.first(), processes.sharded()) == (1, True, False)
    assert processes.anywhere(True) and not processes.anywhere(False)
    assert processes.Asked(late=True)(True, False) == [True, False], "nobody else has to be heard"
    assert processes.from_first(lambda: "made") == "made"


@pytest.mark.parametrize(("late", "heard"), [(False, [[0, 1], [0, 0], [1, 0]]), (True, [[0, 0], [0, 1], [0, 0]])])
def test_what_is_asked_for_is_heard_at_once_or_in_the_next_step(launched, monkeypatch, late, heard):
    launched(2)
    monkeypatch.setattr(processes, "summed", lambda numbers: 2 * numbers)  # the other one is asked the same
    asked = processes.Asked(late=late)
    assert [asked(*here) for here in ((False, True), (False, False), (True, False))] == heard


def test_one_of_several_knows_its_place_its_card_and_whether_the_model_is_spread(launched, monkeypatch):
    launched(4, rank=2)
    assert (processes.count(), processes.first(), processes.sharded()) == (4, False, False)
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    assert processes.sharded()


@pytest.mark.parametrize(
    ("batch", "accumulation", "count", "shared"),
    [(2, 8, 1, (2, 8)), (2, 8, 2, (2, 4)), (2, 8, 4, (2, 2)), (2, 8, 8, (2, 1)), (2, 8, 16, (1, 1)), (16, 1, 4, (4, 1)),
     (4, 3, 6, (2, 1)), (6, 5, 2, (5, 3)), (2, 6, 4, (1, 3))],
)  # fmt: skip
def test_the_examples_of_an_update_stay_the_same_and_no_batch_grows(launched, batch, accumulation, count, shared):
    launched(count)
    assert processes.share(batch, accumulation) == shared
    assert shared[0] * shared[1] * count == batch * accumulation


@pytest.mark.parametrize(("batch", "accumulation", "count"), [(2, 3, 4), (1, 1, 2), (3, 5, 7), (2, 8, 3)])
def test_what_cannot_be_shared_evenly_is_refused_with_numbers_that_can(launched, batch, accumulation, count):
    launched(count)
    with pytest.raises(RunError, match="cannot share an update") as refused:
        processes.share(batch, accumulation)
    facts = refused.value.facts
    assert processes.share(batch, facts["steps"])
    launched(facts["fitting"])
    assert processes.share(batch, accumulation)


def test_the_next_run_is_not_told_that_it_is_one_of_several(launched):
    told = {"RANK": "0", "WORLD_SIZE": "2", "ACCELERATE_USE_FSDP": "true", "FSDP_VERSION": "2", "HF_HOME": "/models"}
    assert processes.alone(told) == told, "a process alone hands on all it was given"
    launched(2)
    assert processes.alone(told) == {"HF_HOME": "/models"}


@pytest.mark.parametrize(("name", "sharded"), [("two-t4", False), ("fsdp-qlora", True)])
def test_accelerate_takes_our_files_and_tells_its_processes_what_they_say(monkeypatch, name, sharded):
    from accelerate.commands import launch as accelerate
    from accelerate.utils.launch import prepare_multi_gpu_env

    file = str(ROOT / "assets" / "accelerate" / f"{name}.yaml")
    asked = ["--config_file", file, "--num_processes", "4", "-m", "finetune", "train", "demo"]
    arguments, *_ = accelerate._validate_launch_command(accelerate.launch_command_parser().parse_args(asked))
    assert (arguments.num_processes, arguments.multi_gpu, arguments.use_fsdp) == (4, not sharded, sharded)
    told = prepare_multi_gpu_env(arguments)
    for key, value in {**told, "WORLD_SIZE": "4"}.items():
        monkeypatch.setenv(key, value)
    assert processes.sharded() == sharded
    assert (told.get("FSDP_VERSION"), told.get("FSDP_STATE_DICT_TYPE")) == (
        ("2", "FULL_STATE_DICT") if sharded else (None, None)
    )
    assert set(processes.alone(told)) & {"ACCELERATE_MIXED_PRECISION", "FSDP_VERSION", "ACCELERATE_USE_FSDP"} == set()
