"""One-node models of the domain imgsim, and sessions that run them with the native library."""

import numpy as np
import onnxruntime
import torch
from onnx import TensorProto, helper

import imgsim_ops

FLOATS = {np.float32: torch.float32, np.float64: torch.float64, np.float16: torch.float16}
SIZES = (0, 1, 7, 17, 33)

BFLOAT16 = TensorProto.BFLOAT16  # NumPy has no such type
TYPES = {
    BFLOAT16: BFLOAT16,
    np.float32: TensorProto.FLOAT,
    np.float64: TensorProto.DOUBLE,
    np.float16: TensorProto.FLOAT16,
    np.int64: TensorProto.INT64,
    np.int32: TensorProto.INT32,
    np.int8: TensorProto.INT8,
    np.uint8: TensorProto.UINT8,
    np.bool_: TensorProto.BOOL,
}
OUTPUTS = {
    "RepeatInterleave": "x",
    "ReduceMean": "x",
    "MultiscalePool": "x",
    "CosineSimilarity": "x",
    "ChannelStats": "ww",
    "CosineTopk": "wi",
    "CosinePairs": "iiw",
}
"""Of each output: x the inputs' type, w double for double and float for all others, i int64."""


def options(threads: int = 1) -> onnxruntime.SessionOptions:
    """Session options with the library registered, and no log on the terminal."""
    made = onnxruntime.SessionOptions()
    made.intra_op_num_threads = threads
    made.inter_op_num_threads = 1
    made.log_severity_level = 4
    made.register_custom_ops_library(str(imgsim_ops.ort_library_path()))
    return made


def model(op: str, inputs: list[tuple], **attributes) -> bytes:
    """A model of one node.

    Args:
        op: Its operator.
        inputs: Of each input (NumPy type, shape or None).
        attributes: Its attributes.
    """
    first = inputs[0][0]
    wide = TensorProto.DOUBLE if first is np.float64 else TensorProto.FLOAT
    kinds = {"x": TYPES[first], "w": wide, "i": TensorProto.INT64}
    names = [f"x{i}" for i in range(len(inputs))]
    outputs = [f"y{i}" for i in range(len(OUTPUTS[op]))]
    node = helper.make_node(op, names, outputs, domain="imgsim", **attributes)
    graph = helper.make_graph(
        [node],
        "one",
        [helper.make_tensor_value_info(n, TYPES[t], s) for n, (t, s) in zip(names, inputs, strict=True)],
        [helper.make_tensor_value_info(n, kinds[k], None) for n, k in zip(outputs, OUTPUTS[op], strict=True)],
    )
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("imgsim", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()


def session(op: str, inputs: list[tuple], threads: int = 1, **attributes) -> onnxruntime.InferenceSession:
    """A session for one node, on the processor."""
    data = model(op, inputs, **attributes)
    return onnxruntime.InferenceSession(data, options(threads), providers=["CPUExecutionProvider"])


def feed(arrays: list[np.ndarray]) -> dict[str, np.ndarray]:
    return {f"x{i}": array for i, array in enumerate(arrays)}


def run(op: str, *arrays: np.ndarray, threads: int = 1, **attributes) -> list[np.ndarray]:
    """What the native operator answers."""
    inputs = [(array.dtype.type, [None] * array.ndim) for array in arrays]
    return session(op, inputs, threads, **attributes).run(None, feed(list(arrays)))


def assert_same(ours, theirs) -> None:
    """Equal to the last bit, whatever NaN's payload."""
    theirs = theirs if isinstance(theirs, tuple) else (theirs,)
    for array, expected in zip(ours, theirs, strict=True):
        expected = expected.numpy() if isinstance(expected, torch.Tensor) else expected
        assert array.dtype == expected.dtype
        assert array.shape == expected.shape
        assert np.array_equal(array, expected, equal_nan=array.dtype.kind == "f")
