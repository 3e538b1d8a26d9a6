"""The kernels against PyTorch's own operators, part by part.

On a GPU they run as they are. Without one, Triton's interpreter runs the same source where Triton is installed:
`TRITON_INTERPRET=1 python -m pytest tests/gpu/test_kernel_arithmetic.py`. Triton 3.6's needs a NumPy before 2.4, which
takes an array of one number for a number no more.
"""

import copy
import importlib.util
import os

import pytest
import torch

from finetune import models
from finetune.inference import adapters, tiled_weights
from finetune.inference.adapter_slots import Share
from finetune.inference.decoding import FUSED, Request
from finetune.inference.kernel_arithmetic import Fused
from finetune.inference.projection import Projection
from finetune.inference.static_cache import Plain
from finetune.inference.static_decoding import StaticDecoder
from finetune.recipe import Generation

INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1" and importlib.util.find_spec("triton") is not None
DEVICE = "cuda" if torch.cuda.is_available() and not INTERPRETED else "cpu"

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(DEVICE == "cpu" and not INTERPRETED, reason="needs a GPU, or Triton with TRITON_INTERPRET=1"),
]

WIDTH, MIDDLE, OUT = 384, 1024, 648  # the demo's, and an output that fills no last tile
KV, GROUP, HEAD = 2, 3, 64
FORMATS = ["float32", "float16"] if INTERPRETED else ["float32", "float16", "bfloat16"]  # it multiplies no bfloat16
NEAR = {"float32": 1e-5, "float16": 2e-3, "bfloat16": 1e-2}


def numbers(*shape: int, dtype: torch.dtype) -> torch.Tensor:
    return torch.randn(*shape, device=DEVICE).to(dtype)


def share(rows: int, ranks: int, inputs: int, outputs: int, dtype: torch.dtype) -> Share:
    """Adapters of small numbers; the first row listens to the second half of the ranks, the second row to none."""
    gate = torch.ones(rows, ranks, device=DEVICE, dtype=dtype)
    gate[0, : ranks // 2] = 0
    gate[1:2] = 0
    return Share(0.1 * numbers(ranks, inputs, dtype=dtype), 0.1 * numbers(ranks, outputs, dtype=dtype), gate)


def projection(inputs: int, outputs: int, dtype: torch.dtype, bias: bool) -> Projection:
    """A random NF4 matrix as bitsandbytes' own layer holds it."""
    import bitsandbytes as bnb

    layer = bnb.nn.Linear4bit(inputs, outputs, bias=bias, compute_dtype=dtype, quant_type="nf4")
    layer.weight.data.normal_(std=0.1)
    layer = layer.to(DEVICE).requires_grad_(False)
    if bias:
        layer.bias.data = layer.bias.data.to(dtype)
    layer.weight.quant_state.dtype = dtype
    made = Projection([layer], ("o_proj",))
    made.packed = None  # both sides multiply by the same weights, not by a CPU's own copy of them
    return made


def tiled(matrix: Projection) -> Projection:
    """The same matrix in tiles."""
    made = copy.copy(matrix)
    made.state = copy.copy(matrix.state)
    made.tile()
    return made


def distance(one: torch.Tensor, other: torch.Tensor) -> float:
    """How far apart two tensors are, relative to their size."""
    return float((one.float() - other.float()).norm() / other.float().norm())


@pytest.fixture(autouse=True)
def seeded():
    torch.set_num_threads(1)
    torch.manual_seed(0)


@pytest.mark.parametrize("dtype", FORMATS)
@pytest.mark.parametrize("rows", [1, 2, 8, 13, 32, 40])
def test_norm_product_bias_and_residual_are_those_of_pytorch(rows, dtype):
    near, dtype = NEAR[dtype], getattr(torch, dtype)
    x, weight = numbers(rows, WIDTH, dtype=dtype), numbers(WIDTH, dtype=dtype)
    part, matrix = share(rows, 96, WIDTH, OUT, dtype), projection(WIDTH, OUT, dtype, bias=True)
    residual = numbers(rows, OUT, dtype=dtype)
    h, low = Fused().norm(x, weight, 1e-5, part)
    theirs, their_low = Plain().norm(x, weight, 1e-5, part)
    assert distance(h, theirs) < near
    assert distance(low.sum(1), their_low) < near
    for before in (None, residual):
        ours = Fused().project(h, low, tiled(matrix), part, before)
        assert distance(ours, Plain().project(theirs, their_low, matrix, part, before)) < near


@pytest.mark.parametrize("dtype", FORMATS)
@pytest.mark.parametrize("outputs", [16, OUT])
def test_a_matrix_unpacked_from_tiles_is_bitsandbytes_own(outputs, dtype):
    matrix = projection(WIDTH, outputs, getattr(torch, dtype), bias=False)
    identity = torch.eye(WIDTH, device=DEVICE, dtype=getattr(torch, dtype))
    theirs = matrix(identity).t()
    ours = tiled_weights.dense(tiled(matrix).tiles, theirs.dtype)
    # bfloat16 rounds the codes before it scales them
    assert distance(ours, theirs) < (1e-3 if dtype == "float16" else NEAR[dtype]) and ours.shape == theirs.shape


@pytest.mark.parametrize("dtype", FORMATS)
@pytest.mark.parametrize("rows", [1, 2, 5])
def test_the_gated_middle_of_the_mlp_is_that_of_pytorch(rows, dtype):
    near, dtype = NEAR[dtype], getattr(torch, dtype)
    both, part = numbers(rows, 2 * MIDDLE, dtype=dtype), share(rows, 16, MIDDLE, WIDTH, dtype)
    matrix = projection(MIDDLE, WIDTH, dtype, bias=False)
    h, low = Fused().gated(both, part)
    theirs, their_low = Plain().gated(both, part)
    assert distance(h, theirs) < near and distance(low.sum(1), their_low) < near
    ours = Fused().project(h, low, tiled(matrix), part)
    assert distance(ours, Plain().project(theirs, their_low, matrix, part)) < near


@pytest.mark.parametrize("dtype", FORMATS)
@pytest.mark.parametrize("lengths", [[0], [1], [31], [32], [120], [0, 119, 64, 5, 33]], ids=str)
def test_attention_and_the_cache_after_it_are_those_of_pytorch(lengths, dtype):
    near, dtype = NEAR[dtype], getattr(torch, dtype)
    rows, room = len(lengths), 128
    cache = [numbers(rows, KV, room, HEAD, dtype=dtype) for _ in range(2)]
    angles = torch.rand(room, HEAD // 2, device=DEVICE).repeat(1, 2)
    cos, sin = angles.cos().to(dtype), angles.sin().to(dtype)
    qkv, where = numbers(rows, (GROUP + 2) * KV * HEAD, dtype=dtype), torch.tensor(lengths, device=DEVICE)
    part = share(rows, 32, GROUP * KV * HEAD, WIDTH, dtype)
    ours, theirs = [[one.clone() for one in cache] for _ in range(2)]
    h, low = Fused().attend(qkv, *ours, where, cos, sin, part)
    out, their_low = Plain().attend(qkv, *theirs, where, cos, sin, part)
    assert distance(h, out) < near and distance(low.sum(1), their_low) < near
    assert all(distance(a, b) < near for a, b in zip(ours, theirs, strict=True))
    assert all(
        torch.equal(a[0, :, lengths[0] + 1 :], b[0, :, lengths[0] + 1 :]) for a, b in zip(ours, cache, strict=True)
    )


@pytest.mark.parametrize("rows", [2, 3])
def test_a_row_whose_gate_is_shut_gets_what_it_gets_without_adapters_to_the_last_bit(rows):
    x, weight = numbers(rows, WIDTH, dtype=torch.float16), numbers(WIDTH, dtype=torch.float16)
    matrix = projection(WIDTH, OUT, torch.float16, bias=False)
    part = share(rows, 32, WIDTH, OUT, torch.float16)
    none = Share(torch.zeros_like(part.down), torch.zeros_like(part.up), part.gate)
    laid = tiled(matrix)
    with_adapters, without = (Fused().project(*Fused().norm(x, weight, 1e-5, one), laid, one) for one in (part, none))
    assert torch.equal(with_adapters[1], without[1])
    assert not torch.equal(with_adapters[0], without[0])


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_whole_replies_are_those_of_the_operators(rows, tiny_base, tiny_adapter):
    base, _ = models.load_base(str(tiny_base), four_bit=True, dtype="float32")
    replies = []
    for arithmetic in (Fused(), Plain()):
        decoder = StaticDecoder(base)
        decoder.arithmetic = arithmetic
        for layer in decoder.layers:
            for key in FUSED:
                layer[key].packed = None
                if isinstance(arithmetic, Fused):
                    layer[key].tile()
        adapter = adapters.read(tiny_adapter, decoder.dtype, str(decoder.device))
        settings = Generation(max_new_tokens=6, temperature=0)
        requests = [
            Request([11, 40 + row, 77][: row + 1], adapter if row % 2 else None, settings) for row in range(rows)
        ]
        replies.append(list(decoder.generate(requests, set())))
    assert replies[0] == replies[1]
