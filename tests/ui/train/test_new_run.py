"""A new run: what the form holds, what the gate stops, and uploads that outlive the page."""

import html

import pytest

from finetune.errors import RecipeError
from finetune.recipe import Recipe
from finetune.training import jobs
from ui import wording
from ui.train import new_run, plan_view


def test_an_upload_is_copied_out_of_gradios_cache_under_its_own_name(services, tmp_path):
    cached = tmp_path / "আমার প্রশ্ন.csv"
    cached.write_text("Questions,Answers\n", encoding="utf-8")
    kept = new_run.keep_upload(services.home, cached)
    cached.unlink()
    assert kept.parent.parent == services.home / "uploads"
    assert kept.name == "আমার প্রশ্ন.csv"
    assert kept.read_text(encoding="utf-8") == "Questions,Answers\n"


def test_two_uploads_of_the_same_name_in_the_same_second_are_both_kept(services, tmp_path, monkeypatch):
    monkeypatch.setattr(new_run.time, "strftime", lambda _: "20260101-120000")
    kept = []
    for text in ("প্রথম", "দ্বিতীয়"):
        (tmp_path / "data.csv").write_text(text, encoding="utf-8")
        kept.append(new_run.keep_upload(services.home, tmp_path / "data.csv"))
    assert [path.read_text(encoding="utf-8") for path in kept] == ["প্রথম", "দ্বিতীয়"]


@pytest.fixture
def started(monkeypatch):
    """Collects the recipes that would be trained, in place of a child process."""
    recipes = []
    monkeypatch.setattr(jobs, "start", lambda home, recipe: recipes.append(recipe))
    return recipes


def test_a_run_starts_from_its_preset_with_the_settings_that_were_changed(services, started):
    new_run.start_run(services, "demo", {"training.max_steps": 12})
    (recipe,) = started
    assert recipe.training.max_steps == 12
    assert recipe.adapter.lora_alpha == 32
    assert recipe.tracking.report_to == "none"


def test_settings_that_cannot_work_leave_no_run_behind(services):
    with pytest.raises(RecipeError) as caught:
        new_run.start_run(services, "demo", {"training.learning_rate": -1, "training.max_steps": None})
    assert set(caught.value.problems) == {"training.learning_rate", "training.max_steps"}
    assert services.runs() == []


SMALL = "Questions,Answers\n" + "".join(f"মন খারাপ কেন {n}?,কষ্টটা বুঝতে পারছি {n}।\n" for n in range(60))


def small(tmp_path, **settings):
    source = tmp_path / "small.csv"
    source.write_text(SMALL, encoding="utf-8")
    return Recipe.read("demo").with_settings({"data.source": str(source), "data.group": False, **settings})


def test_a_look_at_the_data_shows_counts_samples_and_what_should_be_known(tmp_path):
    shown, _, found = new_run._examine(small(tmp_path), "bn", tmp_path)
    assert "৬০ সারির ৬০টি নেওয়া হয়েছে" in shown
    assert "<mark>" in shown and "<details>" in shown
    assert (found.rows, found.blocked) == (48, False)
    assert "শেখার সারি মোটে ৪৮টি" in shown


def test_what_would_waste_the_run_blocks_it_and_says_why(tmp_path):
    shown, _, found = new_run._examine(small(tmp_path, **{"training.max_length": 16}), "bn", tmp_path)
    assert found.blocked
    assert wording.sentence("gate.blocked", "bn") in shown
    assert "max_length" in shown


def test_data_that_cannot_be_read_are_told_where_they_would_be_shown_and_nothing_starts(tmp_path):
    wrong = small(tmp_path).with_settings({"data.answer": "উত্তর"})
    shown, table, found = new_run._examine(wrong, "bn", tmp_path)
    assert wording.sentence("gate.unread", "bn") in shown and "উত্তর" in html.unescape(shown)
    assert table.visible is False
    assert found.blocked and found.of == new_run._signature(wrong) and found.rows == 0


def test_what_the_gate_found_holds_only_for_the_settings_it_looked_at(tmp_path):
    recipe = small(tmp_path)
    assert new_run._signature(recipe) == new_run._signature(recipe.with_settings({"training.learning_rate": 1e-5}))
    for name, value in {"data.min_bengali": 0.9, "training.max_length": 99, "data.source": "x.csv"}.items():
        assert new_run._signature(recipe) != new_run._signature(recipe.with_settings({name: value}))


def test_dropped_rows_come_as_a_file_only_where_there_are_any(tmp_path):
    assert new_run._examine(small(tmp_path), "bn", tmp_path)[1].visible is False
    with (tmp_path / "more.csv").open("w", encoding="utf-8") as file:
        file.write(SMALL + "only latin letters here,only latin letters there\n")
    more = small(tmp_path).with_settings({"data.source": str(tmp_path / "more.csv")})
    _, table, _ = new_run._examine(more, "bn", tmp_path)
    assert table.visible
    with open(table.value["path"], encoding="utf-8-sig") as file:
        assert file.read().split() == ["row,reason", "61,not_bengali"]


def test_all_problems_of_a_form_stand_where_the_plan_would_stand():
    with pytest.raises(RecipeError) as caught:
        Recipe.read("demo").with_settings({"training.learning_rate": -1, "adapter.r": 0})
    shown = html.unescape(plan_view.problems_html(caught.value, "bn"))
    assert shown.count("<li") == 2
    assert "শেখার হার: -১ চলবে না" in shown
