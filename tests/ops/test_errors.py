"""Each refusal: a ValueError, one line, `operator: rule (got value)`, from both bindings."""

import functools
import math
import re

import numpy as np
import pytest
import torch

from imgsim_ops import kernels, ops
from tests.support.operator_cases import torchscript_is_deprecated

ONES = torch.ones
F32, F64, INT = torch.float32, torch.float64, torch.int64


def _refused(call, start: str, value: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(start)}") as caught:
        call()
    message = str(caught.value)
    assert "\n" not in message
    assert re.fullmatch(r"\w+: .+ \(got .+\)", message), message
    assert message.endswith(f"(got {value})"), message


@pytest.mark.parametrize(
    ("x", "repeats", "dim", "start", "value"),
    [
        (ONES(3), -1, -1, "repeat_interleave: repeats must not be negative", "-1"),
        (torch.tensor(3.0), 2, -1, "repeat_interleave: the tensor must have at least one dimension", "a scalar"),
        (ONES(3), 2, 1, "repeat_interleave: dim must be in [-1, 0]", "1"),
        (ONES(3, 4), 2, -3, "repeat_interleave: dim must be in [-2, 1]", "-3"),
    ],
)
def test_repeat_interleave(x, repeats, dim, start, value):
    _refused(lambda: ops.repeat_interleave(x, repeats, dim), start, value)


@pytest.mark.parametrize(
    ("x", "dim", "start", "value"),
    [
        (ONES(3, dtype=INT), [0], "reduce_mean: dtype must be float32, float64, float16 or bfloat16", "Long"),
        (ONES(3, dtype=torch.uint8), [0], "reduce_mean: dtype must be", "Byte"),
        (ONES(3, dtype=torch.bool), [0], "reduce_mean: dtype must be", "Bool"),
        (ONES(3, dtype=torch.complex64), [0], "reduce_mean: dtype must be", "ComplexFloat"),
        (ONES(3, 4), [2], "reduce_mean: dim must be in [-2, 1]", "2"),
        (ONES(3, 4), [-3], "reduce_mean: dim must be in [-2, 1]", "-3"),
        (ONES(3, 4), [0, -2], "reduce_mean: a dim may be named once", "[0, -2]"),
        (torch.tensor(1.0), [1], "reduce_mean: dim must be in [-1, 0]", "1"),
    ],
)
def test_reduce_mean(x, dim, start, value):
    _refused(lambda: ops.reduce_mean(x, dim), start, value)


@pytest.mark.parametrize("dtype", [torch.uint8, F32])
@pytest.mark.parametrize(
    ("shape", "threads", "start", "value"),
    [
        ((3, 4, 5), 0, "channel_stats: images must have shape (N, C, H, W)", "[3, 4, 5]"),
        ((), 0, "channel_stats: images must have shape (N, C, H, W)", "[]"),
        ((0, 3, 4, 5), 0, "channel_stats: images must have pixels", "shape [0, 3, 4, 5]"),
        ((2, 3, 0, 5), 0, "channel_stats: images must have pixels", "shape [2, 3, 0, 5]"),
        ((2, 3, 4, 0), 0, "channel_stats: images must have pixels", "shape [2, 3, 4, 0]"),
        ((2, 3, 4, 5), -1, "channel_stats: num_threads must be 0 (all) or more", "-1"),
    ],
)
def test_channel_stats(dtype, shape, threads, start, value):
    images = ONES(shape, dtype=dtype)
    _refused(lambda: ops.channel_stats(images, threads), start, value)
    _refused(lambda: kernels.channel_stats(images.numpy(), threads), start, value)


def test_channel_stats_dtype():
    rule = "channel_stats: dtype must be uint8, float32, float64"
    _refused(lambda: ops.channel_stats(ONES(1, 3, 2, 2, dtype=INT)), rule, "Long")
    _refused(lambda: ops.channel_stats(ONES(1, 3, 2, 2, dtype=torch.int8)), rule, "Char")
    _refused(lambda: kernels.channel_stats(np.ones((1, 3, 2, 2), np.int64)), rule, "int64")
    _refused(lambda: kernels.channel_stats(np.ones((1, 3, 2, 2), bool)), rule, "bool")
    _refused(lambda: kernels.channel_stats(np.ones((1, 3, 2, 2), np.int8)), rule, "int8")


def test_channel_moments():
    _refused(
        lambda: kernels.channel_moments(np.ones((2, 3), np.uint8)),
        "channel_moments: pixels must have shape (H, W, C)",
        "[2, 3]",
    )
    with pytest.raises(ValueError, match=r"must have pixels \(got shape .*\)$"):
        kernels.channel_moments(np.ones((0, 3, 3), np.uint8))


@pytest.mark.parametrize(
    ("maps", "width", "start", "value"),
    [
        ([], 4, "multiscale_pool: there must be at least one feature map", "none"),
        ([ONES(1, 2, 3, 3)], 0, "multiscale_pool: width must be positive", "0"),
        ([ONES(1, 2, 3, 3)], -4, "multiscale_pool: width must be positive", "-4"),
        ([ONES(1, 2, 3)], 4, "multiscale_pool: feature maps must have shape (N, C, H, W)", "[1, 2, 3]"),
        (
            [ONES(1, 2, 3, 3), ONES(1, 3, 3, 3)],
            4,
            "multiscale_pool: width must be a multiple of every map's channels",
            "width 4, channels 3",
        ),
        (
            [ONES(1, 0, 3, 3)],
            4,
            "multiscale_pool: width must be a multiple of every map's channels",
            "width 4, channels 0",
        ),
        ([ONES(1, 2, 3, 3), ONES(2, 2, 3, 3)], 4, "multiscale_pool: feature maps must have one batch size", "1 and 2"),
        (
            [ONES(1, 2, 3, 3), ONES(1, 2, 3, 3, dtype=F64)],
            4,
            "multiscale_pool: tensors must have one dtype",
            "Float and Double",
        ),
        ([ONES(1, 2, 3, 3, dtype=INT)], 4, "multiscale_pool: dtype must be float32", "Long"),
    ],
)
def test_multiscale_pool(maps, width, start, value):
    _refused(lambda: ops.multiscale_pool(maps, width), start, value)


@pytest.mark.parametrize(
    ("x1", "x2", "dim", "eps", "start", "value"),
    [
        (ONES(3), ONES(4), -1, 1e-8, "cosine_similarity: shapes must broadcast", "[3] and [4]"),
        (ONES(3, 5), ONES(2, 5), -1, 1e-8, "cosine_similarity: shapes must broadcast", "[3, 5] and [2, 5]"),
        (ONES(3), ONES(2, 3), 2, 1e-8, "cosine_similarity: {axis} must be in [-2, 1]", "2"),
        (ONES(3), ONES(2, 3), -3, 1e-8, "cosine_similarity: {axis} must be in [-2, 1]", "-3"),
        (ONES(3), ONES(3), -1, -1e-9, "cosine_similarity: eps must not be negative", "-1e-09"),
        (ONES(3), ONES(3), -1, math.nan, "cosine_similarity: eps must not be negative", "nan"),
    ],
)
def test_cosine_similarity(x1, x2, dim, eps, start, value):
    _refused(lambda: ops.cosine_similarity(x1, x2, dim, eps), start.format(axis="dim"), value)
    _refused(lambda: kernels.cosine_similarity(x1.numpy(), x2.numpy(), dim, eps), start.format(axis="axis"), value)


def test_operators_themselves_take_vectors_of_one_dtype():
    """What lies above them in `ops` makes them so, as PyTorch's own function does."""
    scalar, half = torch.tensor(1.0), ONES(3, dtype=torch.float16)
    for x1, x2, rule in ((scalar, scalar, "at least one dimension"), (ONES(3), half, "tensors must have one dtype")):
        with pytest.raises((RuntimeError, ValueError), match=f"cosine_similarity: .*{rule}"):
            torch.ops.imgsim.cosine_similarity(x1, x2)
    _refused(lambda: kernels.cosine_similarity(scalar.numpy(), scalar.numpy()), "cosine_similarity: ", "scalars")


@pytest.mark.parametrize(
    ("queries", "gallery", "k", "start", "value"),
    [
        (ONES(3, 4), ONES(5, 4), 6, "cosine_topk: k must be between 0 and the gallery's 5 rows", "6"),
        (ONES(3, 4), ONES(5, 4), -1, "cosine_topk: k must be between 0 and the gallery's 5 rows", "-1"),
        (ONES(3, 4), ONES(0, 4), 1, "cosine_topk: k must be between 0 and the gallery's 0 rows", "1"),
        (ONES(0, 4), ONES(5, 4), 6, "cosine_topk: k must be between 0 and the gallery's 5 rows", "6"),
        (ONES(3, 4), ONES(5, 3), 1, "cosine_topk: queries and gallery must have equally long rows", "4 and 3"),
        (ONES(4), ONES(5, 4), 1, "cosine_topk: queries and gallery must be matrices", "shapes [4] and [5, 4]"),
        (
            ONES(1, 3, 4),
            ONES(5, 4),
            1,
            "cosine_topk: queries and gallery must be matrices",
            "shapes [1, 3, 4] and [5, 4]",
        ),
    ],
)
def test_cosine_topk(queries, gallery, k, start, value):
    _refused(lambda: ops.cosine_topk(queries, gallery, k), start, value)
    _refused(lambda: kernels.cosine_topk(queries.numpy(), gallery.numpy(), k), start, value)


@pytest.mark.parametrize(
    ("vectors", "threshold", "start", "value"),
    [
        (ONES(4), 0.5, "cosine_pairs: vectors must be a matrix", "shape [4]"),
        (ONES(2, 3, 4), 0.5, "cosine_pairs: vectors must be a matrix", "shape [2, 3, 4]"),
        (ONES(3, 4), math.nan, "cosine_pairs: threshold must be a number", "nan"),
        (ONES(0, 4), math.nan, "cosine_pairs: threshold must be a number", "nan"),
    ],
)
def test_cosine_pairs(vectors, threshold, start, value):
    _refused(lambda: ops.cosine_pairs(vectors, threshold), start, value)
    _refused(lambda: kernels.cosine_pairs(vectors.numpy(), threshold), start, value)


@pytest.mark.parametrize(
    ("dtype", "torch_name", "numpy_name"),
    [(INT, "Long", "int64"), (torch.uint8, "Byte", "uint8"), (torch.complex64, "ComplexFloat", "complex64")],
)
def test_cosines_take_floating_numbers(dtype, torch_name, numpy_name):
    x = ONES(3, 4, dtype=dtype)
    for name, *rest in (("cosine_similarity", x), ("cosine_topk", x, 1), ("cosine_pairs", 0.5)):
        start = f"{name}: dtype must be float32, float64"
        _refused(lambda name=name, rest=rest: getattr(ops, name)(x, *rest), start, torch_name)
        arrays = [r.numpy() if isinstance(r, torch.Tensor) else r for r in rest]
        _refused(lambda name=name, rest=arrays: getattr(kernels, name)(x.numpy(), *rest), start, numpy_name)


def test_cosines_take_one_dtype():
    x, y = ONES(3, 4), ONES(3, 4, dtype=F64)
    _refused(lambda: ops.cosine_topk(x, y, 1), "cosine_topk: tensors must have one dtype", "Float and Double")
    for name, *rest in (("cosine_similarity",), ("cosine_topk", 1)):
        numpy_call = getattr(kernels, name)
        _refused(
            lambda f=numpy_call, rest=rest: f(x.numpy(), y.numpy(), *rest),
            f"{name}: arrays must have one dtype",
            "float32 and float64",
        )


@pytest.mark.parametrize("swap", [False, True])
def test_tensors_on_different_devices(swap):
    """Of two devices every machine has one: meta. A result would be memory that nobody wrote."""
    here, elsewhere = ONES(3, 4), ONES(3, 4, device="meta")
    pair = (elsewhere, here) if swap else (here, elsewhere)
    with pytest.raises(ValueError, match=r"^cosine_similarity: tensors must be on one device \(got .+\)$"):
        ops.cosine_similarity(*pair)
    with pytest.raises(ValueError, match=r"^cosine_topk: tensors must be on one device \(got .+\)$"):
        ops.cosine_topk(*pair, 1)
    with pytest.raises(ValueError, match=r"^multiscale_pool: feature maps must be on one device \(got .+\)$"):
        ops.multiscale_pool([x[None, None] for x in pair], 3)


def _itself(operator, *arguments):
    """The operator, below what `ops` does for it."""
    return ops._call(getattr(torch.ops.imgsim, operator), *arguments)


SHAPE_RULES = [
    lambda ones: ops.repeat_interleave(ones(3), -1),
    lambda ones: ops.repeat_interleave(ones(()), 2),
    lambda ones: ops.repeat_interleave(ones(3), 2, 1),
    lambda ones: ops.repeat_interleave(ones(3, 4), 2**60),
    lambda ones: ops.repeat_interleave(ones(3, dtype=torch.int8), 2**62),
    lambda ones: ops.reduce_mean(ones(3, 4), [2]),
    lambda ones: ops.reduce_mean(ones(3, 4), [0, -2, 5]),
    lambda ones: ops.reduce_mean(ones(()), [0, 1]),
    lambda ones: ops.channel_stats(ones(1, 3, 4)),
    lambda ones: ops.channel_stats(ones(1, 3, 4, 4), -1),
    lambda ones: ops.channel_stats(ones(0, 3, 4, 4)),
    lambda ones: ops.channel_stats(ones(2, 0, 0, 4)),
    lambda ones: ops.channel_stats(ones(2, 3, 4, 0)),
    lambda ones: ops.channel_stats(ones(1, 3, 4, 4, dtype=INT)),
    lambda ones: ops.multiscale_pool([], 4),
    lambda ones: ops.multiscale_pool([ones(1, 2, 4, 4)], 0),
    lambda ones: ops.multiscale_pool([ones(1, 2, 4)], 4),
    lambda ones: ops.multiscale_pool([ones(())], 4),
    lambda ones: ops.multiscale_pool([ones(1, 2, 4, 4), ones(2, 4)], 4),
    lambda ones: ops.multiscale_pool([ones(1, 2, 4, 4), ones(2, 2, 4, 4)], 4),
    lambda ones: ops.multiscale_pool([ones(1, 0, 4, 4)], 4),
    lambda ones: ops.multiscale_pool([ones(1, 2, 4, 4), ones(1, 3, 4, 4)], 4),
    lambda ones: ops.multiscale_pool([ones(1, 2, 4, 4), ones(1, 2, 4, 4, dtype=F64)], 4),
    lambda ones: ops.cosine_similarity(ones(3), ones(3), -1, -1.0),
    lambda ones: ops.cosine_similarity(ones(3), ones(3), -1, -1.23456789e-9),
    lambda ones: ops.cosine_similarity(ones(3), ones(3), -1, math.nan),
    lambda ones: ops.cosine_similarity(ones(2, 3), ones(4)),
    lambda ones: _itself("cosine_similarity", ones(()), ones(())),
    lambda ones: ops.cosine_similarity(ones(3), ones(2, 3), -3),
    lambda ones: _itself("cosine_similarity", ones(3), ones(3, dtype=F64)),
    lambda ones: ops.cosine_topk(ones(4), ones(5, 4), 1),
    lambda ones: ops.cosine_topk(ones(3, 4), ones(5, 3), 1),
    lambda ones: ops.cosine_topk(ones(3, 4), ones(5, 4), 6),
    lambda ones: ops.cosine_topk(ones(3, 4), ones(5, 4), -1),
    lambda ones: ops.cosine_topk(ones(3, 4), ones(5, 4, dtype=INT), 1),
    lambda ones: ops.cosine_pairs(ones(4), 0.5),
    lambda ones: ops.cosine_pairs(ones(3, 4), math.nan),
    *(
        lambda ones, dtype=dtype: ops.reduce_mean(ones(3, 4, dtype=dtype), [0])
        for dtype in (torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, INT, torch.uint16, torch.uint32)
    ),
    *(
        lambda ones, dtype=dtype: _itself("cosine_similarity", ones(3, 4, dtype=dtype), ones(3, 4))
        for dtype in (torch.float16, torch.bfloat16, F64, torch.uint64, torch.complex64, torch.complex128)
    ),
]


@pytest.mark.parametrize("call", SHAPE_RULES)
def test_shape_functions_refuse_in_the_same_words(call):
    """Without any refusal torch.export writes a program that cannot run; in other words it is another rule."""
    messages = []
    for device in ("cpu", "meta"):
        with pytest.raises(ValueError) as caught:  # noqa: PT011  (compared below)
            call(functools.partial(torch.ones, device=device))
        messages.append(str(caught.value))
    assert messages[0] == messages[1]


@pytest.mark.parametrize("dims", [[], [0], [-1], [0, -1]])
def test_a_scalar_has_one_axis_under_any_name(dims):
    assert ops.reduce_mean(ONES(()), dims).shape == ops.reduce_mean(ONES((), device="meta"), dims).shape == ()


def test_operators_without_a_gradient_say_so():
    x = torch.randn(4, 5, requires_grad=True)
    images = x[None, :, None].clone()
    for call, name in (
        (lambda: ops.cosine_topk(x, x.detach(), 2)[0], "cosine_topk"),
        (lambda: ops.cosine_pairs(x, -1.0)[2], "cosine_pairs"),
        (lambda: ops.channel_stats(images)[1], "channel_stats"),
    ):
        scores = call()
        with pytest.raises(RuntimeError, match=f"{name}: has no gradient"):
            scores.sum().backward()
    assert x.grad is None


def test_errors_keep_their_words_under_torchscript_and_compile():
    x = torch.ones(3, 4)
    with torchscript_is_deprecated():
        scripted = torch.jit.script(ops.cosine_topk)
    # TorchScript knows no Python exceptions from operators: it wraps them, with the place in the script before.
    with pytest.raises(RuntimeError, match=r"cosine_topk: k must be between 0 and the gallery's 3 rows \(got 9\)"):
        scripted(x, x, 9)
    compiled = torch.compile(lambda t: ops.reduce_mean(t, [5]), fullgraph=True, backend="aot_eager")
    with pytest.raises((ValueError, RuntimeError), match=r"reduce_mean: dim must be in \[-2, 1\] \(got 5\)"):
        compiled(x)
