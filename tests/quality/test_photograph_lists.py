import hashlib
import importlib.util

import pytest

from imgsim_ops.errors import ImgsimError
from imgsim_ops.images.preprocess import load_pixels
from imgsim_ops.quality import photographs
from imgsim_ops.quality.photographs import CALIBRATION, EVALUATION, find_photographs

ALL = (*CALIBRATION, *EVALUATION)


def test_all_there():
    paths = find_photographs(ALL)
    assert [path.name for path in paths] == list(ALL)
    assert all(load_pixels(path).std() > 0 for path in paths)


def test_no_photograph_in_both():
    assert len(set(ALL)) == len(ALL)
    contents = [hashlib.sha256(load_pixels(path).tobytes()).digest() for path in find_photographs(ALL)]
    assert len(set(contents)) == len(ALL)


def test_a_file_that_is_missing():
    with pytest.raises(ImgsimError, match=r"^photographs: scikit-image must be installed .*pip install scikit-image$"):
        find_photographs(["coffee.png", "none.png"])


def test_without_the_package(monkeypatch):
    monkeypatch.setattr(photographs.importlib.util, "find_spec", lambda name: None)
    assert importlib.util.find_spec("skimage") is None
    with pytest.raises(ImgsimError, match=r"^photographs: scikit-image must be installed"):
        find_photographs(EVALUATION)
