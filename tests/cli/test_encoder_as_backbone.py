"""An encoder that was trained here, or any model file, in place of a backbone's name."""

import json
import os
import shutil

import numpy as np
import pytest

from imgsim_ops import Embedder
from imgsim_ops.errors import ImgsimError
from imgsim_ops.images.preprocess import load_pixels
from imgsim_ops.models.locations import ENCODER, model_named
from tests.support.encoder_made import write_encoder


@pytest.fixture
def run(tmp_path):
    return write_encoder(tmp_path / "runs" / "triplet")


def test_where_a_name_leads(run):
    assert model_named("resnet18") is None
    assert model_named(run) == run / ENCODER
    assert model_named(str(run / ENCODER)) == run / ENCODER
    for name in ("resnet19", run.parent, run / "settings.json", run / "none.onnx", ""):
        assert model_named(name) is None
        with pytest.raises(ImgsimError, match=r"backbone: must be one of resnet18, efficientnet_lite0, the folder of"):
            Embedder(name)


def test_its_vectors(run, photos):
    embedder = Embedder(str(run))
    (found,) = embedder.embed([photos / "a.png"])
    pixels = load_pixels(photos / "a.png").astype(np.float64)
    expected = pixels.reshape(4, 56, 4, 56, 3).mean((1, 3)).transpose(2, 0, 1).ravel()
    np.testing.assert_allclose(found, expected, rtol=1e-5)  # 3,136 values summed in float32
    assert (str(embedder.fingerprint), embedder.dimension) == ("triplet-0123456789ab-fp32-p2", 48)
    assert embedder.embed([]).shape == (0, 48)
    (_, description), (_, other) = embedder.describe([photos / "a.png", photos / "b.jpg"])
    assert description.raw.shape == (3 * 48,)
    mean, centre, squashed = description.raw.reshape(3, 48)
    assert np.array_equal(mean, centre)  # one vector stands for all that a recipe may ask for
    assert not np.array_equal(centre, squashed)  # 100 x 80 pixels: that view shows the sides too
    assert not np.array_equal(description.raw, other.raw)


def test_compare(imgsim, failure, run, photos):
    pair = photos / "a.png", photos / "b.jpg"
    result = imgsim("compare", *pair, "--backbone", run, "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert (found["fingerprint"], found["layers"], found["word"]) == ("triplet-0123456789ab-fp32-p2", {}, None)
    assert 0 < found["score"] < 0.99
    assert imgsim("compare", pair[0], pair[0], "--backbone", run / ENCODER).stdout.startswith("1.0000")
    assert "compare: --layers needs a model with its layers" in failure("compare", *pair, "--backbone", run, "--layers")
    assert "needs the engine onnx (got torch)" in failure("compare", *pair, "--backbone", run, "--engine", "torch")
    assert "a model file has its own weights" in failure("compare", *pair, "--backbone", run, "--weights", "random:0")


def test_index_and_search(imgsim, failure, run, photos, tmp_path):
    path = tmp_path / "c.imgsim"
    result = imgsim("index", photos, "-c", path, "--backbone", run)
    assert result.exit_code == 0, result.output
    assert "triplet-0123456789ab-fp32-p2" in result.stdout
    (photos / "a.png").rename(photos / "new.png")
    shutil.copy(photos / "b.jpg", photos / "c.jpg")
    with open(photos / "c.jpg", "ab") as file:
        file.write(b"other bytes")
    assert imgsim("index", photos, "-c", path).exit_code == 0  # it knows where its model is
    hits = json.loads(imgsim("search", photos / "c.jpg", "-c", path, "-k", 3, "--json").stdout)["queries"][0]["hits"]
    assert sorted(os.path.basename(hit["path"]) for hit in hits[:2]) == ["b.jpg", "c.jpg"]
    assert [round(hit["score"], 2) for hit in hits[:2]] == [1, 1]
    assert "backbone must be" in failure("index", photos, "-c", path, "--backbone", "resnet18")


def test_an_encoder_that_has_moved_or_changed(imgsim, failure, run, photos, tmp_path):
    path = tmp_path / "c.imgsim"
    assert imgsim("index", photos, "-c", path, "--backbone", run).exit_code == 0
    moved = run.rename(tmp_path / "moved")
    shutil.copy(photos / "b.jpg", photos / "c.jpg")
    with open(photos / "c.jpg", "ab") as file:
        file.write(b"other bytes")
    assert "backbone: must be one of" in failure("index", photos, "-c", path)
    assert imgsim("index", photos, "-c", path, "--backbone", moved).exit_code == 0
    other = write_encoder(tmp_path / "other", weights="ba9876543210")
    line = failure("index", photos, "-c", path, "--backbone", other)
    assert "vectors must be made by triplet-0123456789ab-fp32-p2 (got triplet-ba9876543210-fp32-p2)" in line


def test_copies_in_folders_by_an_encoder_that_is_trained_anew(imgsim, run, photos):
    shutil.copy(photos / "b.jpg", photos / "c.jpg")
    for weights in ("0123456789ab", "ba9876543210"):
        write_encoder(run, weights)
        result = imgsim("dups", photos, "--backbone", run, "--json", "--no-verify")
        assert result.exit_code == 0, result.output
        found = json.loads(result.stdout)
        assert [len(group["members"]) for group in found["groups"]] == [2]
        assert weights in result.stdout


def test_a_model_without_what_collections_need(failure, photos, tmp_path):
    """It has taps, but was exported without them; nothing is made."""
    import onnx

    run = write_encoder(tmp_path / "run")
    model = onnx.load(run / ENCODER)
    (channels,) = (entry for entry in model.metadata_props if entry.key == "channels")
    channels.value = "[1, 2, 3, 4]"
    onnx.save(model, run / ENCODER)
    line = failure("index", photos, "-c", tmp_path / "c.imgsim", "--backbone", run)
    assert "describe: the model must have the output gem" in line
    assert not (tmp_path / "c.imgsim").exists()
