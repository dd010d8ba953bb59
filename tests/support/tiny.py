"""A stand-in for the exporter that makes a small network in milliseconds, for tests of what is done with it."""

import hashlib

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from imgsim_ops.export.graph import PIXELS, TAPS
from imgsim_ops.export.recipes import Exported
from imgsim_ops.models.facts import ModelFacts
from imgsim_ops.recipes.fingerprint import Fingerprint

CHANNELS = (64, 128, 256, 512)


class Exporter:
    """Takes the place of ``imgsim_ops.export.recipes.export_backbone``.

    Attributes:
        built: The precisions asked for, in order.
        gate_holds: What int8 models say of themselves.
        during: Called in the middle of the work.
    """

    def __init__(self):
        self.built = []
        self.gate_holds = True
        self.during = lambda: None

    def __call__(self, backbone, weights, precision, announce):
        self.built.append(precision)
        announce(f"Exporting {backbone}")
        self.during()
        seed = hashlib.sha256(f"{backbone} {weights}".encode()).hexdigest()[:12]
        name = "int8abcdef" if precision == "int8" else precision
        gate = {"pictures": 2, "mean_cosine": 0.99, "holds": self.gate_holds} if precision == "int8" else None
        facts = ModelFacts(Fingerprint(backbone, seed, name, 1), CHANNELS[-1], CHANNELS, gate)
        return Exported(network(int(seed, 16)), facts)


def network(seed):
    """Four convolutions of the pixels' corners."""
    generator = np.random.default_rng(seed)
    nodes = [
        helper.make_node("Cast", [PIXELS], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["floats"], ["images"], perm=[0, 3, 1, 2]),
    ]
    values = []
    for tap, channels in zip(TAPS, CHANNELS, strict=True):
        weight = generator.standard_normal((channels, 3, 1, 1), np.float32)
        values.append(numpy_helper.from_array(weight, f"{tap}_weight"))
        nodes.append(helper.make_node("Conv", ["images", f"{tap}_weight"], [tap], strides=[32, 32]))
    pixels = helper.make_tensor_value_info(PIXELS, TensorProto.UINT8, ["N", 224, 224, 3])
    taps = [
        helper.make_tensor_value_info(tap, TensorProto.FLOAT, ["N", channels, 7, 7])
        for tap, channels in zip(TAPS, CHANNELS, strict=True)
    ]
    graph = helper.make_graph(nodes, "imgsim", [pixels], taps, values)
    return onnx.helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
