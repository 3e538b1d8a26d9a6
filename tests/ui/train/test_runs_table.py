"""All runs in one table, and two recipes side by side."""

import pytest

from finetune.recipe import Recipe
from finetune.training import runs
from finetune.training.history import Row
from ui import wording
from ui.train import runs_table

ROW = Row(
    "demo-001", "finished", data="corpus.csv", learning_rate=0.0015, r=16, effective_batch=16, step=110, steps=110,
    best_eval_loss=0.91384, seconds=53.2, size_bytes=12_345_678, started=0.0, tags=("প্রথম", "demo"), spark=(2.0, 1.0),
)  # fmt: skip


def cell(row, column, language="bn"):
    return runs_table.cells(row, language)[runs_table.COLUMNS.index(column)]


def test_a_finished_run_is_one_line_with_its_figures():
    assert (cell(ROW, "name"), cell(ROW, "state"), cell(ROW, "loss")) == ("demo-001", "শেষ", 0.9138)
    assert cell(ROW, "settings") == "0.0015 · r 16 · 16 · 110/110"
    assert (cell(ROW, "time"), cell(ROW, "size"), cell(ROW, "tags")) == (0.9, 12.3, "প্রথম, demo")
    assert cell(ROW, "spark").startswith("<svg")


def test_a_run_that_has_measured_nothing_has_a_line_too():
    empty = Row("a-001", "queued")
    assert [cell(empty, column) for column in ("loss", "spark", "settings", "time")] == [None, "", "", None]


@pytest.mark.parametrize("language", wording.LANGUAGES)
def test_every_column_and_state_has_a_word(language):
    assert len(runs_table.headers(language)) == len(runs_table.KINDS) == len(runs_table.cells(ROW, language))
    for state in (*runs.ACTIVE, *runs.ENDED):
        assert cell(Row("x", state), "state", language)


def test_two_recipes_are_compared_by_what_differs_only(services):
    one = runs.create(services.home, Recipe.read("demo"))
    two = runs.create(services.home, Recipe.read("demo").with_settings({"training.learning_rate": 0.5}))
    shown = runs_table._differences(services, one.name, two.name, "bn")
    assert shown.count("<tr>") == 2 and "0.0015" in shown and "0.5" in shown and "শেখার হার" in shown


def test_equal_recipes_say_so_and_a_run_is_not_compared_with_itself(services):
    one, two = (runs.create(services.home, Recipe.read("demo")).name for _ in range(2))
    assert wording.sentence("history.same", "en") in runs_table._differences(services, one, two, "en")
    assert runs_table._differences(services, one, one, "en") == ""
