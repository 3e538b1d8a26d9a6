"""The model card says what the run's folder tells, admits what it does not, and its code runs as it stands."""

import json
import re
from pathlib import Path

import pytest
import yaml

from finetune.data.prompts import PromptFormat
from finetune.recipe import Recipe
from finetune.training import metrics, runs
from finetune.training.card import card, on_hub, shareable
from tests.training.taken import trained_run

REPORT = {
    "source": "corpus.csv", "rows": 38233, "kept": 38210, "dropped": {"missing": 23, "too_short": 0},
    "splits": {"train": 30568, "validation": 3821, "test": 3821},
}  # fmt: skip


@pytest.fixture
def run(tmp_path: Path, tiny_base: Path, tiny_adapter: Path) -> runs.Run:
    return trained_run(tmp_path, tiny_base, tiny_adapter)


def front(text: str) -> dict:
    return yaml.safe_load(text.split("---\n")[1])


def reference(tmp_path: Path, tiny_adapter: Path, **settings: object) -> runs.Run:
    """A run of the reference recipe, though its adapter is the tiny one."""
    recipe = Recipe.read("llama-3.1-8b").with_settings(settings)
    return trained_run(tmp_path, None, tiny_adapter, recipe)


def test_the_front_matter_is_what_the_hub_reads(tmp_path, tiny_adapter):
    assert front(card(reference(tmp_path, tiny_adapter))) == {
        "base_model": "unsloth/Meta-Llama-3.1-8B-Instruct",
        "base_model_relation": "adapter",
        "library_name": "peft",
        "pipeline_tag": "text-generation",
        "language": ["bn"],
        "tags": ["lora", "sft", "bengali", "empathy", "shohomormi"],
        "license": "other",
        "license_name": "base-llama3.1-data-cc-by-nc-4.0",
    }


def test_the_hub_s_own_client_finds_nothing_wrong_with_it(tmp_path, tiny_adapter):
    from huggingface_hub import ModelCard

    data = ModelCard(card(reference(tmp_path, tiny_adapter))).data
    assert (data.base_model, data.library_name, data.language) == (
        "unsloth/Meta-Llama-3.1-8B-Instruct", "peft", ["bn"],
    )  # fmt: skip


def test_a_base_in_a_folder_is_not_given_out_as_one_on_the_hub_nor_is_the_folder(run, tiny_base):
    text = card(run)
    assert "base_model" not in front(text)
    assert f"| Base | {tiny_base.name}, revision unknown |" in text
    assert "not on the Hub" in text


def test_the_merged_model_s_card_is_for_transformers(tmp_path, tiny_adapter):
    text = card(reference(tmp_path, tiny_adapter), merged=True)
    assert (front(text)["library_name"], front(text)["base_model_relation"]) == ("transformers", "finetune")
    assert "original base" in text and "PeftModel" not in text


def test_a_base_on_the_hub_is_loaded_from_there(tmp_path, tiny_adapter):
    text = card(reference(tmp_path, tiny_adapter))
    assert 'base = "unsloth/Meta-Llama-3.1-8B-Instruct"' in text
    assert "not on the Hub" not in text


def test_data_and_measurements_stand_in_it_as_the_folder_has_them(run):
    (run.data / "report.json").write_text(json.dumps(REPORT), encoding="utf-8")
    for line in (
        {"step": 0, "eval_loss": 2.98, "elapsed_s": 1.0},
        {"step": 2, "eval_loss": 0.91, "tokens": 170027, "elapsed_s": 50.0},
        {"step": 3, "eval_loss": 0.95, "gpu_memory_gb": 7.25, "elapsed_s": 1234.0},
    ):
        metrics.append(run.folder, line)
    text = card(run)
    for line in (
        "| Rows | 38,233 |", "| Kept | 38,210 |", "| Dropped, missing | 23 |", "| Rows for train | 30,568 |",
        "| First evaluation loss (nats a token) | 2.9800 at step 0 |", "| Best evaluation loss | 0.9100 at step 2 |",
        "| Last evaluation loss | 0.9500 at step 3 |", "| Tokens seen | 170,027 |",
        "| Duration | 1,234 s of training and evaluation |",
        "| Device | a GPU of unknown kind, at most 7.2 GB allocated |",
        "| State of the run | finished, 3 of 3 updates |",
    ):  # fmt: skip
        assert line in text.splitlines(), line
    assert "Dropped, too short" not in text


def test_what_the_folder_does_not_tell_is_unknown(run):
    text = card(run)
    assert "no cleaning report" in text
    assert re.search(r"Best evaluation loss \| unknown", text)
    assert re.search(r"Duration \| unknown", text)
    assert re.search(r"Device \| unknown", text)


def test_a_stopped_run_is_not_given_out_as_a_finished_one(run):
    run.set_status(state="stopped", step=1)
    assert "| stopped, 1 of 3 updates |" in card(run)


def test_it_says_that_this_is_no_therapist_and_who_should_not_use_it(run):
    text = card(run)
    assert "Not a therapist and no help in a crisis" in text and "Who should not use it" in text


def test_llama_s_name_is_shown_where_its_licence_asks_for_it(tmp_path, run, tiny_adapter):
    assert "\nBuilt with Llama.\n" in card(reference(tmp_path / "other", tiny_adapter))
    assert "Built with Llama." not in card(run)


def test_the_recipe_in_it_is_the_run_s_without_the_folder_of_the_data(run):
    block = re.search(r"## Recipe\n\n```yaml\n(.*?)\n```", card(run), re.DOTALL)[1]
    assert Recipe.from_dict(yaml.safe_load(block)) == shareable(run.recipe())
    assert str(run.folder.parent) not in card(run)


def test_data_named_by_a_hub_id_or_within_the_project_keeps_its_name():
    for source in ("assets/demo/corpus.csv", "owner/set"):
        recipe = Recipe().with_settings({"data.source": source})
        assert shareable(recipe) == recipe


def test_backticks_and_bars_in_what_a_person_named_do_not_break_the_page(tmp_path, tiny_adapter):
    text = card(reference(tmp_path, tiny_adapter, **{"data.system_prompt": "x\n```\n# no", "data.source": "a|b.csv"}))
    assert "````yaml" in text
    run = trained_run(tmp_path / "two", None, tiny_adapter, Recipe.read("llama-3.1-8b"))
    (run.data / "report.json").write_text(json.dumps({**REPORT, "source": "a|b.csv"}), encoding="utf-8")
    assert "| Source | a\\|b.csv |" in card(run)


@pytest.mark.parametrize(("model", "hub"), [("owner/model", True), ("assets/demo/base", False), ("/gone/model", False)])
def test_a_base_on_the_hub_is_told_from_a_folder(model, hub):
    assert on_hub(model) is hub


def test_its_code_loads_the_adapter_and_answers(run, tiny_base, tmp_path, monkeypatch, capsys):
    from finetune.training.merging import chat_template

    for file in run.adapter.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "chat_template.jinja").write_text(chat_template(PromptFormat()), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    code = re.search(r"```python\n(.*?)\n```", card(run), re.DOTALL)[1]
    code = code.replace(f'"{tiny_base.name}"', f'"{tiny_base}"')  # of a folder elsewhere the card gives the name only
    assert "max_new_tokens=300" in code
    exec(code.replace("max_new_tokens=300", "max_new_tokens=4"), {})
    assert capsys.readouterr().out.strip()


def test_a_run_of_dpo_says_so_and_what_it_went_on_from_without_this_machine_s_folders(tmp_path, tiny_adapter):
    start = tmp_path / "runs" / "first-001" / "adapter"
    settings = {
        "training.objective": "dpo",
        "data.source": str(tmp_path / "dpo.jsonl"),
        "adapter.start_from": str(start),
    }
    run = reference(tmp_path, tiny_adapter, **settings)
    metrics.append(run.folder, {"step": 0, "eval_loss": 0.6931, "elapsed_s": 1.0})
    text = card(run)
    assert front(text)["tags"][:2] == ["lora", "dpo"]
    assert "| Learnt by | DPO on pairs of a preferred and a rejected reply, beta 0.1 |" in text
    assert "| Went on from | the adapter first-001 |" in text
    assert "| First evaluation loss (DPO, nats a pair) | 0.6931 at step 0 |" in text
    assert str(tmp_path) not in text
