import json
import zipfile

import numpy as np
import pytest
import torch

from imgsim_ops.engines import ENGINES
from imgsim_ops.engines.torchscript import METADATA, save
from imgsim_ops.errors import ImgsimError, WeightsError
from imgsim_ops.model_files.engine import create_engine
from imgsim_ops.models import reference
from imgsim_ops.models.extractor import build_extractor
from imgsim_ops.models.spec import ModelSpec
from imgsim_ops.models.weights import load_backbone

WEIGHTS = "random:3"


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "model.pt"
    save(build_extractor("resnet18", WEIGHTS), path)
    return path


@pytest.fixture(scope="module")
def pixels():
    return np.random.default_rng(0).integers(0, 256, (2, 224, 224, 3), np.uint8)


@pytest.fixture(scope="module", params=[*ENGINES, "torchscript from a file"])
def engine(request, model):
    if request.param in ENGINES:
        return create_engine(request.param, ModelSpec(weights=WEIGHTS))
    return create_engine("torchscript", ModelSpec(model=model))


def test_embed(engine, pixels):
    vectors = engine.embed(pixels)
    assert vectors.dtype == np.float32
    assert vectors.shape == (2, engine.dimension) == (2, 512)
    expected = reference.multiscale_embedding(load_backbone("resnet18", WEIGHTS), torch.from_numpy(pixels)).numpy()
    # As in tests/models/test_extractor.py.
    assert np.abs(vectors - expected).max() < 1e-5 * np.abs(expected).max()


def test_layers(engine, pixels):
    layers = engine.embed_with_layers(pixels)[1]
    assert [layer.shape for layer in layers] == [(2, 64), (2, 128), (2, 256), (2, 512)]
    assert {layer.dtype for layer in layers} == {np.dtype(np.float32)}


def test_fingerprint(engine):
    assert engine.fingerprint == build_extractor("resnet18", WEIGHTS).fingerprint


def test_answers_are_ordinary_arrays(engine, pixels):
    vectors = engine.embed(pixels)
    vectors += 1
    assert vectors.flags.writeable


def test_read_only_and_strided_pixels(engine, pixels):
    expected = engine.embed(pixels)
    frozen = pixels.copy()
    frozen.flags.writeable = False
    assert np.array_equal(engine.embed(frozen), expected)
    assert np.array_equal(engine.embed(np.asfortranarray(pixels)), expected)
    assert engine.embed(pixels[:0]).shape == (0, 512)


@pytest.mark.parametrize("shape", [(224, 224, 3), (1, 3, 224, 224), (1, 224, 224, 4)])
def test_wrong_shape(engine, shape):
    with pytest.raises(ImgsimError, match=r"engine: pixels must be uint8 of shape \(N, 224, 224, 3\) \(got uint8"):
        engine.embed(np.zeros(shape, np.uint8))


def test_wrong_type(engine, pixels):
    with pytest.raises(ImgsimError, match="got float32 of shape"):
        engine.embed_with_layers(pixels.astype(np.float32))


def test_threads():
    before = torch.get_num_threads()
    try:
        create_engine("torch", ModelSpec(backbone="efficientnet_lite0", weights="random:0"), 1)
        assert torch.get_num_threads() == 1
        create_engine("torch", ModelSpec(backbone="efficientnet_lite0", weights="random:0"))
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)


def test_wrong_options(model, tmp_path):
    with pytest.raises(ImgsimError, match=r"engine: must be one of onnx, torch, torchscript \(got 'tensorflow'\)"):
        create_engine("tensorflow")
    with pytest.raises(ImgsimError, match=r"engine: threads must be 0 or more \(got -1\)"):
        create_engine("torch", threads=-1)
    with pytest.raises(ImgsimError, match="engine: torch takes a backbone and weights, no model file"):
        create_engine("torch", ModelSpec(model=model))
    with pytest.raises(ImgsimError, match="engine: a model file has its own weights"):
        create_engine("torchscript", ModelSpec(model=model, weights=WEIGHTS))
    with pytest.raises(ImgsimError, match="engine: a model file has its own precision"):
        create_engine("onnx", ModelSpec(model=model, precision="fp32"))
    with pytest.raises(ImgsimError, match="backbone: must be one of"):
        create_engine("torchscript", ModelSpec(backbone="vgg"))
    with pytest.raises(ImgsimError, match="engine: a model file has its own precision"):
        create_engine("onnx", ModelSpec(model=model, precision="fp32"))
    with pytest.raises(WeightsError, match="no such file"):
        create_engine("torch", ModelSpec(weights=tmp_path / "none.pth"))


def test_model_files_that_are_none(tmp_path, model):
    with pytest.raises(ImgsimError, match="model: no such file"):
        create_engine("torchscript", ModelSpec(model=tmp_path / "none.pt"))
    nonsense = tmp_path / "nonsense.pt"
    nonsense.write_bytes(b"nonsense")
    with pytest.raises(ImgsimError, match="model: must be a file that imgsim export wrote"):
        create_engine("torchscript", ModelSpec(model=nonsense))
    anonymous = tmp_path / "anonymous.pt"
    copy_model(model, anonymous, {METADATA: ""})
    with pytest.raises(ImgsimError, match="model: must be a file that imgsim export wrote"):
        create_engine("torchscript", ModelSpec(model=anonymous))


def test_model_for_another_preprocessing(tmp_path, model):
    with zipfile.ZipFile(model) as archive:
        (member,) = (name for name in archive.namelist() if name.endswith(METADATA))
        facts = json.loads(archive.read(member))
    future = tmp_path / "future.pt"
    copy_model(model, future, {METADATA: json.dumps({**facts, "preprocessing_version": 99})})
    with pytest.raises(ImgsimError, match=r"preprocessing version 1 \(got version 99"):
        create_engine("torchscript", ModelSpec(model=future))


def copy_model(source, target, members):
    """Copies an archive with the text of some members replaced."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as new:
        for item in old.infolist():
            text = next((text for name, text in members.items() if item.filename.endswith(name)), None)
            new.writestr(item.filename, old.read(item) if text is None else text)
