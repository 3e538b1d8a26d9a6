"""What shows in replies: each figure worked by hand on a text made for it."""

import pytest

from finetune.review import text_scores


def figure(name, reply, prompt="", ended=True):
    return text_scores.of_reply(reply, prompt, ended)[name]


def test_distinct_counts_different_words_and_pairs_among_all():
    assert figure("distinct1", "ক খ। ক খ?") == 2 / 4
    assert figure("distinct2", "ক খ ক খ") == 2 / 3
    assert figure("distinct1", "ভালো। ভালো?") == 1 / 2  # the mark makes no other word
    assert figure("distinct2", "ভালো।") is None


def test_over_many_replies_words_are_pooled_and_no_pair_reaches_into_the_next_reply():
    whole = text_scores.of_replies(["ক খ", "ক খ", "গ"])
    assert (whole["distinct1"], whole["distinct2"], whole["distinct"]) == (3 / 5, 1 / 2, 2 / 3)


def test_repetition_is_the_share_of_runs_of_four_words_that_stood_before():
    assert figure("repetition", "ক খ গ ঘ ক খ গ ঘ") == pytest.approx(1 / 5)
    assert figure("repetition", "আপনি কি কিছু করতে পারেন? " * 20) == pytest.approx(1 - 5 / 97)
    assert figure("repetition", "ক খ গ ঘ ঙ") == figure("repetition", "ক ক") == 0


def test_the_commonest_opener_is_the_share_of_replies_that_begin_with_the_same_two_words():
    assert text_scores.of_replies(["মন খারাপ?", "মন, খারাপ তো হবেই", "মন ভালো", "শুনছি"])["commonest_opener"] == 1 / 2


@pytest.mark.parametrize(
    ("reply", "script"),
    [("আকর্ষণীয় 습니다", "HANGUL"), ("ভালো ठीक", "DEVANAGARI"), ("ভালো 好", "CJK"), ("ভালো хорошо", "CYRILLIC")],
)
def test_letters_of_a_third_script_are_intruders_and_named(reply, script):
    assert figure("intruding_script", reply) == 1
    assert set(text_scores.intruders(reply)) == {script}


@pytest.mark.parametrize("reply", ["ভালো আছি। OK?", "“ভালো”—১২৩ ৳৫০ 😀 é", "র‍্যাব, দুঃখ।॥", ""])
def test_danda_digits_emoji_joiners_and_latin_names_are_no_intruders(reply):
    assert figure("intruding_script", reply) == 0


def test_script_share_is_of_letters_and_signs():
    assert figure("script_share", "কখ ab, ১২।") == 1 / 2


def test_an_empty_reply_is_counted_as_empty_and_has_no_share_of_any_script():
    assert [figure("empty", reply) for reply in ("", " \n", "।", "😊", "শুনছি")] == [1, 1, 0, 0, 0]
    assert figure("script_share", "") is figure("script_share", "১২ 😊।") is None
    assert figure("script_share", "ok") == 0


@pytest.mark.parametrize(
    ("reply", "drift"),
    [
        ("I am so sorry to hear that.", 1),
        ("মন খারাপ হলে take a deep breath নিন, দেখবেন মনটা অনেকটা হালকা লাগছে।", 1),
        ("OK", 1),
        ("OSU Buckeyes-এর খেলা দেখে WhatsApp করবেন?", 0),
        ("Facebook আর YouTube আর Google Maps খুলে রাখুন, সঙ্গে ম্যাপটাও।", 0),
        ("আমি শুনছি।", 0),
        ("", 0),
    ],
)
def test_english_drift_is_a_phrase_in_latin_letters_and_not_a_name(reply, drift):
    assert figure("english_drift", reply) == drift


@pytest.mark.parametrize(("reply", "broken"), [("ভা\ufffd", 1), ("ভালো ি", 1), ("ভালো।", 0), ("র‍্যাব", 0)])
def test_broken_is_what_a_reader_sees_broken(reply, broken):
    assert figure("broken", reply) == broken


def test_what_the_model_wrote_counts_as_broken_though_the_reply_was_mended():
    assert text_scores.of_reply("ভালো।", broken=True)["broken"] == 1
    assert text_scores.of_reply("ভালো ি", broken=False)["broken"] == 0


def test_a_reply_is_truncated_where_the_limit_cut_it_or_a_letter_is_cut():
    assert figure("truncated", "আমি শুনছি।", ended=False) == 1
    assert figure("truncated", "আমি শুন\ufffd") == figure("truncated", "আমি শুন্") == 1
    assert figure("truncated", "আমি শুনছি") == 0


def test_a_reply_is_finished_where_it_ends_as_a_sentence_does():
    assert [figure("finished", reply) for reply in ("শুনছি।", "“শুনছি?” ", "শুনছি.", "শুনছি…", "শুনছি", "")] == [1] * 4 + [
        0
    ] * 2


def test_four_words_of_the_question_in_a_row_are_copied_and_three_are_not():
    question = "আজ অফিসে সবার সামনে বস বকলেন।"
    assert figure("copied", "হ্যাঁ, অফিসে, সবার সামনে বস!", question) == 1
    assert figure("copied", "অফিসে সবার সামনে ছোট হওয়া কষ্টের।", question) == 0
    assert figure("copied", question) == 0  # without a question nothing is copied


def test_on_the_point_takes_up_a_content_word_without_copying():
    question = "আজ অফিসে সবার সামনে বস বকলেন।"
    assert figure("on_the_point", "অফিসে এমন হলে খারাপ লাগে।", question) == 1
    assert figure("on_the_point", "অফিসে সবার সামনে বস বকলেন বুঝি।", question) == 0
    assert figure("on_the_point", "আমি আজ শুনছি।", question) == 0  # only words that say nothing


def test_figures_do_not_depend_on_how_letters_are_encoded():
    assert text_scores.of_reply("ব\u09dfস হ\u09dfেছে।", "ব\u09dfস কত হলো ব\u09dfস") == text_scores.of_reply(
        "ব\u09af\u09bcস হ\u09af\u09bcেছে।", "ব\u09af\u09bcস কত হলো ব\u09af\u09bcস"
    )


def test_no_replies_have_no_figures():
    assert set(text_scores.of_replies([]).values()) == {None}
