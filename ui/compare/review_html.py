"""What a reviewer sees, as HTML: one question with two replies that look alike, how far they are, and the reveal.

Knows no widgets and no names of models but in the reveal. Every text that a model or a person wrote is escaped.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

from ui import wording


def item_html(question: str, left: str, right: str, language: str) -> str:
    """A question and its two replies, side by side or one below the other, in the same letters on the same paper."""

    def say(key: str) -> str:
        return html.escape(wording.sentence(key, language))

    replies = "".join(
        f'<article class="reply" aria-label="{say(f"review.side.{side}")}"><h4>{say(f"review.side.{side}")}</h4>'
        f'<p lang="bn">{_lines(text)}</p></article>'
        for side, text in (("left", left), ("right", right))
    )
    return (
        f'<section class="review-item" lang="{language}"><div class="question"><span class="quiet">'
        f'{say("review.question")}</span><p lang="bn">{_lines(question)}</p></div><div class="replies">{replies}</div>'
        "</section>"
    )


def progress_html(done: int, total: int, language: str) -> str:
    """How far the reviewer is; a screen reader tells it when it changes."""
    told = html.escape(wording.sentence("review.progress", language, done=done, total=total))
    share = 100 * done / total if total else 0
    return (
        f'<div class="run-card active review-progress" lang="{language}" role="status" aria-live="polite">'
        f'<div class="facts"><span>{told}</span></div><div class="bar"><i style="width:{share:.1f}%"></i></div></div>'
    )


def revealed_html(rows: Sequence[dict[str, Any]], names: dict[str, str], language: str) -> str:
    """What was hidden: every item with the name of the model that wrote each reply, and the reviewer's choice.

    rows: `{"prompt", "base", "tuned", "choice"}`; names: the two models' titles by role.
    """
    decided = [row for row in rows if row["choice"] in names]
    tuned = sum(row["choice"] == "tuned" for row in decided)
    tally = wording.sentence(
        "review.revealed.tally", language, decided=len(decided), tuned=tuned, name=f"“{names['tuned']}”"
    )
    you = html.escape(wording.sentence("review.revealed.you", language))
    items = []
    for row in rows:
        replies = "".join(
            f'<article class="reply{" chosen" if row["choice"] in (role, "both_good") else ""}">'
            f"<h4>{html.escape(names[role])}{f' <em>· {you}</em>' if row['choice'] == role else ''}</h4>"
            f'<p lang="bn">{_lines(row[role])}</p></article>'
            for role in ("base", "tuned")
        )
        both = ""
        if row["choice"] in ("both_good", "both_bad"):
            both = f'<p class="quiet">{html.escape(wording.sentence("review.saved." + row["choice"], language))}</p>'
        items.append(
            f'<section class="review-item"><div class="question"><p lang="bn">{_lines(row["prompt"])}</p></div>'
            f'<div class="replies">{replies}</div>{both}</section>'
        )
    told = html.escape(f"{wording.sentence('review.revealed', language)} {tally}")
    return f'<div class="revealed" lang="{language}"><p><strong>{told}</strong></p>{"".join(items)}</div>'


def _lines(text: str) -> str:
    return html.escape(text).replace("\n", "<br>")
