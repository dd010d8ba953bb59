"""Features, histograms and structure of real photographs and copies of them."""

import sys

import numpy as np
import pytest
from PIL import Image

from imgsim_ops.errors import ImgsimError
from imgsim_ops.evaluation.judging import judge
from imgsim_ops.evaluation.labelled import LabelledPictures
from imgsim_ops.evaluation.methods.classical import WEIGHTS, Classical
from imgsim_ops.images.decode import decode
from imgsim_ops.quality.copies import COPIES
from imgsim_ops.quality.photographs import find_photographs


@pytest.fixture(scope="module")
def photographs():
    """Three photographs, and of each a copy that is cropped and one that is darker."""
    originals = [
        Image.fromarray(decode(path)) for path in find_photographs(("chelsea.png", "coffee.png", "rocket.jpg"))
    ]
    pictures = [(original, COPIES["cropped"](original), COPIES["darkened"](original)) for original in originals]
    return [np.asarray(picture) for copies in pictures for picture in copies]


@pytest.fixture(scope="module")
def method():
    return Classical()


def described(method, pictures):
    return method.describe(pictures, lambda *_: None)


def test_weights_are_shares():
    assert sum(WEIGHTS.values()) == pytest.approx(1, abs=1e-15)  # float64's rounding of thirds


def test_a_picture_is_like_itself(method, photographs):
    (chelsea,) = described(method, photographs[:1])
    assert len(chelsea.descriptors) > 100
    values = method.similarities(chelsea, chelsea)
    assert values["histogram"] == pytest.approx(1, abs=1e-9)  # sums over 512 bins in float64
    assert values["structure"] == pytest.approx(1, abs=1e-9)
    # A pattern that a picture shows twice is not clearly nearer to itself; each keypoint is at distance 0 of itself.
    assert values["features"] > 0.95


def test_each_value_tells_a_copy_from_another_picture(method, photographs):
    chelsea, cropped, dark, coffee = described(method, [photographs[n] for n in (0, 1, 2, 3)])
    of_crop, of_dark, of_other = (method.similarities(chelsea, other) for other in (cropped, dark, coffee))
    assert of_crop["features"] > 2 * of_other["features"]  # a crop keeps keypoints
    assert of_crop["histogram"] > of_other["histogram"]  # and most colours
    assert of_dark["structure"] > of_other["structure"]  # a darker picture keeps edges


def test_photographs_find_their_copies(method, photographs):
    labels = np.repeat(np.arange(3), 3)
    data = LabelledPictures("made", photographs, labels, ("chelsea", "coffee", "rocket"))
    calls = []
    judged = judge(method, data, 2, progress=lambda *call: calls.append(call))
    assert judged.accuracy == 1
    assert judged.queries == 9
    assert calls[-1] == ("searching", 9, 9)
    rows = np.array([4, 0])
    found = method.nearest(described(method, photographs), rows, 2, lambda *_: None)
    assert [set(near) for near in found] == [{3, 5}, {1, 2}]


def test_pictures_without_any_keypoint(method):
    black, grey, tiny = described(
        method, [np.zeros((5, 9, 3), np.uint8), np.full((300, 2, 3), 128, np.uint8), np.zeros((1, 1, 3), np.uint8)]
    )
    assert black.descriptors.shape == (0, 32)
    for one, other in ((black, grey), (grey, tiny), (black, black)):
        values = method.similarities(one, other)
        assert values["features"] == 0
        assert np.isfinite(list(values.values())).all()
    assert method.similarity(black, tiny) > method.similarity(black, grey)


def test_the_same_every_time(method, photographs):
    first, second = (
        method.nearest(described(Classical(), photographs), np.arange(9), 8, lambda *_: None) for _ in "12"
    )
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("package", ["cv2", "skimage.metrics"])
def test_without_the_packages(package, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(
        ImgsimError,
        match=r"classical: OpenCV and scikit-image must be installed .*run pip install 'imgsim-ops\[tables\]'",
    ):
        Classical()
