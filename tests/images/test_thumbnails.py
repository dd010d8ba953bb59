import io
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from imgsim_ops.errors import ImageError
from imgsim_ops.images.strips import Strips
from imgsim_ops.images.thumbnails import reduced, thumbnail


def small(path, side):
    return Image.open(io.BytesIO(thumbnail(str(path), side=side)))


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((400, 300), (100, 75)),
        ((300, 1200), (25, 100)),
        ((1, 900), (1, 100)),
        ((40, 30), (40, 30)),
        ((100, 1), (100, 1)),
    ],
)
def test_size(tmp_path, size, expected):
    path = tmp_path / "a.png"
    Image.new("RGB", size, (10, 200, 30)).save(path)
    image = small(path, 100)
    assert image.size == expected
    # WebP keeps colours at half the resolution and rounded.
    assert np.abs(np.asarray(image).astype(int) - (10, 200, 30)).max() <= 4


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.tiff"])
def test_orientation(tmp_path, name):
    path = tmp_path / name
    stored = Image.new("RGB", (1600, 800), (255, 255, 255))
    stored.paste((0, 0, 0), (0, 0, 800, 800))
    tags = Image.Exif()
    tags[0x0112] = 6  # turned clockwise to be seen: the left half becomes the top
    stored.save(path, exif=tags)
    image = small(path, 64)
    assert image.size == (32, 64)
    pixels = np.asarray(image)
    assert pixels[:28].max() < 40
    assert pixels[36:].min() > 215


def test_a_picture_that_is_none(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(b"no picture")
    with pytest.raises(ImageError):
        thumbnail(str(path), side=64)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 70), st.integers(1, 40), st.integers(1, 9), st.lists(st.integers(1, 13), max_size=8), st.randoms()
)
def test_reducing_in_strips_is_reducing_the_whole(height, width, factor, cuts, random):
    pixels = np.frombuffer(random.randbytes(height * width * 3), np.uint8).reshape(height, width, 3)
    edges = [0, *(edge for edge in np.cumsum(cuts) if edge < height), height]
    strips = (np.ascontiguousarray(pixels[a:b]) for a, b in pairwise(edges))
    got = np.concatenate(list(reduced(Strips(height, width, strips), factor)))
    np.testing.assert_array_equal(got, np.asarray(Image.fromarray(pixels).reduce(factor)))
