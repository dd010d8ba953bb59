"""``imgsim index``: most of it with an engine that takes no time."""

import json
import os
import shutil
import signal
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from imgsim_ops.cli.index import index
from imgsim_ops.collection.collection import DEFAULT_RECIPE, Collection
from imgsim_ops.embedding import embedder
from imgsim_ops.recipes.recipes import RECIPES
from tests.support.commands import HEAVY, packages_of
from tests.support.devices import mount
from tests.support.stub_engine import StubEngine


@pytest.fixture
def engine(monkeypatch):
    """Stands in for the model's; keeps what was asked for."""
    engine = StubEngine()

    def create(name, spec, threads, announce):
        engine.asked = (name, spec, threads)
        return engine

    monkeypatch.setattr(embedder, "create_engine", create)
    return engine


@pytest.fixture
def path(tmp_path):
    return tmp_path / "c.imgsim"


def names(path):
    with Collection.open(path) as collection:
        return sorted(os.path.basename(picture.path) for picture in collection.pictures())


def test_new_and_again(imgsim, engine, photos, path):
    result = imgsim("index", photos, "-c", path)
    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    first, second = result.stdout.splitlines()
    assert first.startswith(f"2 pictures in {path}: 2 new in ")
    assert first.endswith("/s)")
    assert second == "stub-000000000000-fp32-p2, recipe crops"
    assert names(path) == ["a.png", "b.jpg"]

    for name in ("a.png", "b.jpg"):
        os.utime(photos / name, (10**9, 10**9))  # long enough ago that the time tells of any change
    assert "nothing new in " in imgsim("index", photos, "-c", path).stdout
    shutil.copy2(photos / "a.png", photos / "c.png")
    (photos / "b.jpg").unlink()
    Image.new("RGB", (90, 90)).save(photos / "d.png")
    engine.batches.clear()
    first = imgsim("index", photos, "-c", path).stdout.splitlines()[0]
    assert first.startswith(f"3 pictures in {path}: 1 new in ")
    assert first.endswith("/s), 1 unchanged, 1 known by their bytes, 1 dropped")
    assert sum(engine.batches) == 2  # two crops of one picture


def test_rehash(imgsim, engine, photos, path):
    assert imgsim("index", photos, "-c", path).exit_code == 0
    for name in ("a.png", "b.jpg"):
        os.utime(photos / name, (10**9, 10**9))
    assert imgsim("index", photos, "-c", path).exit_code == 0
    engine.batches.clear()
    assert "2 unchanged" in imgsim("index", photos, "-c", path).stdout
    assert "2 known by their bytes" in imgsim("index", photos, "-c", path, "--rehash").stdout
    assert engine.batches == []


@pytest.mark.parametrize("as_json", [False, True])
def test_a_drive_that_is_not_there_is_named_aloud(imgsim, engine, photos, path, tmp_path, monkeypatch, as_json):
    mounted = mount(monkeypatch, photos / "disk")
    shutil.copytree(photos, tmp_path / "disk")
    os.rename(tmp_path / "disk", photos / "disk")
    assert imgsim("index", photos, "-c", path).exit_code == 0
    mounted.clear()
    shutil.rmtree(photos / "disk")
    (photos / "disk").mkdir()
    result = imgsim("index", photos, "-c", path, *(["--json"] if as_json else []))
    assert result.exit_code == 3
    assert result.stderr == (
        f"index: NOT LOOKED AT: {photos / 'disk'} with 2 known files. Is its drive there? Nothing of it was dropped; "
        "with --exclude it is\n"
    )
    assert len(names(path)) == 4
    if as_json:
        document = json.loads(result.stdout)
        assert document["not_looked_at"] == [{"folder": str(photos / "disk"), "known": 2}]
        assert (document["dropped"], document["skipped"][0]["code"]) == (0, "unreadable")
    assert "2 dropped" in imgsim("index", photos, "-c", path, "--exclude", "disk").stdout


def test_a_folder_by_another_path_is_named(imgsim, engine, photos, path, tmp_path):
    assert imgsim("index", photos, "-c", path).exit_code == 0
    (tmp_path / "again").symlink_to(photos)
    result = imgsim("index", tmp_path / "again", "-c", path, "--json")
    assert result.exit_code == 0
    assert result.stderr == (
        f"index: {tmp_path / 'again'} is in the collection by another path, {photos}, and is taken once\n"
    )
    known = json.loads(result.stdout)["known_otherwise"]
    assert known == [{"folder": str(tmp_path / "again"), "known_as": str(photos)}]
    assert len(names(path)) == 2


def test_json(imgsim, engine, photos, path):
    (photos / "bad.jpg").write_text("words")
    for name in ("b.mov", "a.mp4", "drawing.svg"):
        (photos / name).write_text("words")
    result = imgsim("index", photos, "-c", path, "--json")
    assert result.exit_code == 3
    document = json.loads(result.stdout)
    assert document.pop("seconds") > 0
    assert document.pop("pictures_per_second") > 0
    (skipped,) = document.pop("skipped")
    assert (skipped["path"], skipped["code"]) == (str(photos / "bad.jpg"), "not_a_picture")
    films = [str(photos / name) for name in ("a.mp4", "b.mov")]
    assert document.pop("aside") == {"svg": [str(photos / "drawing.svg")], "video": films}
    assert document == {
        "collection": str(path),
        "pictures": 2,
        "files": 3,
        "unchanged": 0,
        "known": 0,
        "embedded": 2,
        "dropped": 0,
        "fingerprint": "stub-000000000000-fp32-p2",
        "recipe": "crops",
        "interrupted": False,
    }


def test_skipped_files_are_listed(imgsim, engine, photos, path):
    (photos / "bad.jpg").write_text("words")
    result = imgsim("index", photos, "-c", path)
    assert result.exit_code == 3
    assert "not_a_picture" in result.stdout
    assert "bad.jpg" in result.stdout
    assert imgsim("index", photos, "-c", path, "--exclude", "bad.*").exit_code == 0


def test_the_default_collection(imgsim, engine, photos, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert imgsim("index", "photos").exit_code == 0
    assert names("photos.imgsim") == ["a.png", "b.jpg"]


def test_the_collection_may_lie_among_the_pictures(imgsim, engine, photos):
    path = photos / "c.imgsim"
    assert imgsim("index", photos, "-c", path).exit_code == 0
    Image.new("RGB", (9, 9)).save(path / "picture.png")  # even what looks like one
    document = json.loads(imgsim("index", photos, "-c", path, "--json").stdout)
    assert (document["files"], document["skipped"]) == (2, [])
    assert names(path) == ["a.png", "b.jpg"]


def test_options_reach_the_model(imgsim, engine, photos, path, tmp_path):
    imgsim("index", photos, "-c", path)
    name, spec, threads = engine.asked
    assert (name, spec.name, spec.precision, spec.weights) == ("onnx", "resnet18", None, None)
    assert threads == 1  # of each batch
    other = tmp_path / "other.imgsim"
    given = ["--backbone", "efficientnet_lite0", "--precision", "int8", "--weights", "w", "--exact", "--recipe", "mean"]
    imgsim("index", photos, "-c", other, *given)
    _, spec, _ = engine.asked
    assert (spec.name, spec.precision, spec.weights) == ("efficientnet_lite0", "int8", "w")
    with Collection.open(other) as collection:
        assert (collection.store.recipe.name, collection.fingerprint.preprocessing) == ("mean", 1)
        assert collection.store.weights == os.path.abspath("w")


def test_a_collection_keeps_what_it_was_made_with(imgsim, engine, failure, photos, path):
    imgsim("index", photos, "-c", path, "--backbone", "stub", "--precision", "fp32", "--weights", "random:3")
    del engine.asked
    Image.new("RGB", (9, 9)).save(photos / "c.png")
    assert imgsim("index", photos, "-c", path).exit_code == 0
    _, spec, _ = engine.asked
    assert (spec.name, spec.precision, spec.weights) == ("stub", "fp32", "random:3")
    for same in (["--backbone", "stub"], ["--precision", "fp32"], ["--precision", "auto"], ["--weights", "random:3"]):
        assert imgsim("index", photos, "-c", path, *same).exit_code == 0
    for name, option, made, given in (
        ("backbone", ["--backbone", "resnet18"], "stub", "resnet18"),
        ("precision", ["--precision", "int8"], "fp32", "int8"),
        ("decoding", ["--exact"], "scaled", "exact"),
    ):
        line = failure("index", photos, "-c", path, *option)
        assert line == (
            f"imgsim: collection: {name} must be {made}, with which {path} was made (got {given}); "
            "another needs a collection of its own"
        )
    assert names(path) == ["a.png", "b.jpg", "c.png"]


def test_other_weights_are_told_by_what_is_in_them(imgsim, engine, failure, photos, path):
    """Also when there is nothing to embed; a file of the same weights at another place will do."""
    imgsim("index", photos, "-c", path, "--weights", "w")
    assert imgsim("index", photos, "-c", path, "--weights", "moved").exit_code == 0
    engine.fingerprint = StubEngine.fingerprint.parse("stub-111111111111-fp32-p1")
    line = failure("index", photos, "-c", path, "--weights", "other")
    assert "vectors must be made by stub-000000000000-fp32-p2 (got stub-111111111111-fp32-p2)" in line
    assert imgsim("index", photos, "-c", path).exit_code == 0  # and the lock has been given back


def test_another_recipe_needs_no_decoding(imgsim, engine, failure, photos, path):
    imgsim("index", photos, "-c", path)
    engine.batches.clear()
    assert ", recipe mean" in imgsim("index", photos, "-c", path, "--recipe", "mean").stdout
    assert ", recipe mean" in imgsim("index", photos, "-c", path).stdout
    assert engine.batches == []
    assert failure("index", photos, "-c", path, "--recipe", "cake") == (
        "imgsim: recipe: must be one of mean, gem, whitened, crops (got 'cake')"
    )


def test_help_names_the_recipes():
    for parameter in index.__annotations__["recipe"].split("help=")[1:]:
        assert all(name in parameter for name in RECIPES)
        assert f"{DEFAULT_RECIPE} (the default)" in parameter


def test_mistakes_make_no_collection(failure, engine, photos, path, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "a path must exist" in failure("index", tmp_path / "none", "-c", path)
    assert failure("index", empty, "-c", path) == (
        f"imgsim: index: there must be a picture to read (got none in {empty})"
    )
    assert "recipe: must be one of" in failure("index", photos, "-c", path, "--recipe", "cake")
    assert "--max-megapixels must be a number" in failure("index", photos, "-c", path, "--max-megapixels", "inf")
    assert not path.exists()
    assert not hasattr(engine, "asked")


def test_a_place_that_is_taken(failure, engine, photos, tmp_path):
    assert "must be a folder that imgsim index made" in failure("index", photos, "-c", photos)
    file = tmp_path / "file"
    file.write_text("words")
    assert "there must be nothing of this name yet" in failure("index", photos, "-c", file)


def test_all_pictures_gone(imgsim, engine, photos, path):
    imgsim("index", photos, "-c", path)
    for file in photos.iterdir():
        file.unlink()
    result = imgsim("index", photos, "-c", path)
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith(f"0 pictures in {path}: nothing new in ")
    assert result.stdout.splitlines()[0].endswith("2 dropped")


def test_a_second_writer_is_told_who_is_first(imgsim, engine, failure, photos, path):
    imgsim("index", photos, "-c", path)
    with Collection.open(path, write=True):
        line = failure("index", photos, "-c", path)
    assert f"must have one writer at a time (got {path}, in use by process {os.getpid()} " in line
    assert line.endswith("--wait waits for it")


def test_ctrl_c_keeps_what_is_done(imgsim, engine, photos, path, monkeypatch):
    """Comes while the second batch is under way."""
    generator = np.random.default_rng(0)
    for number in range(40):
        Image.fromarray(generator.integers(0, 256, (20, 20, 3), np.uint8)).save(photos / f"{number}.png")
    monkeypatch.setattr("imgsim_ops.collection.indexing.indexing._COMMIT_CONTENTS", 2)
    embed = engine.embed

    def interrupted(pixels):
        if len(engine.batches) == 5:
            os.kill(os.getpid(), signal.SIGINT)
        return embed(pixels)

    monkeypatch.setattr(engine, "embed", interrupted)
    result = imgsim("index", photos, "-c", path, "--threads", 1)
    assert result.exit_code == 130
    assert "Stopped: what is done is kept; the same command goes on" in result.stdout
    kept = len(names(path))
    assert 0 < kept < 42
    monkeypatch.setattr(engine, "embed", embed)
    document = json.loads(imgsim("index", photos, "-c", path, "--json").stdout)
    assert (document["pictures"], document["embedded"]) == (42, 42 - kept)


def test_a_rescan_loads_no_model(imgsim, photos, path):
    """With a real one, in processes of their own."""
    options = ["-c", path, "--weights", "random:0", "--backbone", "efficientnet_lite0"]
    assert imgsim("index", photos, *options).exit_code == 0
    (photos / "moved").mkdir()
    (photos / "a.png").rename(photos / "moved" / "z.png")
    for arguments in (["index", photos, "-c", path], ["index", photos, *options], ["index", photos, "-c", path]):
        assert not packages_of(*arguments) & ((HEAVY | {"onnxruntime"}) - {"filelock"})
    assert names(path) == ["b.jpg", "z.png"]


def test_indexing_is_free_of_torch_once_the_model_is_there(imgsim, photos, path, tmp_path):
    options = ["--weights", "random:0", "--backbone", "efficientnet_lite0"]
    assert imgsim("index", photos, "-c", path, *options).exit_code == 0
    packages = packages_of("index", photos, "-c", tmp_path / "other.imgsim", *options)
    assert "onnxruntime" in packages
    assert not packages & (HEAVY - {"filelock"})


def test_on_a_terminal_the_bar_goes_away(imgsim, engine, photos, path):
    """Nothing of it is on stderr where that is no terminal."""
    code = "from imgsim_ops.cli import main; main()"
    command = [sys.executable, "-c", code, "index", str(photos), "-c", str(path), "--weights", "random:0"]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "Indexing" not in result.stderr
