"""Scores of replies together: what a row gives, what a set gives, and that the prompt is never prediction."""

import unicodedata

import pytest

from finetune.review import scores
from finetune.review.scores import Row

QUESTION = "পরীক্ষায় ফেল করেছি, বাবা কথা বলছেন না।"
REPLY = "ফেলের কষ্টের ওপর বাবার চুপ করে থাকা। বাবাকে প্রথম কথাটা কী বলতেন?"

OVERLAP = ("chrf", "rouge1", "rouge2", "rougeL")

CONTRACT = {
    *OVERLAP, "length_ratio", "distinct1", "distinct2", "repetition", "script_share", "empty", "intruding_script",
    "english_drift", "broken", "truncated", "copied", "intent_question", "intent_acknowledge", "intent_console",
    "intent_agree", "intent_encourage", "intent_sympathise", "intent_suggest", "intent_wish",
}  # fmt: skip


def rows(*replies, references=(REPLY,)):
    return [Row(QUESTION, references, reply) for reply in replies]


def test_a_reply_has_every_figure_as_a_number():
    found = scores.of_reply(Row(QUESTION, (REPLY,), REPLY))
    assert CONTRACT <= set(found)
    assert all(isinstance(value, float) for value in found.values())


def test_a_reply_that_is_a_reference_has_the_full_score():
    for reply in (REPLY, unicodedata.normalize("NFD", REPLY)):
        found = scores.of_reply(Row(QUESTION, ("অন্য কথা।", REPLY), reply))
        assert [found[name] for name in OVERLAP] == pytest.approx([100, 1, 1, 1])
        assert found["length_ratio"] == 1


def test_the_prompt_never_counts_as_prediction():
    with_prompt = scores.of_reply(Row(QUESTION, (REPLY,), f"{QUESTION} {REPLY}"))
    assert all(with_prompt[name] < scores.of_reply(Row(QUESTION, (REPLY,), REPLY))[name] for name in OVERLAP)
    assert with_prompt["copied"] == 1
    other = scores.of_reply(Row("একেবারে অন্য প্রশ্ন?", (REPLY,), "বাবা চুপ।"))
    same = scores.of_reply(Row(QUESTION, (REPLY,), "বাবা চুপ।"))
    assert {name for name in same if same[name] != other[name]} <= {"copied", "on_the_point"}
    assert scores.of_reply(Row(REPLY, (REPLY,), "শুনছি"))["rouge1"] == 0


def test_a_reply_that_the_limit_cut_is_truncated():
    cut = scores.of_reply(Row(QUESTION, (REPLY,), REPLY, ended=False))
    assert cut["truncated"] == 1
    assert scores.of_reply(Row(QUESTION, (REPLY,), REPLY, broken=True))["broken"] == 1
    assert {**cut, "truncated": 0.0} == scores.of_reply(Row(QUESTION, (REPLY,), REPLY))


def test_intents_are_those_of_the_lexicon():
    found = scores.of_reply(Row(QUESTION, (), "অভিনন্দন! প্রথম দিনটা কেমন কাটল?"))
    assert {name for name in found if name.startswith("intent_") and found[name]} == {"intent_wish", "intent_question"}


def test_a_set_has_means_where_replies_have_figures_and_whole_figures_elsewhere():
    found = scores.of_replies(rows(REPLY, "ক খ", "ক খ"))
    single = [scores.of_reply(row) for row in rows(REPLY, "ক খ", "ক খ")]
    assert found["rows"] == 3
    assert found["rouge1"] == pytest.approx(1 / 3)
    assert found["intent_question"] == pytest.approx(1 / 3)
    assert found["distinct"] == 2 / 3 and found["commonest_opener"] == 2 / 3
    assert found["chrf"] != pytest.approx(sum(one["chrf"] for one in single) / 3)  # counts are added up before
    assert set(found["signatures"]) == {"chrf", "bleu", "rouge"}
    assert found["distinct1"] == 14 / 16  # twelve different words, and twice the same two


def test_figures_that_are_there_already_are_not_worked_out_again():
    known = [scores.of_reply(row) for row in rows(REPLY, "ক খ")]
    assert scores.of_replies(rows(REPLY, "ক খ"), known) == scores.of_replies(rows(REPLY, "ক খ"))
    assert scores.of_replies(rows(REPLY), [{**known[0], "rouge1": 0.25}])["rouge1"] == 0.25


def test_means_leave_out_what_is_not_defined():
    found = scores.of_replies([*rows(REPLY), Row(QUESTION, (), "ক খ")])
    assert found["rouge1"] == 1 and found["length_ratio"] == 1


def test_no_rows_have_no_figures():
    found = scores.of_replies([])
    assert found["rows"] == 0 and found["chrf"] is None and found["distinct1"] is None


def test_an_interval_has_the_mean_its_ends_and_how_many_it_rests_on():
    found = scores.intervals([10.0, None, 20.0, 30.0] * 10, seed=1)
    assert set(found) == {"mean", "low", "high", "n"}
    assert (found["mean"], found["n"]) == (20, 30)
    assert found["low"] < 20 < found["high"]
    assert found == scores.intervals([10.0, None, 20.0, 30.0] * 10, seed=1)


def test_no_interval_reaches_beyond_what_a_figure_can_be():
    few = [100.0, 100.0, 100.0, 49.0]
    assert scores.intervals(few)["high"] > 100
    assert scores.intervals(few, scale=scores.scale("chrf"))["high"] == 100
    assert scores.intervals([0.0, 0.0, 1.0, 90.0], scale=scores.scale("characters"))["low"] == 0
    base, tuned = [0.9, 1.0, 1.0, 1.0, 0.2], [0.0, 0.1, 0.0, 0.0, 0.9]
    found = scores.paired(base, tuned, kind=scores.SHARE, scale=scores.scale("rouge1"))
    assert (found["low"], found["high"]) == (-1, 1)
    assert {scores.scale(name) for name in (*scores.FLAGS, *scores.SHARES)} == {(0, 1)}


def test_groups_belong_to_the_values_that_are_left():
    values, groups = [10.0, None, 20.0, 30.0] * 10, [number // 4 for number in range(40)]
    assert scores.intervals(values, groups)["low"] is None  # ten groups that are all alike
    assert scores.intervals([None, 1.0], ["a", "b"])["n"] == 1


def test_a_paired_difference_is_tuned_less_base_question_by_question():
    base = [float(number % 17) for number in range(60)]
    tuned = [value + 1 + number % 3 for number, value in enumerate(base)]
    found = scores.paired([*base, None, 5.0], [*tuned, 7.0, None])
    assert (found["mean"], found["n"]) == (2, 60)
    assert 1.7 < found["low"] < 2 < found["high"] < 2.3  # base itself varies by 17
    assert scores.paired(tuned, base)["mean"] == -2


def test_every_figure_of_a_reply_is_a_flag_a_share_or_a_number():
    found = scores.of_reply(Row(QUESTION, (REPLY,), REPLY))
    kinds = {name: scores.kind(name) for name in found}
    assert {name for name, kind in kinds.items() if kind == scores.NUMBER} == {"chrf", "length_ratio", "characters"}
    assert {*scores.FLAGS, *scores.SHARES} <= set(found)
    assert all(found[name] in (0, 1) for name in scores.FLAGS)


def test_flags_have_an_interval_even_where_all_are_alike_and_shares_have_none():
    assert scores.intervals([0.0] * 400, kind=scores.FLAG)["high"] == pytest.approx(1 - 0.025 ** (1 / 400))
    assert scores.intervals([1.0] * 400, kind=scores.SHARE)["low"] is None
    assert scores.intervals([None] * 4, kind=scores.FLAG)["mean"] is None


@pytest.mark.parametrize("differing", [0, 1, 2])
def test_the_difference_of_sparse_flags_has_its_interval(differing):
    base, tuned = [0.0] * 99 + [None], [1.0] * differing + [0.0] * (100 - differing)
    found = scores.paired(base, tuned, kind=scores.FLAG)
    assert (found["mean"], found["n"]) == (differing / 99, 99)
    assert found["low"] < found["mean"] < found["high"] and found["low"] < 0.01


def test_sides_of_different_length_are_refused():
    with pytest.raises(ValueError):
        scores.paired([1.0], [1.0, 2.0])
