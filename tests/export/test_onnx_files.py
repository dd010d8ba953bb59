"""What an exported ONNX file is, and that every way to run it gives PyTorch's answer."""

import json
import tempfile
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto
from onnx.reference import ReferenceEvaluator
from onnxruntime.capi.onnxruntime_pybind11_state import Fail, InvalidArgument
from PIL import Image

from imgsim_ops import kernels, ops
from imgsim_ops.export import int8
from imgsim_ops.export.model import embedding_model
from imgsim_ops.images.decode import decode
from imgsim_ops.images.preprocess import load_pixels
from imgsim_ops.models.plans import PLANS
from imgsim_ops.models.weights import load_backbone, values_of
from imgsim_ops.quality.copies import COPIES
from tests.support.exported_models import (
    KINDS,
    SATURATION,
    WEIGHTS,
    assert_as_promised,
    cosines,
    exported,
    exported_int8,
    extractor,
    inputs,
    kernels_run,
    model,
    pictures,
    quick_photographs,
    session,
    twin,
)

LITE0 = "efficientnet_lite0"
OURS = {
    "embedding": {"MultiscalePool": 1},
    "layers": {"MultiscalePool": 1, "ReduceMean": 4},
    "pair": {"MultiscalePool": 1, "CosineSimilarity": 1},
}
backbones = pytest.mark.parametrize("backbone", WEIGHTS)
kinds = pytest.mark.parametrize("kind", KINDS)
counts = pytest.mark.parametrize("count", [1, 2, 7])
every_model = pytest.mark.parametrize(
    ("backbone", "precision"), [*((name, "fp32") for name in WEIGHTS), (LITE0, "int8")]
)


def of_imgsim(made: onnx.ModelProto) -> dict[str, int]:
    kinds = [node.op_type for node in made.graph.node if node.domain == "imgsim"]
    return {kind: kinds.count(kind) for kind in kinds}


def signature(made: onnx.ModelProto) -> dict[str, tuple]:
    return {
        value.name: (
            value.type.tensor_type.elem_type,
            [d.dim_param or d.dim_value for d in value.type.tensor_type.shape.dim],
        )
        for value in (*made.graph.input, *made.graph.output)
    }


@every_model
@kinds
def test_the_file(backbone, kind, precision):
    made = model(backbone, kind, precision)
    onnx.checker.check_model(made, full_check=True)
    assert {opset.domain: opset.version for opset in made.opset_import} == {"": 18, "imgsim": 1}
    assert made.ir_version == 8
    assert of_imgsim(made) == OURS[kind]
    assert {node.domain for node in made.graph.node} == {"", "imgsim"}
    bodies = {(body.domain, body.name): body for body in made.functions}
    assert set(bodies) == {("imgsim", name) for name in OURS[kind]}
    for body in bodies.values():
        assert {node.domain for node in body.node} == {""}
        assert {opset.domain: opset.version for opset in body.opset_import} == {"": 18}


@every_model
@kinds
def test_the_plain_twin(backbone, kind, precision):
    plain = twin(backbone, kind, precision)
    onnx.checker.check_model(plain, full_check=True)
    assert {opset.domain: opset.version for opset in plain.opset_import} == {"": 18}
    assert plain.ir_version == 8
    assert not plain.functions
    assert {node.domain for node in plain.graph.node} == {""}
    assert signature(plain) == signature(model(backbone, kind, precision))


@every_model
def test_inputs_and_outputs(backbone, precision):
    width, channels = extractor(backbone).dimension, extractor(backbone).channels
    pixels = (TensorProto.UINT8, ["N", 224, 224, 3])
    one = {"pixels": pixels, "embedding": (TensorProto.FLOAT, ["N", width])}
    layers = {f"layer{i + 1}": (TensorProto.FLOAT, ["N", count]) for i, count in enumerate(channels)}
    assert signature(model(backbone, "embedding", precision)) == one
    assert signature(model(backbone, "layers", precision)) == {**one, **layers}
    assert signature(model(backbone, "pair", precision)) == {
        "pixels_a": pixels,
        "pixels_b": pixels,
        "similarity": (TensorProto.FLOAT, ["N"]),
    }


@every_model
@kinds
@pytest.mark.parametrize("plain", [False, True])
def test_nothing_of_this_machine(backbone, kind, precision, plain):
    """One file, and no paths in it: exporters like to leave stack traces."""
    made = (twin if plain else model)(backbone, kind, precision)
    content = made.SerializeToString()
    assert b"site-packages" not in content
    assert str(Path(__file__).parents[2]).encode() not in content
    # Short words are not looked for in the weights: among 40 MB of anything there are some.
    text = onnx.ModelProto()
    text.CopyFrom(made)
    for tensor in text.graph.initializer:
        assert not tensor.external_data
        assert tensor.data_location == TensorProto.DEFAULT
        tensor.ClearField("raw_data")
    folders = (Path(__file__).parents[3], tempfile.gettempdir(), Path.home())
    for word in (".py", "torch.", "Traceback", *(f"{folder}/" for folder in folders if len(str(folder)) > 1)):
        assert word.encode() not in text.SerializeToString(), word


@every_model
@kinds
@pytest.mark.parametrize("plain", [False, True])
def test_metadata(backbone, kind, precision, plain):
    made = (twin if plain else model)(backbone, kind, precision)
    found = {entry.key: entry.value for entry in made.metadata_props}
    facts = extractor(backbone).facts().as_json()
    assert found["backbone"] == backbone
    assert found["weights"] == facts["weights"] == extractor(backbone).fingerprint.weights
    assert found["preprocessing_version"] == "1"
    assert json.loads(found["dimension"]) == facts["dimension"]
    assert json.loads(found["channels"]) == facts["channels"]
    assert (found["resize"], found["crop"]) == ("256", "224")
    assert found["fingerprint"] == f"{backbone}-{facts['weights']}-{found['precision']}-p1"
    if precision == "fp32":
        assert found["precision"] == "fp32"
        assert found.keys() == facts.keys()
    else:
        assert found["precision"] != "int8"  # names the photographs too
        assert found["precision"].startswith("int8")
        assert found.keys() == {*facts, "gate"}


@backbones
@kinds
@pytest.mark.parametrize("how", ["as it is", "with the library", "the plain twin"])
def test_onnx_runtime(backbone, kind, how, tmp_path):
    made = twin(backbone, kind) if how == "the plain twin" else model(backbone, kind)
    runs = session(made, how == "with the library", tmp_path / "profile")
    for count in (1, 2, 7):
        assert_as_promised(runs.run(None, inputs(kind, count)), backbone, kind, count)
    # Bodies are inlined: their nodes have other names, and so has a standard ReduceMean in one of them.
    ran = kernels_run(runs)
    native = {node.name: node.op_type for node in made.graph.node if node.domain == "imgsim"}
    assert len(native) == (0 if how == "the plain twin" else sum(OURS[kind].values()))
    if how == "with the library":
        assert native.items() <= ran.items()
    else:
        assert not native.keys() & ran.keys()
        assert not {"MultiscalePool", "CosineSimilarity"} & set(ran.values())


@backbones
@pytest.mark.parametrize("library", [False, True])
def test_no_pictures(backbone, library):
    outputs = session(model(backbone, "layers"), library).run(None, inputs("layers", 0))
    widths = (extractor(backbone).dimension, *extractor(backbone).channels)
    assert [output.shape for output in outputs] == [(0, width) for width in widths]


# The reference takes 1.6 s for a picture in resnet18, 0.6 s in the other; tests/peers has more of it.
@pytest.mark.parametrize(
    ("backbone", "kind", "count", "plain"),
    [
        ("resnet18", "layers", 1, False),
        ("resnet18", "pair", 1, True),
        (LITE0, "layers", 7, False),
        (LITE0, "pair", 1, False),
        (LITE0, "embedding", 2, True),
    ],
)
def test_the_reference(backbone, kind, count, plain):
    runs = ReferenceEvaluator((twin if plain else model)(backbone, kind))
    assert_as_promised(runs.run(None, inputs(kind, count)), backbone, kind, count)


@pytest.mark.parametrize("library", [False, True])
def test_pairs_of_unlike_batches_are_no_pairs(library):
    runs = session(model(LITE0, "pair"), library)
    with pytest.raises((Fail, InvalidArgument), match="ONNXRuntimeError"):
        runs.run(None, {"pixels_a": pictures(3), "pixels_b": pictures(5)})


@pytest.mark.parametrize("library", [False, True])
def test_no_pairs(library):
    (similarity,) = session(model(LITE0, "pair"), library).run(None, inputs("pair", 0))
    assert similarity.shape == (0,)


@pytest.mark.parametrize("library", [False, True])
@counts
def test_int8_in_onnx_runtime(library, count, tmp_path):
    """Integers are exact and pooling is as in fp32: a file, its twin and each way to run it agree."""
    runs = session(model(LITE0, "layers", "int8"), library, tmp_path / "profile")
    outputs = runs.run(None, inputs("layers", count))
    plain = session(twin(LITE0, "layers", "int8")).run(None, inputs("layers", count))
    for ours, theirs in zip(outputs, plain, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-5)  # means of up to 784 floats below 10
    ran = kernels_run(runs)
    assert (ran.get("embedding") == "MultiscalePool") == library
    assert "QLinearConv" in ran.values()
    assert "Conv" not in ran.values()


@pytest.fixture(scope="module")
def measured():
    """Photographs that an int8 model was measured on, the copies of them, and the vectors of both precisions."""
    ours = quick_photographs()
    originals = [Image.fromarray(decode(path)) for path in ours[1::2]]
    copies = [COPIES[name](image) for image in originals for name in COPIES]
    pixels = [kernels.resize_crop(np.asarray(image)) for image in (*originals, *copies)]
    pixels = np.stack([*pixels, *map(load_pixels, ours[::2])])
    fp32 = extractor(LITE0)(torch.from_numpy(pixels)).numpy()
    (quantised,) = session(model(LITE0, "embedding", "int8")).run(None, {"pixels": pixels})
    return pixels, fp32, quantised


def slow_micro_ap(vectors, originals):
    """Over all pairs of a copy and a picture that is no copy, as one list."""
    copies = originals * len(COPIES)
    gallery = [*range(originals), *range(originals + copies, len(vectors))]
    pairs = []
    for copy in range(copies):
        row = np.broadcast_to(vectors[originals + copy], (len(gallery), vectors.shape[1]))
        scores = cosines(row, vectors[gallery])
        pairs += [(score, i == copy // len(COPIES)) for score, i in zip(scores, gallery, strict=True)]
    pairs.sort(reverse=True)
    ranks = [rank for rank, (_, right) in enumerate(pairs, 1) if right]
    return np.mean([found / rank for found, rank in enumerate(ranks, 1)])


def test_the_gate_measured_anew(measured):
    _, fp32, quantised = measured
    gate = exported(LITE0, "int8").facts.gate
    (text,) = (entry.value for entry in model(LITE0, "embedding", "int8").metadata_props if entry.key == "gate")
    assert json.loads(text) == gate
    assert gate["pictures"] == 3 * (1 + len(COPIES)) == len(fp32) - 3
    similar = cosines(fp32, quantised)[:-3]
    # Five decimals are kept, and the last bits of a pooled value are each kernel's own.
    assert gate["mean_cosine"] == pytest.approx(similar.mean(), abs=2e-5)
    assert gate["least_cosine"] == pytest.approx(similar.min(), abs=2e-5)
    # 42 copies: two pairs that swap ranks in their last bits move it by 1 / 42 / 43 at most, from the second rank on.
    assert gate["fp32_micro_ap"] == pytest.approx(slow_micro_ap(fp32, 3), abs=6e-4)
    assert gate["int8_micro_ap"] == pytest.approx(slow_micro_ap(quantised, 3), abs=6e-4)
    lost = gate["fp32_micro_ap"] - gate["int8_micro_ap"]
    assert gate["holds"] == (gate["mean_cosine"] >= 0.985 and lost <= 0.005)


@pytest.mark.skipif(bool(SATURATION), reason=SATURATION)
def test_the_gate_holds(measured):
    gate = exported(LITE0, "int8").facts.gate
    assert gate["holds"]
    # Measured: 0.9976; 0.986 without bias correction.
    assert gate["mean_cosine"] > 0.99


@pytest.mark.skipif(bool(SATURATION), reason=SATURATION)
def test_bias_correction(measured):
    pixels, fp32, quantised = measured
    made, uncorrected = exported_int8(LITE0)
    runs = session(embedding_model(uncorrected, made.facts))
    (without,) = runs.run(None, {"pixels": pixels})
    # Measured: the mean distance from 1 falls from 0.0155 to 0.0025; half would do.
    assert 1 - cosines(fp32, quantised).mean() < 0.5 * (1 - cosines(fp32, without).mean())


def test_int8_reads_the_pixels_as_they_are():
    """The nodes in front only move bytes: they give what the calibration saw."""
    made = onnx.ModelProto()
    made.CopyFrom(exported(LITE0, "int8").network)
    front = [node for node in made.graph.node if node.op_type == "Transpose"]
    blocks = onnx.helper.make_tensor_value_info(front[0].output[0], TensorProto.UINT8, None)
    made.graph.output.append(blocks)
    answer = session(made).run([blocks.name], {"pixels": pictures(2)})[0]
    # Channels of a block: row by row, in a row column by column, of each pixel R, G and B.
    for channel, (row, column, colour) in enumerate(np.ndindex(2, 2, 3)):
        assert np.array_equal(answer[:, channel], pictures(2)[:, row::2, column::2, colour])
    assert np.array_equal(answer, int8._blocks(pictures(2)))


@backbones
def test_the_first_convolution_on_blocks(backbone):
    ours = extractor(backbone)
    made, zero_point = int8._on_blocks(PLANS[backbone], values_of(load_backbone(backbone, WEIGHTS[backbone])))
    first = made.graph.node[0].output[0]
    made.graph.output.append(onnx.helper.make_tensor_value_info(first, TensorProto.FLOAT, None))
    blocks = int8._blocks(pictures(2)).astype(np.float32) - zero_point
    *taps, after = map(torch.from_numpy, session(made).run(None, {"images": blocks}))
    pixels = torch.from_numpy(pictures(2))
    images = pixels.permute(0, 3, 1, 2).float() - ours.mean_pixel
    before = ours.backbone.first_convolution()(images)
    # Values of a convolution reach 80 there and 2 here; float32 has 6e-8 of each of up to 147 products' sizes.
    assert (before - after)[..., 2:-1, 2:-1].abs().max() < 1e-4
    vectors, expected = ops.multiscale_pool(taps, ours.dimension), ours(pixels)
    if backbone == LITE0:  # one mean for three colours: the zero point is the mean
        assert zero_point == 127
        assert (before - after).abs().max() < 1e-4
        for tap, other in zip(ours.taps(pixels), taps, strict=True):
            assert (tap - other).norm() < 1e-5 * tap.norm()  # measured: 3e-6 after 50 layers
    else:
        # The zeros at the border stand for the zero point, up to 11 levels off each colour's mean: seen there, small.
        border = (before - after).abs().max()
        assert 1e-3 < border < 0.1 * before.abs().max()
        # Measured: 1.2e-6 at most, of random weights.
        assert 1 - cosines(vectors.numpy(), expected.numpy()).min() < 1e-5
