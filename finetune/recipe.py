"""A recipe: everything that determines a training run, as frozen dataclasses, in and out of YAML.

Field names are those of PEFT's LoraConfig, transformers' TrainingArguments and GenerationConfig and
TRL's SFTConfig and DPOConfig wherever such a field exists. Every default of the project stands here and nowhere
else; command line, page and documents read it from here. `Recipe.problems` reports everything that
cannot work at once. This module does not load data or models, and knows no secrets: tokens and
keys live in the environment only.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import yaml

from finetune import checks
from finetune.errors import Problem, RecipeError

ROOT = Path(__file__).resolve().parent.parent
PRESETS = ROOT / "assets" / "recipes"

SYSTEM_PROMPT = "You are a sympathetic and helpful assistant. You answer people's questions in Bengali language."

SAMPLE_PROMPTS = [
    "দুই সপ্তাহ ধরে বন্ধুর সঙ্গে কথা বন্ধ, ভেতরটা কেমন খালি খালি লাগে।",
    "আজ জীবনের প্রথম বেতন পেলাম, মায়ের জন্য শাড়ি কিনে বাড়ি ফিরছি!",
    "সারাদিন খাটুনির পর রাতে কী রাঁধব, ভাবতেই আর ইচ্ছে করে না।",
]
"""One sad, one joyful, one everyday: what changes first in a reply differs between the three."""


def option(
    default: Any,
    note: str,
    *,
    low: float | None = None,
    high: float | None = None,
    choices: tuple = (),
    most: int | None = None,
    longest: int | None = None,
) -> Any:
    """A recipe field: its default, one sentence for help texts, and what values can work.

    A list has either choices, or limits for free texts: at most `most` of them, each of at most `longest` characters.
    """
    metadata = {"note": note, "low": low, "high": high, "choices": choices, "most": most, "longest": longest}
    if isinstance(default, list):
        return field(default_factory=lambda: tuple(default), metadata=metadata)
    return field(default=default, metadata=metadata)


@dataclass(frozen=True)
class Base:
    """The model that is trained on, and how it is held in memory."""

    model: str = option("assets/demo/base", "A folder, or a model id on the Hugging Face Hub.")
    load_in_4bit: bool = option(False, "Train on the 4-bit (NF4) base: a third of the memory, a little slower.")
    dtype: str = option(
        "auto", "Number format of the base while training.", choices=("auto", "bfloat16", "float16", "float32")
    )


@dataclass(frozen=True)
class Data:
    """Where the examples come from, how they are cleaned, split and written as prompts."""

    source: str = option(
        "assets/demo/corpus.csv", "CSV, JSONL or Parquet file, or a data set id on the Hub; for dpo a dpo.jsonl."
    )
    question: str = option("Questions", "Column with what the person writes.")
    answer: str = option("Answers", "Column with the reply to learn.")
    topic: str = option("Topics", "Column with the topic or emotion; may be missing.")
    title: str = option("Question-Title", "Column with the question's title; may be missing.")
    deduplicate: bool = option(True, "Drop rows whose question and answer both occurred before.")
    group: bool = option(True, "Keep near-identical questions and one conversation's turns in the same split.")
    min_characters: int = option(3, "Shortest question or answer kept, in characters.", low=1, high=1000)
    min_bengali: float = option(0.5, "Smallest share of Bengali letters kept.", low=0, high=1)
    seed: int = option(42, "Seed of the split.", low=0, high=2**31 - 1)
    prompt_format: str = option(
        "shohomormi",
        "Chat format: Llama 3.1's headers; official adds its dates, reference a newline before each <|eot_id|>.",
        choices=("shohomormi", "official", "reference"),
    )
    system_prompt: str = option(SYSTEM_PROMPT, "Stands at the head of every conversation.")


@dataclass(frozen=True)
class Adapter:
    """The LoRA adapter (names as in peft.LoraConfig)."""

    r: int = option(16, "Rank: how much the adapter can learn.", low=1, high=512)
    lora_alpha: int = option(16, "Scaling of the adapter; alpha / r multiplies its output.", low=1, high=1024)
    lora_dropout: float = option(0.0, "Dropout on the adapter's input.", low=0, high=0.9)
    bias: str = option("none", "Which biases are trained.", choices=("none", "all", "lora_only"))
    target_modules: tuple[str, ...] = option(
        ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"],
        "Which projections get an adapter.",
        choices=("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"),
    )
    start_from: str = option(
        "", "The adapter to go on from: demo, a run's name (or NAME/checkpoint-50), or a folder; empty begins afresh."
    )


@dataclass(frozen=True)
class Training:
    """The trainer's settings (names as in transformers.TrainingArguments, trl.SFTConfig and trl.DPOConfig)."""

    objective: str = option(
        "sft", "What is learnt: sft the replies, dpo which of two replies people prefer.", choices=("sft", "dpo")
    )
    beta: float = option(
        0.1, "How closely dpo keeps to where it starts from; sft has no use for it.", low=0.001, high=100
    )
    engine: str = option(
        "auto", "What trains: auto what suits it; unsloth needs a GPU.", choices=("auto", "unsloth", "transformers")
    )
    plan: str = option(
        "auto",
        "Who lays out batches: auto by the card's memory, in 4 bits if it must; as_written as the recipe says.",
        choices=("auto", "as_written"),
    )
    padding_free: bool = option(
        False, "Batches without padding; needs bfloat16 and no dropout. plan: auto turns it on where a card can."
    )
    most_tokens: int = option(
        0, "Tokens a pass without padding may have; 0 takes as many as memory has room for.", low=0, high=10_000_000
    )
    recompute_mlps: int = option(
        0, "Layers of which the MLP alone is computed again, without padding: memory for time.", low=0, high=1000
    )
    max_length: int = option(2020, "Longest example in tokens; longer ones are cut.", low=16, high=131072)
    per_device_train_batch_size: int = option(2, "Examples per forward pass.", low=1, high=1024)
    per_device_eval_batch_size: int = option(4, "Examples per forward pass while evaluating.", low=1, high=1024)
    gradient_accumulation_steps: int = option(8, "Forward passes per update.", low=1, high=1024)
    learning_rate: float = option(2e-4, "Peak learning rate.", low=1e-8, high=1.0)
    lr_scheduler_type: str = option(
        "cosine",
        "How the learning rate falls.",
        choices=("cosine", "linear", "constant", "constant_with_warmup", "cosine_with_min_lr"),
    )
    warmup_steps: int = option(100, "Updates until the peak learning rate is reached.", low=0, high=100000)
    weight_decay: float = option(0.01, "Weight decay.", low=0, high=1)
    max_grad_norm: float = option(1.0, "Gradients longer than this are cut; 0 turns it off.", low=0, high=1000)
    optim: str = option(
        "adamw_8bit", "Optimizer.", choices=("adamw_8bit", "adamw_torch", "adamw_torch_fused", "paged_adamw_8bit")
    )
    num_train_epochs: float = option(0.5, "Passes over the training rows.", low=0.001, high=1000)
    max_steps: int = option(-1, "Number of updates; -1 lets num_train_epochs decide.", low=-1, high=10_000_000)
    eval_steps: int = option(50, "Updates between evaluations.", low=1, high=1_000_000)
    early_stopping_patience: int = option(
        0, "Evaluations without a new best loss after which training ends by itself; 0 never ends it.", low=0, high=1000
    )
    eval_rows: int = option(0, "Validation rows used while training; 0 takes all.", low=0, high=10_000_000)
    save_steps: int = option(100, "Updates between checkpoints.", low=1, high=1_000_000)
    save_total_limit: int = option(3, "Checkpoints kept.", low=1, high=1000)
    load_best_model_at_end: bool = option(True, "Keep the checkpoint with the lowest evaluation loss.")
    logging_steps: int = option(1, "Updates between metrics lines.", low=1, high=10000)
    gradient_checkpointing: bool = option(False, "Recompute activations: less memory, more time.")
    activation_offloading: bool = option(
        False, "Keep activations in the host's memory between the passes; for layers that are recomputed, on a GPU."
    )
    seed: int = option(3407, "Seed of data order and initial adapter.", low=0, high=2**31 - 1)
    sample_prompts: tuple[str, ...] = option(
        SAMPLE_PROMPTS,
        "Messages that every evaluation answers, to watch it learn; none turns it off.",
        most=8,
        longest=500,
    )


@dataclass(frozen=True)
class Generation:
    """How replies are written (names as in transformers.GenerationConfig)."""

    max_new_tokens: int = option(300, "Longest reply in tokens.", low=1, high=8192)
    temperature: float = option(0.7, "0 always takes the likeliest token.", low=0, high=2)
    top_p: float = option(0.9, "Sample from the likeliest tokens that make up this share.", low=0.01, high=1)
    repetition_penalty: float = option(1.0, "Above 1 discourages tokens that occurred.", low=1, high=2)
    seed: int = option(42, "Same seed, same reply.", low=0, high=2**31 - 1)


@dataclass(frozen=True)
class Tracking:
    """Where metrics go besides the run's own folder; nowhere unless the user says so."""

    report_to: str = option(
        "none", "Tracker; trackio keeps everything on this machine.", choices=("none", "wandb", "trackio")
    )
    mode: str = option("offline", "W&B online or offline.", choices=("online", "offline"))
    project: str = option("llama-bangla-empathic", "Project name.")
    run_name: str = option("", "Run name; empty takes the run folder's.")


SECTIONS = {
    "base": Base,
    "data": Data,
    "adapter": Adapter,
    "training": Training,
    "generation": Generation,
    "tracking": Tracking,
}


@dataclass(frozen=True)
class Recipe:
    """Everything that determines a run. Build it with `read`, `preset` or `from_dict`; they check it."""

    name: str = "recipe"
    base: Base = field(default_factory=Base)
    data: Data = field(default_factory=Data)
    adapter: Adapter = field(default_factory=Adapter)
    training: Training = field(default_factory=Training)
    generation: Generation = field(default_factory=Generation)
    tracking: Tracking = field(default_factory=Tracking)

    @property
    def effective_batch(self) -> int:
        """Examples per update on one device."""
        return self.training.per_device_train_batch_size * self.training.gradient_accumulation_steps

    def with_settings(self, settings: dict[str, Any]) -> Recipe:
        """A copy with some fields set, `{"training.max_steps": "30", …}`; texts are read as their field's type."""
        raw = self.to_dict()
        problems = {}
        for name, value in settings.items():
            section, _, key = name.partition(".")
            if section not in SECTIONS or key not in raw[section]:
                problems[name] = Problem(f"no such setting. {_known(section)}", "recipe.unknown")
            else:
                raw[section][key] = value
        if problems:
            raise RecipeError(problems)
        return Recipe.from_dict(raw)

    def to_dict(self) -> dict[str, Any]:
        """Plain dictionaries and lists, as in the YAML file."""
        raw = dataclasses.asdict(self)
        for name in SECTIONS:
            raw[name] = {key: list(value) if isinstance(value, tuple) else value for key, value in raw[name].items()}
        return raw

    def to_yaml(self) -> str:
        """The YAML text of the recipe, sections in order, Bengali readable."""
        return yaml.safe_dump(self.to_dict(), allow_unicode=True, sort_keys=False, width=120)

    @staticmethod
    def from_dict(raw: Any) -> Recipe:
        """Check and build; raises RecipeError with every problem at once."""
        if not isinstance(raw, dict):
            text = f"expected sections ({', '.join(SECTIONS)}), found {type(raw).__name__}."
            raise RecipeError({"recipe": Problem(text, "recipe.no_sections")})
        built, problems = {}, {}
        for key in raw:
            if key != "name" and key not in SECTIONS:
                problems[str(key)] = Problem(f"no such section. Sections are {', '.join(SECTIONS)}.", "recipe.unknown")
        for name, section in SECTIONS.items():
            built[name] = checks.section(name, section, raw.get(name), problems)
        checks.contradictions(built["training"], problems)
        checks.mismatches(built["training"], built["data"], built["base"], problems)
        if problems:
            raise RecipeError(problems)
        return Recipe(name=str(raw.get("name", "recipe")), **built)

    @staticmethod
    def read(path: str | Path) -> Recipe:
        """A recipe from a YAML file, or a preset by its name."""
        path = Path(path)
        if path.name == str(path) and (PRESETS / f"{path}.yaml").exists():
            path = PRESETS / f"{path}.yaml"
        if not path.is_file():
            known = ", ".join(presets())
            text = f"there is no file {path}. Give a YAML file or one of the presets: {known}."
            raise RecipeError({"recipe": Problem(text, "recipe.no_file", file=str(path), known=known)})
        try:
            raw = yaml.safe_load(path.read_text(encoding="utf-8"))
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            where = str(error).splitlines()[-1].strip()
            text = f"{path.name} is not YAML ({where}). Mend that line."
            raise RecipeError({"recipe": Problem(text, "recipe.not_yaml", file=path.name, where=where)}) from error
        if isinstance(raw, dict):
            raw.setdefault("name", path.stem)
        return Recipe.from_dict(raw)


def presets() -> list[str]:
    """Names of the recipes that ship with the project."""
    return sorted(path.stem for path in PRESETS.glob("*.yaml"))


def default(name: str) -> Any:
    """The default of a field, `default("training.learning_rate")`."""
    section, key = name.split(".")
    return getattr(SECTIONS[section](), key)


def describe(name: str) -> dict[str, Any]:
    """What a field means and allows: note, low, high, choices."""
    section, key = name.split(".")
    return dict(next(f for f in fields(SECTIONS[section]) if f.name == key).metadata)


def _known(section: str) -> str:
    if section in SECTIONS:
        return checks.settings_of(section, SECTIONS[section])
    return f"Write section.setting; sections are {', '.join(SECTIONS)}."
