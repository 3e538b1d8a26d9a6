"""A word has one sound, in both scripts and however it is typed; words that are said differently keep theirs apart."""

import random
import re
import unicodedata

import pytest

from finetune import bengali
from finetune.inference import safety
from finetune.inference.red_team import LISTS, read
from finetune.inference.sound import joined, sound


def said(*texts: str) -> set[str]:
    """The different sounds of these texts."""
    return {sound(text).strip() for text in texts}


@pytest.mark.parametrize(
    "spellings",
    [
        ("মরতে চাই", "morte chai", "mrte cai", "MORTE CHAIII", "morte chhai", "m0rte chai"),
        ("বাঁচতে", "বাচতে", "banchte", "bachte", "bacte"),
        ("ইচ্ছা", "ইচছা", "iccha", "ichchha", "icchhha"),
        ("যাওয়া", "jaowa", "jaoa", "jawa", "zaowa"),
        ("আত্মহত্যা", "আত্বহত্যা", "আত্নহত্যা", "আত্তহত্তা", "attohotta"),
        ("করব", "করবো", "korbo", "krbo", "KORBOOO"),
        ("শেষ", "সেষ", "shesh", "sesh"),
        ("দড়ি", "dori", "দরি"),
        ("ভালো", "ভাল", "valo", "bhalo"),
        ("না", "নাআআ", "naaa", "NA"),
        ("don't", "dont", "don’t", "DON'T"),
        ("kill", "k1ll", "killl"),
        ("más", "mas"),
        ("ｋｉｌｌ", "kill"),
    ],
    ids=lambda spellings: spellings[0],
)
def test_one_word_has_one_sound(spellings):
    assert len(said(*spellings)) == 1


@pytest.mark.parametrize(
    "words",
    [
        ("চাই", "চায়"),  # I want, they want
        ("আত্মহত্যা", "আটা"),
        ("জন্ম", "জন্য"),
        ("দড়ি", "দাড়ি"),
        ("না", "নাও"),
        ("ওপারে", "পারে"),
        ("মরে", "মারে"),
        ("খেয়ে", "কে"),
        ("দিয়ে", "die"),
    ],
    ids=lambda words: words[0],
)
def test_words_that_are_said_differently_stay_apart(words):
    assert len(said(*words)) == len(words)


def test_a_stop_is_kept_and_other_signs_are_blanks():
    assert sound("চাই। না, হ্যাঁ — আচ্ছা") == " cai | na | ha aca "
    assert sound("") == sound("😀 …?").replace("| ", "") == " "


def test_the_pieces_of_a_word_sound_as_the_word():
    for first, second in [("mo", "rte"), ("c", "hai"), ("আত", "মহত্যা"), ("যা", "ওয়া"), ("kor", "bo"), ("ban", "chte")]:
        assert sound(first + second).strip() in joined(sound(first).strip(), sound(second).strip()), (first, second)


# A fuzz over all direct lines of the lists: nobody is missed for the way they type.


@pytest.fixture(scope="module")
def direct():
    """Every line that ought to be strong and is."""
    listed = [text for name in ("red_team", "red_team_unseen") for _, _, text in strong_of(name)]
    found = [text for text in listed if safety.screen(text) == "strong"]
    assert len(found) > 400
    return found


def strong_of(name):
    return [line for line in read(LISTS / f"{name}.tsv") if line[0] == "strong"]


def sprinkled(sign):
    """Put an invisible sign behind every second letter or so."""
    return lambda text, dice: "".join(letter + sign * (dice.random() < 0.5) for letter in text)


def drawn_out(text, dice):
    """Repeat the last sign of some letters two to four times."""
    letters = bengali.graphemes(text)
    for place in dice.sample(range(len(letters)), min(4, len(letters))):
        if letters[place][-1].isalpha() or unicodedata.category(letters[place][-1]) == "Mc":
            letters[place] += letters[place][-1] * dice.randrange(1, 4)
    return "".join(letters)


def composed(text, dice):
    """য় ড় ঢ় as one letter each, which NFC itself takes apart."""
    return re.sub("[যডঢ]\u09bc", lambda letter: {"য": "\u09df", "ড": "\u09dc", "ঢ": "\u09dd"}[letter[0][0]], text)


VARIANTS = {
    "joiners": sprinkled("\u200d"),
    "non-joiners": sprinkled("\u200c"),
    "zero-width spaces": sprinkled("\u200b"),
    "decomposed": lambda text, dice: unicodedata.normalize("NFD", text),
    "compatibility forms": lambda text, dice: unicodedata.normalize("NFKD", text),
    "composed": composed,
    "mixed case": lambda text, dice: "".join(dice.choice((str.upper, str.lower))(letter) for letter in text),
    "wide blanks": lambda text, dice: re.sub(" ", lambda _: dice.choice(("  ", "\u00a0", "\t", "\n", " \u2003")), text),
    "stops between words": lambda text, dice: re.sub(" ", lambda _: dice.choice((". ", "... ", " — ", ", ")), text),
    "drawn out": drawn_out,
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_however_a_direct_line_is_typed_it_stays_strong(direct, variant):
    dice = random.Random(7)
    changed = [(text, VARIANTS[variant](text, dice)) for text in direct]
    assert [typed for _, typed in changed if safety.screen(typed) != "strong"] == []
    assert sum(text != typed for text, typed in changed) > 40


@pytest.mark.parametrize("sign", [" ", ".", "-", "*", "_"])
def test_a_word_in_two_pieces_hides_hardly_any_direct_line(direct, sign):
    # A piece may itself be another word (কর ব ঠিক, n o reason): one place in two hundred is missed.
    dice = random.Random(7)
    typed = [in_two(text, sign, dice) for text in direct for _ in range(2)]
    assert len([text for text in typed if safety.screen(text) != "strong"]) <= 0.01 * len(typed)


def in_two(text, sign, dice):
    """A text in which a sign stands somewhere inside one of its words."""
    letters = bengali.graphemes(text)
    inside = [
        place for place in range(1, len(letters)) if letters[place][0].isalnum() and letters[place - 1][0].isalnum()
    ]
    place = dice.choice(inside)
    return "".join(letters[:place]) + sign + "".join(letters[place:])
