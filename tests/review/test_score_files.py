"""Scoring two text files: what comes out, and what is said of files that cannot be scored."""

import json

import pytest

from finetune.errors import DataError
from finetune.review import score_files, scores

REPLIES = ["আপনি একা নন, শুনছি।", "অভিনন্দন! প্রথম দিনটা কেমন কাটল?", "ফেলের কষ্টটা ভারী।"]


@pytest.fixture
def files(tmp_path):
    """Write files of these lines and give their paths."""

    def write(**contents):
        paths = {}
        for name, lines in contents.items():
            paths[name] = tmp_path / f"{name}.txt"
            paths[name].write_text("\n".join(lines) + "\n", encoding="utf-8")
        return paths

    return write


def refused(*paths, **prompts):
    with pytest.raises(DataError) as refusal:
        score_files.score_files(*paths, **prompts)
    return refusal.value


def test_a_file_against_itself_has_the_full_score(files):
    paths = files(said=REPLIES, wanted=REPLIES)
    found = score_files.score_files(paths["said"], paths["wanted"])
    overlap = [found[name] for name in ("chrf", "bleu", "rouge1", "rouge2", "rougeL", "length_ratio", "script_share")]
    assert overlap == pytest.approx([100, 100, 1, 1, 1, 1, 1])
    assert found["rows"] == 3 and {"distinct1", "distinct2", "commonest_opener", "signatures"} <= set(found)
    json.dumps(found)


def test_references_of_one_line_are_parted_by_tabs(files):
    paths = files(said=REPLIES, wanted=[f"অন্য কিছু।\t{reply}\t" for reply in REPLIES], one=["অন্য কিছু।"] * 3)
    assert score_files.score_files(paths["said"], paths["wanted"])["rouge1"] == 1
    assert score_files.score_files(paths["said"], paths["one"])["rouge1"] == 0


def test_means_over_lines_have_intervals(files):
    paths = files(said=REPLIES * 5, wanted=(REPLIES[:1] * 15))
    found = score_files.score_files(paths["said"], paths["wanted"])["intervals"]["chrf"]
    assert found["n"] == 15 and found["low"] < found["mean"] < found["high"]


def test_every_mean_has_its_interval_and_lines_with_one_prompt_are_drawn_together(files):
    paths = files(said=REPLIES * 5, wanted=REPLIES[:1] * 15, asked=["এক", "দুই", "তিন"] * 5, own=["এক", *[""] * 14])
    bare = score_files.score_files(paths["said"], paths["wanted"])
    means = {name for name, value in bare.items() if isinstance(value, float)}
    assert means - {"bleu", "distinct", "commonest_opener"} == set(bare["intervals"])
    one = score_files.score_files(paths["said"], paths["wanted"], paths["asked"])["intervals"]
    assert {"copied", "on_the_point"} <= set(one)
    assert one["finished"]["high"] - one["finished"]["low"] > 2 * (
        bare["intervals"]["finished"]["high"] - bare["intervals"]["finished"]["low"]
    )
    apart = score_files.score_files(paths["said"], paths["wanted"], paths["own"])["intervals"]
    assert apart["finished"] == bare["intervals"]["finished"]  # lines without a prompt are each their own


def test_what_rests_on_prompts_is_there_only_with_prompts(files):
    paths = files(said=["মা কথা বলছেন না আজ"], wanted=["শুনছি।"], asked=["মা কথা বলছেন না।"])
    assert not {"copied", "on_the_point"} & set(score_files.score_files(paths["said"], paths["wanted"]))
    assert score_files.score_files(paths["said"], paths["wanted"], paths["asked"])["copied"] == 1


def test_a_blank_line_is_an_empty_reply_and_windows_files_are_read_alike(files, tmp_path):
    paths = files(said=[*REPLIES[:2], ""], wanted=REPLIES)
    found = score_files.score_files(paths["said"], paths["wanted"])
    assert found["rouge1"] == pytest.approx(2 / 3)
    (tmp_path / "windows.txt").write_bytes(("\ufeff" + "\r\n".join([*REPLIES[:2], ""]) + "\r\n").encode())
    assert score_files.score_files(tmp_path / "windows.txt", paths["wanted"]) == found


def test_files_of_different_length_are_refused_with_both_numbers(files):
    paths = files(said=REPLIES, wanted=REPLIES[:2], asked=REPLIES * 2)
    error = refused(paths["said"], paths["wanted"])
    assert error.key == "score.lines" and (error.facts["lines"], error.facts["found"]) == (3, 2)
    assert str(error).startswith("said.txt has 3 lines, but wanted.txt has 2.")
    assert refused(paths["said"], paths["said"], prompts=paths["asked"]).facts["other"] == "asked.txt"


def test_a_file_that_is_empty_missing_or_not_unicode_is_refused(files, tmp_path):
    paths = files(said=REPLIES, empty=["", " "])
    (tmp_path / "latin.txt").write_bytes("café".encode("latin-1"))
    assert refused(paths["said"], paths["empty"]).key == "score.empty"
    assert refused(tmp_path / "none.txt", paths["said"]).key == "score.no_file"
    assert refused(paths["said"], tmp_path / "latin.txt").key == "score.not_unicode"


def test_people_read_figures_intervals_and_how_they_were_counted(files):
    paths = files(said=REPLIES * 5, wanted=REPLIES[:1] * 15, none=["।"] * 15)
    told = score_files.lines(score_files.score_files(paths["said"], paths["wanted"]))
    assert told[0] == "15 lines"
    assert any(line.startswith("bertscore ") for line in told)
    assert any(line.startswith("chrf ") and " to " in line for line in told)
    assert any(line.startswith("bleu: ") and "tok:intl" in line for line in told)
    assert not any(line.startswith("rouge1 ") and line.endswith("(no interval: all alike)") for line in told)
    assert told[told.index(scores.DIAGNOSTIC) + 1].startswith(scores.INTENT)
    alike = score_files.lines(score_files.score_files(paths["wanted"], paths["wanted"]))
    assert any(line.startswith("rouge1 ") and line.endswith("(no interval: all alike)") for line in alike)
    bare = score_files.lines(score_files.score_files(paths["said"], paths["none"]))
    assert any(line.split() == ["bleu", "-"] for line in bare)
