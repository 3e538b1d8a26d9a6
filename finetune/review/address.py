"""Which form of address a message uses, আপনি, তুমি or তুই, by words that only one of them has.

Known are pronouns and frequent verb forms in Bengali letters, as Dhaka and Kolkata say them, and romanised. It does not
parse. Forms that are said of a third person too (বলেন, করবেন), that mean something else as well (বল, a ball) or that
are an if (করলে) count for nothing, so it stays silent sooner than it is wrong. What others said counts for nothing
between quotation marks; without them, what is said after it goes first.
"""

from __future__ import annotations

import re
import unicodedata

from finetune import bengali

REGISTERS = ("apni", "tumi", "tui")

_PRONOUNS = {
    "apni": "আপনি আপনিই আপনিও আপনার আপনারই আপনারও আপনারটা আপনাকে আপনাকেই আপনাকেও আপনারা আপনাদের আপনে আপনেরে"
    " apni apnio apnie apnar apnaro apnake apnara apnader apne apnere",
    "tumi": "তুমি তুমিই তুমিও তোমার তোমারই তোমারও তোমারটা তোমাকে তোমাকেই তোমাকেও তোমায় তোমারে তোমরা তোমাদের"
    " tumi tumio tumie tomar tomaro tomake tomay tomare tomra tomader",
    "tui": "তুই তুইই তুইও তোর তোরই তোরও তোরটা তোকে তোকেই তোকেও তোরে তোরা তোদের tui tuio tuie tor toro toke tokeo tora toder",
}
_VERBS = {
    "apni": "বলুন করুন শুনুন দেখুন ভাবুন থাকুন বসুন আসুন লিখুন জানান শোনেন bolun korun shunun dekhun bhabun vabun thakun",
    "tumi": "বলো বোলো করো কোরো শোনো দেখো ভাবো থাকো এসো জানো লেখো দাও আছ আছো শুনছ শুনছো পারছ পারছো ভাবছ ভাবছো করছ করছো"
    " বুঝছ বুঝছো বলছ বলছো বুঝতেছ পারতেছ করতেছ bolo koro shono sono dekho bhabo vabo thako esho jano dao acho aso",
    "tui": "জানিস করিস বলিস থাকিস পারিস দেখিস শুনিস হাসিস বুঝিস ভাবিস আসিস দিস নিস শোন বুঝলি দেখলি শুনলি জানলি করবি হাসবি"
    " দেখবি বুঝবি পারবি ভাববি আসবি janis koris bolis thakis paris dekhis shunis hashis bujhis bhabis vabis achis shon"
    " bujhli dekhli korbi parbi bujhbi",
}
_PHRASES = {
    "apni": "বলেন তো|কী বলেন|কি বলেন|কন তো|দোয়া করবেন|আশীর্বাদ করবেন|প্রার্থনা করবেন|মাফ করবেন|ক্ষমা করবেন"
    "|হাসবেন না|bolen to|ki bolen|doa korben|hashben na",
    "tumi": "",
    "tui": "বিশ্বাস কর|বল তো|bol to",
}
_TUI_ENDING = "ছিস"
"""আছিস, করছিস, পেয়েছিস: an ending that no other word has."""

_QUOTED = re.compile('“[^”]*”|"[^"]*"')


def _by_word() -> dict[str, str]:
    known: dict[str, str] = {}
    for register in REGISTERS:
        listed = [*_PRONOUNS[register].split(), *_VERBS[register].split(), *filter(None, _PHRASES[register].split("|"))]
        known |= {unicodedata.normalize("NFC", word): register for word in listed}
    return known


_KNOWN = _by_word()


def register_of(text: str) -> str:
    """apni, tumi or tui, by the last word of a text in NFC that shows it; empty where none does."""
    words = [word.casefold() for word in bengali.words(_QUOTED.sub(" ", text))]
    for place in range(len(words) - 1, -1, -1):
        phrase = " ".join(words[place : place + 2])
        found = _KNOWN.get(words[place]) or _KNOWN.get(phrase) or ("tui" if words[place].endswith(_TUI_ENDING) else "")
        if found:
            return found
    return ""
