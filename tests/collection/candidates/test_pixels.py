import hashlib

import numpy as np
import pytest
from PIL import Image, ImageOps

from imgsim_ops.collection.candidates.judging import Judged
from imgsim_ops.collection.candidates.looking import Looking
from imgsim_ops.collection.candidates.pixels import Equals, same_pixels
from imgsim_ops.collection.grouping import Cluster
from imgsim_ops.errors import ImageError
from imgsim_ops.images.pixel_hash import pixel_hash
from imgsim_ops.matching.relations import Judgement, Relation


@pytest.fixture
def image():
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (43, 61, 3), np.uint8))


def saved(image, path, **options):
    image.save(path, **options)
    return path


def test_the_hash_is_that_of_the_size_and_the_pixels(tmp_path, image):
    expected = hashlib.sha256(b"61 43" + image.tobytes()).digest() + bytes(32)
    for name, options in {
        "a.png": {},
        "b.png": {"compress_level": 0},
        "c.tif": {},
        "d.bmp": {},
        "e.webp": {"lossless": True},
    }.items():
        assert pixel_hash(saved(image, tmp_path / name, **options)) == expected


def test_a_large_picture_of_many_strips(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (1500, 1200, 1), np.uint8).repeat(3, 2)
    path = saved(Image.fromarray(pixels), tmp_path / "a.bmp")
    assert pixel_hash(path) == hashlib.sha256(b"1200 1500" + pixels.tobytes()).digest() + bytes(32)


def test_the_upright_picture_counts(tmp_path, image):
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = pixel_hash(saved(image, tmp_path / "a.png", exif=exif))
    upright = image.transpose(Image.Transpose.ROTATE_270)
    assert turned == pixel_hash(saved(upright, tmp_path / "b.png"))
    clear = image.copy()
    clear.putalpha(ImageOps.grayscale(image))
    with_exif = pixel_hash(saved(clear, tmp_path / "c.png", exif=exif))
    assert with_exif == pixel_hash(saved(clear.transpose(Image.Transpose.ROTATE_270), tmp_path / "d.png"))


def test_one_level_or_one_pixel_more_is_another_picture(tmp_path, image):
    pixels = np.asarray(image).copy()
    pixels[20, 30, 1] ^= 1
    hashes = [
        pixel_hash(saved(picture, tmp_path / f"{number}.png"))
        for number, picture in enumerate([image, Image.fromarray(pixels), image.crop((0, 0, 60, 43))])
    ]
    flat = [Image.new("RGB", size) for size in ((6, 4), (4, 6), (3, 8))]
    hashes += [pixel_hash(saved(picture, tmp_path / f"flat{n}.png")) for n, picture in enumerate(flat)]
    assert len(set(hashes)) == 6


def test_transparency_counts_where_something_shines_through(tmp_path, image):
    plain = pixel_hash(saved(image, tmp_path / "a.png"))
    assert pixel_hash(saved(image.convert("RGBA"), tmp_path / "b.png")) == plain
    white = Image.new("RGB", (20, 10), (255, 255, 255))
    shapes = []
    for number in range(2):  # white on nothing, so that only transparency has the shape
        clear = white.copy()
        clear.putalpha(Image.linear_gradient("L").resize((20, 10)).rotate(180 * number))
        shapes.append(pixel_hash(saved(clear, tmp_path / f"c{number}.png")))
    assert len({*shapes, pixel_hash(saved(white, tmp_path / "d.png"))}) == 3


def test_files_that_cannot_be_read(tmp_path, image):
    (tmp_path / "a.jpg").write_text("no picture")
    assert pixel_hash(tmp_path / "a.jpg") == b""  # equal to nothing
    content = saved(image, tmp_path / "a.bmp").read_bytes()
    (tmp_path / "b.bmp").write_bytes(content[: len(content) // 2])
    with pytest.raises(ImageError):
        pixel_hash(tmp_path / "b.bmp")
    with pytest.raises((ImageError, OSError)):
        pixel_hash(tmp_path / "missing.png")


# --- in clusters -----------------------------------------------------------------------------------------------------

EQUAL = Judged(Judgement(Relation.COPY, equal=True))
OTHER = Judged(Judgement(Relation.COPY))


def test_members_with_the_pixels_of_the_one_kept(fake_store, tmp_path, image, nothing_left):
    pixels = np.asarray(image).copy()
    pixels[0, 0, 0] ^= 1
    gone = saved(image, tmp_path / "gone.png", compress_level=3)
    for path in (
        saved(image, tmp_path / "keep.png"),
        saved(image, tmp_path / "same.bmp"),
        saved(Image.fromarray(pixels), tmp_path / "nearly.png"),
        gone,
        saved(image, tmp_path / "not asked.tif"),
        saved(ImageOps.invert(image), tmp_path / "second.png"),
        saved(ImageOps.invert(image), tmp_path / "its copy.bmp"),
    ):
        fake_store.add(path)
    gone.unlink()
    clusters = [Cluster(0, {1: EQUAL, 2: EQUAL, 3: EQUAL, 4: OTHER}), Cluster(5, {6: EQUAL})]
    told = []
    with Looking(fake_store) as looking:
        found = same_pixels(looking, clusters, lambda *what: told.append(what))
    assert found == Equals({(1, 0), (6, 5)})
    assert told == [("Comparing pixels", number, 6) for number in range(1, 7)]


def test_members_that_the_one_kept_shows_and_more(fake_store, tmp_path, image):
    others = [ImageOps.invert(image), ImageOps.mirror(image)]
    for path in (
        saved(image, tmp_path / "keep.webp", lossless=True, save_all=True, append_images=others),
        saved(image, tmp_path / "first.png"),
        saved(image, tmp_path / "same.png", save_all=True, append_images=others),
        saved(image, tmp_path / "shorter.tif", save_all=True, append_images=others[:1]),
        saved(image, tmp_path / "other.tif", save_all=True, append_images=[*others, others[0]]),
    ):
        fake_store.add(path)
    clusters = [Cluster(0, dict.fromkeys(range(1, 5), EQUAL))]
    with Looking(fake_store) as looking:
        found = same_pixels(looking, clusters, lambda *what: None)
    assert found == Equals({(2, 0)}, {(1, 0), (3, 0)})


def test_pictures_of_which_none_can_be_read_are_not_equal(fake_store, tmp_path, image):
    paths = [saved(image, tmp_path / name) for name in ("a.png", "b.bmp")]
    for path in paths:
        fake_store.add(path)
        path.unlink()
    with Looking(fake_store) as looking:
        assert same_pixels(looking, [Cluster(0, {1: EQUAL})], lambda *what: None) == Equals()


@pytest.mark.parametrize("clusters", [[], [Cluster(0, {1: OTHER})]])
def test_nothing_is_read_where_nothing_may_be_equal(fake_store, clusters):
    with Looking(fake_store) as looking:
        assert same_pixels(looking, clusters, lambda *what: None) == Equals()
