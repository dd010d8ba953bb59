import struct

import numpy as np
import pytest

from imgsim_ops.errors import ImageError, ImgsimError
from imgsim_ops.matching.features import MOST_KEYPOINTS, Features, local_features


def test_what_is_described(described, picture):
    features = described(picture)
    assert (features.width, features.height) == picture.size
    assert 100 < len(features) <= MOST_KEYPOINTS
    assert (features.places[:, :2] >= 0).all()
    assert (features.places[:, :2] <= picture.size).all()
    lengths = np.linalg.norm(features.descriptors.astype(float), axis=1)
    np.testing.assert_allclose(lengths, 512, rtol=0.02)  # values are rounded, and the few above 255 clipped


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


@pytest.mark.parametrize("orientation", [0, 9, -1])
def test_other_orientations_are_refused(described, picture, orientation):
    with pytest.raises(ImgsimError, match=rf"orientation must be 1 to 8 \(got {orientation}\)"):
        described(picture, orientation=orientation)


def test_files_that_are_no_pictures(tmp_path):
    (tmp_path / "a.jpg").write_text("no picture")
    with pytest.raises(ImageError):
        local_features(tmp_path / "a.jpg")
