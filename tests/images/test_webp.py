import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from skimage import data

from imgsim_ops.images.facts import file_facts
from imgsim_ops.images.webp import webp_quality
from tests.support.tries import tries


@pytest.fixture(scope="module")
def photographs():
    return {name: Image.fromarray(getattr(data, name)()).convert("RGB") for name in ("coffee", "page")}


def saved(image, **options):
    file = io.BytesIO()
    image.save(file, "WEBP", **options)
    return file


@pytest.mark.parametrize("quality", range(1, 101))
@pytest.mark.parametrize("name", ["coffee", "page"])
def test_the_quality_is_the_one_that_was_asked_for(photographs, name, quality):
    found = webp_quality(saved(photographs[name], quality=quality))
    assert abs(found - quality) <= (0 if quality in (50, 75, 80, 85, 90, 95) else 1)


@pytest.mark.parametrize(
    "options", [{}, {"icc_profile": bytes(5001)}, {"exif": bytes(77)}, {"icc_profile": bytes(70000), "exif": bytes(6)}]
)
@pytest.mark.parametrize("transparent", [False, True])
def test_whatever_comes_before_the_pixels(photographs, options, transparent):
    image = photographs["coffee"].copy()
    if transparent:
        image.putalpha(100)
    assert webp_quality(saved(image, quality=80, **options)) == 80


def test_none_where_nothing_was_lost(photographs):
    file = saved(photographs["coffee"], lossless=True)
    assert webp_quality(file) == 0
    assert file_facts(file, "WEBP").webp_quality == 0


@settings(deadline=None, max_examples=tries(50))
@given(st.binary(max_size=200), st.integers(0, 200))
def test_bad_files_raise_nothing(content, length):
    assert webp_quality(io.BytesIO(content)) == 0 or content
    whole = saved(Image.fromarray(np.zeros((33, 17, 3), np.uint8)), quality=60).getvalue()
    assert 0 <= webp_quality(io.BytesIO(whole[:length] + content)) <= 100
    assert 0 <= webp_quality(io.BytesIO(b"RIFF    WEBPVP8 " + content)) <= 100
