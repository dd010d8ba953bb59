"""``imgsim demo`` without the network: pictures, fallback, table, heat map."""

import json

import numpy as np
import pytest
from PIL import Image

from imgsim_ops.embedding import embedder
from imgsim_ops.errors import WeightsError
from imgsim_ops.evaluation.heatmap import draw_heatmap
from imgsim_ops.images.decode import decode
from imgsim_ops.models.spec import ModelSpec
from imgsim_ops.quality import photographs


@pytest.fixture
def no_resnet18(monkeypatch):
    """Embedder as on a machine that has no weights for resnet18, and random ones for the other backbone."""

    def create(backbone):
        if backbone == "resnet18":
            raise WeightsError("weights: none")
        return original(ModelSpec(backbone, "random:0"))

    original = embedder.Embedder
    monkeypatch.setattr(embedder, "Embedder", create)


def test_demo(imgsim, no_resnet18, tmp_path):
    result = imgsim("demo", "--out", tmp_path / "out", "--json")
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert document["backbone"] == "efficientnet_lite0"
    assert "could not be had" in document["reason"]
    assert document == json.loads((tmp_path / "out" / "similarity.json").read_text())
    similarity = np.array(document["similarity"])
    assert similarity.shape == (8, 8)
    np.testing.assert_allclose(np.diag(similarity), 1, atol=1e-6)  # float32 vectors
    assert all(decode(picture).size for picture in document["pictures"])
    assert decode(document["heatmap"]).shape[0] > 1000
    # What takes time or may use the network is told on stderr, before it happens.
    assert "resnet18" in result.stderr

    table = imgsim("demo", "--out", tmp_path / "out").stdout
    assert "efficientnet_lite0" in table
    assert all(f"{value:.2f}" in table for value in similarity[0])


def test_no_weights_at_all(failure_with_announcement, monkeypatch, tmp_path):
    def nothing(backbone):
        raise WeightsError(f"weights: none for {backbone}")

    monkeypatch.setattr(embedder, "Embedder", nothing)
    assert "none for efficientnet_lite0" in failure_with_announcement("demo", "--out", tmp_path)


def test_folder_that_cannot_be_written(failure_with_announcement, tmp_path):
    (tmp_path / "file").touch()
    assert "must be writable" in failure_with_announcement("demo", "--out", tmp_path / "file")


def test_no_photographs(failure_with_announcement, monkeypatch, tmp_path):
    monkeypatch.setattr(photographs.importlib.util, "find_spec", lambda name: None)
    assert "pip install scikit-image" in failure_with_announcement("demo", "--out", tmp_path)


@pytest.fixture
def failure_with_announcement(imgsim):
    def run(*arguments):
        result = imgsim(*arguments)
        assert result.exit_code == 2
        assert result.stdout == ""
        return result.stderr.splitlines()[-1]

    return run


@pytest.mark.parametrize("count", [1, 2, 5])
def test_heatmap(count):
    similarity = np.linspace(-0.2, 1, count * count).reshape(count, count)
    thumbnails = [np.full((224, 224, 3), 40 * number, np.uint8) for number in range(count)]
    names = ["a very long name of a picture that needs to be cut somewhere"] * count
    picture = draw_heatmap(similarity, names, thumbnails, "title", "subtitle")
    assert picture.mode == "RGB"
    colours = {colour for _, colour in picture.getcolors(1 << 24)}
    assert {(255, 255, 255), (10, 44, 92)} <= colours  # paper, and the colour of 1


def test_heatmap_of_equal_pictures():
    thumbnail = np.zeros((224, 224, 3), np.uint8)
    picture = draw_heatmap(np.ones((2, 2)), ["a", "b"], [thumbnail] * 2, "title", "subtitle")
    assert isinstance(picture, Image.Image)
