"""What a reply shows by itself, and beside its question: script, repetition, breaks, copying.

Counted, not understood: `english_drift` sees Latin letters and cannot tell English from Bengali written in them, and
`on_the_point` sees a shared word. How alike replies are to each other is `of_replies`.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TypeVar

import regex

from finetune import bengali
from finetune.review.overlap import words

COPIED_RUN = 4
"""A reply that repeats so many words of the question in a row parrots it instead of answering."""

REPEATED_RUN = 4
"""`repetition` looks at runs of so many words, as seq-rep-4 of Welleck et al. 2020 (Neural Text Generation with
Unlikelihood Training) does at tokens."""

DRIFT_RUN = 4
"""So many words in Latin letters in a row are a phrase; a name, an app or a shop has fewer."""

T = TypeVar("T")

_LATIN = regex.compile(r"\p{Latin}")
_BENGALI = regex.compile(r"\p{Bengali}")
_LETTER = regex.compile(r"[\p{L}\p{M}]")
_INTRUDER = regex.compile(r"(?V1)[[\p{L}\p{M}]--[\p{Bengali}\p{Latin}\p{Common}\p{Inherited}]]")


def of_reply(reply: str, prompt: str = "", ended: bool = True, broken: bool | None = None) -> dict[str, float | None]:
    """The figures of one reply; flags are 0 or 1, shares 0 to 1, None where there is nothing to count.

    - `distinct1`, `distinct2`: different words, and pairs of words, among all (Li et al. 2016). Longer texts have lower
      ones, so compare replies of like length only.
    - `repetition`: share of runs of REPEATED_RUN words that stood before in the reply.
    - `empty`: no text at all. `script_share`: Bengali among all letters, None without any.
    - `intruding_script`: a letter neither Bengali nor Latin.
    - `english_drift`: DRIFT_RUN words in Latin letters in a row, or more such words than Bengali ones.
    - `broken`: a grapheme that a reader sees broken; `broken` where it is known of what the model wrote, since what
      people are shown is mended (`graphemes.py`). `truncated`: cut off by the limit (`ended` is False) or visibly,
      in mid-letter. `finished`: ends as a sentence does.
    - `copied`: COPIED_RUN words of the prompt in a row. `on_the_point`: a content word of the prompt, and not copied.
    - `characters`: code points in NFC.
    """
    shown, text, said = unicodedata.normalize("NFC", reply), bengali.clean(reply), words(reply)
    copied = bool(set(_runs(words(prompt), COPIED_RUN)) & set(_runs(said, COPIED_RUN)))
    taken_up = bool(bengali.content_words(bengali.clean(prompt)) & bengali.content_words(text))
    repetition = distinct([said], REPEATED_RUN)
    return {
        "distinct1": distinct([said], 1),
        "distinct2": distinct([said], 2),
        "repetition": 0.0 if repetition is None else 1 - repetition,
        "script_share": bengali.script_share(text) if _LETTER.search(text) else None,
        "empty": float(not text),
        "intruding_script": float(bool(_INTRUDER.search(text))),
        "english_drift": float(drifts(text)),
        "broken": float(bool(bengali.broken_graphemes(shown)) if broken is None else broken),
        "truncated": float(not ended or bengali.trim_unfinished(shown) != shown),
        "finished": float(bengali.ends_sentence(text)),
        "copied": float(copied),
        "on_the_point": float(taken_up and not copied),
        "characters": float(len(text)),
    }


def of_replies(replies: Sequence[str]) -> dict[str, float | None]:
    """What shows only in many replies: `distinct1`, `distinct2`, `distinct`, `commonest_opener`; all 0 to 1.

    The first two pool the replies' words, no pair reaching from one reply into the next; `distinct` is the number of
    different replies among all; `commonest_opener` the share of replies that begin with the most common two words.
    """
    said = [words(reply) for reply in replies]
    openers = Counter(tuple(one[:2]) for one in said)
    return {
        "distinct1": distinct(said, 1),
        "distinct2": distinct(said, 2),
        "distinct": len(set(map(tuple, said))) / len(said) if said else None,
        "commonest_opener": max(openers.values()) / len(said) if said else None,
    }


def distinct(said: Sequence[Sequence[str]], order: int) -> float | None:
    """Different runs of `order` words among all; None where no text has as many words."""
    runs = [run for one in said for run in _runs(one, order)]
    return len(set(runs)) / len(runs) if runs else None


def drifts(text: str) -> bool:
    """True where a reply leaves Bengali for Latin letters: a phrase of them, or more words in them than in Bengali."""
    said = bengali.words(text)
    latin = [bool(_LATIN.search(word) and not _BENGALI.search(word)) for word in said]
    phrase = any(all(run) for run in _runs(latin, DRIFT_RUN))
    return phrase or sum(latin) > sum(bool(_BENGALI.search(word)) for word in said)


def intruders(text: str) -> Counter[str]:
    """Letters by script, as Unicode names it (DEVANAGARI, HANGUL, CJK), that are neither Bengali nor Latin."""
    found = _INTRUDER.findall(bengali.clean(text))
    return Counter(unicodedata.name(letter, "UNKNOWN").split()[0] for letter in found)


def _runs(said: Sequence[T], length: int) -> Iterator[tuple[T, ...]]:
    return (tuple(said[start : start + length]) for start in range(len(said) - length + 1))
