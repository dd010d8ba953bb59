import numpy as np
import pytest
from PIL import Image

from imgsim_ops.quality.copies import COPIES, MIXTURES, SINGLE_STEPS, TURNED
from imgsim_ops.quality.photographs import find_photographs


def noise(width, height):
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    return Image.fromarray(pixels)


@pytest.fixture(scope="module")
def pictures():
    photograph = Image.open(find_photographs(["coffee.png"])[0]).convert("RGB")
    return {
        "photograph": photograph,
        "17x33": noise(17, 33),
        "33x17": noise(33, 17),
        "2x2": noise(2, 2),
        "1x1": noise(1, 1),
    }


@pytest.mark.parametrize("size", ["photograph", "17x33", "33x17", "2x2", "1x1"])
@pytest.mark.parametrize("name", COPIES)
def test_a_copy(pictures, size, name):
    picture = pictures[size]
    before = picture.tobytes()
    copy = COPIES[name](picture)
    assert copy.mode == "RGB"
    assert min(copy.size) >= 1
    assert copy is not picture
    assert picture.tobytes() == before
    again = COPIES[name](picture)
    assert (again.size, again.tobytes()) == (copy.size, copy.tobytes())
    if size in ("photograph", "17x33", "33x17"):  # of a few pixels there may be nothing to cut or to turn
        assert (copy.size, copy.tobytes()) != (picture.size, before)


def test_no_two_changes_are_one(pictures):
    copies = [change(pictures["photograph"]) for change in COPIES.values()]
    assert len({(copy.size, copy.tobytes()) for copy in copies}) == len(COPIES)


STUDY = {**SINGLE_STEPS, **MIXTURES, **TURNED}


def changed(name, picture, seed=0):
    return STUDY[name](picture, np.random.default_rng(seed))


@pytest.mark.parametrize("name", STUDY)
def test_a_copy_of_the_study(pictures, name):
    for picture in (pictures["photograph"], pictures["17x33"], pictures["1x1"]):
        before = picture.tobytes()
        copy = changed(name, picture)
        assert copy.mode == "RGB"
        assert min(copy.size) >= 1
        assert picture.tobytes() == before
        again = changed(name, picture)
        assert (again.size, again.tobytes()) == (copy.size, copy.tobytes())


def test_all_kinds_of_the_study_differ(pictures):
    copies = [changed(name, pictures["photograph"]) for name in STUDY]
    assert len({(copy.size, copy.tobytes()) for copy in copies}) == len(STUDY)


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5])
def test_crops_take_a_share_of_the_area(pictures, share):
    picture = pictures["photograph"]
    copy = changed(f"cropped {share:.0%}".replace("%", " %"), picture)
    area = copy.width * copy.height / (picture.width * picture.height)
    assert area == pytest.approx(1 - share, abs=0.01)  # sides are whole pixels
    other = changed(f"cropped {share:.0%}".replace("%", " %"), picture, seed=1)
    assert other.tobytes() != copy.tobytes()  # from another place
