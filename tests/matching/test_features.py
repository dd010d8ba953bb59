import struct

import numpy as np
import pytest
from PIL import Image, ImageOps
from skimage import data

from imgsim_ops.errors import ImageError, ImgsimError
from imgsim_ops.matching import features as local
from imgsim_ops.matching.features import Features, Match, describe, verify

WIDTH, HEIGHT = 400, 300
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


@pytest.fixture(scope="module")
def picture():
    return Image.fromarray(data.coffee()).resize((WIDTH, HEIGHT))


@pytest.fixture(scope="module")
def described(tmp_path_factory):
    folder = tmp_path_factory.mktemp("local")

    def features(image, **options):
        path = folder / "picture.bmp"
        image.save(path)
        return Features.from_bytes(describe(path, **options))

    return features


def applied(transform, points):
    a, b, c, d, e, f = transform
    return points @ np.array([[a, b], [d, e]]).T + [c, f]


CORNERS = np.array([(0, 0), (WIDTH, 0), (0, HEIGHT), (WIDTH, HEIGHT)], float)


def test_what_is_described(described, picture):
    features = described(picture)
    assert (features.width, features.height) == (WIDTH, HEIGHT)
    assert 100 < len(features) <= local.MOST_KEYPOINTS
    assert (features.places[:, :2] >= 0).all()
    assert (features.places[:, :2] <= [WIDTH, HEIGHT]).all()
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


@pytest.mark.parametrize("orientation", [0, 9, -1])
def test_other_orientations_are_refused(described, picture, orientation):
    with pytest.raises(ImgsimError, match=rf"orientation must be 1 to 8 \(got {orientation}\)"):
        described(picture, orientation=orientation)


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


def test_files_that_are_no_pictures(tmp_path):
    (tmp_path / "a.jpg").write_text("no picture")
    with pytest.raises(ImageError):
        describe(tmp_path / "a.jpg")
