"""Captured graphs on a GPU against transformers' own generate and against the loop that captures nothing."""

import logging

import pytest
import torch

from finetune import models
from finetune.inference import adapters
from finetune.inference.captured import CapturedDecoder, decoder_for
from finetune.inference.decoding import Request
from finetune.inference.kernel_arithmetic import Fused
from finetune.inference.static_cache import Plain
from finetune.recipe import Generation
from tests.inference.test_static_decoding import END, TEXTS, decode

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")]

GREEDY = Generation(max_new_tokens=24, temperature=0)


def greedy(model, prompt: list[int]) -> list[int]:
    ids = torch.tensor([prompt], device="cuda")
    out = model.generate(
        input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=24, do_sample=False, eos_token_id=END
    )
    written = out[0, len(prompt) :].tolist()
    return written[:-1] if written[-1] == END else written


def demo(four_bit: bool, dtype: str):
    """The demo base, and prompts of eight lengths."""
    base, tokenizer = models.load_base(str(models.DEMO_BASE), four_bit=four_bit, dtype=dtype)
    return base, [tokenizer.encode(text) for text in TEXTS]


@pytest.mark.parametrize("times", [1, 2], ids=["captured", "replayed"])
@pytest.mark.parametrize("rows", [1, 8])
def test_greedy_tokens_of_base_and_tuned_rows_are_those_of_generate(rows, times):
    from peft import PeftModel

    base, ids = demo(False, "float32")
    decoder = CapturedDecoder(base)
    adapter = adapters.read(models.DEMO_ADAPTER, decoder.dtype, "cuda")
    sides = ([adapter] if rows == 1 else [None, adapter] * 4)[:rows]
    requests = [Request(row, side, GREEDY) for row, side in zip(ids, sides, strict=False)]
    for _ in range(times):
        got = decode(decoder, requests)
    other = models.load_base(str(models.DEMO_BASE), four_bit=False, dtype="float32")[0]
    tuned = PeftModel.from_pretrained(other, models.DEMO_ADAPTER).eval()
    assert got == [greedy(tuned if side else base, row) for row, side in zip(ids, sides, strict=False)]


@pytest.mark.parametrize("rows", [1, 2, 8])
def test_kernels_on_the_4_bit_base_follow_the_operators_logits(rows, caplog):
    base, ids = demo(True, "bfloat16")
    decoder, plain = CapturedDecoder(base), CapturedDecoder(base, fused=False)
    assert isinstance(decoder.arithmetic, Fused) and isinstance(plain.arithmetic, Plain)
    adapter = adapters.read(models.DEMO_ADAPTER, decoder.dtype, "cuda")
    settings = Generation(max_new_tokens=2, temperature=0)
    requests = [Request(row, adapter if n % 2 else None, settings) for n, row in enumerate(ids[:rows])]
    logits = []
    with caplog.at_level(logging.WARNING, "shohomormi"):
        for one in (decoder, plain):
            for _ in range(2):
                decode(one, requests)
            (state,) = one._passes.values()
            logits.append(state.logits[:rows].float())
    assert not caplog.records and decoder.capturing and plain.capturing
    assert float((logits[0] - logits[1]).norm() / logits[1].norm()) < 3e-2


@pytest.mark.parametrize("four_bit", [True, False])
def test_the_same_seed_writes_the_same_captured_and_replayed_and_adapters_capture_nothing_anew(four_bit):
    base, ids = demo(four_bit, "bfloat16")
    decoder = CapturedDecoder(base)
    adapter = adapters.read(models.DEMO_ADAPTER, decoder.dtype, "cuda")
    again = adapters.read(models.DEMO_ADAPTER, decoder.dtype, "cuda")
    settings = Generation(max_new_tokens=40, temperature=0.8, top_p=0.9, repetition_penalty=1.2, seed=4)
    first = decode(decoder, [Request(ids[1], adapter, settings)])
    (state,) = decoder._passes.values()
    graphs = dict(state.graphs)
    assert len(graphs) == 2
    for one in (adapter, again, None, adapter):
        written = decode(decoder, [Request(ids[1], one, settings)])
        assert (written == first) == (one is not None)
    assert state.graphs == graphs


def test_a_base_row_beside_a_tuned_row_writes_what_it_writes_beside_another_base_row():
    base, ids = demo(True, "bfloat16")
    decoder = CapturedDecoder(base)
    adapter = adapters.read(models.DEMO_ADAPTER, decoder.dtype, "cuda")
    settings = Generation(max_new_tokens=40, temperature=0.8, seed=2)
    beside, twice = (
        decode(decoder, [Request(ids[1], None, settings), Request(ids[1], other, settings)])
        for other in (adapter, None)
    )
    assert beside[0] == twice[0] == twice[1]
    assert beside[1] != beside[0]


@pytest.mark.parametrize("rows", [2, 40])
def test_what_a_batch_alone_writes_is_the_same_whatever_was_answered_before(rows):
    base, ids = demo(True, "bfloat16")
    fresh, used = CapturedDecoder(base), CapturedDecoder(base)
    adapter, other = (adapters.read(models.DEMO_ADAPTER, fresh.dtype, "cuda") for _ in range(2))
    requests = [Request(ids[row % len(ids)], adapter if row % 2 else None, GREEDY) for row in range(rows)]
    decode(used, [Request(ids[0], other, GREEDY), Request(ids[2], adapter, GREEDY)])
    decode(used, requests[:1])
    assert list(used.generate_alone(requests, {END})) == list(fresh.generate_alone(requests, {END}))


def test_the_proof_that_base_is_base_holds_to_the_last_bit_also_once_prompts_are_replayed():
    base, ids = demo(True, "bfloat16")
    decoder = CapturedDecoder(base)
    adapter = adapters.read(models.DEMO_ADAPTER, decoder.dtype, "cuda")
    beside, twice = (
        decoder.first_logits([Request(ids[1], None, GREEDY), Request(ids[1], other, GREEDY)])
        for other in (adapter, None)
    )
    assert torch.equal(beside[0], twice[0]) and torch.equal(twice[0], twice[1])
    assert not torch.equal(beside[0], beside[1])


def test_the_card_gets_the_captured_decoder_warm():
    base, ids = demo(True, "bfloat16")
    decoder = decoder_for(base)
    assert isinstance(decoder, CapturedDecoder)
    assert {rows for rows, _ in decoder._passes} == {1, 2}
    assert all(len(state.graphs) == 2 for state in decoder._passes.values())
