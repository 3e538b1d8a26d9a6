"""What comes of a set's votes: export and import, facts for the report, preferences, a recipe that trains on them.

Texts are joined to votes only here, and only for whoever takes the file: of items that need care, the vote alone.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from finetune.checks import DPO_FILE
from finetune.errors import ReviewError
from finetune.review import verdict as verdicts
from finetune.review.contestants import contestant
from finetune.review.pair_sets import Pair, PairSet
from finetune.review.reviewing import Reviewing
from finetune.training import starting_adapter

PREFERENCES = "preferences"
"""The folder of a home in which votes become training sets."""


def lines(reviewing: Reviewing, set_id: str) -> list[dict[str, Any]]:
    """The standing votes of a set as an export holds them, with texts where no care is needed."""
    pairs = {pair.prompt.id: pair for pair in reviewing.read(set_id).pairs}
    return [{**line, **_described(pairs.get(line["prompt_id"]))} for line in reviewing.votes.lines(set_id)]


def export(reviewing: Reviewing, set_id: str, path: Path) -> int:
    """Write a set's votes as JSONL; how many."""
    found = lines(reviewing, set_id)
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in found)
    part = path.with_name(f"{path.name}.part")
    part.write_text(text, encoding="utf-8")
    os.replace(part, path)
    return len(found)


def take_over(reviewing: Reviewing, path: Path) -> tuple[int, int]:
    """Add the votes of an export from elsewhere, all or none; how many were new and how many were known."""
    return reviewing.votes.add(verdicts.read_votes(path))


def facts(found: PairSet, language_names: Mapping[str, str]) -> dict[str, Any]:
    """What a report says about a set: who met whom and how, with the proof; `language_names` by role."""
    proof = found.proof
    return {
        "title": f"{language_names['tuned']} · {language_names['base']}",
        "set_id": found.set_id,
        "date": time.strftime("%Y-%m-%d"),
        "names": dict(language_names),
        "fingerprints": found.fingerprints,
        "settings": {key: value for key, value in found.settings.items() if key != "repetition_penalty"},
        "proof": proof and {"kind": proof.kind, "base": proof.base_hash, "tuned": proof.tuned_hash},
    }


def preferences(reviewing: Reviewing, set_id: str) -> tuple[Path, Any]:
    """Make the preference files of a set's votes; their folder, and what went into them."""
    from finetune.review import preferences as made

    votes = lines(reviewing, set_id)
    found = made.preferences(votes)
    folder = reviewing.home / PREFERENCES / set_id
    found.write(folder, verdict=verdicts.verdict(votes), contestants=reviewing.names(set_id))
    return folder, found


def training_settings(reviewing: Reviewing, set_id: str) -> dict[str, Any]:
    """The settings with which a recipe trains on a set's preferences, going on from the side that was reviewed.

    ReviewError where the files have not been made, or where that side is no adapter of this machine.
    """
    found = reviewing.read(set_id)
    file = reviewing.home / PREFERENCES / set_id / DPO_FILE
    if not file.is_file():
        raise ReviewError("Make the DPO and KTO files of this set first.", key="review.no_preferences")
    spelling = found.spellings.get("tuned", "")
    if spelling.startswith(("remote:", "base")):
        raise ReviewError(
            f"{found.tuned} is no adapter of this machine, so training cannot go on from it. Review a run of yours.",
            key="review.no_adapter",
            name=found.tuned,
        )
    adapter = contestant(spelling, reviewing.home).adapter
    start = str(adapter) if spelling.startswith("hub:") else spelling
    return {**starting_adapter.settings(adapter), "adapter.start_from": start, "data.source": str(file)}


def _described(pair: Pair | None) -> dict[str, Any]:
    """What a vote's line says of its pair; nothing where the set is gone."""
    if pair is None:
        return {}
    prompt = pair.prompt
    known = {
        "topic": prompt.topic, "register": prompt.register, "script": prompt.script, "length": prompt.length,
        "care": prompt.care, "base_characters": len(pair.base), "tuned_characters": len(pair.tuned),
    }  # fmt: skip
    if prompt.care:
        return known
    return {**known, "prompt": prompt.text, "base_reply": pair.base, "tuned_reply": pair.tuned}
