"""The part of an ONNX model between raw pixels and a backbone's four taps, in 8-bit integers.

Static quantisation with QDQ nodes: weights int8 for each output channel, activations uint8 with ranges observed on
photographs. Convolutions, additions and clips are quantised together: with convolutions alone the ranges before
ReLU6's clip are so wide that the vectors break.

The pixels themselves are the first convolution's quantised input, scale 1, so nothing is cast, subtracted or rounded
in front of it. Where the three channels' means differ, the zero point is one whole number between them, and a bias
makes up for the difference, exactly but for the zero padding at the picture's border.
"""

from __future__ import annotations

import copy
import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
import torch.nn.functional as F
from onnx import helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from torch import nn

from imgsim_ops.export.network import PIXELS, export_network
from imgsim_ops.models.extractor import MultiScaleExtractor

_BLOCKS = "blocks"
_OPERATORS = ["Conv", "Add", "Clip", "Relu", "MaxPool"]


def int8_network(extractor: MultiScaleExtractor, pixels: np.ndarray) -> onnx.ModelProto:
    """The extractor up to its taps, in 8-bit integers; input and outputs as of ``network.float_network``.

    Args:
        extractor: The extractor in float32; stays as it is.
        pixels: uint8 (N, 224, 224, 3), N at least 1: pictures of the kind that the model will see. The ranges of
            all activations are taken from them.
    """
    module = _OnBlocks(extractor)
    batches = [{_BLOCKS: _blocks(picture[np.newaxis]).astype(np.float32) - module.zero_point} for picture in pixels]
    model = export_network(module, torch.zeros(2, 12, 112, 112), _BLOCKS)
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
                    _BLOCKS: [{"scale": np.array(1, np.float32), "zero_point": np.array(module.zero_point, np.uint8)}]
                }
            },
        )
        quantised = onnx.load(path)
    _correct_biases(quantised, model, batches)
    _read_pixels_directly(quantised)
    return quantised


class _OnBlocks(nn.Module):
    """The extractor's backbone on 2 x 2 blocks of pixels, float (N, 12, 112, 112), less the zero point.

    The first convolution, of stride 2, becomes one of stride 1 on blocks. It is the same sum; but ONNX Runtime's
    integer convolution reads its input in place only where the channels are a multiple of 4, and otherwise spends
    half of its time on copying.
    """

    def __init__(self, extractor: MultiScaleExtractor) -> None:
        super().__init__()
        self.backbone = copy.deepcopy(extractor.backbone).to(memory_format=torch.contiguous_format)
        mean = extractor.mean_pixel.double().flatten()
        self.zero_point = round(float(mean.mean()))
        first = self.backbone.first_convolution()
        bias = first.bias.double() + (first.weight.double().sum((2, 3)) * (self.zero_point - mean)).sum(1)
        zeros_before = first.zeros[0] if hasattr(first, "zeros") else first.padding[0]
        self.backbone.replace_first_convolution(_on_blocks(first.weight, bias.float(), zeros_before))

    def forward(self, blocks: torch.Tensor) -> list[torch.Tensor]:
        return self.backbone(blocks)


def _on_blocks(weight: torch.Tensor, bias: torch.Tensor, zeros_before: int) -> nn.Module:
    """The convolution of stride 2 with weights (O, 3, k, k) and zeros left and above, as one on blocks."""
    outputs, channels, kernel, _ = weight.shape
    # Zero weights make the kernel begin and end with a whole block.
    lead = zeros_before % 2
    trail = (kernel + lead) % 2
    weight = F.pad(weight, (lead, trail, lead, trail))
    size = weight.shape[-1] // 2
    weight = weight.reshape(outputs, channels, size, 2, size, 2).permute(0, 3, 5, 1, 2, 4)
    convolution = nn.Conv2d(4 * channels, outputs, size)
    convolution.weight = nn.Parameter(weight.reshape(outputs, 4 * channels, size, size), requires_grad=False)
    convolution.bias = nn.Parameter(bias, requires_grad=False)
    before = (zeros_before + lead) // 2
    return nn.Sequential(nn.ZeroPad2d((before, size - 1 - before) * 2), convolution)


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
        # The exporter leaves out biases that are all zero, those of random weights: a timing needs no correction.
        if node.op_type == "Conv" and len(node.input) > 2:
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
    (quantise,) = (node for node in graph.node if node.op_type == "QuantizeLinear" and node.input[0] == _BLOCKS)
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
