"""finetune/training/plan.py: steps as the Trainer counts them, time, what fits, and what to change else."""

import shlex
from dataclasses import replace

import pytest

from finetune.__main__ import as_settings
from finetune.recipe import SECTIONS, Recipe
from finetune.training import plan
from finetune.training.plan import Machine, PastRun, equivalent_command, estimate, shape
from ui import wording

H200 = Machine("cuda", "NVIDIA H200", 150.7, 1, 16, 200.0, 500.0, "bfloat16")
T4 = Machine("cuda", "Tesla T4", 15.6, 1, 2, 25.0, 60.0, "float16")
LAPTOP = Machine("cpu", "AMD EPYC", 25.0, 0, 2, 23.0, 60.0, "bfloat16")
DEMO = Recipe.read("demo")
REFERENCE = Recipe.read("llama-3.1-8b")
AS_WRITTEN = REFERENCE.with_settings({"training.plan": "as_written"})
LLAMA = shape(REFERENCE.base.model)
SMALL = shape(DEMO.base.model)


def of(recipe=REFERENCE, machine=H200, base=LLAMA, **changes):
    return estimate(recipe, machine, base, **{"rows": 30_568, "mean_tokens": 520, "longest": 2400, **changes})


def demo(machine=LAPTOP, recipe=DEMO, base=SMALL, **changes):
    return of(recipe, machine, base, **{"rows": 3986, "mean_tokens": 96.7, "longest": 140, **changes})


def keys(found):
    return [finding.key for finding in found.advice]


# steps


@pytest.mark.parametrize("rows", [1, 7, 16, 17, 33, 160])
@pytest.mark.parametrize("batch", [(1, 1), (2, 8), (4, 3), (16, 1)])
@pytest.mark.parametrize(("epochs", "most"), [(0.5, -1), (1, -1), (2.3, -1), (1, 5)])
def test_steps_are_those_that_transformers_trainer_itself_plans(counting_trainer, rows, batch, epochs, most):
    recipe = REFERENCE.with_settings(
        {
            "training.per_device_train_batch_size": batch[0],
            "training.gradient_accumulation_steps": batch[1],
            "training.num_train_epochs": epochs,
            "training.max_steps": most,
        }
    )
    steps, per_epoch = counting_trainer(recipe, rows)
    found = of(recipe, rows=rows)
    assert (found.steps, found.updates_per_epoch) == (steps, per_epoch)
    assert found.epochs == pytest.approx(steps / per_epoch)


@pytest.fixture(scope="module")
def counting_trainer(tmp_path_factory):
    """Asks transformers' Trainer how many steps it would take, and how many in an epoch."""
    import torch
    from transformers import Trainer, TrainingArguments

    arguments = TrainingArguments(str(tmp_path_factory.mktemp("trainer")), use_cpu=True, report_to="none")
    trainer = Trainer(torch.nn.Linear(1, 1), arguments, train_dataset=[0])

    def count(recipe, rows):
        for name in ("gradient_accumulation_steps", "num_train_epochs", "max_steps"):
            setattr(arguments, name, getattr(recipe.training, name))
        trainer._train_batch_size = recipe.training.per_device_train_batch_size
        trainer.train_dataset = [{"x": 0}] * rows
        planned = trainer.set_initial_training_values(arguments, trainer.get_train_dataloader())
        return planned[-1], planned[1]

    return count


# time


def test_without_earlier_runs_the_time_is_a_wide_range_around_what_such_a_device_does():
    found = demo()
    assert not found.measured
    assert found.seconds_high / found.seconds_low == pytest.approx(plan.UNSURE**2)
    assert found.seconds_low < 80 < found.seconds_high  # the demo run's time on two cores


def test_earlier_runs_make_the_range_narrow_and_their_rate_is_taken_as_it_is():
    batch = DEMO.training.per_device_train_batch_size
    past = [PastRun(f"run-{rate}", "cpu", False, False, batch, rate) for rate in (1000.0, 2000.0, 9000.0)]
    found = demo(past=past)
    assert found.measured
    assert found.seconds_high / found.seconds_low == pytest.approx(plan.SURE**2)
    once = {"training.eval_steps": 5000, "training.save_steps": 5000}  # one evaluation, at the start
    longer = demo(past=past, recipe=DEMO.with_settings({**once, "training.max_steps": 1110}))
    shorter = demo(past=past, recipe=DEMO.with_settings({**once, "training.max_steps": 110}))
    more = (longer.seconds_low - shorter.seconds_low) * plan.SURE
    assert more == pytest.approx(1000 * batch * 96.7 / 2000)


def test_runs_that_trained_in_another_way_are_no_measurement():
    assert not demo(past=[PastRun("run", "cuda", False, False, 16, 90_000.0)]).measured


def test_an_update_of_dpo_takes_three_of_sft_for_it_reads_two_replies_and_the_reference_reads_them_too():
    once = {"training.eval_steps": 5000, "training.save_steps": 5000}

    def a_thousand_updates(**objective):
        recipe = DEMO.with_settings({**once, **objective})
        longer, shorter = (recipe.with_settings({"training.max_steps": steps}) for steps in (1110, 110))
        return demo(recipe=longer).seconds_low - demo(recipe=shorter).seconds_low

    dpo = {"training.objective": "dpo", "data.source": "dpo.jsonl"}
    assert a_thousand_updates(**dpo) == pytest.approx(3 * a_thousand_updates())
    recomputed = {"training.gradient_checkpointing": True}  # three passes of sft, four of dpo
    assert a_thousand_updates(**dpo, **recomputed) == pytest.approx(2 * 4 / 3 * a_thousand_updates(**recomputed))


def test_more_evaluations_take_longer():
    often = DEMO.with_settings({"training.eval_steps": 5, "training.save_steps": 5})
    assert demo(recipe=often).seconds_low > demo().seconds_low


def test_examples_longer_than_max_length_count_as_cut():
    assert of(mean_tokens=5000, longest=9000).seconds_low == of(mean_tokens=2020, longest=2020).seconds_low


# memory and advice


def test_what_fits_needs_no_advice():
    for found in (of(), demo()):
        assert found.fits and not found.advice


def what_fits(recipe, card, base=LLAMA):
    """The recipe with the settings that its one piece of advice names."""
    (advice,) = of(recipe, card, base).advice
    return recipe.with_settings(as_settings(advice.facts["settings"].split(", ")))


def test_on_a_card_under_20_gb_the_reference_recipe_is_trained_on_the_four_bit_base_and_the_page_says_so():
    found = of(machine=T4)
    (advice,) = found.advice
    assert found.fits and advice.key == "plan.four_bit_chosen"
    assert advice.facts == {"base": "16.1", "available": "15.6", "then": f"{found.peak_gb:.1f}"}
    assert "16.1 GB" in advice.message and "4-bit base" in advice.message


def test_a_recipe_as_written_is_told_to_train_on_the_four_bit_base_there():
    found = of(AS_WRITTEN, T4)
    (advice,) = found.advice
    assert not found.fits and advice.key == "plan.four_bit"
    assert advice.facts["base"] == "16.1" and advice.facts["settings"] == "base.load_in_4bit=true"
    assert "16.1 GB" in advice.message and "base.load_in_4bit=true" in advice.message


@pytest.mark.parametrize(("recipe", "key"), [(REFERENCE, "plan.four_bit_chosen"), (AS_WRITTEN, "plan.four_bit")])
def test_two_cards_are_told_that_a_run_from_the_page_uses_one_and_one_from_a_terminal_both(recipe, key):
    found = of(recipe, replace(T4, cards=2))
    assert keys(found) == [key, "plan.one_card"]
    assert "from this page uses one of the 2 cards" in found.advice[1].message
    assert "terminal" in found.advice[1].message
    assert replace(found, advice=()) == replace(of(recipe, T4), advice=()), "the queue gives it one"
    assert keys(of(recipe, replace(H200, cards=2))) == []


@pytest.mark.parametrize(
    ("settings", "memory", "changed"),
    [
        ({}, 15.6, {"base.load_in_4bit"}),
        ({"training.gradient_checkpointing": False}, 15.6, {"base.load_in_4bit", "training.gradient_checkpointing"}),
        (
            {"training.per_device_train_batch_size": 4, "training.gradient_accumulation_steps": 4},
            15.0,
            {"base.load_in_4bit", "batch"},
        ),
        ({"training.max_length": 2048}, 12.6, {"base.load_in_4bit", "batch", "training.max_length"}),
    ],
)
def test_the_settings_that_fit_are_those_that_cost_least_and_no_more_of_them(settings, memory, changed):
    recipe, card = AS_WRITTEN.with_settings(settings), replace(T4, memory_gb=memory)
    fitting = what_fits(recipe, card)
    assert of(fitting, card).fits
    assert fitting.effective_batch == recipe.effective_batch
    before, after = recipe.to_dict(), fitting.to_dict()
    differing = {f"{s}.{k}" for s in SECTIONS for k in after[s] if after[s][k] != before[s][k]}
    assert {"batch" if "batch" in name or "accumulation" in name else name for name in differing} == changed
    (advice,) = of(recipe, card).advice
    assert advice.facts["then"] == f"{of(fitting, card).peak_gb:,.1f}"


def test_a_batch_is_halved_and_accumulation_doubled_before_anything_dearer():
    recipe = Recipe.read("llama-3.2-1b").with_settings(
        {
            "base.load_in_4bit": True,
            "training.plan": "as_written",
            "training.per_device_train_batch_size": 16,
            "training.gradient_accumulation_steps": 1,
        }
    )
    base = shape(recipe.base.model)
    card = replace(T4, memory_gb=of(recipe, T4, base).peak_gb)
    t = what_fits(recipe, card, base).training
    assert (t.per_device_train_batch_size, t.gradient_accumulation_steps) == (8, 2)
    assert (t.max_length, t.gradient_checkpointing) == (2020, True)
    (advice,) = of(recipe, card, base).advice
    assert advice.key == "plan.too_large"


def test_a_batch_that_is_no_even_number_keeps_its_examples_an_update():
    recipe = AS_WRITTEN.with_settings(
        {
            "base.load_in_4bit": True,
            "training.per_device_train_batch_size": 9,
            "training.gradient_accumulation_steps": 2,
        }
    )
    fitting = what_fits(recipe, replace(T4, memory_gb=18.0))
    assert (fitting.training.per_device_train_batch_size, fitting.effective_batch) == (3, 18)


def test_where_auto_has_done_all_it_may_only_shorter_examples_are_left_to_advise():
    found = of(REFERENCE, replace(T4, memory_gb=12.0))
    assert keys(found) == ["plan.four_bit_chosen", "plan.too_large"]
    assert found.advice[1].facts["settings"].startswith("training.max_length=")


@pytest.mark.parametrize(
    ("recipe", "expected"), [(AS_WRITTEN, ["plan.no_fit"]), (REFERENCE, ["plan.four_bit_chosen", "plan.no_fit"])]
)
def test_where_nothing_helps_that_is_said(recipe, expected):
    assert keys(of(recipe, replace(T4, memory_gb=6.0))) == expected


def test_a_full_disk_is_told_from_what_checkpoints_take():
    room = replace(H200, free_disk_gb=1.3)
    assert keys(of(machine=room)) == []
    assert keys(of(machine=replace(H200, free_disk_gb=1.2))) == ["plan.disk"]
    # four of 41.9M weights with 2 bytes each for the optimizer and a tokenizer, and the adapter
    assert of().disk_gb == pytest.approx(4 * (0.252 + 0.017) + 0.168, abs=0.01)


def test_the_base_that_is_still_to_be_fetched_counts_for_the_disk():
    room = replace(H200, free_disk_gb=17.0)
    assert keys(of(machine=room)) == keys(of(machine=room, to_fetch_gb=15.0)) == []
    (advice,) = of(machine=room, to_fetch_gb=16.1).advice
    assert advice.key == "plan.disk_with_base"
    assert advice.facts == {"fetched": "16.1", "needed": "1.2", "free": "17.0"}
    assert "HF_HOME" in advice.message


def test_a_large_base_on_a_cpu_is_told_to_take_days():
    large = replace(LAPTOP, free_ram_gb=30.0)
    (advice,) = of(machine=large).advice
    assert advice.key == "plan.cpu_days" and 30 < advice.facts["days"] < 150
    assert keys(of(REFERENCE.with_settings({"training.max_steps": 1, "training.eval_rows": 1}), large)) == []


def test_four_bits_on_a_cpu_are_advised_against_unless_they_are_needed():
    four_bit = DEMO.with_settings({"base.load_in_4bit": True})
    assert keys(demo(recipe=four_bit)) == ["plan.cpu_four_bit"]
    small = replace(LAPTOP, free_ram_gb=17.0)
    assert "plan.cpu_four_bit" not in keys(of(REFERENCE.with_settings({"base.load_in_4bit": True}), small))


def test_a_base_of_unknown_size_still_has_its_steps_and_says_what_is_not_known():
    found = of(base=None)
    assert (found.steps, found.updates_per_epoch) == (956, 1911)
    assert (found.peak_gb, found.fits, found.seconds_low, found.disk_gb) == (None, None, None, None)
    assert keys(found) == ["plan.unknown_base"]


def test_a_base_of_unknown_size_that_was_trained_here_has_its_time():
    found = of(base=None, past=[PastRun("run", "cuda", False, True, 2, 1800.0)])
    assert found.measured and found.seconds_low > 3600


def test_every_advice_can_be_said_in_both_languages():
    found = [
        *of(base=None).advice,
        *of(machine=replace(T4, cards=2)).advice,
        *of(AS_WRITTEN, T4).advice,
        *of(machine=replace(T4, memory_gb=6.0)).advice,
        *of(machine=replace(H200, free_disk_gb=0.1)).advice,
        *of(machine=replace(H200, free_disk_gb=9.0), to_fetch_gb=16.1).advice,
        *of(machine=LAPTOP).advice,
        *demo(recipe=DEMO.with_settings({"base.load_in_4bit": True})).advice,
        *demo(machine=replace(LAPTOP, free_ram_gb=0.9)).advice,
    ]
    assert {one.key for one in found} == {key for key in wording.ERRORS_BN if key.startswith("plan.")}
    for one in found:
        assert wording.told(one.key, one.facts, one.message, "en") == one.message
        bengali = wording.told(one.key, one.facts, one.message, "bn")
        assert bengali != one.message and "{" not in bengali
    assert "১৬.১ GB" in wording.told(*(getattr(found[1], n) for n in ("key", "facts", "message")), "bn")


# the command


def parsed(command):
    """The recipe that a command line trains by."""
    words = shlex.split(command)
    assert words[:4] == ["python", "-m", "finetune", "train"]
    assert words[5::2] == ["--set"] * len(words[5::2])
    return Recipe.read(words[4]).with_settings(as_settings(words[6::2]))


@pytest.mark.parametrize("preset", ["demo", "llama-3.1-8b", "llama-3.2-1b"])
def test_a_preset_as_it_is_needs_nothing_but_its_name(preset):
    assert equivalent_command(Recipe.read(preset), preset) == f"python -m finetune train {preset}"


@pytest.mark.parametrize(
    "settings",
    [
        {"base.load_in_4bit": True, "training.gradient_checkpointing": False},
        {"training.learning_rate": 3.3e-7, "data.min_bengali": 0.123456789, "training.max_steps": 7},
        {"adapter.target_modules": ["q_proj", "v_proj"]},
        {"training.sample_prompts": ["আজ 'মন' \"খারাপ\"; $HOME `ls`, হ্যাঁ=না", "[দুই]"]},
        {"training.sample_prompts": []},
        {"data.source": "a file's name.csv", "data.system_prompt": "দুই\nলাইন = \\ $x"},
        {"tracking.run_name": "", "data.system_prompt": ""},
    ],
)
def test_the_command_gives_the_same_recipe_again_whatever_is_in_it(settings):
    recipe = REFERENCE.with_settings(settings)
    assert parsed(equivalent_command(recipe, "llama-3.1-8b")) == recipe


def test_only_what_differs_from_the_preset_stands_in_the_command():
    recipe = DEMO.with_settings({"training.max_steps": 30, "training.seed": DEMO.training.seed})
    assert equivalent_command(recipe, "demo") == "python -m finetune train demo --set training.max_steps=30"


def test_a_recipe_from_another_preset_is_given_by_what_differs():
    assert replace(parsed(equivalent_command(REFERENCE, "demo")), name=REFERENCE.name) == REFERENCE
