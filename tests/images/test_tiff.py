"""Pixels of TIFF files, against those that another program wrote."""

import itertools

import numpy as np
import pytest
import tifffile
from PIL import Image

from imgsim_ops.images.decode import decode
from imgsim_ops.images.given import pixels

# Byte order, compression, and how the pixels are cut up.
LAYOUTS = list(itertools.product("<>", (None, "zlib"), ({}, {"tile": (16, 16)}, {"rowsperstrip": 7})))


@pytest.fixture(scope="module")
def values():
    """Of four channels, in places of one colour: uint8 (48, 56, 4)."""
    random = np.random.default_rng(0)
    return np.kron(random.integers(0, 256, (6, 8, 4)), np.ones((8, 7, 1))).astype(np.uint8)


def shown(values):
    if values.shape[2] < 4:
        return np.repeat(values, 3 // values.shape[2], 2)
    alpha = values[..., 3:].astype(int)
    return np.rint((alpha * values[..., :3] + (255 - alpha) * 255) / 255)


@pytest.mark.parametrize("planes", ["contig", "separate"])
@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize(("height", "width"), [(48, 56), (33, 17), (7, 1)])
def test_the_pixels_are_the_same_however_they_are_laid_out(tmp_path, values, height, width, channels, bits, planes):
    picture = values[:height, :width, :channels]
    written = picture if bits == 8 else picture.astype(np.uint16) * 257
    how = {"photometric": "rgb", "planarconfig": planes}
    if channels == 1:
        written, how = written[..., 0], {"photometric": "minisblack"}
    elif planes == "separate":
        written = np.moveaxis(written, 2, 0)
    if channels == 4:
        how["extrasamples"] = ["unassalpha"]
    path = tmp_path / "picture.tif"
    for order, compression, cut in LAYOUTS:
        tifffile.imwrite(path, written, byteorder=order, compression=compression, metadata=None, **cut, **how)
        laid_out = f"{order} {compression} {cut}"
        np.testing.assert_allclose(decode(path).astype(int), shown(picture), atol=1, err_msg=laid_out)
        with Image.open(path) as image:
            np.testing.assert_array_equal(pixels(image), decode(path), err_msg=laid_out)
