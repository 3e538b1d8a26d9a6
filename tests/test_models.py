"""Loading a base: found, in the asked number format, with a pad token that can be told from the end; or a sentence."""

import errno
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from finetune import models
from finetune.errors import ModelError
from finetune.recipe import ROOT


@pytest.fixture
def copied(tiny_base: Path, tmp_path: Path) -> Path:
    """The tiny base in a folder of the test's own."""
    return Path(shutil.copytree(tiny_base, tmp_path / "base"))


def test_a_folder_with_a_model_is_found_as_given(tiny_base):
    assert models.resolve(str(tiny_base)) == str(tiny_base)


def test_a_folder_is_also_looked_for_from_the_project_whatever_the_working_folder(tmp_path, monkeypatch):
    (tmp_path / "project" / "mine" / "base").mkdir(parents=True)
    (tmp_path / "project" / "mine" / "base" / "config.json").write_text("{}", encoding="utf-8")
    monkeypatch.setattr(models, "ROOT", tmp_path / "project")
    monkeypatch.chdir(tmp_path)
    assert models.resolve("mine/base") == str(tmp_path / "project" / "mine" / "base")


def test_a_hub_id_stays_what_it_is():
    assert models.resolve("unsloth/Meta-Llama-3.1-8B-Instruct") == "unsloth/Meta-Llama-3.1-8B-Instruct"


@pytest.mark.parametrize("path", ["/nowhere/base", "./base", "../base", "assets/demo/nothing", "my/models/base"])
def test_what_can_only_be_a_folder_and_is_not_there_is_told_at_once(path):
    with pytest.raises(ModelError, match=path):
        models.resolve(path)


def test_the_demo_world_lies_in_the_project():
    assert models.DEMO_BASE.is_relative_to(ROOT) and models.DEMO_ADAPTER.is_relative_to(ROOT)


def test_the_named_number_format_is_taken_and_auto_is_one_the_machine_has():
    assert models.compute_dtype("float16") is torch.float16
    assert models.compute_dtype("float32") is torch.float32
    assert models.compute_dtype("auto") in (torch.bfloat16, torch.float16, torch.float32)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_the_base_is_loaded_in_the_asked_format_and_in_evaluation_mode(tiny_base, dtype):
    model, tokenizer = models.load_base(str(tiny_base), four_bit=False, dtype=dtype)
    assert {parameter.dtype for parameter in model.parameters()} == {getattr(torch, dtype)}
    assert not model.training
    assert tokenizer.decode(tokenizer.encode("খুব একা লাগে।")) == "খুব একা লাগে।"


def test_four_bits_are_nf4_in_every_projection_and_leave_embedding_and_norms_alone(tiny_base):
    model, _ = models.load_base(str(tiny_base), four_bit=True, dtype="float32")
    kinds = {name: parameter.dtype for name, parameter in model.named_parameters()}
    assert {kind for name, kind in kinds.items() if "_proj" in name} == {torch.uint8}
    assert {kind for name, kind in kinds.items() if "_proj" not in name} == {torch.float32}
    assert model.model.layers[0].self_attn.q_proj.weight.quant_state.quant_type == "nf4"


def test_four_bits_that_are_to_be_spread_over_cards_lie_in_the_format_they_are_computed_in(tiny_base):
    whole, _ = models.load_base(str(tiny_base), four_bit=True, dtype="float32")
    spread, _ = models.load_base(str(tiny_base), four_bit=True, dtype="bfloat16", sharded=True)
    weight = spread.model.layers[0].self_attn.q_proj.weight
    assert weight.dtype == torch.bfloat16
    assert weight.nbytes == whole.model.layers[0].self_attn.q_proj.weight.nbytes, "they are four bits all the same"


@pytest.mark.parametrize("pad", ["<|eot_id|>", None], ids=["pad is the end of a message", "no pad"])
def test_the_pad_token_is_never_the_end_of_a_message(copied, pad):
    config = json.loads((copied / "tokenizer_config.json").read_text(encoding="utf-8"))
    config["pad_token"] = pad
    (copied / "tokenizer_config.json").write_text(json.dumps(config), encoding="utf-8")
    tokenizer = models.load_tokenizer(str(copied))
    assert tokenizer.pad_token == "<|finetune_right_pad_id|>"
    assert tokenizer.pad_token_id not in (tokenizer.eos_token_id, tokenizer.convert_tokens_to_ids("<|eot_id|>"))


def test_a_pad_token_of_its_own_is_kept(tiny_base):
    assert models.load_tokenizer(str(tiny_base)).pad_token == "<|finetune_right_pad_id|>"


@pytest.mark.parametrize(
    ("file", "damage"),
    [
        ("config.json", b'{"model_type": "lla'),
        ("config.json", b'{"model_type": "no-such-architecture"}'),
        ("model.safetensors", None),
        ("model.safetensors", b"cut"),
        ("tokenizer.json", None),
        ("tokenizer.json", b'{"version": "1.0", "model": {'),
    ],
    ids=["half a config", "unknown architecture", "no weights", "cut weights", "no tokenizer", "half a tokenizer"],
)
def test_a_damaged_base_is_told_in_a_sentence_with_its_name(copied, file, damage):
    (copied / file).unlink()
    if damage is not None:
        (copied / file).write_bytes(damage)
    with pytest.raises(ModelError) as told:
        models.load_base(str(copied), four_bit=False, dtype="float32")
    assert str(copied) in str(told.value)
    assert "\n" not in str(told.value)


def test_a_folder_whose_name_holds_a_number_like_403_is_not_taken_for_a_gated_model(tiny_base, tmp_path):
    folder = Path(shutil.copytree(tiny_base, tmp_path / "run-403"))
    (folder / "config.json").write_text('{"model_type": "lla', encoding="utf-8")
    with pytest.raises(ModelError) as told:
        models.load_base(str(folder), four_bit=False)
    assert told.value.key == "model.damaged_base"


def test_a_model_that_is_not_here_is_told_as_that_where_the_network_is_forbidden():
    with pytest.raises(ModelError, match="nobody/no-such-model-at-all.*HF_HUB_OFFLINE") as told:
        models.load_base("nobody/no-such-model-at-all", four_bit=False)
    assert told.value.key == "model.offline"


def test_memory_that_runs_out_while_weights_are_quantised_is_told_as_that(tiny_base, monkeypatch):
    from transformers.integrations.bitsandbytes import Bnb4bitQuantize

    def convert(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    monkeypatch.setattr(Bnb4bitQuantize, "convert", convert)
    with pytest.raises(MemoryError):  # transformers says no more than that there were issues
        models.load_base(str(tiny_base), four_bit=True, dtype="float32")


def test_memory_that_the_system_refuses_is_no_fault_of_the_model():
    with pytest.raises(OSError) as told, models.load_errors("some/model"):
        raise OSError(errno.ENOMEM, "Cannot allocate memory")
    assert told.value.errno == errno.ENOMEM


# adapter_config.json


def test_an_adapter_s_config_is_read(tiny_adapter, tiny_base):
    config = models.read_adapter_config(tiny_adapter)
    assert (config["r"], config["lora_alpha"], config["base_model_name_or_path"]) == (4, 8, str(tiny_base))


@pytest.mark.parametrize("missing", ["adapter_config.json", "adapter_model.safetensors"])
def test_a_folder_with_half_an_adapter_holds_none(tiny_adapter, tmp_path, missing):
    folder = Path(shutil.copytree(tiny_adapter, tmp_path / "adapter"))
    (folder / missing).unlink()
    with pytest.raises(ModelError, match="no adapter"):
        models.read_adapter_config(folder)


@pytest.mark.parametrize("config", [b'{"peft_type": "LO', b"[]", b"null", b"\xff\xfe\x00", b""])
def test_a_damaged_adapter_config_is_told_in_a_sentence(tiny_adapter, tmp_path, config):
    folder = Path(shutil.copytree(tiny_adapter, tmp_path / "adapter"))
    (folder / "adapter_config.json").write_bytes(config)
    with pytest.raises(ModelError, match="damaged"):
        models.read_adapter_config(folder)


def test_an_adapter_of_another_kind_is_refused_by_its_name(tiny_adapter, tmp_path):
    folder = Path(shutil.copytree(tiny_adapter, tmp_path / "adapter"))
    (folder / "adapter_config.json").write_text('{"peft_type": "PREFIX_TUNING"}', encoding="utf-8")
    with pytest.raises(ModelError, match="PREFIX_TUNING"):
        models.read_adapter_config(folder)


def test_a_base_lies_where_it_is_told_to_lie(tiny_base):
    model, _ = models.load_base(str(tiny_base), four_bit=False, device_map={"": "meta"})
    assert {parameter.device.type for parameter in model.parameters()} == {"meta"}


AT_ONCE = """
import threading, time
from finetune import models

wrong = []

def load(delay):
    time.sleep(delay)
    try:
        models.load_tokenizer(str(models.DEMO_BASE))
    except BaseException as error:
        wrong.append(repr(error))

threads = [threading.Thread(target=load, args=(delay,)) for delay in (0, 0.3, 0.6, 1, 1.5)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(wrong)
"""


def test_threads_that_ask_for_the_library_at_once_each_find_all_of_it():
    done = subprocess.run([sys.executable, "-c", AT_ONCE], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "[]", done.stdout + done.stderr
