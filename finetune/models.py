"""Load the base in 4 or 16 bits and its tokenizer. Training and inference both load through here.

Knows which number formats this machine computes in. It does not know what the model is used for:
adapters to train are PEFT's (`training.trainer`), adapters to talk to are `inference.adapters`.
"""

from __future__ import annotations

import errno
import json
import logging
import threading
from pathlib import Path
from typing import Any

from finetune import fetching
from finetune.errors import ModelError
from finetune.recipe import ROOT

DEMO = "demo"
"""How the adapter that ships with the project is called in choices, recipes and the API."""

DEMO_BASE = ROOT / "assets" / "demo" / "base"
DEMO_ADAPTER = ROOT / "assets" / "demo" / "adapter"

_IMPORTING = threading.Lock()


def device() -> str:
    """The device models live on: the first GPU, else the CPU."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def compute_dtype(wanted: str = "auto") -> Any:
    """The torch dtype to compute in: bfloat16 where the hardware has it, else float16 (GPU) or float32 (CPU)."""
    import torch

    if wanted != "auto":
        return getattr(torch, wanted)
    if torch.cuda.is_available():
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16
    return torch.bfloat16 if torch.cpu._is_avx512_bf16_supported() else torch.float32


def resolve(model: str) -> str:
    """A model's folder, looked for from here and from the project's folder; else the name, as a Hub id."""
    for path in (Path(model), ROOT / model):
        if (path / "config.json").is_file():
            return str(path)
    if Path(model).is_absolute() or model.startswith((".", "assets/")) or model.count("/") > 1:
        raise ModelError(
            f"There is no model in {model} (no config.json). Check the folder, or give a Hugging Face model id.",
            key="model.no_base",
            model=model,
        )
    return model


def library() -> Any:
    """transformers, imported by one thread at a time: one that comes while another imports it finds half of it.

    The page loads the chat's base in the background, and meanwhile somebody may look at data or start an evaluation.
    """
    with _IMPORTING:
        import transformers

        _ = transformers.AutoTokenizer, transformers.AutoModelForCausalLM, transformers.BitsAndBytesConfig
    return transformers


def load_tokenizer(model: str) -> Any:
    """The base's tokenizer, with a pad token that is not the end of a message."""
    source, auto_tokenizer = resolve(model), library().AutoTokenizer
    with load_errors(model):
        if not Path(source).is_dir():
            fetching.find(source)
        tokenizer = auto_tokenizer.from_pretrained(source)
    end = tokenizer.convert_tokens_to_ids("<|eot_id|>")
    if tokenizer.pad_token_id is None or tokenizer.pad_token_id in (tokenizer.eos_token_id, end):
        # pad = eos would mask <|eot_id|> out of the loss, and the model would never learn to stop
        for spare in ("<|finetune_right_pad_id|>", "<|reserved_special_token_0|>"):
            if spare in tokenizer.get_vocab():
                tokenizer.pad_token = spare
                break
    return tokenizer


def load_base(
    model: str,
    *,
    four_bit: bool,
    dtype: str = "auto",
    attention: str = "sdpa",
    device_map: str | dict[str, str | int] | None = None,
    sharded: bool = False,
) -> tuple[Any, Any]:
    """The base model in evaluation mode and its tokenizer; NF4 weights where four_bit, on CPU too.

    device_map: transformers', by default all of it on `device()`. sharded: 4-bit weights are kept in a format that FSDP
    can spread over several cards, that of the numbers they are computed in.
    """
    import torch

    transformers = library()
    source, compute = resolve(model), compute_dtype(dtype)
    settings: dict[str, Any] = {
        "dtype": compute,
        "device_map": device_map or {"": device()},
        "attn_implementation": attention,
    }
    if four_bit:
        _without_advice()
        settings["quantization_config"] = transformers.BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_compute_dtype=compute,
            bnb_4bit_use_double_quant=torch.cuda.is_available(),
            bnb_4bit_quant_storage=compute if sharded else None,
        )
    tokenizer = load_tokenizer(model)
    if not Path(source).is_dir():
        fetching.refuse_where_short(source)
    with load_errors(model):
        base = transformers.AutoModelForCausalLM.from_pretrained(source, **settings)
    base.eval()
    return base, tokenizer


def _without_advice() -> None:
    """Keep bitsandbytes from advising a package that would fetch code for CPUs; it reads like a failure."""
    logger = logging.getLogger("bitsandbytes.backends.cpu.ops")
    if not logger.filters:
        logger.addFilter(lambda record: "kernels-community" not in record.getMessage())


def free_memory() -> None:
    """Give what is no longer used back to the card: models are full of cycles, and PyTorch keeps what was freed."""
    import gc

    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def read_adapter_config(folder: Path) -> dict[str, Any]:
    """An adapter's `adapter_config.json`; ModelError where the folder holds no usable LoRA adapter."""
    path = folder / "adapter_config.json"
    if not path.is_file() or not (folder / "adapter_model.safetensors").is_file():
        raise ModelError(
            f"There is no adapter in {folder}. Train one in the Train tab, or choose the demo adapter.",
            key="model.no_adapter",
            folder=str(folder),
        )
    damaged = ModelError(
        f"{path} is damaged. Copy the adapter again from its run.", key="model.damaged_adapter", folder=str(folder)
    )
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:  # not JSON, or not even text
        raise damaged from error
    if not isinstance(config, dict):
        raise damaged
    if config.get("peft_type") != "LORA":
        raise ModelError(
            f"{folder} holds a {config.get('peft_type')} adapter; only LoRA adapters can be used here.",
            key="model.not_lora",
            folder=str(folder),
        )
    if not isinstance(config.get("lora_alpha"), int | float) or not config.get("base_model_name_or_path"):
        raise damaged
    return config


class load_errors:
    """Turns what transformers raises while loading into a sentence for people, and memory that ran out into that."""

    def __init__(self, model: str) -> None:
        self.model = model
        self.heard = _Heard()

    def __enter__(self) -> None:
        logging.getLogger("transformers").addHandler(self.heard)

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        from safetensors import SafetensorError

        logging.getLogger("transformers").removeHandler(self.heard)
        kinds = (OSError, ValueError, KeyError, SafetensorError, *fetching.failures())
        told = isinstance(error, kinds) or (isinstance(error, Exception) and fetching.disk_full(error))
        if told and not isinstance(error, ModelError) and not _of_memory(error):
            local = Path(self.model).is_absolute() or Path(resolve(self.model)).is_dir()
            raise fetching.problem(self.model, error, local=local) from error
        if isinstance(error, RuntimeError) and self.heard.out_of_memory:
            raise MemoryError(f"out of memory while the weights of {self.model} were converted") from error


class _Heard(logging.Handler):
    """Whether transformers said that memory ran out: while weights are quantised it raises an error without the cause
    (`log_conversion_errors` in its core_model_loading.py) and writes that to its log.
    """

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.out_of_memory = False

    def emit(self, record: logging.LogRecord) -> None:
        self.out_of_memory = self.out_of_memory or "out of memory" in record.getMessage().lower()


def _of_memory(error: BaseException) -> bool:
    return getattr(error, "errno", None) == errno.ENOMEM
