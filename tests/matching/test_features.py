import struct
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imgsim_ops.errors import ImgsimError
from imgsim_ops.matching.alignment import verify
from imgsim_ops.matching.features import MOST_KEYPOINTS, SIDE, Features, opencv
from imgsim_ops.matching.features import described as described_pixels
from tests.support.tries import tries


def test_what_is_described(described, picture):
    features = described(picture)
    assert (features.width, features.height) == picture.size
    assert 100 < len(features) <= MOST_KEYPOINTS
    assert (features.places[:, :2] >= 0).all()
    assert (features.places[:, :2] <= picture.size).all()
    lengths = np.linalg.norm(features.descriptors.astype(float), axis=1)
    np.testing.assert_allclose(lengths, 512, rtol=0.02)  # values are rounded, and the few above 255 clipped


def test_places_are_those_of_the_picture_whatever_size_its_pixels_have(picture):
    pixels = np.asarray(picture)
    own, told = (described_pixels(pixels, *size) for size in ((400, 300), (4000, 3000)))
    np.testing.assert_array_equal(own.descriptors, told.descriptors)
    columns = [0, 1, 3]  # no angle
    np.testing.assert_allclose(told.places[:, columns], 10 * own.places[:, columns], rtol=1e-5)  # float32
    np.testing.assert_array_equal(told.places[:, 2], own.places[:, 2])
    assert (own.side, told.side) == (SIDE, SIDE)
    assert (own.scale, told.scale) == (400 / SIDE, 4000 / SIDE)


def test_pixels_that_do_not_lie_beside_each_other(picture):
    pixels = np.asarray(picture)
    mirrored = described_pixels(pixels[:, ::-1], 400, 300)
    assert mirrored.to_bytes() == described_pixels(np.ascontiguousarray(pixels[:, ::-1]), 400, 300).to_bytes()


def test_to_bytes_and_back(described, picture):
    features = described(picture)
    content = features.to_bytes()
    assert len(content) == 28 + 144 * len(features)
    again = Features.from_bytes(content)
    assert (again.width, again.height, again.side) == (features.width, features.height, features.side)
    np.testing.assert_array_equal(again.places, features.places)
    np.testing.assert_array_equal(again.descriptors, features.descriptors)
    assert again.to_bytes() == content


@pytest.mark.parametrize("length", [0, 11, 27])
def test_a_head_that_is_cut(described, picture, length):
    with pytest.raises(ImgsimError, match="local features: must begin with"):
        Features.from_bytes(described(picture).to_bytes()[:length])


def test_damaged_bytes(described, picture):
    content = described(picture).to_bytes()
    with pytest.raises(ImgsimError, match="must begin with"):
        Features.from_bytes(b"x" + content[1:])
    for wrong in (content[:-1], content + b"x", content[:100]):
        with pytest.raises(ImgsimError, match="keypoints take"):
            Features.from_bytes(wrong)
    for position in (12, 16, 20):  # width, height, longer side
        with pytest.raises(ImgsimError, match="sizes and places must be numbers"):
            Features.from_bytes(content[:position] + bytes(4) + content[position + 4 :])
    with pytest.raises(ImgsimError, match="sizes and places must be numbers"):
        Features.from_bytes(content[:28] + struct.pack("<f", float("nan")) + content[32:])


def test_the_same_bits_each_time(described, picture):
    assert described(picture).to_bytes() == described(picture).to_bytes()


def test_without_opencv_one_line_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(ImgsimError, match="pip install opencv-python-headless"):
        opencv()


# --- mirror images ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["chelsea", "coffee", "coins", "motorcycle_left", "rocket"])
def test_features_of_a_mirror_image_are_the_same_ones_ordered_anew(described, photographs, name):
    image = photographs[name]
    found, expected = described(image).mirrored(), described(image, 2)
    assert (found.width, found.height, found.side) == (expected.width, expected.height, expected.side)
    apart = found.places[:, np.newaxis] - expected.places
    # Keypoints are looked for at twice the size, whose grid is off by half a pixel of what is described: the smallest
    # are found elsewhere.
    near = np.linalg.norm(apart[..., :2] / found.scale, axis=2) < 0.6
    near &= np.abs((apart[..., 2] + 180) % 360 - 180) < 1
    near &= np.abs(apart[..., 3]) < 0.05 * expected.places[:, 3]
    here, there = near.nonzero()
    assert len(np.unique(here)) > 0.75 * len(found)
    lengths = np.linalg.norm(found.descriptors[here].astype(float) - expected.descriptors[there], axis=1)
    assert np.median(lengths) < 2  # of 512
    assert np.quantile(lengths, 0.9) < 60
    plain = np.linalg.norm(described(image).descriptors[here].astype(float) - expected.descriptors[there], axis=1)
    assert np.median(plain) > 200
    match = verify(found, expected)
    assert match.inliers > 0.6 * len(found)
    np.testing.assert_allclose(match.transform, (1, 0, 0, 0, 1, 0), atol=1)


def test_mirrored_twice_is_itself(described, picture):
    features = described(picture)
    again = features.mirrored().mirrored()
    np.testing.assert_array_equal(again.descriptors, features.descriptors)
    np.testing.assert_allclose(again.places, features.places, atol=1e-3)  # float32
    assert features.to_bytes() == described(picture).to_bytes()  # and is left as it was


@settings(max_examples=tries(100))
@given(st.integers(0, 20), st.integers(0, 2**32 - 1), st.integers(1, 5000), st.integers(1, 5000))
def test_any_features_mirrored_twice_are_themselves(number, seed, width, height):
    random = np.random.default_rng(seed)
    places = (random.random((number, 4)) * (width, height, 360, 50)).astype(np.float32)
    features = Features(width, height, SIDE, places, random.integers(0, 256, (number, 128), np.uint8))
    once = features.mirrored()
    np.testing.assert_allclose(once.places[:, 0] + places[:, 0], width, rtol=1e-5)
    np.testing.assert_array_equal(once.places[:, [1, 3]], places[:, [1, 3]])
    np.testing.assert_array_equal(np.sort(once.descriptors, axis=1), np.sort(features.descriptors, axis=1))
    again = once.mirrored()
    np.testing.assert_array_equal(again.descriptors, features.descriptors)
    np.testing.assert_allclose(again.places[:, :2], places[:, :2], atol=2e-3)  # float32
    turned = (again.places[:, 2] - places[:, 2] + 180) % 360 - 180
    np.testing.assert_allclose(turned, 0, atol=1e-3)
    assert Features.from_bytes(once.to_bytes()).to_bytes() == once.to_bytes()
