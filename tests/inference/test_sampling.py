"""Drawing a whole batch's tokens at once gives what the row-by-row sampler gives from the same logits."""

import math

import pytest
import torch

from finetune.inference.sampler import CANDIDATES, Request, Sampler
from finetune.inference.sampling import Manner, Sampling
from finetune.recipe import Generation

WORDS = 3000


def requests(*settings: dict) -> list[Request]:
    return [
        Request([5, 9, row], None, Generation(max_new_tokens=8, seed=row, **one)) for row, one in enumerate(settings)
    ]


def drawn(sampling: Sampling, asked: list[Request], logits: torch.Tensor) -> tuple[list[int], list[int]]:
    """One step as the loop takes it: the tokens, and the rows that had to be drawn again."""
    manner = Manner.of(asked)
    told = sampling.draw(logits, manner).tolist()
    flat = [row for row, (_, again) in enumerate(told) if again]
    tokens = [token for token, _ in told]
    for row, token in zip(flat, sampling.redraw(logits, flat, manner) if flat else [], strict=True):
        tokens[row] = token
    if manner.penalised:
        sampling.note(torch.tensor(tokens))
    return tokens[: len(asked)], flat


@pytest.mark.parametrize("spread", [4.0, 0.3], ids=["likely tokens", "a flat distribution"])
def test_every_setting_in_one_batch_draws_what_the_sampler_draws_step_by_step(spread):
    asked = requests(
        {"temperature": 0},
        {"temperature": 0.7, "top_p": 0.9},
        {"temperature": 1.4, "top_p": 1.0},
        {"temperature": 0.2, "top_p": 0.01},
        {"temperature": 0.9, "top_p": 0.8, "repetition_penalty": 1.7},
        {"temperature": 0, "repetition_penalty": 2.0},
    )
    sampling, samplers = Sampling(8, 16, WORDS, "cpu"), [Sampler(one, "cpu") for one in asked]
    sampling.begin(asked)
    torch.manual_seed(1)
    for _ in range(8):
        logits = torch.randn(8, WORDS) * spread
        tokens, _ = drawn(sampling, asked, logits)
        assert tokens == [sampler.next(row) for sampler, row in zip(samplers, logits, strict=False)]


def test_only_a_row_whose_candidates_do_not_suffice_is_drawn_again():
    asked = requests({"temperature": 1.0, "top_p": 1.0}, {"temperature": 1.0, "top_p": 0.05}, {"temperature": 0})
    sampling = Sampling(4, 8, WORDS, "cpu")
    sampling.begin(asked)
    (first, _, third), flat = drawn(sampling, asked, torch.zeros(4, WORDS))
    assert flat == [0]
    assert first == Sampler(asked[0], "cpu").next(torch.zeros(WORDS))
    assert third == 0


def test_a_vocabulary_smaller_than_the_candidates_is_never_drawn_again():
    asked = requests({"temperature": 1.0, "top_p": 1.0})
    sampling = Sampling(1, 8, CANDIDATES // 4, "cpu")
    sampling.begin(asked)
    tokens, flat = drawn(sampling, asked, torch.zeros(1, CANDIDATES // 4))
    assert not flat and tokens == [Sampler(asked[0], "cpu").next(torch.zeros(CANDIDATES // 4))]


def test_tokens_are_drawn_as_often_as_their_shares_say():
    shares = torch.tensor([[math.log(0.1), math.log(0.6), math.log(0.3)]])
    counts = [0, 0, 0]
    sampling = Sampling(1, 600, 3, "cpu")
    asked = [Request([0], None, Generation(max_new_tokens=600, seed=3, temperature=1.0, top_p=1.0))]
    sampling.begin(asked)
    for _ in range(600):
        counts[drawn(sampling, asked, shares)[0][0]] += 1
    assert counts == pytest.approx([60, 360, 180], abs=45)


def test_new_rows_begin_with_their_own_numbers_and_nothing_seen():
    first, second = requests({"temperature": 1.0, "repetition_penalty": 2.0}), requests({"temperature": 0})
    sampling = Sampling(1, 8, 50, "cpu")
    for asked in (first, second, first):
        sampling.begin(asked)
        logits = torch.arange(50.0)[None]
        assert drawn(sampling, asked, logits)[0] == [Sampler(asked[0], "cpu").next(logits[0])]


def test_a_manner_says_what_any_of_its_rows_needs():
    assert Manner.of(requests({"temperature": 0})) == Manner(sampled=False, penalised=False)
    mixed = requests({"temperature": 0}, {"temperature": 0.5}, {"temperature": 0, "repetition_penalty": 1.1})
    assert Manner.of(mixed) == Manner(sampled=True, penalised=True)
