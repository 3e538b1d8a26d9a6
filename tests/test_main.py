"""The command line: JSON alone on standard output, and one line with exit code 2 for whatever a person can mend."""

import csv
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from typer.testing import CliRunner

from finetune import models
from finetune.__main__ import app, home
from finetune.recipe import ROOT, Recipe, default, presets
from finetune.review.evaluation_words import EVALUATION
from finetune.training import queue, runs
from tests.conftest import COLUMNS, kept_environment
from tests.review import evaluations

SPLITS = ["test.jsonl", "train.jsonl", "validation.jsonl"]


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path) -> Iterator[Path]:
    """Runs of a test go to its own folder, and what commands set for libraries is forgotten after it."""
    with kept_environment():
        os.environ["SHOHOMORMI_HOME"] = str(tmp_path / "home")
        yield tmp_path / "home"


def process(*arguments: object) -> subprocess.CompletedProcess[str]:
    """A command in a process of its own, as a person runs it."""
    command = [sys.executable, "-m", "finetune", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)


def invoke(*arguments: object) -> Any:
    """A command in this process, which takes no time to start."""
    return CliRunner().invoke(app, list(map(str, arguments)))


def told(code: int, out: str, error: str) -> str:
    """The one line with which a command refused what it was given."""
    assert "Traceback" not in error
    assert code == 2, error
    assert [line for line in out.splitlines() if not line.startswith("run: ")] == []  # train says where it works
    (line,) = error.splitlines()
    return line


def refused(*arguments: object) -> str:
    """The line with which a command in this process refused its arguments."""
    result = invoke(*arguments)
    assert result.exception is None or isinstance(result.exception, SystemExit), repr(result.exception)
    return told(result.exit_code, result.stdout, result.stderr)


def refused_by_process(*arguments: object) -> str:
    """The line with which a command in a process of its own refused its arguments."""
    done = process(*arguments)
    return told(done.returncode, done.stdout, done.stderr)


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# Bad input, in a process of its own


def test_a_pdf_renamed_to_csv_is_told_as_a_pdf(tmp_path):
    (tmp_path / "corpus.csv").write_bytes(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
    assert "corpus.csv is a PDF" in refused_by_process("prepare", tmp_path / "corpus.csv", "--out", tmp_path / "out")


def test_an_empty_file_is_told_as_empty_and_standard_output_stays_empty_with_json_too(tmp_path):
    (tmp_path / "corpus.csv").touch()
    line = refused_by_process("prepare", tmp_path / "corpus.csv", "--out", tmp_path / "out", "--json")
    assert "corpus.csv is empty" in line


def test_a_csv_without_the_columns_is_told_with_the_columns_it_has(tmp_path):
    (tmp_path / "corpus.csv").write_text("প্রশ্ন,উত্তর\nকেমন আছেন?,ভালো আছি।\n", encoding="utf-8")
    line = refused_by_process("prepare", tmp_path / "corpus.csv", "--out", tmp_path / "out")
    assert "Questions" in line and "Answers" in line and "প্রশ্ন, উত্তর" in line


def test_38000_rows_in_latin_letters_are_told_as_not_bengali(tmp_path):
    with (tmp_path / "corpus.csv").open("w", encoding="utf-8", newline="") as file:
        rows = (["lonely", "", f"I feel lonely on day {i}", f"You are not alone, {i}"] for i in range(38_000))
        csv.writer(file).writerows([COLUMNS, *rows])
    line = refused_by_process("prepare", tmp_path / "corpus.csv", "--out", tmp_path / "out")
    assert "38,000" in line and "Bengali" in line


def test_a_learning_rate_of_minus_one_is_told_with_what_can_work_and_begins_no_run(own_home):
    line = refused_by_process("train", "demo", "--set", "training.learning_rate=-1")
    assert "training.learning_rate" in line and "-1" in line and " to 1" in line
    assert not own_home.exists()


def test_a_missing_adapter_is_told_with_its_folder(tmp_path):
    line = refused_by_process("generate", "--adapter", tmp_path / "nowhere", "--prompt", "কেমন আছেন?", "--json")
    assert "no adapter" in line and "nowhere" in line


def test_an_unknown_preset_is_told_with_those_there_are():
    line = refused_by_process("train", "llama-99")
    assert "llama-99" in line and all(name in line for name in presets())


@pytest.mark.parametrize("wrong", ["training.max_steps", "max_steps=3", "training.no_such=3", "training.r=3", "=3"])
def test_a_malformed_setting_is_told_as_it_was_written(wrong):
    assert wrong.partition("=")[0] in refused_by_process("train", "demo", "--set", wrong)


def test_a_resume_without_a_checkpoint_is_told(own_home):
    run = runs.create(own_home, Recipe(name="demo"))
    run.set_status(state="stopped")
    assert "no checkpoint" in refused_by_process("train", "demo", "--run-dir", run.folder, "--resume")


@pytest.mark.parametrize(
    "arguments",
    [
        ["generate", "demo"],
        ["generate", "demo", "--prompt", "কেমন আছেন?", "--seed", "seven"],
        ["prepare", "assets/demo/corpus.csv", "--out", "out", "--limit", "0"],
        ["teach"],
    ],
    ids=" ".join,
)
def test_a_command_that_is_written_wrongly_is_refused_in_one_line_too(arguments):
    assert refused_by_process(*arguments)


# Bad input, in this process


def test_several_problems_are_told_at_once_and_still_in_one_line():
    line = refused("train", "demo", "--set", "training.learning_rate=-1", "--set", "adapter.r=many")
    assert "training.learning_rate" in line and "adapter.r" in line


def test_a_header_with_a_line_break_does_not_break_the_line(tmp_path):
    (tmp_path / "corpus.csv").write_text('"My\nquestion",Answer\nক,খ\n', encoding="utf-8")
    assert "question" in refused("prepare", tmp_path / "corpus.csv", "--out", tmp_path / "out")


@pytest.mark.parametrize("recipe", ["training: [", "- a\n- b", "training:\n  learning_rate: fast\n", "\x00\x01", ""])
def test_a_recipe_file_that_is_no_recipe_is_told(tmp_path, recipe):
    (tmp_path / "mine.yaml").write_text(recipe, encoding="utf-8")
    assert refused("train", tmp_path / "mine.yaml", "--set", "data.source=/nowhere.csv")


def test_a_checkpoint_is_chosen_by_its_step_and_only_for_a_resume(own_home):
    run = runs.create(own_home, Recipe())
    run.set_status(state="stopped")
    assert "no checkpoint" in refused("train", "demo", "--run-dir", run.folder, "--resume", "--checkpoint", "20")
    assert "--resume" in refused("train", "demo", "--checkpoint", "20")


def test_a_run_that_ends_on_the_command_line_lets_the_next_one_start(own_home, monkeypatch):
    monkeypatch.setenv(queue.DEVICES, "")
    waits = runs.create(own_home, Recipe.from_dict({"data": {"source": "/nowhere/corpus.csv"}}), queued=1.0)
    refused("train", "demo", "--set", "data.source=/nowhere/corpus.csv")
    assert waits.status().pid not in (0, os.getpid())
    while waits.status().active:
        time.sleep(0.02)
    assert waits.status().error_key == "data.no_file"


def test_resuming_needs_a_run_s_folder(tmp_path):
    assert "--run-dir" in refused("train", "demo", "--resume")
    assert "not a run's folder" in refused("train", "demo", "--resume", "--run-dir", tmp_path)


@pytest.mark.parametrize("pressed", ["since the app started this process", "before the last process was killed"])
def test_a_stop_is_obeyed_by_the_process_that_it_was_meant_for(own_home, pressed):
    run = runs.create(own_home, Recipe())
    meant_for_us = pressed.startswith("since")
    run.set_status(**({"state": "queued", **runs.this_process()} if meant_for_us else {"state": "failed"}))
    run.stop_request.touch()
    refused("train", "demo", "--run-dir", run.folder, "--resume")  # there is no checkpoint
    assert run.stop_request.exists() == meant_for_us


def test_a_folder_that_holds_a_run_is_not_trained_into_again(own_home):
    run = runs.create(own_home, Recipe(name="kept"))
    assert "already holds a run" in refused("train", "demo", "--run-dir", run.folder)
    assert run.recipe().name == "kept"


def test_a_finished_run_is_not_trained_over_by_its_own_recipe(own_home):
    run = runs.create(own_home, Recipe.from_dict({"data": {"source": "/nowhere/corpus.csv"}}))
    run.set_status(state="finished", step=9)
    refused("train", run.folder / "recipe.yaml", "--run-dir", run.folder)
    assert (run.status().state, run.status().step) == ("finished", 9)


def test_a_run_that_another_process_works_on_is_not_resumed_beside_it(own_home):
    run = runs.create(own_home, Recipe())
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        run.set_status(state="training", pid=child.pid, pid_created=psutil.Process(child.pid).create_time())
        assert "running" in refused("train", "demo", "--run-dir", run.folder, "--resume")
        assert (run.status().state, run.status().pid) == ("training", child.pid)
    finally:
        child.communicate(b"\n")


@pytest.mark.parametrize("command", ["prepare --out", "train --run-dir", "train in a home"])
def test_a_file_where_a_folder_should_be_made_is_told(tmp_path, tiny_csv, command):
    (tmp_path / "taken").write_text("আমার চিঠি", encoding="utf-8")
    if command == "prepare --out":
        line = refused("prepare", tiny_csv, "--out", tmp_path / "taken")
    elif command == "train --run-dir":
        line = refused("train", "demo", "--run-dir", tmp_path / "taken")
    else:
        os.environ["SHOHOMORMI_HOME"] = str(tmp_path / "taken")
        line = refused("train", "demo")
    assert "taken" in line
    assert (tmp_path / "taken").read_text(encoding="utf-8") == "আমার চিঠি"


def test_bad_input_leaves_the_splits_that_were_there_as_they_were(tmp_path, tiny_csv):
    out = tmp_path / "out"
    assert invoke("prepare", tiny_csv, "--out", out).exit_code == 0
    before = {name: (out / name).read_bytes() for name in files(out)}
    (tmp_path / "bad.csv").write_text(",".join(COLUMNS) + "\n,,hello there,hello\n", encoding="utf-8")
    refused("prepare", tmp_path / "bad.csv", "--out", out)
    assert {name: (out / name).read_bytes() for name in files(out)} == before


def test_generate_wants_one_source_a_known_side_and_a_prompt(tiny_adapter):
    assert "--run" in refused("generate", "--prompt", "ক")
    assert "--run" in refused("generate", "demo", "--adapter", tiny_adapter, "--prompt", "ক")
    assert "--run" in refused("generate", "dmeo", "--prompt", "ক")
    assert "'left'" in refused("generate", "--adapter", tiny_adapter, "--prompt", "ক", "--side", "left")
    assert "--prompt" in refused("generate", "--adapter", tiny_adapter, "--prompt", " \n")


@pytest.mark.parametrize("wrong", ["temperature=hot", "temperature=9", "no_such=1", "top_p"])
def test_generate_checks_its_settings_before_it_loads_anything(tiny_adapter, wrong):
    name = wrong.partition("=")[0]
    assert name in refused("generate", "--adapter", tiny_adapter, "--prompt", "ক", "--set", wrong)


def test_generate_refuses_a_seed_that_no_recipe_would_hold(tiny_adapter):
    assert "seed" in refused("generate", "--adapter", tiny_adapter, "--prompt", "ক", "--seed", 10**30)


def test_generate_tells_a_run_that_has_no_adapter_yet(own_home):
    run = runs.create(own_home, Recipe())
    assert "no adapter" in refused("generate", "--run", run.folder, "--prompt", "ক")


@pytest.mark.parametrize("config", ["{}", "[]", '{"peft_type": "LORA", "lora_alpha": 8}'])
def test_generate_tells_an_adapter_whose_config_lacks_what_it_needs(tmp_path, config):
    (tmp_path / "adapter_config.json").write_text(config, encoding="utf-8")
    (tmp_path / "adapter_model.safetensors").touch()
    assert str(tmp_path) in refused("generate", "--adapter", tmp_path, "--prompt", "ক")


def test_screen_wants_a_text_or_a_file_that_can_be_read(tmp_path):
    (tmp_path / "lines.txt").write_text("ক", encoding="utf-8")
    assert "--file" in refused("screen")
    assert "--file" in refused("screen", "ক", "--file", tmp_path / "lines.txt")
    assert "nowhere" in refused("screen", "--file", tmp_path / "nowhere")


def test_screen_tells_a_file_that_is_not_utf8(tmp_path):
    (tmp_path / "latin.txt").write_bytes("café".encode("latin-1"))
    assert "latin.txt" in refused("screen", "--file", tmp_path / "latin.txt")


# What the commands give


def test_prepare_writes_three_splits_and_a_report_and_prints_that_report_as_json(tmp_path, tiny_csv):
    done = process("prepare", tiny_csv, "--out", tmp_path / "out", "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert len(done.stdout.splitlines()) == 1
    assert {"rows", "kept", "dropped", "splits"} <= set(report)
    assert (report["rows"], report["kept"], sum(report["dropped"].values())) == (30, 30, 0)
    assert report["splits"] == {"train": 24, "validation": 3, "test": 3}
    assert files(tmp_path / "out") == ["report.json", *SPLITS]
    assert json.loads((tmp_path / "out" / "report.json").read_text(encoding="utf-8")) == report


def test_prepare_speaks_to_people_without_json(tmp_path, tiny_csv):
    with tiny_csv.open("a", encoding="utf-8") as file:
        file.write("শোক,,Only English here,Nothing else\n")
    result = invoke("prepare", tiny_csv, "--out", tmp_path / "out")
    assert "30 of 31 rows kept" in result.stdout
    assert "not_bengali: 1" in result.stdout
    assert "train 24, validation 3, test 3" in result.stdout


def test_prepare_reads_no_more_rows_than_its_limit(tmp_path, tiny_csv):
    report = json.loads(invoke("prepare", tiny_csv, "--out", tmp_path / "out", "--limit", 12, "--json").stdout)
    assert report["rows"] == 12


@pytest.mark.parametrize("prefix", ["", "data."])
def test_prepare_takes_a_mapping_of_columns(tmp_path, prefix):
    rows = "".join(f"এটা {i} নম্বর প্রশ্ন?,এটা {i} নম্বর উত্তর।\n" for i in range(12))
    (tmp_path / "corpus.csv").write_text("প্রশ্ন,উত্তর\n" + rows, encoding="utf-8")
    settings = ["--set", f"{prefix}question=প্রশ্ন", "--set", f"{prefix}answer=উত্তর", "--json"]
    result = invoke("prepare", tmp_path / "corpus.csv", "--out", tmp_path / "out", *settings)
    assert json.loads(result.stdout)["kept"] == 12


def test_recipes_lists_the_presets_that_the_design_names():
    assert json.loads(invoke("recipes", "--json").stdout) == presets()
    assert {"demo", "llama-3.1-8b", "llama-3.2-1b"} <= set(invoke("recipes").stdout.split())


def test_screen_gives_a_tier_for_each_line_of_a_file(tmp_path):
    lines = ["আজ আকাশটা সুন্দর।", "", "আমি মরে যেতে চাই", "আত্মহত্যা নিয়ে একটা খবর পড়লাম"]
    (tmp_path / "lines.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    result = json.loads(invoke("screen", "--file", tmp_path / "lines.txt", "--json").stdout)
    assert [entry["line"] for entry in result] == lines
    assert [entry["tier"] for entry in result] == ["none", "none", "strong", "soft"]


@pytest.mark.parametrize("mark", ["\u2028", "\x0c", "\x85"], ids=ascii)
def test_only_a_line_break_ends_a_line_for_screen(tmp_path, mark):
    (tmp_path / "lines.txt").write_text(f"এক{mark}দুই\nতিন\n", encoding="utf-8")
    assert len(json.loads(invoke("screen", "--file", tmp_path / "lines.txt", "--json").stdout)) == 2


def test_screen_of_one_text_speaks_to_people_or_gives_json():
    assert invoke("screen", "আমি মরে যেতে চাই").stdout == "strong\tআমি মরে যেতে চাই\n"
    assert json.loads(invoke("screen", "আমি মরে যেতে চাই", "--json").stdout) == [
        {"line": "আমি মরে যেতে চাই", "tier": "strong"}
    ]


def generated(adapter: Path, *more: object) -> dict:
    result = invoke(
        "generate", "--adapter", adapter, "--prompt", "খুব একা লাগে।", "--set", "max_new_tokens=8", *more, "--json"
    )
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def test_generate_answers_on_the_sides_asked_for_and_leaves_the_other_null(tiny_adapter):
    both, base, tuned = (generated(tiny_adapter, "--side", side) for side in ("both", "base", "tuned"))
    assert set(both) == {"prompt", "base", "tuned", "seed"}
    assert both["base"] != both["tuned"]
    assert base["tuned"] is None and tuned["base"] is None
    assert base["base"] and tuned["tuned"]


def test_generate_gives_the_same_reply_for_the_same_seed_and_tells_the_seed(tiny_adapter):
    warm = ("--set", "generation.temperature=1.5", "--seed")
    one, again, other = (generated(tiny_adapter, *warm, seed) for seed in (1, 1, 2))
    assert one == again
    assert (one["seed"], other["seed"]) == (1, 2)
    assert one["base"] != other["base"]
    assert generated(tiny_adapter)["seed"] == default("generation.seed")


def test_generate_takes_the_seed_from_a_setting_too(tiny_adapter):
    warm = ("--set", "temperature=1.5")
    by_setting, by_option = (generated(tiny_adapter, *warm, *seed) for seed in (["--set", "seed=7"], ["--seed", 7]))
    assert by_setting == by_option


def test_what_libraries_print_does_not_reach_the_json(tiny_adapter, monkeypatch):
    load = models.load_base

    def chatty(*names: str, **settings: object) -> tuple:
        print("Loading weights, please wait")
        return load(*names, **settings)

    monkeypatch.setattr(models, "load_base", chatty)
    assert set(generated(tiny_adapter)) == {"prompt", "base", "tuned", "seed"}


def test_generate_speaks_to_people_without_json(tiny_adapter):
    result = invoke("generate", "--adapter", tiny_adapter, "--prompt", "খুব একা লাগে।", "--set", "max_new_tokens=4")
    assert [line.split(":")[0] for line in result.stdout.splitlines() if ": " in line][:1] == ["base"]
    assert "\ntuned: " in result.stdout


def test_train_makes_a_new_folder_each_time_and_says_where(own_home):
    for number in (1, 2):
        result = invoke("train", "demo", "--set", "data.source=/nowhere/corpus.csv")
        assert (result.exit_code, result.stdout) == (2, f"run: {own_home / 'runs' / f'demo-00{number}'}\n")
        assert result.stderr.startswith("error: ")
    assert [run.status().error_key for run in runs.all_runs(own_home)] == ["data.no_file"] * 2


def test_settings_reach_the_run_s_own_recipe(own_home):
    invoke("train", "demo", "--set", "data.source=/nowhere/corpus.csv", "--set", "training.max_steps=7")
    (run,) = runs.all_runs(own_home)
    assert run.recipe() == Recipe.read("demo").with_settings(
        {"data.source": "/nowhere/corpus.csv", "training.max_steps": 7}
    )


def test_a_folder_laid_out_by_the_app_is_trained_as_it_is(own_home):
    run = runs.create(own_home, Recipe.from_dict({"name": "demo", "data": {"source": "/nowhere/corpus.csv"}}))
    result = invoke("train", run.folder / "recipe.yaml", "--run-dir", run.folder)
    assert result.stdout == f"run: {run.folder}\n"
    assert run.status().error_key == "data.no_file"
    assert runs.all_runs(own_home) == [run]


def test_runs_live_in_a_folder_named_workspace_unless_the_environment_says_otherwise(tmp_path, monkeypatch, own_home):
    assert home() == own_home
    del os.environ["SHOHOMORMI_HOME"]
    monkeypatch.chdir(tmp_path)
    assert home() == tmp_path / "workspace"


def test_evaluate_hands_on_how_long_a_reply_may_be(monkeypatch):
    from finetune.errors import ReviewError
    from finetune.review import evaluation_order

    def asked(backend, split, limit, new_tokens):
        raise ReviewError(f"{split}, {limit}, {new_tokens}")

    monkeypatch.setattr(evaluation_order, "of_demo", asked)
    assert "validation, 4, 7" in refused("evaluate", "--split", "validation", "--limit", 4, "--new-tokens", 7)
    assert "test, 4, None" in refused("evaluate", "--limit", 4)


def laid_out(own_home, name, **changes):
    """A run with an evaluation by hand in its folder."""
    run = runs.create(own_home, Recipe.read("demo"))
    evaluations.lay_out(run.folder / "evaluations" / "test-1", name=name, **changes)
    return run.folder


def test_between_says_of_two_runs_and_of_the_demo_whether_the_second_is_better(own_home):
    first, second = laid_out(own_home, "run-a", gain=0.5), laid_out(own_home, "run-b", gain=0.75)
    result = invoke("between", first, second, "--json")
    told = json.loads(result.stdout)
    assert (result.exit_code, told["runs"], told["prompts"]) == (0, ["run-a", "run-b"], 24)
    assert told["figures"]["bits_per_character"]["difference"]["mean"] == pytest.approx(-0.25)
    evaluations.lay_out(own_home / "evaluations" / "test-1")
    lines = invoke("between", "demo", second / "evaluations" / "test-1").stdout.splitlines()
    assert any(line.startswith("run-b needs") and line.endswith("than demo") for line in lines)


def test_between_refuses_in_one_line_what_cannot_be_compared(own_home, tmp_path):
    first = laid_out(own_home, "run-a")
    assert "not asked the same questions" in refused("between", first, laid_out(own_home, "run-b", texts="others"))
    assert "twice" in refused("between", first, first)
    assert "no finished evaluation of the validation split" in refused("between", first, first, "--split", "validation")
    assert "not a run's folder" in refused("between", first, tmp_path)
    damaged = laid_out(own_home, "run-c") / "evaluations" / "test-1"
    for name, command in (("scores.json", ("report", damaged)), ("order.json", ("between", first, damaged))):
        (damaged / name).write_text("{}", encoding="utf-8")
        assert "damaged" in refused(*command)
    assert "no split" in refused("between", first, first, "--split", "train")


def test_report_writes_an_evaluation_as_a_page_with_its_checkpoints_in_the_language_asked_for(
    own_home, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    folder = laid_out(own_home, "run-a")
    points = [{"step": step, "bits_per_character": 1.5, "low": 1.4, "high": 1.6} for step in (0, 50)]
    steps = folder / "evaluations" / "steps-validation-1.jsonl"
    steps.write_text("".join(json.dumps(point | {"fingerprint": ""}) + "\n" for point in points), encoding="utf-8")
    assert invoke("report", folder).stdout == "written to run-a-test-1.bn.html\n"
    page = Path("run-a-test-1.bn.html").read_text(encoding="utf-8")
    assert '<html lang="bn"' in page and EVALUATION["steps.title"][0] in page
    asked = invoke("report", folder / "evaluations" / "test-1", "--language", "en", "--out", "en.html", "--json")
    assert json.loads(asked.stdout) == {"file": "en.html"}
    page = Path("en.html").read_text(encoding="utf-8")
    assert '<html lang="en"' in page and EVALUATION["steps.title"][1] in page


def test_report_of_an_evaluation_outside_any_run_has_no_checkpoints(own_home, tmp_path):
    folder = evaluations.lay_out(tmp_path / "away" / "test-1")
    assert invoke("report", folder, "--language", "en", "--out", tmp_path / "page.html").exit_code == 0
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert EVALUATION["title"][1] in page and EVALUATION["steps.title"][1] not in page


def test_report_refuses_in_one_line_what_it_cannot_write(own_home, tmp_path):
    assert "choose bn or en" in refused("report", "demo", "--language", "fr")
    assert "no finished evaluation of the test split" in refused("report", "demo")
    folder = evaluations.lay_out(tmp_path / "half")
    (folder / "scores.json").unlink()
    assert "is not finished" in refused("report", folder)
    whole = evaluations.lay_out(tmp_path / "whole")
    assert "Check the path" in refused("report", whole, "--out", tmp_path / "nowhere" / "page.html")
