"""What is known of the licences of a run's base and data, and what they ask of whoever passes the model on.

Goes by names: the base's id, the data's file name. What no name tells is unknown and said to be.
No legal advice, and no network.
"""

from __future__ import annotations

import re
from pathlib import Path

from finetune import models
from finetune.recipe import ROOT, Recipe, default

KAGGLE_CORPUS = "BengaliEmpatheticConversationsCorpus"
"""The corpus' file name on Kaggle, where a blank stands before `.csv`."""

UNKNOWN = "unknown"

_LLAMA = re.compile(r"llama-?(3(?:\.[123])?)(?!\.?\d)", re.IGNORECASE)


def llama(base: str) -> str:
    """The Llama version in a base's name, "3.1"; empty where it names none."""
    found = _LLAMA.search(base.rsplit("/", 1)[-1])
    return found[1] if found else ""


def of_base(recipe: Recipe) -> str:
    """The licence of the base as the Hub names it: apache-2.0, llama3.1, …, or unknown."""
    if _is(recipe.base.model, models.DEMO_BASE):
        return "apache-2.0"
    version = llama(recipe.base.model)
    return f"llama{version}" if version else UNKNOWN


def of_data(recipe: Recipe) -> str:
    """The licence of the data: apache-2.0, cc-by-nc-4.0 (of a part), or unknown."""
    if _is(recipe.data.source, ROOT / default("data.source")):
        return "apache-2.0"
    return "cc-by-nc-4.0" if Path(recipe.data.source).stem.strip() == KAGGLE_CORPUS else UNKNOWN


def front_matter(recipe: Recipe) -> dict[str, str]:
    """The card's licence fields. Where base and data differ, the Hub's word is `other`, with a name of its own."""
    base, data = of_base(recipe), of_data(recipe)
    if base == data == "apache-2.0":
        return {"license": base}
    return {"license": "other", "license_name": f"base-{base}-data-{data}"}


def notes(recipe: Recipe) -> tuple[str, ...]:
    """Sentences on the base, the data and this project's code, in Markdown."""
    return (_note_on_base(recipe), _note_on_data(recipe), "Shohomormi, which trained it: Apache-2.0.")


def _note_on_base(recipe: Recipe) -> str:
    version = llama(recipe.base.model)
    if of_base(recipe) == "apache-2.0":
        return (
            "Base: the demo model of Shohomormi, Apache-2.0, trained on text written for it by large language models."
        )
    if not version:
        return "Base: its licence is unknown to the program that wrote this card. Read it before you pass the model on."
    name = f"Llama {version}" if version != "3" else "Meta Llama 3"
    return (
        f"Base: going by its name, a {name} model. {name} is licensed under the {name} Community License, Copyright ©"
        " Meta Platforms, Inc. All Rights Reserved. Whoever passes this model on must hand over a copy of that licence,"
        " keep this notice, show “Built with Llama”, begin the model's name with “Llama”, and keep to Meta's"
        " Acceptable Use Policy."
    )


def _note_on_data(recipe: Recipe) -> str:
    known = of_data(recipe)
    if known == "apache-2.0":
        return "Data: the demo corpus of Shohomormi, Apache-2.0, written for it by large language models."
    if known == UNKNOWN:
        return (
            "Data: licence unknown. Whoever brought the data must know whether a model trained on it may be passed on."
        )
    return (
        "Data: going by its file name, the Bengali Empathetic Conversations Corpus from Kaggle. A part of it is a"
        " machine translation of EmpatheticDialogues (CC BY-NC 4.0: no commercial use, name the authors), another of"
        " CounselChat. The licence of the whole is unknown: read its Kaggle page before you publish this model."
    )


def _is(name: str, path: Path) -> bool:
    return any(candidate.resolve() == path for candidate in (Path(name), ROOT / name))
