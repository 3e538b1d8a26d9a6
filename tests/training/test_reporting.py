"""What a process prints while a run lasts stands in its log; what comes later does not, and breaks nothing."""

import sys

from finetune.recipe import Recipe
from finetune.training import reporting, runs


def test_what_is_printed_stands_on_the_terminal_and_in_the_log(tmp_path, capsys):
    run = runs.create(tmp_path, Recipe.read("demo"))
    with reporting.logged(run):
        print("to both")
        print("as an error", file=sys.stderr)
    print("to the terminal")
    told = capsys.readouterr()
    assert (told.out, told.err) == ("to both\nto the terminal\n", "as an error\n")
    assert run.log.read_text(encoding="utf-8").splitlines()[-2:] == ["to both", "as an error"]


def test_who_kept_the_stream_of_a_run_that_is_over_writes_to_the_terminal_alone(tmp_path, capsys):
    """As transformers' logging does where a notebook imports it only when it trains."""
    run = runs.create(tmp_path, Recipe.read("demo"))
    with reporting.logged(run):
        kept = sys.stderr
    kept.write("a later warning\n")
    assert capsys.readouterr().err == "a later warning\n"
    assert "later" not in run.log.read_text(encoding="utf-8")
