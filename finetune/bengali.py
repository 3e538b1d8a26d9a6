"""Bengali text: one Unicode form, words, graphemes, the share of Bengali script, sentence ends.

The only file that knows the Unicode traps of Bengali. It knows nothing about data sets or models.

Traps, each met in real text: NFC *decomposes* ড় ঢ় য় (composition exclusions) and composes ো ৌ;
`\\w` of the standard `re` splits at vowel signs; the danda is U+0964, in the Devanagari block, and many type ৷
(U+09F7, by its name the numerator of a fraction of a rupee) in its place;
ZWJ and ZWNJ next to a virama change the shape of a conjunct (র‍্যা) and must stay, elsewhere they
are noise; a reply cut between tokens can end in U+FFFD or in half a conjunct.
"""

from __future__ import annotations

import re
import unicodedata

import regex

VIRAMA = "\u09cd"
REPLACEMENT = "\ufffd"
DANDA, TYPED_FOR_DANDA = "।", "\u09f7"
SENTENCE_ENDS = f"{DANDA}{TYPED_FOR_DANDA}॥?!.…"

STOPWORDS = frozenset(
    unicodedata.normalize(
        "NFC",
        "আমি আমার আমাকে আমরা আমাদের আপনি আপনার আপনাকে তুমি তোমার এই সেই ওই এটা সেটা ওটা এ ও সে তার তাকে তাঁর তিনি যে যা"
        " কি কী কে না নেই নয় হয় হয়ে হয়েছে হচ্ছে ছিল আছে থেকে জন্য সঙ্গে সাথে নিয়ে করে করতে করছি করি খুব অনেক একটা একটু"
        " একটি এক আর এবং কিন্তু তবু তাই তো যেন মনে মন কিছু কোনো কোন সব সবাই এখন আজ কাল রোজ দিন কথা ভালো লাগছে লাগে হলে"
        " হতে যায় যাচ্ছে গেছে গেল পারছি পারি শুধু বলে বলেছে বলেন মতো পর পরে আগে কাছে ওপর মধ্যে ভেতর কেন কীভাবে কখনও এখনও"
        " আবার নিজের নিজে হঠাৎ বছর মাস",
    ).split()
)
"""Frequent words that say nothing about what a person wrote; used to see whether a reply is on the point."""

_LINE_BREAK = re.compile("\r\n|[\r\x0b\x0c\x85]")
_NOISE = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f\u200b\u200e\u200f\u2060\ufeff\u00ad]")
_STRAY_JOINER = re.compile(f"(?<!{VIRAMA})[\u200c\u200d](?!{VIRAMA})")
_HALF_PAIR = re.compile("[\ud800-\udfff]")
_SPACES = re.compile(r"[^\S\n]+")
_BLANK_LINES = re.compile(r" ?\n[ \n]*")
_LETTER = regex.compile(r"[\p{L}\p{M}]")
_BENGALI_LETTERS = re.compile(f"[{''.join(_LETTER.findall(''.join(map(chr, range(0x0980, 0x0A00)))))}]+")
_GRAPHEME = regex.compile(r"\X")
_IN_WORD = r"[[\p{L}\p{M}\p{N}]--[\u09f7]]+"
_WORD = regex.compile(rf"{_IN_WORD}(?:[\u200c\u200d'’\-]{_IN_WORD})*", regex.V1)
_STOP = r"(?<!\.)\.(?=[”’\"')»]*(?:\s|$))"
_MARKS = f"{DANDA}{TYPED_FOR_DANDA}॥?!"
_SENTENCE = re.compile(rf"(?:(?!{_STOP})[^{_MARKS}\n])+(?:[{_MARKS}]+|{_STOP})?|[{_MARKS}]+")
_MOJIBAKE = re.compile(r"à¦|à§|â€|Ã[\x80-\xbf]")
_ORPHANS = regex.compile(r"(?<![\p{L}\p{M}\p{N}\u200c\u200d])[\u0981-\u0983\u09bc\u09be-\u09cd\u09d7\u200c\u200d]+")
_DEPENDENT = re.compile("[\u0981-\u0983\u09bc\u09be-\u09cd\u09d7]")


def clean(text: str) -> str:
    """Text in NFC without control and noise characters, blanks folded, ends stripped, ৷ made a danda.

    Line breaks stay (runs of them become one); half a surrogate pair becomes U+FFFD. Applied to
    training data and to what people type, so that both reach the tokenizer in the same form.
    """
    if not text.isprintable() or "  " in text:
        text = _NOISE.sub("", _LINE_BREAK.sub("\n", _HALF_PAIR.sub(REPLACEMENT, text)))
        # Two signs between which noise stood may compose or change places, and so may two between which a joiner did.
        text = _STRAY_JOINER.sub("", unicodedata.normalize("NFC", text))
        text = _BLANK_LINES.sub("\n", _SPACES.sub(" ", text))
    return unicodedata.normalize("NFC", text.replace(TYPED_FOR_DANDA, DANDA)).strip()


def graphemes(text: str) -> list[str]:
    """What a reader sees as one letter each; a conjunct such as ক্ষ্ম is one."""
    return _GRAPHEME.findall(text)


def words(text: str) -> list[str]:
    """The words of a text, vowel signs and joiners inside, punctuation and danda outside."""
    return _WORD.findall(text)


def content_words(text: str) -> set[str]:
    """The words that carry a text's matter: three characters or more, and no stop word."""
    return {word for word in words(text) if len(word) >= 3 and word not in STOPWORDS}


def script_share(text: str) -> float:
    """Share of Bengali letters and marks among all letters and marks, 0 to 1; 0 where there are none."""
    others = _BENGALI_LETTERS.sub("", text)
    bengali = len(text) - len(others)
    letters = bengali + len(_LETTER.findall(others))
    return bengali / letters if letters else 0.0


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
        if REPLACEMENT in g
        or (_DEPENDENT.search(g) and not g[0].isalnum())  # a blank or a full stop carries a sign as a letter does
        or (g[0] in "\u200c\u200d" and len(g) > 1)
    ]


def sentences(text: str) -> list[str]:
    """The sentences of a text, each with the marks that end it, parted at । ॥ ? ! a line break or a full stop.

    A full stop ends one only before a blank or the end: not within a number (৩.৫), an address, or the dots of a pause,
    which stand in mid-sentence as … does. An abbreviation with a stop (ডা. রহমান) is taken for an end all the same.
    """
    return [found.strip() for found in _SENTENCE.findall(text) if found.strip()]


def ends_sentence(text: str) -> bool:
    """True where the text ends with । ॥ ? ! … or a full stop, closing quotation marks and brackets aside."""
    return text.rstrip().rstrip("”’\"')»").endswith(tuple(SENTENCE_ENDS))


def trim_unfinished(text: str) -> str:
    """Drop what a reply cut in mid-letter leaves at its end: U+FFFD and a hanging virama."""
    text = text.rstrip(REPLACEMENT)
    return text.rstrip(f"{VIRAMA}\u200c\u200d") if text.endswith((VIRAMA, "\u200d", "\u200c")) else text


def without_orphans(text: str) -> str:
    """Text without signs that stand under no letter, as a model that writes byte by byte can leave them."""
    return _ORPHANS.sub("", text.replace(REPLACEMENT, ""))
