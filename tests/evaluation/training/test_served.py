"""Trained encoders as model files: what engines and other programs get of them."""

import json

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from imgsim_ops.engines.onnx import OnnxEngine
from imgsim_ops.evaluation.labelled import averaged
from imgsim_ops.evaluation.training.encoders import Encoder
from imgsim_ops.evaluation.training.served import encoder_fingerprint, encoder_model

PIXELS = np.random.default_rng(0).integers(0, 256, (5, 224, 224, 3), np.uint8)
TRAINED_ON = {"data": "digits", "classes": {"0": 178}, "seed": 0}
# Sums of at most 4,608 products of values around 1 in another order: some ten of float32's last bits of each value, or
# of 1 where large values cancel out.
CLOSE = {"rtol": 1e-5, "atol": 2e-6}


def small(size):
    """The pictures as training has them."""
    return torch.from_numpy(np.stack([averaged(pixels, size) for pixels in PIXELS]))


@pytest.fixture(scope="module", params=[("small", 28, True), ("small", 32, False), ("resnet18", 56, True)])
def exported(request):
    network, size, unit = request.param
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        encoder = Encoder(network, size, 24, unit)
        encoder.set_normalisation(small(size))
        with torch.no_grad():
            encoder(small(size))  # batch norms that are not those of the beginning
    encoder.eval()
    return encoder, encoder_model("triplet", encoder, TRAINED_ON)


def test_the_engine_gives_what_pytorch_gives(exported):
    encoder, model = exported
    engine = OnnxEngine(model.SerializeToString(), 1)
    with torch.no_grad():
        wanted = encoder(small(encoder.size)).numpy()
    assert np.abs(wanted).max() > 0.01
    for count in (1, 2, 5):
        found = engine.embed(PIXELS[:count])
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, wanted[:count], **CLOSE)


def test_what_the_file_says(exported):
    encoder, model = exported
    engine = OnnxEngine(model.SerializeToString(), 1)
    assert engine.fingerprint == encoder_fingerprint("triplet", encoder)
    assert (engine.dimension, engine.fingerprint.backbone, engine.fingerprint.preprocessing) == (24, "triplet", 1)
    facts = {prop.key: prop.value for prop in model.metadata_props}
    assert json.loads(facts["trained_on"]) == TRAINED_ON
    assert facts["kind"] == facts["backbone"] == "triplet"
    assert facts["weights"] == engine.fingerprint.weights
    assert (facts["precision"], facts["resize"], facts["crop"], facts["channels"]) == ("fp32", "256", "224", "[]")


def test_any_runtime_runs_it(exported):
    _, model = exported
    assert model.ir_version == 8
    assert [(opset.domain, opset.version) for opset in model.opset_import] == [("", 18)]
    assert not model.functions
    assert not any(weights.external_data for weights in model.graph.initializer)
    (pixels,), (embedding,) = model.graph.input, model.graph.output
    assert (pixels.name, embedding.name) == ("pixels", "embedding")
    shapes = [
        [size.dim_param or size.dim_value for size in value.type.tensor_type.shape.dim] for value in (pixels, embedding)
    ]
    assert shapes == [["N", 224, 224, 3], ["N", 24]]
    assert (pixels.type.tensor_type.elem_type, embedding.type.tensor_type.elem_type) == (
        onnx.TensorProto.UINT8,
        onnx.TensorProto.FLOAT,
    )
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {"pixels": PIXELS[:3]})
    np.testing.assert_allclose(found, OnnxEngine(model.SerializeToString(), 1).embed(PIXELS[:3]), **CLOSE)


def test_the_fingerprint_is_of_the_values(exported):
    encoder, _ = exported
    before = encoder_fingerprint("triplet", encoder)
    assert encoder_fingerprint("contrastive", encoder) != before
    mean = encoder.mean.clone()
    encoder.mean += 1
    assert encoder_fingerprint("triplet", encoder) != before
    encoder.mean.copy_(mean)
    assert encoder_fingerprint("triplet", encoder) == before
