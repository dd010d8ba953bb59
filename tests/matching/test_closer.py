import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from imgsim_ops.errors import ImageError
from imgsim_ops.images.orientation import turned
from imgsim_ops.matching import frames
from imgsim_ops.matching.closer import closer, piece, pieces_of
from imgsim_ops.matching.frames import whole_to_whole
from imgsim_ops.matching.looks import SIDE, Look, look
from imgsim_ops.matching.pair import judged
from imgsim_ops.matching.relations import Relation
from tests.support.tries import tries


def of(pixels):
    return Look.of(pixels), pieces_of(pixels)


def told(a, b):
    """Judged in full, and by looks alone."""
    (one, here), (other, there) = of(a), of(b)
    return judged(one, other, (here, there)), judged(one, other)


def resized(pixels, factor):
    return cv2.resize(pixels, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC)


@pytest.fixture(scope="module")
def large(photographs):
    """Photographs side by side, with all their detail, larger than a look."""
    tiles = [np.asarray(image.resize((480, 320))) for image in photographs.values()]
    rows = [np.concatenate([tiles[(5 * row + column) % len(tiles)] for column in range(5)], 1) for row in range(5)]
    return np.concatenate(rows)


# --- pieces ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "BMP"])
@pytest.mark.parametrize("box", [(0, 0, 300, 200), (7, 17, 33, 1), (299, 199, 1, 1), (64, 0, 100, 200)])
def test_a_piece_of_a_file_is_a_box_of_its_pixels(tmp_path, photographs, kind, box):
    path = tmp_path / "picture"
    photographs["coffee"].resize((300, 200)).save(path, kind)
    x, y, width, height = box
    with Image.open(path) as image:
        expected = np.asarray(image.convert("RGB"))[y : y + height, x : x + width]
    np.testing.assert_array_equal(pieces_of(path)(box), expected)
    np.testing.assert_array_equal(pieces_of(expected)((0, 0, width, height)), expected)


def test_a_file_that_cannot_be_read(tmp_path):
    with pytest.raises(ImageError, match="there must be a file of this name"):
        piece(tmp_path / "none", box=(0, 0, 8, 8))


@settings(deadline=None, max_examples=tries(30))
@given(
    st.sampled_from([(40, 30), (1281, 33), (2000, 1400), (900, 3001)]), st.integers(1, 8), st.floats(0, 1),
    st.floats(0, 1),
)  # fmt: skip
def test_pieces_lie_over_each_other_as_their_pictures_do(size, orientation, across, down):
    width, height = size
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    one, here = of(pixels)
    other, there = of(turned(pixels, orientation))
    whole = whole_to_whole(one, other, orientation)
    point = np.array([across * other.width, down * other.height])
    a, b, between = closer(one, other, whole, point, (here, there))
    assert max(a.width, a.height, b.width, b.height) <= SIDE
    assert a.shrunk == b.shrunk == 1
    found = frames.frame(a, b, between, SIDE)
    # Tiny pictures are enlarged, each with its own rounding.
    np.testing.assert_allclose(found.a[found.valid > 0].astype(int), found.b[found.valid > 0], atol=1)
    assert found.valid.any() or min(a.width, a.height) < 9


def test_pieces_that_cannot_be_read(large):
    one, here = of(large)
    for pieces in ((here, lambda box: None), (lambda box: None, here)):
        assert closer(one, one, np.eye(3), np.array([9, 9]), pieces) is None
        found = judged(one, Look.of(resized(large, 0.8)), pieces)
        assert found.relation is Relation.COPY


def test_what_is_looked_at_in_full_is_read_from_nowhere(photographs):
    small = Look.of(np.asarray(photographs["coffee"]))

    def never(box):
        raise AssertionError("a piece is read")

    assert judged(small, small, (never, never)).relation is Relation.COPY
    assert judged(small, Look.of(resized(small.pixels, 0.7)), (never, never)).original == 1


# --- what only they tell ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("quality", [60, 75, 90])
@pytest.mark.parametrize("webp", [50, 75, 85])
def test_of_a_photograph_and_what_was_made_of_it_as_webp_the_photograph_is_the_original(tmp_path, large, quality, webp):
    Image.fromarray(large).save(tmp_path / "photograph.jpg", quality=quality)
    with Image.open(tmp_path / "photograph.jpg") as photograph:
        photograph.save(tmp_path / "smaller.webp", quality=webp)
    files = [tmp_path / "photograph.jpg", tmp_path / "smaller.webp"]
    one, other = (Look.from_bytes(look(file)) for file in files)
    here, there = (pieces_of(file) for file in files)
    found = judged(one, other, (here, there))
    assert (found.relation, found.original, found.why) == (Relation.COPY, 1, "compression")
    assert judged(other, one, (there, here)).original == -1


@pytest.mark.parametrize("quality", [60, 75, 90])
@pytest.mark.parametrize("webp", [50, 75, 85])
def test_of_a_webp_and_what_was_made_of_it_as_jpeg_the_webp_is(tmp_path, large, quality, webp):
    Image.fromarray(large).save(tmp_path / "picture.webp", quality=webp)
    with Image.open(tmp_path / "picture.webp") as picture:
        picture.convert("RGB").save(tmp_path / "for all.jpg", quality=quality)
    files = [tmp_path / "picture.webp", tmp_path / "for all.jpg"]
    one, other = (Look.from_bytes(look(file)) for file in files)
    found = judged(one, other, tuple(pieces_of(file) for file in files))
    assert (found.relation, found.original, found.why) == (Relation.COPY, 1, "made")


def test_an_enlarged_picture_has_no_more_than_it_was_made_from(large):
    enlarged = resized(large, 1.5)
    closely, by_looks = told(large, enlarged)
    assert (closely.relation, closely.original, closely.why) == (Relation.COPY, 1, "detail")
    assert by_looks.original == -1
    back, _ = told(enlarged, large)
    assert back.original == -1


def test_a_reduced_picture_lacks_detail(large):
    closely, _ = told(large, resized(large, 0.5))
    assert (closely.original, closely.why) == (1, "detail")
    assert "detail" in closely.lacks[0]


def test_a_slight_blur_is_seen(large):
    closely, by_looks = told(large, cv2.GaussianBlur(large, (0, 0), 0.6))
    assert "detail" in closely.lacks[0]
    assert "detail" not in by_looks.lacks[0]


@pytest.mark.parametrize("orientation", [1, 2, 6])
def test_who_was_compressed_is_known(tmp_path, large, orientation):
    path = tmp_path / "copy.jpg"
    Image.fromarray(turned(large, orientation)).save(path, quality=80)
    with Image.open(path) as image:
        quantisation = sum(image.quantization[0][:16])
        pixels = np.asarray(image)
    one, here = of(large)
    other = Look.of(pixels)
    other = Look(other.width, other.height, other.pixels, None, type(other.facts)(quantisation=quantisation))
    found = judged(one, other, (here, pieces_of(path)))
    assert (found.original, found.why) == (1, "made")
    assert judged(other, one, (pieces_of(path), here)).original == -1
