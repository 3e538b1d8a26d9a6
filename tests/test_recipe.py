"""finetune/recipe.py: YAML in and out, and every problem reported at once."""

import ast
import dataclasses
import importlib.util
import json
import re
from dataclasses import fields
from pathlib import Path

import pytest
import yaml

from finetune import recipe as recipes
from finetune.errors import RecipeError
from finetune.recipe import PRESETS, SECTIONS, Recipe, default, describe, presets

FIELDS = [f"{name}.{field.name}" for name, section in SECTIONS.items() for field in fields(section)]


def problems_of(raw):
    """What is wrong with a recipe, by field."""
    with pytest.raises(RecipeError) as raised:
        Recipe.from_dict(raw)
    return raised.value.problems


# presets


def test_the_three_promised_presets_ship():
    assert {"demo", "llama-3.1-8b", "llama-3.2-1b"} <= set(presets())


@pytest.mark.parametrize("path", sorted(PRESETS.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_preset_file_parses_and_names_itself_like_its_file(path):
    assert Recipe.read(path).name == path.stem


@pytest.mark.parametrize("name", sorted(path.stem for path in PRESETS.glob("*.yaml")))
def test_every_preset_can_be_read_by_its_name(name):
    assert Recipe.read(name) == Recipe.read(PRESETS / f"{name}.yaml")


def test_the_reference_recipe_says_what_the_design_says():
    reference = Recipe.read(PRESETS / "llama-3.1-8b.yaml")
    assert reference.base.model == "unsloth/Meta-Llama-3.1-8B-Instruct"
    assert not reference.base.load_in_4bit
    assert (reference.base.dtype, reference.data.prompt_format) == ("auto", "shohomormi")
    adapter = reference.adapter
    assert (adapter.r, adapter.lora_alpha, adapter.lora_dropout, adapter.bias) == (16, 16, 0.0, "none")
    assert set(adapter.target_modules) == set("q_proj k_proj v_proj o_proj gate_proj up_proj down_proj".split())
    t = reference.training
    assert reference.effective_batch == 16
    assert (t.max_length, t.learning_rate, t.lr_scheduler_type, t.warmup_steps) == (2020, 2e-4, "cosine", 100)
    assert (t.weight_decay, t.optim, t.num_train_epochs) == (0.01, "adamw_8bit", 0.5)
    assert (t.eval_steps, t.save_steps, t.save_total_limit, t.load_best_model_at_end) == (50, 100, 3, True)
    assert t.gradient_checkpointing
    g = reference.generation
    assert (g.max_new_tokens, g.temperature, g.top_p) == (300, 0.7, 0.9)
    assert reference.data.system_prompt == (
        "You are a sympathetic and helpful assistant. You answer people's questions in Bengali language."
    )
    assert (reference.tracking.project, reference.tracking.run_name) == (
        "llama-bangla-empathic",
        "llama-3.1-8b-finetuning-v1",
    )


@pytest.mark.parametrize("path", sorted(PRESETS.glob("*.yaml")), ids=lambda path: path.stem)
def test_no_preset_sends_metrics_anywhere_by_itself(path):
    assert Recipe.read(path).tracking.report_to == "none"


# fields


@pytest.mark.parametrize("name", FIELDS)
def test_every_field_has_a_note_that_is_a_sentence(name):
    note = describe(name)["note"]
    assert note and note[0].isupper() | note[0].isdigit() and note.endswith("."), note


@pytest.mark.parametrize("name", FIELDS)
def test_every_default_is_a_value_that_the_recipe_itself_accepts(name):
    section, key = name.split(".")
    raw = Recipe.from_dict({section: {key: default(name)}}).to_dict()
    assert raw[section][key] == Recipe().to_dict()[section][key]


@pytest.mark.parametrize("name", [name for name in FIELDS if not isinstance(default(name), (str, bool, tuple))])
def test_every_number_has_limits_and_a_value_beyond_each_is_refused(name):
    section, key = name.split(".")
    low, high = describe(name)["low"], describe(name)["high"]
    assert low is not None and high is not None
    assert name in problems_of({section: {key: low - 1}})
    assert name in problems_of({section: {key: high + 1}})


@pytest.mark.parametrize("name", [name for name in FIELDS if describe(name)["choices"]])
def test_a_value_outside_the_choices_is_refused_and_the_choices_are_named(name):
    section, key = name.split(".")
    problem = problems_of({section: {key: "কিছু একটা"}})[name]
    for choice in describe(name)["choices"]:
        assert str(choice) in problem


def fields_in_source(library, file, name):
    """The annotated fields of a class, read from the installed source: importing it would load torch."""
    path = Path(importlib.util.find_spec(library).origin).parent / file
    tree = ast.parse(path.read_text(encoding="utf-8"))
    (found,) = [node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == name]
    return {node.target.id for node in found.body if isinstance(node, ast.AnnAssign)}


def test_every_adapter_setting_is_a_field_of_pefts_lora_config():
    known = fields_in_source("peft", "tuners/lora/config.py", "LoraConfig")
    assert {field.name for field in fields(recipes.Adapter)} - known == {"start_from"}, "an adapter, no setting of one"


def test_every_training_setting_but_seven_of_our_own_is_a_field_of_the_trainers():
    known = fields_in_source("transformers", "training_args.py", "TrainingArguments")
    known |= fields_in_source("trl", "trainer/sft_config.py", "SFTConfig")
    known |= fields_in_source("trl", "trainer/dpo_config.py", "DPOConfig")
    known |= {"early_stopping_patience"}  # of transformers' EarlyStoppingCallback, which tests/training walks through
    assert {field.name for field in fields(recipes.Training)} - known == {
        "engine", "eval_rows", "most_tokens", "objective", "plan", "recompute_mlps", "sample_prompts",
    }  # fmt: skip


def test_no_field_could_hold_a_secret():
    assert not [name for name in FIELDS if {"token", "key", "password", "secret"} & set(re.split("[._]", name))]


def test_a_recipe_cannot_be_changed_after_it_was_checked():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Recipe().training.learning_rate = 1.0


# reading values


@pytest.mark.parametrize("written", ["2e-4", 0.0002, "0.0002", "2.0e-4"])
def test_a_learning_rate_may_be_written_as_people_write_it(written):
    assert Recipe.from_dict({"training": {"learning_rate": written}}).training.learning_rate == 2e-4


@pytest.mark.parametrize("written,read", [("true", True), ("no", False), ("1", True), (False, False), ("False", False)])
def test_a_switch_may_be_written_as_people_write_it(written, read):
    assert Recipe.from_dict({"data": {"group": written}}).data.group is read


@pytest.mark.parametrize("written", [30, "30", 30.0, "3e1"])
def test_a_whole_number_may_come_as_text(written):
    steps = Recipe.from_dict({"training": {"max_steps": written}}).training.max_steps
    assert steps == 30 and isinstance(steps, int)


def test_target_modules_may_be_a_list_or_names_with_commas():
    for written in (["q_proj", "v_proj"], "q_proj, v_proj", '["q_proj", "v_proj"]'):
        assert Recipe.from_dict({"adapter": {"target_modules": written}}).adapter.target_modules == ("q_proj", "v_proj")


@pytest.mark.parametrize("name", ["training.learning_rate", "adapter.r", "training.max_steps", "generation.top_p"])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), "-inf", "nan", True, False, "দশ", "", None, [], {}, [3]])
def test_what_is_no_number_is_refused_for_a_number(name, value):
    section, key = name.split(".")
    assert list(problems_of({section: {key: value}})) == [name]


@pytest.mark.parametrize("value", [1.5, "16.2", "1e400", 10**400])
def test_what_is_no_whole_number_is_refused_for_a_rank(value):
    assert list(problems_of({"adapter": {"r": value}})) == ["adapter.r"]


@pytest.mark.parametrize("value", ["maybe", 2, None, [], {}, float("nan"), ""])
def test_what_is_neither_true_nor_false_is_refused_for_a_switch(value):
    assert list(problems_of({"training": {"load_best_model_at_end": value}})) == ["training.load_best_model_at_end"]


@pytest.mark.parametrize("value", [None, [], {}, ["a"]])
def test_what_is_no_text_is_refused_for_a_text(value):
    assert list(problems_of({"data": {"source": value}})) == ["data.source"]


@pytest.mark.parametrize("value", [[], "", None, 3, ["q_proj", "lm_head"], "all-linear"])
def test_unknown_or_no_target_modules_are_refused(value):
    assert list(problems_of({"adapter": {"target_modules": value}})) == ["adapter.target_modules"]


TEXTS = ["আজ, কাল, পরশু: কিছুই ভালো লাগে না।", "[হাসি] চাকরি পেয়েছি!"]


@pytest.mark.parametrize(
    "written",
    [
        TEXTS,
        tuple(TEXTS),
        "\n".join(TEXTS),
        json.dumps(TEXTS),
        f" {json.dumps(TEXTS, ensure_ascii=False)}",
        [" " + TEXTS[0], "", TEXTS[1]],
    ],
)
def test_sample_prompts_may_be_a_list_a_json_list_or_one_a_line_and_keep_their_commas(written):
    assert Recipe.from_dict({"training": {"sample_prompts": written}}).training.sample_prompts == tuple(TEXTS)


def test_sample_prompts_survive_the_round_trip_through_yaml():
    changed = Recipe().with_settings({"training.sample_prompts": json.dumps(TEXTS)})
    assert changed.to_dict()["training"]["sample_prompts"] == TEXTS
    assert Recipe.from_dict(yaml.safe_load(changed.to_yaml())) == changed


@pytest.mark.parametrize("value", [[], "", "[]", "\n \n"])
def test_no_sample_prompts_turn_them_off(value):
    assert Recipe.from_dict({"training": {"sample_prompts": value}}).training.sample_prompts == ()


@pytest.mark.parametrize(
    "value", [None, 3, {"আজ": "মন খারাপ"}, [{"আজ": "মন খারাপ"}], [None], [False], "[1]", '["ক"', "[" * 9999]
)
def test_what_is_no_list_of_texts_is_refused_for_sample_prompts(value):
    (problem,) = problems_of({"training": {"sample_prompts": value}}).values()
    assert problem.key == "recipe.kind" and "a list of texts" in problem


@pytest.mark.parametrize(("value", "key"), [(["আজ"] * 9, "recipe.too_many"), (["ক" * 501], "recipe.too_long")])
def test_too_many_or_too_long_sample_prompts_are_refused(value, key):
    (problem,) = problems_of({"training": {"sample_prompts": value}}).values()
    assert problem.key == key


def test_as_many_and_as_long_sample_prompts_as_the_limits_allow_are_taken():
    texts = ["ক" * 500] * 8
    assert Recipe.from_dict({"training": {"sample_prompts": texts}}).training.sample_prompts == tuple(texts)


def test_the_default_sample_prompts_are_clean_bengali_and_no_crisis_screen_stops_them():
    from finetune import bengali
    from finetune.inference import safety

    texts = default("training.sample_prompts")
    assert len(texts) == 3
    assert all(bengali.clean(text) == text and bengali.script_share(text) == 1 for text in texts)
    assert [safety.screen(text) for text in texts] == ["none"] * 3


# problems


def test_every_problem_is_reported_at_once():
    found = problems_of(
        {
            "training": {"learning_rate": -1, "max_steps": "many", "speed": 3},
            "adapter": {"r": 0, "bias": "some"},
            "data": {"group": "perhaps"},
            "optimizer": {},
            "tracking": "wandb",
        }
    )
    assert set(found) == {
        "training.learning_rate",
        "training.max_steps",
        "training.speed",
        "adapter.r",
        "adapter.bias",
        "data.group",
        "optimizer",
        "tracking",
    }


def test_a_value_out_of_range_does_not_hide_that_two_other_settings_do_not_go_together():
    found = problems_of({"adapter": {"r": 0}, "training": {"save_steps": 70, "eval_steps": 50}})
    assert set(found) == {"adapter.r", "training.save_steps"}


def test_a_learning_rate_of_minus_one_gets_one_clear_sentence_with_the_limits():
    (problem,) = problems_of({"training": {"learning_rate": -1}}).values()
    assert "-1" in problem and "1e-08" in problem and problem.endswith("1.")


def test_a_seed_that_is_too_large_is_named_in_full_with_the_largest_that_works():
    (problem,) = problems_of({"data": {"seed": 2**31}}).values()
    assert "2147483648" in problem.replace(",", "") and "2147483647" in problem.replace(",", "")


def test_every_problem_carries_a_key_for_translators():
    found = problems_of(
        {"training": {"learning_rate": -1, "max_steps": "x", "speed": 3}, "adapter": {"bias": "?"}, "nonsense": 1}
    )
    assert len(found) == 5
    assert all(problem.key for problem in found.values())


def test_an_unknown_setting_is_answered_with_the_settings_there_are():
    assert "learning_rate" in problems_of({"training": {"learningrate": 1}})["training.learningrate"]


def test_checkpoints_without_an_evaluation_are_refused_unless_the_best_is_not_wanted():
    steps = {"save_steps": 70, "eval_steps": 50}
    assert list(problems_of({"training": steps})) == ["training.save_steps"]
    assert Recipe.from_dict({"training": {**steps, "load_best_model_at_end": False}}).training.save_steps == 70


def test_early_stopping_without_the_best_checkpoint_is_refused():
    wanted = {"early_stopping_patience": 2, "load_best_model_at_end": False}
    assert list(problems_of({"training": wanted})) == ["training.early_stopping_patience"]
    assert (
        Recipe.from_dict({"training": {**wanted, "load_best_model_at_end": True}}).training.early_stopping_patience == 2
    )
    assert default("training.early_stopping_patience") == 0, "the reference run does not stop early"


@pytest.mark.parametrize("source", ["corpus.csv", "kto.jsonl", "owner/name", "a folder/kto.jsonl", "dpo.csv"])
def test_dpo_needs_a_preference_file_and_says_so_beside_the_source(source):
    found = problems_of({"data": {"source": source}, "training": {"objective": "dpo", "max_steps": 0}})
    assert set(found) == {"data.source", "training.max_steps"}, "and all else that cannot work"
    assert found["data.source"].key == "recipe.no_preferences"
    assert "`python -m finetune preferences`" in found["data.source"]


@pytest.mark.parametrize("source", ["dpo.jsonl", "/tmp/x/kto.jsonl"])
def test_sft_on_a_preference_file_is_refused_beside_the_objective(source):
    (problem,) = problems_of({"data": {"source": source}}).values()
    assert problem.key == "recipe.preferences" and problem.facts == {"file": source.split("/")[-1]}


@pytest.mark.parametrize("source", ["dpo.jsonl", "votes of May.JSONL"])
def test_dpo_takes_a_preference_file_of_any_name(source):
    assert Recipe.from_dict({"data": {"source": source}, "training": {"objective": "dpo"}}).data.source == source


def test_a_source_or_an_objective_that_is_unsound_itself_contradicts_nothing():
    assert set(problems_of({"data": {"source": "a.csv"}, "training": {"objective": "ppo"}})) == {"training.objective"}
    assert set(problems_of({"data": {"source": None}, "training": {"objective": "dpo"}})) == {"data.source"}


@pytest.mark.parametrize(("beta", "works"), [(0, False), (-0.1, False), (0.001, True), (0.1, True), (100, True)])
def test_beta_is_a_positive_number(beta, works):
    raw = {"training": {"beta": beta}}
    assert Recipe.from_dict(raw).training.beta == beta if works else list(problems_of(raw)) == ["training.beta"]


def test_no_updates_at_all_are_refused():
    assert list(problems_of({"training": {"max_steps": 0}})) == ["training.max_steps"]


@pytest.mark.parametrize("raw", [None, [], "demo", 3])
def test_a_file_that_holds_no_sections_is_refused(raw):
    assert "adapter" in problems_of(raw)["recipe"]


@pytest.mark.parametrize("value", ["fast", 3, ["learning_rate"], [], 0, False])
def test_a_section_that_holds_no_settings_is_refused(value):
    assert list(problems_of({"training": value})) == ["training"]


def test_an_empty_section_takes_the_defaults():
    assert Recipe.from_dict({"training": None}) == Recipe.from_dict({}) == Recipe()


# setting single fields


def test_single_settings_are_read_as_their_fields_kind():
    changed = Recipe().with_settings(
        {"training.max_steps": "30", "data.group": "false", "training.learning_rate": "1e-3"}
    )
    assert (changed.training.max_steps, changed.data.group, changed.training.learning_rate) == (30, False, 1e-3)
    assert Recipe().training.max_steps == -1, "the original stays as it was"


@pytest.mark.parametrize("name", ["training", "training.", "steps", "training.steps", "name.x", ".max_steps", ""])
def test_a_setting_that_does_not_exist_is_named(name):
    with pytest.raises(RecipeError) as raised:
        Recipe().with_settings({name: "3", "training.nothing": "4"})
    assert set(raised.value.problems) == {name, "training.nothing"}


def test_single_settings_are_checked_together_with_the_rest():
    with pytest.raises(RecipeError) as raised:
        Recipe().with_settings({"training.eval_steps": "30"})
    assert "training.save_steps" in raised.value.problems


# files


@pytest.mark.parametrize("path", sorted(PRESETS.glob("*.yaml")), ids=lambda path: path.stem)
def test_a_preset_survives_the_round_trip_through_yaml(path, tmp_path):
    recipe = Recipe.read(path)
    copy = tmp_path / "recipe.yaml"
    copy.write_text(recipe.to_yaml(), encoding="utf-8")
    assert Recipe.read(copy) == recipe


def test_unusual_values_survive_the_round_trip_and_bengali_stays_readable(tmp_path):
    prompt = "তুমি নও, আপনি: “শুনুন”\n- দ্বিতীয় লাইন # মন্তব্য নয়\n"
    recipe = Recipe().with_settings(
        {
            "data.system_prompt": prompt,
            "training.learning_rate": 1e-8,
            "base.model": "no",
            "tracking.run_name": "123",
            "adapter.target_modules": ["v_proj"],
        }
    )
    path = tmp_path / "mine.yaml"
    path.write_text(recipe.to_yaml(), encoding="utf-8")
    assert Recipe.read(path) == recipe
    assert "দ্বিতীয়" in path.read_text(encoding="utf-8")


def test_the_yaml_holds_every_field_so_that_a_run_stays_explained_when_defaults_change():
    raw = yaml.safe_load(Recipe().to_yaml())
    assert list(raw) == ["name", *SECTIONS], "in the order in which a reader thinks"
    assert [f"{section}.{key}" for section in SECTIONS for key in raw[section]] == FIELDS


def test_a_recipe_without_a_name_is_called_after_its_file(tmp_path):
    path = tmp_path / "আমার রেসিপি.yaml"
    path.write_text("training:\n  max_steps: 3\n", encoding="utf-8")
    recipe = Recipe.read(path)
    assert (recipe.name, recipe.training.max_steps) == ("আমার রেসিপি", 3)


def test_a_missing_recipe_is_answered_with_the_presets(tmp_path):
    for wanted in ("no-such-preset", tmp_path / "gone.yaml", tmp_path):
        with pytest.raises(RecipeError, match="demo"):
            Recipe.read(wanted)


@pytest.mark.parametrize(
    "content",
    [b"training: [1, 2", b"a: b: c", b"\xff\xfe\x00\x01", b"\tx: 1", b"x: !!python/object/apply:os.getcwd []"],
    ids=["bracket", "colons", "bytes", "tab", "python"],
)
def test_a_file_that_is_not_yaml_gives_a_sentence_that_names_it(content, tmp_path):
    path = tmp_path / "broken.yaml"
    path.write_bytes(content)
    with pytest.raises(RecipeError, match="broken.yaml"):
        Recipe.read(path)


def test_an_empty_file_is_refused(tmp_path):
    path = tmp_path / "empty.yaml"
    path.write_text("", encoding="utf-8")
    with pytest.raises(RecipeError, match="expected sections"):
        Recipe.read(path)
