"""A crash names what ran out and the setting to change, with the numbers of the recipe that crashed."""

import errno
import importlib
import sys
from types import SimpleNamespace

import pytest
import torch

from finetune import models
from finetune.recipe import Recipe
from finetune.training import batching, failures
from tests.training.test_batching import H200, LLAMA, REFERENCE
from ui import wording

OUT = "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 14.74 GiB"


def told(tmp_path, error, **settings):
    recipe = Recipe().with_settings({name.replace("__", "."): value for name, value in settings.items()})
    return failures.explain(error, recipe, tmp_path)


@pytest.mark.parametrize(
    ("batch", "steps", "smaller", "more"), [(16, 1, 8, 2), (2, 8, 1, 16), (3, 4, 1, 12), (9, 1, 3, 3)]
)
def test_a_smaller_batch_comes_with_as_much_more_accumulation(tmp_path, batch, steps, smaller, more):
    problem = told(
        tmp_path,
        RuntimeError(OUT),
        training__per_device_train_batch_size=batch,
        training__gradient_accumulation_steps=steps,
    )
    assert problem.key == "run.out_of_memory.batch"
    assert f"per_device_train_batch_size at {smaller} instead of {batch}" in str(problem)
    assert f"gradient_accumulation_steps at {more} instead of {steps}" in str(problem)
    assert smaller * more == batch * steps


@pytest.mark.parametrize(
    "text",
    [
        "[/pytorch/third_party/gloo/gloo/transport/tcp/pair.cc:553] Connection closed by peer [127.0.0.1]:55483.",
        "NCCL error: remote process exited or there was a network error, NCCL version 2.28.9",
    ],
)
def test_where_another_process_has_gone_nobody_is_sent_to_look_for_a_fault_in_this_one(tmp_path, text):
    problem = told(tmp_path, RuntimeError(text))
    assert problem.key == "run.process_lost"
    assert "last checkpoint" in str(problem)


def test_with_a_batch_of_one_the_next_setting_is_named_until_there_is_none(tmp_path):
    settings = {"training__per_device_train_batch_size": 1}
    said = []
    for name, value in (
        ("base__load_in_4bit", True),
        ("training__gradient_checkpointing", True),
        ("training__max_length", 1010),
        ("training__max_length", 16),
    ):
        said.append(told(tmp_path, MemoryError(), **settings))
        settings[name] = value
    said.append(told(tmp_path, MemoryError(), **settings))
    assert [problem.key.rpartition(".")[2] for problem in said] == [
        "four_bit", "checkpointing", "length", "length", "model",
    ]  # fmt: skip
    assert "max_length at 1010 instead of 2020" in str(said[2])
    assert "max_length at 505 instead of 1010" in str(said[3])


@pytest.fixture(params=["peft_model", "unsloth_model"])
def out_while_loading(request, monkeypatch):
    """What is raised where memory runs out while a base is being loaded, by either engine's own code."""
    loader = importlib.import_module(f"finetune.training.{request.param}")

    def fail(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError(OUT)

    monkeypatch.setattr(models, "load_base", fail)
    monkeypatch.setattr(models, "load_tokenizer", fail)
    monkeypatch.setitem(sys.modules, "unsloth", SimpleNamespace(FastLanguageModel=None))
    with pytest.raises(torch.OutOfMemoryError) as caught:
        loader.load(Recipe(), {"": "cpu"})
    return caught.value


def test_memory_that_ran_out_while_the_base_was_loaded_is_no_matter_of_batches(tmp_path, out_while_loading):
    sixteen = told(tmp_path, out_while_loading, training__per_device_train_batch_size=16)
    assert sixteen.key == "run.out_of_memory.loading_16bit"
    assert "base.load_in_4bit at true" in str(sixteen) and "batch" not in str(sixteen)
    assert "base.load_in_4bit" in wording.error(sixteen, "bn")
    four = told(tmp_path, out_while_loading, base__load_in_4bit=True, base__model="some/llama")
    assert four.key == "run.out_of_memory.loading"
    assert "smaller model than some/llama" in str(four) and "some/llama" in wording.error(four, "bn")
    assert not failures.ran_out_while_learning(out_while_loading)


FREE = {"training__padding_free": True, "training__plan": "as_written", "training__per_device_train_batch_size": 16}


def without_padding(**settings):
    return Recipe().with_settings({name.replace("__", "."): value for name, value in {**FREE, **settings}.items()})


@pytest.mark.parametrize(
    ("largest", "limit", "fewer"), [((900, 801, 600), 0, 1150), ((), 9000, 4500), ((), 0, 16160), ((), 90_000, 16160)]
)
def test_without_padding_a_pass_is_to_have_fewer_tokens_whatever_the_batch(largest, limit, fewer):
    problem = failures.out_of_memory(without_padding(training__most_tokens=limit), largest_pass=largest)
    assert problem.key == "run.out_of_memory.tokens"
    assert f"training.most_tokens at {fewer}:" in str(problem) and "batch_size" not in str(problem)
    spoken = wording.error(problem, "bn")
    assert f"training.most_tokens {wording.digits(fewer, 'bn')}" in spoken and "batch" not in spoken


def test_what_is_advised_without_padding_is_what_auto_then_does():
    advised = failures.out_of_memory(batching.chosen(REFERENCE, H200, LLAMA).recipe, largest_pass=(4000, 3001))
    anew = batching.chosen(REFERENCE.with_settings({"training.most_tokens": advised.facts["fewer"]}), H200, LLAMA)
    assert anew.most_tokens == 3500 and anew.recipe.effective_batch == REFERENCE.effective_batch


def test_without_padding_a_pass_of_one_example_is_followed_by_the_other_settings():
    said = [
        failures.out_of_memory(without_padding(**settings), largest_pass=(900,))
        for settings in (
            {},
            {"base__load_in_4bit": True},
            {"base__load_in_4bit": True, "training__gradient_checkpointing": True},
        )
    ]
    assert [problem.key.rpartition(".")[2] for problem in said] == ["four_bit", "checkpointing_as_written", "length"]
    for part in ("gradient_checkpointing=true", "training.padding_free=true", "training.plan=as_written"):
        assert part in str(said[1]) and part in wording.error(said[1], "bn")


@pytest.mark.parametrize(
    ("settings", "loading", "key", "words"),
    [
        ({"training__most_tokens": 9000}, False, "run.killed.tokens", "training.most_tokens at 4500"),
        ({"training__most_tokens": 500}, False, "run.killed", "max_length than 2020"),
        ({}, True, "run.killed.loading_16bit", "base.load_in_4bit at true"),
        ({"base__load_in_4bit": True, "base__model": "some/llama"}, True, "run.killed.loading", "than some/llama"),
    ],
)
def test_a_killed_run_is_told_what_fits_how_it_trained_and_how_far_it_was(settings, loading, key, words):
    problem = failures.killed(without_padding(**settings), loading=loading)
    assert problem.key == key
    assert words in str(problem) and "batch_size" not in str(problem)
    assert "{" not in wording.error(problem, "bn")


def test_memory_that_ran_out_in_an_evaluation_is_a_matter_of_the_evaluation_s_batch(tmp_path):
    def evaluation_loop() -> None:
        raise RuntimeError(OUT)

    with pytest.raises(RuntimeError) as caught:
        evaluation_loop()
    problem = told(tmp_path, caught.value)
    assert problem.key == "run.out_of_memory.evaluation"
    assert "per_device_eval_batch_size at 2 instead of 4" in str(problem)
    assert told(tmp_path, caught.value, training__per_device_eval_batch_size=1).key == "run.out_of_memory.batch"


def test_only_an_update_that_ran_out_of_memory_may_be_tried_again():
    def evaluation_loop() -> None:
        raise RuntimeError(OUT)

    with pytest.raises(RuntimeError) as caught:
        evaluation_loop()
    assert failures.ran_out_while_learning(RuntimeError(OUT))
    assert not failures.ran_out_while_learning(caught.value)
    assert not failures.ran_out_while_learning(ValueError("something else"))


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("[enforce fail at alloc_cpu.cpp:124] DefaultCPUAllocator: can't allocate memory: you tried to"),
        OSError(errno.ENOMEM, "Cannot allocate memory"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
        RuntimeError("Error out of memory at line 89 in file /src/csrc/ops.cu"),
        torch.OutOfMemoryError("Allocation on device 0"),
    ],
    ids=["PyTorch", "fork", "cuBLAS", "cuDNN", "bitsandbytes", "by its kind"],
)
def test_memory_runs_out_under_several_names(tmp_path, error):
    assert told(tmp_path, error).key == "run.out_of_memory.batch"


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        OSError(errno.EDQUOT, "Disk quota exceeded"),
        Exception("Error while serializing: I/O error: No space left on device (os error 28)"),  # safetensors
        RuntimeError("PytorchStreamWriter failed writing file data/12: file write failed"),
    ],
    ids=["full", "quota", "safetensors", "PyTorch"],
)
def test_a_full_disk_has_a_sentence_of_its_own(tmp_path, error):
    problem = told(tmp_path, error)
    assert problem.key == "run.disk_full"
    assert "Free some space" in str(problem) and "resume" in str(problem)


def test_what_led_to_an_error_counts_too(tmp_path):
    try:
        try:
            raise OSError(errno.ENOSPC, "No space left on device")
        except OSError as full:
            raise ValueError("the checkpoint cannot be saved") from full
    except ValueError as error:
        assert told(tmp_path, error).key == "run.disk_full"


def test_any_other_error_is_told_by_its_first_line(tmp_path):
    assert "ValueError: first line." in str(told(tmp_path, ValueError("first line\nsecond line")))
    assert "AssertionError: no message." in str(told(tmp_path, AssertionError()))


@pytest.mark.parametrize(
    ("batch", "key", "said"),
    [(16, "run.killed.batch", "per_device_train_batch_size at 8 instead of 16"), (1, "run.killed", "than 512")],
)
def test_a_killed_process_is_told_which_setting_to_lower_and_from_what(batch, key, said):
    recipe = Recipe().with_settings({"training.per_device_train_batch_size": batch, "training.max_length": 512})
    problem = failures.killed(recipe)
    assert problem.key == key
    assert said in str(problem)


@pytest.mark.parametrize("link", ["__cause__", "__context__"])
def test_an_error_that_was_raised_again_within_itself_is_explained_all_the_same(tmp_path, link):
    """`raise kept from other`, where `other` came from `kept`: the chain leads back to where it began."""
    first, second = RuntimeError("it broke"), ValueError("broken as well")
    setattr(first, link, second)
    setattr(second, link, first)
    assert told(tmp_path, first).key == "run.crashed"
    assert not failures.ran_out_while_learning(second)
    setattr(second, link, None)
    second.__cause__ = MemoryError()
    assert failures.ran_out_while_learning(first)
