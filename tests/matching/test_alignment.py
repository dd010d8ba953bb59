import numpy as np
import pytest
from PIL import Image, ImageOps
from skimage import data

from imgsim_ops.matching.alignment import Match, verify
from imgsim_ops.matching.features import Features

WIDTH, HEIGHT = 400, 300  # of `picture`
TURNS = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def applied(transform, points):
    a, b, c, d, e, f = transform
    return points @ np.array([[a, b], [d, e]]).T + [c, f]


CORNERS = np.array([(0, 0), (WIDTH, 0), (0, HEIGHT), (WIDTH, HEIGHT)], float)


def test_the_same_answer_each_time(described, picture):
    first, second = described(picture), described(picture.rotate(5).resize((300, 225)))
    assert verify(first, second) == verify(first, second)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientations_are_those_of_exif(described, picture, orientation):
    turned = picture if TURNS[orientation] is None else picture.transpose(TURNS[orientation])
    ours, theirs = described(picture, orientation=orientation), described(turned)
    assert ours.to_bytes() == theirs.to_bytes()
    match = verify(ours, theirs)
    assert match.inliers > 100
    corners = CORNERS if orientation <= 4 else CORNERS[:, ::-1]
    np.testing.assert_allclose(applied(match.transform, corners), corners, atol=0.5)


# Name, how the second picture is made, and where the point (x, y) of the first lies in it.
PLANTED = {
    "resized": (lambda p: p.resize((260, 150)), (0.65, 0, 0, 0, 0.5, 0)),
    "enlarged": (lambda p: p.resize((1000, 750)), (2.5, 0, 0, 0, 2.5, 0)),
    "cropped": (lambda p: p.crop((80, 60, 360, 270)), (1, 0, -80, 0, 1, -60)),
    "bordered": (lambda p: ImageOps.expand(p, 50, (255, 0, 0)), (1, 0, 50, 0, 1, 50)),
    "quarter turn": (lambda p: p.transpose(Image.Transpose.ROTATE_270), (0, -1, HEIGHT, 1, 0, 0)),
    "darker": (lambda p: p.point(lambda value: value // 2), (1, 0, 0, 0, 1, 0)),
}


@pytest.mark.parametrize("name", PLANTED)
def test_planted_transforms_are_found(described, picture, name):
    change, transform = PLANTED[name]
    copy = change(picture)
    match = verify(described(picture), described(copy))
    assert match.inliers >= 30
    assert match.matches >= match.inliers
    # The fit's own tolerance is 5 of 512 pixels; an average over 30 matches is better than one of them.
    found, expected = applied(match.transform, CORNERS), applied(transform, CORNERS)
    assert np.abs(found - expected).max() < 5 * max(copy.size) / 512
    back = verify(described(copy), described(picture))
    np.testing.assert_allclose(applied(back.transform, expected), CORNERS, atol=5 * WIDTH / 512)


def test_spread(described, picture):
    whole = verify(described(picture), described(picture))
    assert 0.5 < whole.spread <= 1
    part = verify(described(picture), described(picture.crop((0, 0, 200, 150)).resize((400, 300))))
    assert part.spread > 0.4  # of the smaller one


def test_unlike_pictures_do_not_match(described):
    names = ("astronaut", "camera", "coffee", "chelsea", "rocket", "page", "coins", "brick", "grass", "gravel")
    features = [described(Image.fromarray(getattr(data, name)()).convert("RGB")) for name in names]
    for i, first in enumerate(features):
        for second in features[:i]:
            assert verify(first, second).inliers < 8


def test_mirror_images_match_when_turned_back(described, picture):
    mirrored = ImageOps.mirror(picture)
    assert verify(described(mirrored), described(picture)).inliers < 8
    assert verify(described(mirrored, orientation=2), described(picture)).inliers > 100


@pytest.mark.parametrize("size", [(1, 1), (1, 700), (700, 1), (2, 2), (3, 5000), (5000, 3), (17, 33)])
def test_pictures_of_few_pixels(described, picture, size):
    noise = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), np.uint8)
    features = described(Image.fromarray(noise))
    assert (features.width, features.height) == size
    for match in (verify(features, described(picture)), verify(described(picture), features)):
        assert match.inliers < 8


def test_nothing_to_describe(described, picture):
    flat = described(Image.new("RGB", (300, 200), (10, 200, 30)))
    assert len(flat) == 0
    assert Features.from_bytes(flat.to_bytes()).to_bytes() == flat.to_bytes()
    assert verify(flat, flat) == verify(flat, described(picture)) == Match()


def test_large_pictures_are_described_strip_by_strip(described, picture):
    large = picture.resize((3001, 2251), Image.Resampling.BICUBIC)
    match = verify(described(picture), described(large))
    assert match.inliers > 60
    scale = 3001 / WIDTH
    np.testing.assert_allclose(applied(match.transform, CORNERS), CORNERS * scale, atol=5 * 3001 / 512)
