"""Whatever can answer has a short spelling and a fingerprint; whatever cannot is told in one sentence."""

import shutil

import httpx
import pytest
from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError

from finetune import models
from finetune.data.prompts import PromptFormat
from finetune.errors import FinetuneError
from finetune.recipe import Recipe
from finetune.review import contestants
from finetune.review.contestants import contestant
from finetune.training import runs


@pytest.fixture
def run(tmp_path):
    """A run with an adapter and one whole checkpoint, both copies of the demo's."""
    made = runs.create(tmp_path, Recipe.read("demo").with_settings({"data.prompt_format": "reference"}))
    shutil.copytree(models.DEMO_ADAPTER, made.adapter)
    point = made.checkpoints / "checkpoint-55"
    shutil.copytree(models.DEMO_ADAPTER, point)
    (point / "prompt_format.json").unlink()
    for part in ("optimizer.pt", "scheduler.pt"):
        (point / part).touch()
    (point / "trainer_state.json").write_text('{"log_history": []}')
    return made


def test_all_that_is_here_is_known_by_its_spelling(run, tmp_path):
    names = ["base", "demo", f"run:{run.name}", f"run:{run.name}/checkpoint-55"]
    assert contestants.known(tmp_path) == names
    for name in names:
        assert contestant(name, tmp_path).spelling == name
    assert contestant(run.name, tmp_path).spelling == f"run:{run.name}"
    assert [contestant(name, tmp_path).title for name in names] == [
        "base",
        "demo",
        run.name,
        f"{run.name}/checkpoint-55",
    ]


def test_a_checkpoint_answers_in_its_run_s_own_prompt_format(run, tmp_path):
    point = contestant(f"run:{run.name}/checkpoint-55", tmp_path)
    assert PromptFormat.load(point.adapter).name == "reference"


def test_a_fingerprint_follows_weights_and_format_and_not_the_folder(run, tmp_path):
    one = contestant(f"run:{run.name}", tmp_path).fingerprint()
    assert one == contestant("demo", tmp_path).fingerprint()
    PromptFormat("official", "অন্য কথা").save(run.adapter)
    assert contestant(f"run:{run.name}", tmp_path).fingerprint() != one
    assert contestant("base", tmp_path).fingerprint() not in (one, "")
    PromptFormat.load(models.DEMO_ADAPTER).save(run.adapter)
    assert contestant(f"run:{run.name}", tmp_path).fingerprint() == one
    with (run.adapter / "adapter_model.safetensors").open("ab") as weights:
        weights.write(b"0")
    assert contestant(f"run:{run.name}", tmp_path).fingerprint() != one


def test_a_remote_model_is_named_with_its_address(tmp_path):
    one = contestant("remote:my/model@http://localhost:8000/v1", tmp_path)
    assert (one.model, one.url, one.remote, one.adapter) == ("my/model", "http://localhost:8000/v1", True, None)


@pytest.mark.parametrize(
    "spelling",
    ["", "nobody-001", "run:nobody-001", "run:../x", "hub:", "hub:a/../b", "hub:/etc", "remote:m", "remote:@http://x",
     "remote:m@ftp://x", "remote:m@http://name:secret@x", "elephant:x", "run:demo-001/checkpoint-x"],
)  # fmt: skip
def test_what_cannot_be_compared_is_one_clear_sentence_without_secrets(tmp_path, spelling):
    with pytest.raises(FinetuneError) as caught:
        contestant(spelling, tmp_path)
    assert caught.value.key and "\n" not in str(caught.value) and "secret" not in str(caught.value)


@pytest.fixture
def fetched(tmp_path, monkeypatch):
    """A folder that lies in the Hub's cache as `owner/name`, as if it had been fetched; tests are offline."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    repository, commit = tmp_path / "hub" / "models--owner--name", "0" * 40
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(commit)
    snapshot = repository / "snapshots" / commit
    snapshot.mkdir(parents=True)
    return snapshot


def test_an_adapter_from_the_hub_is_the_adapter_that_was_put_there(fetched, tmp_path):
    for name in ("adapter_config.json", "adapter_model.safetensors", "prompt_format.json"):
        shutil.copy(models.DEMO_ADAPTER / name, fetched / name)
    one = contestant("hub:owner/name", tmp_path)
    assert (one.adapter, one.title) == (fetched, "owner/name")
    assert one.fingerprint() == contestant("demo", tmp_path).fingerprint()


def test_a_hub_model_that_is_no_adapter_is_told(fetched, tmp_path):
    shutil.copy(models.DEMO_BASE / "config.json", fetched)
    with pytest.raises(FinetuneError) as caught:
        contestant("hub:owner/name", tmp_path)
    assert (caught.value.key, caught.value.facts) == ("review.hub_no_adapter", {"name": "owner/name"})


@pytest.mark.parametrize(
    ("kind", "key"), [(GatedRepoError, "review.hub_gated"), (RepositoryNotFoundError, "review.hub_missing")]
)
def test_what_the_hub_does_not_give_out_is_told_with_what_to_do(tmp_path, monkeypatch, kind, key):
    def refuse(*_, **__):
        raise kind("401 Client Error", response=httpx.Response(401, request=httpx.Request("GET", "https://hub")))

    monkeypatch.setattr("huggingface_hub.snapshot_download", refuse)
    with pytest.raises(FinetuneError) as caught:
        contestant("hub:owner/name", tmp_path)
    assert caught.value.key == key and "401" not in str(caught.value)


def test_a_hub_that_cannot_be_reached_is_told(tmp_path):
    with pytest.raises(FinetuneError) as caught:
        contestant("hub:owner/name", tmp_path)
    assert caught.value.key == "review.hub"
