"""Files with frames, pages and depth: what they are to each other, and which of them may go."""

import os

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image, ImageOps, TiffImagePlugin

from imgsim_ops.collection.duplicates import Rules
from imgsim_ops.collection.find import find_duplicates
from imgsim_ops.matching.options import MatchOptions
from tests.support.photographs import write_photographs


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """Three photographs, one size."""
    folder = write_photographs(tmp_path_factory.mktemp("photographs"), longer=300)
    return [Image.open(path).convert("RGB").resize((300, 200)) for path in sorted(folder.iterdir())[:3]]


def saved(images, path, *, age=0, **options):
    images = [image.copy() for image in images]  # Pillow leaves options of one format in them for the next
    several = {"save_all": True, "append_images": images[1:]} if len(images) > 1 else {}
    images[0].save(path, **several, **options)
    return aged(path, age)


def aged(path, age):
    """So many hours older than others."""
    os.utime(path, ns=((1_600_000_000 - 3600 * age) * 10**9,) * 2)
    return path


def groups_of(collection, photos, rules=Rules()):
    """What every member is, whether it goes, and what it has that the one kept lacks, by that one's name."""
    collection.add([photos])
    with collection.duplicates(MatchOptions(), rules) as found:
        return told(found)


def told(groups):
    return {
        os.path.basename(group.members[0].picture.path): {
            os.path.basename(member.picture.path): (member.relation, member.remove, member.evidence.lacks)
            for member in group.members[1:]
        }
        for group in groups
    }


def equal_only(photos):
    return told(find_duplicates(photos, rules=Rules(equal_only=True)))


GOES = ("same_pixels", True, ())


def test_equal_pages_saved_otherwise(collection, photos, images):
    saved(images, photos / "a.tif", age=1)
    saved(images, photos / "b.tif", compression="tiff_lzw")
    saved(images, photos / "c.webp", lossless=True)
    # Which of them were made without loss is not read from animations.
    assert groups_of(collection, photos) == {"c.webp": {"a.tif": GOES, "b.tif": GOES}}
    assert equal_only(photos) == {"a.tif": {"b.tif": GOES, "c.webp": GOES}}


@pytest.mark.parametrize("suffix", [".tif", ".gif", ".webp", ".png"])
def test_equal_first_pages_alone_are_not_enough(collection, photos, images, suffix):
    for name, age, second in (("a", 1, images[1]), ("b", 0, images[2])):
        options = {"lossless": True} if suffix == ".webp" else {}
        saved([image.convert("L") for image in (images[0], second)], photos / f"{name}{suffix}", age=age, **options)
    assert groups_of(collection, photos) == {f"a{suffix}": {f"b{suffix}": ("copy", False, ("frames",))}}
    assert equal_only(photos) == {}


def test_one_level_in_the_last_page(collection, photos, images):
    pixels = np.asarray(images[2]).copy()
    pixels[199, 299, 0] ^= 1
    saved(images, photos / "a.tif", age=1)
    saved([*images[:2], Image.fromarray(pixels)], photos / "b.tif")
    assert groups_of(collection, photos) == {"a.tif": {"b.tif": ("copy", False, ("frames",))}}


@pytest.mark.parametrize(("name", "options"), [("z.webp", {"lossless": True}), ("z.tif", {}), ("z.png", {})])
def test_a_picture_of_the_first_frame_may_go(collection, photos, images, name, options):
    """However much speaks for it otherwise: the animation shows all of it and more."""
    exif = Image.Exif()
    exif[0x010F] = "a maker"
    saved(images, photos / name, **options)
    saved(images[:1], photos / "first.png", age=5, exif=exif)
    assert groups_of(collection, photos) == {name: {"first.png": ("copy", True, ())}}
    assert equal_only(photos) == {}


def test_a_frame_in_a_folder_that_is_preferred(collection, photos, images):
    (photos / "dear").mkdir()
    saved(images, photos / "a.webp", lossless=True)
    saved(images[:1], photos / "dear" / "first.png")
    found = groups_of(collection, photos, Rules(prefer=(str(photos / "dear"),)))
    assert found == {"first.png": {"a.webp": ("copy", False, ("frames",))}}


def test_more_of_the_same_pages(collection, photos, images):
    saved(images, photos / "all.tif")
    saved(images[:2], photos / "two.tif", age=2, compression="tiff_lzw")
    saved(images[:1], photos / "one.png", age=3)
    found = groups_of(collection, photos)
    assert found == {"all.tif": {"two.tif": ("copy", True, ()), "one.png": ("copy", True, ())}}


def test_a_compressed_animation_of_a_picture_takes_nothing_away(collection, photos, images):
    saved(images, photos / "a.webp", quality=60)
    saved(images[:1], photos / "first.png")
    (members,) = groups_of(collection, photos).values()
    assert not any(goes for _, goes, _ in members.values())


def test_copies_of_a_first_page_may_go(collection, photos, images):
    """Saved anew, smaller: not its pixels, and made from what it shows."""
    saved(images, photos / "a.tif")
    saved([images[0].resize((150, 100))], photos / "b.jpg", quality=70, age=5)
    assert groups_of(collection, photos) == {"a.tif": {"b.jpg": ("copy", True, ())}}


def test_copies_of_a_multi_picture_jpeg_may_go(collection, photos, images):
    """As phones write them."""
    saved(images[:2], photos / "a.mpo", quality=95)
    saved([images[0].resize((150, 100))], photos / "b.jpg", quality=70)
    saved(images[:1], photos / "c.png", age=1)  # of which the first picture was made
    assert groups_of(collection, photos) == {
        "a.mpo": {"b.jpg": ("copy", True, ()), "c.png": ("copy", False, ("frames",))}
    }


def test_what_a_camera_saved_beside_a_raw_file_stays(collection, photos, images):
    """Many a raw file is a TIFF with a preview as the first page."""
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[0x010F] = "a maker"
    exif = Image.Exif()
    exif[0x010F] = "a maker"
    saved(images[:2], photos / "a.tif", tiffinfo=tags)
    saved(images[:1], photos / "b.jpg", quality=80, exif=exif)
    assert groups_of(collection, photos) == {"a.tif": {"b.jpg": ("copy", False, ("frames",))}}


def test_a_copy_of_a_deep_picture_may_go(collection, photos, images):
    fine = np.asarray(images[0]).astype(np.uint16) * 257
    tifffile.imwrite(photos / "a.tif", fine, photometric="rgb", metadata=None)
    saved(images[:1], photos / "b.jpg", quality=80)
    assert groups_of(collection, photos) == {"a.tif": {"b.jpg": ("copy", True, ())}}


def test_a_last_page_that_is_cut(collection, photos, images):
    saved(images, photos / "a.tif", age=1)
    content = saved(images, photos / "b.tif", compression="tiff_lzw").read_bytes()
    with tifffile.TiffFile(photos / "b.tif") as file:
        tag = file.pages[2].tags[273]
    moved = (len(content) - 100).to_bytes(tag.valuebytecount, "little")  # its pixels begin there, and end nowhere
    (photos / "b.tif").write_bytes(content[: tag.valueoffset] + moved + content[tag.valueoffset + len(moved) :])
    assert groups_of(collection, photos) == {"a.tif": {"b.tif": ("copy", False, ("frames",))}}


def test_depth(collection, photos, images):
    fine = np.asarray(images[0]).astype(np.uint16) * 256 + np.random.default_rng(0).integers(0, 256, (200, 300, 3))
    fine = fine.astype(np.uint16)
    tifffile.imwrite(photos / "a.tif", fine, photometric="rgb", metadata=None)
    aged(photos / "a.tif", 3)
    tifffile.imwrite(photos / "b.tif", fine, photometric="rgb", metadata=None, compression="zlib", byteorder=">")
    aged(photos / "b.tif", 2)
    assert cv2.imwrite(str(photos / "c.png"), fine[..., ::-1])
    aged(photos / "c.png", 1)
    tifffile.imwrite(photos / "other.tif", fine ^ 1, photometric="rgb", metadata=None)
    saved([images[0]], photos / "shallow.png", age=9)
    assert groups_of(collection, photos) == {
        "a.tif": {
            "b.tif": GOES,
            "c.png": GOES,
            "other.tif": ("copy", False, ("depth",)),
            "shallow.png": ("copy", True, ()),
        }
    }
    assert equal_only(photos) == {"a.tif": {"b.tif": GOES, "c.png": GOES}}


def test_frames_are_told(collection, photos, images):
    saved(images, photos / "a.tif")
    saved(images, photos / "b.webp", lossless=True)
    saved(images[:1], photos / "c.png")
    collection.add([photos])
    with collection.duplicates() as groups:
        members = [member for group in groups for member in group.members]
    assert {os.path.basename(m.picture.path): m.picture.frames for m in members} == {
        "a.tif": 3, "b.webp": 3, "c.png": 1,
    }  # fmt: skip
    assert {m.picture.frames for g in find_duplicates(photos, rules=Rules(equal_only=True)) for m in g.members} == {3}
    saved([ImageOps.invert(images[0])], photos / "d.png")
    (hit,) = collection.search(photos / "a.tif", 1)
    assert hit.picture.frames in (1, 3)
