"""The part of an ONNX model between raw pixels and a backbone's four taps, made from its weights without PyTorch."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from imgsim_ops.export.functions import DOMAIN, IR_VERSION, OPSET
from imgsim_ops.models.plans import Convolution, Plan

PIXELS = "pixels"
TAPS = ("tap1", "tap2", "tap3", "tap4")
IMAGES = "images"

#: Weights and bias of each convolution, float32, by its name.
Folded = dict[str, tuple[np.ndarray, np.ndarray]]


def float_network(plan: Plan, state: Mapping[str, np.ndarray]) -> onnx.ModelProto:
    """A backbone up to its taps, in float32.

    Args:
        plan: The backbone.
        state: Its values, as of ``models.states.state_of_file``.

    Returns:
        A model from ``pixels``, uint8 (N, 224, 224, 3), to ``tap1`` to ``tap4``, float32 (N, C_i, H_i, W_i).
    """
    mean = numpy_helper.from_array((255 * np.array(plan.mean)).astype(np.float32).reshape(1, 3, 1, 1), "mean_pixel")
    front = [
        helper.make_node("Transpose", [PIXELS], ["pixels_nchw"], name="pixels_nchw", perm=[0, 3, 1, 2]),
        helper.make_node("Cast", ["pixels_nchw"], ["float_pixels"], name="float_pixels", to=TensorProto.FLOAT),
        helper.make_node("Sub", ["float_pixels", "mean_pixel"], [IMAGES], name=IMAGES),
    ]
    model = network_of(plan, folded(plan, state))
    graph = model.graph
    for node in reversed(front):
        graph.node.insert(0, node)
    graph.initializer.append(mean)
    graph.input.append(helper.make_tensor_value_info(PIXELS, TensorProto.UINT8, ["N", 224, 224, 3]))
    return model


def folded(plan: Plan, state: Mapping[str, np.ndarray]) -> Folded:
    """The convolutions with the batch norms and the division of the normalisation in their weights.

    (pixel / 255 - mean) / std = (pixel - 255 mean) / (255 std). The division commutes with the convolution. The
    subtraction does not: the border is padded with zeros after it.
    """
    values: Folded = {}
    for convolution in plan.convolutions():
        weight = state[f"{convolution.name}.weight"].astype(np.float64)
        factor, bias, mean, variance = (
            state[f"{convolution.norm}.{part}"].astype(np.float64)
            for part in ("weight", "bias", "running_mean", "running_var")
        )
        factor = factor / np.sqrt(variance + plan.epsilon)
        weight *= factor.reshape(-1, 1, 1, 1)
        if not values:  # the first, which reads the images; by the deviation's float32, as ``models.extractor``
            weight /= 255 * np.array(plan.std, np.float32).astype(np.float64).reshape(1, 3, 1, 1)
        values[convolution.name] = weight.astype(np.float32), (bias - mean * factor).astype(np.float32)
    return values


def network_of(plan: Plan, values: Folded, first: Convolution | None = None) -> onnx.ModelProto:
    """A backbone from ``images`` to its taps; the caller adds the input.

    Args:
        plan: The backbone.
        values: Of its convolutions.
        first: Takes the place of the first convolution, for images of half the height and width; it has the same name.
    """
    names = dict(zip(plan.taps, TAPS, strict=True))
    sizes = {IMAGES: 112 if first else 224}
    nodes = []
    initialisers = []
    if any(step.kind == "Clip" for step in plan.steps):
        for name, value in {"clip_least": 0, "clip_most": 6}.items():
            initialisers.append(helper.make_tensor(name, TensorProto.FLOAT, [], [value]))
    for step in plan.steps:
        inputs = [names.get(name, name) for name in step.inputs]
        output = names.get(step.output, step.output)
        attributes: dict[str, object] = {}
        stride = 1
        convolution = step.convolution
        if convolution is not None:
            if first is not None and convolution.name == first.name:
                convolution = first
            for part, array in zip(("weight", "bias"), values[convolution.name], strict=True):
                inputs.append(f"{convolution.name}.{part}")
                initialisers.append(numpy_helper.from_array(array, inputs[-1]))
            stride, (before, after) = convolution.stride, convolution.zeros
            attributes = {
                "kernel_shape": convolution.shape[2:],
                "strides": [stride] * 2,
                "pads": [before, before, after, after],
                "group": convolution.groups,
            }
        elif step.kind == "MaxPool":
            stride = 2
            attributes = {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1] * 4}
        elif step.kind == "Clip":
            inputs += ["clip_least", "clip_most"]
        sizes[output] = sizes[inputs[0]] // stride
        nodes.append(helper.make_node(step.kind, inputs, [output], name=output, **attributes))
    taps = [
        helper.make_tensor_value_info(tap, TensorProto.FLOAT, ["N", count, sizes[tap], sizes[tap]])
        for tap, count in zip(TAPS, plan.channels, strict=True)
    ]
    graph = helper.make_graph(nodes, DOMAIN, [], taps, initialisers)
    return helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION, producer_name=DOMAIN
    )
