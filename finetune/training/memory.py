"""How much memory a run takes at its peak, term by term from first principles, in gigabytes of 10^9 bytes.

It follows what `trainer.py` does: PEFT's float32 LoRA under autocast, padded batches, TRL's chunked loss; for dpo both
sides of a pair in one batch, and whole logits. It knows dimensions only: no weights, no data, and not what the machine
is called.
"""

from __future__ import annotations

import json
import re
from dataclasses import astuple, dataclass
from pathlib import Path

from finetune.recipe import ROOT, Adapter, Recipe
from finetune.training.machine import GB, Machine

PROCESS = 0.6
"""Gigabytes: the CUDA context with its libraries; on a CPU what Python and the libraries take (0.57 measured)."""

LOSS_CHUNK = 256
"""Tokens whose logits are held at once (`_CHUNKED_LM_HEAD_CHUNK_SIZE` in TRL's sft_trainer)."""

SEQUENCES = {"sft": 1, "dpo": 2}
"""Sequences that an example puts into a batch: a preference is two, the preferred and the rejected side."""

DPO_LOGIT = 13
"""Bytes a logit at the peak of DPO, where TRL holds all of them: the model's and the reference's in float32, the rest
gradient and copies. Measured on a CPU, 1,600 tokens of a vocabulary of 128,256, in float32 and in bfloat16 alike."""

WIDTHS = {"bfloat16": 2, "float16": 2, "float32": 4}
"""Bytes a number."""

OPTIMIZER = {"adamw_8bit": 2, "paged_adamw_8bit": 2, "adamw_torch": 8, "adamw_torch_fused": 8}
"""Bytes a trained parameter: two moments, in 8 bits or in float32."""


@dataclass(frozen=True)
class Shape:
    """The dimensions of a Llama, as its config.json names them."""

    layers: int
    hidden: int
    intermediate: int
    heads: int
    kv_heads: int
    head_dim: int
    vocabulary: int
    tied: bool
    """Whether embedding and output share their weights."""

    def projections(self) -> dict[str, tuple[int, int]]:
        """A layer's linear maps, each with the widths of its input and output."""
        attention, kv = self.heads * self.head_dim, self.kv_heads * self.head_dim
        return {
            "q_proj": (self.hidden, attention),
            "k_proj": (self.hidden, kv),
            "v_proj": (self.hidden, kv),
            "o_proj": (attention, self.hidden),
            "gate_proj": (self.hidden, self.intermediate),
            "up_proj": (self.hidden, self.intermediate),
            "down_proj": (self.intermediate, self.hidden),
        }

    @property
    def linear(self) -> int:
        """Weights of all layers' linear maps, which are what the 4-bit base holds in 4 bits."""
        return self.layers * sum(wide * high for wide, high in self.projections().values())

    @property
    def parameters(self) -> int:
        """Every weight, norms included."""
        return self.linear + self.other

    @property
    def other(self) -> int:
        """Embedding, output and norms."""
        return self.vocabulary * self.hidden * (1 if self.tied else 2) + (2 * self.layers + 1) * self.hidden

    def trained(self, adapter: Adapter) -> int:
        """LoRA's weights: r times input and output width of each chosen projection."""
        chosen = [sides for name, sides in self.projections().items() if name in adapter.target_modules]
        return self.layers * adapter.r * sum(wide + high for wide, high in chosen)


KNOWN = {
    r"llama-3\.1-8b": Shape(32, 4096, 14336, 32, 8, 128, 128256, tied=False),
    r"llama-3\.2-1b": Shape(16, 2048, 8192, 32, 8, 64, 128256, tied=True),
    r"llama-3\.2-3b": Shape(28, 3072, 8192, 24, 8, 128, 128256, tied=True),
}
"""The presets' bases by what their Hub ids hold, from the config.json of each, for before they are downloaded."""


def shape(model: str) -> Shape | None:
    """A base's dimensions, from its folder, the local Hub cache or the facts above; None where none of them tells.

    Asks no network. A config.json that is damaged or no Llama's tells nothing; loading the model will say so.
    """
    for folder in (Path(model), ROOT / model):
        if (folder / "config.json").is_file():
            return _from_config(folder / "config.json")
    if re.fullmatch(r"[\w.-]+(/[\w.-]+)?", model, re.ASCII):
        cached = _cached(model)
        if cached:
            return _from_config(cached)
    return next((known for part, known in KNOWN.items() if re.search(part, model.rpartition("/")[2].lower())), None)


def _cached(model: str) -> Path | None:
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        found = try_to_load_from_cache(model, "config.json")
    except HFValidationError:  # "a..b" has only allowed letters, and is no id all the same
        return None
    return Path(found) if isinstance(found, str) else None


def _from_config(path: Path) -> Shape | None:
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        heads = raw["num_attention_heads"]
        return Shape(
            layers=raw["num_hidden_layers"],
            hidden=raw["hidden_size"],
            intermediate=raw["intermediate_size"],
            heads=heads,
            kv_heads=raw.get("num_key_value_heads") or heads,
            head_dim=raw.get("head_dim") or raw["hidden_size"] // heads,
            vocabulary=raw["vocab_size"],
            tied=raw.get("tie_word_embeddings", False),
        )
    except (ValueError, TypeError, KeyError):
        return None


@dataclass(frozen=True)
class Memory:
    """What is in memory at the peak, in GB."""

    base: float
    adapter: float
    """Float32 weights, gradients, the optimizer's state, a copy in the format computed in, and dpo's reference."""
    activations: float
    buffers: float
    """Short-lived: logits, for sft a chunk of them; a weight taken out of its 4 bits."""
    process: float = PROCESS

    @property
    def total(self) -> float:
        """The peak, in GB."""
        return sum(astuple(self))


def peak(recipe: Recipe, machine: Machine, shape: Shape, longest: int) -> Memory:
    """A run's peak; `longest`: tokens of the longest example, before it is cut to max_length.

    Against the peaks that other engines reached on an H200 (tests/training/test_memory.py) it lies within 25 % for
    TRL + PEFT. Unsloth without checkpointing keeps about half as much per token as reckoned here.
    """
    width = WIDTHS[machine.dtype if recipe.base.dtype == "auto" else recipe.base.dtype]
    longest = min(longest, recipe.training.max_length)
    return Memory(
        base=_base(recipe, machine, shape, width) / GB,
        adapter=_adapter(recipe, machine, shape, width) / GB,
        activations=max(_training(recipe, machine, shape, width, longest), _evaluation(recipe, shape, width, longest))
        / GB,
        buffers=_buffers(recipe, shape, width, longest) / GB,
    )


def base_gb(recipe: Recipe, machine: Machine, shape: Shape) -> float:
    """The base alone, in GB."""
    width = WIDTHS[machine.dtype if recipe.base.dtype == "auto" else recipe.base.dtype]
    return _base(recipe, machine, shape, width) / GB


def _base(recipe: Recipe, machine: Machine, shape: Shape, width: int) -> float:
    if not recipe.base.load_in_4bit:
        return shape.parameters * width
    # bitsandbytes' NF4: half a byte, and a scale for each 64 weights: 4 bytes, or with double quantisation 1 byte and
    # 4 more for each 256 scales. What stays out of it, PEFT's prepare_model_for_kbit_training makes float32.
    scale = 1 + 4 / 256 if machine.kind == "cuda" else 4
    return shape.linear * (0.5 + scale / 64) + shape.other * 4


def _adapter(recipe: Recipe, machine: Machine, shape: Shape, width: int) -> float:
    optimizer = OPTIMIZER[recipe.training.optim] if machine.kind == "cuda" else OPTIMIZER["adamw_torch"]
    copy = width if width < 4 else 0  # autocast's, which the backward pass needs
    reference = 4 if recipe.training.objective == "dpo" else 0
    return shape.trained(recipe.adapter) * (4 + 4 + optimizer + copy + reference)


def layer_bytes(recipe: Recipe, shape: Shape, width: int, *, mask: int = 1, eager: int = 0) -> float:
    """Bytes a token that one layer keeps for its backward pass, base frozen.

    Counted from transformers' Llama and PEFT's LoRA: two norms, each with its input in float32; queries, keys, values
    (repeated to all heads, as a padded batch needs) and the result; gate, activation and up. In 16 bits each adapted
    projection keeps its input as a copy of its own, for PEFT casts it to float32 and autocast back; in float32 they
    share it. `mask`: bytes of a dropout mask's element (a truth value on a card, a float32 on a CPU); `eager`: the
    length, where attention keeps its probabilities (on a CPU).
    """
    attention, projections = shape.heads * shape.head_dim, shape.projections()
    targets = [projections[name][0] for name in recipe.adapter.target_modules]
    inputs = width * (sum(targets) if width < 4 else 2 * shape.hidden + shape.intermediate)
    masks = mask * sum(targets) if recipe.adapter.lora_dropout else 0
    probabilities = (4 if width == 4 else 6) * shape.heads * eager
    return 8 * shape.hidden + width * (4 * attention + 3 * shape.intermediate) + inputs + masks + probabilities


def _training(recipe: Recipe, machine: Machine, shape: Shape, width: int, longest: int) -> float:
    tokens = SEQUENCES[recipe.training.objective] * recipe.training.per_device_train_batch_size * longest
    on_cpu = machine.kind == "cpu"
    layer = layer_bytes(recipe, shape, width, mask=4 if on_cpu else 1, eager=longest if on_cpu else 0)
    # Going back through down_proj its input's gradient is there in the format computed in and in float32.
    gradients = (width + 4) * shape.intermediate
    ends = (4 + 2 * width) * shape.hidden  # the last norm, and the states that the loss puts in order
    if not recipe.training.gradient_checkpointing:
        return tokens * (shape.layers * layer + gradients + ends)
    # A 4-bit base's embedding is float32, and so is what its layers hand on.
    handed_on = (4 if recipe.base.load_in_4bit else width) * shape.hidden
    return tokens * (shape.layers * handed_on + layer + gradients + ends)


def _evaluation(recipe: Recipe, shape: Shape, width: int, longest: int) -> float:
    """Without gradients only one layer's MLP is held: gate, activation, product, and down_proj's float32 input."""
    tokens = SEQUENCES[recipe.training.objective] * recipe.training.per_device_eval_batch_size * longest
    return tokens * (width * (2 * shape.hidden + 3 * shape.intermediate) + 4 * shape.intermediate)


def _buffers(recipe: Recipe, shape: Shape, width: int, longest: int) -> float:
    """Logits of a chunk in the format computed in, in float32, as log-probabilities and as gradient; 4-bit weights."""
    logits = LOSS_CHUNK * shape.vocabulary * (width + 3 * 4)
    if recipe.training.objective == "dpo":
        batch = max(recipe.training.per_device_train_batch_size, recipe.training.per_device_eval_batch_size)
        logits = SEQUENCES["dpo"] * batch * longest * shape.vocabulary * DPO_LOGIT
    if not recipe.base.load_in_4bit:
        return logits
    output = shape.vocabulary * shape.hidden * width if width < 4 else 0  # autocast's copy of the float32 output
    return logits + output + shape.intermediate * shape.hidden * width
