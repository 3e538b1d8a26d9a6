"""The token loop against transformers' own, row by row, on a real but tiny Llama."""

import math
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, GPT2Config, GPT2LMHeadModel, LlamaForCausalLM

from finetune import models
from finetune.errors import ModelError
from finetune.inference import adapters, decoding
from finetune.inference.decoding import Decoder, Request, Sampler, _Pass
from finetune.recipe import Generation
from tests.conftest import make_adapter

GREEDY = Generation(max_new_tokens=24, temperature=0)
END = 9  # <|eot_id|> in the tiny tokenizer's order of special tokens
TEXTS = (
    "বাবা",
    "মাকে বলতে পারছি না, আজও ইন্টারভিউ থেকে খালি হাতে ফিরলাম।",
    "নতুন শহরে এসে কোনো বন্ধু হয়নি।",
    "খুব একা লাগে! কেউ ফোন করে না।",
)


@pytest.fixture(scope="module")
def prompts(tiny_base: Path) -> list[list[int]]:
    """Four prompts, no two equally long."""
    tokenizer = AutoTokenizer.from_pretrained(tiny_base)
    ids = [tokenizer.encode(text) for text in TEXTS]
    assert len({len(row) for row in ids}) == 4 and tokenizer.convert_tokens_to_ids("<|eot_id|>") == END
    return ids


@pytest.fixture(scope="module")
def decoder(tiny_base: Path) -> Decoder:
    """Our decoder on the tiny base in float32."""
    return Decoder(models.load_base(str(tiny_base), four_bit=False, dtype="float32")[0])


@pytest.fixture(scope="module")
def adapter(decoder: Decoder, tiny_adapter: Path) -> adapters.Adapter:
    """The tiny adapter, read our way."""
    return adapters.read(tiny_adapter, decoder.dtype, str(decoder.device))


@pytest.fixture(scope="module")
def reference(tiny_base: Path) -> LlamaForCausalLM:
    """The tiny base as transformers runs it."""
    return AutoModelForCausalLM.from_pretrained(tiny_base, dtype=torch.float32).eval()


@pytest.fixture(scope="module")
def tuned_reference(tiny_base: Path, tiny_adapter: Path):
    """The tiny base with the tiny adapter as PEFT runs it."""
    return with_peft(tiny_base, tiny_adapter)


def with_peft(base: Path, folder: Path):
    from peft import PeftModel

    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    return PeftModel.from_pretrained(model, folder).eval()


def greedy(model, prompt: list[int], tokens: int = 24) -> list[int]:
    """What transformers' generate writes after one prompt."""
    ids = torch.tensor([prompt])
    out = model.generate(
        input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=tokens, do_sample=False, eos_token_id=END
    )
    written = out[0, len(prompt) :].tolist()
    return written[:-1] if written[-1] == END else written


def decode(decoder: Decoder, requests: list[Request], stop: set[int] | None = None) -> list[list[int]]:
    """The tokens of each row, without what stands for an ended row."""
    steps = list(decoder.generate(requests, {END} if stop is None else stop))
    return [[step[row] for step in steps if step[row] is not None] for row in range(len(requests))]


def test_greedy_tokens_of_the_base_are_those_of_generate(decoder, reference, prompts):
    for prompt in prompts:
        assert decode(decoder, [Request(prompt, None, GREEDY)]) == [greedy(reference, prompt)]


def test_greedy_tokens_with_an_adapter_are_those_of_generate_with_peft(decoder, adapter, tuned_reference, prompts):
    for prompt in prompts:
        assert decode(decoder, [Request(prompt, adapter, GREEDY)]) == [greedy(tuned_reference, prompt)]


def test_a_ragged_batch_of_base_and_tuned_rows_gives_each_row_what_generate_gives_it_alone(
    decoder, adapter, reference, tuned_reference, prompts
):
    asked = [None, adapter, None, adapter]
    got = decode(decoder, [Request(p, a, GREEDY) for p, a in zip(prompts, asked, strict=True)])
    wanted = [greedy(tuned_reference if a else reference, p) for p, a in zip(prompts, asked, strict=True)]
    assert got == wanted
    assert len({tuple(row) for row in got}) == 4


def test_the_adapter_changes_what_is_written(decoder, adapter, prompts):
    base, tuned = decode(decoder, [Request(prompts[0], None, GREEDY), Request(prompts[0], adapter, GREEDY)])
    assert base != tuned


def test_a_base_row_beside_a_tuned_row_has_the_base_row_s_logits_to_the_last_bit(decoder, adapter, prompts):
    beside = _Pass(decoder, [Request(prompts[1], None, GREEDY), Request(prompts[1], adapter, GREEDY)])
    twice = _Pass(decoder, [Request(prompts[1], None, GREEDY), Request(prompts[1], None, GREEDY)])
    with torch.inference_mode():
        assert torch.equal(beside.prefill()[0], twice.prefill()[0])
        assert torch.equal(beside.step([70, 70])[0], twice.step([70, 70])[0])
        assert not torch.equal(beside.step([71, 71])[0], beside.step([71, 71])[1])


def test_two_different_adapters_in_one_batch_each_reach_their_own_row_only(
    decoder, adapter, tiny_base, tuned_reference, prompts, tmp_path
):
    folder = make_adapter(tiny_base, tmp_path, seed=99, r=6, target_modules=["q_proj", "v_proj", "down_proj"])
    other = adapters.read(folder, decoder.dtype, str(decoder.device))
    got = decode(decoder, [Request(prompts[0], other, GREEDY), Request(prompts[1], adapter, GREEDY)])
    assert got == [greedy(with_peft(tiny_base, folder), prompts[0]), greedy(tuned_reference, prompts[1])]


@pytest.mark.parametrize(
    "change",
    [
        {"tie_word_embeddings": False},
        {"attention_bias": True},
        {"mlp_bias": True},
        {"num_key_value_heads": 4},
        {"head_dim": 32},
        {
            "rope_parameters": {
                "rope_type": "llama3",
                "rope_theta": 500000.0,
                "factor": 8.0,
                "low_freq_factor": 1.0,
                "high_freq_factor": 4.0,
                "original_max_position_embeddings": 64,
            }
        },
    ],
    ids=lambda change: next(iter(change)),
)
def test_llamas_of_other_shapes_decode_as_generate_does(reference, prompts, change):
    config = reference.config.__class__.from_dict({**reference.config.to_dict(), **change})
    torch.manual_seed(5)
    model = LlamaForCausalLM(config).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("bias"):
                parameter.normal_()  # they start at zero, where leaving them out would not be seen
    requests = [Request(p, None, GREEDY) for p in prompts]
    assert decode(Decoder(model), requests) == [greedy(model, p) for p in prompts]


def distance(one: torch.Tensor, other: torch.Tensor) -> float:
    """How far apart two sets of logits are, relative to their size."""
    return float((one.float() - other.float()).norm() / other.float().norm())


@pytest.mark.parametrize("warmed_up", [False, True], ids=["fresh weights", "weights a forward has repacked"])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_nf4_logits_are_close_to_the_nf4_model_s_own_forward(tiny_base, prompts, dtype, warmed_up):
    model, _ = models.load_base(str(tiny_base), four_bit=True, dtype=dtype)
    long, short = torch.tensor([prompts[1] * 3]), torch.tensor([prompts[0]])  # 8 rows and fewer take another path
    if warmed_up:
        with torch.inference_mode():
            model(long)
    ours = list(Decoder(model).logits([long[0].tolist(), short[0].tolist()], None))
    with torch.inference_mode():
        theirs = [model(long).logits[0], model(short).logits[0]]
    for mine, other in zip(ours, theirs, strict=True):
        assert distance(mine, other) < 3e-2  # bitsandbytes multiplies in bfloat16 on a CPU, we in the model's format


def test_nf4_logits_are_exactly_those_of_the_dequantised_weights(tiny_base, reference, prompts):
    from bitsandbytes.functional import dequantize_4bit

    model, _ = models.load_base(str(tiny_base), four_bit=True, dtype="float32")
    dense = AutoModelForCausalLM.from_pretrained(tiny_base, dtype=torch.float32)
    quantised = dict(model.named_modules())
    for name, module in dense.named_modules():
        if name.endswith("_proj"):
            weight = quantised[name].weight
            module.weight.data = dequantize_4bit(weight.data, weight.quant_state).clone()
    (ours,) = Decoder(model).logits([prompts[1] * 3], None)
    with torch.inference_mode():
        assert distance(ours, dense(torch.tensor([prompts[1] * 3])).logits[0]) < 1e-4
        assert distance(ours, reference(torch.tensor([prompts[1] * 3])).logits[0]) > 5e-2  # it is quantised at all


def test_nf4_steps_see_the_same_logits_as_one_pass_over_the_whole_text(tiny_base, tiny_adapter, prompts):
    decoder = Decoder(models.load_base(str(tiny_base), four_bit=True, dtype="float32")[0])
    adapter = adapters.read(tiny_adapter, decoder.dtype, str(decoder.device))
    (whole,) = decoder.logits([prompts[1]], adapter)
    stepped = _Pass(decoder, [Request(prompts[1][:3], adapter, GREEDY)])
    with torch.inference_mode():
        rows = [stepped.prefill()[0]] + [stepped.step([token])[0] for token in prompts[1][3:]]
    assert distance(torch.stack(rows), whole[2:]) < 3e-2


def test_logits_are_given_for_every_position_with_and_without_the_adapter(
    decoder, adapter, reference, tuned_reference, prompts
):
    base, tuned = (list(decoder.logits(prompts, a)) for a in (None, adapter))
    with torch.inference_mode():
        for prompt, one, other in zip(prompts, base, tuned, strict=True):
            ids = torch.tensor([prompt])
            assert one.shape == (len(prompt), reference.config.vocab_size)
            assert torch.allclose(one, reference(ids).logits[0], atol=1e-4)
            assert torch.allclose(other, tuned_reference(ids).logits[0], atol=1e-4)


def test_sequences_that_go_through_the_layers_together_get_the_logits_they_get_alone(
    decoder, adapter, prompts, monkeypatch
):
    many = [*prompts, prompts[0] * 3, prompts[1]]
    alone = [next(decoder.logits([one], adapter)) for one in many]
    passes = []
    taken = _Pass.states
    monkeypatch.setattr(_Pass, "states", lambda pass_, ids: passes.append(tuple(ids.shape)) or taken(pass_, ids))
    for together, fewest in ((decoding.TOGETHER, 1), (2 * max(map(len, many)), 2), (1, len(many))):  # tokens, passes
        monkeypatch.setattr(decoding, "TOGETHER", together)
        passes.clear()
        for mine, other in zip(decoder.logits(many, adapter), alone, strict=True):
            assert torch.allclose(mine, other, atol=1e-4)
        assert len(passes) >= fewest and sum(rows for rows, _ in passes) == len(many)
        assert len(passes) == 1 or all(rows == 1 or rows * tokens <= together for rows, tokens in passes)
    assert len(passes) == len(many)


@pytest.mark.parametrize("loop", ["generate", "logits"])
def test_whoever_reads_the_loop_keeps_gradients_between_two_steps(decoder, prompts, loop):
    if loop == "generate":
        steps = decoder.generate([Request(prompts[0], None, GREEDY)], set())
    else:
        steps = decoder.logits(prompts, None)
    try:
        next(steps)
        assert not torch.is_inference_mode_enabled()
    finally:
        steps.close()


def test_a_row_ends_at_a_stop_id_which_is_not_given_out_and_the_others_go_on(decoder, prompts):
    whole = decode(decoder, [Request(p, None, GREEDY) for p in prompts[:2]], stop=set())
    stop = whole[0][5]
    assert stop not in whole[1]
    steps = list(decoder.generate([Request(p, None, GREEDY) for p in prompts[:2]], {stop}))
    first = whole[0].index(stop)
    assert [step[0] for step in steps] == whole[0][:first] + [None] * (24 - first)
    assert [step[1] for step in steps] == whole[1]


def test_the_loop_ends_as_soon_as_every_row_has_ended(decoder, prompts):
    whole = decode(decoder, [Request(prompts[0], None, GREEDY)], stop=set())[0]
    stop = whole[5]
    assert decode(decoder, [Request(prompts[0], None, GREEDY)], {stop}) == [whole[: whole.index(stop)]]


def test_each_row_keeps_its_own_longest_length(decoder, prompts):
    settings = [replace(GREEDY, max_new_tokens=n) for n in (1, 9, 4)]
    requests = [Request(p, None, s) for p, s in zip(prompts, settings, strict=False)]
    rows = decode(decoder, requests, stop=set())
    assert [len(row) for row in rows] == [1, 9, 4]
    alone = [decode(decoder, [request], stop=set())[0] for request in requests]
    assert rows == alone


def test_a_model_that_is_no_llama_is_refused_in_words():
    model = GPT2LMHeadModel(GPT2Config(n_layer=1, n_head=2, n_embd=8, vocab_size=32))
    with pytest.raises(ModelError, match="gpt2"):
        Decoder(model)


# Sampling


def sampled(decoder, prompt, seed, adapter=None, **settings):
    return Request(prompt, adapter, Generation(**{"max_new_tokens": 24, "temperature": 1.0, "seed": seed, **settings}))


def test_the_same_seed_gives_the_same_tokens_and_another_seed_others(decoder, prompts):
    one, again, other = (decode(decoder, [sampled(decoder, prompts[0], seed)]) for seed in (1, 1, 2))
    assert one == again
    assert one != other


def test_two_rows_with_one_seed_and_no_adapter_write_the_same_tokens(decoder, prompts):
    one, two = decode(decoder, [sampled(decoder, prompts[1], 3), sampled(decoder, prompts[1], 3)])
    assert one == two
    assert len(set(one)) > 3


def test_a_sampled_row_does_not_depend_on_the_rows_beside_it(decoder, adapter, prompts):
    alone = decode(decoder, [sampled(decoder, prompts[0], 3)])[0]
    beside = decode(decoder, [sampled(decoder, prompts[0], 3), sampled(decoder, prompts[1], 8, adapter)])[0]
    assert beside == alone


def test_a_longer_limit_only_adds_tokens(decoder, prompts):
    short = decode(decoder, [sampled(decoder, prompts[0], 5, max_new_tokens=7)], stop=set())[0]
    long = decode(decoder, [sampled(decoder, prompts[0], 5, max_new_tokens=40)], stop=set())[0]
    assert long[:7] == short


def drawn(logits: list[float], draws: int = 600, **settings) -> Counter:
    """How often each token is chosen from fixed logits, over many seeds."""
    row = torch.tensor(logits)
    return Counter(
        Sampler(Request([0], None, Generation(max_new_tokens=1, seed=seed, **settings)), "cpu").next(row)
        for seed in range(draws)
    )


def logs(*shares: float) -> list[float]:
    """Logits of a distribution, shifted as a model's are."""
    return [math.log(share) + 3.0 for share in shares]


def test_tokens_are_drawn_as_often_as_their_shares_say():
    counts = drawn(logs(0.1, 0.6, 0.3), temperature=1.0, top_p=1.0)
    assert counts[1] == pytest.approx(360, abs=45)
    assert counts[2] == pytest.approx(180, abs=45)
    assert counts[0] == pytest.approx(60, abs=30)


def test_top_p_keeps_the_token_that_crosses_the_share_and_drops_the_rest():
    shares = logs(0.5, 0.3, 0.15, 0.05)
    assert set(drawn(shares, temperature=1.0, top_p=0.4)) == {0}
    assert set(drawn(shares, temperature=1.0, top_p=0.6)) == {0, 1}
    assert set(drawn(shares, temperature=1.0, top_p=0.85)) == {0, 1, 2}
    assert set(drawn(shares, temperature=1.0, top_p=1.0)) == {0, 1, 2, 3}


def test_what_top_p_keeps_shares_the_probability_in_proportion():
    counts = drawn(logs(0.5, 0.25, 0.2, 0.05), temperature=1.0, top_p=0.7)
    assert counts[0] / counts[1] == pytest.approx(2, rel=0.25)


def test_top_p_of_one_reaches_beyond_the_first_candidates_in_a_flat_distribution():
    chosen = drawn([0.0] * 2000, draws=300, temperature=1.0, top_p=1.0)
    assert len(chosen) > 250
    assert max(chosen) > 1500


def test_top_p_cuts_a_flat_distribution_at_its_share():
    chosen = drawn([math.log(2.0)] * 600 + [0.0] * 1400, draws=300, temperature=1.0, top_p=0.4)
    assert max(chosen) < 600
    assert len(chosen) > 150


def test_temperature_zero_takes_the_likeliest_whatever_the_seed():
    assert drawn(logs(0.3, 0.36, 0.34), draws=20, temperature=0) == {1: 20}


def test_a_low_temperature_sharpens_and_a_high_one_flattens():
    shares = logs(0.6, 0.4)
    cold, warm, hot = (drawn(shares, temperature=t, top_p=1.0)[0] for t in (0.25, 1.0, 2.0))
    assert cold > warm > hot
    assert cold == pytest.approx(600 * 0.6**4 / (0.6**4 + 0.4**4), abs=45)


def test_the_penalty_divides_positive_and_multiplies_negative_logits_of_tokens_that_occurred():
    settings = Generation(max_new_tokens=4, temperature=0, repetition_penalty=2.0)
    assert Sampler(Request([1], None, settings), "cpu").next(torch.tensor([1.0, 1.9, 0.5])) == 0
    assert Sampler(Request([1], None, settings), "cpu").next(torch.tensor([-3.0, -2.0, -3.5])) == 0
    assert Sampler(Request([1], None, settings), "cpu").next(torch.tensor([1.0, 2.1, 0.5])) == 1


@pytest.mark.parametrize("others", [[{}], [{"temperature": 0.8}], [{"repetition_penalty": 1.5}]])
def test_rows_chosen_together_are_those_chosen_one_by_one(others):
    settings = [Generation(max_new_tokens=4, seed=7, **{"temperature": 0} | one) for one in [{}, {}, *others]]
    requests = [Request([2, 5], None, one) for one in settings]
    together, alone = ([Sampler(request, "cpu") for request in requests] for _ in range(2))
    torch.manual_seed(0)
    for _ in range(4):
        logits = torch.randn(3, 50)
        assert Sampler.all(together, logits) == [one.next(row) for one, row in zip(alone, logits, strict=True)]
        assert [one.taken for one in together] == [one.taken for one in alone]


def test_tokens_just_written_are_penalised_too():
    sampler = Sampler(Request([2], None, Generation(max_new_tokens=4, temperature=0, repetition_penalty=2.0)), "cpu")
    row = torch.tensor([1.0, 1.2, 0.1])
    assert [sampler.next(row), sampler.next(row)] == [1, 0]


def test_greedy_with_a_penalty_is_what_generate_writes_with_it(decoder, reference, prompts):
    got = decode(decoder, [Request(prompts[1], None, replace(GREEDY, repetition_penalty=1.3))])[0]
    ids = torch.tensor([prompts[1]])
    out = reference.generate(
        input_ids=ids,
        attention_mask=torch.ones_like(ids),
        max_new_tokens=24,
        do_sample=False,
        repetition_penalty=1.3,
        eos_token_id=END,
    )
    wanted = out[0, len(prompts[1]) :].tolist()
    assert got == (wanted[:-1] if wanted[-1] == END else wanted)
