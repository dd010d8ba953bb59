import io

import numpy as np
import pytest
import torch
from PIL import Image

import imgsim_ops
from imgsim_ops import kernels
from imgsim_ops.embedding.embedder import Embedder, compare
from imgsim_ops.images.options import ReadOptions
from imgsim_ops.models.spec import ModelSpec
from imgsim_ops.torch_ops import reference

MODEL = ModelSpec("efficientnet_lite0", "random:0")


@pytest.fixture(scope="module")
def embedder():
    return Embedder(MODEL)


@pytest.fixture(scope="module")
def pictures():
    generator = np.random.default_rng(0)
    return [generator.integers(0, 256, size, np.uint8) for size in [(300, 400, 3), (224, 224, 3), (500, 90, 3)]]


def test_paths_and_arrays_agree(embedder, pictures, tmp_path):
    path = tmp_path / "picture.png"
    Image.fromarray(pictures[0]).save(path)
    vectors = embedder.embed([path, str(path), pictures[0]])
    assert vectors.shape == (3, embedder.dimension) == (3, 1280)
    assert np.array_equal(vectors[0], vectors[1])
    assert np.array_equal(vectors[0], vectors[2])


def test_many_pictures_in_order(embedder, pictures):
    # More than one batch, from an iterator.
    vectors = embedder.embed(picture for _ in range(6) for picture in pictures)
    assert vectors.shape == (18, 1280)
    assert np.array_equal(vectors[15:], embedder.embed(pictures))


def test_many_files_are_the_same_bits_as_each_alone(embedder, pictures, tmp_path):
    paths = [tmp_path / f"{number}.png" for number in range(35)]
    for number, path in enumerate(paths):
        Image.fromarray(np.roll(pictures[number % 3], number, 0)).save(path)
    expected = np.stack([embedder.embed([path])[0] for path in paths])
    assert np.array_equal(embedder.embed(paths), expected)
    for threads in (1, 3):
        embedder.read = ReadOptions(threads)
        found = list(embedder.stream(paths))
        assert np.array_equal(np.stack([vector for _, vector in found]), expected)


def test_ties_and_order_do_not_depend_on_batches(embedder, pictures, monkeypatch):
    many = [pictures[i % 3] for i in range(19)]
    answers = []
    for batch in (1, 2, 5, 16, 19):
        monkeypatch.setattr("imgsim_ops.embedding.embedder.BATCH", batch)
        vectors = embedder.embed(many)
        answers.append((vectors, *kernels.cosine_topk(vectors[:3], vectors, 19)))
    for answer in answers:
        assert all(np.array_equal(ours, first) for ours, first in zip(answer, answers[0], strict=True))
    # Equal pictures tie, in their order.
    for i, ranked in enumerate(answers[0][2]):
        same = list(range(i, 19, 3))
        assert ranked[: len(same)].tolist() == same


def test_no_pictures(embedder):
    vectors = embedder.embed([])
    assert vectors.shape == (0, 1280)
    assert vectors.dtype == np.float32


def test_compare(embedder, pictures):
    similarity = embedder.compare(pictures[0], pictures[2])
    first, second = torch.from_numpy(embedder.embed([pictures[0], pictures[2]]))
    # One rounding to float32 on either side.
    assert similarity.score == pytest.approx(reference.cosine_similarity(first, second).item(), abs=1e-6)
    assert len(similarity.layers) == 4
    assert all(isinstance(value, float) and 0 < value < 1 for value in similarity.layers)


def test_compare_with_itself(pictures):
    # Equal rows have equal bits, whose cosine rounds to 1.
    similarity = compare(pictures[0], pictures[0].copy(), MODEL)
    assert (similarity.score, similarity.layers) == (1.0, (1.0, 1.0, 1.0, 1.0))


@pytest.mark.parametrize("engine", ["torch", "torchscript"])
def test_engines_agree(embedder, pictures, engine):
    other = Embedder(MODEL, engine)
    assert other.fingerprint == embedder.fingerprint
    vectors, expected = other.embed(pictures), embedder.embed(pictures)
    # Sums of float32 in another order; as in tests/models/test_extractor.py.
    assert np.abs(vectors - expected).max() < 1e-5 * np.abs(expected).max()
    assert other.compare(*pictures[:2]).score == pytest.approx(embedder.compare(*pictures[:2]).score, abs=1e-6)


@pytest.mark.parametrize("single", ["a.jpg", np.zeros((9, 9, 3), np.uint8)])
def test_a_single_picture_is_no_list(embedder, single):
    with pytest.raises(ValueError, match="embed: pictures must be a list"):
        embedder.embed(single)


def test_what_is_no_picture(embedder, tmp_path):
    with pytest.raises(ValueError, match="picture: "):
        embedder.embed([np.zeros((9, 9), np.float32)])
    path = tmp_path / "notes.jpg"
    path.write_text("not a picture")
    with pytest.raises(imgsim_ops.ImageError):
        embedder.embed([path])


def test_pictures_in_any_form_are_the_same(embedder, tmp_path, pictures):
    path = tmp_path / "a.png"
    Image.fromarray(pictures[0]).save(path)
    tensor = torch.from_numpy(pictures[0]).permute(2, 0, 1)
    with path.open("rb") as file, Image.open(path) as image:
        forms = [path, path.read_bytes(), io.BytesIO(path.read_bytes()), file, image, pictures[0], tensor]
        vectors = embedder.embed(forms)
    assert (vectors == vectors[0]).all()
    np.testing.assert_array_equal(embedder.embed(np.stack([pictures[0]] * 2)), vectors[:2])


def test_equal_bytes_are_identical_wherever_they_are(embedder, tmp_path, pictures):
    path, other = tmp_path / "a.png", tmp_path / "b.png"
    for file, pixels in ((path, pictures[0]), (other, pictures[1])):
        Image.fromarray(pixels).save(file)
    data = path.read_bytes()
    for a, b in ((path, data), (data, path), (data, bytearray(data)), (io.BytesIO(data), path)):
        assert embedder.compare(a, b).relation == "identical"
    assert embedder.compare(data, Image.fromarray(pictures[0])).relation == "copy"
    assert embedder.compare(pictures[0], Image.fromarray(pictures[0])).relation == "same_pixels"
    assert embedder.compare(data, other.read_bytes()).relation == embedder.compare(path, other).relation != "identical"


def test_frames_and_depth_are_compared(embedder, tmp_path, pictures):
    """Of two files that look equal: all of both are, or the one shows all of the other and more."""
    pages = [Image.fromarray(pictures[0]), Image.fromarray(255 - pictures[0])]
    for name, some in {"two.tif": pages, "two.png": pages, "other.tif": pages[:1] * 2, "one.png": pages[:1]}.items():
        some[0].save(tmp_path / name, save_all=True, append_images=some[1:])

    def compared(a, b):
        found = embedder.compare(tmp_path / a, (tmp_path / b).read_bytes())
        return found.relation, found.lacks

    assert compared("two.tif", "two.png") == ("same_pixels", ((), ()))
    assert compared("two.tif", "other.tif") == ("copy", (("frames",), ("frames",)))
    assert compared("two.tif", "one.png") == ("copy", (("frames",), ()))
    assert compared("one.png", "other.tif") == ("copy", ((), ("frames",)))


def test_lazy_names():
    assert imgsim_ops.Embedder is Embedder
    assert imgsim_ops.compare is compare
