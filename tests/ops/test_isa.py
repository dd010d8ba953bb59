"""Every instruction set gives the same answers, but for the last bits of a double."""

import sys

import numpy as np
import pytest
import torch

from imgsim_ops import kernels, ops
from tests.support.children import python, succeed
from tests.support.operator_cases import FLOATS, assert_rounded, tensor

INFO = kernels.build_info()


def answers() -> dict[str, torch.Tensor]:
    """Each operator on a few hundred numbers of every dtype, with tails of every length in between."""
    out = {}
    for dtype in FLOATS:
        for size in (1, 7, 33, 97, 513):
            key = f"{dtype} {size}"
            x, y = tensor((37, size), dtype, "normal", 1), tensor((41, size), dtype, "normal", 2)
            out[f"repeat {key}"] = ops.repeat_interleave(x, 3)
            out[f"rows {key}"] = ops.reduce_mean(x, [1])
            out[f"columns {key}"] = ops.reduce_mean(x, [0])
            out[f"mean {key}"], out[f"std {key}"] = ops.channel_stats(x[None, :, :, None])
            out[f"pool {key}"] = ops.multiscale_pool([x[:, :1, None, None], x[:, :, None, None]], size)
            out[f"cosine {key}"] = ops.cosine_similarity(x[:, None], y[None])
            out[f"topk {key}"], out[f"indices {key}"] = ops.cosine_topk(x, y, 5)
            rows, cols, out[f"pairs {key}"] = ops.cosine_pairs(x, 0.07)
            out[f"places {key}"] = rows * 100 + cols
    pixels = torch.arange(2 * 3 * 101 * 103).mul(7919).remainder(251).to(torch.uint8).reshape(2, 3, 101, 103)
    for layout in (torch.contiguous_format, torch.channels_last):
        out[f"mean bytes {layout}"], out[f"std bytes {layout}"] = ops.channel_stats(
            pixels.contiguous(memory_format=layout)
        )
    # Sizes below, at and above a load, one and several chunks of weights, and resizes that leave no margin to a crop.
    for height, width in ((1, 1), (2, 5), (5, 6), (7, 300), (97, 31), (257, 255), (375, 500), (900, 1300), (64, 2048)):
        picture = torch.arange(height * width * 3).mul(7919).remainder(251).to(torch.uint8).reshape(height, width, 3)
        for resize, crop in ((256, 224), (33, 33), (7, 5)):
            resized = kernels.resize_crop(picture.numpy(), resize, crop)
            out[f"resize {height} {width} {crop}"] = torch.from_numpy(resized)
    # Conversions: every half-precision number, and sums that round.
    bits = torch.arange(-(1 << 15), 1 << 15, dtype=torch.int32).to(torch.int16)
    for dtype in (torch.float16, torch.bfloat16):
        every = bits.view(dtype).nan_to_num(0, 0, 0)
        out[f"convert {dtype}"] = ops.reduce_mean(torch.stack([every, every.flip(0) / 7]), [0])
    return out


def test_this_build_can_choose():
    assert INFO["isa"] in INFO["isas_usable"]
    assert set(INFO["isas_usable"]) <= set(INFO["isas_built"])
    assert "plain" in INFO["isas_usable"]


@pytest.mark.parametrize("isa", INFO["isas_usable"])
def test_equal_answers(isa, tmp_path):
    code = "import sys, torch; from tests.ops.test_isa import answers; torch.save(answers(), sys.argv[1])"
    succeed(code, str(tmp_path / "answers"), IMGSIM_ISA=isa, OMP_NUM_THREADS="1")
    theirs = torch.load(tmp_path / "answers", weights_only=True)
    ours = answers()
    assert ours.keys() == theirs.keys()
    for name, answer in ours.items():
        if answer.is_floating_point():
            # Sums of at most 513 doubles of about 1 in another order, rounded to the result's type.
            assert_rounded(theirs[name], answer, terms=64)
        else:
            assert torch.equal(theirs[name], answer), name


@pytest.mark.parametrize("isa", [isa for isa in INFO["isas_usable"] if isa != INFO["isa"]])
def test_screening_leaves_nothing_out(isa):
    # Codes have another number of bits there. (This one's is tested in test_cosine_pairs.py.)
    code = "from tests.support.screening import check_everything; assert check_everything((16, 33, 513)) > 50_000"
    succeed(code, IMGSIM_ISA=isa, OMP_NUM_THREADS="1")


AT_A_PAGES_END = """
import ctypes, mmap
import numpy as np
from imgsim_ops import kernels

page = mmap.PAGESIZE
for height, width in ((1, 1), (1, 4), (3, 5), (2, 6), (9, 7), (40, 33), (61, 97)):
    size = height * width * 3
    pages = -(-size // page)
    memory = mmap.mmap(-1, (pages + 1) * page)
    buffer = np.frombuffer(memory, np.uint8)
    guard = ctypes.c_void_p(buffer.ctypes.data + pages * page)
    assert ctypes.CDLL(None).mprotect(guard, ctypes.c_size_t(page), 0) == 0
    picture = buffer[pages * page - size : pages * page].reshape(height, width, 3)
    picture[:] = np.arange(size).reshape(picture.shape) % 251
    for resize, crop in ((256, 224), (64, 64), (8, 8)):
        np.testing.assert_array_equal(
            kernels.resize_crop(picture, resize, crop), kernels.resize_crop(picture.copy(), resize, crop)
        )
print("done")
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="guards a page by Linux's mprotect")
@pytest.mark.parametrize("isa", INFO["isas_usable"])
def test_nothing_is_read_beyond_a_picture(isa):
    assert succeed(AT_A_PAGES_END, IMGSIM_ISA=isa) == "done\n"


@pytest.mark.parametrize("isa", INFO["isas_usable"])
def test_the_wish_is_granted(isa):
    code = "from imgsim_ops import kernels; print(kernels.build_info()['isa'])"
    assert succeed(code, IMGSIM_ISA=isa).strip() == isa
    assert succeed(code, IMGSIM_ISA="").strip() == INFO["isa"]


UNUSABLE = [isa for isa in INFO["isas_built"] if isa not in INFO["isas_usable"]]


@pytest.mark.parametrize(
    ("isa", "binding"), [("sse9", "ops"), *((isa, "kernels") for isa in ("sse9", "AVX2", "plain ", *UNUSABLE))]
)
def test_a_name_that_cannot_be_had(isa, binding):
    make = "torch.ones" if binding == "ops" else "np.ones"
    code = f"""
import numpy as np
from imgsim_ops import {binding}
{"import torch" if binding == "ops" else ""}
try:
    {binding}.cosine_similarity({make}(3), {make}(3))
except ValueError as error:
    print(error)
"""
    child = python(code, IMGSIM_ISA=isa)
    assert child.returncode == 0, child.stderr
    start = "IMGSIM_ISA: this build and this processor have no such instruction set"
    assert child.stdout == f"{start} (got {isa})\n"


def test_conversions_are_numpys():
    # float16 is converted by the processor under one instruction set and by integer arithmetic under another.
    bits = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    finite = bits[np.isfinite(bits)]
    means = ops.reduce_mean(torch.from_numpy(np.stack([finite, finite[::-1]])), [0]).numpy()
    exact = (finite.astype(np.float64) + finite[::-1].astype(np.float64)) / 2
    assert means.tobytes() == exact.astype(np.float16).tobytes()
