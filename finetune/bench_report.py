"""What the benches measured, as tables and pictures for BENCHMARKS.md.

    python -m finetune.bench_report    # from trials/results/{training,decoding}-h200.json

It measures nothing: it reads the JSON of `bench train` and `bench decode`, prints the tables, and draws a bar for each
way into assets/bench.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from finetune.recipe import ROOT
from finetune.review import svg

RESULTS, PICTURES = ROOT / "trials" / "results", ROOT / "assets" / "bench"

INK, OURS, THEIRS = "#78716c", "#0f766e", "#a8a29e"
"""Text and axes; bars of ours and of the peers'. Each is seen on a white page and on a dark one."""

ROW = 44
"""Units: a line of text with its bar under it."""


def training_table(found: Mapping[str, Any]) -> list[str]:
    """Lines of the table of `bench_training.train`."""
    rows = [
        "| how | batch | tokens/s | peak GB | share of the matrix rate | times the peer |",
        "|---|---|---|---|---|---|",
    ]
    for way in found["ways"]:
        if "failed" in way:
            rows.append(f"| {way['way']} | {way['batch']} | failed | | | |")
            continue
        times = way["tokens_per_second"] / found["peer"] if found["peer"] else float("nan")
        rows.append(
            f"| {way['way']} | {way['settings'].replace('x', '×')} | {way['tokens_per_second']:,.0f} |"
            f" {way['peak_gb']:.1f} | {way['matrix_share']:.0%} | {times:.1f} |"
        )
    return rows


def decoding_table(found: Mapping[str, Any]) -> list[str]:
    """Lines of the table of `bench_decoding.decode`: replies of one row."""
    rows = ["| how | tokens/s | first token | pair ÷ reply |", "|---|---|---|---|"]
    for name, part in found["parts"].items():
        if "failed" in part:
            rows.append(f"| {name} | failed | | |")
        elif "tokens_per_second" in part:
            pair = f"{part['pair']:.2f}" if "pair" in part else ""
            rows.append(f"| {name} | {part['tokens_per_second']:.1f} | {part['first_token_ms']:.0f} ms | {pair} |")
    return rows


def many_rows(found: Mapping[str, Any]) -> str:
    """The rates of larger batches, in a sentence."""
    rows = found["parts"]["ours, graphs, many rows"]["rows"]
    told = ", ".join(f"{one['tokens_per_second']:,.0f} with {count}" for count, one in rows.items())
    return f"Tokens a second of all rows together: {told}."


def bars(title: str, values: Sequence[tuple[str, float]]) -> str:
    """A picture of tokens a second, a bar a way; ours are those whose names begin so."""
    most, parts = max(value for _, value in values), []
    for number, (name, value) in enumerate(values):
        top = 14 + ROW * number
        parts.append(svg.text(0, top, name, svg.SMALL))
        width = (svg.WIDTH - 70) * value / most
        parts.append(svg.bar(0, top + 6, width, 18, OURS if name.startswith("ours") else THEIRS))
        parts.append(svg.text(width + 6, top + 20, f"{value:,.0f}", svg.SMALL, bold=True))
    description = "; ".join(f"{name}: {value:,.0f}" for name, value in values)
    drawn = svg.picture(ROW * len(values) + 4, title, description, parts)
    return drawn.replace("<svg ", f'<svg xmlns="http://www.w3.org/2000/svg" color="{INK}" ', 1)


def measured(found: Mapping[str, Any]) -> list[tuple[str, float]]:
    """Names and tokens a second of what did not fail."""
    parts = found.get("parts", {}).items()
    ways = found.get("ways", [{"way": name, **part} for name, part in parts if isinstance(part, dict)])
    named = [
        (", ".join(filter(None, (way["way"], way.get("settings", "").replace("x", "×")))), way)
        for way in ways
        if "tokens_per_second" in way
    ]
    return [(name, way["tokens_per_second"]) for name, way in named]


def read(name: str) -> dict[str, Any]:
    """A committed result."""
    return json.loads((RESULTS / f"{name}-h200.json").read_text(encoding="utf-8"))


def main(pictures: Path = PICTURES) -> None:
    """Print the tables and draw the pictures."""
    training, decoding = read("training"), read("decoding")
    print(*training_table(training), "", *decoding_table(decoding), "", many_rows(decoding), sep="\n")
    for name, title, found in (
        ("training", "Training Llama 3.1 8B, real tokens a second", training),
        ("decoding", "Chat on the 4-bit base, tokens a second", decoding),
    ):
        (pictures / f"{name}.svg").write_text(bars(title, measured(found)) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
