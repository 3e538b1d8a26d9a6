"""The model card of a run: what went in, what came out, how to load it, and who should leave it alone.

Hugging Face's front matter and Markdown. Only what the run's folder tells stands in it, and what it
does not tell is said to be unknown. It does not know where the card goes (`export.py`).
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from finetune import models
from finetune import recipe as recipes
from finetune.data.prompts import PromptFormat
from finetune.errors import ModelError
from finetune.recipe import Recipe
from finetune.training import evaluated, history, licences, metrics
from finetune.training.runs import Run

USE = """\
Short, warm replies in Bengali to what a person tells about their day: research on empathetic dialogue, prototypes, and
comparison with the base. A person should read along, or at least know that no person answers."""

LIMITS = """\
- **Not a therapist and no help in a crisis.** It cannot tell how bad things are, calls nobody, and can say the wrong
  thing to a person who is thinking of dying. Put a crisis screen and real helplines before it; that of the project
  that trained it knows direct words only.
- **Who should not use it:** people in distress who have nobody else to turn to, children and teenagers by themselves,
  and anyone who looks for medical, legal or financial advice, or for facts.
- It invents things, forgets, and can repeat prejudices of its base and of its training data.
- Trained on single questions and replies, not on conversations; not tried in other languages or in Banglish.

এই মডেল কোনো মনোবিদ বা চিকিৎসক নয়, বিপদের মুহূর্তের ভরসাও নয়। কষ্ট বেশি হলে কাছের কাউকে বা একজন চিকিৎসককে জানান।"""

LOAD_ADAPTER = """\
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

base = {base}
folder = "."  # where these files lie; for a repository: huggingface_hub.snapshot_download("owner/name")
tokenizer = AutoTokenizer.from_pretrained(base)
tokenizer.chat_template = open(f"{{folder}}/chat_template.jinja", encoding="utf-8").read()
model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base, dtype="auto"), folder)
"""

LOAD_MERGED = """\
from transformers import AutoModelForCausalLM, AutoTokenizer

folder = "."  # where these files lie, or the repository's owner/name
tokenizer = AutoTokenizer.from_pretrained(folder)
model = AutoModelForCausalLM.from_pretrained(folder, dtype="auto")
"""

ANSWER = """\
messages = [{{"role": "user", "content": "আজ মনটা ভালো নেই।"}}]
inputs = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=True, return_tensors="pt")
end = tokenizer.convert_tokens_to_ids("<|eot_id|>")
reply = model.generate(**inputs, max_new_tokens={max_new_tokens}, eos_token_id=end{sampling})
print(tokenizer.decode(reply[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True))
"""


def card(run: Run, *, merged: bool = False) -> str:
    """The card, for the adapter or for the merged model; RunError or ModelError where the run's files are damaged."""
    recipe = run.recipe()
    front = {
        "base_model": recipe.base.model,
        "base_model_relation": "finetune" if merged else "adapter",
        "library_name": "transformers" if merged else "peft",
        "pipeline_tag": "text-generation",
        "language": ["bn"],
        "tags": ["lora", recipe.training.objective, "bengali", "empathy", "shohomormi"],
        **licences.front_matter(recipe),
    }
    if not on_hub(recipe.base.model):  # the Hub refuses a base that it does not have
        del front["base_model"], front["base_model_relation"]
    sections = {
        "What it is": _table(_identity(run, recipe, merged)),
        "Data": _data(run, recipe),
        "Training": _table(_training(run, recipe)),
        "How to load it": _loading(recipe, merged),
        "Intended use": USE,
        "Limits": LIMITS,
        "Evaluation": _evaluation(run),
        "Licence": "\n".join(f"- {line}" for line in licences.notes(recipe)),
        "Recipe": _fenced(shareable(recipe).to_yaml(), "yaml"),
    }
    body = "\n\n".join(f"## {title}\n\n{text.strip()}" for title, text in sections.items())
    head = yaml.safe_dump(front, allow_unicode=True, sort_keys=False, width=120)
    kind = "merged model" if merged else "LoRA adapter"
    built = "Built with Llama.\n\n" if licences.llama(recipe.base.model) else ""
    opening = f"A {kind} that answers in Bengali, trained with Shohomormi from the run `{run.name}`."
    return f"---\n{head}---\n\n# {run.name}\n\n{built}{opening}\n\n{body}\n"


def shareable(recipe: Recipe) -> Recipe:
    """The recipe without this machine's folders and without the messages that its maker watched it answer.

    Of uploaded data and of an adapter it went on from a name will do.
    """
    recipe = recipe.with_settings({"training.sample_prompts": recipes.default("training.sample_prompts")})
    data, start = Path(recipe.data.source), Path(recipe.adapter.start_from)
    if data.is_absolute():
        recipe = recipe.with_settings({"data.source": data.name})
    if start.is_absolute():  # a run's adapter lies in RUN/adapter
        recipe = recipe.with_settings(
            {"adapter.start_from": start.name if start.name != "adapter" else start.parent.name}
        )
    return recipe


def on_hub(model: str) -> bool:
    """True where a base is named by its Hub id and no folder on this machine."""
    try:
        return not Path(models.resolve(model)).is_dir()
    except ModelError:  # a folder, and it is gone
        return False


def _identity(run: Run, recipe: Recipe, merged: bool) -> dict[str, Any]:
    config = models.read_adapter_config(run.adapter)
    a = recipe.adapter
    status = run.status()
    began = datetime.fromtimestamp(status.started, UTC).strftime("%Y-%m-%d %H:%M UTC") if status.started else None
    trained_on = "4-bit copy (NF4) of the base" if recipe.base.load_in_4bit else "base in 16 or 32 bits"
    return {
        "Base": f"{_base(recipe)}, revision unknown",
        "Trained on": trained_on,
        "Merged into": "the original base in its own number format" if merged else None,
        "Learnt by": _objective(recipe),
        "Went on from": f"the adapter {shareable(recipe).adapter.start_from}" if a.start_from else None,
        "Method": f"LoRA, r {a.r}, alpha {a.lora_alpha}, dropout {a.lora_dropout}, {', '.join(a.target_modules)}",
        "Chat format": f"{PromptFormat.load(run.adapter).name} (prompt_format.json, chat_template.jinja)",
        "State of the run": f"{status.state}, {status.step} of {status.total_steps or 'an unknown number of'} updates",
        "Started": began or "unknown",
        "PEFT": config.get("peft_version") or "version unknown",
    }


def _objective(recipe: Recipe) -> str:
    if recipe.training.objective == "dpo":
        return f"DPO on pairs of a preferred and a rejected reply, beta {recipe.training.beta}"
    return "supervised fine-tuning (SFT) on replies"


def _base(recipe: Recipe) -> str:
    return Path(recipe.base.model).name if Path(recipe.base.model).is_absolute() else recipe.base.model


def _data(run: Run, recipe: Recipe) -> str:
    report = history.report(run)
    name = Path(recipe.data.source).name
    if not report:
        return f"`{name}`. How many rows were used is unknown: the run's folder has no cleaning report."
    facts = {"Source": report.get("source") or name, "Rows": report.get("rows"), "Kept": report.get("kept")}
    facts |= {f"Dropped, {why.replace('_', ' ')}": count for why, count in report.get("dropped", {}).items() if count}
    facts |= {f"Rows for {side}": count for side, count in report.get("splits", {}).items()}
    near = "near-identical questions and one conversation's turns on one side" if recipe.data.group else "row by row"
    return f"{_table(facts)}\n\nTexts are in Unicode NFC. Split 80/10/10, seed {recipe.data.seed}, {near}."


def _training(run: Run, recipe: Recipe) -> dict[str, Any]:
    lines, _ = metrics.read(run.folder)
    steps, losses = metrics.series(lines, "eval_loss")
    best = min(range(len(losses)), key=losses.__getitem__, default=None)
    seconds = next((line["elapsed_s"] for line in reversed(lines) if "elapsed_s" in line), None)
    memory = max((line["gpu_memory_gb"] for line in lines if "gpu_memory_gb" in line), default=None)
    device = f"a GPU of unknown kind, at most {memory:.1f} GB allocated" if memory else "unknown; no GPU was measured"
    kept = "lowest evaluation loss" if recipe.training.load_best_model_at_end else "last update"
    unit = "DPO, nats a pair" if recipe.training.objective == "dpo" else "nats a token"
    return {
        f"First evaluation loss ({unit})": f"{losses[0]:.4f} at step {steps[0]}" if losses else "unknown",
        "Best evaluation loss": "unknown" if best is None else f"{losses[best]:.4f} at step {steps[best]}",
        "Last evaluation loss": f"{losses[-1]:.4f} at step {steps[-1]}" if losses else "unknown",
        "Kept, as the recipe says": f"the checkpoint with the {kept}",
        "Examples an update, all devices together": recipe.effective_batch,
        "Tokens seen": max((line["tokens"] for line in lines if "tokens" in line), default=None) or "unknown",
        "Duration": f"{seconds:,.0f} s of training and evaluation" if seconds is not None else "unknown",
        "Device": device,
    }


def _evaluation(run: Run) -> str:
    kept = evaluated.read(run)
    if not kept:
        return "Unknown: nobody has evaluated this adapter. Its losses stand above."
    return "\n".join(evaluated.card(kept))


def _loading(recipe: Recipe, merged: bool) -> str:
    how = recipe.generation
    sampling = f", do_sample=True, temperature={how.temperature}, top_p={how.top_p}" if how.temperature else ""
    code = LOAD_MERGED if merged else LOAD_ADAPTER.format(base=json.dumps(_base(recipe), ensure_ascii=False))
    code += ANSWER.format(max_new_tokens=how.max_new_tokens, sampling=sampling or ", do_sample=False")
    library = "transformers alone" if merged else "peft"
    text = f"With {library}, from this folder:\n\n{_fenced(code, 'python')}"
    if merged:
        return text
    if not on_hub(recipe.base.model):
        text += "\n\nThe base is a folder of the project or machine that this was trained with, and not on the Hub."
    command = 'python -m finetune generate --adapter FOLDER --prompt "আজ মনটা ভালো নেই।"'
    return f"{text}\n\nWith Shohomormi:\n\n{_fenced(command, 'sh')}"


def _table(facts: dict[str, Any]) -> str:
    lines = ["| | |", "|---|---|"]
    for name, value in facts.items():
        if value is not None:
            shown = f"{value:,}" if isinstance(value, int) else " ".join(str(value).split()).replace("|", "\\|")
            lines.append(f"| {name} | {shown} |")
    return "\n".join(lines)


def _fenced(text: str, language: str) -> str:
    """A code block that no backticks within can end."""
    longest = max((len(ticks) for ticks in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text.strip()}\n{fence}"
