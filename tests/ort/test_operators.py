"""One kernel, several bindings: ONNX Runtime's answers are PyTorch's, to the bit."""

import ctypes

import hypothesis.strategies as st
import numpy as np
import onnxruntime
import pytest
import torch
from hypothesis import given

from imgsim_ops import kernels, ops
from tests.support.operator_cases import VALUES, assert_same_bits, examples, seeds, shapes, tensor
from tests.support.ort_models import BFLOAT16, FLOATS, SIZES, assert_same, model, options, run

INTEGERS = (np.int64, np.int32, np.int8, np.uint8, np.bool_)
floats = st.sampled_from(list(FLOATS))
values = st.sampled_from(VALUES)
size = st.sampled_from(SIZES)


@examples(80)
@given(st.data(), st.sampled_from([*FLOATS, *INTEGERS]), shapes(4, 1, 10_000, SIZES), st.sampled_from(SIZES[:3]))
def test_repeat_interleave(data, dtype, shape, repeats):
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    x = np.random.default_rng(0).integers(0, 100, shape).astype(dtype)
    expected = ops.repeat_interleave(torch.from_numpy(x), repeats, axis)
    assert_same(run("RepeatInterleave", x, repeats=repeats, axis=axis), expected)
    if axis in (-1, len(shape) - 1):
        assert_same(run("RepeatInterleave", x, repeats=repeats), expected)


@examples(80)
@given(st.data(), floats, shapes(4, 0, 10_000, SIZES), values, st.booleans(), seeds())
def test_reduce_mean(data, dtype, shape, kind, keepdims, seed):
    axes = data.draw(st.lists(st.integers(0, len(shape) - 1), unique=True)) if shape else []
    axes = [data.draw(st.sampled_from([axis, axis - len(shape)])) for axis in axes]
    x = tensor(shape, FLOATS[dtype], kind, seed)
    attributes = {"axes": axes} if axes else {}
    expected = ops.reduce_mean(x, axes, keepdims)
    assert_same(run("ReduceMean", x.numpy(), keepdims=int(keepdims), **attributes), expected)
    if not keepdims:
        assert_same(run("ReduceMean", x.numpy(), **attributes), expected)


@examples(60)
@given(
    floats,
    st.sampled_from([0, 1, 3]),
    st.lists(st.tuples(st.sampled_from([1, 2, 17, 34]), size, size), min_size=4, max_size=4),
    st.sampled_from([1, 2]),
    values,
    seeds(),
)
def test_multiscale_pool(dtype, batch, maps, repeats, kind, seed):
    width = 34 * repeats
    maps = [tensor((batch, *shape), FLOATS[dtype], kind, seed + i) for i, shape in enumerate(maps)]
    assert_same(run("MultiscalePool", *[m.numpy() for m in maps], width=width), ops.multiscale_pool(maps, width))


@st.composite
def operands(draw):
    """Two shapes that broadcast, and an axis of what they broadcast to."""
    shape = draw(shapes(4, 1, 10_000, SIZES))
    pair = []
    for _ in range(2):
        own = [draw(st.sampled_from([s, s, 1])) for s in shape]
        pair.append(own[draw(st.integers(0, len(own))) :])
    pair[draw(st.integers(0, 1))] = list(shape)
    return pair, draw(st.integers(-len(shape), len(shape) - 1))


@examples(150)
@given(operands(), floats, st.sampled_from([None, 0.0, 1e-8, 0.5]), values, seeds())
def test_cosine_similarity(pair, dtype, eps, kind, seed):
    (one, other), axis = pair
    x1, x2 = tensor(one, FLOATS[dtype], kind, seed), tensor(other, FLOATS[dtype], "mixed", seed + 1)
    attributes = {} if eps is None else {"eps": eps}
    expected = ops.cosine_similarity(x1, x2, axis, **attributes)
    assert_same(run("CosineSimilarity", x1.numpy(), x2.numpy(), axis=axis, **attributes), expected)
    if axis == -1:
        assert_same(run("CosineSimilarity", x1.numpy(), x2.numpy(), **attributes), expected)


@examples(60)
@given(st.tuples(*[st.sampled_from(SIZES[1:])] * 4), st.sampled_from([np.uint8, *FLOATS]), seeds())
def test_channel_stats(shape, dtype, seed):
    x = np.random.default_rng(seed).integers(0, 256, shape).astype(dtype)
    assert_same(run("ChannelStats", x), ops.channel_stats(torch.from_numpy(x)))
    assert_same(run("ChannelStats", x), kernels.channel_stats(x))


@examples(60)
@given(st.data(), floats, size, size, st.sampled_from([*SIZES, 64]), values, seeds())
def test_cosine_topk(data, dtype, count, rows, dim, kind, seed):
    queries, gallery = (
        tensor((count, dim), FLOATS[dtype], "mixed", seed),
        tensor((rows, dim), FLOATS[dtype], kind, seed),
    )
    k = data.draw(st.sampled_from(sorted({0, min(3, rows), rows})))
    answer = run("CosineTopk", queries.numpy(), gallery.numpy(), k=k)
    assert_same(answer, ops.cosine_topk(queries, gallery, k))
    assert_same(answer, kernels.cosine_topk(queries.numpy(), gallery.numpy(), k))


@examples(60)
@given(floats, size, st.sampled_from([*SIZES, 64]), st.sampled_from([-2.0, 0.5, 0.9, 1.0]), values, seeds())
def test_cosine_pairs(dtype, rows, dim, threshold, kind, seed):
    x = tensor((rows, dim), FLOATS[dtype], kind, seed)
    nearest = float(np.float32(threshold))  # ONNX has floats only
    answer = run("CosinePairs", x.numpy(), threshold=threshold)
    assert_same(answer, ops.cosine_pairs(x, nearest))
    assert_same(answer, kernels.cosine_pairs(x.numpy(), nearest))


@pytest.mark.parametrize(
    ("op", "attributes", "expected"),
    [
        ("ReduceMean", {"axes": [0]}, lambda x: ops.reduce_mean(x, [0])),
        ("RepeatInterleave", {"repeats": 3}, lambda x: ops.repeat_interleave(x, 3)),
    ],
)
def test_bfloat16(op, attributes, expected):
    """NumPy has no such type: in and out as bits."""
    x = tensor((7, 33), torch.bfloat16, "mixed", 1)
    expected = expected(x)
    data = model(op, [(BFLOAT16, [7, 33])], **attributes)
    session = onnxruntime.InferenceSession(data, options(), providers=["CPUExecutionProvider"])
    binding = session.io_binding()
    bits = x.view(torch.int16).numpy()
    binding.bind_ortvalue_input("x0", onnxruntime.OrtValue.ortvalue_from_numpy_with_onnx_type(bits, BFLOAT16))
    answer = onnxruntime.OrtValue.ortvalue_from_shape_and_type(list(expected.shape), BFLOAT16)
    binding.bind_ortvalue_output("y0", answer)
    session.run_with_iobinding(binding)
    ours = torch.tensor((ctypes.c_int16 * expected.numel()).from_address(answer.data_ptr()), dtype=torch.int16)
    assert_same_bits(ours.view(torch.bfloat16).reshape(expected.shape), expected)


@pytest.mark.parametrize("dtype", list(FLOATS))
def test_any_number_of_threads(dtype):
    """Each is large enough that every number of threads cuts it in another way."""
    maps = [tensor((3, c, 3584 // c, 56), FLOATS[dtype], seed=c).numpy() for c in (64, 128, 256, 512)]
    wide, tall = tensor((3, 100_003), FLOATS[dtype]).numpy(), tensor((40_007, 19), FLOATS[dtype]).numpy()
    some = tensor((300, 65), FLOATS[dtype], "mixed", 1).numpy()
    many = tensor((3001, 65), FLOATS[dtype], "mixed", 2).numpy()
    images = np.random.default_rng(0).integers(0, 256, (5, 3, 190, 211))
    for op, arrays, attributes in (
        ("MultiscalePool", maps, {"width": 512}),
        ("ReduceMean", [wide], {"axes": [1]}),
        ("ReduceMean", [tall], {"axes": [0]}),
        ("ReduceMean", [tall], {}),
        ("RepeatInterleave", [tall], {"repeats": 5}),
        ("ChannelStats", [images.astype(dtype)], {}),
        ("ChannelStats", [images.astype(np.uint8)], {}),
        ("CosineSimilarity", [some[:1], many], {}),
        ("CosineTopk", [some, many], {"k": 40}),
        ("CosineTopk", [some[:4], many], {"k": 40}),
        ("CosinePairs", [many[:1500]], {"threshold": 0.3}),
    ):
        expected = run(op, *arrays, **attributes)
        assert expected[0].size > 0
        for threads in (2, 8):
            assert_same(run(op, *arrays, threads=threads, **attributes), tuple(expected))
