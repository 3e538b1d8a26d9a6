"""The static token loop, uncaptured, against transformers' own and against the eager loop with its sampler."""

import contextlib
import threading
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from finetune import models
from finetune.data.prompts import PromptFormat, conversation, encode_prompt
from finetune.inference import adapters, static_cache
from finetune.inference.decoding import Decoder, Request
from finetune.inference.static_decoding import KEPT, MOST_ROWS, StaticDecoder
from finetune.recipe import Generation
from tests.conftest import make_adapter

GREEDY = Generation(max_new_tokens=12, temperature=0)
END = 9  # <|eot_id|>, in the tiny tokenizer and in the demo's
TEXTS = (
    "বাবা",
    "মাকে বলতে পারছি না, আজও ইন্টারভিউ থেকে খালি হাতে ফিরলাম।",
    "নতুন শহরে এসে কোনো বন্ধু হয়নি।",
    "খুব একা লাগে! কেউ ফোন করে না।",
    "আজ",
    "রাতে ঘুম হয় না, সকালে উঠতে ইচ্ছে করে না, কাজে মন বসে না।",
    "ভাই আমার সঙ্গে কথা বলে না।",
    "পরীক্ষা কাল, কিছুই পড়া হয়নি, ভয় লাগছে।",
)


@pytest.fixture(scope="module")
def prompts(tiny_base: Path) -> list[list[int]]:
    """Eight prompts of different lengths."""
    tokenizer = AutoTokenizer.from_pretrained(tiny_base)
    return [tokenizer.encode(text) for text in TEXTS]


@pytest.fixture(scope="module")
def model(tiny_base: Path):
    """The tiny base in float64: random weights give near-ties, which two orders of float32 sums break differently."""
    return models.load_base(str(tiny_base), four_bit=False, dtype="float64")[0]


@pytest.fixture(scope="module")
def decoder(model) -> StaticDecoder:
    return StaticDecoder(model)


@pytest.fixture(scope="module")
def eager(model) -> Decoder:
    return Decoder(model)


@pytest.fixture(scope="module")
def adapter(decoder: Decoder, tiny_adapter: Path) -> adapters.Adapter:
    return adapters.read(tiny_adapter, decoder.dtype, str(decoder.device))


def decode(decoder: Decoder, requests: list[Request], stop: set[int] | None = None) -> list[list[int]]:
    """The tokens of each row, without what stands for an ended row."""
    steps = list(decoder.generate(requests, {END} if stop is None else stop))
    return [[step[row] for step in steps if step[row] is not None] for row in range(len(requests))]


def greedy(model, prompt: list[int], tokens: int = 12) -> list[int]:
    """What transformers' generate writes after one prompt."""
    ids = torch.tensor([prompt])
    out = model.generate(
        input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=tokens, do_sample=False, eos_token_id=END
    )
    written = out[0, len(prompt) :].tolist()
    return written[:-1] if written[-1] == END else written


@pytest.fixture(scope="module")
def demo():
    """The demo base with its adapter in float32, three times: ours, transformers' base, PEFT's."""
    from peft import PeftModel

    base, tokenizer = models.load_base(str(models.DEMO_BASE), four_bit=False, dtype="float32")
    ours = StaticDecoder(base)
    tuned = PeftModel.from_pretrained(
        AutoModelForCausalLM.from_pretrained(models.DEMO_BASE, dtype=torch.float32), models.DEMO_ADAPTER
    ).eval()
    ids = [tokenizer.encode(text) for text in TEXTS]
    return ours, adapters.read(models.DEMO_ADAPTER, ours.dtype, "cpu"), base, tuned, ids


def test_greedy_tokens_of_one_row_on_the_demo_model_are_those_of_generate(demo):
    ours, adapter, base, tuned, ids = demo
    assert decode(ours, [Request(ids[1], None, GREEDY)]) == [greedy(base, ids[1])]
    assert decode(ours, [Request(ids[1], adapter, GREEDY)]) == [greedy(tuned, ids[1])]


def test_greedy_tokens_of_eight_ragged_rows_on_the_demo_model_are_those_of_generate_row_by_row(demo):
    ours, adapter, base, tuned, ids = demo
    sides = [None, adapter] * 4
    got = decode(ours, [Request(row, side, GREEDY) for row, side in zip(ids, sides, strict=True)])
    wanted = [greedy(tuned if side else base, row) for row, side in zip(ids, sides, strict=True)]
    assert got == wanted
    assert len({len(row) for row in ids}) > 4 and len({tuple(row) for row in got}) == 8


def test_nf4_gives_what_the_eager_loop_gives(tiny_base, tiny_adapter, prompts):
    base, _ = models.load_base(str(tiny_base), four_bit=True, dtype="float32")
    ours, theirs = StaticDecoder(base), Decoder(base)
    adapter = adapters.read(tiny_adapter, ours.dtype, "cpu")
    requests = [Request(prompts[1], side, GREEDY) for side in (None, adapter)]
    assert decode(ours, requests) == decode(theirs, requests)


@pytest.fixture(scope="module")
def quantised():
    """The demo base in NF4, ours, and its very weights unpacked into a dense model that transformers runs, with PEFT.

    In float32, where the two orders of sums leave no near-tie on these prompts to fall the other way.
    """
    import bitsandbytes as bnb
    from peft import PeftModel

    base, tokenizer = models.load_base(str(models.DEMO_BASE), four_bit=True, dtype="float32")
    dense = AutoModelForCausalLM.from_pretrained(models.DEMO_BASE, dtype=torch.float32)
    rounded = 0
    for name, module in base.named_modules():
        if isinstance(module, bnb.nn.Linear4bit):
            weight = dense.get_submodule(name).weight
            unpacked = bnb.functional.dequantize_4bit(module.weight.data, module.weight.quant_state)
            rounded += not torch.equal(unpacked.float(), weight.data)
            weight.data = unpacked.float()
    assert rounded == 7 * base.config.num_hidden_layers  # else nothing but the dense model were compared with itself
    style = PromptFormat.load(models.DEMO_ADAPTER)
    ids = [encode_prompt(tokenizer, conversation(text), style) for text in TEXTS]
    return base, PeftModel.from_pretrained(dense, models.DEMO_ADAPTER).eval(), ids


@pytest.mark.parametrize("kind", [Decoder, StaticDecoder])
@pytest.mark.parametrize("rows", [1, 8])
def test_greedy_tokens_on_the_4_bit_demo_base_are_those_of_generate_on_the_same_weights_unpacked(
    quantised, kind, rows, monkeypatch
):
    import bitsandbytes as bnb

    # Some CPUs multiply packed 4-bit weights in bfloat16 whatever the model's numbers are, which is another rounding.
    monkeypatch.setattr(bnb.functional, "has_avx512bf16", lambda: False)
    base, reference, ids = quantised
    ours = kind(base)
    adapter = adapters.read(models.DEMO_ADAPTER, ours.dtype, "cpu")
    asked = list(zip(ids, [adapter, None] * 4, strict=True))[:rows]
    got = decode(ours, [Request(prompt, side, GREEDY) for prompt, side in asked])
    wanted = []
    for prompt, side in asked:
        with contextlib.nullcontext() if side else reference.disable_adapter():
            wanted.append(greedy(reference, prompt))
    assert got == wanted
    assert all(got) and len({tuple(row) for row in got}) == rows
    assert rows == 1 or len({len(prompt) for prompt, _ in asked}) > 4


@pytest.mark.parametrize("rows", [1, 3, 8])
@pytest.mark.parametrize(
    "settings",
    [
        {"temperature": 0.7, "top_p": 0.9},
        {"temperature": 1.3, "top_p": 1.0},
        {"temperature": 0.7, "top_p": 0.9, "repetition_penalty": 1.3},
        {"temperature": 0, "repetition_penalty": 1.3},
    ],
    ids=["chat", "flat", "penalty", "greedy penalty"],
)
def test_the_same_seeds_give_the_tokens_of_the_eager_sampler(decoder, eager, adapter, prompts, settings, rows):
    requests = [
        Request(prompt, adapter if row % 2 else None, Generation(max_new_tokens=20, seed=row, **settings))
        for row, prompt in enumerate(prompts[:rows])
    ]
    assert decode(decoder, requests) == decode(eager, requests)


def test_greedy_and_sampled_rows_with_and_without_penalty_share_a_batch(decoder, eager, adapter, prompts):
    kinds = [{"temperature": 0}, {"temperature": 1.0}, {"temperature": 0.5, "repetition_penalty": 1.5}]
    requests = [
        Request(prompt, adapter, Generation(max_new_tokens=12 + row, seed=5, **kind))
        for row, (prompt, kind) in enumerate(zip(prompts, kinds, strict=False))
    ]
    assert decode(decoder, requests, set()) == decode(eager, requests, set())


def test_each_row_ends_at_its_own_stop_id_or_length(decoder, eager, prompts):
    lengths = [replace(GREEDY, max_new_tokens=n) for n in (1, 9, 4)]
    requests = [Request(prompt, None, s) for prompt, s in zip(prompts, lengths, strict=False)]
    free = decode(decoder, requests, set())
    assert [len(row) for row in free] == [1, 9, 4]
    stop = {free[1][3]}
    assert list(decoder.generate(requests, stop)) == list(eager.generate(requests, stop))


def test_a_second_batch_in_the_same_buffers_knows_nothing_of_the_first(decoder, adapter, prompts):
    request = Request(prompts[1], adapter, Generation(max_new_tokens=12, temperature=0.8, repetition_penalty=1.4))
    alone = decode(decoder, [request])
    decode(decoder, [Request(prompts[5], None, Generation(max_new_tokens=30, temperature=0.8, repetition_penalty=1.4))])
    assert decode(decoder, [request]) == alone


def test_a_stop_that_is_set_already_keeps_prompts_from_being_read(decoder, prompts, monkeypatch):
    stop = threading.Event()
    stop.set()
    monkeypatch.setattr(decoder, "_run", lambda *_: pytest.fail("read a prompt"))
    assert list(decoder.generate([Request(prompts[1], None, GREEDY)], set(), stop)) == []


def test_a_reader_who_stops_early_leaves_nothing_behind(decoder, prompts):
    wanted = decode(decoder, [Request(prompts[2], None, GREEDY)])
    steps = decoder.generate([Request(prompts[1], None, GREEDY)], set())
    next(steps)
    steps.close()
    assert decode(decoder, [Request(prompts[2], None, GREEDY)]) == wanted
    assert not torch.is_inference_mode_enabled()


def test_switching_between_three_adapters_moves_no_buffer_and_each_row_gets_its_own(
    model, eager, adapter, tiny_base, prompts, tmp_path
):
    decoder = StaticDecoder(model)
    folders = [
        make_adapter(tiny_base, tmp_path / str(n), seed=n, r=6, target_modules=["q_proj", "down_proj"]) for n in (1, 2)
    ]
    others = [adapters.read(folder, decoder.dtype, "cpu") for folder in folders]
    decode(decoder, [Request(prompts[0], adapter, GREEDY)])
    addresses = [down.data_ptr() for layer in decoder._slots.layers for down, _ in layer.values()]
    for one in (others[0], adapter, others[1], adapter):
        assert decode(decoder, [Request(prompts[0], one, GREEDY)]) == decode(eager, [Request(prompts[0], one, GREEDY)])
    pair = [Request(prompts[0], others[0], GREEDY), Request(prompts[1], others[1], GREEDY)]
    assert decode(decoder, pair) == decode(eager, pair)
    assert [down.data_ptr() for layer in decoder._slots.layers for down, _ in layer.values()] == addresses


def test_more_or_wider_adapters_than_there_are_slots_for_get_larger_slots(
    model, eager, adapter, tiny_base, prompts, tmp_path
):
    decoder = StaticDecoder(model)
    wide = adapters.read(make_adapter(tiny_base, tmp_path / "wide", seed=3, r=20), decoder.dtype, "cpu")
    thin = adapters.read(make_adapter(tiny_base, tmp_path / "thin", seed=4, r=2), decoder.dtype, "cpu")
    decode(decoder, [Request(prompts[0], adapter, GREEDY)])
    requests = [Request(prompt, one, GREEDY) for prompt, one in zip(prompts, (adapter, wide, thin), strict=False)]
    assert decode(decoder, requests) == decode(eager, requests)
    assert (decoder._slots.slots, decoder._slots.rank) == (3, 32)


def test_a_base_row_beside_a_tuned_row_has_the_logits_it_has_beside_another_base_row(decoder, adapter, prompts):
    beside = decoder.first_logits([Request(prompts[1], None, GREEDY), Request(prompts[1], adapter, GREEDY)])
    twice = decoder.first_logits([Request(prompts[1], None, GREEDY), Request(prompts[1], None, GREEDY)])
    assert torch.equal(beside[0], twice[0]) and torch.equal(twice[0], twice[1])
    assert not torch.equal(beside[0], beside[1])


def test_first_logits_are_those_of_the_eager_decoder(decoder, eager, adapter, prompts):
    requests = [Request(prompt, adapter, GREEDY) for prompt in prompts[:3]]
    assert torch.allclose(decoder.first_logits(requests), eager.first_logits(requests), atol=1e-4)


def test_what_fits_no_bucket_goes_through_the_eager_loop(model, eager, prompts):
    decoder = StaticDecoder(model)
    crowd = [Request(prompts[0], None, replace(GREEDY, max_new_tokens=2))] * (MOST_ROWS + 1)
    assert decode(decoder, crowd) == decode(eager, crowd)
    long = [Request(prompts[0], None, replace(GREEDY, max_new_tokens=2048))]  # past what the base was made for
    steps = decoder.generate(long, set())
    assert next(steps) == next(eager.generate(long, set()))
    steps.close()
    assert not decoder._passes


def test_a_decoder_that_allows_a_large_batch_writes_what_the_eager_loop_writes(
    model, eager, adapter, prompts, monkeypatch
):
    decoder = StaticDecoder(model)
    decoder.most_rows = 256
    monkeypatch.setattr(static_cache, "PROMPT_TOKENS", 200)  # so that prompts are read in several parts
    crowd = [
        Request(prompts[row % 8], adapter if row % 2 else None, replace(GREEDY, max_new_tokens=3)) for row in range(37)
    ]
    assert decode(decoder, crowd) == decode(eager, crowd)
    assert list(decoder._passes) == [(64, 128)]


def test_a_batch_alone_knows_nothing_of_earlier_ones_and_leaves_their_slots_and_caches_as_they_were(
    model, adapter, tiny_base, tmp_path, prompts
):
    other = make_adapter(tiny_base, tmp_path / "other", seed=5)
    other = adapters.read(other, torch.float64, "cpu")
    requests = [Request(prompts[1], None, GREEDY), Request(prompts[2], adapter, GREEDY)]
    fresh, used = StaticDecoder(model), StaticDecoder(model)
    decode(used, [Request(prompts[0], other, GREEDY), Request(prompts[3], adapter, GREEDY)])
    kept = used._slots, dict(used._passes), list(used._slots.held)
    made = []
    inner, used._new_pass = used._new_pass, lambda *asked: made.append(asked[0]) or inner(*asked)
    steps = list(used.generate_alone(requests, {END}))
    assert steps == list(fresh.generate(requests, {END}))
    assert len(made) == 1 and made[0] is not kept[0] and made[0].held[0] is adapter, "in the first slot, as ever"
    assert (used._slots, used._passes, used._slots.held) == kept
    stopped = used.generate_alone(requests, {END})
    next(stopped)
    stopped.close()
    assert (used._slots, used._passes) == kept[:2]


def test_of_large_caches_there_is_one_at_a_time_and_small_ones_stay_beside_it(model, prompts):
    decoder = StaticDecoder(model)
    decoder.most_rows = 256
    short = replace(GREEDY, max_new_tokens=1)
    for rows in (2, 33, 70, 97):
        decode(decoder, [Request(prompts[0], None, short)] * rows)
    assert [rows for rows, _ in decoder._passes] == [2, 128]


def test_only_so_many_caches_are_kept_and_the_last_used_stay(model, prompts):
    decoder = StaticDecoder(model)
    short = replace(GREEDY, max_new_tokens=1)
    for rows in (1, 2, 3, 5, 1, 9):
        decode(decoder, [Request(prompts[0], None, short)] * rows)
    assert [rows for rows, _ in decoder._passes] == [4, 8, 1, 16]
    assert len(decoder._passes) == KEPT
