"""``imgsim search``: most of it with an engine that takes no time, the rest with real weights."""

import json
import os

import numpy as np
import pytest
from PIL import Image

from imgsim_ops.collection.collection import Collection
from imgsim_ops.images.orientation import turned
from tests.support.commands import HEAVY, packages_of
from tests.support.encoder_made import write_encoder


@pytest.fixture
def path(tmp_path, photos):
    """A collection by a model that takes no time."""
    path = tmp_path / "c.imgsim"
    model = write_encoder(tmp_path / "encoder", "0" * 12, shift=127, kind="stub")
    with Collection.create(path, str(model), recipe="mean") as collection:
        collection.add([photos])
    return path


def test_table(imgsim, path, photos):
    result = imgsim("search", photos / "a.png", "-c", path)
    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    query, *hits = result.stdout.splitlines()
    assert query == str(photos / "a.png")
    first, second = (line.split() for line in hits)
    size = f"{os.stat(photos / 'a.png').st_size / 1e3:,.0f}"
    assert first == ["1", "1.0000", "100", "x", "80", size, "kB", str(photos / "a.png")]
    assert (second[0], second[-1]) == ("2", str(photos / "b.jpg"))


def test_json(imgsim, path, photos):
    result = imgsim("search", photos, "-c", path, "-k", 1, "--json")
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert document.pop("seconds") >= 0
    queries = document.pop("queries")
    assert document == {
        "collection": str(path),
        "fingerprint": "stub-000000000000-fp32-p2",
        "recipe": "mean",
        "k": 1,
        "interrupted": False,
        "skipped": [],
    }
    assert [query["query"] for query in queries] == [str(photos / "a.png"), str(photos / "b.jpg")]
    (hit,) = queries[0]["hits"]
    assert hit.pop("score") == pytest.approx(1, abs=1e-3)  # float16
    status = os.stat(photos / "a.png")
    assert hit.pop("modified") == pytest.approx(status.st_mtime)
    assert len(hit.pop("sha256")) == 64
    assert hit == {
        "orientation": 1,
        "path": str(photos / "a.png"),
        "bytes": status.st_size,
        "width": 100,
        "height": 80,
        "format": "PNG",
        "frames": 1,
    }


def test_folders_globs_and_skipped_files(imgsim, path, photos):
    (photos / "bad.jpg").write_text("words")
    result = imgsim("search", photos, f"{photos}/*.jpg", "-c", path, "--json")
    assert result.exit_code == 3
    document = json.loads(result.stdout)
    assert [os.path.basename(query["query"]) for query in document["queries"]] == ["a.png", "b.jpg"]
    assert [file["code"] for file in document["skipped"]] == ["not_a_picture"]
    result = imgsim("search", photos, "-c", path)
    assert result.exit_code == 3
    assert "Skipped 1 file: 1 not_a_picture" in result.stdout
    document = json.loads(imgsim("search", photos / "bad.jpg", "-c", path, "--json").stdout)
    assert document["queries"] == []
    assert imgsim("search", photos, "-c", path, "--exclude", "bad.jpg").exit_code == 0


def test_threshold_and_exclude_self(imgsim, path, photos):
    def found(*options):
        (query,) = json.loads(imgsim("search", photos / "a.png", "-c", path, "--json", *options).stdout)["queries"]
        return [os.path.basename(hit["path"]) for hit in query["hits"]]

    assert found() == ["a.png", "b.jpg"]
    assert found("--threshold", 0.999) == ["a.png"]
    assert found("--exclude-self") == ["b.jpg"]
    assert found("--exclude-self", "--threshold", 0.999) == []
    result = imgsim("search", photos / "a.png", "-c", path, "--exclude-self", "--threshold", 0.999)
    assert (result.exit_code, "nothing found" in result.stdout) == (0, True)


def test_the_default_collection(imgsim, path, photos, monkeypatch, tmp_path):
    path.rename(tmp_path / "photos.imgsim")
    monkeypatch.chdir(tmp_path)
    assert imgsim("search", "photos/a.png").exit_code == 0


def test_ctrl_c_keeps_what_is_found(imgsim, path, photos, monkeypatch):
    def search_many(self, *arguments, **options):
        yield str(photos / "a.png"), []
        raise KeyboardInterrupt

    monkeypatch.setattr(Collection, "search_many", search_many)
    result = imgsim("search", photos, "-c", path, "--json")
    assert result.exit_code == 130
    document = json.loads(result.stdout)
    assert document["interrupted"]
    assert [query["query"] for query in document["queries"]] == [str(photos / "a.png")]
    result = imgsim("search", photos, "-c", path)
    assert result.exit_code == 130
    assert "Stopped after 1 query" in result.stdout


def test_mistakes(failure, path, photos, tmp_path):
    assert "must be a folder that imgsim index made" in failure("search", photos, "-c", tmp_path)
    assert "a path must exist" in failure("search", tmp_path / "none.png", "-c", path)
    assert "-k" in failure("search", photos, "-c", path, "-k", 0)
    assert "--threshold" in failure("search", photos, "-c", path, "--threshold", 2)
    assert "--threshold" in failure("search", photos, "-c", path, "--threshold", "nan")
    assert "--max-megapixels" in failure("search", photos, "-c", path, "--max-megapixels", "inf")


# With real weights


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    """A collection of photographs, and one of them to look for."""
    data = pytest.importorskip("skimage.data")
    folder = tmp_path_factory.mktemp("real")
    names = ("astronaut", "chelsea", "coffee", "rocket", "hubble_deep_field", "camera")
    (folder / "photos").mkdir()
    for name in names:
        pixels = getattr(data, name)()
        Image.fromarray(pixels).convert("RGB").save(folder / "photos" / f"{name}.jpg", quality=90)
    with Collection.create(folder / "c.imgsim", "efficientnet_lite0") as collection:
        collection.add([folder / "photos"])
    return folder


@pytest.mark.parametrize(
    ("flags", "orientations"),
    [(["--flips"], [1, 2]), (["--rotations"], [1, 3, 6, 8]), (["--flips", "--rotations"], range(1, 9))],
)
def test_turned_copies_are_found_with_the_flags(imgsim, real, flags, orientations):
    pixels = np.asarray(Image.open(real / "photos" / "chelsea.jpg"))
    queries = []
    for orientation in orientations:
        # The two that are not their own inverse are each other's.
        query = turned(pixels, {6: 8, 8: 6}.get(orientation, orientation))
        queries.append(real / f"turned-{orientation}.jpg")
        Image.fromarray(query).save(queries[-1], quality=80)
    result = imgsim("search", *queries, "-c", real / "c.imgsim", "-k", 2, "--json", *flags)
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)["queries"]
    for query, orientation in zip(found, orientations, strict=True):
        first, second = query["hits"]
        assert (os.path.basename(first["path"]), first["orientation"]) == ("chelsea.jpg", orientation)
        # Saved anew, in other blocks; photographs of other things score below 0.6 here.
        assert first["score"] > 0.95
        assert second["score"] < 0.8
    text = imgsim("search", queries[-1], "-c", real / "c.imgsim", *flags).stdout
    words = {2: "mirrored", 8: "turned left"}
    assert words[orientations[-1]] in text


def test_searching_is_free_of_torch(real, tmp_path):
    known, new = real / "photos" / "coffee.jpg", tmp_path / "new.jpg"
    Image.open(known).resize((300, 200)).save(new)
    packages = packages_of("search", new, "-c", real / "c.imgsim")
    assert "onnxruntime" in packages
    assert not packages & (HEAVY - {"filelock"})
    assert not packages_of("search", known, "-c", real / "c.imgsim") & (HEAVY | {"onnxruntime"}) - {"filelock"}
