"""Equal pixels in all frames and pages and in all bits, of files that Pillow, OpenCV and tifffile wrote.

What one picture with 8 bits has for a hash is told in tests/collection/candidates/test_pixels.py.
"""

import hashlib
import itertools
from contextlib import suppress

import cv2
import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps, TiffImagePlugin

from imgsim_ops.errors import ImageError
from imgsim_ops.files.opening import Content
from imgsim_ops.files.reasons import SkippedFile
from imgsim_ops.images import pixel_hash as hashing
from imgsim_ops.images.options import ReadOptions
from imgsim_ops.images.pixel_hash import is_shown_in, pixel_hash
from imgsim_ops.images.readers import IsolatedReaders
from tests.support.pictures_made import frames_made, many_frames_gif, png_chunk
from tests.support.tries import tries

COUNTS = [1, 2, 7, 33]


def saved(images, path, **options):
    images[0].save(path, save_all=True, append_images=images[1:], **options)
    return path


def expected_of(images):
    """By its own definition: 64 bytes a frame, the second half 0 where there are 8 bits."""
    return b"".join(
        hashlib.sha256(f"{image.width} {image.height}".encode() + image.convert("RGB").tobytes()).digest() + bytes(32)
        for image in images
    )


# --- frames and pages ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", COUNTS)
def test_all_frames_count_whatever_the_format_and_compression(tmp_path, count):
    images = frames_made(count)
    for name, options in {
        "a.tif": {},
        "b.tif": {"compression": "tiff_lzw"},
        "c.tif": {"compression": "tiff_adobe_deflate"},
        "d.png": {},
        "e.webp": {"lossless": True},
        "f.webp": {"lossless": True, "duration": 500},
    }.items():
        assert pixel_hash(saved(images, tmp_path / name, **options)) == expected_of(images), name


@pytest.mark.parametrize("count", COUNTS)
def test_animations_of_palettes(tmp_path, count):
    """Of GIF the first frame is a palette's and later ones are laid over it: as they are shown they are the same."""
    greys = [image.convert("L") for image in frames_made(count)]
    assert pixel_hash(saved(greys, tmp_path / "a.gif")) == expected_of(greys)
    assert pixel_hash(saved(greys, tmp_path / "a.tif")) == expected_of(greys)


def test_pages_of_various_sizes_colours_and_orientations(tmp_path):
    images = [*frames_made(2, (24, 18)), *frames_made(1, (7, 33), seed=1), frames_made(1, (50, 1))[0].convert("L")]
    expected = expected_of(images)
    assert pixel_hash(saved(images, tmp_path / "a.tif", compression="tiff_lzw")) == expected
    with tifffile.TiffWriter(tmp_path / "b.tif", byteorder=">") as writer:
        for image in images[:3]:  # stored lying on its side, with a tag that turns it
            stored = np.asarray(image.transpose(Image.Transpose.ROTATE_90))
            writer.write(stored, photometric="rgb", metadata=None, extratags=[(274, "H", 1, 6, True)])
        writer.write(np.asarray(images[3]), photometric="minisblack", metadata=None)
    assert pixel_hash(tmp_path / "b.tif") == expected


@given(st.lists(st.integers(0, 2), min_size=1, max_size=5), st.lists(st.integers(0, 2), min_size=1, max_size=5))
@settings(max_examples=tries(60, 10), deadline=None)
def test_equal_hashes_are_equal_frames_in_order(tmp_path_factory, one, other):
    folder, images = tmp_path_factory.getbasetemp(), frames_made(3)
    a = pixel_hash(saved([images[place] for place in one], folder / "one.tif"))
    b = pixel_hash(saved([images[place] for place in other], folder / "other.tif", compression="tiff_lzw"))
    assert (a == b) is (one == other)
    assert is_shown_in(a, b) is any(list(some) == one for some in itertools.combinations(other, len(one)))


@pytest.mark.parametrize(("name", "options"), [("a.tif", {}), ("a.png", {}), ("a.webp", {"lossless": True})])
def test_one_level_in_a_later_frame(tmp_path, name, options):
    images = frames_made(3)
    before = pixel_hash(saved(images, tmp_path / name, **options))
    pixels = np.asarray(images[2]).copy()
    pixels[17, 23, 2] ^= 1
    after = pixel_hash(saved([*images[:2], Image.fromarray(pixels)], tmp_path / name, **options))
    assert before[:128] == after[:128]
    assert before != after
    assert not is_shown_in(before, after)


def test_transparency_of_a_later_frame(tmp_path):
    images = [image.convert("RGBA") for image in frames_made(2)]
    opaque = pixel_hash(saved(images, tmp_path / "a.png"))
    assert opaque == expected_of(images)
    images[1].putpixel((3, 3), (255, 255, 255, 0))
    on_white = images[1].copy()
    on_white.putpixel((3, 3), (255, 255, 255, 255))
    clear, white = (
        pixel_hash(saved([images[0], last], tmp_path / f"{number}.tif"))
        for number, last in enumerate((images[1], on_white))
    )
    assert clear[:64] == white[:64] == opaque[:64]
    assert clear[64:] != white[64:]
    assert pixel_hash(saved(images, tmp_path / "b.webp", lossless=True)) == clear


def test_a_first_frame_is_shown_by_its_animation(tmp_path):
    images = frames_made(7)
    animation = pixel_hash(saved(images, tmp_path / "a.webp", lossless=True))
    for number in (0, 4, 6):
        frame = pixel_hash(saved([images[number]], tmp_path / "a.png"))
        assert is_shown_in(frame, animation)
        assert not is_shown_in(animation, frame)
    assert not is_shown_in(pixel_hash(saved(frames_made(1, seed=9), tmp_path / "b.png")), animation)
    assert not is_shown_in(b"", animation)
    assert not is_shown_in(animation, b"")
    assert not is_shown_in(b"", b"")


def test_multi_picture_jpegs(tmp_path):
    images = frames_made(3, (64, 48))
    one = saved(images, tmp_path / "a.mpo", quality=90).read_bytes()
    exif = Image.Exif()
    exif[0x010E] = "words that change no pixel"
    saved(images, tmp_path / "b.mpo", quality=90, exif=exif)
    assert one != (tmp_path / "b.mpo").read_bytes()
    found = pixel_hash(tmp_path / "a.mpo")
    assert len(found) == 3 * 64
    assert found == pixel_hash(tmp_path / "b.mpo")
    images[0].save(tmp_path / "c.jpg", quality=90)
    assert is_shown_in(pixel_hash(tmp_path / "c.jpg"), found)
    assert pixel_hash(saved([images[0], images[2], images[1]], tmp_path / "d.mpo", quality=90)) != found


# --- depth -----------------------------------------------------------------------------------------------------------

LAYOUTS = list(itertools.product("<>", (None, "zlib"), ({}, {"tile": (16, 16)}, {"rowsperstrip": 7})))


def deep_tiff(path, pages, **how):
    with tifffile.TiffWriter(path, byteorder=how.pop("byteorder", "<")) as writer:
        for values in pages:
            channels = values.shape[2] if values.ndim == 3 else 1
            kind = {"photometric": "minisblack" if channels == 1 else "rgb"}
            if channels == 4:
                kind["extrasamples"] = ["unassalpha"]
            writer.write(values, metadata=None, **kind, **how)
    return path


def deep_png(path, values):
    colours = values if values.ndim == 2 else values[..., [2, 1, 0, 3][: values.shape[2]]]
    assert cv2.imwrite(str(path), colours)
    return path


def deep_values(channels, height=33, width=17, seed=0):
    shape = (height, width, channels) if channels > 1 else (height, width)
    return np.random.default_rng(seed).integers(0, 1 << 16, shape).astype(np.uint16)


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize(("height", "width"), [(33, 17), (7, 1), (1, 300)])
def test_all_bits_count_in_whatever_order_they_are_stored(tmp_path, channels, height, width):
    values = deep_values(channels, height, width)
    expected = pixel_hash(deep_png(tmp_path / "a.png", values))
    assert len(expected) == 64
    assert expected[32:] != bytes(32)
    for order, compression, cut in LAYOUTS:
        path = deep_tiff(tmp_path / "a.tif", [values], byteorder=order, compression=compression, **cut)
        assert pixel_hash(path) == expected, f"{order} {compression} {cut}"


@pytest.mark.parametrize("channels", [1, 3, 4])
@given(data=st.data())
@settings(max_examples=tries(40, 10), deadline=None)
def test_one_bit_more_is_another_picture(tmp_path_factory, channels, data):
    folder, values = tmp_path_factory.getbasetemp(), deep_values(channels, 5, 7)
    changed = values.copy()
    place = data.draw(st.integers(0, values.size - 1))
    changed.reshape(-1)[place] ^= 1 << data.draw(st.integers(0, 15))
    order, compression, cut = data.draw(st.sampled_from(LAYOUTS))
    here = pixel_hash(deep_png(folder / "a.png", values))
    there = pixel_hash(deep_tiff(folder / "a.tif", [changed], byteorder=order, compression=compression, **cut))
    assert here != there
    assert not is_shown_in(here, there)


def test_alpha_that_lets_nothing_through_is_none(tmp_path):
    values = deep_values(3)
    opaque = np.dstack([values, np.full((33, 17), 65535, np.uint16)])
    assert pixel_hash(deep_tiff(tmp_path / "a.tif", [opaque])) == pixel_hash(deep_png(tmp_path / "a.png", values))
    nearly = opaque.copy()
    nearly[3, 3, 3] -= 1
    assert pixel_hash(deep_tiff(tmp_path / "b.tif", [nearly])) != pixel_hash(tmp_path / "a.png")


def test_deep_pages(tmp_path):
    pages = [deep_values(3), deep_values(1, 9, 40), deep_values(3, seed=1), np.asarray(frames_made(1)[0])]
    found = pixel_hash(deep_tiff(tmp_path / "a.tif", pages))
    assert len(found) == 4 * 64
    assert found == pixel_hash(deep_tiff(tmp_path / "b.tif", pages, byteorder=">", compression="zlib"))
    pages[2] = pages[2] ^ 1
    other = pixel_hash(deep_tiff(tmp_path / "c.tif", pages))
    assert other[:160] == found[:160]  # as it is shown, too
    assert other != found
    assert pixel_hash(deep_png(tmp_path / "a.png", pages[0])) == found[:64]


def test_what_a_deep_picture_shows_with_8_bits_is_shown_by_it(tmp_path):
    values = deep_values(3)
    deep = pixel_hash(deep_tiff(tmp_path / "a.tif", [values]))
    Image.fromarray((values >> 8).astype(np.uint8)).save(tmp_path / "a.png")
    assert is_shown_in(pixel_hash(tmp_path / "a.png"), deep)
    assert not is_shown_in(deep, pixel_hash(tmp_path / "a.png"))


def test_a_scale_of_12_bits_is_none_of_16(tmp_path):
    values = deep_values(1) >> 4
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    path = deep_tiff(tmp_path / "a.tif", [values])
    content = bytearray(path.read_bytes())
    with tifffile.TiffFile(path) as file:
        content[file.pages[0].tags[258].valueoffset] = 12  # and so its values are shown 16 times as bright
    del tags
    twelve = pixel_hash(Content(bytes(content)))
    assert twelve[32:] != pixel_hash(path)[32:]


def test_of_what_is_not_handed_on_nothing_is_said(tmp_path):
    values = deep_values(3)
    planes = tmp_path / "planes.tif"
    tifffile.imwrite(planes, np.moveaxis(values, 2, 0), photometric="rgb", planarconfig="separate", metadata=None)
    multiplied = tmp_path / "multiplied.tif"
    tifffile.imwrite(multiplied, deep_values(4), photometric="rgb", extrasamples=["assocalpha"], metadata=None)
    odd = tmp_path / "odd.tif"
    tifffile.imwrite(odd, deep_values(4), photometric="rgb", extrasamples=["unspecified"], metadata=None)
    content = deep_png(tmp_path / "a.png", values).read_bytes()
    one_colour = Content(content[:33] + png_chunk(b"tRNS", values[0, 0].astype(">u2").tobytes()) + content[33:])
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[330] = 8
    tags.tagtype[330] = 4
    images = frames_made(2)
    beneath = saved(images, tmp_path / "beneath.tif", tiffinfo=tags)
    images[0].save(tmp_path / "raw.tif", tiffinfo=tags)
    for path in (planes, multiplied, odd, one_colour, beneath, tmp_path / "raw.tif"):
        assert pixel_hash(path) == b""


# --- what is broken, large or endless --------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "options"), [("a.tif", {"compression": "tiff_lzw"}), ("a.gif", {}), ("a.png", {})])
def test_a_last_frame_that_is_cut_is_never_equal_to_anything(tmp_path, name, options):
    images = [image.convert("L") for image in frames_made(3, (90, 60))]
    content = saved(images, tmp_path / name, **options).read_bytes()
    whole = pixel_hash(tmp_path / name)
    assert len(whole) == 3 * 64
    for length in range(len(content) // 3, len(content), 13):
        found = b""
        with suppress(ImageError):
            found = pixel_hash(Content(content[:length]))
        assert found in (b"", whole)  # where only what follows the pixels is missing


def test_a_tiff_whose_last_page_is_cut(tmp_path):
    """Its directory is there, and half of its pixels are not."""
    images = frames_made(3, (90, 60))
    content = saved(images, tmp_path / "a.tif").read_bytes()
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        page = file.pages[2]
        at = page.dataoffsets[0]
    assert at + page.databytecounts[0] <= len(content)
    if at < page.offset:  # pixels before the directory: what they lie at is moved behind the end
        tag = page.tags[273]
        content = (
            content[: tag.valueoffset] + (len(content) - 500).to_bytes(4, "little") + content[tag.valueoffset + 4 :]
        )
    else:
        content = content[: at + 500]
    with pytest.raises(ImageError) as raised:
        pixel_hash(Content(content))
    assert raised.value.code in ("truncated", "damaged")


@pytest.mark.parametrize("name", ["a.tif", "a.webp", "a.png"])
def test_every_frame_is_checked_before_it_is_decoded(tmp_path, name):
    images = frames_made(2, (40, 40)) if name != "a.tif" else [*frames_made(2, (10, 10)), *frames_made(1, (40, 40))]
    path = saved(images, tmp_path / name, **({"lossless": True} if name == "a.webp" else {}))
    asked = []

    def admit(held):
        asked.append(held)
        return hashing.admit_at_once(held)

    assert pixel_hash(path, admit=admit)
    assert asked == sorted(asked)
    assert 1600 * 4 <= asked[-1] <= 1600 * 32
    with pytest.raises(ImageError) as raised:
        pixel_hash(path, ReadOptions(max_pixels=1599))
    assert raised.value.code == "too_large"


def test_a_hundred_thousand_frames_are_not_looked_at():
    content = Content(many_frames_gif(100_000))
    assert pixel_hash(content) == b""
    assert len(pixel_hash(Content(many_frames_gif(100)))) == 6400


def test_frames_that_take_too_long(tmp_path, monkeypatch):
    path = tmp_path / "a.gif"
    path.write_bytes(many_frames_gif(10_000))
    with IsolatedReaders("imgsim_ops.images.pixel_hash:pixel_hash", ReadOptions(threads=1, time_limit=0.05)) as readers:
        answer = readers.read(path).result()
    assert isinstance(answer, SkippedFile)
    assert answer.code == "timed_out"


def test_turned_animations(tmp_path):
    images = frames_made(3)
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = [image.transpose(Image.Transpose.ROTATE_270) for image in images]
    for name, options in {"a.png": {}, "a.webp": {"lossless": True}}.items():
        assert pixel_hash(saved(images, tmp_path / name, exif=exif, **options)) == expected_of(turned)


def test_other_frames(tmp_path):
    images = frames_made(2)
    one = pixel_hash(saved(images, tmp_path / "a.tif"))
    assert one != pixel_hash(saved([images[0], ImageOps.invert(images[1])], tmp_path / "b.tif"))
    assert one != pixel_hash(saved(images[::-1], tmp_path / "c.tif"))
