"""Leaks among real photographs, and vectors of two collections."""

import os
import shutil

import pytest
from PIL import Image, ImageDraw

from imgsim_ops.collection.collection import Collection
from imgsim_ops.embedding.embedder import Embedder
from imgsim_ops.errors import ImgsimError
from imgsim_ops.matching.options import MatchOptions
from imgsim_ops.recipes.fingerprint import Fingerprint
from tests.support.photographs import mirrored, piece, write_copy, write_photographs
from tests.support.stub_engine import Blocks


def made(path, recipe="crops", engine=None):
    return Collection.create(path, recipe=recipe, embedder=Embedder(engine=engine or Blocks()))


@pytest.fixture
def train(tmp_path):
    return write_photographs(tmp_path / "train")


@pytest.fixture
def test(tmp_path):
    folder = tmp_path / "test"
    folder.mkdir()
    return folder


@pytest.fixture
def leaks(tmp_path, train, test):
    """Indexes both and returns the leaks, as file in test to (file in train, evidence)."""

    def run(recipes=("gem", "gem"), **options):
        with (
            made(tmp_path / f"train-{len(os.listdir(tmp_path))}", recipes[0]) as trained,
            made(tmp_path / f"test-{len(os.listdir(tmp_path))}", recipes[1]) as tested,
        ):
            trained.add([train])
            tested.add([test])
            with trained.leaks(tested, MatchOptions(**options)) as answers:
                found = list(answers)
        names = [os.path.basename(leak.picture.path) for leak in found]
        assert len(names) == len(set(names))
        return {
            name: (os.path.basename(leak.source.path), leak.evidence) for name, leak in zip(names, found, strict=True)
        }

    return run


def moved(train, test, name, kind, suffix=".png"):
    copy = write_copy(train, name, kind, suffix)
    return shutil.move(copy, test / copy.name)


def covered(image):
    """Something else is shown in one place."""
    image = image.copy()
    ImageDraw.Draw(image).rectangle((30, 30, 120, 70), fill="white")
    return image


def test_each_relation(train, test, leaks):
    shutil.copy(train / "coffee.png", test / "renamed.png")
    moved(train, test, "chelsea", "recompressed", ".jpg")
    moved(train, test, "motorcycle_left", piece)
    moved(train, test, "rocket", mirrored, ".jpg")
    moved(train, test, "coffee", covered)
    (train / "coins.png").rename(test / "coins.png")
    found = leaks()
    found.pop("rocket-mirrored.jpg", None)  # found without being asked for where it is among the nearest by vector
    assert {name: (source, evidence.relation, evidence.stage) for name, (source, evidence) in found.items()} == {
        "renamed.png": ("coffee.png", "identical", "content"),
        "chelsea-recompressed.jpg": ("chelsea.png", "copy", "perceptual"),
        "motorcycle_left-piece.png": ("motorcycle_left.png", "part", "local"),
        "coffee-covered.png": ("coffee.png", "edited", "local"),
    }
    assert found["renamed.png"][1].score == 1
    # From the picture of the test set to the one of the training set.
    assert found["motorcycle_left-piece.png"][1].transform[:5] == pytest.approx((1, 0, 50, 0, 1), abs=0.5)
    assert found["coffee-covered.png"][1].differences
    # Below a score only what hashes tell is looked at; by the engine that stands in these two are below this one.
    assert set(leaks(threshold=0.99)) == set(found) - {"motorcycle_left-piece.png", "coffee-covered.png"}
    turned = leaks(flips=True)
    assert turned.pop("rocket-mirrored.jpg")[1].orientation == 2
    assert set(turned) == set(found)


def half_another(image):
    """Another picture in the same frame."""
    image = image.copy()
    other = image.transpose(Image.Transpose.FLIP_TOP_BOTTOM)
    image.paste(other.crop((0, 0, image.width // 2, image.height)), (image.width // 2, 0))
    return image


def test_what_only_looks_alike_leaks_when_asked_for(train, test, leaks):
    moved(train, test, "chelsea", half_another)
    assert leaks() == {}
    ((name, (source, evidence)),) = leaks(similar=True).items()
    assert (name, source, evidence.relation) == ("chelsea-half_another.png", "chelsea.png", "look_alike")


def test_one_collection_leaks_all_of_itself(tmp_path, train):
    with made(tmp_path / "c.imgsim") as collection:
        collection.add([train])
        with collection.leaks(collection) as answers:
            assert [leak.picture for leak in answers] == list(collection.pictures())


def test_files_of_equal_bytes_each_leak(train, test, leaks):
    for name in "ab":
        shutil.copy(train / "coffee.png", test / f"{name}.png")
    assert set(leaks()) == {"a.png", "b.png"}


def test_what_is_gone_from_the_training_set_leaks_nothing(tmp_path, train, test):
    shutil.copy(train / "coffee.png", test / "a.png")
    with made(tmp_path / "c") as trained, made(tmp_path / "t") as tested:
        trained.add([train])
        tested.add([test])
        (train / "coffee.png").unlink()
        trained.add([train])
        with trained.leaks(tested, MatchOptions()) as answers:
            assert list(answers) == []


@pytest.mark.parametrize("recipes", [("crops", "gem"), ("mean", "crops")])
def test_the_recipe_of_the_training_set_is_used_for_both(train, test, leaks, recipes):
    moved(train, test, "chelsea", "recompressed", ".jpg")
    assert set(leaks(recipes)) == {"chelsea-recompressed.jpg"}


def test_nothing_to_compare(train, test, leaks):
    assert leaks() == {}
    for path in train.iterdir():
        path.unlink()
    Image.new("RGB", (30, 30)).save(test / "black.png")
    assert leaks() == {}


def test_other_fingerprints(tmp_path):
    class Other(Blocks):
        fingerprint = Fingerprint("other", "1" * 12, "fp32", 1)

    with (
        made(tmp_path / "a") as one,
        made(tmp_path / "b", engine=Other()) as other,
        pytest.raises(ImgsimError) as caught,
    ):
        one.leaks(other)
    assert str(caught.value) == (
        "leak: vectors of both must have one fingerprint (got other-111111111111-fp32-p2 for the test set, "
        "stub-000000000000-fp32-p2 for the training set)"
    )
