"""What programs hand over as a picture, and what is none."""

import io
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given as example
from hypothesis import strategies as st
from PIL import Image

from imgsim_ops.errors import ImageError, ImgsimError
from imgsim_ops.files.opening import Content
from imgsim_ops.images.decode import decode
from imgsim_ops.images.given import given, is_single, pixels


@pytest.fixture
def array():
    return np.random.default_rng(5).integers(0, 256, (17, 33, 3), np.uint8)


@pytest.fixture(params=["a.png", "a.jpg", "a.webp", "a.bmp", "a.tif", "a.gif"])
def path(request, tmp_path, array):
    path = tmp_path / request.param
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(array).save(path, **({} if path.suffix in (".bmp", ".gif") else {"exif": exif}))
    return path


FILES = {
    "path": lambda path: path,
    "name": str,
    "bytes": lambda path: path.read_bytes(),
    "bytearray": lambda path: bytearray(path.read_bytes()),
    "memoryview": lambda path: memoryview(path.read_bytes()),
    "in memory": lambda path: io.BytesIO(path.read_bytes()),
    "open": lambda path: path.open("rb"),
}


@pytest.mark.parametrize("form", FILES)
def test_a_file_in_any_form_is_the_same_picture(path, form):
    file = FILES[form](path)
    np.testing.assert_array_equal(pixels(file), decode(path))
    if hasattr(file, "read"):
        assert not file.closed
        file.close()


def test_an_image_of_pillow_is_seen_as_its_file_is(path):
    with Image.open(path) as image:
        found = pixels(image)
    np.testing.assert_array_equal(found, decode(path))
    assert found.flags.writeable
    assert found.flags.c_contiguous


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16"])
def test_images_of_pillow_of_any_mode(tmp_path, array, mode):
    image = Image.fromarray((np.arange(17 * 33).reshape(17, 33) * 100).astype(np.uint16)) if mode == "I;16" else None
    image = image or Image.fromarray(array).convert("L" if mode == "LA" else "RGB").convert(mode)
    if "A" in mode:
        image.putalpha(Image.fromarray(array[..., 0]))
    path = tmp_path / ("a.tif" if mode == "CMYK" else "a.png")
    image.save(path)
    np.testing.assert_array_equal(pixels(image), decode(path))


@pytest.mark.parametrize("form", ["bytes", "in memory", "open"])
@pytest.mark.parametrize(("content", "code"), [(b"", "empty"), (b"no picture", "not_a_picture"), (None, "truncated")])
def test_what_is_wrong_with_a_file_is_said_in_any_form(tmp_path, array, form, content, code):
    path = tmp_path / "a.png"
    Image.fromarray(array).save(path)
    path.write_bytes(path.read_bytes()[:-100] if content is None else content)
    file = FILES[form](path)
    with pytest.raises(ImageError, match=rf"decode: .*\(got <{path.stat().st_size} bytes>") as caught:
        pixels(file)
    if hasattr(file, "close"):
        file.close()
    assert caught.value.code == code


def test_a_file_cut_short_is_told_from_a_damaged_one_by_its_size(tmp_path, array):
    """Of formats whose header says how long they are."""
    for suffix in (".webp", ".tif"):
        path = tmp_path / f"a{suffix}"
        Image.fromarray(array).save(path)
        whole = path.read_bytes()
        with pytest.raises(ImageError) as caught:
            pixels(whole[: len(whole) // 2])
        assert caught.value.code == "truncated"


# --- arrays and tensors ----------------------------------------------------------------------------------------------


def test_arrays_of_bytes(array):
    np.testing.assert_array_equal(pixels(array), array)
    np.testing.assert_array_equal(pixels(array[..., ::-1], bgr=True), array)
    np.testing.assert_array_equal(pixels(array[::-1, ::-2]), array[::-1, ::-2])
    grey = np.repeat(array[..., :1], 3, 2)
    np.testing.assert_array_equal(pixels(array[..., 0]), grey)
    np.testing.assert_array_equal(pixels(array[..., :1]), grey)
    for taken in (array[::-1, ::-2], array.transpose(1, 0, 2), np.asfortranarray(array)):
        assert pixels(taken).flags.c_contiguous


def test_transparency_is_seen_on_white(array):
    alpha = array[::-1, ..., :1]
    exact = [
        [
            [round((Fraction(int(a)) * int(value) + (255 - int(a)) * 255) / 255) for value in colour]
            for colour, (a,) in zip(row, opaque, strict=True)
        ]
        for row, opaque in zip(array.tolist(), alpha.tolist(), strict=True)
    ]
    np.testing.assert_array_equal(pixels(np.concatenate([array, alpha], 2)), exact)
    np.testing.assert_array_equal(pixels(np.concatenate([array[..., ::-1], alpha], 2), bgr=True), exact)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.uint8, np.uint16, np.int32, ">f4"])
@pytest.mark.parametrize("largest", [1, 255, 65535])
def test_arrays_of_other_types(array, dtype, largest):
    if (np.dtype(dtype).kind in "ui" and np.iinfo(dtype).max < largest) or (dtype, largest) == (np.float16, 65535):
        pytest.skip("the type holds no such number")
    values = array / 255 * largest
    given_ = (values if np.dtype(dtype).kind == "f" else np.rint(values)).astype(dtype)
    expected = np.rint(given_.astype(np.float64) * 255 / largest)
    np.testing.assert_array_equal(pixels(given_, largest=largest), expected)


@example(st.floats(0, 1), st.sampled_from([1.0, 255.0, 65535.0]))
def test_a_level_is_the_nearest(value, largest):
    found = pixels(np.full((1, 1, 3), value * largest), largest=largest)[0, 0, 0]
    assert abs(Fraction(value) * 255 - int(found)) <= Fraction(1, 2) + Fraction(1, 10**9)


def test_what_resizing_rounds_beyond_the_ends():
    found = pixels(np.array([[[-1e-4, 1.0005, 0.5]]]), largest=1.0)
    assert found.tolist() == [[[0, 255, 128]]]


def test_tensors(array):
    torch = pytest.importorskip("torch")
    tensor = torch.from_numpy(array)
    np.testing.assert_array_equal(pixels(tensor.permute(2, 0, 1)), array)
    np.testing.assert_array_equal(pixels(tensor.permute(2, 0, 1).flip(0), bgr=True), array)
    np.testing.assert_array_equal(pixels(tensor[..., 0]), pixels(array[..., 0]))
    np.testing.assert_array_equal(pixels((tensor.permute(2, 0, 1) / 255).requires_grad_(), largest=1), array)

    class Own(torch.Tensor):
        pass

    np.testing.assert_array_equal(pixels(tensor.permute(2, 0, 1).as_subclass(Own)), array)


class Holder:
    def __init__(self, array):
        self.array = array

    def __array__(self, dtype=None, copy=None):
        return self.array


def test_whatever_is_an_array_for_numpy(array):
    np.testing.assert_array_equal(pixels(Holder(array)), array)


BAD = [
    (None, "got NoneType"),
    (7, "got int"),
    ([1, 2], "got list"),
    (io.StringIO("text"), "binary mode"),
    (np.zeros((3, 3, 2), np.uint8), "got uint8 \\[3, 3, 2"),
    (np.zeros((0, 3, 3), np.uint8), "got uint8 \\[0, 3, 3"),
    (np.zeros((2, 3, 3, 3), np.uint8), "got uint8 \\[2, 3, 3, 3"),
    (np.zeros(9, np.uint8), "got uint8 \\[9"),
    (np.zeros((3, 3, 3), np.float32), "largest=1.0.*got float32 \\[3, 3, 3"),
    (np.zeros((3, 3, 3), np.uint16), "largest=1.0.*got uint16"),
    (np.zeros((3, 3), bool), "got bool"),
]


@pytest.mark.parametrize(("picture", "message"), BAD)
def test_what_is_no_picture(picture, message):
    for function in (pixels, given):
        with pytest.raises(ImgsimError, match=f"^picture: .*{message}"):
            function(picture)


@pytest.mark.parametrize(
    ("values", "largest", "message"),
    [
        (np.full((2, 2), 3.0), 1, "from 0 to 1 .got 3 to 3"),
        (np.full((2, 2), np.nan), 1, "got nan"),
        (np.full((2, 2), np.inf), 1, "got inf"),
        (np.full((2, 2), -0.5), 1, "got -0.5"),
        (np.zeros((2, 2)), 0, "above 0 .got 0"),
        (np.zeros((2, 2)), -1, "above 0 .got -1"),
        (np.zeros((2, 2)), np.nan, "above 0 .got nan"),
        (np.zeros((2, 2), complex), 1, "real numbers .got complex128"),
        (np.zeros((2, 2), bool), 1, "real numbers .got bool"),
        (np.zeros((2, 2), object), 1, "real numbers .got object"),
    ],
)
def test_values_that_are_none(values, largest, message):
    with pytest.raises(ImgsimError, match=f"picture: .*{message}"):
        pixels(values, largest=largest)


@pytest.mark.parametrize("options", [{"largest": 1.0}, {"bgr": True}])
def test_files_and_images_say_themselves_what_their_values_are(path, options):
    for picture in (path, path.read_bytes(), Image.new("RGB", (3, 3))):
        with pytest.raises(ImgsimError, match="are for arrays and tensors"):
            pixels(picture, **options)


def test_files_stay_files(path):
    assert given(path) is path
    assert isinstance(given(path.read_bytes()), Content)


def test_one_is_not_many(path, array):
    for single in (
        path,
        str(path),
        b"",
        array,
        array[..., 0],
        Image.new("L", (1, 1)),
        io.BytesIO(),
        Holder(array).array,
    ):
        assert is_single(single)
    for many in ([], [path], (array,), array[np.newaxis], iter([path]), {"a": 1}):
        assert not is_single(many)
