"""A base from the Hugging Face Hub: what of it is still to be fetched, and in one sentence why it cannot be had.

It looks at folders and at the Hub, and judges errors by their kinds, those that led to them included. It loads nothing.
"""

from __future__ import annotations

import errno
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from finetune.errors import ModelError
from finetune.recipe import ROOT

OPEN_COPY = "unsloth/Meta-Llama-3.1-8B-Instruct"

HUB_ID = re.compile(r"[\w.-]+(/[\w.-]+)?", re.ASCII)

DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT)

DISK_SIGNS = ("no space left on device", "disk quota exceeded")
"""What downloaders that are not written in Python say in place of an OSError's number."""

GB = 1e9


def problem(model: str, error: BaseException, *, local: bool) -> ModelError:
    """What to tell of an error that loading a base raised; `local`: it is a folder, and the Hub was not asked."""
    import httpx
    from huggingface_hub import is_offline_mode
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
        OfflineModeIsEnabled,
        RemoteEntryNotFoundError,
        RepositoryNotFoundError,
        XetDownloadError,
    )

    chain = list(_chain(error))

    def any_of(*kinds: type[BaseException]) -> Any:
        return next((one for one in chain if isinstance(one, kinds)), None)

    if disk_full(error):
        return _full(model)
    if local:
        return ModelError(
            f"The model in {model} cannot be loaded ({type(error).__name__}): a file is missing or damaged, or it is no"
            " model that transformers knows. Copy the folder anew, or choose another one.",
            key="model.damaged_base",
            model=model,
        )
    if any_of(GatedRepoError):
        return ModelError(
            f"{model} is a gated model: accept its licence on its Hugging Face page and log in (`hf auth login`), or"
            f" use an open copy such as {OPEN_COPY}.",
            key="model.gated",
            model=model,
            copy=OPEN_COPY,
        )
    if any_of(RepositoryNotFoundError, HFValidationError):
        return ModelError(
            f"There is no model {model} on the Hugging Face Hub, or it is private. Check the name letter by letter; for"
            " a private one log in with `hf auth login`.",
            key="model.not_on_hub",
            model=model,
        )
    if any_of(RemoteEntryNotFoundError):
        return ModelError(
            f"What {model} is on the Hugging Face Hub is no whole model (a file such as config.json is not there): an"
            " adapter alone, say, or a GGUF. Give the base that it was made from.",
            key="model.not_whole",
            model=model,
        )
    refused = any_of(HfHubHTTPError)
    code = refused.response.status_code if refused is not None else 0
    if code in (401, 403):
        return ModelError(
            f"The Hugging Face Hub refused to give {model} (HTTP {code}): the token does not hold, or may not read it."
            " Log in anew with `hf auth login`, or take HF_TOKEN out of the environment for a public model.",
            key="model.token",
            model=model,
            code=code,
        )
    if code:
        return ModelError(
            f"The Hugging Face Hub could not give {model} (HTTP {code}). That is mostly over soon: try again in a few"
            " minutes.",
            key="model.hub_failed",
            model=model,
            code=code,
        )
    if any_of(OfflineModeIsEnabled) or (is_offline_mode() and any_of(LocalEntryNotFoundError)):
        return ModelError(
            f"{model} is not on this machine, and HF_HUB_OFFLINE forbids to fetch it over the network. Unset that, or"
            " give the folder of a model that is here.",
            key="model.offline",
            model=model,
        )
    if any_of(LocalEntryNotFoundError, httpx.TransportError, XetDownloadError, ConnectionError, TimeoutError):
        return ModelError(
            f"{model} is not on this machine, and the Hugging Face Hub cannot be reached. Check the network, then try"
            " again: what had been fetched by then is kept.",
            key="model.no_network",
            model=model,
        )
    return ModelError(
        f"The model {model} cannot be loaded ({type(error).__name__}): it is no model that transformers knows, or"
        " what was fetched of it is damaged. Choose another one, or delete its folder in Hugging Face's cache and try"
        " again.",
        key="model.cannot_load",
        model=model,
    )


def find(model: str) -> None:
    """Have the Hub, or its cache, give a model's config.json; it raises what stands in the way, by its own kinds.

    transformers asks for a tokenizer first and passes over some of what is wrong then.
    """
    from huggingface_hub import hf_hub_download, try_to_load_from_cache

    if not isinstance(try_to_load_from_cache(model, "config.json"), str):
        hf_hub_download(model, "config.json")


def failures() -> tuple[type[BaseException], ...]:
    """The kinds of errors by which fetching fails, beside an OSError."""
    import httpx
    from huggingface_hub.errors import EntryNotFoundError, XetDownloadError

    return httpx.HTTPError, EntryNotFoundError, XetDownloadError


def disk_full(error: BaseException) -> bool:
    """Whether an error, or one that led to it, says that a disk is full."""
    return any(
        getattr(one, "errno", None) in DISK_ERRORS or any(sign in str(one).lower() for sign in DISK_SIGNS)
        for one in _chain(error)
    )


def refuse_where_short(model: str) -> None:
    """Raises ModelError where the weights that are still to be fetched have no room on the disk of the Hub's cache.

    Where their size cannot be learnt now, the download is let try: it says itself what stands in its way.
    """
    import httpx
    from huggingface_hub import HfApi, try_to_load_from_cache
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    if here(model):
        return
    try:
        files = HfApi().model_info(model, files_metadata=True).siblings or ()
    except (HfHubHTTPError, httpx.HTTPError, OfflineModeIsEnabled):
        return
    sizes = {file.rfilename: file.size or 0 for file in files if "/" not in file.rfilename}
    weights = [name for name in sizes if name.endswith(".safetensors")] or [n for n in sizes if n.endswith(".bin")]
    needed = sum(sizes[name] for name in weights if not isinstance(try_to_load_from_cache(model, name), str))
    free = shutil.disk_usage(_there(_cache())).free
    if needed > free:
        raise ModelError(
            f"{model} takes {needed / GB:,.1f} GB to fetch, and {free / GB:,.1f} GB are free on the disk of {_cache()}."
            " Free some space there, or set HF_HOME to a folder on a larger disk.",
            key="model.no_room",
            model=model,
            needed=f"{needed / GB:,.1f}",
            free=f"{free / GB:,.1f}",
            folder=str(_cache()),
        )


def to_fetch_gb(model: str, parameters: int, home: Path) -> float:
    """What fetching a base's 16-bit weights will take of the disk of `home`, in GB; 0 where they are here already.

    0 also where the Hub's cache is on another disk. Asks no network.
    """
    if not HUB_ID.fullmatch(model) or here(model):
        return 0.0
    same = _there(_cache()).stat().st_dev == _there(home).stat().st_dev
    return 2 * parameters / GB if same else 0.0


def here(model: str) -> bool:
    """Whether a base's weights are on this machine, whole: in a folder of that name, or in the Hub's cache."""
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    if Path(model).is_dir() or (ROOT / model).is_dir():
        return True
    try:
        found = [try_to_load_from_cache(model, name) for name in ("model.safetensors", "model.safetensors.index.json")]
    except HFValidationError:  # "a..b" has only allowed letters, and is no id all the same
        return False
    single, index = (Path(one) if isinstance(one, str) else None for one in found)
    if single or index is None:
        return single is not None
    try:
        shards = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
    except (ValueError, TypeError, KeyError):  # cut off or damaged: loading will say so, or fetch it anew
        return False
    return all((index.parent / shard).is_file() for shard in shards)


def _full(model: str) -> ModelError:
    free = shutil.disk_usage(_there(_cache())).free / GB
    return ModelError(
        f"The disk filled up while {model} was being fetched or loaded ({free:,.1f} GB are free where {_cache()} lies)."
        " Free some space, or set HF_HOME to a folder on a larger disk, then try again.",
        key="model.disk_full",
        model=model,
        free=f"{free:,.1f}",
        folder=str(_cache()),
    )


def _cache() -> Path:
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE)


def _there(folder: Path) -> Path:
    """A folder, or the nearest above it that exists."""
    return next(one for one in (folder.resolve(), *folder.resolve().parents) if one.is_dir())


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """The error and what led to it."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
