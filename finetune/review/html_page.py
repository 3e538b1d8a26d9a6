"""The parts of a report that is sent around and printed: one HTML page that needs nothing but itself.

No network, no script, its style sheet inside. Every text that a person wrote is escaped here or by who calls. It does
not know what is reported.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence

from finetune.recipe import ROOT
from finetune.review.spoken import Spoken

STYLE = ROOT / "assets" / "report.css"


def page(title: str, body: str, language: str) -> str:
    """The whole page, for A4 or a screen of any width; the body is HTML already."""
    return (
        f'<!doctype html>\n<html lang="{language}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        # Not even a name that somehow got past the escaping could fetch or run anything.
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<title>{html.escape(title)}</title><style>{STYLE.read_text(encoding='utf-8')}</style></head>"
        f'<body><main class="report">{body}</main></body></html>\n'
    )


def columns(left: str, right: str) -> str:
    """Side by side where there is room. Two of our own: browsers balance columns badly across printed pages."""
    return f'<div class="columns"><div>{left}</div><div>{right}</div></div>'


def section(title: str, inner: str, *, name: str = "") -> str:
    """A card with its heading; nothing where there is nothing in it. `name` is what a link on the page goes to."""
    if not inner:
        return ""
    mark = f' id="{name}"' if name else ""
    return f"<section{mark}><h2>{html.escape(title)}</h2>{inner}</section>"


def paragraphs(lines: Iterable[str]) -> str:
    """Sentences, a paragraph each."""
    return "".join(f"<p>{html.escape(line)}</p>" for line in lines)


def listed(lines: Iterable[str]) -> str:
    """Sentences as a list."""
    return f"<ul>{''.join(f'<li>{html.escape(line)}</li>' for line in lines)}</ul>"


def table(spoken: Spoken, keys: Sequence[str], rows: Iterable[Sequence[str]], more: Sequence[str] = ()) -> str:
    """A table whose heads are words by key, then `more` heads as they are; the first cell of a row names it.

    Its parts say what they are: on a phone they are laid out in another way, and browsers then forget that it is one.
    """
    heads = [*(spoken.say(f"table.{key}") for key in keys), *more]
    head = "".join(f'<th scope="col" role="columnheader">{html.escape(text)}</th>' for text in heads)
    body = ""
    for first, *cells in rows:
        figures = "".join(f'<td role="cell">{html.escape(cell)}</td>' for cell in cells)
        body += f'<tr role="row"><th scope="row" role="rowheader">{html.escape(first)}</th>{figures}</tr>'
    return (
        f'<div class="scroll"><table role="table"><thead role="rowgroup"><tr role="row">{head}</tr></thead>'
        f'<tbody role="rowgroup">{body}</tbody></table></div>'
    )


def details(inner: str, spoken: Spoken) -> str:
    """What is shown on demand, and not on paper."""
    return f"<details><summary>{said(spoken, 'table.show')}</summary>{inner}</details>"


def said(spoken: Spoken, key: str, **facts: object) -> str:
    """What the words say by a key, escaped."""
    return html.escape(spoken.say(key, **facts))
