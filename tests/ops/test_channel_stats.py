import math
from fractions import Fraction

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given

from imgsim_ops import kernels, ops
from tests.support.operator_cases import (
    FLOATS,
    assert_rounded,
    assert_same_bits,
    examples,
    made_on_the_cpu,
    opcheck,
    reference,
    seeds,
    tensor,
)

pytestmark = pytest.mark.usefixtures("each_device")

OP = torch.ops.imgsim.channel_stats.default
LAYOUTS = ("contiguous", "channels last", "channels last slice", "columns sliced", "flipped axes", "expanded")
IMAGE_SHAPES = st.tuples(
    st.sampled_from([1, 2, 7]),
    st.sampled_from([1, 2, 3, 4, 5, 17]),
    st.sampled_from([1, 7, 16, 33]),
    st.sampled_from([1, 2, 31, 32, 97]),
)


@made_on_the_cpu
def images(shape, dtype: torch.dtype, seed: int = 0, layout: str = "contiguous") -> torch.Tensor:
    """Bytes, or byte-like numbers; float64 far from zero, where a one-pass variance would lose its digits."""
    x = torch.randint(0, 256, shape, generator=torch.Generator().manual_seed(seed))
    x = x.to(dtype) if dtype != torch.float64 else x.double() + 1e6
    if layout == "channels last":
        return x.to(memory_format=torch.channels_last)
    if layout == "channels last slice":  # three of four channels, every other column, as from an RGBA picture
        n, c, h, w = shape
        base = torch.full((n, h, 2 * w, c + 1), 77, dtype=x.dtype)
        base[:, :, ::2, :c] = x.permute(0, 2, 3, 1)
        return base[:, :, ::2, :c].permute(0, 3, 1, 2)
    if layout == "columns sliced":
        base = torch.full((*shape[:3], shape[3] + 3), 77, dtype=x.dtype)
        base[..., 1:-2] = x
        return base[..., 1:-2]
    if layout == "flipped axes":
        return x.transpose(2, 3).contiguous().transpose(2, 3)
    if layout == "expanded":
        return x[:1, :, :1].expand(shape)
    return x


def _exact_bytes(x: torch.Tensor) -> tuple[list[Fraction], list[Fraction]]:
    """Mean and variance of each channel in rational arithmetic."""
    means, variances = [], []
    for channel in x.transpose(0, 1).flatten(1).long():
        n, total, squares = channel.numel(), int(channel.sum()), int(channel.square().sum())
        means.append(Fraction(total, n))
        variances.append(Fraction(squares, n) - Fraction(total, n) ** 2)
    return means, variances


@examples(150)
@given(IMAGE_SHAPES, st.sampled_from((torch.uint8, *FLOATS)), st.sampled_from(LAYOUTS), seeds())
def test_equals_the_reference(shape, dtype, layout, seed):
    x = images(shape, dtype, seed, layout)
    mean, std = ops.channel_stats(x)
    expected_mean, expected_std = reference.channel_stats(x)
    # Deviations are taken from a mean that is known to 1e6 * 2**-52 (float64) or 256 * 2**-52.
    magnitude = 1e6 if dtype == torch.float64 else 256.0
    assert_rounded(mean, expected_mean, terms=8, magnitude=magnitude)
    assert_rounded(std, expected_std, terms=8, magnitude=magnitude)


@examples(60)
@given(IMAGE_SHAPES, st.sampled_from(LAYOUTS), seeds())
def test_bytes_are_exact(shape, layout, seed):
    x = images(shape, torch.uint8, seed, layout)
    means, variances = _exact_bytes(x)
    moments = kernels.channel_moments(x.permute(0, 2, 3, 1).reshape(-1, shape[3], shape[1]).cpu().numpy())
    # One division of exact integers.
    assert moments.mean.tolist() == [float(mean) for mean in means]
    assert moments.m2.tolist() == [float(variance * moments.count) for variance in variances]


@pytest.mark.usefixtures("three_threads")
def test_bytes_are_exact_in_many_blocks():
    # Beyond 65,536 positions (one block), 2**15 (one 32-bit sum) and 256 strips; all 255 gives the largest sums.
    for value in (255, None):
        for channels in (1, 3, 4):
            x = torch.full((2, channels, 301, 333), 255, dtype=torch.uint8)
            if value is None:
                x = images(x.shape, torch.uint8, seed=channels)
            for layout in (x, x.to(memory_format=torch.channels_last)):
                means, variances = _exact_bytes(x)
                mean, std = ops.channel_stats(layout)
                assert mean.tolist() == [float(np.float32(float(m))) for m in means]
                assert std.tolist() == [float(np.float32(math.sqrt(v))) for v in variances]


def test_no_channels():
    for dtype in (torch.uint8, torch.float32):
        mean, std = ops.channel_stats(torch.zeros(2, 0, 3, 3, dtype=dtype))
        assert mean.shape == std.shape == (0,)


def test_a_constant_has_no_deviation():
    for value in (0.0, 0.1, 3e38, 1e-40):
        mean, std = ops.channel_stats(torch.full((2, 2, 100, 50), value))
        assert mean.tolist() == [torch.tensor(value).item()] * 2
        # The mean of many equal doubles is off by a few units of 2**-52 at most.
        assert std.max().item() <= 1e-14 * value


def test_huge_float64_images():
    # The square of the mean overflows; the deviations do not.
    mean, std = ops.channel_stats(torch.full((1, 1, 2, 2), 1e200, dtype=torch.float64))
    assert mean.tolist() == [1e200]
    assert std.tolist() == [0]


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("shape", [(1, 2, 3, 5), (2, 2, 1, 1), (3, 2, 64, 97)])
def test_nan_and_infinity_stay_in_their_channel(dtype, value, shape):
    x = images(shape, dtype)
    x[0, 1, 0, 0] = value
    for ours, theirs in zip(ops.channel_stats(x), reference.channel_stats(x), strict=True):
        assert_rounded(ours, theirs, terms=8, magnitude=1e6)


@examples(40)
@given(st.lists(st.tuples(st.integers(1, 40), st.integers(1, 40)), min_size=1, max_size=6), seeds(), st.booleans())
def test_moments_merge_over_pictures_of_different_sizes(sizes, seed, floating):
    rng = np.random.default_rng(seed)
    pictures = [rng.integers(0, 256, (h, w, 3)).astype(np.float32 if floating else np.uint8) for h, w in sizes]
    merged = kernels.channel_moments(pictures[0])
    for picture in pictures[1:]:
        merged = merged.merge(kernels.channel_moments(picture))
    together = np.concatenate([picture.reshape(-1, 3) for picture in pictures]).astype(np.float64)
    assert merged.count == len(together)
    # Each merge rounds a handful of float64 operations on numbers up to 256, and m2 sums their squares.
    np.testing.assert_allclose(merged.mean, together.mean(0), rtol=1e-14)
    np.testing.assert_allclose(merged.std, together.std(0), rtol=1e-12, atol=1e-12)


def test_moments_of_different_channels_do_not_merge():
    grey, colour = (kernels.channel_moments(np.zeros((2, 2, c), np.uint8)) for c in (1, 3))
    with pytest.raises(ValueError, match=r"^merge: both must have the same channels \(got 3 and 1\)$"):
        colour.merge(grey)


@pytest.mark.parametrize("dtype", [torch.uint8, *FLOATS])
def test_number_of_threads(dtype):
    x = images((3, 3, 150, 130), dtype, layout="channels last")
    expected = ops.channel_stats(x)
    for threads in (1, 2, 3, 1000, 2**31, 2**32 + 1):
        for ours, theirs in zip(ops.channel_stats(x, threads), expected, strict=True):
            assert_same_bits(ours, theirs)


@pytest.mark.parametrize("dtype", [torch.uint8, *FLOATS])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_opcheck(dtype, layout):
    opcheck(OP, (images((2, 3, 4, 5), dtype, layout=layout), 1))


def test_statistics_of_values_in_every_range():
    for values in ("huge", "tiny"):
        x = tensor((2, 3, 16, 97), torch.float32, values)
        for ours, theirs in zip(ops.channel_stats(x), reference.channel_stats(x), strict=True):
            assert_rounded(ours, theirs, terms=64, magnitude=float(x.abs().max()))
