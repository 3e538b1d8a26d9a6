"""Real DPO on small bases: what TRL is given, what it keeps to, and that a run leaves behind what every run does."""

import json
import math
import shutil
from pathlib import Path

import pytest
import torch

from finetune import models
from finetune.data import prompts, splits
from finetune.data.prompts import PromptFormat
from finetune.errors import RunError
from finetune.inference import adapters
from finetune.inference.backends import LocalBackend, Side, replies
from finetune.recipe import Generation, Recipe
from finetune.review.preferences import preferences
from finetune.training import checkpoints, metrics, preference_trainer, runs, samples, trainer
from tests.conftest import kept_environment
from tests.data.test_preference_file import pairs, write
from tests.rows import ROWS
from tests.training.test_trainer import assert_same_curves, files, series, tensors

LN_2 = math.log(2)
EVAL = "eval_rewards/margins"


@pytest.fixture(autouse=True)
def own_environment():
    """Training sets variables for the libraries; each test gives them back."""
    with kept_environment():
        yield


def recipe(base: Path, source: Path, start: Path | None, **training: object) -> Recipe:
    """A few steps of DPO on the tiny base, from an adapter or a fresh one."""
    return Recipe.from_dict(
        {
            "name": "tiny-dpo",
            "base": {"model": str(base), "dtype": "float32"},
            "data": {"source": str(source)},
            "adapter": {"r": 4, "lora_alpha": 8, "start_from": str(start or "")},
            "training": {
                "objective": "dpo",
                "max_length": 256,
                "per_device_train_batch_size": 4,
                "per_device_eval_batch_size": 8,
                "gradient_accumulation_steps": 1,
                "learning_rate": 0.005,
                "warmup_steps": 0,
                "max_steps": 4,
                "eval_steps": 2,
                "save_steps": 2,
                "sample_prompts": [],
                **training,
            },
        }
    )


@pytest.fixture
def built(tiny_base, tiny_adapter, tmp_path):
    """A trainer before its first step, with its run."""

    def build(start=tiny_adapter, settings=None, **training):
        source = write(tmp_path / "dpo.jsonl", pairs(30))
        made = recipe(tiny_base, source, start, load_best_model_at_end=False, **training).with_settings(settings or {})
        run = runs.create(tmp_path, made)
        splits.prepare(made.data, run.data, objective="dpo")
        return trainer.build_trainer(run, made)[0], run

    return build


# What TRL is given


@pytest.mark.parametrize("style", ["shohomormi", "official", "reference"])
def test_a_pair_is_the_prompt_format_s_tokens_with_one_begin_and_each_reply_with_its_end(tiny_base, style):
    tokenizer, how = models.load_tokenizer(str(tiny_base)), PromptFormat(style)
    row = {"question": "খুব একা লাগে।", "answer": "আপনি একা নন।", "rejected": "See a doctor."}
    (pair,) = preference_trainer.encode_pairs([row], tokenizer, how, recipe(tiny_base, Path("dpo.jsonl"), None))
    assert pair["prompt_ids"] == prompts.encode_prompt(tokenizer, prompts.conversation(row["question"]), how)
    for name, reply in (("chosen_ids", row["answer"]), ("rejected_ids", row["rejected"])):
        whole, _ = prompts.encode_example(tokenizer, prompts.conversation(row["question"], reply), how, 256)
        assert pair["prompt_ids"] + pair[name] == whole
        assert pair[name][-1] == prompts.end_id(tokenizer)
    begin = tokenizer.convert_tokens_to_ids("<|begin_of_text|>")
    assert [(pair["prompt_ids"] + pair["chosen_ids"]).count(begin), pair["prompt_ids"][0]] == [1, begin]


def test_the_trainer_s_batches_hold_these_very_tokens(built):
    made, run = built()
    tokenizer = made.processing_class
    row = splits.read_split(run.data, "validation")[0]
    batch = next(iter(made.get_eval_dataloader()))
    half = len(batch["input_ids"]) // 2
    for number, reply in ((0, row["answer"]), (half, row["rejected"])):
        whole, labels = prompts.encode_example(
            tokenizer, prompts.conversation(row["question"], reply), PromptFormat(), 256
        )
        seen = batch["attention_mask"][number].bool()
        assert batch["input_ids"][number][seen].tolist() == whole
        assert batch["completion_mask"][number][seen].tolist() == [int(label != prompts.IGNORED) for label in labels]


def test_pairs_that_the_cut_makes_alike_are_left_out_and_told_where_none_is_left(tiny_base):
    tokenizer, how = models.load_tokenizer(str(tiny_base)), PromptFormat()
    alike = {"question": "খুব একা লাগে।", "answer": "আপনি একা নন। শুনছি।", "rejected": "আপনি একা নন। বলুন।"}
    different = alike | {"rejected": "কেন?"}
    prompt = prompts.encode_prompt(tokenizer, prompts.conversation(alike["question"]), how)
    made = recipe(tiny_base, Path("dpo.jsonl"), None, max_length=len(prompt) + 1)
    (pair,) = preference_trainer.encode_pairs([alike, different], tokenizer, how, made)
    assert (len(pair["chosen_ids"]), len(pair["rejected_ids"])) == (1, 1)
    for rows in ([alike], [{**different, "question": "খুব একা লাগে। " * 40}]):
        with pytest.raises(RunError, match="nothing is left") as told:
            preference_trainer.encode_pairs(rows, tokenizer, how, made)
        assert told.value.key == "run.pairs_cut"


# What it keeps to


@pytest.mark.parametrize("four_bit", [False, True], ids=["dense", "four bits"])
@pytest.mark.parametrize("fresh", [False, True], ids=["an adapter", "a fresh adapter"])
def test_before_the_first_update_the_loss_is_ln_2_and_every_reward_0(built, tiny_adapter, fresh, four_bit):
    made, _ = built(None if fresh else tiny_adapter, {"base.load_in_4bit": four_bit})
    measured = made.evaluate()
    assert measured["eval_loss"] == pytest.approx(LN_2, abs=1e-6)
    assert [measured[f"eval_rewards/{name}"] for name in ("chosen", "rejected", "margins")] == [0, 0, 0]
    own = {name: p for name, p in made.model.named_parameters() if ".default." in name}
    assert all(p.dtype == torch.float32 and p.requires_grad for p in own.values())
    if not fresh:
        kept = tensors(tiny_adapter)
        for name, parameter in own.items():
            assert torch.equal(parameter, kept[name.replace(".default", "")]), "not even rounded"
            assert torch.equal(made.model.get_parameter(name.replace(".default.", ".ref.")), parameter)


def logps(model, tokenizer, rows) -> torch.Tensor:
    """Log-probability of each row's preferred reply minus that of its rejected one, by plain forward passes."""
    found = []
    for row in rows:
        of_reply = []
        for reply in (row["answer"], row["rejected"]):
            ids, labels = prompts.encode_example(
                tokenizer, prompts.conversation(row["question"], reply), PromptFormat(), 256
            )
            with torch.no_grad():
                logits = model(torch.tensor([ids])).logits[0, :-1].float()
            of_reply.append(-torch.nn.functional.cross_entropy(logits, torch.tensor(labels[1:]), reduction="sum"))
        found.append(of_reply[0] - of_reply[1])
    return torch.stack(found)


def test_the_reference_is_the_starting_adapter_and_not_the_bare_base(built, tiny_adapter, tiny_base):
    from peft import PeftModel

    made, run = built()
    made.train()
    made.model.eval()
    rows = splits.read_split(run.data, "validation")
    base, tokenizer = models.load_base(str(tiny_base), four_bit=False, dtype="float32")
    bare = logps(base, tokenizer, rows)
    began = logps(PeftModel.from_pretrained(base, str(tiny_adapter)), tokenizer, rows)
    now = logps(made.model, tokenizer, rows)
    measured = made.evaluate()
    assert measured[EVAL] == pytest.approx(float(0.1 * (now - began).mean()), abs=1e-4)
    assert measured["eval_loss"] == pytest.approx(
        float(-torch.nn.functional.logsigmoid(0.1 * (now - began)).mean()), abs=1e-4
    )
    assert abs(measured[EVAL] - float(0.1 * (now - bare).mean())) > 0.01, "else this test shows nothing"


def test_a_higher_beta_is_what_rewards_are_multiplied_with(built):
    made, _ = built(beta=0.5)
    assert made.args.beta == 0.5
    assert made.args.loss_type == ["sigmoid"]


# A run


@pytest.fixture(scope="module")
def whole_and_cut(tiny_base, tiny_adapter, tmp_path_factory) -> tuple[runs.Run, runs.Run]:
    """Two runs of four steps from a copy of the adapter; one is stopped after step 2, resumed when that is gone."""
    home = tmp_path_factory.mktemp("dpo")
    start = Path(shutil.copytree(tiny_adapter, home / "reviewed"))
    source = write(home / "dpo.jsonl", pairs(30))
    made = recipe(tiny_base, source, start, save_steps=4, sample_prompts=["আজ মনটা ভালো নেই।"])
    whole, cut = runs.create(home, made, "whole"), runs.create(home, made, "cut")
    append = metrics.append

    def stop_after_the_next_step(folder: Path, line: dict) -> None:
        append(folder, line)
        if line["step"] == 1:
            cut.stop_request.touch()

    with pytest.MonkeyPatch.context() as patch, kept_environment():
        trainer.train(whole)
        patch.setattr(metrics, "append", stop_after_the_next_step)
        trainer.train(cut)
        patch.setattr(metrics, "append", append)
        assert (cut.status().state, cut.status().step) == ("stopped", 2)
        shutil.rmtree(start)
        trainer.train(cut, resume=True)
    return whole, cut


def test_a_run_of_dpo_leaves_behind_what_every_run_does_and_the_adapter_it_went_on_from(whole_and_cut, tiny_adapter):
    whole, _ = whole_and_cut
    assert files(whole.folder) == {
        "recipe.yaml", "command.txt", "data", "metrics.jsonl", "samples.jsonl", "checkpoints", "adapter", "status.json",
        "start",
    }  # fmt: skip
    assert files(whole.folder / "start") == {"adapter_config.json", "adapter_model.safetensors", "prompt_format.json"}
    assert files(whole.adapter) == files(whole.folder / "start")
    began, ended = tensors(whole.folder / "start"), tensors(whole.adapter)
    assert all(torch.equal(matrix, tensors(tiny_adapter)[name]) for name, matrix in began.items())
    assert set(began) == set(ended), "one adapter, named as PEFT names it"
    assert not all(torch.equal(began[name], ended[name]) for name in began)
    assert adapters.read(whole.adapter, torch.float32, "cpu").base == whole.recipe().base.model
    assert [line["step"] for line in samples.read(whole.folder)] == [0, 2, 4]


def test_its_loss_begins_at_ln_2_and_falls(whole_and_cut):
    steps, losses = series(whole_and_cut[0], "eval_loss")
    assert steps == [0, 2, 4]
    assert losses[0] == pytest.approx(LN_2, abs=1e-6) and losses[2] < losses[1] < losses[0]
    assert series(whole_and_cut[0], "loss")[1][0] == pytest.approx(LN_2, abs=1e-6)
    assert series(whole_and_cut[0], "tokens")[1][0] > 2 * 4 * 20, "both sides of four pairs"


def test_a_run_stopped_and_resumed_is_the_run_that_was_never_stopped_though_its_start_is_gone(whole_and_cut):
    whole, cut = whole_and_cut
    assert_same_curves(cut, whole)


def test_a_checkpoint_holds_the_one_adapter_that_learns(whole_and_cut):
    for point in checkpoints.of(whole_and_cut[0]):
        assert point.complete and not (point.folder / "ref").exists()


# The loop, on the demo


def test_dpo_on_votes_for_the_demo_adapter_s_replies_lowers_the_loss_on_held_out_votes(tmp_path):
    asked = [question for _, _, question, _ in ROWS[:20]]
    how = Generation(max_new_tokens=24, seed=5)
    both = [Side(prompts.conversation(text), who, how) for text in asked for who in (None, models.DEMO_ADAPTER)]
    texts = replies(LocalBackend(str(models.DEMO_BASE)), both)
    votes = [
        {"prompt_id": str(number), "reviewer": "r", "choice": "tuned", "left": "base", "prompt": text,
         "base_reply": texts[2 * number], "tuned_reply": texts[2 * number + 1]}
        for number, text in enumerate(asked)
    ]  # fmt: skip
    preferences(votes).write(tmp_path / "made")
    wanted = {"data.source": str(tmp_path / "made" / "dpo.jsonl"), "training.max_steps": 10, "training.eval_steps": 10}
    run = runs.create(tmp_path, Recipe.read("demo-dpo").with_settings({**wanted, "training.sample_prompts": []}))
    trainer.train(run)
    steps, losses = series(run, "eval_loss")
    assert steps == [0, 10]
    assert losses[0] == pytest.approx(LN_2, abs=1e-3) and losses[1] < 0.5
    config = json.loads((run.adapter / "adapter_config.json").read_text(encoding="utf-8"))
    assert config["base_model_name_or_path"] == "assets/demo/base"
