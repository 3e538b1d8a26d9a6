"""Take a run's result away: a zip file, a merged 16-bit model, a GGUF file, a repository on the Hub.

What vLLM serves is made by `serving.py`. Everything is built under another name and renamed when it is whole. A token
for the Hub is used and forgotten; notes, log and training rows stay in the run's folder. It does not know the page.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from finetune.data.prompts import PromptFormat
from finetune.errors import RunError
from finetune.recipe import Recipe
from finetune.training import licences, merging, metrics
from finetune.training.card import card, shareable
from finetune.training.runs import Run

FORMATS = ("zip", "merged", "gguf", "hub", "vllm")

QUANTISATIONS = ("q8_0", "f16", "bf16", "f32")
"""What llama.cpp's converter writes by itself, the default first; its `llama-quantize` makes smaller ones of these."""

CONVERTER = "convert_hf_to_gguf.py"

ADAPTER_FILES = ("adapter_model.safetensors", "adapter_config.json", "prompt_format.json")

Tell = Callable[[str], None]


def to_zip(run: Run, out: Path, tell: Tell = print) -> Path:
    """The adapter with card, recipe, metrics and data report as one zip file; returns its path.

    out: the file, or a folder to put `RUN.zip` in. RunError where the run has no adapter or is still at work.
    """
    require_adapter(run)
    out = out / place(run, "zip").name if out.is_dir() else out
    part = out.with_name(f"{out.name}.part")
    out.parent.mkdir(parents=True, exist_ok=True)
    try:
        with zipfile.ZipFile(part, "w") as archive:
            for name, content in _contents(run):
                packed = zipfile.ZIP_STORED if name.endswith(".safetensors") else zipfile.ZIP_DEFLATED
                if isinstance(content, Path):
                    archive.write(content, name, packed)
                else:
                    archive.writestr(name, content, packed)
        part.replace(out)
    finally:
        part.unlink(missing_ok=True)
    tell(f"adapter and model card: {out.stat().st_size / 1e6:.1f} MB in {out}")
    return out


def merge(run: Run, out: Path, tell: Tell = print) -> Path:
    """The merged model in a new folder, which transformers loads by itself; returns the folder.

    Errors as `merging.merge_into`; RunError also where the folder has something in it.
    """
    require_adapter(run)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise exists(out)
    recipe = run.recipe()
    text = card(run, merged=True)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f"{out.name}.part-", dir=out.parent) as part:
        folder = Path(part) / "model"
        folder.mkdir()  # with everybody's permissions, which a temporary folder has not
        merging.merge_into(folder, recipe.base.model, run.adapter, recipe.generation, tell)
        (folder / "README.md").write_text(text, encoding="utf-8")
        folder.replace(out)
    tell(f"merged model in {out}")
    return out


def to_gguf(run: Run, out: Path, quantisation: str = QUANTISATIONS[0], tell: Tell = print) -> Path:
    """The merged model as one GGUF file for llama.cpp, by its own converter; returns the file's path.

    out: the file, or a folder to put `RUN-QUANTISATION.gguf` in. The merged model is made for it and deleted
    again. RunError where the converter is not installed, with the command to run when it is, or fails, as it does on
    the demo model: it knows Llama 3's tokenizer, not the demo's.
    """
    require_adapter(run)
    if quantisation not in QUANTISATIONS:
        known = ", ".join(QUANTISATIONS)
        raise RunError(
            f"The converter writes no {quantisation}. Choose one of {known}.",
            key="export.quantisation",
            wanted=quantisation,
            known=known,
        )
    out = out / place(run, "gguf", quantisation).name if out.is_dir() else out
    converter = _converter(run, out, quantisation)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f"{out.name}.part-", dir=out.parent) as part:
        merged = merge(run, Path(part) / run.name, tell)  # the converter takes the model's name from the folder's
        made = Path(part) / "model.gguf"
        _convert([sys.executable, str(converter), str(merged), "--outfile", str(made), "--outtype", quantisation], tell)
        made.replace(out)
    tell(f"GGUF: {out.stat().st_size / 1e6:.1f} MB in {out}")
    return out


def to_hub(
    run: Run, repo_id: str, *, private: bool = True, token: str | None = None, api: Any = None, tell: Tell = print
) -> str:
    """Upload what the zip file holds to a model repository, made where it is missing; returns its address.

    token: by default $HF_TOKEN or what `hf auth login` keeps; it is handed to the Hub's client and written
    nowhere. api: stands in for `huggingface_hub.HfApi(token=…)`. RunError where there is no token, the Hub
    refuses or cannot be reached, a repository that should be private is public, or a public name breaks the
    licence of Llama.
    """
    require_adapter(run)
    import httpx
    from huggingface_hub import HfApi, get_token
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, OfflineModeIsEnabled
    from huggingface_hub.utils import validate_repo_id

    try:
        validate_repo_id(repo_id)
    except HFValidationError as error:
        raise RunError(
            f"{repo_id!r} cannot be a repository's name. Write OWNER/NAME with Latin letters, digits, -, _ and dots.",
            key="export.repo_id",
            repo=repo_id,
        ) from error
    name = repo_id.rsplit("/", 1)[-1]
    if not private and licences.llama(run.recipe().base.model) and not name.lower().startswith("llama"):
        raise RunError(
            f"The base's licence wants a public model's name to begin with Llama. Call it Llama-{name}, or keep it"
            " private.",
            key="export.llama_name",
            name=name,
        )
    token = token or get_token()
    if not token:
        raise RunError(
            "There is no token for the Hugging Face Hub. Make one that may write at https://huggingface.co/settings/tokens"
            " and set HF_TOKEN, or log in with `hf auth login`.",
            key="export.no_token",
        )
    api = api or HfApi(token=token)
    with tempfile.TemporaryDirectory() as folder:
        for file, content in _contents(run):
            target = Path(folder, file)
            target.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, Path):
                shutil.copyfile(content, target)
            else:
                target.write_bytes(content)
        tell(f"uploading to {repo_id} ({'private' if private else 'public'})")
        try:
            address = str(api.create_repo(repo_id, private=private, exist_ok=True))
            if (
                private and not api.repo_info(repo_id).private
            ):  # exist_ok leaves an older repository as public as it was
                raise RunError(
                    f"{repo_id} is there already, and it is public. Choose a new name, or make it private on its page.",
                    key="export.public_repo",
                    repo=repo_id,
                )
            api.upload_folder(repo_id=repo_id, folder_path=folder, commit_message=f"Add the adapter of {run.name}")
        except HfHubHTTPError as error:  # its text holds addresses and request numbers: nothing a person can use
            code = error.response.status_code
            raise RunError(
                f"The Hugging Face Hub refused {repo_id} (HTTP {code}). Check the name, and that the token may write"
                " there.",
                key="export.refused",
                repo=repo_id,
                code=code,
            ) from error
        except (httpx.HTTPError, OfflineModeIsEnabled) as error:
            raise RunError(
                f"The Hugging Face Hub cannot be reached ({type(error).__name__}). Check the network, and that"
                " HF_HUB_OFFLINE is not set, and try again.",
                key="export.unreachable",
                kind=type(error).__name__,
            ) from error
    tell(f"uploaded to {address}")
    return address


def artefact(recipe: Recipe, what: str) -> str:
    """How what comes of a recipe is called where it stands by itself: its adapter (`lora`), its model (`merged`)."""
    return f"{recipe.name}-bangla-empathic-{what}"


def place(run: Run, to: str, quantisation: str = QUANTISATIONS[0]) -> Path:
    """Where an export that stays on this disk goes when nobody says: a file or folder in the run's own `exports`."""
    if to == "merged":
        return run.folder / "exports" / artefact(run.recipe(), to)
    names = {"zip": f"{run.name}.zip", "gguf": f"{run.name}-{quantisation}.gguf"}
    return run.folder / "exports" / names.get(to, f"{run.name}-{to}")


def exists(out: Path) -> RunError:
    """What to tell where a folder would be made that has something in it."""
    return RunError(
        f"{out} is already there. Choose a new folder, or delete that one.", key="export.exists", out=str(out)
    )


def require_adapter(run: Run) -> None:
    """RunError where there is nothing to take away: no whole adapter yet, or a process that may replace it."""
    if run.status().active:
        raise RunError(
            f"{run.name} is still at work. Wait for its end, or stop it; its adapter is saved then.",
            key="export.active",
            run=run.name,
        )
    if not all((run.adapter / name).is_file() for name in ADAPTER_FILES[:2]):
        raise RunError(
            f"{run.name} has no adapter to take away. Train it to its end, or resume it and stop it: both save one.",
            key="export.no_adapter",
            run=run.name,
        )


def _contents(run: Run) -> Iterator[tuple[str, Path | bytes]]:
    """Names and contents of what is given away, the card first; files that a run may lack are left out."""
    style = PromptFormat.load(run.adapter)
    yield "README.md", card(run).encode()
    yield "recipe.yaml", shareable(run.recipe()).to_yaml().encode()
    yield "chat_template.jinja", merging.chat_template(style).encode()
    places = {name: run.adapter / name for name in ADAPTER_FILES}
    places |= {metrics.FILE: run.folder / metrics.FILE, "data/report.json": run.data / "report.json"}
    yield from ((name, path) for name, path in places.items() if path.is_file())


def _converter(run: Run, out: Path, quantisation: str) -> Path:
    """Where llama.cpp's converter lies: in $LLAMA_CPP_DIR or on the PATH."""
    folder = os.environ.get("LLAMA_CPP_DIR")
    found = Path(folder, CONVERTER) if folder else Path(shutil.which(CONVERTER) or CONVERTER)
    if found.is_file():
        return found.resolve()
    options = ["--run", run.folder, "--to", "gguf", "--quantisation", quantisation, "--out", out]
    command = f"LLAMA_CPP_DIR=llama.cpp {shlex.join(['python', '-m', 'finetune', 'export', *map(str, options)])}"
    raise RunError(
        f"llama.cpp's {CONVERTER} is not here ($LLAMA_CPP_DIR, PATH). Install it with `git clone --depth 1"
        " https://github.com/ggml-org/llama.cpp` and `pip install sentencepiece`, then run"
        f" `{command}`.",
        key="export.no_converter",
        command=command,
    )


def _convert(command: list[str], tell: Tell) -> None:
    last = ""
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, encoding="utf-8", errors="replace"
    ) as child:
        for line in child.stdout:
            last = line.strip() or last
            tell(line.rstrip())
    if child.returncode:
        raise RunError(
            f"llama.cpp's converter failed: {last or 'it said nothing'}. Check that it is new enough and knows this"
            " base.",
            key="export.converter_failed",
            text=last,
        )
