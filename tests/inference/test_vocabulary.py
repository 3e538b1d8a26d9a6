"""The tables that Banglish is read with: light, clean, and without contradictions."""

import unicodedata

from finetune import bengali
from finetune.inference.vocabulary import FOLDER, vocabulary


def test_the_tables_are_light():
    assert sum(file.stat().st_size for file in FOLDER.iterdir()) < 400_000


def test_every_word_is_bengali_in_the_form_the_model_reads():
    for word in vocabulary().weight:
        assert bengali.clean(word) == word and bengali.script_share(word) == 1, word


def test_every_word_is_found_under_a_skeleton():
    words = vocabulary()
    assert {word for alike in words.alike.values() for word in alike} == words.weight.keys()


def test_a_spelling_means_one_word():
    for name in ("spoken.tsv", "loans.tsv"):
        lines = [line for line in (FOLDER / name).read_text("utf-8").splitlines() if not line.startswith("#")]
        pairs = {(spelling, line.split("\t")[0]) for line in lines for spelling in line.split("\t")[1].split()}
        spellings = [spelling for spelling, _ in pairs]
        assert sorted(spellings) == sorted(set(spellings)), name
        assert all(spelling.isascii() and spelling.islower() and spelling.isalpha() for spelling in spellings), name
    assert not vocabulary().typed.keys() & vocabulary().loans.keys()


def test_frequency_is_the_corpus_and_verbs_are_conjugated():
    weight = vocabulary().weight
    assert weight["না"] > weight["মন"] > weight["করতাম"] > 0
    for form in ("শুনছিলাম", "থেকেছি", "লিখবেন", "ঘুমাচ্ছে", "বুঝিয়ে", "হবি", "নিচ্ছেন"):
        assert unicodedata.normalize("NFC", form) in weight
