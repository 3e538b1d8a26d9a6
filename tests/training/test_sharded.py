"""Two processes that hold half of a base each: real ones, with real FSDP2, on the CPU.

accelerate spreads a model over cards only, so the processes here tell it that they have some, and gloo stands in NCCL's
place; everything else is as `assets/accelerate/fsdp-qlora.yaml` makes it.
"""

import os
from pathlib import Path

import pytest
import torch
from accelerate.commands import launch as accelerate
from accelerate.utils.launch import prepare_multi_gpu_env
from safetensors.torch import load_file

from finetune.models import load_base
from finetune.recipe import ROOT, Recipe
from finetune.training import metrics, runs, trainer
from tests.conftest import kept_environment, write_csv
from tests.training.test_processes import launch

PROCESS = """
from accelerate import PartialState
from accelerate.utils import DistributedType
from torch.distributed.fsdp import FSDPModule

from finetune.__main__ import main
from finetune.training import even_shares, processes, sharded

joined, gathered, shares = processes.joined, sharded.gathered, even_shares.shares


@processes.contextlib.contextmanager
def with_cards():
    with joined():
        PartialState._shared_state["distributed_type"] = DistributedType.MULTI_GPU
        yield


def told(model):
    print("spread" if isinstance(model, FSDPModule) else "whole", flush=True)
    return gathered(model)


def dealt(lengths, count):
    print("dealt out to", count, flush=True)
    return shares(lengths, count)


processes.joined, sharded.gathered, even_shares.shares = with_cards, told, dealt
main()
"""


@pytest.fixture(scope="module")
def recipe(tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    """Of a base whose output matrix is a part of its own, as Llama 3.1 8B's is: TRL's loss goes past its forward."""
    base = tmp_path_factory.mktemp("base")
    model, tokenizer = load_base(str(tiny_base), four_bit=False, dtype="float32")
    model.lm_head.weight = torch.nn.Parameter(model.lm_head.weight.detach().clone())
    model.config.tie_word_embeddings = False
    model.save_pretrained(base)
    tokenizer.save_pretrained(base)
    return Recipe.from_dict(
        {
            "name": "spread",
            "base": {"model": str(base), "dtype": "bfloat16", "load_in_4bit": True},
            "data": {"source": str(write_csv(tmp_path_factory.mktemp("corpus") / "corpus.csv"))},
            "adapter": {"r": 4, "lora_alpha": 8},
            "training": {
                "plan": "as_written",
                "padding_free": False,
                "max_length": 256,
                "per_device_train_batch_size": 2,
                "gradient_accumulation_steps": 4,
                "learning_rate": 0.01,
                "warmup_steps": 0,
                "max_steps": 3,
                "eval_steps": 3,
                "save_steps": 3,
                "sample_prompts": [],
            },
        }
    )


def environment() -> dict[str, str]:
    """What `accelerate launch` tells its processes by our file."""
    words = ["--config_file", str(ROOT / "assets" / "accelerate" / "fsdp-qlora.yaml"), "train.py"]
    arguments, *_ = accelerate._validate_launch_command(accelerate.launch_command_parser().parse_args(words))
    told = prepare_multi_gpu_env(arguments)
    return {key: value for key, value in told.items() if key.startswith(("FSDP_", "ACCELERATE_"))}


def losses(run: runs.Run) -> list[float]:
    lines = metrics.read(run.folder)[0]
    return [line[key] for line in lines for key in ("loss", "eval_loss") if key in line]


def test_a_base_spread_over_two_processes_learns_what_a_whole_one_learns(recipe, tmp_path):
    (tmp_path / "process.py").write_text(PROCESS, encoding="utf-8")
    alone, together = runs.create(tmp_path, recipe), runs.create(tmp_path, recipe)
    with kept_environment():
        trainer.train(alone)
    with kept_environment():
        os.environ.update(environment(), ACCELERATE_USE_CPU="true", PYTHONPATH=str(ROOT))
        words = ["train", str(together.folder / "recipe.yaml"), "--run-dir", str(together.folder)]
        done = launch(str(tmp_path / "process.py"), *words)
    assert done.returncode == 0, done.stdout
    assert {"spread", "dealt out to 2"} <= set(together.log_tail(1000).splitlines())
    assert together.status().state == "finished"
    mine, theirs = losses(alone), losses(together)
    assert theirs == pytest.approx(mine, rel=0.02), "16 bits, in which one process keeps no norms"
    assert len(theirs) == 5
    assert all(loss * 1024 % 1 for loss in theirs), "told in 16 bits: a mean of sixteenths"
    fell = [curve[0] - curve[-1] for curve in (mine, theirs)]  # of the evaluation, between beginning and end
    assert fell[1] == pytest.approx(fell[0], rel=0.15) and fell[0] > 0.05
    ours, one = (load_file(run.adapter / "adapter_model.safetensors") for run in (together, alone))
    assert {name: tensor.shape for name, tensor in ours.items()} == {name: tensor.shape for name, tensor in one.items()}
    learnt = [torch.cat([part[name].flatten() for name in sorted(part) if "lora_B" in name]) for part in (ours, one)]
    assert torch.cosine_similarity(*learnt, dim=0) > 0.9
