"""finetune/demo/parts.py: the hand-written parts, and the checks that keep their voice."""

import unicodedata
from dataclasses import replace

import pytest
import yaml

from finetune.demo import parts
from finetune.demo.parts import PARTS, Situation, Topic, fill, read_topic, topic_problems

CONSONANTS = "কখগঘচছজঝটঠডঢতথদধনপফবভমরলশষসহ"


def word(number):
    """A made-up word of four letters, another one for each number."""
    base = len(CONSONANTS)
    letters = [CONSONANTS[number // base**place % base] for place in range(3)]
    return "".join(letters) + "া"


class Words:
    """Sentences of made-up words, no two the same."""

    def __init__(self):
        self.number = 0

    def sentence(self, end="।", with_word=""):
        words = [word(self.number + place) for place in range(4)]
        self.number += 4
        return " ".join([*words, *with_word.split()]) + end


def sound_situation(words, title="একটা ঘটনা"):
    named = words.sentence(end="").split()[0]
    return Situation(
        title=title,
        a=(("ঢাকা", "ঢাকায়"), ("সিলেট", "সিলেটে")),
        b=(),
        ask=tuple(words.sentence(with_word=named) for _ in range(4)),
        reflect=tuple(words.sentence(with_word=f"<a2> {named}") for _ in range(3)),
        open=(words.sentence(end="?"),),
        step=(words.sentence(),),
        flat=tuple(words.sentence() for _ in range(3)),
    )


@pytest.fixture
def topic():
    """A topic in which nothing is wrong."""
    words = Words()
    return Topic(
        name="শোক",
        mood="sad",
        situations=tuple(sound_situation(words, f"ঘটনা {n}") for n in range(parts.MINIMUM_SITUATIONS)),
        **{
            key: tuple(words.sentence(end="?" if key == "open" else "।") for _ in range(least))
            for key, least in parts.MINIMUM.items()
        },
    )


def with_part(topic, key, text):
    """The topic with one more part."""
    return replace(topic, **{key: (*getattr(topic, key), text)})


def with_situation(topic, **changes):
    """The topic with its first situation changed."""
    return replace(topic, situations=(replace(topic.situations[0], **changes), *topic.situations[1:]))


# what ships


@pytest.mark.parametrize("path", sorted(PARTS.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_topic_that_ships_is_well_formed(path):
    assert topic_problems(read_topic(path)) == []


def test_the_stock_is_as_large_as_promised_and_no_part_is_written_twice(topics):
    written = [text for topic in topics for key in parts.MINIMUM for text in getattr(topic, key)]
    written += [
        t for topic in topics for s in topic.situations for k in parts.MINIMUM_IN_SITUATION for t in getattr(s, k)
    ]
    assert len(written) >= 1500
    assert len(set(written)) >= 0.99 * len(written)


def test_there_are_at_least_thirty_two_topics_with_names_of_their_own(topics):
    assert len({topic.name for topic in topics}) == len(topics) >= 32


def test_the_feelings_that_were_asked_for_are_there_sad_and_joyful_alike(topics):
    names = " ".join(topic.name for topic in topics)
    for wanted in "একাকিত্ব পরীক্ষা চাকরি বিচ্ছেদ শোক অসুস্থতা পারিবারিক অপরাধবোধ রাগ ঈর্ষা গর্ব কৃতজ্ঞতা আনন্দ".split():
        assert unicodedata.normalize("NFC", wanted) in names
    moods = [topic.mood for topic in topics]
    assert moods.count("sad") >= 10 and moods.count("joyful") >= 5


def test_titles_are_unique_so_that_neighbouring_situations_are_never_joined(topics):
    titles = [(topic.name, situation.title) for topic in topics for situation in topic.situations]
    assert len(set(titles)) == len(titles)


def test_all_parts_are_in_nfc(topics):
    for topic in topics:
        for situation in topic.situations:
            for text in (topic.name, situation.title, *situation.ask, *situation.reflect, *topic.validate):
                assert text == unicodedata.normalize("NFC", text)


# slots


def test_a_slot_is_filled_with_the_form_that_it_names():
    filling = {"a": ("মা", "মায়ের", "মাকে"), "b": ("ঢাকা",)}
    assert fill("<a> আর <a2> কথা, <a3> নিয়ে <b>; <a1>।", filling) == "মা আর মায়ের কথা, মাকে নিয়ে ঢাকা; মা।"
    assert fill("কিছু নেই।", {}) == "কিছু নেই।"


def test_fillings_are_every_combination_of_the_slots_in_a_fixed_order():
    base = sound_situation(Words())
    both = replace(base, a=(("ক",), ("খ",)), b=(("গ",), ("ঘ",)))
    assert [(f["a"][0], f["b"][0]) for f in both.fillings()] == [("ক", "গ"), ("ক", "ঘ"), ("খ", "গ"), ("খ", "ঘ")]
    assert replace(base, a=(), b=(("গ",),)).fillings() == [{"b": ("গ",)}]
    assert replace(base, a=(), b=()).fillings() == [{}]


# reading


def as_yaml(topic):
    """The topic as its author would write it."""
    keys = ("title", *parts.MINIMUM_IN_SITUATION)
    situations = []
    for situation in topic.situations:
        raw = {key: getattr(situation, key) for key in keys}
        raw = {key: list(value) if isinstance(value, tuple) else value for key, value in raw.items()}
        situations.append({**raw, "a": [" | ".join(forms) for forms in situation.a]})
    raw = {"topic": topic.name, "mood": topic.mood, "situations": situations}
    raw |= {key: list(getattr(topic, key)) for key in parts.MINIMUM}
    return yaml.safe_dump(raw, allow_unicode=True)


def test_a_topic_is_read_as_it_was_written(topic, tmp_path):
    path = tmp_path / "01_shok.yaml"
    path.write_text(as_yaml(topic), encoding="utf-8")
    assert read_topic(path) == topic
    assert parts.read_topics(tmp_path) == [topic]


def test_reading_brings_text_to_nfc_and_folds_blanks(topic, tmp_path):
    path = tmp_path / "01_shok.yaml"
    path.write_text(as_yaml(with_part(topic, "tails", "বা\u09dcি   খালি\n   আজ।")), encoding="utf-8")
    assert read_topic(path).tails[-1] == "বা\u09a1\u09bcি খালি আজ।"


def test_a_topic_without_one_of_its_keys_is_told_apart_from_a_sound_one(topic, tmp_path, capsys):
    good, bad = tmp_path / "1.yaml", tmp_path / "2.yaml"
    good.write_text(as_yaml(topic), encoding="utf-8")
    bad.write_text("topic: শোক\nmood: sad\n", encoding="utf-8")
    assert parts.main([str(good)]) == 0
    assert "well formed" in capsys.readouterr().out
    assert parts.main([str(good), str(bad)]) == 1
    assert "2.yaml: cannot be read: KeyError" in capsys.readouterr().out


# problems


def test_a_sound_topic_has_no_problems(topic):
    assert topic_problems(topic) == []


@pytest.mark.parametrize(
    "key,text,problem",
    [
        ("validate", "এই কথাটা বুকে বাজে", "does not end with"),
        ("validate", "এই mail পড়ে বুক কাঁপে।", "Latin letters"),
        ("step", "একটু হাঁটা যায় ।", "space before punctuation"),
        ("tails", 'মা বলল "যাও"।', "straight quotation marks"),
        ("beside", "পাশে বসা যাক 🙂।", "emoji"),
        ("beside", "কথা " * 39 + "কথা।", "too long"),
        ("validate", "তোমার কষ্টটা বোঝা যায়।", "familiar register (তোমার)"),
        ("step", "একটু জল খাও।", "familiar register (খাও)"),
        ("validate", "সব ঠিক হয়ে যাবে, একটু সময় লাগবে।", "closed door"),
        ("validate", "এটা শুনে দুঃখিত লাগছে।", "closed door"),
        ("flat", "আল্লাহ ভরসা করা হয়।", "closed door"),
        ("validate", "কী যে কষ্ট!", "exclamation mark on sorrow"),
        ("validate", "কষ্টটা কি খুব ভারী?", "a validation is not a question"),
        ("open", "আরও বলুন।", "open must be a question"),
        ("step", "<a2> গিয়ে একটু বসা যায়।", "a slot outside a situation"),
    ],
)
def test_a_part_that_breaks_the_voice_is_named_with_what_is_wrong(topic, key, text, problem):
    text = unicodedata.normalize("NFC", text)
    found = topic_problems(with_part(topic, key, text))
    assert len(found) == 1, found
    assert problem in found[0] and text in found[0]


def test_a_familiar_word_is_found_behind_a_quotation_too(topic):
    """What somebody else said may be familiar, the reply itself may not."""
    assert topic_problems(with_part(topic, "validate", "মায়ের “তুমি এসো” শুনে বুক ভরে যায়।")) == []
    assert topic_problems(with_part(topic, "validate", "মায়ের “এসো বাবা” শুনে তোমার বুক ভরে যায়।"))


def test_joy_may_have_its_exclamation_mark(topic):
    assert topic_problems(replace(with_part(topic, "validate", "কী দারুণ খবর!"), mood="joyful")) == []


def test_a_question_may_say_tumi_and_have_latin_letters(topic):
    asked = (*topic.situations[0].ask, "তুমি কি CV দেখে দেবে?")
    assert topic_problems(with_situation(topic, ask=asked)) == []


def test_a_mood_that_does_not_exist_is_named(topic):
    assert topic_problems(replace(topic, mood="happy")) == ["mood is 'happy'; choose sad, joyful or mixed"]


@pytest.mark.parametrize("key", parts.MINIMUM)
def test_too_few_parts_of_a_kind_are_counted(topic, key):
    found = topic_problems(replace(topic, **{key: getattr(topic, key)[1:]}))
    assert found == [f"{key}: {parts.MINIMUM[key] - 1} of at least {parts.MINIMUM[key]}"]


@pytest.mark.parametrize("key", parts.MINIMUM_IN_SITUATION)
def test_too_few_parts_in_a_situation_are_counted_under_its_title(topic, key):
    found = topic_problems(with_situation(topic, **{key: getattr(topic.situations[0], key)[1:]}))
    least = parts.MINIMUM_IN_SITUATION[key]
    assert f"«ঘটনা 0» {key}: {least - 1} of at least {least}" in found


def test_too_few_situations_are_counted(topic):
    found = topic_problems(replace(topic, situations=topic.situations[1:]))
    assert found == [f"situations: {parts.MINIMUM_SITUATIONS - 1} of at least {parts.MINIMUM_SITUATIONS}"]


def test_a_part_written_twice_is_named(topic):
    assert topic_problems(with_part(topic, "step", topic.beside[0])) == [f"written 2 times  {topic.beside[0]}"]


def test_too_many_openings_with_the_same_two_words_are_named(topic):
    openings = tuple(f"এমন দিনে {word(900 + n)} লাগে।" for n in range(5))
    (found,) = topic_problems(replace(topic, validate=(*topic.validate, *openings)))
    assert "5 replies open with “এমন দিনে”" in found


def test_a_slot_without_values_or_with_too_few_forms_is_named(topic):
    (found,) = topic_problems(with_situation(topic, open=("<b> কেমন আছে?",)))
    assert "slot <b> has no values" in found
    (found,) = topic_problems(with_situation(topic, open=("<a3> কেমন আছে?",)))
    assert "<a3> but a value has fewer forms" in found


def test_values_of_a_slot_with_different_numbers_of_forms_are_named(topic):
    found = topic_problems(with_situation(topic, a=(("ঢাকা", "ঢাকায়"), ("সিলেট", "সিলেটে", "সিলেটের"))))
    assert found == ["«ঘটনা 0» slot a: every value needs the same number of forms"]


def test_a_reflection_that_picks_up_nothing_that_was_asked_is_named(topic):
    reflect = (*topic.situations[0].reflect, "একেবারে অন্য প্রসঙ্গের বাক্য।")
    (found,) = topic_problems(with_situation(topic, reflect=reflect))
    assert "shares no content word" in found and "অন্য প্রসঙ্গের" in found
