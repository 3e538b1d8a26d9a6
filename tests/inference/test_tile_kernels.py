"""What the kernels look up without memory is what NF4's codes stand for; the kernels themselves run on a GPU."""

import struct

import bitsandbytes.functional as bnb
import pytest
import torch

from finetune.inference import tile_kernels


def picked(a: int, b: int, which: int) -> int:
    """`prmt.b32`: four bytes of eight."""
    eight = struct.pack("<II", a, b)
    return int.from_bytes(bytes(eight[which >> 4 * at & 7] for at in range(4)), "little")


def done(program: str, given: int) -> list[float]:
    """A run of the few PTX instructions that the lookup is made of; its eight results, high codes' first."""
    tables = {f"${5 + 4 * at + copy}": word for at, word in enumerate(tile_kernels.tables()) for copy in range(4)}
    known = {"$4": given, **tables}
    for line in program.strip("{} ").split(";"):
        if line.strip() and not line.strip().startswith(".reg"):
            name, _, rest = line.strip().partition(" ")
            to, *words = (word.strip() for word in rest.split(","))
            numbers = [known[word] if word in known else int(word, 0) for word in words]
            known[to] = {
                "prmt.b32": picked,
                "and.b32": lambda a, b: a & b,
                "or.b32": lambda a, b: a | b,
                "shr.u32": lambda a, b: a >> b,
            }[name](*numbers)
    halves = [known[f"${at}"] >> shift & 0xFFFF for at in range(4) for shift in (0, 16)]
    return [struct.unpack("<f", struct.pack("<I", half << 16))[0] for half in halves]


def rounded(value: float) -> float:
    return torch.tensor(value).bfloat16().item()


def test_the_codes_are_those_of_bitsandbytes():
    assert bnb.get_4bit_type("nf4", device="cpu").tolist() == pytest.approx(tile_kernels.NF4, abs=0)


@pytest.mark.parametrize("code", range(16))
def test_every_code_is_found_in_every_place(code):
    given = int.from_bytes(bytes([code << 4 | 15 - code, code, 255 - code, code << 4]), "little")
    high, low = [code, 0, 15, code], [15 - code, code, 15 - code, 0]
    wanted = [rounded(tile_kernels.NF4[one]) for one in high + low]
    assert done(tile_kernels.lookup(), given) == wanted
