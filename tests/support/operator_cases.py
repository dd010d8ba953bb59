"""What the operator tests share: examples of every awkward kind, and the meaning of "equal"."""

import functools
import math
import warnings
from contextlib import contextmanager

import hypothesis.strategies as st
import numpy as np
import torch
from hypothesis import settings

from imgsim_ops import ops
from imgsim_ops.torch_ops import reference as plain
from tests.support.tries import tries

FLOATS = (torch.float32, torch.float64, torch.float16, torch.bfloat16)
NUMPY_FLOATS = (np.float32, np.float64, np.float16)
# Around the widths of registers, of unrolled loops, and of blocks of rows.
SIZES = (0, 1, 7, 15, 16, 17, 31, 32, 33, 97, 512)
# Around the limit below which vectors are not screened (screen.h), a register's tail, and more.
DIMS = (1, 7, 16, 31, 32, 33, 64, 97, 513)
VALUES = (
    "normal",
    "negative",
    "huge",
    "tiny",
    "zeros",
    "nan",
    "inf",
    "duplicates",
    "clustered",
    "onehot",
    "outlier",
    "delicate",
    "mixed",
)
LAYOUTS = ("contiguous", "transposed", "sliced", "rows sliced", "offset", "expanded")


def examples(count: int) -> settings:
    """The same examples on every machine, however slow it is."""
    return settings(max_examples=tries(count), derandomize=True, deadline=None, database=None)


def made_on_the_cpu(make):
    """Wraps what makes a tensor of random numbers: the same numbers on every device, on the one that is the default."""

    @functools.wraps(make)
    def wrapped(*arguments, **options):
        device = torch.get_default_device()
        if device.type == "cpu":
            return make(*arguments, **options)
        with torch.device("cpu"):
            return make(*arguments, **options).to(device)

    return wrapped


class _ReferenceOnTheCpu:
    """``imgsim_ops.torch_ops.reference``, run on the CPU wherever its arguments are; results go back there."""

    def __getattr__(self, name: str):
        function = getattr(plain, name)

        def run(*arguments, **options):
            first = arguments[0] if isinstance(arguments[0], torch.Tensor) else arguments[0][0]
            if first.device.type == "cpu":
                return function(*arguments, **options)
            result = function(*(_moved(argument, "cpu") for argument in arguments), **options)
            return _moved(result, first.device)

        return run


def _moved(x, device):
    if isinstance(x, torch.Tensor):
        return x.to(device)
    return type(x)(_moved(one, device) for one in x) if isinstance(x, list | tuple) else x


reference = _ReferenceOnTheCpu()


def _rows(count: int, dim: int, values: str, dtype: torch.dtype, rng: torch.Generator) -> torch.Tensor:
    x = torch.randn(count, dim, generator=rng, dtype=torch.float64)
    if values == "negative":
        return -x.abs()
    if values == "huge":
        # Squares overflow the element type; float64's own limit is 1e154 (cosine.h sums in double).
        return x * (1e4 if dtype == torch.float16 else 1e30)
    if values == "tiny":
        return x * (1e-7 if dtype == torch.float16 else 1e-30)
    if values == "zeros":
        return x * (torch.rand(count, 1, generator=rng) < 0.5)
    if values in ("nan", "inf"):
        bad = torch.rand(count, dim, generator=rng) < 0.3 / dim
        sign = torch.randn(count, dim, generator=rng).sign().double()
        return torch.where(bad, sign * float(values), x)
    if values == "duplicates":
        return x[torch.randint(0, 3, (count,), generator=rng) % count]
    if values == "clustered":  # cosines from 0.99 to 1 - 1e-6
        spread = 0.05 * 10.0 ** (-2 * torch.rand(count, 1, generator=rng))
        return torch.randn(1, dim, generator=rng).double() + x * spread
    if values == "onehot":
        return torch.eye(dim, dtype=torch.float64)[torch.randint(0, dim, (count,), generator=rng)]
    if values == "outlier":  # one element rules each vector: the coarsest codes that screening can meet
        return x + 100 * torch.eye(dim, dtype=torch.float64)[torch.randint(0, dim, (count,), generator=rng)]
    if values == "delicate":  # norms around those beyond which screening steps aside, 1e-4 and 1e18
        exponents = torch.tensor([-4.0, -4.5] if dtype == torch.float16 else [-4.0, -4.5, 0.0, 18.0])
        scale = 10.0 ** exponents[torch.randint(0, len(exponents), (count, 1), generator=rng)].double()
        return x / x.norm(dim=1, keepdim=True) * scale * (0.9 + 0.2 * torch.rand(count, 1, generator=rng))
    return x


@made_on_the_cpu
def tensor(shape, dtype: torch.dtype = torch.float32, values: str = "normal", seed: int = 0) -> torch.Tensor:
    """A contiguous tensor of vectors along its last dimension."""
    rng = torch.Generator().manual_seed(seed)
    shape = tuple(shape)
    count = int(np.prod(shape[:-1], dtype=np.int64)) if shape else 1
    dim = shape[-1] if shape else 1
    if count * dim == 0:
        return torch.zeros(shape, dtype=dtype)
    if values == "mixed":
        kinds = [_rows(count, dim, kind, dtype, rng) for kind in VALUES if kind != "mixed"]
        kinds = torch.stack(kinds)
        rows = kinds[torch.randint(0, len(kinds), (count,), generator=rng), torch.arange(count)]
    else:
        rows = _rows(count, dim, values, dtype, rng)
    return rows.reshape(shape).to(dtype)


def laid_out(x: torch.Tensor, layout: str) -> torch.Tensor:
    """The same values in another place in memory; "expanded" repeats the first of the first dimension."""
    if x.ndim == 0 or layout == "contiguous":
        return x
    if layout == "transposed":
        return x.transpose(0, -1).contiguous().transpose(0, -1)
    if layout == "sliced":
        base = torch.full((*x.shape[:-1], 2 * x.shape[-1]), 77, dtype=x.dtype, device=x.device)
        base[..., ::2] = x
        return base[..., ::2]
    if layout == "rows sliced":
        base = torch.full((2 * x.shape[0] + 1, *x.shape[1:]), 77, dtype=x.dtype, device=x.device)
        base[1::2] = x
        return base[1::2]
    if layout == "offset":  # starts at an address that is a multiple of nothing but its own size
        base = torch.full((x.numel() + 1,), 77, dtype=x.dtype, device=x.device)
        base[1:] = x.reshape(-1)
        return base[1:].view(x.shape)
    assert layout == "expanded"
    return x[:1].expand(x.shape)


@st.composite
def shapes(draw, max_dims: int = 5, min_dims: int = 0, limit: int = 40_000, sizes=SIZES):
    """Shapes of awkward sizes, not too large together."""
    shape = []
    for _ in range(draw(st.integers(min_dims, max_dims))):
        shape.append(draw(st.sampled_from([s for s in sizes if s * max(1, int(np.prod(shape))) <= limit])))
    return tuple(draw(st.permutations(shape)))


def seeds():
    return st.integers(0, 1000)


def assert_rounded(actual, expected, terms: int = 1, magnitude: float = 1.0) -> None:
    """Equal but for rounding: both are float64 sums of `terms` terms of this magnitude, each rounded once.

    One unit in the last place of the result's type is what two roundings of nearly the same number can differ by;
    `terms` units of float64 is what the order of additions can do (the smallest subnormal covers underflow).
    """
    assert actual.dtype == expected.dtype
    assert actual.shape == expected.shape
    info = torch.finfo(actual.dtype)
    order = terms * 2.0**-52
    rtol = info.eps if actual.dtype != torch.float64 else 8 * info.eps
    torch.testing.assert_close(
        actual.double(),
        expected.double(),
        rtol=rtol,
        atol=order * magnitude + info.smallest_normal * info.eps,
        equal_nan=True,
    )


def assert_same_bits(actual: torch.Tensor, expected: torch.Tensor) -> None:
    """Equal to the last bit, whatever NaN's payload."""
    assert actual.dtype == expected.dtype
    assert actual.shape == expected.shape
    torch.testing.assert_close(actual, expected, rtol=0, atol=0, equal_nan=True)


def all_scores(queries: torch.Tensor, gallery: torch.Tensor) -> torch.Tensor:
    """Every score (Q, N), typed as cosine_topk's, through cosine_similarity: a pair has one score wherever it is asked
    for (cosine.h). Half-precision elements are widened first, which is exact, because there the scores are float32."""
    if queries.dtype != torch.float64:
        queries, gallery = queries.float(), gallery.float()
    return ops.cosine_similarity(queries[:, None, :], gallery[None, :, :])


def check_topk(queries: torch.Tensor, gallery: torch.Tensor, k: int) -> None:
    """cosine_topk against every score, sorted: scores to the bit, every index, so every tie and every NaN."""
    scores, indices = ops.cosine_topk(queries, gallery, k)
    everything = all_scores(queries, gallery)
    ranked = everything.nan_to_num(nan=-torch.inf).sort(dim=1, descending=True, stable=True).indices[:, :k]
    assert indices.dtype == torch.int64
    assert_same_bits(scores, everything.gather(1, ranked))
    assert torch.equal(indices, ranked)


def check_pairs(vectors: torch.Tensor, *thresholds: float) -> int:
    """cosine_pairs against every score, at each threshold; returns how many pairs there are altogether."""
    everything = all_scores(vectors, vectors)
    found = 0
    for threshold in thresholds:
        rows, cols, scores = ops.cosine_pairs(vectors, threshold)
        expected_rows, expected_cols = torch.triu(everything.double() >= threshold, 1).nonzero(as_tuple=True)
        assert rows.dtype == cols.dtype == torch.int64
        assert torch.equal(rows, expected_rows)
        assert torch.equal(cols, expected_cols)
        assert_same_bits(scores, everything[expected_rows, expected_cols])
        found += len(rows)
    return found


@contextmanager
def torchscript_is_deprecated():
    """PyTorch 2.14 warns at each use of TorchScript; the C++ program needs it all the same (engines/torchscript.py)."""
    with warnings.catch_warnings():
        for category in (FutureWarning, DeprecationWarning):
            warnings.filterwarnings("ignore", r"`torch\.jit\.\w+` is deprecated", category=category)
        yield


def opcheck(operator, args, gives_nan: bool = False) -> None:
    """All of PyTorch's checks of a custom operator: schema, autograd registration, fake kernel, AOT dispatch.

    The last one compares results and takes NaN for a difference.
    """
    checks = ["test_schema", "test_autograd_registration", "test_faketensor", "test_aot_dispatch_dynamic"]
    with warnings.catch_warnings():
        # From inside the check, for an operator of PyTorch's own as well.
        warnings.filterwarnings("ignore", "The .grad attribute of a Tensor that is not a leaf", category=UserWarning)
        torch.library.opcheck(operator, args, test_utils=checks[: 3 if gives_nan else 4])


#: Of ``cosine_similarity``, and what its vectors are drawn from.
EPSILONS = (1e-8, 1e-8, 0.0, 1e-3, 10.0, math.inf)
LENGTHS = (0, 1, 2, 7, 15, 16, 17, 31, 32, 33, 97, 512, 513)


@st.composite
def operands(draw, dtype: torch.dtype):
    """Two tensors whose shapes broadcast, along the vectors too, and the dimension of the vectors."""
    ndim = draw(st.integers(1, 4))
    axis = draw(st.integers(-ndim, -1))  # of the vectors, where shapes are aligned
    full = [draw(st.sampled_from([0, 1, 2, 2, 3, 3, 7, 7, 17])) for _ in range(ndim)]
    full[axis] = draw(st.sampled_from(LENGTHS))
    while math.prod(full) > 20_000:
        full[full.index(max(full))] = 3
    pair = []
    for _ in range(2):
        shape = [1 if draw(st.integers(0, 5)) == 0 else size for size in full]
        shape = shape[draw(st.sampled_from([0, 0, 0, 1, 2, 4])) :]
        values, seed = draw(st.sampled_from(VALUES)), draw(seeds())
        if len(shape) >= -axis:
            length = shape.pop(axis)
            x = tensor((*shape, length), dtype, values, seed).movedim(-1, axis)
        else:
            x = tensor(shape, dtype, values, seed)
        pair.append(laid_out(x, draw(st.sampled_from(LAYOUTS))))
    ndim = max(1, pair[0].ndim, pair[1].ndim)
    axis = max(axis, -ndim)
    pair = [x.reshape(1) if max(pair[0].ndim, pair[1].ndim) == 0 else x for x in pair]
    return pair[0], pair[1], draw(st.sampled_from([axis, axis + ndim]))


@made_on_the_cpu
def made_images(dtype: torch.dtype) -> torch.Tensor:
    x = torch.randint(0, 256, (5, 3, 190, 211), generator=torch.Generator().manual_seed(0))
    return x.to(dtype) / 3 if dtype.is_floating_point else x.to(dtype)


# Each is large enough that every number of threads cuts it in another way.
CALLS = {
    "repeat_interleave": lambda dtype: [ops.repeat_interleave(tensor((700, 131), dtype), 5)],
    "reduce_mean of rows": lambda dtype: [ops.reduce_mean(tensor((3, 100_003), dtype), [1])],
    "reduce_mean of columns": lambda dtype: [ops.reduce_mean(tensor((40_007, 19), dtype), [0])],
    "reduce_mean of all": lambda dtype: [ops.reduce_mean(tensor((311, 997), dtype), [])],
    "channel_stats": lambda dtype: [*ops.channel_stats(made_images(dtype))],
    "channel_stats channels last": lambda dtype: [
        *ops.channel_stats(made_images(dtype).to(memory_format=torch.channels_last))
    ],
    "multiscale_pool": lambda dtype: [
        ops.multiscale_pool([tensor((3, c, 3584 // c, 56), dtype, seed=c) for c in (64, 128, 256, 512)], 512)
    ],
    "multiscale_pool channels last": lambda dtype: [
        ops.multiscale_pool(
            [tensor((3, 56, 3584 // c, c), dtype, seed=c).permute(0, 3, 2, 1) for c in (64, 128, 256, 512)], 512
        )
    ],
    "cosine_similarity": lambda dtype: [ops.cosine_similarity(tensor((1, 257), dtype), tensor((3001, 257), dtype))],
    "cosine_topk": lambda dtype: [
        *ops.cosine_topk(tensor((300, 65), dtype, "mixed", 1), tensor((3001, 65), dtype, "mixed", 2), 40)
    ],
    "cosine_topk direct": lambda dtype: [
        *ops.cosine_topk(tensor((4, 65), dtype, "mixed", 1), tensor((3001, 65), dtype, "duplicates", 2), 40)
    ],
    "cosine_pairs": lambda dtype: [*ops.cosine_pairs(tensor((1500, 65), dtype, "mixed"), 0.3)],
}
