"""An encoder as training writes it, small enough to be made by hand: the mean colour of a grid of squares."""

from pathlib import Path

import onnx
from onnx import TensorProto, helper

from imgsim_ops.images.preprocess import PREPROCESSING_VERSION
from imgsim_ops.models.facts import ModelFacts
from imgsim_ops.models.locations import ENCODER
from imgsim_ops.recipes.fingerprint import Fingerprint


def write_encoder(folder, weights="0123456789ab", squares=4, shift=0, kind="triplet"):
    """Writes a run's folder whose encoder makes 3 * squares**2 values of a picture, less `shift`; returns it."""
    side = 224 // squares
    dimension = 3 * squares * squares
    nodes = [
        helper.make_node("Cast", ["pixels"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["floats"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node("AveragePool", ["planes"], ["means"], kernel_shape=[side, side], strides=[side, side]),
        helper.make_node("Flatten", ["means"], ["flat"]),
        helper.make_node("Sub", ["flat", "shift"], ["embedding"]),
    ]
    pixels = helper.make_tensor_value_info("pixels", TensorProto.UINT8, ["N", 224, 224, 3])
    embedding = helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["N", dimension])
    constants = [helper.make_tensor("shift", TensorProto.FLOAT, [], [shift])]
    model = helper.make_model(
        helper.make_graph(nodes, "encoder", [pixels], [embedding], constants),
        opset_imports=[helper.make_opsetid("", 18)],
        ir_version=8,
    )
    fingerprint = Fingerprint(kind, weights, "fp32", PREPROCESSING_VERSION)
    helper.set_model_props(model, ModelFacts(fingerprint, dimension, ()).as_texts())
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(model, folder / ENCODER)
    return folder
