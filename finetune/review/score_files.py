"""Score any two text files: one prediction a line against its references, without a model.

Files hold one text a line; several references of one line are parted by tabs. They cannot tell whether a token limit
cut a reply, so `truncated` counts only replies cut in mid-letter. It knows files and tables; the figures are those of
`scores.py`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from finetune import bengali
from finetune.errors import DataError
from finetune.review import bertscore, scores
from finetune.review.scores import Row


def score_files(predictions: Path, references: Path, prompts: Path | None = None) -> dict[str, Any]:
    """Every figure of `scores.of_replies`, `intervals` of all means over lines, and `bertscore`: its mean, or why not.

    Where there are prompts, lines with the same one are drawn together for the intervals.

    Raises DataError where a file is missing, empty, not UTF-8, or the numbers of lines differ. A blank prediction
    counts, as an empty reply; a line without a reference has no overlap figures. Without prompts, what rests on them
    (`copied`, `on_the_point`) is left out.
    """
    said, wanted = _lines(predictions), _lines(references)
    asked = [""] * len(said) if prompts is None else _lines(prompts)
    for file, found in ((references, wanted), (prompts, asked)):
        if len(found) != len(said):
            raise DataError(
                f"{predictions.name} has {len(said):,} lines, but {file.name} has {len(found):,}. Give one line in each"
                " for the same question.",
                key="score.lines",
                file=predictions.name,
                lines=len(said),
                other=file.name,
                found=len(found),
            )
    rows = [
        Row(prompt, tuple(filter(str.strip, those.split("\t"))), reply)
        for prompt, those, reply in zip(asked, wanted, said, strict=True)
    ]
    figures = [scores.of_reply(row) for row in rows]
    result = scores.of_replies(rows, figures)
    if prompts is None:
        del result["copied"], result["on_the_point"]
    alike, result["bertscore"] = bertscore.of_sides([said], [row.references for row in rows])
    for values in alike:
        figures = [{**one, "bertscore": value} for one, value in zip(figures, values, strict=True)]
    groups = [bengali.clean(prompt) or number for number, prompt in enumerate(asked)]
    result["intervals"] = {
        name: scores.intervals([one[name] for one in figures], groups, kind=scores.kind(name), scale=scores.scale(name))
        for name in figures[0]
        if name in result
    }
    if alike:
        result["bertscore"] = result["intervals"]["bertscore"]["mean"]
    return result


def lines(result: dict[str, Any]) -> list[str]:
    """The result of `score_files` as lines for people: figure, value, interval; then how overlap was counted."""
    told, intents = [f"{result['rows']:,} lines"], False
    for name, value in result.items():
        if name in ("rows", "signatures", "intervals"):
            continue
        if name.startswith(scores.INTENT) and not intents:
            told.append(scores.DIAGNOSTIC)
            intents = True
        shown = f"{name:20}" + _shown(value)
        found = result["intervals"].get(name)
        if found and found["mean"] is not None:
            shown += f"   mean over lines {found['mean']:.3f}"
            alike = found["low"] is None
            shown += " (no interval: all alike)" if alike else f" ({found['low']:.3f} to {found['high']:.3f})"
        told.append(shown)
    return told + [f"{name}: {signature}" for name, signature in result["signatures"].items()]


def _shown(value: float | str | None) -> str:
    if isinstance(value, str):
        return f"  {value}"
    return f"{'-':>10}" if value is None else f"{value:10.3f}"


def _lines(file: Path) -> list[str]:
    """The lines of a text file, a blank one too."""
    if not file.is_file():
        raise DataError(
            f"There is no file {file}. Give a text file with one text a line.", key="score.no_file", file=str(file)
        )
    try:
        text = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{file.name} is not UTF-8, so its letters cannot be read. Save it as UTF-8.",
            key="score.not_unicode",
            file=file.name,
        ) from error
    if not text.strip():
        raise DataError(
            f"{file.name} is empty. Give a text file with one text a line.", key="score.empty", file=file.name
        )
    return text.removesuffix("\n").split("\n")
