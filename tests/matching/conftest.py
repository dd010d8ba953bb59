import numpy as np
import pytest
from PIL import Image
from skimage import data

from imgsim_ops.images.orientation import turned
from imgsim_ops.matching.features import described as described_pixels
from imgsim_ops.matching.looks import Look
from imgsim_ops.quality.photographs import EVALUATION, find_photographs


@pytest.fixture(scope="module")
def picture():
    return Image.fromarray(data.coffee()).resize((400, 300))


@pytest.fixture(scope="module")
def described():
    def features(image, orientation=1):
        pixels = turned(np.asarray(image.convert("RGB")), orientation)
        return described_pixels(pixels, pixels.shape[1], pixels.shape[0])

    return features


@pytest.fixture(scope="session")
def photographs():
    """Real photographs by name, 480 pixels at most."""
    found = {}
    for path in find_photographs(EVALUATION):
        with Image.open(path) as image:
            image.load()
            small = image.convert("RGB")
        small.thumbnail((480, 480), Image.Resampling.LANCZOS)
        found[path.stem] = small
    return found


@pytest.fixture(scope="session")
def look_of():
    """The look of an image of Pillow's."""

    def look(image, **options):
        return Look.of(np.asarray(image.convert("RGB")), **options)

    return look
