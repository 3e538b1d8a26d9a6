"""Banglish: recognises Bengali in Latin letters (ami khub eka feel kortesi), and writes it in Bengali ones.

It reads word by word and does not understand. Of two words that are typed alike it takes the more frequent one (pore is
পরে, but পড়ে after মনে: such pairs stand in assets/banglish/pairs.tsv). Names come out as they sound, unknown English
stays as it is, and what Dhaka says comes out as it is written everywhere (kortesi: করছি). A message of one or two words
can be too short to tell. Writes nothing to any log.
"""

from __future__ import annotations

import re
from functools import lru_cache

from finetune import bengali
from finetune.inference.transliteration import ENDINGS, allowed, in_bengali, is_english, nearest, with_ending
from finetune.inference.vocabulary import vocabulary

ENOUGH = 0.5
"""Sum of evidence above which a text is Banglish: one word that is certain, or two that resemble Bengali ones."""
RESEMBLES, FREQUENT = 0.5, 3
"""What a word says that only resembles a Bengali one, if that is as frequent; half of it otherwise."""

_TOKEN = re.compile(
    r"(?P<kept>(?:https?://|www\.)\S+|[\w.+-]{1,64}@[\w-]+(?:\.\w+)+|[@#]\w+|(?i:\b(?:dr|md|mr|mrs|ms)\.))"
    r"|(?P<word>[A-Za-z]+(?:['’][A-Za-z]+)*)"
    r"|(?P<rest>.)",
    re.DOTALL,
)
_DRAWN_OUT = re.compile(r"(.)\1{2,}")
_APOSTROPHE = re.compile("['’]")
_FULL_STOP = re.compile(r"(?:(?<=[\u0980-\u09ff])|(?<=[a-z]{3}))(?<!\u0983)\.(?=\s|$)")
_BENGALI_AT_END = re.compile("[\u0980-\u09ff]$")
_FINITE_VERB = re.compile("(?:বো|বে|বেন|ছি|ছে|ছেন|লাম|তাম|ছিল)$")
"""After a verb, ta is তা and e is এ."""

_ALWAYS_JOINED = {"er", "ta", "ti", "tar", "tao", "te", "der", "ra", "gulo", "gula", "i"}
_JOINED = {"e", "ke"}
"""Endings that are typed as words of their own (mon ta, exam er); e and ke may also be এ and কে, who."""
_STRESSED = frozenset("আমি আমার আমাকে তুমি তোমার তোমাকে আপনি আপনার আপনাকে তুই তোর সে তার তাকে ও ওর ওকে নিজের".split())
"""After these a lone e is a stressed ই: amar e dosh."""


def understood(text: str) -> str | None:
    """The text in Bengali letters where it is Banglish, else None."""
    return to_bengali(text) if is_banglish(text) else None


def is_banglish(text: str) -> bool:
    """Whether the words in Latin letters are Bengali, to go by those that tell; Bengali letters say nothing."""
    words = (found["word"] for found in _TOKEN.finditer(text))
    return sum(evidence(_plain(word)) for word in words if word) > ENOUGH


def evidence(typed: str) -> float:
    """What one word in a-z says: above 0 for Bengali, below 0 against it, 0 where it may be either."""
    words = vocabulary()
    if typed in words.loans or len(typed) == 1:
        return 0.0
    if typed in words.both:
        return 0.2 if typed in words.typed else 0.0
    if typed in words.typed:
        return 1.0
    if typed in words.other:
        return -1.5
    if is_english(typed):
        return -1.0
    best = nearest(typed)
    if best is None or best.price > allowed(typed):
        return -0.2
    return RESEMBLES if words.weight[best.word] >= FREQUENT and len(typed) > 2 else RESEMBLES / 2


def to_bengali(text: str) -> str:
    """The text with its Bengali words in Bengali letters, cleaned; numbers, emoji, addresses, unknown English stay.

    A full stop after a word becomes a danda. Words in capitals (BUET, CGPA) stay too, unless everything is.
    """
    shouted = text.isupper()
    pieces: list[str] = []
    for found in _TOKEN.finditer(text):
        word = found["word"]
        if word is None:
            pieces.append(found[0])
            continue
        typed = _plain(word)
        whole = _joined(pieces[-2], typed) if pieces[-1:] == [" "] and len(pieces) > 1 else None
        if whole:
            pieces[-2:] = [whole]
        elif word.isupper() and len(word) > 1 and not shouted and typed not in vocabulary().loans:
            pieces.append(word)
        else:
            pieces.append(in_bengali(typed) or word)
    written = "".join(pieces)
    for pair, meant in _pairs():
        written = pair.sub(meant, written)
    return bengali.clean(_FULL_STOP.sub("।", written))


def _plain(word: str) -> str:
    """A word in a-z, letters that are drawn out (khuuub) once."""
    return _DRAWN_OUT.sub(r"\1", _APOSTROPHE.sub("", word.lower()))


def _joined(word: str, typed: str) -> str | None:
    """A Bengali word with the ending that was typed after it; None where that is no ending here."""
    if typed not in _ALWAYS_JOINED | _JOINED or not _BENGALI_AT_END.search(word) or _FINITE_VERB.search(word):
        return None
    if typed == "e" and word in _STRESSED:
        return word + "ই"
    whole = with_ending(word, ENDINGS[typed])
    weight = vocabulary().weight
    known = whole in weight or weight.get(word, 0) == 0  # a name, or an English word
    return whole if typed in _ALWAYS_JOINED or known and word not in _STRESSED else None


@lru_cache(maxsize=1)
def _pairs() -> tuple[tuple[re.Pattern, str], ...]:
    letter = "[\u0980-\u09ff]"
    return tuple((re.compile(f"(?<!{letter}){pair}(?!{letter})"), meant) for pair, meant in vocabulary().pairs)
