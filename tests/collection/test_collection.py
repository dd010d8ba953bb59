"""A collection as programs use it, as far as it is kept and brought up to date."""

import os

import pytest

from imgsim_ops.collection import collection as module
from imgsim_ops.collection.collection import Collection
from imgsim_ops.collection.indexing import fitting
from imgsim_ops.errors import ImgsimError
from imgsim_ops.images.options import ReadOptions
from imgsim_ops.models.spec import ModelSpec
from tests.support.stub_embedder import StubEmbedder, picture


@pytest.fixture
def path(tmp_path):
    return tmp_path / "photos.imgsim"


@pytest.fixture
def made(path, photos, embedder):
    for number in range(12):
        picture(photos / f"{number:02}.png", number // 2)
    with Collection.create(path, embedder=embedder) as collection:
        collection.add([photos])
        yield collection


def test_what_was_added(made, photos, path, embedder):
    assert len(made) == 12
    assert made.path == path
    assert made.fingerprint == embedder.fingerprint
    found = list(made.pictures())
    assert [os.path.basename(picture.path) for picture in found] == [f"{number:02}.png" for number in range(12)]
    assert [first.sha256 for first in found[::2]] == [second.sha256 for second in found[1::2]]
    made.close()
    with Collection.open(path) as again:
        assert list(again.pictures()) == found


def test_one_path_is_no_list(made, photos):
    with pytest.raises(ImgsimError, match="add: paths must be a list of paths"):
        made.add(str(photos))


def test_another_recipe_needs_no_decoding(made, embedder, monkeypatch):
    monkeypatch.setattr(fitting, "FIT_FROM", 6)
    embedder.decoded.clear()
    for name in ("mean", "whitened", "gem", "views"):
        made.change_recipe(name)
        assert made.store.recipe.name == name
        assert (made.store.whitening is not None) == made.store.recipe.whitens
        assert list(made.store.problems()) == []
    assert embedder.decoded == []
    with pytest.raises(ImgsimError, match="recipe: must be one of mean, "):
        made.change_recipe("of tomorrow")


def test_another_embedder_is_refused(path, made, photos, monkeypatch):
    made.close()
    picture(photos / "new.png", 99)
    other = StubEmbedder("stub-000000000001-fp32-p2")
    with Collection.open(path, write=True, embedder=other) as collection:
        with pytest.raises(ImgsimError, match="vectors must be made by stub-000000000000-fp32-p2"):
            collection.add([photos])
        assert len(collection) == 12
    # Without one the collection makes its own, of what its fingerprint says.
    asked = []
    monkeypatch.setattr(module, "_new_embedder", lambda *how: asked.append(how) or other)
    with (
        Collection.open(path, write=True) as collection,
        pytest.raises(ImgsimError, match="needs a collection of its own"),
    ):
        collection.embedder()
    assert asked == [(ModelSpec("stub", None, "fp32"), ReadOptions())]


def test_a_second_writer_is_told_and_readers_are_not_kept_out(made, path, photos, embedder):
    with pytest.raises(ImgsimError, match=f"one writer at a time .*process {os.getpid()} "):
        Collection.open(path, write=True)
    with Collection.open(path, embedder=embedder) as reader:
        picture(photos / "new.png", 99)
        with pytest.raises(ImgsimError, match="must be open for writing"):
            reader.add([photos])
        assert len(embedder.decoded) == 6  # nothing since it was made
        assert made.add([photos]).embedded == 1
        assert len(reader) == 13
