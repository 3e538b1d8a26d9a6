"""A notebook's way through the project, on the demo model: train, ask, save, evaluate, come back another day."""

import re
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas
import pytest

from finetune import models
from finetune.api import TOGETHER, Evaluator, LLAMAFineTuner
from finetune.data.prompts import PromptFormat
from finetune.errors import BackendError, DataError, FinetuneError, ModelError, RecipeError, RunError
from finetune.inference.backends import ScriptedBackend, Side
from finetune.recipe import PRESETS, Recipe
from finetune.training import runs
from tests.conftest import kept_environment, make_adapter, write_csv

QUESTION = "আজ অফিসে সবার সামনে বস আমাকে বকলেন।"
OTHER = "নতুন শহরে এসে কোনো বন্ধু হয়নি।"
SHORT = {"max_new_tokens": 8, "temperature": 0}


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    """The demo's recipe on a tiny corpus, with replies of a few tokens."""
    corpus = write_csv(tmp_path_factory.mktemp("corpus") / "corpus.csv")
    settings = {"data.source": str(corpus), "generation.max_new_tokens": 8, "generation.temperature": 0}
    return Recipe.read("demo").with_settings({**settings, "training.sample_prompts": []})


@pytest.fixture(scope="module", autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory):
    """A home of these tests' own; training sets variables for its libraries, which must not outlive them."""
    import os

    import torch

    torch.set_num_threads(1)
    with kept_environment():
        os.environ["SHOHOMORMI_HOME"] = str(tmp_path_factory.mktemp("home"))
        yield Path(os.environ["SHOHOMORMI_HOME"])


class Echo(ScriptedBackend):
    """Answers every question with itself, and remembers how many were asked at once."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[int] = []

    def stream(self, sides: Sequence[Side], stop: threading.Event | None = None) -> Iterator[list[str]]:
        """See Backend."""
        self.batches.append(len(sides))
        yield [side.messages[-1]["content"] for side in sides]


@pytest.fixture(scope="module")
def trained(recipe: Recipe, home: Path) -> LLAMAFineTuner:
    """A tuner after three updates on the demo base."""
    tuner = LLAMAFineTuner(str(models.DEMO_BASE), recipe=recipe)
    tuner.train(max_steps=3, eval_steps=3, save_steps=3, warmup_steps=0, learning_rate=2e-2)
    return tuner


def test_training_leaves_an_ordinary_run_and_answers_with_its_adapter_from_then_on(trained, home):
    (run,) = runs.all_runs(home)
    assert trained.run == run and trained.adapter == run.adapter
    assert (run.status().state, run.status().step) == ("finished", 3)
    assert run.recipe().training.max_steps == 3 and run.recipe().base.model == str(models.DEMO_BASE)
    assert "adapter saved" in run.log.read_text(encoding="utf-8")
    tuned, base = (trained.answer(QUESTION, tuned=side) for side in (True, False))
    assert tuned and base and tuned != base


def test_unsloth_is_kept_out_of_a_notebook_s_process(trained, recipe, home):
    assert trained.recipe.training.engine == "transformers"
    before = len(list(runs.all_runs(home)))
    with pytest.raises(RunError, match="of its own"):
        LLAMAFineTuner(str(models.DEMO_BASE), recipe=recipe).train(engine="unsloth")
    assert len(list(runs.all_runs(home))) == before


def test_a_list_of_questions_is_answered_in_one_batch_with_what_each_gets_alone(trained, monkeypatch):
    alone = [trained.answer(question) for question in (QUESTION, OTHER)]
    batches = []
    stream = trained.backend.stream
    monkeypatch.setattr(
        trained.backend, "stream", lambda sides, stop: batches.append(len(sides)) or stream(sides, stop)
    )
    assert Evaluator(trained).generate_response([QUESTION, OTHER]) == alone
    assert batches == [2]


def test_an_adapter_is_saved_and_answers_alike_when_it_is_loaded_by_its_folder(trained, recipe, tmp_path):
    folder = trained.save_adapter(tmp_path / "llama-3.1-8b-bangla-empathic-lora")
    again = LLAMAFineTuner(model_name=str(folder), load_in_4bit=True, recipe=recipe)
    assert again.base == str(models.DEMO_BASE) and again.run is None
    assert again.answer(QUESTION) == trained.answer(QUESTION)
    with pytest.raises(RunError, match="already there") as refused:
        trained.save_adapter(folder)
    assert refused.value.key == "export.exists"
    assert [path.name for path in tmp_path.iterdir()] == [folder.name]


def test_the_run_of_an_adapter_that_still_lies_in_it_is_known(trained):
    for name in (trained.run.folder, trained.adapter):
        assert LLAMAFineTuner(str(name)).run == trained.run


def test_artefacts_are_called_after_the_recipe(tmp_path, monkeypatch, recipe, trained):
    monkeypatch.chdir(tmp_path)
    assert trained.save_adapter().name == "demo-bangla-empathic-lora"
    tuner = LLAMAFineTuner()
    assert tuner._place(None, "lora").name == "llama-3.1-8b-bangla-empathic-lora"
    assert tuner._place(None, "merged").name == "llama-3.1-8b-bangla-empathic-merged"


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("demo", "demo"),
        (str(models.DEMO_BASE), "demo"),
        ("assets/demo/base", "demo"),
        ("unsloth/Llama-3.2-1B-Instruct", "llama-3.2-1b"),
        ("unsloth/Meta-Llama-3.1-8B-Instruct", "llama-3.1-8b"),
        ("somebody/Llama-3.2-3B-Instruct", "Llama-3.2-3B-Instruct"),
    ],
)
def test_a_model_goes_by_the_preset_on_its_base_or_else_by_the_reference_under_its_own_name(model, name):
    recipe = LLAMAFineTuner(model).recipe
    assert recipe.name == name
    assert recipe.training == Recipe.read(name if (PRESETS / f"{name}.yaml").exists() else "llama-3.1-8b").training


def test_a_run_goes_by_its_own_recipe_and_an_adapter_without_one_by_that_of_its_base(trained, recipe, tmp_path):
    again = LLAMAFineTuner(str(trained.run.folder))
    assert again.recipe == trained.run.recipe()
    assert (again.recipe.generation, again.recipe.data) == (recipe.generation, recipe.data)
    assert again._place(None, "lora").name == "demo-bangla-empathic-lora"
    assert LLAMAFineTuner(str(trained.run.folder), recipe="llama-3.2-1b").recipe == Recipe.read("llama-3.2-1b")
    assert LLAMAFineTuner(str(trained.save_adapter(tmp_path / "lora"))).recipe == Recipe.read("demo")


def test_the_author_s_names_for_length_and_number_format_set_the_recipe(recipe):
    import torch

    tuner = LLAMAFineTuner("demo", max_seq_length=2020, dtype=torch.float32, device_map="auto", recipe=recipe)
    assert (tuner.recipe.training.max_length, tuner.recipe.base.dtype) == (2020, "float32")
    assert LLAMAFineTuner("demo", dtype="bfloat16").recipe.base.dtype == "bfloat16"
    assert LLAMAFineTuner("demo", max_seq_length=None, dtype=None, recipe=recipe).recipe == recipe
    with pytest.raises(RecipeError, match="max_length"):
        LLAMAFineTuner("demo", max_seq_length=3)
    with pytest.raises(ModelError, match="balanced.*auto") as refused:
        LLAMAFineTuner("demo", device_map="balanced")
    assert refused.value.key == "model.device_map"


def test_what_answered_has_given_its_memory_back_before_training_counts_it(recipe, monkeypatch):
    from finetune.training import trainer

    tuner = LLAMAFineTuner(str(models.DEMO_BASE), recipe=recipe)
    backend, seen = tuner.backend, []
    backend.load()

    def train(run: runs.Run) -> None:
        seen.append(backend.loaded)
        run.set_status(state="finished")

    monkeypatch.setattr(trainer, "train", train)
    tuner.train()
    assert seen == [False]


def test_many_questions_are_answered_in_batches_and_in_their_order(recipe):
    tuner = LLAMAFineTuner("demo", recipe=recipe)
    tuner._backend = Echo()
    asked = [f"প্রশ্ন {number}" for number in range(2 * TOGETHER + 1)]
    assert tuner.answer(asked) == asked
    assert tuner._backend.batches == [TOGETHER, TOGETHER, 1]
    assert tuner.answer([]) == []


def test_a_question_longer_than_the_model_can_read_is_told_before_any_is_answered(trained, monkeypatch):
    monkeypatch.setattr(trained.backend, "stream", None)
    with pytest.raises(BackendError, match="Send it in parts"):
        trained.answer([QUESTION, "আমার কথা শুনুন। " * 2000])


@pytest.mark.parametrize("with_run", [True, False], ids=["of a run", "of an adapter alone"])
def test_a_merged_model_loads_as_a_base_and_answers_as_base_and_adapter_do(trained, recipe, tmp_path, with_run):
    tuner = trained if with_run else LLAMAFineTuner(str(trained.save_adapter(tmp_path / "lora")), recipe=recipe)
    merged = tuner.save_merged(tmp_path / "merged")
    again = LLAMAFineTuner(str(merged), load_in_4bit=False, recipe=recipe)
    assert again.adapter is None
    both = LLAMAFineTuner(str(trained.adapter), load_in_4bit=False, recipe=recipe)
    assert again.answer(QUESTION, tuned=False)[:8] == both.answer(QUESTION)[:8]  # its sums are rounded once more


def test_a_merged_model_answers_as_what_it_is_and_says_what_to_evaluate_or_save_in_its_place(
    tiny_base, recipe, tmp_path, capsys
):
    made = LLAMAFineTuner(str(make_adapter(tiny_base, tmp_path / "lora")), recipe=recipe)
    merged = LLAMAFineTuner(str(made.save_merged(tmp_path / "merged")), recipe=recipe)
    assert merged.merged and not made.merged and not LLAMAFineTuner(str(tiny_base), recipe=recipe).merged
    capsys.readouterr()
    Evaluator(merged).display_sample_responses(QUESTION, **SHORT)
    shown = capsys.readouterr().out
    assert shown.count("Q: ") == 1 and "\nmerged: " in shown and "base: " not in shown
    for refused in (Evaluator(merged).evaluate, merged.save_adapter, merged.save_merged):
        with pytest.raises(ModelError, match="is a merged model.*Give the adapter's folder") as caught:
            refused()
        assert caught.value.key == "model.merged"


def test_a_merged_model_is_asked_in_the_format_its_adapter_learnt(tiny_base, recipe, tmp_path):
    folder = make_adapter(tiny_base, tmp_path / "lora")
    PromptFormat("reference", "তুমি বন্ধু।").save(folder)
    tuner = LLAMAFineTuner(str(folder), recipe=recipe)
    merged = LLAMAFineTuner(str(tuner.save_merged(tmp_path / "merged")), recipe=recipe)
    assert merged.backend._style([]) == PromptFormat("reference", "তুমি বন্ধু।")


def test_training_goes_on_from_an_adapter_with_its_own_rank_and_format(tiny_base, recipe, tmp_path):
    tuner = LLAMAFineTuner(str(make_adapter(tiny_base, tmp_path)), load_in_4bit=False, recipe=recipe)
    run = tuner.train(max_steps=2, eval_steps=2, save_steps=2, warmup_steps=0)
    assert run.recipe().adapter.r == 4 and (run.folder / "start").is_dir()
    assert run.recipe().base.load_in_4bit is False


def test_sample_responses_show_each_question_with_both_answers(trained, capsys):
    Evaluator(trained).display_sample_responses([QUESTION, OTHER], **SHORT)
    shown = capsys.readouterr().out
    assert shown.count("Q: ") == 2 and QUESTION in shown
    assert f"base: {trained.answer(QUESTION, tuned=False)}" in shown
    assert f"tuned: {trained.answer(OTHER)}" in shown


def test_a_sample_question_may_be_one_text(trained, capsys):
    Evaluator(trained).display_sample_responses(QUESTION, **SHORT)
    shown = capsys.readouterr().out
    assert shown.count("Q: ") == 1 and f"Q: {QUESTION}\n" in shown


def test_an_evaluation_scores_both_sides_of_a_run_and_is_kept_with_it(trained, capsys):
    result = Evaluator(trained).evaluate(limit=2)
    assert result["prompts"] == 2 and {"base", "tuned"} <= result.keys()
    assert "tuned" in capsys.readouterr().out
    assert list((trained.run.folder / "evaluations").glob("test-*/scores.json"))


def test_an_adapter_without_its_run_is_evaluated_on_the_recipe_s_corpus(trained, recipe, tmp_path, home):
    folder = trained.save_adapter(tmp_path / "lora")
    result = Evaluator(LLAMAFineTuner(str(folder), recipe=recipe)).evaluate(limit=1)
    assert result["prompts"] == 1
    assert list((home / "evaluations").glob("test-*/scores.json"))


def test_what_cannot_be_done_is_said_before_anything_is_loaded(recipe, tmp_path):
    tuner = LLAMAFineTuner(str(models.DEMO_BASE), recipe=recipe)
    for refused in (tuner.save_adapter, tuner.save_merged, Evaluator(tuner).evaluate):
        with pytest.raises(ModelError, match="Call train") as caught:
            refused()
        assert caught.value.key == "model.nothing_trained"
    with pytest.raises(RecipeError, match="learning_rat"):
        tuner.train(learning_rat=1e-3)
    with pytest.raises(RecipeError, match="temperature"):
        tuner.answer(QUESTION, temperature=9)
    with pytest.raises(FinetuneError, match="no model in"):
        LLAMAFineTuner(str(tmp_path / "nothing"), recipe=recipe).answer(QUESTION)
    assert not tuner.backend.loaded


@pytest.mark.parametrize(
    ("mistake", "said"),
    [
        (lambda tuner: LLAMAFineTuner(5), "model_name has to be str or Path or None; found int"),
        (lambda tuner: LLAMAFineTuner(""), "model_name has to be str or Path or None; found an empty text"),
        (lambda tuner: LLAMAFineTuner("demo", recipe=5), "recipe has to be Recipe or str"),
        (lambda tuner: LLAMAFineTuner("demo", load_in_4bit=0), "load_in_4bit has to be bool or None; found int"),
        (lambda tuner: LLAMAFineTuner("demo", load_in_4bit="false"), "load_in_4bit has to be bool or None; found str"),
        (lambda tuner: tuner.train(pandas.DataFrame({"Questions": [QUESTION]})), "Write a table to a CSV first"),
        (lambda tuner: tuner.answer(3), "A question has to be a text; found int"),
        (lambda tuner: tuner.answer([QUESTION, None]), "A question has to be a text; found NoneType"),
        (lambda tuner: Evaluator("demo"), "fine_tuner has to be LLAMAFineTuner; found str"),
        (lambda tuner: Evaluator(tuner).evaluate(limit=0), "limit is 0"),
        (lambda tuner: Evaluator(tuner).evaluate(limit="2"), "limit has to be int or None; found str"),
        (lambda tuner: Evaluator(tuner).evaluate(limit=True), "limit has to be int or None; found bool"),
    ],
)
def test_what_a_notebook_gets_wrong_is_one_sentence_and_loads_nothing(mistake, said):
    tuner = LLAMAFineTuner("demo")
    with pytest.raises(DataError, match=re.escape(said)) as caught:
        mistake(tuner)
    assert "\n" not in str(caught.value) and not tuner.backend.loaded


def test_no_questions_get_no_answers(capsys):
    Evaluator(LLAMAFineTuner("demo")).display_sample_responses([])
    assert capsys.readouterr().out == ""


def test_the_reference_recipe_and_its_base_are_the_defaults():
    tuner = LLAMAFineTuner()
    assert tuner.base == "unsloth/Meta-Llama-3.1-8B-Instruct" and tuner.backend.four_bit
    assert not LLAMAFineTuner(load_in_4bit=False).backend.four_bit
    assert LLAMAFineTuner("demo").adapter == models.DEMO_ADAPTER
