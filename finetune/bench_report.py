"""What the benches measured, as tables and pictures for BENCHMARKS.md.

    python -m finetune.bench_report    # from trials/results/{training,decoding}-h200.json

It measures nothing: it reads the JSON of `bench train` and `bench decode`, prints the tables, profiles among them, and
draws a bar for each way into assets/bench. A profile tells by name only the kernels that took the most time (`KERNELS`
of the bench); what stands in none of the kinds is `other`.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from finetune.recipe import ROOT
from finetune.review import svg

RESULTS, PICTURES = ROOT / "trials" / "results", ROOT / "assets" / "bench"

INK, OURS, THEIRS = "#78716c", "#0f766e", "#a8a29e"
"""Text and axes; bars of ours and of the peers'. Each is seen on a white page and on a dark one."""

ROW, LINE, LONGEST_LINE = 44, 16, 58
"""Units: a line of text with its bar under it, and the line alone; and how many letters it has room for."""

TRAINING_KERNELS = {
    "matrix products": ("nvjet", "cutlass::Kernel"),
    "attention": ("flash", "sdpa", "fmha"),
    "4-bit weights unpacked": ("Dequantize",),
}
STEP_KERNELS = {
    "4-bit products": ("product",),
    "attention": ("attend",),
    "norms": ("norm",),
    "gates of the MLPs": ("gated",),
    "sorting and sums, for sampling": ("radix", "reduce", "mbtopk", "scan"),
    "output matrix, and reading the prompt": ("nvjet", "unpack"),
}
"""Kinds of kernels, by what stands in their names; the first kind that fits counts."""


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


def training_profile(found: Mapping[str, Any]) -> list[str]:
    """Lines of the table of where the time of one update went, milliseconds by kind of kernel."""
    rows = [
        "| how | " + " | ".join(TRAINING_KERNELS) + " | other | all kernels | the update took | launches |",
        "|---" * (len(TRAINING_KERNELS) + 5) + "|",
    ]
    for way in found["ways"]:
        if way.get("kernels"):
            kinds, every = by_kind(way["kernels"], TRAINING_KERNELS, "ms"), way["all_kernels"]
            kinds["other"] = every["ms"] - sum(kinds[kind] for kind in TRAINING_KERNELS)
            values = (*kinds.values(), every["ms"], way["profiled_update_ms"])
            told = " | ".join(f"{value:,.0f}" if value else "" for value in values)
            name = f"{way['way']}, {way['settings'].replace('x', '×')}"
            rows.append(f"| {name} | {told} | {every['calls']:,} |")
    return rows


def step_profile(found: Mapping[str, Any]) -> list[str]:
    """Lines of the table of the kernels that took the most of a reply and of a pair, microseconds a step by kind."""
    parts = found["parts"]
    both = [by_kind(parts[name], STEP_KERNELS, "us") for name in ("kernels of a step", "kernels of a pair's step")]
    rows = [(kind, [kinds[kind] for kinds in both]) for kind in both[0] if any(kinds[kind] for kinds in both)]
    rows.append(("together", [sum(kinds.values()) for kinds in both]))
    told = [f"| {kind} | " + " | ".join(f"{value:,.0f}" for value in values) + " |" for kind, values in rows]
    return ["| kernels | µs a step of a reply | of a pair |", "|---|---|---|", *told]


def products_table(found: Mapping[str, Any]) -> list[str]:
    """Lines of the table of a layer's 4-bit products, each by the fastest tiling that was tried."""
    rows = [
        "| product of a layer | one row, µs | TB/s | two rows, µs | eight rows, µs | two rows ÷ one |"
        " bitsandbytes' for two, µs |",
        "|---|---|---|---|---|---|---|",
    ]
    fastest: dict[str, dict[int, dict[str, float]]] = {}
    for one in found["parts"]["products"]:
        if not one["rows"]:  # how long the matrix takes to be unpacked
            continue
        tilings = [value for key, value in one.items() if key.startswith("(") and isinstance(value, dict)]
        best = min(tilings, key=lambda tiling: tiling["us"])
        megabytes = best["us"] * best["gb_per_s"] / 1000
        row = {"us": best["us"], "megabytes": megabytes, "theirs": one["bitsandbytes"]["us"]}
        fastest.setdefault(one["product"], {})[one["rows"]] = row
    fastest["all four"] = {
        count: {key: sum(of[count][key] for of in fastest.values()) for key in ("us", "megabytes", "theirs")}
        for count in (1, 2, 8)
    }
    for name, of in fastest.items():
        one, two, eight = of[1], of[2], of[8]
        rows.append(
            f"| {name} | {one['us']:.1f} | {one['megabytes'] / one['us']:.2f} | {two['us']:.1f} | {eight['us']:.1f} |"
            f" {two['us'] / one['us']:.2f} | {two['theirs']:.1f} |"
        )
    return rows


def by_kind(kernels: Sequence[Mapping[str, Any]], kinds: Mapping[str, Sequence[str]], unit: str) -> dict[str, float]:
    """The time of kernels by kind, and of those of no kind as `other`."""
    found = {**dict.fromkeys(kinds, 0.0), "other": 0.0}
    for one in kernels:
        kind = next((kind for kind, parts in kinds.items() if any(part in one["kernel"] for part in parts)), "other")
        found[kind] += one[unit]
    return found


def many_rows(found: Mapping[str, Any]) -> str:
    """The rates of larger batches, in a sentence."""
    rows = found["parts"]["ours, graphs, many rows"]["rows"]
    told = ", ".join(f"{one['tokens_per_second']:,.0f} with {count}" for count, one in rows.items())
    return f"Tokens a second of all rows together: {told}."


def bars(title: str, values: Sequence[tuple[str, float]]) -> str:
    """A picture of tokens a second, a bar a way; ours are those whose names begin so."""
    most, parts, top = max(value for _, value in values), [], 14
    for name, value in values:
        for written in textwrap.wrap(name, LONGEST_LINE):
            parts.append(svg.text(0, top, written, svg.SMALL))
            top += LINE
        width = (svg.WIDTH - 70) * value / most
        parts.append(svg.bar(0, top - 10, width, 18, OURS if name.startswith("ours") else THEIRS))
        parts.append(svg.text(width + 6, top + 4, f"{value:,.0f}", svg.SMALL, bold=True))
        top += ROW - LINE
    description = "; ".join(f"{name}: {value:,.0f}" for name, value in values)
    drawn = svg.picture(top - 10, title, description, parts)
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


def read(name: str, when: str = "") -> dict[str, Any]:
    """A committed result; `when`: of an earlier session than the tables are of."""
    file = RESULTS / f"{'-'.join(filter(None, (name, when, 'h200')))}.json"
    return json.loads(file.read_text(encoding="utf-8"))


def main(pictures: Path = PICTURES) -> None:
    """Print the tables and draw the pictures."""
    training, decoding = read("training"), read("decoding")
    for lines in (
        training_table(training),
        training_profile(training),
        decoding_table(decoding),
        [many_rows(decoding)],
        step_profile(decoding),
        products_table(decoding),
    ):
        print(*lines, "", sep="\n")
    for name, title, found in (
        ("training", "Training Llama 3.1 8B, real tokens a second", training),
        ("decoding", "Chat on the 4-bit base, tokens a second", decoding),
    ):
        (pictures / f"{name}.svg").write_text(bars(title, measured(found)) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
