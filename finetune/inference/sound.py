"""How a text sounds: Bengali letters, romanised Bengali and English in one plain spelling.

People type one word in many ways: মরতে, morte, mrte, MORTEEE; ইচ্ছা, iccha, ichchha; বাঁচতে, বাচতে,
banchte. `sound` takes them all to one form of Latin letters, so that a phrase that was written down
once, in Bengali, is found in both scripts. It knows letters and no words: what is far from how it is
said, or mistyped, comes out as something else.
"""

from __future__ import annotations

import re
import unicodedata

PAUSE = "|"
"""Stands in a sound form where the text had a full stop, a comma or a line break."""

_BENGALI = dict(
    zip(
        "অআইঈউঊঋএঐওঔািীুূৃেৈোৌৗকখগঘঙচছজঝঞটঠডঢণতথদধনপফবভমযরলশষসহৎংৰৱ০১২৩৪৫৬৭৮৯",
        "o a i i u u ri e oi o ou a i i u u ri e oi o ou u k k g g ng c c j j n t t d d n t t d d n p f b b m"
        " j r l s s s h t ng r w 0 1 2 3 4 5 6 7 8 9".split(),
        strict=True,
    )
)
"""How each letter is said. Aspiration and length, which romanised Bengali leaves out at will, make no difference."""
_SPOKEN = str.maketrans({**_BENGALI, "\u0981": None, "\u0983": None, "\u09bc": None, "\u09cd": None})
_WITH_NUKTA = (("ড\u09bc", "র"), ("ঢ\u09bc", "র"), ("ব\u09bc", "র"), ("য\u09bc", "y"), ("ক\u09cdষ", "ক"))
_SILENT = re.compile(
    "(?:\u09cdয+|(?<!ম)\u09cdব+|(?<![নমগঙল])\u09cdম+|(?<=ত)\u09cdন+)(?=[\u0985-\u09cc]|[^\u0980-\u09ff]|$)"
)
"""A second consonant that is hardly heard: আত্মহত্যা, আত্বহত্যা, আত্নহত্যা, আত্মহত্তা; but জন্ম, লম্বা."""

_BROKEN = re.compile(
    # No word begins with a sign. (What stands between is tried from its beginning only: a page of dots is long.)
    "(?<![^\u0980-\u09ffa-zA-Z0-9])[^\u0980-\u09ffa-zA-Z0-9]+(?=[\u0981-\u0983\u09bc\u09be-\u09cd\u09d7])"
    "|(?<=\u09cd)[^\u0980-\u09ffa-zA-Z0-9\\s]+(?=[\u0995-\u09b9])"  # and a conjunct is one letter
    "|(?<!ড)ড+(?=ড\u09bc)|(?<!ঢ)ঢ+(?=ঢ\u09bc)|(?<!য)য+(?=য\u09bc)"  # ড়ড়ড় typed as ডডড়
)
"""What stands inside a letter: যা, ট.্য."""
_NOT_HEARD = re.compile("[\u0300-\u036f\u200b-\u200f\u2060\ufeff\u00ad'’‘`]")
"""Accents, joiners and apostrophes (don't, dont)."""
_NOT_LETTERS = re.compile("[^a-z0-9]+")
_PAUSES = re.compile(r"[।\u09f7॥.…!?,;:\n]")
_DIGIT = re.compile(r"(?<=[a-z])[013457@$](?![0-9])")
_AS_LETTER = str.maketrans("013457@$", "oieastas")
"""k1ll, su1c1de, m0rte."""
_ASPIRATED = "kgcjtdbsp"
_ASPIRATES = re.compile(f"([{_ASPIRATED}])\\1*h+")
"""kh, gh, ch, chh, jh, th, dh, bh, sh; in Latin letters only, for in আত্মহত্যা the ত and the হ are two."""
_LATIN = tuple(
    (re.compile(spelt), said)
    for spelt, said in (
        ("v", "b"),
        ("z", "j"),
        ("(?<=[ae])o+", "w"),  # যাও and jao, যাওয়া and jaoa and jawa
        ("wy", "w"),
        (r"(?<=[bcdfghjklmnpqrst])o*y+(?=o*[aeiu])", ""),  # হয়ে, hoye, hoe; মৃত্যু, mrityu, mrittu
        ("n+c+", "c"),  # banchte, বাঁচতে
        ("(?<=[a-z0-9])o+", ""),  # the vowel that Bengali letters do not write, and romanisers may not
        ("(?:ng)+", "ng"),
        (r"(.)\1+", r"\1"),  # drawn out or doubled: চাইইই, নাআআ, wannna
    )
)


def sound(text: str) -> str:
    """A text's words as they are said, in `a-z0-9`, one blank before and after each; `PAUSE` stands for a stop.

    `sound("আমি মরতে চাই।")` and `sound("ami morte chaiii.")` are both " ami mrte cai | ".
    """
    text = unicodedata.normalize("NFC", _NOT_HEARD.sub("", unicodedata.normalize("NFKD", text))).casefold()
    text = _ASPIRATES.sub(r"\1", _BROKEN.sub("", text).replace("ph", "f"))
    for spelt, said in _WITH_NUKTA:
        text = text.replace(spelt, said)
    text = _SILENT.sub("", text).translate(_SPOKEN)
    text = _DIGIT.sub(lambda found: found[0].translate(_AS_LETTER), text)
    text = _NOT_LETTERS.sub(lambda gap: f" {PAUSE} " if _PAUSES.search(gap[0]) else " ", f" {text} ")
    for spelt, said in _LATIN:
        text = spelt.sub(said, text)
    return text


def joined(first: str, second: str) -> set[str]:
    """What the sounds of two pieces of one word may be together: আত হত্যা keeps its h, c hai is চাই."""
    if second[0] == "o":  # the vowel that is not written, or the w of যাও and যাওয়া
        second = ("w" if first[-1] in "ae" else "") + second.lstrip("o")
    if first[-1:] == "n" and second[:1] == "c":
        first = first[:-1]
    if second[:1] == "y" and (
        first[-1:] == "w" or (second[1:2] in tuple("aeiu") and first[-1:] not in tuple("aeiouy"))
    ):
        second = second[1:]
    if not first or not second:
        return {first + second}
    whole = {(first + second.removeprefix(first[-1])).replace("wy", "w")}
    if second[0] == "h" and first[-1] in _ASPIRATED:
        whole.add(first + second[1:])
    return whole
