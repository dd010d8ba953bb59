"""Labelled pictures, the split of their classes, and what networks get of them."""

import sys
from urllib.error import URLError

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from imgsim_ops import kernels
from imgsim_ops.errors import ImgsimError
from imgsim_ops.evaluation.labelled import LabelledPictures, load_data, network_pixels, parse_unseen, split_classes
from tests.support.cifar_made import write_cifar100


def colours(labels, classes):
    """A picture of its own colour for each label."""
    pictures = np.stack([np.full((4, 5, 3), number, np.uint8) for number in range(len(labels))])
    return LabelledPictures("made", pictures, np.asarray(labels, np.int64), tuple(classes))


@pytest.fixture
def folder(tmp_path):
    """Two classes, one of them nested, and what is passed over."""
    for number, name in enumerate(("cats/b.png", "cats/a.png", "dogs/c.png", "dogs/old/d.png", ".trash/e.png")):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (9, 7), (number * 10, 0, 0)).save(path)
    (tmp_path / "cats" / "notes.txt").write_text("words")
    (tmp_path / "cats" / ".hidden.png").write_bytes(b"nothing")
    return tmp_path


def test_digits():
    data = load_data("digits")
    assert len(data) == len(data.pictures) == 1797
    assert data.classes == data.present == tuple("0123456789")
    assert data.labels.dtype == np.int64
    picture = data.pictures[0]
    assert (picture.shape, picture.dtype) == ((8, 8, 3), np.uint8)
    # Row 1 of the first digit is 0 0 13 15 10 15 5 0 in scikit-learn, of 16; 255 / 16 each, halves up.
    assert picture[1, :, 0].tolist() == [0, 0, 207, 239, 159, 239, 80, 0]
    assert (picture == picture[..., :1]).all()
    assert max(picture.max() for picture in data.pictures) == 255


def test_digits_without_scikit_learn(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(ImgsimError, match=r"data: digits needs scikit-learn .*pip install 'imgsim-ops\[tables\]'"):
        load_data("digits")


def test_cifar100(tmp_path, monkeypatch):
    pixels, labels = write_cifar100(tmp_path, monkeypatch)
    data = load_data("cifar100", tmp_path)
    assert data.classes == ("class_0", "class_1", "class_2", "class_3")
    assert data.labels.tolist() == labels
    np.testing.assert_array_equal(np.stack([data.pictures[i] for i in range(len(data))]), pixels)


def test_cifar100_that_is_not_there_or_not_whole(tmp_path, monkeypatch):
    expected = "data: cifar100 must lie there whole as cifar-100-python; --download fetches it"
    with pytest.raises(ImgsimError, match=expected):
        load_data("cifar100", tmp_path / "missing")
    write_cifar100(tmp_path, monkeypatch)
    with (tmp_path / "cifar-100-python" / "test").open("ab") as file:
        file.write(b"!")
    with pytest.raises(ImgsimError, match=expected):
        load_data("cifar100", tmp_path)


def test_cifar100_without_a_network(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise URLError("no network")

    monkeypatch.setattr("torchvision.datasets.cifar.download_and_extract_archive", refuse)
    with pytest.raises(ImgsimError, match=r"data: cifar100 could not be downloaded \(got .*no network"):
        load_data("cifar100", tmp_path, download=True)


def test_folder(folder):
    calls = []
    data = load_data(f"folder:{folder}", progress=lambda *call: calls.append(call))
    assert data.classes == ("cats", "dogs")
    assert data.labels.tolist() == [0, 0, 1, 1]
    assert [data.pictures[i][0, 0, 0] for i in range(4)] == [10, 0, 20, 30]
    assert data.pictures[0].shape == (7, 9, 3)
    assert data.skipped == ()
    assert calls == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_unreadable_and_loose_files_of_a_folder_are_listed(folder):
    (folder / "cats" / "aa.jpg").write_text("words")
    whole = (folder / "dogs" / "c.png").read_bytes()
    (folder / "dogs" / "cut.png").write_bytes(whole[:-30])
    (folder / "loose.png").write_bytes(whole)
    data = load_data(f"folder:{folder}")
    assert data.labels.tolist() == [0, 0, 1, 1]
    found = [(file.path.removeprefix(f"{folder}/"), file.code) for file in data.skipped]
    assert found == [("loose.png", "no_class"), ("cats/aa.jpg", "not_a_picture"), ("dogs/cut.png", "truncated")]


def test_bad_folders(folder, tmp_path_factory):
    with pytest.raises(ImgsimError, match=r"data: must be a folder .*\(got .*nowhere\)"):
        load_data(f"folder:{folder}/nowhere")
    with pytest.raises(ImgsimError, match=r"one folder for each class \(got none in .*\)"):
        load_data(f"folder:{tmp_path_factory.mktemp('empty')}")
    (folder / "empty").mkdir()
    with pytest.raises(ImgsimError, match=r"data: a class must have pictures \(got none in .*empty\)"):
        load_data(f"folder:{folder}")
    (folder / "empty" / "text.jpg").write_text("words")
    with pytest.raises(ImgsimError, match=r"\(got none in .*empty, where 1 files cannot be read\)"):
        load_data(f"folder:{folder}")


def test_unknown_data_sets_and_the_nearest_names():
    with pytest.raises(ImgsimError, match=r"data: must be one of .*\(got 'cifar10'\); did you mean cifar100\?"):
        load_data("cifar10")
    with pytest.raises(ImgsimError, match=r"\(got 'xyz'\)$"):
        load_data("xyz")


@given(st.lists(st.integers(0, 6), min_size=1, max_size=40), st.integers(2, 7), st.integers(0, 3))
def test_no_class_is_in_both_parts(labels, unseen, seed):
    data = colours(labels, "abcdefg")
    first, second = split_classes(data, unseen, seed)
    assert not set(first.labels) & set(second.labels)
    assert first.classes == second.classes == data.classes
    # Colours are the pictures' numbers: every picture is in one part, with its label, in order.
    numbers = [[int(part.pictures[i][0, 0, 0]) for i in range(len(part))] for part in (first, second)]
    assert sorted(numbers[0] + numbers[1]) == list(range(len(labels)))
    for part, rows in zip((first, second), numbers, strict=True):
        assert rows == sorted(rows)
        assert part.labels.tolist() == [labels[row] for row in rows]
    again = split_classes(data, unseen, seed)[1]
    assert again.labels.tolist() == second.labels.tolist()


def test_seeds_draw_other_classes():
    data = colours(range(10), "0123456789")
    assert len({split_classes(data, 2, seed)[1].present for seed in range(20)}) > 5


def test_unseen_classes_by_name():
    first, second = split_classes(colours([0, 1, 2, 1], ["x", "y", "z"]), ["z", "y"])
    assert (first.present, second.present) == (("x",), ("y", "z"))
    assert second.labels.tolist() == [1, 2, 1]


@pytest.mark.parametrize("unseen", [0, 1, 4, -1])
def test_bad_numbers_of_unseen_classes(unseen):
    expected = rf"the number of unseen classes must be from 2 to 3, which made has \(got {unseen}\)"
    with pytest.raises(ImgsimError, match=expected):
        split_classes(colours([0, 1, 2], "abc"), unseen)


def test_bad_names_of_unseen_classes():
    data = colours([0, 1, 2], ["cat", "dog", "bird"])
    with pytest.raises(ImgsimError, match=r"one of made \(got 'cats'\); did you mean cat\?"):
        split_classes(data, ["cats", "dog"])
    for unseen in (["cat"], ["cat", "cat"], []):
        with pytest.raises(ImgsimError, match="two or more different ones"):
            split_classes(data, unseen)


def test_unseen_classes_as_text():
    digits, hundred = colours([0], "0123456789"), colours([0], map(str, range(100)))
    assert (parse_unseen(None, digits), parse_unseen(None, hundred)) == (2, 10)
    assert parse_unseen("3", digits) == 3
    assert parse_unseen("3,8", digits) == ["3", "8"]
    assert parse_unseen("red fox, cat", digits) == ["red fox", "cat"]


@pytest.mark.parametrize("size", [1, 7, 32, 112, 224])
def test_network_pixels(size):
    pictures = np.random.default_rng(1).integers(0, 256, (2, 20, 31, 3), dtype=np.uint8)
    side = 224 // size
    found = network_pixels(pictures, size)
    assert (found.shape, found.dtype) == ((2, size, size, 3), np.uint8)
    for picture, pixels in zip(pictures, found, strict=True):
        large = kernels.resize_crop(picture).astype(np.float64)
        means = large.reshape(size, side, size, side, 3).mean((1, 3))
        np.testing.assert_array_equal(pixels, np.floor(means + 0.5))


def test_sizes_that_do_not_divide(tmp_path):
    for size in (0, -7, 33, 448):
        with pytest.raises(ImgsimError, match=rf"data: size must divide 224 \(got {size}\)"):
            network_pixels(np.zeros((1, 3, 3, 3), np.uint8), size)
    assert network_pixels(np.zeros((0, 3, 3, 3), np.uint8), 32).shape == (0, 32, 32, 3)
