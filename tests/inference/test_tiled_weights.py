import bitsandbytes.functional as bnb
import pytest
import torch

from finetune.inference import tiled_weights

CODE = bnb.get_4bit_type("nf4", device="cpu")


def laid_down(outputs: int, inputs: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Random codes and scales as bitsandbytes lays them down."""
    torch.manual_seed(0)
    packed = torch.randint(0, 256, (outputs * inputs // 2, 1), dtype=torch.uint8)
    return packed, torch.rand(outputs * inputs // 64)


@pytest.mark.parametrize(("outputs", "inputs"), [(64, 64), (40, 384), (8208, 64)])
def test_what_was_tiled_is_found_again_to_the_last_bit(outputs, inputs):
    packed, scales = laid_down(outputs, inputs)
    tiles = tiled_weights.tiled(packed, scales, CODE, outputs, inputs)
    again = tiled_weights.natural(tiles)
    assert torch.equal(again[0], packed) and torch.equal(again[1], scales)
    assert tiles.weight.shape == (-(-outputs // 64) * 4, inputs // 64, 512)


def test_every_code_and_scale_lies_where_the_layout_says():
    outputs, inputs = 80, 192
    packed, scales = laid_down(outputs, inputs)
    tiles = tiled_weights.tiled(packed, scales, CODE, outputs, inputs)
    for n, k in [(0, 0), (1, 1), (79, 191), (26, 100), (9, 37), (16, 64)]:
        byte = int(packed[(n * inputs + k) // 2])
        code = byte & 15 if k % 2 else byte >> 4
        tile, h, g = n // 16, n % 16 // 8, n % 8
        block, c, t, high, j = k // 64, k % 64 // 32, k % 32 // 8, k % 8 < 4, k % 4
        there = int(tiles.weight[tile, block, (((g * 4 + t) * 2 + c) * 2 + h) * 4 + j])
        assert (there >> 4 if high else there & 15) == code
        assert tiles.absmax[tile, block, g * 2 + h] == scales[n * (inputs // 64) + block]


def test_outputs_that_fill_a_program_up_weigh_nothing():
    packed, scales = laid_down(40, 64)
    tiles = tiled_weights.tiled(packed, scales, CODE, 40, 64)
    filled = tiles.absmax.view(4, 1, 8, 2).permute(0, 3, 2, 1).reshape(64)[40:]
    assert torch.equal(filled, torch.zeros(24))


def test_the_table_holds_every_values_bytes_as_bfloat16():
    tiles = tiled_weights.tiled(*laid_down(64, 64), CODE, 64, 64)
    low, high = tiles.table.view(torch.uint8).view(2, 16).int()
    values = (low | high << 8).to(torch.int16).view(torch.bfloat16)
    assert torch.equal(values, CODE.bfloat16())
