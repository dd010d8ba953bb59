"""Models exported once for all tests that look at them, here and in tests/peers, and ways to run them."""

import json
from functools import cache
from pathlib import Path
from unittest import mock

import numpy as np
import onnx
import onnxruntime
import torch

import imgsim_ops
from imgsim_ops import kernels, ops
from imgsim_ops.export import int8
from imgsim_ops.export.model import embedding_model, pair_model, plain_twin
from imgsim_ops.export.recipes import Exported, export_backbone
from imgsim_ops.images.preprocess import load_pixels
from imgsim_ops.models.extractor import MultiScaleExtractor, build_extractor
from imgsim_ops.quality.photographs import CALIBRATION, EVALUATION, find_photographs

#: Random weights where real ones cannot be had, and real ones.
WEIGHTS = {"resnet18": "random:7", "efficientnet_lite0": None}
KINDS = ("embedding", "layers", "pair")

# What is promised of any batch in any runtime; the difference is sums in another order. Measured, of values up to 21:
# at most 1e-5, in ONNX Runtime 1.30 and 1.31 with our operators and without, OpenVINO 2026.4, OpenCV 5 and tract 0.23.
PROMISED = 1e-4

# Without 8-bit instructions ONNX Runtime adds pairs of products in 16 bits, which saturate (its documentation of
# quantisation, "When and why do I need to try U8U8?"): measured, a mean cosine of 0.914 to fp32 in place of 0.9976.
#: Why int8 is not exact on this processor; empty where it is.
SATURATION = "" if kernels.build_info()["int8_instructions"] else "sums of 8-bit products saturate on this processor"


@cache
def extractor(backbone: str) -> MultiScaleExtractor:
    return build_extractor(backbone, WEIGHTS[backbone])


@cache
def quick_photographs() -> list[Path]:
    """Three to set the ranges of an int8 model, three to measure it, taken in turns."""
    pairs = zip(find_photographs(CALIBRATION)[:3], find_photographs(EVALUATION)[:3], strict=True)
    return [path for pair in pairs for path in pair]


@cache
def exported(backbone: str, precision: str = "fp32") -> Exported:
    if precision == "int8":
        return exported_int8(backbone)[0]
    return export_backbone(backbone, WEIGHTS[backbone])


@cache
def exported_int8(backbone: str) -> tuple[Exported, onnx.ModelProto]:
    """The int8 network, and one that differs in its biases only: they are as the quantiser left them."""
    before = onnx.ModelProto()
    correct = int8._correct_biases

    def note_and_correct(quantised, *others):
        before.CopyFrom(quantised)
        correct(quantised, *others)

    with mock.patch.object(int8, "_correct_biases", note_and_correct):
        made = export_backbone(backbone, WEIGHTS[backbone], "int8", quick_photographs())
    int8._read_pixels_directly(before)
    return made, before


@cache
def model(backbone: str, kind: str = "embedding", precision: str = "fp32") -> onnx.ModelProto:
    made = exported(backbone, precision)
    if kind == "pair":
        return pair_model(made.network, made.facts)
    return embedding_model(made.network, made.facts, layers=kind == "layers")


@cache
def twin(backbone: str, kind: str = "embedding", precision: str = "fp32") -> onnx.ModelProto:
    return plain_twin(model(backbone, kind, precision))


@cache
def pictures(count: int) -> np.ndarray:
    """Up to seven, uint8 (count, 224, 224, 3): six photographs, then noise."""
    noise = np.random.default_rng(0).integers(0, 256, (224, 224, 3), np.uint8)
    return np.stack([*map(load_pixels, find_photographs(EVALUATION[:6])), noise])[:count]


def inputs(kind: str, count: int) -> dict[str, np.ndarray]:
    """What a model of that kind takes; the second pictures of the pairs are the first ones, turned over."""
    pixels = pictures(count)
    return {"pixels_a": pixels, "pixels_b": pixels[::-1].copy()} if kind == "pair" else {"pixels": pixels}


@cache
def _torch(backbone: str, count: int) -> tuple[torch.Tensor, list[torch.Tensor]]:
    return extractor(backbone).with_layers(torch.from_numpy(pictures(count)))


def expected(backbone: str, kind: str, count: int) -> list[np.ndarray]:
    """The outputs of a model of that kind, from PyTorch."""
    vectors, layers = _torch(backbone, count)
    if kind == "pair":
        return [ops.cosine_similarity(vectors, vectors.flip(0)).numpy()]
    return [vectors.numpy(), *(layer.numpy() for layer in layers if kind == "layers")]


def assert_as_promised(outputs: list[np.ndarray], backbone: str, kind: str, count: int) -> None:
    for ours, theirs in zip(outputs, expected(backbone, kind, count), strict=True):
        assert ours.dtype == np.float32
        assert ours.shape == theirs.shape
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=PROMISED)


def session(made: onnx.ModelProto | Path | str, library: bool = False, profile: Path | None = None):
    """A session on the processor, as anyone has it or with our operators registered."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 2
    options.log_severity_level = 3
    if library:
        options.register_custom_ops_library(str(imgsim_ops.ort_library_path()))
    if profile is not None:
        options.enable_profiling = True
        options.profile_file_prefix = str(profile)
    data = made.SerializeToString() if isinstance(made, onnx.ModelProto) else str(made)
    return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])


def kernels_run(profiled: onnxruntime.InferenceSession) -> dict[str, str]:
    """Ends a session's profile: the nodes that ran, and the operator of each."""
    events = json.loads(Path(profiled.end_profiling()).read_text())
    return {
        event["name"].removesuffix("_kernel_time"): event["args"]["op_name"]
        for event in events
        if "op_name" in event.get("args", {})
    }


def cosines(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Row by row, in float64."""
    one, other = one.astype(np.float64), other.astype(np.float64)
    return (one * other).sum(1) / np.linalg.norm(one, axis=1) / np.linalg.norm(other, axis=1)
