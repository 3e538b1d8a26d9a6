"""finetune/review/evaluation_figures.py: figures worked by hand from lines by hand."""

import pytest

from finetune.data import leakage
from finetune.review import bertscore, evaluation_figures, scores
from finetune.review.evaluation_figures import OTHERS
from tests.review import evaluations
from tests.rows import ROWS


@pytest.fixture(scope="module")
def made():
    """The result and rows of the lines by hand."""
    return evaluations.figures()


def test_bits_per_character_are_all_bits_over_all_characters(made):
    answers = [answer for _, _, _, answer in ROWS[:24]]
    bits = sum((2 + 0.01 * number) * len(answer) for number, answer in enumerate(answers))
    wanted = bits / sum(map(len, answers))
    result = made[0]
    assert result["base"]["bits_per_character"] == pytest.approx(wanted)
    assert result["tuned"]["bits_per_character"] == pytest.approx(wanted - 0.5)
    assert result["bits_saved"] == pytest.approx(0.5 / wanted)
    assert result["difference"]["bits_per_character"]["mean"] == pytest.approx(-0.5)


def test_a_reply_that_is_its_reference_scores_full_in_every_overlap_figure(made):
    tuned = made[0]["intervals"]["tuned"]
    assert tuned["chrf"]["mean"] == pytest.approx(100)
    assert tuned["rouge1"]["mean"] == tuned["rougeL"]["mean"] == tuned["length_ratio"]["mean"] == 1
    assert made[0]["base"]["bleu"] < 1


def test_every_figure_of_the_difference_stands_on_both_sides_with_its_interval(made):
    result, rows = made
    assert set(result["difference"]) == set(result["intervals"]["base"]) == set(result["intervals"]["tuned"])
    assert all(set(one) == {"mean", "low", "high", "n"} for one in result["difference"].values())
    chrf = result["difference"]["chrf"]
    assert chrf["low"] < chrf["mean"] < chrf["high"] and chrf["n"] == 24
    assert chrf["mean"] == pytest.approx(sum(one["tuned"]["chrf"] - one["base"]["chrf"] for one in rows) / 24)


def test_topics_with_few_questions_stand_together_and_topics_without_any_name_with_them():
    said, paid = evaluations.lines()
    said = [{**line, "topic": "শোক" if n < 9 else f"অন্য {n}" if n < 20 else ""} for n, line in enumerate(said)]
    found = evaluation_figures.figures(evaluations.DESCRIBED, said, paid, leakage.between([], []))[0]["topics"]
    assert [(one["topic"], one["prompts"]) for one in found] == [("শোক", 9), (OTHERS, 15)]
    assert all(one["bits_per_character"]["mean"] == pytest.approx(-0.5) for one in found)


def test_twenty_wordings_of_one_question_make_no_topic():
    said, paid = evaluations.lines()
    said = [{**line, "topic": "শোক" if n < 9 else "আনন্দ", "group": n // 9} for n, line in enumerate(said)]
    assert evaluation_figures.figures(evaluations.DESCRIBED, said, paid, leakage.between([], []))[0]["topics"] == []


def test_where_no_topic_has_enough_questions_there_are_none():
    said, paid = evaluations.lines(6)
    assert evaluation_figures.figures(evaluations.DESCRIBED, said, paid, leakage.between([], []))[0]["topics"] == []


def test_planted_leakage_is_the_first_line_and_its_rows_are_named():
    said, paid = evaluations.lines()
    found = leakage.between(evaluations.KEPT[20:], evaluations.KEPT[:24])
    result = evaluation_figures.figures(evaluations.DESCRIBED, said, paid, found)[0]
    assert next(iter(result)) == "first_line" and result["first_line"].startswith("Leakage: 4 of 24")
    assert [pair["other"] for pair in result["leakage"]["pairs"]] == [21, 22, 23, 24]
    assert evaluation_figures.table(result)[0] == result["first_line"]


def test_perplexity_stands_only_beside_bits_per_character_and_a_warning(made):
    for side in ("base", "tuned"):
        assert set(made[0][side]["per_token"]) == {"bits_per_character", "perplexity_per_token", "warning"}
    lines = evaluation_figures.table(made[0])
    place = next(number for number, line in enumerate(lines) if line.startswith("perplexity_per_token"))
    assert lines[place - 1].startswith("bits_per_character") and lines[place + 1].startswith("note: Perplexity")


def test_the_same_lines_give_the_same_result_to_the_last_digit(made):
    assert evaluations.figures() == made


def test_more_bits_for_tuned_are_told_as_such():
    result = evaluations.figures(gain=-0.25)[0]
    assert result["bits_saved"] < 0 and "tuned needs -" in "\n".join(evaluation_figures.table(result))
    assert result["difference"]["bits_per_character"]["mean"] == pytest.approx(0.25)


def test_signatures_say_how_overlap_was_counted_and_bertscore_why_it_was_not(made):
    assert "tok:intl" in made[0]["signatures"]["bleu"]
    assert made[0]["bertscore"].startswith("not run: ")


def test_the_table_says_why_bertscore_was_not_run_and_what_the_intents_are(made):
    told = evaluation_figures.table(made[0])
    assert any(line.startswith("bertscore ") and "not run: " in line for line in told)
    assert told[told.index(scores.DIAGNOSTIC) + 1].startswith(scores.INTENT)
    ran = evaluation_figures.table({**made[0], "bertscore": bertscore.signature()})
    assert ran[-1] == f"bertscore: {bertscore.signature()}"


def test_every_flag_has_the_interval_of_its_difference_and_a_share_that_is_always_one_has_none(made):
    result = made[0]
    flags = [name for name in result["difference"] if scores.kind(name) == scores.FLAG]
    assert len(flags) == len(scores.FLAGS) and all(result["difference"][name]["low"] is not None for name in flags)
    assert result["base"]["script_share"] == 1 and result["intervals"]["base"]["script_share"]["low"] is None


def test_an_encoder_that_cannot_be_read_is_told_and_ends_nothing(monkeypatch, tmp_path):
    (tmp_path / "config.json").write_text("{}", encoding="utf-8")
    monkeypatch.setattr(bertscore.of_sides, "__defaults__", (str(tmp_path),))
    result = evaluations.figures()[0]
    assert result["bertscore"].startswith("not run: ") and "bertscore" not in result["difference"]


def test_replies_that_are_empty_are_counted_and_have_no_script():
    said, paid = evaluations.lines()
    said = [{**line, "base": ""} for line in said]
    result = evaluation_figures.figures(evaluations.DESCRIBED, said, paid, leakage.between([], []))[0]
    assert (result["base"]["empty"], result["tuned"]["empty"]) == (1, 0)
    assert result["base"]["script_share"] is None and result["difference"]["script_share"]["n"] == 0
    assert any(line.startswith("script_share") and "–" in line for line in evaluation_figures.table(result))
