"""finetune/training/speed.py: rates that were measured, and those expected of a device."""

import pytest

from finetune.recipe import Recipe
from finetune.training import metrics, runs, speed
from finetune.training.machine import Machine
from finetune.training.memory import shape

H200 = Machine("cuda", "NVIDIA H200", 150.7, 1, 16, 200.0, 500.0, "bfloat16")
CPU = Machine("cpu", "AMD EPYC", 16.0, 0, 2, 14.0, 50.0, "bfloat16")
REFERENCE = Recipe.read("llama-3.1-8b")
DEMO = Recipe.read("demo")


@pytest.mark.parametrize(("batch", "measured"), [(2, 1737), (16, 3941)])
def test_an_h200_is_expected_to_do_what_it_did(batch, measured):
    recipe = REFERENCE.with_settings({"training.per_device_train_batch_size": batch})
    rate = speed.expected(recipe, H200, shape(REFERENCE.base.model), 518, 2020)
    assert rate == pytest.approx(measured, rel=0.1)


def test_two_cores_are_expected_to_do_what_they_did_on_the_demo():
    rate = speed.expected(DEMO, CPU, shape(DEMO.base.model), 96.7, 140)
    assert rate == pytest.approx(2900, rel=0.1)


def test_recomputing_four_bits_on_a_cpu_and_fewer_cores_cost_time():
    def rate(machine=CPU, **settings):
        named = {name.replace("__", "."): value for name, value in settings.items()}
        return speed.expected(DEMO.with_settings(named), machine, shape(DEMO.base.model), 96.7, 140)

    assert rate(training__gradient_checkpointing=True) == pytest.approx(rate() * 2 / 3)
    assert rate(base__load_in_4bit=True) < rate()
    assert rate(base__dtype="float32") < rate()
    assert rate(Machine("cpu", "AMD EPYC", 16.0, 0, 1, 14.0, 50.0, "bfloat16")) == pytest.approx(rate() / 2)


def test_recomputing_without_padding_costs_a_quarter_and_with_it_a_half():
    recipe = Recipe.read("llama-3.1-8b").with_settings({"training.gradient_checkpointing": False})
    kept, again = speed.passes(recipe), speed.passes(recipe.with_settings({"training.gradient_checkpointing": True}))
    free = {"training.gradient_checkpointing": True, "training.padding_free": True}
    assert (again / kept, speed.passes(recipe.with_settings(free)) / kept) == (1.5, 1.25)


@pytest.mark.parametrize(
    ("names", "faster"),
    [
        (("NVIDIA A100-SXM4-40GB", "NVIDIA A10"), True),
        (("NVIDIA L40S", "NVIDIA L4"), True),
        (("NVIDIA H100 80GB HBM3", "NVIDIA H100 PCIe"), True),
        (("NVIDIA RTX A1000", "Some card"), False),
    ],
)
def test_a_card_is_known_by_its_whole_name(names, faster):
    def rate(name):
        card = Machine("cuda", name, 40.0, 1, 16, 200.0, 500.0, "bfloat16")
        return speed.expected(REFERENCE, card, shape(REFERENCE.base.model), 518, 2020)

    first, second = map(rate, names)
    assert first > second if faster else first == second


@pytest.fixture
def home(tmp_path):
    """Makes a run under a home with the rates that it measured."""

    def make(rates, recipe=DEMO, **line):
        run = runs.create(tmp_path, recipe)
        for step, rate in enumerate(rates, 1):
            metrics.append(run.folder, {"step": step, "loss": 1.0, "tokens_per_second": rate, **line})
        return run

    make.folder = tmp_path
    return make


def test_a_run_tells_the_median_of_its_rates_and_the_settings_that_matter(home):
    run = home([10.0, 3000.0, 2900.0, 2800.0, 2950.0])
    assert speed.past_runs(home.folder, DEMO.base.model) == [
        speed.PastRun(run.name, "cpu", False, False, DEMO.training.per_device_train_batch_size, 2900.0)
    ]


def test_runs_by_unsloth_tell_nothing_of_those_by_transformers_and_auto_stands_for_these(home):
    home([9000.0] * 3, recipe=DEMO.with_settings({"training.engine": "unsloth"}))
    home([2000.0] * 3)
    home([3000.0] * 3, recipe=DEMO.with_settings({"training.engine": "transformers"}))
    past = speed.past_runs(home.folder, DEMO.base.model)
    assert [run.engine for run in past].count("unsloth") == 1
    assert speed.measured(DEMO, CPU, past) == 2500.0
    assert speed.measured(DEMO.with_settings({"training.engine": "unsloth"}), CPU, past) == 9000.0


def test_a_run_on_a_card_is_told_from_one_on_a_cpu(home):
    home([2900.0] * 3, gpu_memory_gb=1.0)
    assert speed.past_runs(home.folder, DEMO.base.model)[0].kind == "cuda"


def test_runs_of_another_base_or_without_measurements_say_nothing(home):
    home([2900.0] * 3, recipe=REFERENCE)
    home([2900.0] * (speed.FEWEST - 1))
    home([])
    damaged = home([2900.0] * 3)
    (damaged.folder / "recipe.yaml").write_text("training: {max_steps: many}")
    assert speed.past_runs(home.folder, DEMO.base.model) == []


def test_only_the_end_of_a_long_log_is_read(home, monkeypatch):
    monkeypatch.setattr(speed, "TAIL", 500)
    home([1.0] * 30 + [2900.0] * 20)
    assert speed.past_runs(home.folder, DEMO.base.model)[0].tokens_per_second == 2900.0


def test_a_rate_is_taken_from_runs_that_trained_in_the_same_way(home):
    home([2000.0] * 3)
    home([3000.0] * 3)
    home([9000.0] * 3, recipe=DEMO.with_settings({"training.per_device_train_batch_size": 64}))
    home([500.0] * 3, recipe=DEMO.with_settings({"base.load_in_4bit": True}))
    home([100.0] * 3, recipe=DEMO.with_settings({"training.gradient_checkpointing": True}))
    home([50_000.0] * 3, gpu_memory_gb=1.0)
    past = speed.past_runs(home.folder, DEMO.base.model)
    assert len(past) == 6
    assert speed.measured(DEMO, CPU, past) == 2500.0
    assert speed.measured(DEMO.with_settings({"base.dtype": "float32"}), H200, past) == 50_000.0
    assert speed.measured(DEMO.with_settings({"training.per_device_train_batch_size": 8}), CPU, past) is None
