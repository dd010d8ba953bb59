"""Two pictures alone, of real photographs."""

import io

import numpy as np
import pytest
from PIL import Image, ImageDraw, features

from imgsim_ops.images.orientation import turned
from imgsim_ops.matching import frames
from imgsim_ops.matching.frames import whole_to_whole
from imgsim_ops.matching.looks import Look, look
from imgsim_ops.matching.pair import judged, transform_by_features
from imgsim_ops.matching.relations import Relation

NAMES = ("chelsea", "coffee", "coins", "motorcycle_left")


def point_error(transform, expected, one):
    """How far apart two transforms lay the corners of a picture, in pixels of the other one."""
    corners = frames.corners(one.width, one.height)
    there = frames.mapped(np.reshape(transform, (3, 3)), corners)
    return float(np.abs(there - frames.mapped(np.reshape(expected, (3, 3)), corners)).max())


def cut(image):
    """Part of an image, and the transform from it to the image."""
    width, height = image.size
    x, y = width // 5, height // 6
    part = image.crop((x, y, width * 4 // 5, height * 5 // 6))
    return part, np.array([[1, 0, x], [0, 1, y], [0, 0, 1.0]])


def around_the_middle(image, degrees):
    """The transform by which Pillow turns an image, counterclockwise, in a frame of the same size."""
    x, y = image.width / 2, image.height / 2
    cos, sin = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    there = np.array([[1, 0, x], [0, 1, y], [0, 0, 1]]) @ [[cos, sin, 0], [-sin, cos, 0], [0, 0, 1]]
    return there @ [[1, 0, -x], [0, 1, -y], [0, 0, 1]]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("name", NAMES)
def test_turned_by_quarters_and_mirrored(photographs, name, orientation):
    pixels = np.asarray(photographs[name])
    one, other = Look.of(pixels), Look.of(turned(pixels, orientation))
    found = judged(one, other)
    assert (found.relation, found.joined, found.original) == (Relation.COPY, True, 0)
    assert found.lacks == ((), ())
    assert found.differences == ()
    assert found.agreement > 0.98
    assert found.overlap == pytest.approx((1, 1), abs=0.01)
    assert point_error(found.transform, whole_to_whole(one, other, orientation), one) < 1


def test_a_mirror_image_has_as_much_detail(photographs):
    pixels = np.asarray(photographs["rocket"])
    assert judged(Look.of(pixels), Look.of(turned(pixels, 2))).original == 0


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_a_part_that_was_cut_out(photographs, name, mirrored):
    part, back = cut(photographs[name])
    one, other = Look.of(np.asarray(photographs[name])), Look.of(turned(np.asarray(part), 2 if mirrored else 1))
    found = judged(one, other)
    assert (found.relation, found.joined, found.original, found.why) == (Relation.PART, True, 1, "shown")
    assert found.lacks == (("more",), ())
    assert found.differences == ()
    assert found.overlap == pytest.approx((part.width * part.height / (one.width * one.height), 1), abs=0.01)
    expected = np.linalg.inv(back)
    if mirrored:
        expected = np.array([[-1, 0, part.width], [0, 1, 0], [0, 0, 1.0]]) @ expected
    assert point_error(found.transform, expected, one) < 1.5  # twice as far out as what is known
    seen_back = judged(other, one)
    assert (seen_back.relation, seen_back.original, seen_back.lacks) == (Relation.PART, -1, ((), ("more",)))
    assert point_error(seen_back.transform, np.linalg.inv(expected), other) < 1


@pytest.mark.parametrize("degrees", [-20, 10])
@pytest.mark.parametrize("name", NAMES)
def test_turned_by_some_degrees(photographs, name, degrees):
    image = photographs[name]
    one, other = (Look.of(np.asarray(each)) for each in (image, image.rotate(degrees, Image.Resampling.BICUBIC)))
    found = judged(one, other)
    assert found.relation in (Relation.PART, Relation.COPY)
    assert found.joined
    assert (found.original, found.why) == (1, "shown")  # the corners of the other one are black
    assert found.lacks[1] == ()
    assert found.differences == ()
    assert point_error(found.transform, around_the_middle(image, degrees), one) < 3


def test_a_smaller_part_that_was_turned(photographs):
    part, back = cut(photographs["coffee"])
    small = part.resize((part.width * 2 // 3, part.height * 2 // 3), Image.Resampling.LANCZOS)
    one, other = Look.of(np.asarray(photographs["coffee"])), Look.of(turned(np.asarray(small), 5))
    found = judged(one, other)
    assert (found.relation, found.joined, found.original) == (Relation.PART, True, 1)
    expected = whole_to_whole(Look.of(np.asarray(part)), other, 5) @ np.linalg.inv(back)
    assert point_error(found.transform, expected, one) < 1.5


def test_unlike_pictures(photographs):
    looks = [Look.of(np.asarray(image)) for image in photographs.values()]
    for place, one in enumerate(looks):
        for other in looks[:place]:
            found = judged(one, other)
            assert (found.relation, found.joined, found.original) == (Relation.LOOK_ALIKE, False, 0)
            assert found.differences == ()


def test_pictures_without_features():
    flat, other = (Look.of(np.full((60, 80, 3), level, np.uint8)) for level in (90, 200))
    assert judged(flat, flat).equal
    assert judged(flat, other).relation is Relation.LOOK_ALIKE


# --- by features -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("name", NAMES)
def test_the_transform_of_features(photographs, described, name, orientation):
    one, other = described(photographs[name]), described(photographs[name], orientation)
    transform, inliers = transform_by_features(one, other)
    assert transform.shape == (3, 3)
    assert inliers > 100
    # Features say where to about a pixel; which way round is beyond doubt.
    assert point_error(transform, whole_to_whole(one, other, orientation), one) < 2
    assert np.sign(np.linalg.det(transform[:2, :2])) == (-1 if orientation in (2, 4, 5, 7) else 1)


def test_features_of_unlike_pictures_agree_on_nothing(photographs, described):
    found = {name: described(image) for name, image in photographs.items()}
    names = ["chelsea", "coffee", "coins", "motorcycle_left", "rocket"]
    for place, one in enumerate(names):
        for other in names[:place]:
            transform, inliers = transform_by_features(found[one], found[other])
            assert transform is None
            assert inliers < 5


def test_without_features_there_is_no_transform(photographs, described):
    flat = described(Image.new("RGB", (80, 60), (90, 90, 90)))
    assert transform_by_features(flat, flat) == (None, 0)
    assert transform_by_features(flat, described(photographs["coffee"])) == (None, 0)


# --- files -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("colours", [16, 64, 256])
@pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
@pytest.mark.parametrize("quality", [75, 90])
@pytest.mark.parametrize("name", NAMES)
def test_of_a_photograph_and_few_colours_the_first_one_saved_is_kept(
    tmp_path, photographs, name, quality, kind, colours
):
    """What was compressed from few colours comes out the same from them; a photograph does not."""

    def first_of(first, second):
        one, other = (Look.from_bytes(look(path)) for path in (first, second))
        return judged(one, other).original

    photograph = tmp_path / "photograph"
    photographs[name].save(photograph, kind, quality=quality)
    with Image.open(photograph) as image:
        image.convert("RGB").quantize(colours).save(tmp_path / "few.gif")
    # Dots for want of colours may be alike to what WebP changes: then nothing is said.
    assert first_of(photograph, tmp_path / "few.gif") in ((1,) if kind == "JPEG" else (0, 1))
    photographs[name].convert("RGB").quantize(colours).save(tmp_path / "drawing.gif")
    with Image.open(tmp_path / "drawing.gif") as image:
        image.convert("RGB").save(photograph, kind, quality=quality)
    assert first_of(tmp_path / "drawing.gif", photograph) == 1


def drawing(seed):
    """Shapes of one colour each, with smooth edges, in 64 colours."""
    random = np.random.default_rng(seed)
    canvas = Image.new("RGB", (1280, 960), tuple(random.integers(0, 256, 3).tolist()))
    pen = ImageDraw.Draw(canvas)
    for shape in (pen.ellipse, pen.rectangle) * 12:
        x, y, width, height = (int(random.integers(20, most)) for most in (1200, 900, 400, 400))
        shape((x, y, x + width, y + height), fill=tuple(random.integers(0, 256, 3).tolist()))
    return canvas.resize((640, 480)).quantize(64)


AFTERWARDS = {
    "saved twice": lambda pixels: recompressed(pixels, 60),
    "noise": lambda pixels: np.clip(pixels + np.random.default_rng(0).normal(0, 5, pixels.shape), 0, 255),
}


def recompressed(pixels, quality):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))


@pytest.mark.parametrize("change", AFTERWARDS)
@pytest.mark.parametrize("quality", [75, 92])
@pytest.mark.parametrize("seed", range(3))
def test_a_drawing_stays_though_what_was_made_of_it_was_changed(tmp_path, seed, quality, change):
    drawing(seed).save(tmp_path / "drawing.png")
    with Image.open(tmp_path / "drawing.png") as image:
        changed = AFTERWARDS[change](np.asarray(image.convert("RGB"))).astype(np.uint8)
    Image.fromarray(changed).save(tmp_path / "of it.jpg", quality=quality)
    one, other = (Look.from_bytes(look(tmp_path / name)) for name in ("drawing.png", "of it.jpg"))
    assert judged(one, other).original == 1


@pytest.fixture
def judged_with_copy(photographs, tmp_path):
    """What a photograph in one format is to what was made of it in another; skipped without AVIF."""
    if not features.check("avif"):
        pytest.skip("Pillow has no AVIF")

    def run(name, first, last):
        files = []
        image = photographs[name]
        for place, (kind, quality) in enumerate((first, last)):
            files.append(tmp_path / f"{place}.{kind}")
            image.save(files[-1], quality=quality, **({"speed": 8} if kind == "avif" else {}))
            with Image.open(files[-1]) as saved:
                image = saved.convert("RGB")
        return judged(*(Look.from_bytes(look(file)) for file in files))

    return run


@pytest.mark.parametrize("quality", [50, 75])
@pytest.mark.parametrize("name", ["coffee", "chelsea"])
def test_a_photograph_is_no_worse_than_what_was_made_of_it_as_avif(judged_with_copy, name, quality):
    """How strongly AVIF was compressed is not known: it is no original for that it differs by more than the JPEG."""
    found = judged_with_copy(name, ("jpg", 85), ("avif", quality))
    assert found.relation is Relation.COPY
    assert found.original >= 0


@pytest.mark.parametrize("quality", [70, 90])
@pytest.mark.parametrize("name", ["coffee", "chelsea"])
def test_an_avif_file_is_the_original_of_what_was_made_of_it_as_jpeg(judged_with_copy, name, quality):
    assert judged_with_copy(name, ("avif", 75), ("jpg", quality)).original == 1
