"""A model's own generate, timed: how many tokens a reply has, and what is measured of memory."""

import pytest
import torch

from finetune import bench_generate, models
from finetune.bench_generate import Load
from finetune.data.prompts import stop_ids


def test_every_reply_has_as_many_tokens_whatever_the_model_would_end_with():
    model, tokenizer = models.load_base(str(models.DEMO_BASE), four_bit=False, dtype="float32")
    with torch.no_grad():  # a model that would end every reply at once
        model.lm_head = torch.nn.Linear(model.config.hidden_size, model.config.vocab_size)
        model.lm_head.weight.zero_()
        model.lm_head.bias.zero_()[list(stop_ids(tokenizer))] = 50.0
    times = bench_generate._reply(model, Load(tokens=7), [12, 40, 77])
    assert len(times) == 7 and times == sorted(times) and times[0] > 0


def test_a_rate_leaves_the_first_token_out_and_a_load_s_prompt_has_its_length():
    assert bench_generate.rate([5.0, 5.5, 6.0]) == pytest.approx(2.0)
    assert len(bench_generate.prompt(Load(prompt=31))) == 31


def test_a_peak_is_forgotten_by_the_card_itself(monkeypatch):
    asked = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    for name in ("empty_cache", "reset_peak_memory_stats"):
        monkeypatch.setattr(torch.cuda, name, lambda name=name: asked.append(name))
    bench_generate.forget_peak()
    assert asked == ["empty_cache", "reset_peak_memory_stats"]
