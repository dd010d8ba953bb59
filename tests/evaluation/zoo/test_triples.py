import numpy as np
import pytest
from PIL import Image

from imgsim_ops.errors import ImgsimError
from imgsim_ops.evaluation.zoo import triples as triples_module
from imgsim_ops.evaluation.zoo.triples import default_triples, triples_of


@pytest.fixture
def picture(tmp_path):
    """Writes a picture of one colour; returns its path."""

    def write(name, width, height, colour):
        Image.new("RGB", (width, height), (colour, 0, 0)).save(tmp_path / name)
        return str(tmp_path / name)

    return write


def test_threes(picture):
    paths = [picture(f"{i}.png", 10 + i, 20 + i, i) for i in range(6)]
    found = triples_of(paths)
    assert len(found) == 2
    assert found.words == "2 triples"
    assert found.skipped == []
    for first, (anchor, positive, negative, resized) in zip((0, 3), found, strict=True):
        for place, pixels in enumerate((anchor, positive, negative), first):
            assert pixels.shape == (20 + place, 10 + place, 3)
            assert pixels[0, 0, 0] == place
        assert resized.shape == anchor.shape
        assert resized[0, 0, 0] == first + 2


@pytest.mark.parametrize("count", [1, 2, 4])
def test_not_threes(picture, count):
    paths = [picture("a.png", 8, 8, 0)] * count
    with pytest.raises(ImgsimError, match=rf"pictures must come in threes, .* \(got {count}\)"):
        triples_of(paths)


def test_pictures_that_cannot_be_read(picture, tmp_path):
    good = picture("a.png", 8, 8, 0)
    (tmp_path / "words.png").write_text("words")
    bad, missing = str(tmp_path / "words.png"), str(tmp_path / "missing.png")
    found = triples_of([good, bad, missing, good, good, good, bad, good, good])
    assert len(found) == len(list(found)) == 1
    assert [(file.path, file.code) for file in found.skipped] == [(bad, "not_a_picture"), (missing, "missing")]
    with pytest.raises(ImgsimError, match=r"there must be a triple of readable pictures \(got .*words.png"):
        triples_of([good, bad, good])


def test_pictures_are_kept_as_long_as_there_is_room(picture, monkeypatch):
    paths = [picture(f"{i}.png", 10, 10, i) for i in range(3)]
    decoded = []

    def decode(path, original=triples_module.decode):
        decoded.append(path)
        return original(path)

    monkeypatch.setattr(triples_module, "decode", decode)
    monkeypatch.setattr(triples_module, "_KEPT_BYTES", 2 * 300)
    found = triples_of(paths)
    for _ in range(2):
        assert [pixels[0, 0, 0] for (*pixels, _) in found for pixels in pixels] == [0, 1, 2]
    assert decoded == [*paths, paths[2], paths[2]]


def test_the_default():
    found = triples_of([])
    ((anchor, positive, negative, resized),) = found
    assert found.words == default_triples().words
    assert "chelsea.png" in found.words
    assert anchor.shape == resized.shape == (300, 451, 3)
    assert negative.shape == (400, 600, 3)
    assert positive.shape != anchor.shape
    for pixels in (anchor, positive, negative):
        assert pixels.dtype == np.uint8
