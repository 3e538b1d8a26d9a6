"""Which words of a text are English that a person would have to understand: what tests of the page look for."""

import re
from typing import get_type_hints

from finetune.recipe import SECTIONS, describe

NAMES = """
    shohomormi english llama lora qlora sft dpo kto adamw cosine gguf csv tsv jsonl json parquet txt yaml zip html
    llama.cpp w&b wandb trackio hugging face hub remote gpu cpu ram mb gb kb ip https space enter png tele manas
    huggingface token api key gradio pdf md markdown chrf bleu rouge rouge-l bertscore
"""
"""Names of models, methods, tools, formats, units and keys, in lower case."""

TERMS = "private overfitting nan bit ascii readme auto none demo base tuned offline online sync model url torch proj"
"""What stands in our Bengali texts as every tool spells it."""

FIELDS = [f"{section}.{key}" for section, kind in SECTIONS.items() for key in get_type_hints(kind)]
VALUES = {str(choice) for name in FIELDS for choice in describe(name)["choices"] or ()}
"""What a recipe's fields may hold, as it stands in the file: `linear`, `official`, `bfloat16`."""

ALLOWED = frozenset(re.sub("[0-9_]+", " ", " ".join([NAMES, TERMS, *sorted(VALUES)])).lower().split())


CODE = re.compile(
    r"https?://\S+|[\w-]+\.(?:jsonl?|csv|md|zip|yaml)\b|[\w.-]*[_/\\][\w./_-]*|--?[a-z-]+\b|&[a-z]+;|\b[0-9a-f]{8}\b"
)
"""Addresses, files, paths and fields, options of a command, HTML's entities, fingerprints."""

BESIDE = re.compile(r"\([a-z][a-z0-9_ ,.-]*\)")
"""A term in brackets beside its Bengali: সিড (seed)."""


def english_in(text: str) -> list[str]:
    """Its Latin words of two letters and more that no list allows, code aside."""
    if re.search("[\u0980-\u09ff]", text):
        text = re.sub(BESIDE, " ", text)
    text = re.sub(CODE, " ", text)
    words = re.findall(r"[A-Za-z][A-Za-z&.]*[A-Za-z]", text)
    return [word for word in words if word.lower() not in ALLOWED]
