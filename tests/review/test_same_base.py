"""finetune/review/same_base.py: refused is only what is certainly another base."""

import json
import shutil

import pytest

from finetune import models
from finetune.errors import BackendError
from finetune.review import same_base

LLAMA_31 = "unsloth/Meta-Llama-3.1-8B-Instruct"


@pytest.mark.parametrize(
    ("named", "resident", "others"),
    [
        ("unsloth/llama-3-8b-Instruct-bnb-4bit", LLAMA_31, True),
        ("meta-llama/Meta-Llama-3-8B-Instruct", LLAMA_31, True),
        ("meta-llama/Llama-3.1-8B", LLAMA_31, True),
        ("meta-llama/Llama-3.1-8B-Instruct", LLAMA_31, False),
        ("unsloth/meta-llama-3.1-8b-instruct-unsloth-bnb-4bit", LLAMA_31, False),
        (f"/cache/models--{LLAMA_31.replace('/', '--')}/snapshots/0a1b", LLAMA_31, False),
        ("/cache/models--meta-llama--Meta-Llama-3-8B-Instruct/snapshots/0a1b", LLAMA_31, True),
        ("assets/demo/base", str(models.DEMO_BASE), False),
        ("/gone/from/another/machine", str(models.DEMO_BASE), False),
        ("/gone/from/another/machine", LLAMA_31, False),
        (LLAMA_31, "/a/copy/in/a/folder", False),
    ],
)
def test_names_are_compared_whoever_copied_the_model_and_folders_prove_nothing(named, resident, others):
    assert same_base.certainly_others(named, resident) is others
    assert same_base.certainly_others(resident, named) is others


@pytest.fixture
def folders(tmp_path):
    """Two folders with the configuration of one model, of which the second may be changed."""

    def make(**changes):
        config = {"vocab_size": 128256, "max_position_embeddings": 131072, "rms_norm_eps": 1e-05}
        config |= {"rope_theta": 500000.0, "rope_scaling": {"rope_type": "llama3", "factor": 8.0}}
        for name, told in (("one", config), ("renamed", {**config, **changes})):
            (tmp_path / name).mkdir()
            (tmp_path / name / "config.json").write_text(json.dumps(told), encoding="utf-8")
        return str(tmp_path / "one"), str(tmp_path / "renamed")

    return make


def test_a_folder_that_was_copied_renamed_or_merged_is_not_refused(folders):
    assert not same_base.certainly_others(*folders(torch_dtype="bfloat16", transformers_version="5.17.0"))


def test_a_configuration_is_read_as_any_version_of_transformers_writes_it(folders):
    told = {"rope_type": "llama3", "factor": 8.0, "rope_theta": 500000.0}
    assert not same_base.certainly_others(*folders(rope_theta=None, rope_scaling=None, rope_parameters=told))


def test_folders_of_one_shape_whose_positions_turn_otherwise_are_told_apart(folders):
    assert same_base.certainly_others(*folders(max_position_embeddings=8192, rope_scaling=None))


def test_the_sentence_names_both_bases(tmp_path):
    shutil.copytree(models.DEMO_ADAPTER, tmp_path / "own")
    same_base.check(tmp_path / "own", str(models.DEMO_BASE))
    file = tmp_path / "own" / "adapter_config.json"
    named = json.loads(file.read_text("utf-8")) | {"base_model_name_or_path": "meta-llama/Meta-Llama-3-8B-Instruct"}
    file.write_text(json.dumps(named), encoding="utf-8")
    with pytest.raises(BackendError) as caught:
        same_base.check(tmp_path / "own", LLAMA_31)
    assert caught.value.key == "backend.other_base"
    assert "Meta-Llama-3-8B-Instruct" in str(caught.value) and LLAMA_31 in str(caught.value)
