"""The bodies of the ONNX nodes, in the reference and in ONNX Runtime, against the operators that they stand for."""

import hypothesis.strategies as st
import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from hypothesis import given
from onnx.reference import ReferenceEvaluator

from imgsim_ops import ops
from imgsim_ops.export.functions import NAMES, function
from tests.support import ort_models as cases
from tests.support.operator_cases import examples, seeds, shapes, tensor

SIZES = (0, 1, 7, 17, 33)
SOME = SIZES[1:]
FLOATS = cases.FLOATS
INTEGERS = (np.int64, np.int32, np.uint8, np.bool_)
floats = st.sampled_from(list(FLOATS))
F32_EPS = 2.0**-23


def with_body(op: str, inputs: list[tuple], **attributes) -> onnx.ModelProto:
    made = onnx.load_from_string(cases.model(op, inputs, **attributes))
    made.functions.append(function(op))
    return made


def run_everywhere(op: str, *arrays: np.ndarray, **attributes) -> dict[str, np.ndarray]:
    """A node's answers; attributes are written on it in the order that it has them, all of them.

    The reference knows no default of an attribute, so the files that are exported name each one.
    """
    made = with_body(op, [(a.dtype.type, [None] * a.ndim) for a in arrays], **attributes)
    feed = cases.feed(list(arrays))
    (reference,) = ReferenceEvaluator(made).run(None, feed)
    (runtime,) = session(made).run(None, feed)
    return {"reference": np.asarray(reference), "ONNX Runtime": runtime}


def session(made: onnx.ModelProto, library: bool = False) -> onnxruntime.InferenceSession:
    if library:
        chosen = cases.options()
    else:
        chosen = onnxruntime.SessionOptions()
        chosen.intra_op_num_threads = 1
        chosen.log_severity_level = 4
    return onnxruntime.InferenceSession(made.SerializeToString(), chosen, providers=["CPUExecutionProvider"])


def assert_near(answers: dict[str, np.ndarray], expected: torch.Tensor, relative: float, absolute: float) -> None:
    for array in answers.values():
        assert array.shape == tuple(expected.shape)
        np.testing.assert_allclose(
            array.astype(np.float64), expected.double().numpy(), relative, absolute, equal_nan=True
        )
        assert array.dtype == expected.numpy().dtype


@pytest.mark.parametrize("name", NAMES)
def test_only_standard_operators(name):
    body = function(name)
    assert (body.domain, body.name) == ("imgsim", name)
    assert {opset.domain: opset.version for opset in body.opset_import} == {"": 18}
    # What OpenCV 5 and others get wrong or do not have.
    assert not {node.op_type for node in body.node} & {"Mean", "Tile", "Range", "Gather", "GlobalAveragePool"}
    assert {node.domain for node in body.node} == {""}


@examples(60)
@given(st.data(), st.sampled_from([*FLOATS, *INTEGERS]), shapes(4, 1, 3000, SIZES), st.sampled_from([0, 1, 3]))
def test_repeat_interleave(data, dtype, shape, repeats):
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    x = np.random.default_rng(0).integers(0, 100, shape).astype(dtype)
    expected = ops.repeat_interleave(torch.from_numpy(x), repeats, axis)
    answers = run_everywhere("RepeatInterleave", x, repeats=repeats, axis=axis)
    assert_near(answers, expected, 0, 0)  # moved, not computed


@pytest.mark.parametrize("repeats", [0, 1, 3])
@pytest.mark.parametrize("axis", [-3, -2, -1, 0, 1, 2])
def test_repeat_interleave_along_each_axis(axis, repeats):
    x = np.arange(2 * 3 * 4, dtype=np.float32).reshape(2, 3, 4)
    for answer in run_everywhere("RepeatInterleave", x, repeats=repeats, axis=axis).values():
        assert np.array_equal(answer, np.repeat(x, repeats, axis))


@examples(60)
@given(st.data(), floats, shapes(4, 1, 10_000, SOME), st.booleans(), seeds())
def test_reduce_mean(data, dtype, shape, keepdims, seed):
    axes = data.draw(st.lists(st.integers(0, len(shape) - 1), unique=True, min_size=1))
    axes = [data.draw(st.sampled_from([axis, axis - len(shape)])) for axis in axes]
    x = tensor(shape, FLOATS[dtype], "normal", seed)
    expected = ops.reduce_mean(x, axes, keepdims)
    answers = run_everywhere("ReduceMean", x.numpy(), axes=axes, keepdims=int(keepdims))
    # Sums of n values of up to 5 in the type's own precision, in some order: at worst each addition rounds a sum of
    # n * 5, and division by n makes that n * 5 * eps. NumPy and ONNX Runtime add in blocks, so an eighth is plenty;
    # 16 covers short sums. Twice eps for the result.
    eps, n = np.finfo(dtype).eps, x.numel() // max(1, expected.numel())
    assert_near(answers, expected, 2 * eps, eps * max(16, n / 8))


@examples(40)
@given(
    floats,
    st.sampled_from([0, 1, 7]),
    st.lists(
        st.tuples(st.sampled_from([1, 2, 17, 34]), st.sampled_from(SOME), st.sampled_from(SOME)),
        min_size=4,
        max_size=4,
    ),
    st.sampled_from([1, 2]),
    seeds(),
)
def test_multiscale_pool(dtype, batch, maps, repeats, seed):
    width = 34 * repeats
    maps = [tensor((batch, *shape), FLOATS[dtype], "normal", seed + i) for i, shape in enumerate(maps)]
    answers = run_everywhere("MultiscalePool", *[m.numpy() for m in maps], width=width)
    # As for the mean, of up to 33 x 33 positions; three more additions of values of up to 5.
    assert_near(answers, ops.multiscale_pool(maps, width), 2 * np.finfo(dtype).eps, 136 * np.finfo(dtype).eps)


@pytest.mark.parametrize("count", [0, 1, 7])
def test_multiscale_pool_of_resnet18(count):
    maps = [tensor((count, c, 3584 // c, 3584 // c), seed=c) for c in (64, 128, 256, 512)]
    answers = run_everywhere("MultiscalePool", *[m.numpy() for m in maps], width=512)
    # Means of at most 3136 values of about 1, of size 0.02 themselves: block sums err by some hundred roundings.
    assert_near(answers, ops.multiscale_pool(maps, 512), 0, 1e-6)


@st.composite
def operands(draw):
    """Two shapes that broadcast in all but the axis, and the axis.

    Of nothing it is counted from the front: ONNX Runtime 1.31's ReduceSum keeps a dimension of an empty array that a
    negative number names.
    """
    shape = draw(shapes(4, 1, 5000, SIZES))
    axis = draw(st.integers(0, len(shape) - 1))
    one = [s if i == axis else draw(st.sampled_from([s, s, 1])) for i, s in enumerate(shape)]
    if 0 not in shape and draw(st.booleans()):
        axis -= len(shape)
        # Then leading dimensions may be missing, but for the vectors' own.
        one = one[draw(st.integers(0, len(shape) + axis)) :]
    return draw(st.permutations([one, list(shape)])), axis


@examples(100)
@given(operands(), floats, st.sampled_from([1e-8, 0.5]), st.sampled_from(["normal", "zeros", "duplicates"]), seeds())
def test_cosine_similarity(pair, dtype, eps, kind, seed):
    (one, other), axis = pair
    x1, x2 = tensor(one, FLOATS[dtype], kind, seed), tensor(other, FLOATS[dtype], "normal", seed + 1)
    answers = run_everywhere("CosineSimilarity", x1.numpy(), x2.numpy(), axis=axis, eps=eps)
    # The body computes in float32 whatever the type: sums of up to 33 products err by less than 33 eps of the product
    # of the norms, to which a score is relative; then one rounding to the type. eps itself is a float in the file.
    rounding = max(F32_EPS, np.finfo(dtype).eps)
    assert_near(answers, ops.cosine_similarity(x1, x2, axis, eps), rounding, 66 * F32_EPS)


@pytest.mark.parametrize("dtype", list(FLOATS))
def test_cosine_similarity_of_zero_and_nan(dtype):
    x1 = np.array([[0, 0], [3, 4], [0, 0], [np.nan, 1]], dtype)
    x2 = np.array([[0, 0], [4, 3], [1, 2], [1, 1]], dtype)
    for answer in run_everywhere("CosineSimilarity", x1, x2, axis=-1, eps=1e-8).values():
        assert answer.dtype == dtype
        assert answer[[0, 2]].tolist() == [0, 0]
        assert answer[1] == dtype(0.96) or dtype is np.float64  # float32 inside
        assert abs(answer[1] - 0.96) < 1e-3 if dtype is np.float16 else abs(answer[1] - 0.96) < 1e-6
        assert np.isnan(answer[3])


broadcast = pytest.mark.parametrize(
    ("one", "other", "axis"),
    [([7], [5, 7], 1), ([7], [5, 7], 0), ([5, 1], [5, 7], -1), ([1], [5, 7], -1)],
)


@broadcast
def test_cosine_similarity_along_an_axis_of_the_broadcast_shape(one, other, axis):
    x1, x2 = tensor(one, seed=1), tensor(other, seed=2)
    answers = run_everywhere("CosineSimilarity", x1.numpy(), x2.numpy(), axis=axis, eps=1e-8)
    assert_near(answers, ops.cosine_similarity(x1, x2, axis), 0, 66 * F32_EPS)  # as above


@pytest.mark.parametrize(
    ("op", "shapes", "attributes"),
    [
        ("RepeatInterleave", [[3, 4]], {"repeats": 2}),
        ("ReduceMean", [[3, 4]], {"axes": [0]}),
        ("CosineSimilarity", [[3, 4]] * 2, {}),
    ],
)
@pytest.mark.parametrize("library", [False, True])
def test_defaults_of_attributes(op, shapes, attributes, library):
    """A node that leaves them out means the last dimension, no keepdims and 1e-8, with our operators and without."""
    defaults = {"RepeatInterleave": {"axis": -1}, "ReduceMean": {"keepdims": 0}, "CosineSimilarity": {"eps": 1e-8}}
    arrays = [tensor(shape, seed=i).numpy() for i, shape in enumerate(shapes)]
    inputs = [(np.float32, shape) for shape in shapes]
    (short,) = session(with_body(op, inputs, **attributes), library).run(None, cases.feed(arrays))
    whole = {"axis": -1, **defaults[op]} if op == "CosineSimilarity" else defaults[op]
    (long,) = session(with_body(op, inputs, **attributes, **whole), library).run(None, cases.feed(arrays))
    assert np.array_equal(short, long)


@pytest.mark.parametrize("dtype", list(FLOATS))
def test_our_operators_stand_in_for_the_bodies(dtype):
    """In a file with bodies a registered library runs instead of them, as in a file without."""
    maps = [tensor((3, c, 5, 7), FLOATS[dtype], seed=c) for c in (2, 3, 4, 12)]
    x, y = tensor((7, 33), FLOATS[dtype], "normal", 1), tensor((7, 33), FLOATS[dtype], "normal", 2)
    for op, inputs, attributes, expected in (
        ("RepeatInterleave", [x], {"repeats": 3, "axis": 0}, ops.repeat_interleave(x, 3, 0)),
        ("ReduceMean", [x], {"axes": [1], "keepdims": 1}, ops.reduce_mean(x, [1], True)),
        ("MultiscalePool", maps, {"width": 12}, ops.multiscale_pool(maps, 12)),
        ("CosineSimilarity", [x, y], {"axis": 1, "eps": 1e-8}, ops.cosine_similarity(x, y, 1)),
    ):
        arrays = [value.numpy() for value in inputs]
        made = with_body(op, [(dtype, array.shape) for array in arrays], **attributes)
        # To the bit, which no body is in all of these types.
        cases.assert_same(session(made, library=True).run(None, cases.feed(arrays)), expected)


def test_our_operators_are_not_the_bodies():
    """What the test above would not see if a library left unused gave equal bits: sums beyond float32."""
    x = np.array([[1e20, 1e20]], np.float32)
    made = with_body("CosineSimilarity", [(np.float32, [1, 2])] * 2, axis=-1, eps=1e-8)
    assert session(made, library=True).run(None, cases.feed([x, x]))[0].tolist() == [1]
