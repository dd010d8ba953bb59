import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given

from imgsim_ops import ops
from tests.support.operator_cases import (
    FLOATS,
    assert_rounded,
    assert_same_bits,
    examples,
    opcheck,
    reference,
    seeds,
    tensor,
)

pytestmark = pytest.mark.usefixtures("each_device")

OP = torch.ops.imgsim.multiscale_pool.default
LAYOUTS = ("contiguous", "channels last", "channels last slice", "columns sliced", "flipped axes", "expanded")
VALUES = ("normal", "negative", "huge", "tiny", "zeros", "nan", "inf")


def feature_map(shape, dtype: torch.dtype, values: str, seed: int, layout: str) -> torch.Tensor:
    x = tensor(shape, dtype, values, seed)
    if layout == "channels last":
        return x.to(memory_format=torch.channels_last)
    if layout == "channels last slice":
        n, c, h, w = shape
        base = torch.full((n, h, 2 * w, c + 2), 77, dtype=dtype)
        base[:, :, ::2, 1:-1] = x.permute(0, 2, 3, 1)
        return base[:, :, ::2, 1:-1].permute(0, 3, 1, 2)
    if layout == "columns sliced":
        base = torch.full((*shape[:3], shape[3] + 3), 77, dtype=dtype)
        base[..., 1:-2] = x
        return base[..., 1:-2]
    if layout == "flipped axes":
        return x.transpose(2, 3).contiguous().transpose(2, 3)
    if layout == "expanded":  # as the gradient of a pooling layer is
        return x[:, :, :1, :1].expand(shape)
    return x


def feature_maps(draw, batch: int, dtype: torch.dtype, width: int) -> list[torch.Tensor]:
    maps = []
    for _ in range(draw(st.integers(1, 4))):
        channels = draw(st.sampled_from([c for c in (1, 2, 3, 6, 12, 65, 130, 195) if width % c == 0]))
        sides = [draw(st.sampled_from([1, 2, 7, 14, 33])) for _ in range(2)]
        values, layout = draw(st.sampled_from(VALUES)), draw(st.sampled_from(LAYOUTS))
        maps.append(feature_map((batch, channels, *sides), dtype, values, draw(seeds()), layout))
    return maps


@examples(150)
@given(st.data(), st.sampled_from([0, 1, 3]), st.sampled_from(FLOATS), st.sampled_from([12, 390]))
def test_equals_the_reference(data, batch, dtype, width):
    maps = feature_maps(data.draw, batch, dtype, width)
    expected = reference.multiscale_pool(maps, width)
    magnitude = max(float(m.double().nan_to_num(0, 0, 0).abs().max()) if m.numel() else 0.0 for m in maps)
    assert_rounded(ops.multiscale_pool(maps, width), expected, terms=64, magnitude=magnitude)


def test_meaning():
    narrow = torch.tensor([[[[1.0, 3.0]], [[5.0, 7.0]]]])  # averages 2 and 6
    wide = torch.tensor([0.0, 10.0, 20.0, 30.0]).view(1, 4, 1, 1)
    assert ops.multiscale_pool([narrow, wide], 4).tolist() == [[1.0, 6.0, 13.0, 18.0]]


@pytest.mark.usefixtures("three_threads")
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("layout", ["contiguous", "channels last"])
def test_the_maps_of_resnet18(dtype, layout):
    sides = {64: 56, 128: 28, 256: 14, 512: 7}
    maps = [feature_map((2, c, side, side), dtype, "negative", c, layout) for c, side in sides.items()]
    assert_rounded(ops.multiscale_pool(maps, 512), reference.multiscale_pool(maps, 512), terms=64)


def test_a_map_without_positions_is_nan():
    maps = [torch.ones(2, 2, 3, 3), torch.ones(2, 4, 0, 3)]
    assert ops.multiscale_pool(maps, 4).isnan().all()
    assert ops.multiscale_pool(maps[:1], 4).eq(1).all()


def test_one_map_twice_is_that_map_once():
    x = tensor((2, 6, 5, 7), seed=3)
    assert_same_bits(ops.multiscale_pool([x, x], 12), ops.multiscale_pool([x], 12))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("batch", [0, 2])
def test_opcheck(layout, batch):
    shapes = [(batch, 2, 5, 4), (batch, 6, 3, 1)]
    maps = [feature_map(shape, torch.float32, "normal", 0, layout) for shape in shapes]
    opcheck(OP, (maps, 12))
    if layout != "expanded":
        opcheck(OP, ([m.detach().requires_grad_() for m in maps], 12))


@pytest.mark.parametrize("layout", LAYOUTS[:5])
def test_gradients(layout):
    shapes = [(2, 1, 3, 2), (2, 2, 2, 2), (2, 4, 1, 1)]
    maps = [feature_map(shape, torch.float64, "normal", 0, layout).detach().requires_grad_() for shape in shapes]
    torch.autograd.gradcheck(lambda *m: ops.multiscale_pool(list(m), 4), maps)
    torch.autograd.gradgradcheck(lambda *m: ops.multiscale_pool(list(m), 4).square(), maps)


def test_gradient_reaches_only_the_maps_that_ask():
    asking, other = torch.ones(1, 2, 2, 2, requires_grad=True), torch.ones(1, 4, 2, 2)
    ops.multiscale_pool([other, asking], 4).sum().backward()
    assert other.grad is None
    # 1 / 2 maps x 1 / 4 positions x 2 places in the embedding.
    assert asking.grad.eq(0.25).all()


@pytest.mark.parametrize("dtype", FLOATS)
def test_gradient_equals_the_reference(dtype):
    maps = [tensor((2, c, 5, 7), dtype, seed=c) for c in (2, 3, 12)]
    weight = tensor((2, 12), dtype, seed=9)
    grads = []
    for module in (ops, reference):
        leaves = [m.clone().requires_grad_() for m in maps]
        grads.append(torch.autograd.grad((module.multiscale_pool(leaves, 12) * weight).sum(), leaves))
    for ours, theirs in zip(*grads, strict=True):
        # Ours sums up to six weights of about 1 and divides twice, all in `dtype`; the reference does it in float64.
        eps = torch.finfo(dtype).eps
        torch.testing.assert_close(ours.double(), theirs.double(), rtol=4 * eps, atol=6 * eps / 35 / 3)
