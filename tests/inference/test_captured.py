"""What is captured and when, and what happens where it cannot be; capture itself needs a GPU (tests/gpu)."""

import logging
from pathlib import Path

import pytest
import torch

from finetune import models
from finetune.inference import adapters, captured, kernel_arithmetic
from finetune.inference.captured import CapturedDecoder, decoder_for
from finetune.inference.decoding import Decoder, Request
from finetune.inference.static_cache import Plain
from finetune.recipe import Generation
from tests.conftest import make_adapter

GREEDY = Generation(max_new_tokens=6, temperature=0)
PROMPT = [12, 40, 77, 31]


class Replaying:
    """Stands in for a captured graph: replays by doing the work again, and counts."""

    def __init__(self, do) -> None:
        self.do, self.replays = do, 0

    def replay(self) -> None:
        self.replays += 1
        self.do()


class OnCpu(CapturedDecoder):
    """A captured decoder without streams; graphs are stand-ins, kept as they are made."""

    def __init__(self, model) -> None:
        super().__init__(model)
        self.made: list[tuple] = []

    def _apart(self, do) -> None:
        do()

    def _capture(self, state, work) -> None:
        self.made.append((state.rows, state.room, work.tokens, work.manner.sampled))
        state.graphs[work] = Replaying(lambda: work.do(state, self.arithmetic))


class Failing:
    """Kernels of which one fails when it is launched."""

    def __init__(self, error: Exception) -> None:
        self.error, self.norm, self.project, self.attend = error, Plain().norm, Plain().project, Plain().attend

    def gated(self, both, share):
        raise self.error


class WithoutGraphs(OnCpu):
    """The same, but capturing is tried, and fails: PyTorch for CPUs has no graphs."""

    def _capture(self, state, work) -> None:
        CapturedDecoder._capture(self, state, work)


@pytest.fixture(autouse=True)
def no_streams(monkeypatch):
    monkeypatch.setattr(torch.cuda, "Stream", lambda device: None)
    monkeypatch.setattr(torch.cuda, "graph_pool_handle", lambda: None)


@pytest.fixture(scope="module")
def model(tiny_base: Path):
    return models.load_base(str(tiny_base), four_bit=False, dtype="float64")[0]


@pytest.fixture(scope="module")
def eager(model) -> Decoder:
    return Decoder(model)


@pytest.fixture(scope="module")
def adapter(eager: Decoder, tiny_adapter: Path) -> adapters.Adapter:
    return adapters.read(tiny_adapter, eager.dtype, "cpu")


def written(decoder: Decoder, requests: list[Request]) -> list[list[int | None]]:
    return list(decoder.generate(requests, set()))


def test_a_cpu_decodes_launch_by_launch(model):
    assert type(decoder_for(model)) is Decoder


def test_prompt_and_step_are_captured_once_and_replayed_ever_after(model, eager):
    decoder, requests = OnCpu(model), [Request(PROMPT, None, GREEDY)]
    wanted = written(eager, requests)
    assert written(decoder, requests) == wanted
    assert decoder.made == [(1, 512, 32, False), (1, 512, 0, False)]
    state = decoder._passes[1, 512]
    assert [graph.replays for graph in state.graphs.values()] == [0, 4]
    assert written(decoder, requests) == wanted
    assert [graph.replays for graph in state.graphs.values()] == [1, 9]
    assert len(decoder.made) == 2


def test_another_adapter_or_none_at_all_makes_nothing_be_captured_again(model, eager, adapter, tiny_base, tmp_path):
    decoder = OnCpu(model)
    folder = make_adapter(tiny_base, tmp_path, seed=5, r=9, target_modules=["v_proj", "up_proj"])
    other = adapters.read(folder, eager.dtype, "cpu")
    for one in (adapter, None, other, adapter):
        requests = [Request(PROMPT, one, GREEDY)]
        assert written(decoder, requests) == written(eager, requests)
    assert len(decoder.made) == 2


def test_a_pair_a_long_prompt_and_a_temperature_are_captured_for_themselves(model):
    decoder = OnCpu(model)
    for prompt, rows, settings in (
        (PROMPT, 1, GREEDY),
        (PROMPT, 2, GREEDY),
        (PROMPT * 20, 1, GREEDY),
        (PROMPT, 1, Generation(max_new_tokens=6, temperature=0.7)),
    ):
        written(decoder, [Request(prompt, None, settings)] * rows)
    steps = [(rows, sampled) for rows, _, tokens, sampled in decoder.made if not tokens]
    prompts = [(rows, tokens, sampled) for rows, _, tokens, sampled in decoder.made if tokens]
    assert steps == [(1, False), (2, False), (1, True)]
    assert prompts == [(1, 32, False), (2, 32, False), (1, 128, False), (1, 32, True)]


def test_prompts_with_too_many_tokens_to_wait_for_launches_are_not_captured(model, eager, monkeypatch):
    monkeypatch.setattr(captured, "MOST_CAPTURED", 100)
    decoder, requests = OnCpu(model), [Request(PROMPT * 10, None, GREEDY)] * 2
    assert written(decoder, requests) == written(eager, requests)
    assert [tokens for _, _, tokens, _ in decoder.made] == [0]


def test_warming_captures_a_first_message_and_a_first_pair(model):
    decoder = OnCpu(model)
    decoder.warm()
    assert decoder.made == [(1, 512, 256, True), (1, 512, 0, True), (2, 512, 256, True), (2, 512, 0, True)]


def test_where_nothing_can_be_captured_one_line_says_so_and_every_token_is_still_right(model, eager, adapter, caplog):
    decoder = WithoutGraphs(model)
    requests = [Request(PROMPT, one, GREEDY) for one in (None, adapter)]
    with caplog.at_level(logging.WARNING, "shohomormi"):
        for _ in range(2):
            assert written(decoder, requests) == written(eager, requests)
    (line,) = caplog.records
    assert "could not be captured" in line.message and "RuntimeError" in line.message
    assert not decoder.capturing and not decoder._passes[2, 512].graphs


@pytest.mark.parametrize("masked", [False, True], ids=["as it is", "behind the error of ending the capture"])
def test_where_memory_runs_out_in_a_capture_old_passes_go_and_the_next_reply_is_captured(
    model, eager, monkeypatch, caplog, masked
):
    decoder, requests = OnCpu(model), [Request(PROMPT, None, GREEDY)]
    written(decoder, requests * 2)  # an older pass, of a pair
    tried, made = [], decoder.made

    def full(state, work) -> None:
        """A capture as PyTorch does it, on a card that is full."""
        monkeypatch.setattr(torch.cuda, "CUDAGraph", object)
        monkeypatch.setattr(torch.cuda, "graph", lambda *_, **__: Full())
        tried.append(work)
        CapturedDecoder._capture(decoder, state, work)

    class Full:
        def __enter__(self) -> None:
            if not masked:
                raise torch.OutOfMemoryError("CUDA out of memory")

        def __exit__(self, *error: object) -> None:
            try:
                raise torch.OutOfMemoryError("CUDA out of memory")
            except torch.OutOfMemoryError:
                raise RuntimeError("the capture was invalidated")  # noqa: B904

    decoder._capture = full
    with caplog.at_level(logging.WARNING, "shohomormi"):
        assert written(decoder, requests) == written(eager, requests)
    assert len(tried) == 1 and not caplog.records  # not at every step of a reply
    assert decoder.capturing and list(decoder._passes) == [(1, 512)]
    del decoder._capture
    assert written(decoder, requests) == written(eager, requests)
    assert made[-2:] == [(1, 512, 32, False), (1, 512, 0, False)]


def test_where_the_kernels_fail_one_line_says_so_and_the_operators_take_over(model, eager, adapter, caplog):
    decoder = OnCpu(model)
    decoder.arithmetic = Failing(OSError("Failed to find C compiler.\nPlease specify via CC"))
    requests = [Request(PROMPT, adapter, Generation(max_new_tokens=6, temperature=0.9, repetition_penalty=1.3))]
    with caplog.at_level(logging.WARNING, "shohomormi"):
        for _ in range(2):
            assert written(decoder, requests) == written(eager, requests)
    (line,) = caplog.records
    assert "OSError: Failed to find C compiler." in line.message and "CC" not in line.message
    assert type(decoder.arithmetic) is Plain


def test_where_the_kernels_fail_the_4_bit_weights_lie_again_as_bitsandbytes_reads_them(tiny_base, caplog):
    base, _ = models.load_base(str(tiny_base), four_bit=True, dtype="float32")
    untouched, decoder = OnCpu(base), OnCpu(base)
    for one in decoder._projections():
        one.tile()
    decoder.arithmetic, decoder.most_rows = Failing(OSError("no C compiler")), captured.MOST_ROWS
    requests = [Request(PROMPT, None, GREEDY)]
    assert written(decoder, requests) == written(untouched, requests)  # reading the prompt needs a kernel already
    assert all(one.tiles is None and one.weight is not None for one in decoder._projections())
    assert decoder.most_rows == untouched.most_rows and len(caplog.records) == 1


def test_an_error_that_is_not_the_kernels_own_is_not_taken_for_theirs(model):
    decoder = OnCpu(model)
    decoder.arithmetic = Failing(torch.OutOfMemoryError("CUDA out of memory"))
    with pytest.raises(torch.OutOfMemoryError):
        written(decoder, [Request(PROMPT, None, GREEDY)])


def test_why_the_kernels_are_not_used_is_said_in_words(eager):
    assert kernel_arithmetic.usable(eager) == "there is no GPU"
