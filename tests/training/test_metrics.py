"""The metrics log is read back however the process that wrote it ended."""

import json

import pytest

from finetune.training import metrics

FIRST = {"step": 0, "epoch": 0.0, "eval_loss": 4.5, "elapsed_s": 1.0}
SECOND = {"step": 1, "epoch": 0.1, "loss": 4.25, "learning_rate": 2e-4, "elapsed_s": 2.0}
THIRD = {"step": 2, "epoch": 0.2, "loss": 3.75, "learning_rate": 1e-4, "elapsed_s": 3.0}


def test_a_run_without_a_log_has_no_lines(tmp_path):
    assert metrics.read(tmp_path) == ([], 0)


def test_lines_come_back_as_they_were_written_one_json_object_a_line(tmp_path):
    for line in (FIRST, SECOND):
        metrics.append(tmp_path, line)
    assert metrics.read(tmp_path)[0] == [FIRST, SECOND]
    text = (tmp_path / "metrics.jsonl").read_text(encoding="utf-8")
    assert [json.loads(line) for line in text.splitlines()] == [FIRST, SECOND]


def test_a_written_line_is_on_disk_before_append_returns(tmp_path):
    metrics.append(tmp_path, FIRST)
    with (tmp_path / "metrics.jsonl").open("rb") as another_reader:
        assert another_reader.read().endswith(b"\n")


def test_reading_goes_on_where_it_ended(tmp_path):
    metrics.append(tmp_path, FIRST)
    _, offset = metrics.read(tmp_path)
    assert metrics.read(tmp_path, offset) == ([], offset)
    metrics.append(tmp_path, SECOND)
    lines, end = metrics.read(tmp_path, offset)
    assert lines == [SECOND]
    assert end == (tmp_path / "metrics.jsonl").stat().st_size


def test_a_half_written_last_line_waits_until_it_is_whole(tmp_path):
    metrics.append(tmp_path, FIRST)
    text = json.dumps(SECOND) + "\n"
    with (tmp_path / "metrics.jsonl").open("a", encoding="utf-8") as file:
        file.write(text[:17])
    lines, offset = metrics.read(tmp_path)
    assert lines == [FIRST]
    with (tmp_path / "metrics.jsonl").open("a", encoding="utf-8") as file:
        file.write(text[17:])
    assert metrics.read(tmp_path, offset)[0] == [SECOND]


@pytest.mark.parametrize("torn", [b'{"step": 1, "lo', b"\x00\x00\x00\x00\x00", b'{"step": 1, "lo{"step": 1}'])
def test_a_torn_line_is_left_out_and_the_lines_around_it_are_read(tmp_path, torn):
    raw = json.dumps(FIRST).encode() + b"\n" + torn + b"\n" + json.dumps(THIRD).encode() + b"\n"
    (tmp_path / "metrics.jsonl").write_bytes(raw)
    lines, offset = metrics.read(tmp_path)
    assert lines == [FIRST, THIRD]
    assert offset == len(raw)


def test_what_a_resumed_run_writes_after_a_torn_line_is_not_lost(tmp_path):
    metrics.append(tmp_path, FIRST)
    with (tmp_path / "metrics.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"step": 1, "lo')  # the process was killed here
    for line in (SECOND, THIRD):
        metrics.append(tmp_path, line)
    assert metrics.read(tmp_path)[0] == [FIRST, SECOND, THIRD]


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_a_number_that_json_does_not_know_leaves_a_line_that_every_json_reader_reads(tmp_path, number):
    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    metrics.append(tmp_path, {"step": 1, "loss": 3.5, "grad_norm": number})
    line = json.loads((tmp_path / "metrics.jsonl").read_text(encoding="utf-8"), parse_constant=refuse)
    assert line == {"step": 1, "loss": 3.5, "not_finite": ["grad_norm"]}


def test_a_loss_that_was_no_number_is_no_point_of_a_series_and_disturbs_none():
    lines = [SECOND, {"step": 2, "not_finite": ["loss"]}, {"step": 3, "loss": 3.5}]
    assert metrics.series(lines, "loss") == ([1, 3], [4.25, 3.5])


def test_a_series_leaves_out_the_lines_that_lack_its_key():
    assert metrics.series([FIRST, SECOND, THIRD], "loss") == ([1, 2], [4.25, 3.75])
    assert metrics.series([FIRST, SECOND, THIRD], "eval_loss") == ([0], [4.5])
    assert metrics.series([FIRST, SECOND, THIRD], "gpu_memory_gb") == ([], [])


def test_a_loss_of_zero_is_a_value():
    assert metrics.series([{"step": 3, "loss": 0.0}], "loss") == ([3], [0.0])


def test_a_run_that_began_anew_before_its_first_update_has_one_first_evaluation():
    again = {**FIRST, "elapsed_s": 9.0}
    assert metrics.as_it_went([FIRST, again, SECOND]) == [again, SECOND]


def test_what_a_resumed_run_had_measured_beyond_its_checkpoint_does_not_count():
    lines = [SECOND, {"step": 2, "loss": 9.0}, {"step": 3, "loss": 8.0}, THIRD]
    assert metrics.series(lines, "loss") == ([1, 2], [4.25, 3.75])
    assert metrics.as_it_went([*lines, {"step": 3, "loss": 3.0}]) == [SECOND, THIRD, {"step": 3, "loss": 3.0}]
