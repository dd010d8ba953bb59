"""CLIP through open_clip's own code, with a model of random weights: what is computed, not how good it is."""

import sys

import numpy as np
import pytest
import torch

from imgsim_ops.errors import ImgsimError, WeightsError
from imgsim_ops.evaluation.methods.clip import ClipImage, ClipImageText, load_clip
from tests.support.tiny_clip import write_config


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_config(tmp_path_factory.mktemp("clip"))


@pytest.fixture(scope="module")
def clip(model):
    return load_clip(model, "random:3")


@pytest.fixture(scope="module")
def pictures():
    random = np.random.default_rng(0)
    return [random.integers(0, 256, (size, 40, 3), dtype=np.uint8) for size in (8, 40, 61)]


def test_image_embeddings_are_those_of_open_clip(clip, model, pictures):
    import open_clip
    from PIL import Image

    method = ClipImage(clip)
    vectors = method.embed(pictures)
    assert vectors.dtype == np.float32
    assert vectors.shape == (3, method.dimension) == (3, 16)
    torch.manual_seed(3)
    network, _, preprocess = open_clip.create_model_and_transforms(model, load_weights=False)
    pixels = torch.stack([preprocess(Image.fromarray(picture)) for picture in pictures])
    with torch.no_grad():
        expected = torch.nn.functional.normalize(network.eval().encode_image(pixels), dim=-1)
    # The same operations in the same order, but for the grad mode, which may choose other kernels: float32's rounding.
    np.testing.assert_allclose(vectors, expected.numpy(), atol=1e-6)


def test_seeds(model, pictures):
    first, again, other = (ClipImage(load_clip(model, f"random:{seed}")).embed(pictures) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 0.1  # unit vectors of 16 random values


def test_the_callers_random_numbers_stay_as_they_are(model):
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    load_clip(model, "random:3")
    assert torch.equal(torch.rand(3), expected)


def test_random_weights_are_said_to_mean_nothing(clip):
    assert ClipImage(clip).meaningless == "random weights: these numbers say nothing about CLIP"
    assert ClipImage(clip).made_by.endswith("random:3")


def test_text_is_that_of_the_seen_class_that_a_picture_is_most_like(clip, pictures):
    import open_clip

    seen = ["red_fox", "house", "three"]
    vectors = ClipImageText(clip, seen).embed(pictures)
    images = ClipImage(clip).embed(pictures)
    tokens = open_clip.SimpleTokenizer(context_length=16)([f"a photo of a {name}." for name in ("red fox", *seen[1:])])
    with torch.no_grad():
        texts = torch.nn.functional.normalize(clip.model.encode_text(tokens), dim=-1).numpy()
    np.testing.assert_array_equal(vectors[:, :16], images)
    expected = texts[(images @ texts.T).argmax(1)]
    np.testing.assert_allclose(vectors[:, 16:], expected, atol=1e-6)  # float32's rounding, as above
    # Both halves have length 1, so the cosine of the whole is the mean of the halves' cosines.
    cosine = vectors[0] @ vectors[1] / (np.linalg.norm(vectors[0]) * np.linalg.norm(vectors[1]))
    assert cosine == pytest.approx((images[0] @ images[1] + expected[0] @ expected[1]) / 2, abs=1e-6)


def test_text_needs_a_seen_class(clip):
    with pytest.raises(ImgsimError, match=r"clip-text: there must be a seen class .*\(got none\)"):
        ClipImageText(clip, [])


def test_weights_of_the_models_folder(clip, tmp_path, pictures):
    model = write_config(tmp_path)
    torch.save(clip.model.state_dict(), tmp_path / "open_clip_pytorch_model.bin")
    method = ClipImage(load_clip(model))
    np.testing.assert_array_equal(method.embed(pictures), ClipImage(clip).embed(pictures))
    assert (method.made_by, method.meaningless) == (model, "")


def test_a_folder_without_weights_or_with_others(tmp_path):
    model = write_config(tmp_path)
    with pytest.raises(WeightsError, match=r"clip weights: must be weights of this model .*: Required"):
        load_clip(model)
    torch.save({"visual.proj": torch.zeros(2, 2)}, tmp_path / "open_clip_pytorch_model.bin")
    with pytest.raises(WeightsError, match=r"clip weights: must be weights of this model .*\(got .*Error\(s\)"):
        load_clip(model)


def test_nothing_is_unpickled(tmp_path):
    model = write_config(tmp_path)
    torch.save({"state_dict": {"x": sys.exit}}, tmp_path / "open_clip_pytorch_model.bin")
    with pytest.raises(WeightsError, match=r"weights_only=True .*UnpicklingError") as error:
        load_clip(model)
    assert "\n" not in str(error.value)


def test_unknown_names():
    with pytest.raises(ImgsimError, match=r"clip: must be a model .*\(got 'ViTB32'\); did you mean ViT-B-32 or "):
        load_clip("ViTB32")
    with pytest.raises(WeightsError, match=r"\(got 'laion2b'\); did you mean laion2b_e16 or "):
        load_clip("ViT-B-32", "laion2b")
    with pytest.raises(
        ImgsimError, match=r"clip: must be a folder with an open_clip_config.json \(got 'local-dir:x'\)"
    ):
        load_clip("local-dir:x")
    with pytest.raises(WeightsError, match=r"random:SEED takes a whole number"):
        load_clip("ViT-B-32", "random:x")


def test_no_network(monkeypatch, tmp_path):
    from huggingface_hub import constants

    def refuse(*_, **__):
        raise OSError("Name or service\nnot known")

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.utils.get_session", lambda: type("Session", (), {"head": refuse}))
    expected = (
        r"laion2b_s34b_b79k could not be downloaded \(got Name or service not known\); name a file .*--clip-weights"
    )
    with pytest.raises(WeightsError, match=expected):
        load_clip()


def test_without_open_clip(monkeypatch):
    monkeypatch.setitem(sys.modules, "open_clip", None)
    with pytest.raises(
        ImgsimError, match=r"clip: open_clip must be installed .*run pip install 'imgsim-ops\[tables\]'"
    ):
        load_clip()
