"""An encoder as training writes it, small enough to be made by hand: the mean colour of a grid of squares."""

import json
from pathlib import Path

import onnx
from onnx import TensorProto, helper

from imgsim_ops.images.preprocess import CROP, PREPROCESSING_VERSION, RESIZE
from imgsim_ops.models.locations import ENCODER


def write_encoder(folder, weights="0123456789ab", squares=4):
    """Writes a run's folder whose encoder makes 3 * squares**2 values of a picture; returns the folder."""
    side = 224 // squares
    dimension = 3 * squares * squares
    nodes = [
        helper.make_node("Cast", ["pixels"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["floats"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node("AveragePool", ["planes"], ["means"], kernel_shape=[side, side], strides=[side, side]),
        helper.make_node("Flatten", ["means"], ["embedding"]),
    ]
    pixels = helper.make_tensor_value_info("pixels", TensorProto.UINT8, ["N", 224, 224, 3])
    embedding = helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["N", dimension])
    model = helper.make_model(
        helper.make_graph(nodes, "encoder", [pixels], [embedding]),
        opset_imports=[helper.make_opsetid("", 18)],
        ir_version=8,
    )
    facts = {
        "fingerprint": f"triplet-{weights}-fp32-p{PREPROCESSING_VERSION}",
        "backbone": "triplet",
        "weights": weights,
        "precision": "fp32",
        "preprocessing_version": PREPROCESSING_VERSION,
        "dimension": dimension,
        "channels": [],
        "resize": RESIZE,
        "crop": CROP,
    }
    helper.set_model_props(
        model, {key: value if isinstance(value, str) else json.dumps(value) for key, value in facts.items()}
    )
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(model, folder / ENCODER)
    return folder
