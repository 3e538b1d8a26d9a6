"""How an evaluation on the command line tells how far it is."""

import sys

from finetune.review import evaluation_commands
from finetune.review.evaluating import Progress


def told(capsys, monkeypatch, terminal, *moments):
    """What is printed for progress at these seconds, 10 questions in all, the last time all of them done."""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal, raising=False)
    now = [0.0]
    tell = evaluation_commands._teller(lambda: now[0])
    for done, moment in enumerate(moments, start=1):
        now[0] = moment
        over = done == len(moments)
        tell(Progress("bits", 10 if over else done, 10, 0.0 if over else 9.0))
    return capsys.readouterr().err


def test_in_a_log_a_line_now_and_then_and_one_at_the_end(capsys, monkeypatch):
    assert told(capsys, monkeypatch, False, 1.0, 31.0, 40.0, 62.0, 63.0).splitlines() == [
        "bits: 2 of 10 questions, 9 s left",
        "bits: 4 of 10 questions, 9 s left",
        "bits: 10 of 10 questions",
    ]


def test_on_a_terminal_one_line_that_changes(capsys, monkeypatch):
    said = told(capsys, monkeypatch, True, 1.0, 2.0)
    assert said.count("\r") == 2 and said.count("\n") == 1 and said.endswith("\n")
