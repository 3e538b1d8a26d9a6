"""Serve a run's adapter with vLLM: a folder to take to the machine with the card, and how the app finds it there.

    adapter/  the adapter    chat_template.jinja  the format it learnt    serve-vllm.sh  starts vLLM with both

It starts no server and knows no page; what the app sends to one is in `inference/remote.py`.
"""

from __future__ import annotations

import json
import shlex
import shutil
import tempfile
from pathlib import Path
from typing import Any

from finetune import models
from finetune.data.prompts import PromptFormat
from finetune.errors import RunError
from finetune.inference.context import WINDOW
from finetune.inference.remote import served_name
from finetune.inference.server_errors import MODEL, URL
from finetune.training import export, merging
from finetune.training.export import Tell
from finetune.training.runs import Run

SCRIPT = "serve-vllm.sh"

RANKS = (8, 16, 32, 64, 128, 256, 320, 512)
"""What vLLM's --max-lora-rank takes (`vllm/config/lora.py`); it sets memory aside for it, so the least does."""

ADDRESS = "http://localhost:8000/v1"
"""Where `vllm serve` answers when nobody says otherwise."""


def to_vllm(run: Run, out: Path, tell: Tell = print) -> Path:
    """The folder that vLLM serves, made new; returns it, and tells the two lines that point the app at it.

    RunError where the run has no adapter or is still at work, vLLM could not serve it, or `out` has something in it.
    """
    export.require_adapter(run)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise export.exists(out)
    base, config = run.recipe().base.model, models.read_adapter_config(run.adapter)
    written = script(served_name(run.adapter), base, config, longest(base))
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f"{out.name}.part-", dir=out.parent) as part:
        folder = Path(part) / "served"
        (folder / "adapter").mkdir(parents=True)
        for name in export.ADAPTER_FILES:
            if (run.adapter / name).is_file():
                shutil.copyfile(run.adapter / name, folder / "adapter" / name)
        template = merging.chat_template(PromptFormat.load(run.adapter))
        (folder / "chat_template.jinja").write_text(template, encoding="utf-8")
        (folder / SCRIPT).write_text(written, encoding="utf-8")
        (folder / SCRIPT).chmod(0o755)
        folder.replace(out)
    tell(f"where vLLM is installed: sh {shlex.quote(str(out / SCRIPT))}")
    for line in environment(base):
        tell(line)
    return out


def environment(base: str) -> tuple[str, str]:
    """The two lines for a shell after which the app asks the server, on the same machine."""
    return f"export {URL}={ADDRESS}", f"export {MODEL}={shlex.quote(_served(base))}"


def script(name: str, base: str, config: dict[str, Any], most_tokens: int) -> str:
    """The shell script that serves a base and one adapter; what is given to the script is handed on to vLLM.

    name: what the server calls the adapter; config: its adapter_config.json; most_tokens: prompt and reply together.
    RunError for an adapter with trained biases, which vLLM refuses.
    """
    if config.get("bias", "none") != "none":
        raise RunError(
            "vLLM cannot serve an adapter that has trained biases. Export it with --to merged, and serve that model.",
            key="export.vllm_bias",
        )
    # As JSON, for of NAME=PATH vLLM takes a name apart that has an equals sign in it.
    module = json.dumps({"name": name, "path": "adapter"}, ensure_ascii=False)
    rank = next(allowed for allowed in RANKS if allowed >= config["r"])
    return f"""#!/bin/sh
# Serves {" ".join(name.split())} beside its base; more options for vLLM may follow: sh {SCRIPT} --port 8001
set -eu
cd "$(dirname "$0")"
exec vllm serve {shlex.quote(_served(base))} \\
  --enable-lora --lora-modules {shlex.quote(module)} --max-lora-rank {rank} \\
  --max-model-len {most_tokens} --chat-template chat_template.jinja "$@"
"""


def longest(base: str) -> int:
    """Tokens of prompt and reply together: what the app asks for at most, or what a base on this disk can take."""
    file = Path(models.resolve(base), "config.json")
    known = json.loads(file.read_text(encoding="utf-8")).get("max_position_embeddings") if file.is_file() else None
    return min(WINDOW, known or WINDOW)


def _served(base: str) -> str:
    """What vLLM is to load, and so what it calls the base: a folder in full, for the script has changed its own."""
    source = models.resolve(base)
    return str(Path(source).resolve()) if Path(source).is_dir() else source
