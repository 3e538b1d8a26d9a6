"""finetune/bengali.py: the Unicode traps of Bengali, each shown on real words."""

import random
import unicodedata
from pathlib import Path

import pytest

from finetune import bengali

ZWSP, ZWNJ, ZWJ = "\u200b", "\u200c", "\u200d"
COMMENTS = Path(__file__).resolve().parents[2] / "shared" / "data" / "banglaemotion_test.txt"

SENTENCES = [
    "আজ অফিসে সবার সামনে বস আমাকে বকলেন।",
    "ক্ষ্মা, হ্যাঁ, র\u200d্যাব আর উৎসব: সব মিলিয়ে ১২টা!",
    "“বাড়ি যাব না,” সে বলল। আষাঢ়ের বৃষ্টি নেমেছে ঢাকায়।",
]


@pytest.fixture(scope="module")
def comments():
    """Real posts from social media, noisy as they are."""
    if not COMMENTS.is_file():
        pytest.skip(f"{COMMENTS} is not on this machine")
    return [line.partition(" ")[2] for line in COMMENTS.read_text(encoding="utf-8").splitlines() if line.strip()]


def chopped(text, seed):
    """The text in pieces of one to three code points, as a careless stream would bring it."""
    rng, at = random.Random(seed), 0
    while at < len(text):
        size = rng.randint(1, 3)
        yield text[at : at + size]
        at += size


# clean


def test_cleaning_decomposes_the_dotted_letters_and_composes_the_vowel_signs():
    assert bengali.clean("বা\u09dcি") == "বা\u09a1\u09bcি"
    assert bengali.clean("ভাল\u09c7\u09be") == "ভাল\u09cb"


@pytest.mark.parametrize("noise", [ZWSP, "\ufeff", "\u200e", "\u200f", "\u2060", "\u00ad", "\x00", "\x07"])
def test_cleaning_takes_out_invisible_noise_inside_a_word(noise):
    assert bengali.clean(f"আ{noise}মি") == "আমি"


@pytest.mark.parametrize("first,second", [("\u09c7", "\u09be"), ("\u09a1", "\u09bc"), ("\u09c7", "\u09d7")])
def test_cleaned_text_is_in_nfc_even_where_noise_stood_between_two_parts_of_a_letter(first, second):
    cleaned = bengali.clean(f"ক{first}{ZWSP}{second}")
    assert cleaned == unicodedata.normalize("NFC", f"ক{first}{second}")


def test_cleaning_twice_changes_nothing_more_whatever_stands_beside_what():
    rng = random.Random(4)
    signs = f"কর\u09be\u09c7\u09d7\u09bc{bengali.VIRAMA}{ZWJ}{ZWNJ}{ZWSP}\ud83d\x0b\x07 \n\r"
    for _ in range(5000):
        once = bengali.clean("".join(rng.choices(signs, k=8)))
        assert bengali.clean(once) == once == unicodedata.normalize("NFC", once)


def test_half_a_surrogate_pair_becomes_a_replacement_character():
    assert bengali.clean("মন \ud83d ভারী \ude22 😢") == "মন \ufffd ভারী \ufffd 😢"


def test_a_joiner_beside_a_virama_stays_because_it_shapes_the_conjunct():
    assert bengali.clean(f"র{ZWJ}্যাব") == f"র{ZWJ}্যাব"
    assert bengali.clean(f"উদ্{ZWNJ}যাপন") == f"উদ্{ZWNJ}যাপন"


@pytest.mark.parametrize("joiner", [ZWJ, ZWNJ])
def test_a_joiner_anywhere_else_goes(joiner):
    assert bengali.clean(f"আ{joiner}মি") == "আমি"


def test_blanks_of_every_kind_fold_into_one_and_the_ends_are_stripped():
    assert bengali.clean("\u00a0 আমি \t\u00a0  একা\u2003বসে । ") == "আমি একা বসে ।"


@pytest.mark.parametrize("break_", ["\x0b", "\x0c", "\x85"])
def test_an_old_line_or_page_break_does_not_glue_two_words_together(break_):
    assert bengali.clean(f"আমি{break_}একা").split() == ["আমি", "একা"]


def test_line_breaks_stay_and_runs_of_them_become_one():
    assert bengali.clean("প্রথম লাইন \r\n\r\n\n  দ্বিতীয়\rতৃতীয়") == unicodedata.normalize("NFC", "প্রথম লাইন\nদ্বিতীয়\nতৃতীয়")


def test_ordinary_text_comes_out_as_it_went_in():
    for sentence in SENTENCES:
        assert bengali.clean(sentence) == unicodedata.normalize("NFC", sentence)


def test_cleaning_real_comments_twice_changes_nothing_more(comments):
    for comment in comments:
        once = bengali.clean(comment)
        assert bengali.clean(once) == once == unicodedata.normalize("NFC", once)


# words and graphemes


def test_the_sign_that_many_type_for_a_danda_is_one():
    assert bengali.words("আমি ৷ আছি৷") == ["আমি", "আছি"]
    assert bengali.clean("আমি আছি ৷") == "আমি আছি ।"
    assert bengali.ends_sentence("আমি আছি৷”")
    assert bengali.sentences("মন খারাপ৷ সব ঠিক হয়ে যাবে৷") == ["মন খারাপ৷", "সব ঠিক হয়ে যাবে৷"]


def test_words_keep_their_vowel_signs_and_lose_the_danda():
    assert bengali.words("আমি ভালো আছি।") == ["আমি", "ভালো", "আছি"]


def test_joiners_digits_and_inner_hyphens_stay_inside_a_word():
    assert bengali.words(f"র{ZWJ}্যাব ধীরে-ধীরে ১২টায় এল, তাই না?") == [
        f"র{ZWJ}্যাব",
        "ধীরে-ধীরে",
        "১২টায়",
        "এল",
        "তাই",
        "না",
    ]


def test_a_conjunct_with_its_signs_is_one_grapheme():
    assert bengali.graphemes(f"ক্ষ্মা হ্যাঁ র{ZWJ}্যা") == ["ক্ষ্মা", " ", "হ্যাঁ", " ", f"র{ZWJ}্যা"]


def test_content_words_leave_out_stop_words_and_very_short_ones():
    assert bengali.content_words("আমি আজ খুব একা, মা টরন্টোতে নেই।") == {"একা", "টরন্টোতে"}


def test_content_words_know_stop_words_with_dotted_letters_in_either_form():
    composed = "হ\u09dfেছে নি\u09dfে"
    assert bengali.content_words(bengali.clean(composed)) == set()


# script share


def test_script_share_counts_letters_and_signs_only():
    assert bengali.script_share("আমি ভালো আছি। ১২৩, ৳৫০!") == 1.0
    assert bengali.script_share("hello, world.") == 0.0
    assert bengali.script_share("মাab") == 0.5


def test_script_share_of_a_text_without_letters_is_zero():
    assert bengali.script_share("") == bengali.script_share("১২৩ ... 😊।") == 0.0


def test_letters_of_neighbouring_scripts_do_not_count_as_bengali():
    assert bengali.script_share("कख") == 0.0
    assert bengali.script_share("한글") == 0.0


def test_script_share_agrees_with_the_unicode_tables_on_real_comments(comments):
    import regex

    letter = regex.compile(r"[\p{L}\p{M}]")
    block = "".join(map(chr, range(0x0900, 0x0B00)))
    for text in [*comments, block, *block]:
        letters = letter.findall(text)
        bengali_letters = [one for one in letters if regex.match(r"\p{Bengali}", one)]
        assert bengali.script_share(text) == (len(bengali_letters) / len(letters) if letters else 0.0)


# mojibake


@pytest.mark.parametrize("sentence", SENTENCES)
@pytest.mark.parametrize("encoding", ["latin-1", "sloppy-windows-1252"])
def test_wrongly_decoded_bengali_is_seen_and_repaired(sentence, encoding):
    import ftfy  # noqa: F401 (registers the sloppy encoding)

    sentence = bengali.clean(sentence)
    damaged = sentence.encode().decode(encoding)
    assert bengali.looks_like_mojibake(damaged)
    assert bengali.repair_mojibake(damaged) == sentence


def test_bengali_that_was_wrongly_decoded_twice_is_repaired_too():
    sentence = "আমার মন আজ ভালো নেই।"
    damaged = sentence.encode().decode("latin-1").encode().decode("latin-1")
    assert bengali.looks_like_mojibake(damaged)
    assert bengali.repair_mojibake(damaged) == sentence


@pytest.mark.parametrize("text", [*SENTENCES, "naïve café, déjà vu", "“ঠিক আছে” — ৫০%"])
def test_sound_text_is_not_taken_for_mojibake(text):
    assert not bengali.looks_like_mojibake(text)


# broken graphemes


@pytest.mark.parametrize("text", ["আমি\ufffd", "\ufffdআমি", "ি", "আমি\nি", "্ক", f"{ZWJ}া"])
def test_a_replacement_character_or_a_sign_without_a_letter_is_broken(text):
    assert bengali.broken_graphemes(text)


@pytest.mark.parametrize("before", [" ", "।", "“", "-"])
def test_a_vowel_sign_after_a_blank_or_a_punctuation_mark_is_broken(before):
    assert bengali.broken_graphemes(f"আমি{before}িক")


def test_a_visarga_typed_for_a_colon_between_figures_is_not_broken():
    assert bengali.broken_graphemes("রাত ১০ঃ৩০, নামঃ") == []


@pytest.mark.parametrize("text", [*SENTENCES, "", "ধিক্ এমন জীবনকে!", "৫টি, দুঃখ, চাঁদ, হৃদয়, ঐক্য"])
def test_sound_text_has_no_broken_grapheme(text):
    assert bengali.broken_graphemes(bengali.clean(text)) == []


# sentence ends


@pytest.mark.parametrize(
    "text",
    ["আছি।", "কেন?", "বাহ!", "“আছি।”", "(কেন?)", "আছি।’ ", "বাহ!»\n", "আছি.", "আছি…", "আছি॥", "আছি...", "সাল ২০২০."],
)
def test_a_danda_a_question_mark_an_exclamation_mark_and_a_full_stop_end_a_sentence(text):
    assert bengali.ends_sentence(text)


@pytest.mark.parametrize("text", ["", "  ", "আছি", "আছি,", "”", "»)", "।আছি", ".আছি", "৩.৫"])
def test_anything_else_does_not_end_a_sentence(text):
    assert not bengali.ends_sentence(text)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("আছি। কেন? বাহ!", ["আছি।", "কেন?", "বাহ!"]),
        ("মন ভালো নেই. কথা বলুন.", ["মন ভালো নেই.", "কথা বলুন."]),
        ("“ভালো আছি.” তারপর?", ["“ভালো আছি.", "” তারপর?"]),
        ("৩.৫ কিলোমিটার হাঁটুন, www.dot.com দেখুন।", ["৩.৫ কিলোমিটার হাঁটুন, www.dot.com দেখুন।"]),
        ("জানি না... হয়তো… দেখি", ["জানি না... হয়তো… দেখি"]),
        ("শেষ॥ শুরু\nআবার", ["শেষ॥", "শুরু", "আবার"]),
        ("কী?! না।।", ["কী?!", "না।।"]),
        ("", []),
    ],
)
def test_sentences_are_parted_where_one_ends_and_not_within_numbers_addresses_or_pauses(text, parts):
    assert bengali.sentences(text) == parts


# unfinished ends


def test_what_a_cut_reply_leaves_at_its_end_is_dropped():
    assert bengali.trim_unfinished("আমি ভালো\ufffd\ufffd") == "আমি ভালো"
    assert bengali.trim_unfinished("আমি ক্") == "আমি ক"
    assert bengali.trim_unfinished(f"আমি র{ZWJ}্") == "আমি র"
    assert bengali.trim_unfinished("আমি ক্\ufffd") == "আমি ক"


def test_a_finished_text_is_not_trimmed():
    for sentence in SENTENCES:
        assert bengali.trim_unfinished(sentence) == sentence
    assert bengali.trim_unfinished("\ufffdআমি") == "\ufffdআমি"


# signs without a letter


@pytest.mark.parametrize(
    ("written", "shown"), [("গেল,্কাট", "গেল,কাট"), ("\u09beআমি", "আমি"), ("ঘর \u09bf\ufffdবাড়ি", "ঘর বাড়ি")]
)
def test_a_sign_that_stands_under_no_letter_is_left_out(written, shown):
    assert bengali.without_orphans(bengali.clean(written)) == bengali.clean(shown)
    assert bengali.broken_graphemes(bengali.without_orphans(written)) == []


def test_sound_text_keeps_every_sign():
    for sentence in SENTENCES:
        assert bengali.without_orphans(sentence) == sentence
