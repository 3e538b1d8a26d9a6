"""A base from the Hub that cannot be had: each cause has its own sentence, in both languages, with what to do next.

No network: answers of the Hub are made up here, and huggingface_hub's own code decides which of its errors they are.
"""

import errno
import json
import re
import shutil
from collections import namedtuple
from pathlib import Path
from types import SimpleNamespace

import httpx
import huggingface_hub
import pytest
from huggingface_hub import constants
from huggingface_hub.errors import LocalEntryNotFoundError, XetDownloadError
from huggingface_hub.utils import hf_raise_for_status

from finetune import fetching, models
from finetune.errors import ModelError
from ui import wording

MODEL = "somebody/some-llama"
Disk = namedtuple("Disk", "total used free")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of the Hub, and a network that may be asked."""
    from huggingface_hub import file_download
    from transformers.utils import hub

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    for module in (constants, file_download.constants):
        monkeypatch.setattr(module, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(hub, "is_offline_mode", lambda: False)
    return tmp_path / "cache"


def answered(status: int, **headers: str) -> None:
    """What huggingface_hub raises where the Hub answers so."""
    asked = httpx.Request("GET", f"https://huggingface.co/{MODEL}/resolve/main/config.json")
    given = {f"X-Error-{name.title()}": value for name, value in headers.items()}
    hf_raise_for_status(httpx.Response(status, headers=given, request=asked))


def unreachable() -> None:
    try:
        raise httpx.ConnectError("[Errno -3] Temporary failure in name resolution")
    except httpx.ConnectError as error:
        raise LocalEntryNotFoundError("An error happened while trying to locate the file on the Hub.") from error


def full() -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def full_beneath_python() -> None:
    raise RuntimeError("Data processing error: I/O error: No space left on device (os error 28)")


def broke_off() -> None:
    raise XetDownloadError("connection reset")


CAUSES = {
    "model.gated": [
        lambda: answered(401, code="GatedRepo", message="Access to model somebody/some-llama is restricted."),
        lambda: answered(403, code="GatedRepo", message="You are not in the authorized list."),
    ],
    "model.not_on_hub": [
        lambda: answered(404, code="RepoNotFound", message="Repository not found"),
        lambda: answered(401),  # what somebody without a token is told of a repository that does not exist
    ],
    "model.token": [
        lambda: answered(401, message="Invalid credentials in Authorization header"),
        lambda: answered(403, message="Forbidden: your token lacks a permission"),
    ],
    "model.not_whole": [lambda: answered(404, code="EntryNotFound", message="Entry not found")],
    "model.hub_failed": [lambda: answered(503, message="Service unavailable"), lambda: answered(429)],
    "model.no_network": [unreachable, broke_off],
    "model.disk_full": [full, full_beneath_python],
}


@pytest.mark.parametrize(("key", "cause"), [(key, cause) for key, causes in CAUSES.items() for cause in causes])
def test_each_reason_why_a_base_cannot_be_fetched_has_its_own_sentence(cache, monkeypatch, key, cause):
    from transformers.utils import hub

    for module in (huggingface_hub, hub):
        monkeypatch.setattr(module, "hf_hub_download", lambda *_, **__: cause())
    with pytest.raises(ModelError) as told:
        models.load_base(MODEL, four_bit=False)
    assert told.value.key == key
    assert MODEL in str(told.value) and "\n" not in str(told.value)
    bengali = wording.error(told.value, "bn")
    assert MODEL in bengali and "{" not in bengali and re.search("[\u0980-\u09ff]", bengali)


LATER = {key: causes for key, causes in CAUSES.items() if key != "model.not_whole"}
"""Of a file that is not there transformers itself tells later on."""


@pytest.mark.parametrize(("key", "cause"), [(key, cause) for key, causes in LATER.items() for cause in causes])
def test_so_has_what_goes_wrong_later_where_transformers_wraps_it(cache, monkeypatch, tiny_base, key, cause):
    from transformers.utils import hub

    cached(cache, tiny_base, "config.json")
    monkeypatch.setattr(hub, "hf_hub_download", lambda *_, **__: cause())
    monkeypatch.setattr(hub, "snapshot_download", lambda *_, **__: cause())
    with pytest.raises(ModelError) as told, models.load_errors(MODEL):
        hub.cached_file(MODEL, "model.safetensors")
    assert told.value.key == key


def test_a_name_that_cannot_be_one_is_told_as_no_model_of_the_hub(cache):
    with pytest.raises(ModelError) as told:
        models.load_tokenizer("a..b")
    assert told.value.key == "model.not_on_hub"


def test_a_full_disk_is_told_for_a_folder_too_and_a_damaged_one_is_not_sent_to_the_network(tiny_base):
    with pytest.raises(ModelError) as told, models.load_errors(str(tiny_base)):
        full()
    assert told.value.key == "model.disk_full"
    with pytest.raises(ModelError) as told, models.load_errors(str(tiny_base)):
        raise ValueError("damaged")
    assert told.value.key == "model.damaged_base" and "network" not in str(told.value)


# Room for what is still to be fetched


def cached(cache: Path, base: Path, *names: str) -> Path:
    """Files of a base in the Hub's cache, as if they had been fetched."""
    repository = cache / f"models--{MODEL.replace('/', '--')}"
    snapshot = repository / "snapshots" / ("0" * 40)
    snapshot.mkdir(parents=True, exist_ok=True)
    (repository / "refs").mkdir(exist_ok=True)
    (repository / "refs" / "main").write_text("0" * 40, encoding="utf-8")
    for name in names:
        shutil.copyfile(base / name, snapshot / name)
    return snapshot


def on_the_hub(monkeypatch: pytest.MonkeyPatch, **sizes: int) -> None:
    files = [SimpleNamespace(rfilename=name.replace("__", "/"), size=size) for name, size in sizes.items()]
    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", lambda *_, **__: SimpleNamespace(siblings=files))


def free(monkeypatch: pytest.MonkeyPatch, gigabytes: float) -> None:
    monkeypatch.setattr(fetching.shutil, "disk_usage", lambda _: Disk(10**12, 0, int(gigabytes * 1e9)))


SHARDS = {f"model-0000{number}-of-00002.safetensors": int(8e9) for number in (1, 2)}


def test_a_download_that_has_no_room_is_refused_before_it_begins_with_both_figures(cache, monkeypatch):
    on_the_hub(monkeypatch, **SHARDS, **{"original__consolidated.00.pth": int(16e9), "config.json": 900})
    free(monkeypatch, 16.1)
    fetching.refuse_where_short(MODEL)
    free(monkeypatch, 9.0)
    with pytest.raises(ModelError, match=r"takes 16\.0 GB to fetch, and 9\.0 GB are free.*HF_HOME") as told:
        fetching.refuse_where_short(MODEL)
    assert told.value.key == "model.no_room"
    assert "১৬.০ GB" in wording.error(told.value, "bn") and "HF_HOME" in wording.error(told.value, "bn")


def test_what_has_been_fetched_already_needs_no_room(cache, monkeypatch, tiny_base):
    on_the_hub(monkeypatch, **SHARDS)
    free(monkeypatch, 9.0)
    snapshot = cached(cache, tiny_base, "config.json")
    (snapshot / "model-00001-of-00002.safetensors").write_bytes(b"")
    fetching.refuse_where_short(MODEL)


def test_where_the_hub_does_not_tell_the_size_the_download_is_let_try(cache, monkeypatch):
    free(monkeypatch, 0.0)
    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", lambda *_, **__: answered(503))
    fetching.refuse_where_short(MODEL)


def test_a_base_is_refused_for_want_of_room_before_transformers_is_asked_for_it(cache, monkeypatch, tiny_base):
    cached(cache, tiny_base, "config.json", "tokenizer.json", "tokenizer_config.json")
    on_the_hub(monkeypatch, **SHARDS)
    free(monkeypatch, 1.0)
    monkeypatch.setattr(models, "load_tokenizer", lambda _: None)
    with pytest.raises(ModelError) as told:
        models.load_base(MODEL, four_bit=False)
    assert told.value.key == "model.no_room"


def test_a_base_is_here_when_all_of_its_weights_are(cache, tiny_base, tmp_path):
    assert fetching.here(str(tiny_base)) and not fetching.here(MODEL) and not fetching.here("a..b")
    snapshot = cached(cache, tiny_base, "config.json")
    assert not fetching.here(MODEL)
    (snapshot / "model.safetensors.index.json").write_text('{"weight_ma', encoding="utf-8")
    assert not fetching.here(MODEL)
    index = {"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}}
    (snapshot / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")
    (snapshot / "model-00001-of-00002.safetensors").write_bytes(b"")
    assert not fetching.here(MODEL)
    assert fetching.to_fetch_gb(MODEL, int(8e9), tmp_path) == pytest.approx(16.0)
    (snapshot / "model-00002-of-00002.safetensors").write_bytes(b"")
    assert fetching.here(MODEL)
    assert fetching.to_fetch_gb(MODEL, int(8e9), tmp_path) == fetching.to_fetch_gb(str(tiny_base), 10**9, tmp_path) == 0


def test_a_cache_on_another_disk_takes_nothing_of_the_runs_disk(cache, tmp_path, monkeypatch):
    monkeypatch.setattr(fetching, "_cache", lambda: Path("/dev/shm/nowhere"))
    assert fetching.to_fetch_gb(MODEL, int(8e9), tmp_path) == 0
