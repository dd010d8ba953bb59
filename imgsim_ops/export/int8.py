"""The part of an ONNX model between raw pixels and a backbone's four taps, in 8-bit integers.

Static quantisation with QDQ nodes: weights int8 for each output channel, activations uint8 with ranges observed on
photographs. Convolutions, additions and clips are quantised together: with convolutions alone the ranges before
ReLU6's clip are so wide that the vectors break.

The pixels themselves are the first convolution's quantised input, scale 1, so nothing is cast, subtracted or rounded
in front of it. Where the three channels' means differ, the zero point is one whole number between them, and a bias
makes up for the difference, exactly but for the zero padding at the picture's border.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

from imgsim_ops.export.graph import IMAGES, PIXELS, folded, network_of
from imgsim_ops.models.plans import Plan

_OPERATORS = ["Conv", "Add", "Clip", "Relu", "MaxPool"]


def int8_network(plan: Plan, state: Mapping[str, np.ndarray], pixels: np.ndarray) -> onnx.ModelProto:
    """A backbone up to its taps, in 8-bit integers; input and outputs as of ``graph.float_network``.

    Args:
        plan: The backbone.
        state: Its values, as of ``models.states.state_of_file``.
        pixels: uint8 (N, 224, 224, 3), N at least 1: pictures of the kind that the model will see. The ranges of
            all activations are taken from them.
    """
    model, zero_point = _on_blocks(plan, state)
    batches = [{IMAGES: _blocks(picture[np.newaxis]).astype(np.float32) - zero_point} for picture in pixels]
    with tempfile.TemporaryDirectory() as folder, _quiet_quantiser():
        source, path = Path(folder) / "float.onnx", Path(folder) / "int8.onnx"
        onnx.save(model, source)
        quantize_static(
            source,
            path,
            _Batches(batches),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            op_types_to_quantize=_OPERATORS,
            extra_options={
                "TensorQuantOverrides": {
                    IMAGES: [{"scale": np.array(1, np.float32), "zero_point": np.array(zero_point, np.uint8)}]
                }
            },
        )
        quantised = onnx.load(path)
    _correct_biases(quantised, model, batches)
    _read_pixels_directly(quantised)
    return quantised


def _on_blocks(plan: Plan, state: Mapping[str, np.ndarray]) -> tuple[onnx.ModelProto, int]:
    """A backbone on 2 x 2 blocks of pixels, float (N, 12, 112, 112), less the zero point, which is the second.

    The first convolution, of stride 2, becomes one of stride 1 on blocks. It is the same sum; but ONNX Runtime's
    integer convolution reads its input in place only where the channels are a multiple of 4, and otherwise spends
    half of its time on copying.
    """
    values = folded(plan, state)
    first = plan.convolutions()[0]
    weight, bias = (value.astype(np.float64) for value in values[first.name])
    mean = 255 * np.array(plan.mean)
    zero_point = round(float(mean.mean()))
    bias = bias + (weight.sum((2, 3)) * (zero_point - mean)).sum(1)
    outputs, channels, kernel, _ = weight.shape
    # Zero weights make the kernel begin and end with a whole block.
    lead = first.zeros[0] % 2
    trail = (kernel + lead) % 2
    weight = np.pad(weight, ((0, 0), (0, 0), (lead, trail), (lead, trail)))
    size = weight.shape[-1] // 2
    weight = weight.reshape(outputs, channels, size, 2, size, 2).transpose(0, 3, 5, 1, 2, 4)
    shape = outputs, 4 * channels, size, size
    values[first.name] = weight.reshape(shape).astype(np.float32), bias.astype(np.float32)
    before = (first.zeros[0] + lead) // 2
    model = network_of(plan, values, replace(first, shape=shape, stride=1, zeros=(before, size - 1 - before)))
    model.graph.input.append(helper.make_tensor_value_info(IMAGES, onnx.TensorProto.FLOAT, ["N", 12, 112, 112]))
    return model, zero_point


def _blocks(pixels: np.ndarray) -> np.ndarray:
    """(N, 224, 224, 3) as (N, 12, 112, 112): the channels of each 2 x 2 block, row by row."""
    n = len(pixels)
    return pixels.reshape(n, 112, 2, 112, 2, 3).transpose(0, 2, 4, 5, 1, 3).reshape(n, 12, 112, 112)


class _Batches(CalibrationDataReader):
    def __init__(self, batches: list[dict[str, np.ndarray]]) -> None:
        self._remaining = iter(batches)

    def get_next(self) -> dict[str, np.ndarray] | None:
        return next(self._remaining, None)


def _correct_biases(quantised: onnx.ModelProto, model: onnx.ModelProto, batches: list[dict[str, np.ndarray]]) -> None:
    """Moves each convolution's bias by what rounding its weights has moved the means of its channels.

    Pooling averages, so an error in a mean stays where others cancel. Source: Nagel et al. 2019, "Data-Free
    Quantization Through Weight Equalization and Bias Correction" (arXiv:1906.04721), section 4.2, with means observed
    on pictures. The zeros at the borders are left out of account.
    """
    values = {t.name: t for graph in (model.graph, quantised.graph) for t in graph.initializer}
    dequantised = {node.output[0]: node for node in quantised.graph.node if node.op_type == "DequantizeLinear"}
    floats = {node.name: node for node in model.graph.node if node.op_type == "Conv"}
    means = _input_means(model, list(floats.values()), batches)
    for node in quantised.graph.node:
        if node.op_type == "Conv":
            weight, scale, _ = (numpy_helper.to_array(values[i]) for i in dequantised[node.input[1]].input)
            exact = numpy_helper.to_array(values[floats[node.name].input[1]])
            rounding = (weight * scale.reshape(-1, 1, 1, 1).astype(np.float64) - exact).sum((2, 3))
            outputs, depth = rounding.shape
            groups = means[node.name].reshape(-1, depth)  # of channels that one output reads
            moved = (rounding.reshape(len(groups), -1, depth) * groups[:, np.newaxis]).sum(2).reshape(outputs)
            bias, step = (values[name] for name in dequantised[node.input[2]].input[:2])
            corrected = numpy_helper.to_array(bias) - np.rint(moved / numpy_helper.to_array(step)).astype(np.int32)
            bias.CopyFrom(numpy_helper.from_array(corrected, bias.name))


def _input_means(
    model: onnx.ModelProto, nodes: list[onnx.NodeProto], batches: list[dict[str, np.ndarray]]
) -> dict[str, np.ndarray]:
    """The mean of each channel of what each of some nodes reads, by the node's name."""
    inputs = [node.input[0] for node in nodes]
    exposed = onnx.ModelProto()
    exposed.CopyFrom(model)
    del exposed.graph.output[:]
    exposed.graph.output.extend(onnx.ValueInfoProto(name=name) for name in dict.fromkeys(inputs))
    session = onnxruntime.InferenceSession(exposed.SerializeToString(), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    runs = [[value.mean((0, 2, 3)) for value in session.run(names, batch)] for batch in batches]
    means = dict(zip(names, (np.mean(values, axis=0) for values in zip(*runs, strict=True)), strict=True))
    return {node.name: means[name] for node, name in zip(nodes, inputs, strict=True)}


def _read_pixels_directly(model: onnx.ModelProto) -> None:
    """Puts uint8 pixels in the place of the quantised float input."""
    graph = model.graph
    (quantise,) = (node for node in graph.node if node.op_type == "QuantizeLinear" and node.input[0] == IMAGES)
    quantised = quantise.output[0]
    graph.node.remove(quantise)
    for name, shape in {"row_pairs_shape": [0, 112, 2, 672], "halves_shape": [0, 112, 112, 6]}.items():
        graph.initializer.append(helper.make_tensor(name, onnx.TensorProto.INT64, [4], shape))
    # Even rows beside odd rows: copies of whole rows, then of 6 bytes. One Transpose takes three times as long.
    front = [
        helper.make_node("Reshape", [PIXELS, "row_pairs_shape"], ["row_pairs"]),
        helper.make_node("Split", ["row_pairs"], ["even_rows", "odd_rows"], axis=2, num_outputs=2),
        helper.make_node("Reshape", ["even_rows", "halves_shape"], ["upper_halves"]),
        helper.make_node("Reshape", ["odd_rows", "halves_shape"], ["lower_halves"]),
        helper.make_node("Concat", ["upper_halves", "lower_halves"], ["blocks_last"], axis=3),
        helper.make_node("Transpose", ["blocks_last"], [quantised], perm=[0, 3, 1, 2]),
    ]
    for position, node in enumerate(front):
        graph.node.insert(position, node)
    del graph.input[:]
    graph.input.append(helper.make_tensor_value_info(PIXELS, onnx.TensorProto.UINT8, ["N", 224, 224, 3]))


@contextmanager
def _quiet_quantiser() -> Iterator[None]:
    """The quantiser advises, by the root logger, a preparation that the extractor has had already."""
    disabled = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(disabled)
