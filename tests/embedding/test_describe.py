"""`Embedder.describe`: what a collection keeps of files, by an engine that is easy to predict and by a real one."""

import os

import numpy as np
import pytest
import torch
from PIL import Image

from imgsim_ops.embedding.crops import Crops, load_crops
from imgsim_ops.embedding.embedder import Embedder
from imgsim_ops.engines.onnx import OnnxEngine
from imgsim_ops.errors import ImgsimError
from imgsim_ops.files.reasons import SkippedFile
from imgsim_ops.images.options import ReadOptions
from imgsim_ops.model_files.cache import model_file
from imgsim_ops.models.extractor import build_extractor
from imgsim_ops.models.spec import ModelSpec
from imgsim_ops.recipes.recipes import CENTRE, MEAN, SQUASHED
from tests.support.processes import needs_proc
from tests.support.stub_engine import StubEngine, gem, vector

pytestmark = [needs_proc, pytest.mark.usefixtures("nothing_left")]
SIZES = [(1, 1), (32, 32), (64, 64), (64, 65), (120, 200), (300, 5)]
LITE0 = ModelSpec("efficientnet_lite0", "random:0", "fp32")


@pytest.fixture(scope="module", autouse=True)
def model(model_cache):
    """Built before anything is counted."""
    return model_file(LITE0, announce=lambda line: None).path


@pytest.fixture
def pictures(tmp_path):
    random, paths = np.random.default_rng(0), []
    for number in range(25):
        height, width = SIZES[number % len(SIZES)]
        paths.append(str(tmp_path / f"{number:02}"))
        kind = ["PNG", "JPEG", "WEBP", "BMP"][number % 4]
        Image.fromarray(random.integers(0, 256, (height, width, 3), dtype=np.uint8)).save(paths[-1], kind)
    return paths


def unit(values):
    return values / np.linalg.norm(values.astype(np.float64))


@pytest.mark.parametrize("many", [True, False])
@pytest.mark.parametrize("threads", [1, 3])
def test_what_the_engine_says_in_its_place(pictures, many, threads):
    engine = StubEngine(many=many)
    embedder = Embedder(engine=engine, read=ReadOptions(threads))
    assert embedder.raw_width == 15
    text = pictures[3] + ".txt"
    with open(text, "w") as file:
        file.write("words")
    paths = [*pictures[:5], text, *pictures[5:]]
    found = list(embedder.describe(paths))
    assert [path for path, _ in found] == paths
    crops_seen = 0
    for path, description in found:
        if path == text:
            assert isinstance(description, SkippedFile)
            assert description.code == "not_a_picture"
            continue
        crops = Crops.from_bytes(load_crops(path))
        crops_seen += len(crops.pixels)
        assert (description.width, description.height) == (crops.width, crops.height)
        assert description.format == crops.format
        assert np.array_equal(description.perceptual, crops.perceptual)
        assert description.raw.dtype == np.float16
        parts = description.raw.reshape(3, -1)
        first, last = crops.pixels[0], crops.pixels[-1]
        assert (max(crops.width, crops.height) <= 64) == (len(crops.pixels) == 1)
        for part, expected in [(MEAN, vector(first)), (CENTRE, gem(first)), (SQUASHED, gem(last))]:
            assert np.array_equal(parts[part], unit(expected).astype(np.float16))
    assert sum(engine.batches) == crops_seen  # small pictures cost one pass


def test_a_real_engine(pictures):
    embedder, engine = (
        Embedder(LITE0, read=ReadOptions(2), threads=1),
        OnnxEngine(model_file(LITE0).path),
    )
    assert embedder.raw_width == 3 * 1280
    for path, description in embedder.describe(pictures):
        parts = description.raw.reshape(3, -1).astype(np.float32)
        # Each of 1280 values is rounded by 2^-11 of itself at the most.
        assert np.abs(np.linalg.norm(parts, axis=1) - 1).max() < 2**-11
        pixels = Crops.from_bytes(load_crops(path)).pixels
        vectors, gems = engine.embed_with_gem(pixels)
        # Half a step of float16 below 1, and of smaller batches the order of additions in float32.
        for part, expected in [(MEAN, vectors[0]), (CENTRE, gems[0]), (SQUASHED, gems[-1])]:
            assert np.abs(parts[part] - unit(expected)).max() < 2**-11
        if len(pixels) == 2:
            assert np.abs(parts[MEAN] - unit(embedder.embed([path])[0])).max() < 2**-11


def test_gem_is_that_of_the_last_layer(model):
    pixels = np.random.default_rng(1).integers(0, 256, (3, 224, 224, 3), np.uint8)
    engine, extractor = OnnxEngine(model), build_extractor("efficientnet_lite0", "random:0")
    vectors, found = engine.embed_with_gem(pixels)
    assert np.array_equal(vectors, engine.embed(pixels))
    with torch.inference_mode():
        tap = extractor.taps(torch.from_numpy(pixels))[-1].double()
    expected = (tap**3).mean((2, 3)).pow(1 / 3).numpy()
    assert found.shape == (3, 1280)
    assert found.dtype == np.float32
    # Sums of float32 in another order, as in tests/models/test_extractor.py; what is below 1e-6 counts as that.
    assert np.abs(found - expected).max() < 1e-5 * expected.max() + 1e-6


def test_gem_of_nothing(model):
    vectors, found = OnnxEngine(model).embed_with_gem(np.empty((0, 224, 224, 3), np.uint8))
    assert (vectors.shape, found.shape) == ((0, 1280), (0, 1280))


def test_engines_without_gem(pictures):
    class Without(StubEngine):
        has_gem = False

    with pytest.raises(ImgsimError, match="describe: the model must have the output gem"):
        Embedder(engine=Without()).describe(pictures)
    assert os.path.exists(pictures[0])
