import cv2
import numpy as np
import pytest
from PIL import Image

from imgsim_ops.matching import frames
from imgsim_ops.matching.detail import Detail, detail
from imgsim_ops.matching.looks import Look

NAMES = ("chelsea", "coffee", "coins", "motorcycle_left", "rocket")


def measured(one, other, axis=None):
    looks = [Look.of(np.asarray(image)) for image in (one, other)]
    scale = np.diag([other.width / one.width, other.height / one.height, 1.0])
    return detail(frames.frame(*looks, scale, 512, finer=True), axis)


def blurred(image, sigma):
    return Image.fromarray(cv2.GaussianBlur(np.asarray(image), (0, 0), sigma))


def halved(image):
    return image.resize((image.width // 2, image.height // 2), Image.Resampling.LANCZOS)


WORSE = {
    "blurred": lambda image: blurred(image, 1.2),
    "blurred much": lambda image: blurred(image, 3),
    "halved": halved,
    "halved and enlarged": lambda image: halved(image).resize(image.size, Image.Resampling.BICUBIC),
    "a quarter": lambda image: halved(halved(image)),
}


@pytest.mark.parametrize("kind", WORSE)
@pytest.mark.parametrize("name", NAMES)
def test_what_lost_detail_has_less_whichever_comes_first(photographs, name, kind):
    image = photographs[name]
    worse = WORSE[kind](image)
    found, back = measured(image, worse), measured(worse, image)
    assert found.finer > 0.3
    assert back.finer < -0.3
    assert found.finer == max(found.bands, key=abs)


@pytest.mark.parametrize("name", NAMES)
def test_equal_pictures_and_other_tones_have_as_much(photographs, name):
    image = photographs[name]
    assert measured(image, image).finer == 0
    darker = image.point(lambda level: round(20 + 0.6 * level))
    assert abs(measured(image, darker).finer) < 0.15  # what rounding to fewer levels takes


@pytest.mark.parametrize("name", NAMES)
def test_an_enlarged_picture_has_no_more_than_it_was_made_from(photographs, name):
    image = photographs[name]
    larger = image.resize((2 * image.width, 2 * image.height), Image.Resampling.BICUBIC)
    assert abs(measured(image, larger).finer) < 0.35  # kernels of interpolation differ in what they let pass


@pytest.mark.parametrize("name", NAMES)
def test_more_blur_loses_more(photographs, name):
    image = photographs[name]
    losses = [measured(image, blurred(image, sigma)).finer for sigma in (0.7, 1.2, 2.0)]
    assert losses == sorted(losses)


def test_noise_is_told_from_detail(photographs):
    image = photographs["coffee"]
    soft = blurred(image, 2)
    noise = np.random.default_rng(0).normal(0, 10, (image.height, image.width, 3))
    noisy = Image.fromarray(np.clip(np.asarray(soft) + noise, 0, 255).astype(np.uint8))
    found = measured(image, noisy)
    assert found.noisier == -1
    assert found.reversed().noisier == 1
    assert measured(image, image).noisier == 0
    assert found.finer > 0.3


def test_along_one_axis_only(photographs):
    image = photographs["motorcycle_left"]
    pixels = np.asarray(image)
    along_rows = Image.fromarray(cv2.GaussianBlur(pixels, (13, 1), 2))
    assert measured(image, along_rows, axis=1).finer > 0.5
    assert abs(measured(image, along_rows, axis=0).finer) < abs(measured(image, along_rows, axis=1).finer) / 2


def test_too_few_pixels_say_nothing():
    tiny = Look.of(np.zeros((9, 9, 3), np.uint8))
    found = frames.frame(tiny, tiny, np.eye(3), 512)
    valid = np.zeros_like(found.valid)
    valid[:10, :10] = 255
    found = frames.Frame(found.a, found.b, valid, found.to_a, found.to_b)
    assert detail(found) == Detail(0.0, (), (0.0, 0.0))


def test_flat_pictures_have_no_detail():
    flat = Image.new("RGB", (300, 200), (90, 90, 90))
    assert measured(flat, flat).finer == 0
