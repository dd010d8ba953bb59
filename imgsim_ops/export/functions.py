"""The bodies of the domain's ONNX nodes: what a runtime without our operator library executes.

Each is a model-local function in standard operators that every importer reads: no ``Mean`` over several inputs, no
``Tile``, no ``Range``. The contracts are those of ``imgsim_ops.ops``; the native kernels of ``csrc/bindings/ort`` take
the same inputs and attributes and stand in for the bodies where the library is registered. The body of CosineSimilarity
computes in float32 whatever it gets, the kernel in float64.
"""

from __future__ import annotations

import onnx
import onnx.parser

DOMAIN = "imgsim"
DOMAIN_VERSION = 1
OPSET = 18
IR_VERSION = 8  # of ONNX Runtime 1.17, the oldest that runs the file

# A Reshape with allowzero keeps empty arrays; without it a size of 0 means "as in the input".
_BODIES = {
    "RepeatInterleave": """
        RepeatInterleave <repeats, axis: int = -1> (X) => (Y) {
            one = Constant <value = int64[1] {1}> ()
            zero = Constant <value = int64[1] {0}> ()
            end = Constant <value = int64[1] {9223372036854775807}> ()
            repeats = Constant <value_int: int = @repeats> ()
            times = Reshape (repeats, one)
            before = Shape <end: int = @axis> (X)
            from_axis = Shape <start: int = @axis> (X)
            size = Slice (from_axis, zero, one)
            after = Slice (from_axis, one, end)
            split_shape = Concat <axis = 0> (before, size, one, after)
            wide_shape = Concat <axis = 0> (before, size, times, after)
            long = Mul (size, times)
            out_shape = Concat <axis = 0> (before, long, after)
            split = Reshape <allowzero = 1> (X, split_shape)
            wide = Expand (split, wide_shape)
            Y = Reshape <allowzero = 1> (wide, out_shape)
        }""",
    "ReduceMean": """
        ReduceMean <axes: ints = [], keepdims: int = 0> (X) => (Y) {
            axes = Constant <value_ints: ints = @axes> ()
            Y = ReduceMean <keepdims: int = @keepdims> (X, axes)
        }""",
    "CosineSimilarity": """
        CosineSimilarity <axis: int = -1, eps: float = 1e-8> (X1, X2) => (Y) {
            one = Constant <value = int64[1] {1}> ()
            axis = Constant <value_int: int = @axis> ()
            axes = Reshape (axis, one)
            eps = Constant <value_float: float = @eps> ()
            a = Cast <to = 1> (X1)
            b = Cast <to = 1> (X2)
            ab = Mul (a, b)
            shape = Shape (ab)
            wide_a = Expand (a, shape)
            wide_b = Expand (b, shape)
            aa = Mul (wide_a, wide_a)
            bb = Mul (wide_b, wide_b)
            dot = ReduceSum <keepdims = 0> (ab, axes)
            squares_a = ReduceSum <keepdims = 0> (aa, axes)
            squares_b = ReduceSum <keepdims = 0> (bb, axes)
            norm_a = Sqrt (squares_a)
            norm_b = Sqrt (squares_b)
            norms = Mul (norm_a, norm_b)
            divisor = Max (norms, eps)
            score = Div (dot, divisor)
            Y = CastLike (score, X1)
        }""",
}


def _multiscale_pool() -> str:
    lines = []
    for i in (1, 2, 3, 4):
        lines += [
            f"pooled{i} = ReduceMean <keepdims = 0> (X{i}, positions)",
            f"channels{i} = Shape <start = 1, end = 2> (X{i})",
            f"repeats{i} = Div (width, channels{i})",
            f"expanded{i} = Concat <axis = 0> (one, one, repeats{i})",
            f"column{i} = Unsqueeze (pooled{i}, last)",
            f"repeated{i} = Expand (column{i}, expanded{i})",
            f"wide{i} = Reshape (repeated{i}, shape)",  # the 0 in `shape` stands for N
        ]
    return f"""
        MultiscalePool <width> (X1, X2, X3, X4) => (Y) {{
            zero = Constant <value = int64[1] {{0}}> ()
            one = Constant <value = int64[1] {{1}}> ()
            last = Constant <value = int64[1] {{2}}> ()
            positions = Constant <value = int64[2] {{2, 3}}> ()
            width_scalar = Constant <value_int: int = @width> ()
            width = Reshape (width_scalar, one)
            shape = Concat <axis = 0> (zero, width)
            {chr(10).join(lines)}
            sum12 = Add (wide1, wide2)
            sum123 = Add (sum12, wide3)
            sum = Add (sum123, wide4)
            quarter = Constant <value = float {{0.25}}> ()
            factor = CastLike (quarter, sum)
            Y = Mul (sum, factor)
        }}"""


def function(name: str) -> onnx.FunctionProto:
    """The body of the node type ``name``: RepeatInterleave, ReduceMean, MultiscalePool or CosineSimilarity."""
    body = _multiscale_pool() if name == "MultiscalePool" else _BODIES[name]
    header = f'<domain: "{DOMAIN}", opset_import: ["" : {OPSET}]>'
    return onnx.parser.parse_function(header + body)


NAMES = (*_BODIES, "MultiscalePool")
