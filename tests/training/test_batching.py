"""Which batches a machine gets, why, and that a run with either kind learns the same."""

from dataclasses import replace
from pathlib import Path

import pytest

from finetune.recipe import Recipe
from finetune.training import batching, memory, memory_unpadded, metrics, runs, trainer
from finetune.training.machine import Machine
from finetune.training.memory import KNOWN
from tests.conftest import kept_environment, write_csv

H200 = Machine("cuda", "NVIDIA H200", 150.7, 1, 16, 200.0, 500.0, "bfloat16", (9, 0))
A100 = replace(H200, name="NVIDIA A100", memory_gb=42.3, capability=(8, 0))
SMALL = replace(H200, name="NVIDIA L4", memory_gb=23.6, capability=(8, 9))
T4 = Machine("cuda", "Tesla T4", 15.6, 1, 2, 25.0, 60.0, "float16", (7, 5))
LAPTOP = Machine("cpu", "AMD EPYC", 25.0, 0, 2, 23.0, 60.0, "bfloat16")

REFERENCE = Recipe.read("llama-3.1-8b")
LLAMA = KNOWN[r"llama-3\.1-8b"]


def changed(**settings: object) -> Recipe:
    return REFERENCE.with_settings({name.replace("__", "."): value for name, value in settings.items()})


# Choosing


def test_a_large_card_takes_an_update_in_one_pass_and_recomputes_nothing():
    found = batching.chosen(REFERENCE, H200, LLAMA)
    t = found.recipe.training
    assert (t.per_device_train_batch_size, t.gradient_accumulation_steps, t.padding_free) == (16, 1, True)
    assert (t.gradient_checkpointing, found.recompute_mlps) == (False, 0)
    assert found.most_tokens > 16_000
    assert "16 examples an update" in found.why and "NVIDIA H200" in found.why and "9.0" in found.why


@pytest.mark.parametrize("card", [H200, A100, SMALL])
@pytest.mark.parametrize("four_bit", [False, True])
def test_whatever_the_card_an_update_learns_from_as_many_examples_and_fits(card, four_bit):
    recipe = changed(base__load_in_4bit=four_bit)
    found = batching.chosen(recipe, card, LLAMA)
    assert found.recipe.effective_batch == recipe.effective_batch == 16
    assert batching.peak_gb(recipe, card, LLAMA, 2400) <= batching.USABLE * card.memory_gb
    assert found.most_tokens >= 2020  # the longest example that there may be


def test_the_less_memory_there_is_the_more_is_recomputed():
    ways = []
    for gigabytes in (141, 40, 30, 26, 24, 20, 12):
        card = replace(H200, memory_gb=gigabytes)
        found = batching.chosen(changed(base__load_in_4bit=True), card, LLAMA)
        t = found.recipe.training
        ways.append((t.gradient_checkpointing, t.activation_offloading, found.recompute_mlps))
    assert ways == sorted(ways) and ways[0] == (False, False, 0) and ways[-1] == (True, True, 0)
    assert any(0 < recomputed < 32 for *_, recomputed in ways) and (True, False, 0) in ways, ways


def test_what_waits_in_the_hosts_memory_leaves_a_small_card_room_for_longer_passes_and_the_log_says_so():
    card = replace(SMALL, memory_gb=11.0)
    found = batching.chosen(changed(base__load_in_4bit=True), card, LLAMA)
    kept = changed(
        base__load_in_4bit=True, training__plan="as_written", training__padding_free=True,
        training__gradient_checkpointing=True,
    )  # fmt: skip
    assert found.recipe.training.activation_offloading and "in the host's memory" in found.why
    assert found.most_tokens > 1.5 * batching.chosen(kept, card, LLAMA).most_tokens


def test_what_waits_in_the_hosts_memory_takes_no_more_than_half_of_what_is_free_there():
    def passes(card_gb: float, free_gb: float) -> tuple[bool, int]:
        card = replace(SMALL, memory_gb=card_gb, free_ram_gb=free_gb)
        t = batching.chosen(changed(base__load_in_4bit=True), card, LLAMA).recipe.training
        return t.activation_offloading, t.most_tokens

    (_, most), (waits, some) = passes(10.0, 64.0), passes(10.0, 6.0)
    assert waits and some < most
    assert some * 3 * 2 * LLAMA.hidden * LLAMA.layers == pytest.approx(0.4 * 6e9, rel=0.03)
    assert some * 3 * 2 * LLAMA.hidden * LLAMA.layers < 0.4 * 6e9
    # Where the card has room for longer passes than the host, what is kept stays there.
    assert passes(17.0, 64.0)[0] and not passes(17.0, 6.0)[0] and passes(17.0, 6.0)[1] > some


@pytest.mark.parametrize(("card_gb", "length"), [(20.0, 2020), (22.5, 4096), (24.0, 8192), (23.6, 2020)])
def test_what_is_free_on_the_host_does_not_decide_about_the_4_bit_base(card_gb, length):
    cards = [replace(SMALL, memory_gb=card_gb, free_ram_gb=free) for free in (0.5, 2.0, 8.0, 64.0)]
    found = [batching.chosen(changed(training__max_length=length), card, LLAMA).recipe for card in cards]
    assert len({recipe.base.load_in_4bit for recipe in found}) == 1
    assert found[0].base.load_in_4bit is (card_gb != 23.6), "as the card alone has room, or not"


def test_a_pass_always_has_room_for_the_longest_example():
    long = changed(training__max_length=16_384)
    assert batching.ENOUGH < long.training.max_length
    for card in (replace(H200, memory_gb=85.0), replace(H200, memory_gb=48.0)):
        assert batching.chosen(long, card, LLAMA).most_tokens >= long.training.max_length


@pytest.mark.parametrize(
    ("recipe", "machine", "why"),
    [
        (REFERENCE, LAPTOP, "on a CPU"),
        (changed(base__dtype="float16"), H200, "the base is in float16"),
        (changed(adapter__lora_dropout=0.05), H200, "dropout"),
        (changed(training__plan="as_written"), H200, "the recipe says so"),
        (changed(training__plan="as_written"), T4, "compute capability 8.0 and this card has 7.5"),
        (changed(training__objective="dpo", data__source="dpo.jsonl"), H200, "pair"),
    ],
)
def test_where_padding_stays_and_fits_the_recipe_stays_and_the_log_says_why(recipe, machine, why):
    found = batching.chosen(recipe, machine, LLAMA)
    assert found.recipe in (recipe, recipe.with_settings({"training.plan": "as_written"}))
    assert found.most_tokens is None and found.recompute_mlps == 0
    assert found.why.startswith("padded batches, because") and why in found.why and "instead of" not in found.why


# Fitting padded batches: no card is asked, the estimates are


DPO = {"training__objective": "dpo", "data__source": "dpo.jsonl"}
SPLIT = {"training__per_device_train_batch_size": 8, "training__gradient_accumulation_steps": 2}
FOUR_BIT = "base.load_in_4bit"
BATCH, STEPS, EVALUATION = (
    f"training.{name}"
    for name in ("per_device_train_batch_size", "gradient_accumulation_steps", "per_device_eval_batch_size")
)


@pytest.mark.parametrize(
    ("settings", "machine", "expected"),
    [
        ({}, T4, {FOUR_BIT: True}),
        ({"base__load_in_4bit": True}, T4, {}),
        ({"base__load_in_4bit": True}, replace(T4, held_gb=1.2), {BATCH: 1, STEPS: 16, EVALUATION: 2}),
        (SPLIT, T4, {FOUR_BIT: True, BATCH: 2, STEPS: 8}),
        ({"training__gradient_checkpointing": False}, T4, {FOUR_BIT: True, "training.gradient_checkpointing": True}),
        ({"adapter__lora_dropout": 0.1}, SMALL, {}),
        ({"adapter__lora_dropout": 0.1}, replace(SMALL, memory_gb=16.9), {FOUR_BIT: True}),
        (
            {"adapter__lora_dropout": 0.1, "training__gradient_checkpointing": False},
            SMALL,
            {"training.gradient_checkpointing": True},
        ),
        ({**DPO, **SPLIT}, A100, {BATCH: 1, STEPS: 16, EVALUATION: 2}),
        ({"training__engine": "unsloth"}, T4, {FOUR_BIT: True}),
    ],
)
def test_auto_makes_a_padded_run_fit_its_card_with_as_few_changes_as_it_takes_and_logs_each(
    settings, machine, expected
):
    recipe = changed(**settings)
    found = batching.chosen(recipe, machine, LLAMA)
    assert found.recipe == recipe.with_settings({"training.plan": "as_written", **expected})
    assert found.recipe.effective_batch == recipe.effective_batch == 16
    assert batching.peak_gb(recipe, machine, LLAMA, 2400) <= batching.USABLE * machine.available_gb
    for name, value in expected.items():
        assert f"{name} {value}".lower() in found.why.lower()
    assert found.why.count("instead of") == len(expected)
    assert batching.chosen(found.recipe, machine, LLAMA).recipe == found.recipe, "a resume keeps it"


def test_what_the_file_says_stays_where_it_is_to_be_kept_and_where_the_memory_is_not_known():
    as_written = changed(training__plan="as_written")
    assert batching.chosen(as_written, T4, LLAMA).recipe == as_written
    for machine, shape in ((T4, None), (replace(LAPTOP, free_ram_gb=4.0), LLAMA)):
        assert batching.chosen(REFERENCE, machine, shape).recipe == REFERENCE
    assert batching.chosen(REFERENCE, T4, LLAMA, sharded=True).recipe == REFERENCE
    two = batching.chosen(REFERENCE, replace(T4, cards=2), LLAMA)
    assert two.recipe == REFERENCE and "layers lie on 2 cards, in 16 bits" in two.why


def test_auto_never_cuts_examples_and_says_where_even_the_smallest_batches_may_not_fit():
    found = batching.chosen(REFERENCE, replace(T4, memory_gb=6.0), LLAMA)
    t = found.recipe.training
    assert (t.per_device_train_batch_size, t.gradient_accumulation_steps) == (1, 16)
    assert found.recipe.base.load_in_4bit and t.max_length == REFERENCE.training.max_length
    assert found.why.endswith("even so it may not fit")


def test_an_update_of_more_examples_than_a_recipe_s_batch_may_have_is_laid_out_within_its_limits():
    huge = changed(training__per_device_train_batch_size=16, training__gradient_accumulation_steps=256)
    free = batching.chosen(huge, H200, LLAMA).recipe
    assert (free.training.per_device_train_batch_size, free.effective_batch) == (1024, 4096)
    padded = batching.chosen(huge, replace(T4, memory_gb=6.0), LLAMA).recipe
    assert (padded.training.per_device_train_batch_size, padded.effective_batch) == (4, 4096)


def test_the_four_bit_base_is_chosen_by_the_card_and_not_by_who_is_on_it():
    for card in (replace(SMALL, held_gb=8.0), replace(T4, memory_gb=23.6, held_gb=8.0)):
        assert not batching.chosen(REFERENCE, card, LLAMA).recipe.base.load_in_4bit


@pytest.mark.parametrize(("gigabytes", "four_bit"), [(15.0, True), (16.5, True), (19.0, True), (23.6, False)])
def test_without_padding_too_a_card_under_20_gb_trains_on_the_four_bit_base_and_says_so(gigabytes, four_bit):
    card = replace(SMALL, memory_gb=gigabytes)
    found = batching.chosen(REFERENCE, card, LLAMA)
    t = found.recipe.training
    assert (found.recipe.base.load_in_4bit, t.padding_free, found.recipe.effective_batch) == (four_bit, True, 16)
    assert found.most_tokens >= 2020 and batching.peak_gb(REFERENCE, card, LLAMA, 2400) <= batching.USABLE * gigabytes
    assert ("base.load_in_4bit true instead of false, because in 16 bits the base" in found.why) is four_bit
    kept = batching.chosen(changed(training__plan="as_written", training__padding_free=True), card, LLAMA)
    assert not kept.recipe.base.load_in_4bit


# Keeping what was chosen


def test_a_base_spread_over_several_cards_is_trained_with_padding():
    found = batching.chosen(REFERENCE, H200, LLAMA, sharded=True)
    assert found.recipe == REFERENCE and "spread over several cards" in found.why


def test_a_base_of_unknown_size_keeps_its_batches():
    assert "not known" in batching.chosen(REFERENCE, H200, None).why


def test_what_a_recipe_asks_for_but_cannot_have_is_taken_out_and_told():
    asked = changed(training__plan="as_written", training__padding_free=True, adapter__lora_dropout=0.1)
    found = batching.chosen(asked, H200, LLAMA)
    assert not found.recipe.training.padding_free and "dropout" in found.why


def test_what_was_chosen_stands_in_the_recipe_and_is_kept_when_the_run_is_resumed():
    four_bit = changed(base__load_in_4bit=True)
    for card in (H200, A100, SMALL, *(replace(H200, memory_gb=gigabytes) for gigabytes in (40, 30, 26, 24))):
        first = batching.chosen(four_bit, card, LLAMA)
        t = first.recipe.training
        assert t.plan == "as_written"
        assert (t.most_tokens, t.recompute_mlps) == (first.most_tokens, first.recompute_mlps)
        assert batching.chosen(first.recipe, card, LLAMA) == first
        # A chat that has come meanwhile, or another card: neither lays the passes out anew.
        for other in (replace(card, held_gb=6.0), replace(card, memory_gb=150.7)):
            assert batching.chosen(first.recipe, other, LLAMA).recipe == first.recipe


def test_batches_written_without_padding_keep_the_recipe_s_batch_and_recomputing():
    recipe = changed(training__plan="as_written", training__padding_free=True)
    found = batching.chosen(recipe, H200, LLAMA)
    assert found.recipe == recipe.with_settings({"training.most_tokens": found.most_tokens})
    assert found.most_tokens > 2020 and not found.recompute_mlps


def test_a_recipe_may_have_some_layers_recomputed_and_of_others_the_mlp_alone():
    def kept(mlps: int) -> tuple[Recipe, str]:
        asked = changed(training__plan="as_written", training__padding_free=True, training__recompute_mlps=mlps)
        found = batching.chosen(asked, H200, LLAMA)
        assert (found.recipe.training.gradient_checkpointing, found.recompute_mlps) == (True, mlps)
        return found.recipe, found.why

    (none, said), (some, both), (every, _) = kept(0), kept(16), kept(32)
    assert "recomputing layers:" in said and "recomputing the MLPs of 16 layers and the other layers:" in both
    sizes = [memory_unpadded.token_bytes(recipe, H200, LLAMA) for recipe in (none, some, every)]
    assert sizes[1] - sizes[0] == pytest.approx(sizes[2] - sizes[1]) and sizes[1] > sizes[0]


@pytest.mark.parametrize("settings", [{"recompute_mlps": 8}, {"most_tokens": 900}, {"recompute_mlps": 40}])
def test_what_a_recipe_as_written_says_of_passes_is_done_and_only_the_rest_is_chosen(settings):
    asked = {f"training__{name}": value for name, value in settings.items()}
    recipe = changed(
        training__plan="as_written", training__padding_free=True, training__gradient_checkpointing=False, **asked
    )
    t = batching.chosen(recipe, SMALL, LLAMA).recipe.training
    assert t == replace(recipe.training, most_tokens=settings.get("most_tokens", t.most_tokens))
    assert t.most_tokens >= 1


def test_a_recipe_can_hold_whatever_memory_has_room_for():
    tiny = replace(LLAMA, layers=1, hidden=32, intermediate=32, heads=1, kv_heads=1, head_dim=32, vocabulary=400)
    assert batching.chosen(REFERENCE, H200, tiny).most_tokens == 10_000_000


@pytest.mark.parametrize("card", [H200, A100, SMALL])
def test_a_pass_has_no_more_tokens_than_the_recipe_lets_it_and_nothing_else_changes(card):
    free = batching.chosen(REFERENCE, card, LLAMA)
    held = batching.chosen(changed(training__most_tokens=1500), card, LLAMA)
    assert held.most_tokens == 1500 < free.most_tokens
    assert held.recipe.training == replace(free.recipe.training, most_tokens=1500)
    assert held.recompute_mlps == free.recompute_mlps and "at most 1,500 tokens" in held.why
    assert batching.chosen(changed(training__most_tokens=10**7), card, LLAMA).most_tokens == free.most_tokens


# Training


SMALLER = {
    "base.dtype": "float32",
    "adapter.r": 4,
    "training.max_length": 256,
    "training.per_device_eval_batch_size": 1,
    "training.gradient_accumulation_steps": 2,
}
"""What of the runs below memory depends on."""


def curves(home: Path, base: Path, name: str, **training: object) -> tuple[runs.Run, dict[str, list[float]]]:
    """A run of three updates on a CPU, through the trainer as it is."""
    recipe = Recipe.from_dict(
        {
            "name": name,
            "base": {"model": str(base), "dtype": "float32", "load_in_4bit": training.pop("four_bit", False)},
            "data": {"source": str(write_csv(home / "corpus.csv"))},
            "adapter": {"r": 4, "lora_alpha": 8},
            "training": {
                "max_length": 256,
                "per_device_train_batch_size": 2,
                "per_device_eval_batch_size": 32,
                "gradient_accumulation_steps": 2,
                "learning_rate": 0.01,
                "warmup_steps": 1,
                "max_steps": 3,
                "eval_steps": 3,
                "save_steps": 3,
                "plan": "as_written",
                **training,
            },
            "generation": {"max_new_tokens": 8},
        }
    )
    run = runs.create(home, recipe)
    with kept_environment():
        trainer.train(run)
    log = metrics.read(run.folder)[0]
    return run, {key: metrics.series(log, key)[1] for key in ("loss", "grad_norm", "eval_loss", "tokens")}


@pytest.mark.parametrize("four_bit", [False, True])
def test_a_run_without_padding_learns_what_a_padded_one_learns(tiny_base, tmp_path, four_bit):
    _, padded = curves(tmp_path, tiny_base, "padded", four_bit=four_bit)
    for checkpointing in (False, True):
        run, found = curves(
            tmp_path, tiny_base, "free", padding_free=True, four_bit=four_bit, gradient_checkpointing=checkpointing
        )
        assert run.status().state == "finished"
        for key, values in padded.items():
            assert len(values) >= 2 and found[key] == pytest.approx(values, rel=1e-3), key
        assert (run.folder / "samples.jsonl").is_file()


def test_the_run_s_recipe_and_log_say_what_came_of_it_and_the_run_keeps_its_place(tiny_base, tmp_path, capsys):
    run, _ = curves(tmp_path, tiny_base, "asked", plan="auto", padding_free=True)
    assert not run.recipe().training.padding_free
    assert "batches: padded batches, because on a CPU" in capsys.readouterr().out
    assert run.recipe().training.most_tokens == 0
    before = (run.folder / "recipe.yaml").stat().st_mtime_ns
    run.resolve(run.recipe().with_settings({"training.seed": 5}))
    assert run.recipe().training.seed == 5 and (run.folder / "recipe.yaml").stat().st_mtime_ns == before


def test_a_run_on_a_card_that_is_too_small_for_its_batches_trains_with_smaller_ones_and_keeps_them(
    tiny_base, tmp_path, monkeypatch, capsys
):
    # The card is made up, and the base lies on the CPU: what is real is the run, its log and its recipe.
    wide, narrow = (
        memory.peak(
            Recipe().with_settings({**SMALLER, "training.per_device_train_batch_size": batch}), T4, dimensions, 256
        ).total
        for dimensions in [memory.shape(str(tiny_base))]
        for batch in (2, 1)
    )
    card = replace(T4, memory_gb=(wide + narrow) / 2 / batching.USABLE)
    monkeypatch.setattr(trainer, "machine_now", lambda _: card)
    monkeypatch.setattr(trainer.placement, "device_map", lambda *_: {"": "cpu"})
    settings = {"save_steps": 1, "eval_steps": 1, "per_device_eval_batch_size": 1, "engine": "transformers"}
    run, found = curves(tmp_path, tiny_base, "small-card", plan="auto", **settings)
    decided = run.recipe()
    t = decided.training
    assert (t.per_device_train_batch_size, t.gradient_accumulation_steps, t.plan) == (1, 4, "as_written")
    said = capsys.readouterr().out
    assert f"{BATCH} 1 instead of 2" in said and f"{STEPS} 4 instead of 2" in said
    monkeypatch.setattr(trainer, "machine_now", lambda _: T4)  # whatever the card is by now
    with kept_environment():
        trainer.train(run, resume=True, checkpoint=2)
    assert run.recipe() == decided and run.status().state == "finished"
    _, wanted = curves(tmp_path, tiny_base, "as-written", **settings)
    assert found["loss"] == pytest.approx(wanted["loss"], rel=1e-3)


def test_without_padding_the_run_s_recipe_keeps_the_tokens_of_a_pass_through_a_resume(tiny_base, tmp_path, capsys):
    run, _ = curves(tmp_path, tiny_base, "free", padding_free=True, save_steps=1, eval_steps=1)
    decided = run.recipe()
    assert decided.training.most_tokens > 0
    assert f"in passes of at most {decided.training.most_tokens:,} tokens" in capsys.readouterr().out
    with kept_environment():
        trainer.train(run, resume=True, checkpoint=2)
    assert run.recipe() == decided
