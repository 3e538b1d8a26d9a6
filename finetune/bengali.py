"""Bengali text: one Unicode form, words, graphemes, the share of Bengali script, sentence ends.

The only file that knows the Unicode traps of Bengali. It knows nothing about data sets or models.

Traps, each met in real text: NFC *decomposes* ড় ঢ় য় (composition exclusions) and composes ো ৌ;
`\\w` of the standard `re` splits at vowel signs; the danda is U+0964, in the Devanagari block;
ZWJ and ZWNJ next to a virama change the shape of a conjunct (র‍্যা) and must stay, elsewhere they
are noise; a reply cut between tokens can end in U+FFFD or in half a conjunct.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator

import regex

VIRAMA = "\u09cd"
REPLACEMENT = "\ufffd"
SENTENCE_ENDS = "।?!"

_INVISIBLE = re.compile(f"[\u200b\u200e\u200f\u2060\ufeff\u00ad]|(?<!{VIRAMA})[\u200c\u200d](?!{VIRAMA})")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_SPACES = re.compile(r"[^\S\n]+")
_BLANK_LINES = re.compile(r" ?\n[ \n]*")
_BENGALI_LETTER = regex.compile(r"[\p{Bengali}&&[\p{L}\p{M}]]", regex.V1)
_LETTER = regex.compile(r"[\p{L}\p{M}]")
_GRAPHEME = regex.compile(r"\X")
_WORD = regex.compile(r"[\p{L}\p{M}\p{N}]+(?:[\u200c\u200d'’-][\p{L}\p{M}\p{N}]+)*")
_MOJIBAKE = re.compile(r"à¦|à§|â€|Ã[\x80-\xbf]")
_DEPENDENT = re.compile("[\u0981-\u0983\u09bc\u09be-\u09cd\u09d7]")


def clean(text: str) -> str:
    """Text in NFC without control and noise characters, blanks folded, ends stripped.

    Line breaks stay (runs of them become one). Applied to training data and to what people type,
    so that both reach the tokenizer in the same form.
    """
    text = unicodedata.normalize("NFC", text)
    if not text.isprintable() or "\u00a0" in text or "  " in text:
        text = _CONTROL.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
        text = _INVISIBLE.sub("", text)
        text = _BLANK_LINES.sub("\n", _SPACES.sub(" ", text))
    return text.strip()


def graphemes(text: str) -> list[str]:
    """What a reader sees as one letter each; a conjunct such as ক্ষ্ম is one."""
    return _GRAPHEME.findall(text)


def words(text: str) -> list[str]:
    """The words of a text, vowel signs and joiners inside, punctuation and danda outside."""
    return _WORD.findall(text)


def script_share(text: str) -> float:
    """Share of Bengali letters and marks among all letters and marks, 0 to 1; 0 where there are none."""
    letters = len(_LETTER.findall(text))
    return len(_BENGALI_LETTER.findall(text)) / letters if letters else 0.0


def looks_like_mojibake(text: str) -> bool:
    """True where UTF-8 was once read as Latin-1 or Windows-1252 (à¦†à¦®à¦¿ for আমি)."""
    return bool(_MOJIBAKE.search(text))


def repair_mojibake(text: str) -> str:
    """Undo a wrong decoding with ftfy; call it only on text that `looks_like_mojibake`."""
    import ftfy

    return ftfy.fix_text(text, normalization="NFC", uncurl_quotes=False)


def broken_graphemes(text: str) -> list[str]:
    """Every grapheme of a text that a reader would see broken: U+FFFD, or a sign with no letter under it."""
    return [
        g
        for g in graphemes(text)
        if REPLACEMENT in g or _DEPENDENT.match(g) or (g[0] in "\u200c\u200d" and len(g) > 1)
    ]


def ends_sentence(text: str) -> bool:
    """True where the text ends with । ? or !, closing quotation marks and brackets aside."""
    return text.rstrip().rstrip("”’\"')»")[-1:] in SENTENCE_ENDS and bool(text.strip())


def trim_unfinished(text: str) -> str:
    """Drop what a reply cut in mid-letter leaves at its end: U+FFFD and a hanging virama."""
    text = text.rstrip(REPLACEMENT)
    return text.rstrip(f"{VIRAMA}\u200c\u200d") if text.endswith((VIRAMA, "\u200d", "\u200c")) else text


def whole_graphemes(pieces: Iterable[str]) -> Iterator[str]:
    """Regroup a stream of text pieces so that every piece given out is made of whole graphemes.

    The last grapheme seen is held back until the next one begins, for a vowel sign or the second
    half of a conjunct may still follow. At the end, an unfinished rest is trimmed, not shown.
    """
    held = ""
    for piece in pieces:
        held += piece
        parts = graphemes(held)
        if len(parts) > 1:
            yield "".join(parts[:-1])
            held = parts[-1]
    held = trim_unfinished(held)
    if held:
        yield held
