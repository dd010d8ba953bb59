"""Each refusal has the words of the other bindings, as an INVALID_ARGUMENT of the run, or at the session's creation."""

import math
import re

import numpy as np
import pytest
from onnxruntime.capi.onnxruntime_pybind11_state import Fail, InvalidArgument, InvalidGraph, RuntimeException

from tests.support.ort_models import run, session

ONES = np.ones
F32, F64 = np.float32, np.float64


@pytest.mark.parametrize(
    ("op", "shapes", "attributes", "message"),
    [
        ("RepeatInterleave", [[3]], {"repeats": -1}, "repeats must not be negative (got -1)"),
        ("RepeatInterleave", [[]], {"repeats": 2}, "the tensor must have at least one dimension (got a scalar)"),
        ("RepeatInterleave", [[3, 4]], {"repeats": 2, "axis": -3}, "dim must be in [-2, 1] (got -3)"),
        ("RepeatInterleave", [[3]], {"repeats": 2**62}, f"the result must fit the address space (got {2**62} repeats)"),
        ("ReduceMean", [[3, 4]], {"axes": [2]}, "dim must be in [-2, 1] (got 2)"),
        ("ReduceMean", [[3, 4]], {"axes": [0, -2]}, "a dim may be named once (got [0, -2])"),
        ("MultiscalePool", [[1, 2, 3, 3]] * 4, {"width": 0}, "width must be positive (got 0)"),
        ("MultiscalePool", [[1, 2, 3]] * 4, {"width": 4}, "feature maps must have shape (N, C, H, W) (got [1, 2, 3])"),
        (
            "MultiscalePool",
            [[1, 2, 3, 3], [2, 2, 3, 3], [1, 2, 3, 3], [1, 2, 3, 3]],
            {"width": 4},
            "feature maps must have one batch size (got 1 and 2)",
        ),
        (
            "MultiscalePool",
            [[1, 2, 3, 3], [1, 3, 3, 3], [1, 2, 3, 3], [1, 2, 3, 3]],
            {"width": 4},
            "width must be a multiple of every map's channels (got width 4, channels 3)",
        ),
        ("CosineSimilarity", [[3], [4]], {}, "shapes must broadcast (got [3] and [4])"),
        ("CosineSimilarity", [[3], [2, 3]], {"axis": 2}, "dim must be in [-2, 1] (got 2)"),
        ("CosineSimilarity", [[3], [3]], {"eps": -1.0}, "eps must not be negative (got -1)"),
        ("CosineSimilarity", [[], []], {}, "tensors must have at least one dimension (got scalars)"),
        ("ChannelStats", [[3, 4, 5]], {}, "images must have shape (N, C, H, W) (got [3, 4, 5])"),
        ("ChannelStats", [[0, 3, 4, 5]], {}, "images must have pixels (got shape [0, 3, 4, 5])"),
        ("CosineTopk", [[3, 4], [5, 4]], {"k": 6}, "k must be between 0 and the gallery's 5 rows (got 6)"),
        ("CosineTopk", [[3, 4], [5, 3]], {"k": 1}, "queries and gallery must have equally long rows (got 4 and 3)"),
        ("CosineTopk", [[4], [5, 4]], {"k": 1}, "queries and gallery must be matrices (got shapes [4] and [5, 4])"),
        ("CosinePairs", [[4]], {"threshold": 0.5}, "vectors must be a matrix (got shape [4])"),
        ("CosinePairs", [[3, 4]], {"threshold": math.nan}, "threshold must be a number (got nan)"),
    ],
)
def test_refused_at_run(op, shapes, attributes, message):
    name = re.sub("(?<!^)([A-Z])", r"_\1", op).lower()
    with pytest.raises(InvalidArgument) as caught:
        run(op, *[ONES(shape, F32) for shape in shapes], **attributes)
    assert str(caught.value).endswith(f"Status Message: {name}: {message}")


@pytest.mark.parametrize(
    ("op", "inputs", "attributes", "message"),
    [
        ("RepeatInterleave", 1, {}, "repeat_interleave: repeats must be given (got no such attribute)"),
        ("MultiscalePool", 4, {}, "multiscale_pool: width must be given (got no such attribute)"),
        ("CosineTopk", 2, {}, "cosine_topk: k must be given (got no such attribute)"),
        ("CosinePairs", 1, {}, "cosine_pairs: threshold must be given (got no such attribute)"),
        ("CosineTopk", 2, {"k": 1.0}, "cosine_topk: k must be an integer (got an attribute of another type)"),
        (
            "CosinePairs",
            1,
            {"threshold": 1},
            "cosine_pairs: threshold must be a float (got an attribute of another type)",
        ),
        ("ReduceMean", 1, {"axes": 1}, "reduce_mean: axes must be integers (got an attribute of another type)"),
        (
            "ReduceMean",
            1,
            {"keepdims": "yes"},
            "reduce_mean: keepdims must be an integer (got an attribute of another type)",
        ),
        (
            "CosineSimilarity",
            2,
            {"axis": [1]},
            "cosine_similarity: axis must be an integer (got an attribute of another type)",
        ),
    ],
)
def test_refused_at_creation(op, inputs, attributes, message):
    with pytest.raises(RuntimeException) as caught:
        session(op, [(F32, [None, None])] * inputs, **attributes)
    assert str(caught.value).endswith(message)


@pytest.mark.parametrize(
    ("op", "types"),
    [
        ("CosineTopk", (F32, F64)),
        ("CosineSimilarity", (F64, F32)),
        ("ReduceMean", (np.int64,)),
        ("CosinePairs", (np.uint8,)),
        ("ChannelStats", (np.int64,)),
    ],
)
def test_types_without_a_kernel_are_refused(op, types):
    with pytest.raises((Fail, InvalidGraph), match=rf"(?s)\[ONNXRuntimeError\].*{op}"):
        session(op, [(t, [None, None]) for t in types], k=1, threshold=0.5)
