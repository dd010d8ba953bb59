"""``imgsim info``, ``verify`` and ``compact``."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from imgsim_ops.collection.collection import Collection
from imgsim_ops.embedding.embedder import Embedder
from tests.support.commands import HEAVY, packages_of
from tests.support.stub_engine import StubEngine


@pytest.fixture
def path(tmp_path, photos):
    """A collection of four pictures, two of them of equal bytes, one content whose file is gone, and a bad file."""
    Image.new("RGB", (9, 9), "red").save(photos / "gone.png")
    Image.new("RGB", (9, 9), "blue").save(photos / "c.png")
    shutil.copy(photos / "a.png", photos / "twin.png")
    (photos / "bad.jpg").write_text("words")
    path = tmp_path / "c.imgsim"
    with Collection.create(path, embedder=Embedder(engine=StubEngine())) as collection:
        collection.add([photos])
        (photos / "gone.png").unlink()
        collection.add([photos])
    return path


def test_info(imgsim, path):
    result = imgsim("info", path)
    assert result.exit_code == 0, result.output
    lines = {line[:12].strip(): line[12:].strip() for line in result.stdout.splitlines() if line[:12].strip()}
    assert lines["pictures"].startswith("4, ")
    assert lines["contents"] == "3 different, and 1 whose files are gone (imgsim compact gives their room back)"
    assert lines["formats"] == "3 PNG, 1 JPEG"
    assert lines["unreadable"] == "1 files"
    assert lines["made by"] == "stub-000000000000-fp32-p2"
    assert lines["recipe"] == "crops, whitening not fitted yet"
    assert lines["vectors"] == "2 vectors of 5 numbers for each content"


def test_info_json(imgsim, path, photos):
    document = json.loads(imgsim("info", path, "--json").stdout)
    changed = document.pop("changed")
    assert changed == pytest.approx(os.stat(path / "index.sqlite").st_mtime)
    files = document.pop("files")
    assert files["vectors-1.f16"] == 4 * 2 * 5 * 2
    assert files["raw-1.f16"] == 4 * 15 * 2
    assert document == {
        "collection": str(path),
        "pictures": 4,
        "contents": 4,
        "orphans": 1,
        "unreadable": 1,
        "formats": {"PNG": 3, "JPEG": 1},
        "bytes": sum((photos / name).stat().st_size for name in ("a.png", "b.jpg", "c.png", "twin.png")),
        "fingerprint": "stub-000000000000-fp32-p2",
        "weights": None,
        "recipe": "crops",
        "crops": 2,
        "dimension": 5,
        "whitening": None,
        "whitening_fitted_on": 0,
        "bytes_on_disk": sum(files.values()),
    }


def test_a_whitened_collection(imgsim, path, photos, monkeypatch):
    monkeypatch.setattr("imgsim_ops.collection.indexing.fitting.FIT_FROM", 4)
    with Collection.open(path, write=True, embedder=Embedder(engine=StubEngine())) as collection:
        collection.add([photos])
    assert "crops, whitening fitted on 4 contents" in imgsim("info", path).stdout
    document = json.loads(imgsim("info", path, "--json").stdout)
    assert document["whitening_fitted_on"] == 4
    assert len(document["whitening"]) == 12


def test_verify(imgsim, path):
    result = imgsim("verify", path)
    assert (result.exit_code, result.stdout) == (0, f"All is well: 4 contents in {path}\n")
    assert json.loads(imgsim("verify", path, "--json").stdout) == {
        "collection": str(path),
        "contents": 4,
        "problems": [],
    }


def test_verify_names_what_is_damaged(imgsim, path):
    with open(path / "raw-1.f16", "r+b") as file:
        file.seek(2 * 15 * 2)
        file.write(b"\x11\x22")
    with open(path / "vectors-1.f16", "r+b") as file:
        file.write(np.full(5, 9, np.float16).tobytes())
    with Collection.open(path) as collection:
        problems = list(collection.store.problems())
    assert len(problems) == 2
    result = imgsim("verify", path)
    assert (result.exit_code, result.stdout.splitlines()) == (1, problems)
    result = imgsim("verify", path, "--json")
    assert (result.exit_code, json.loads(result.stdout)["problems"]) == (1, problems)


def test_verify_looks_at_the_files(imgsim, path, photos, tmp_path):
    result = imgsim("verify", path, "--files")
    assert (result.exit_code, result.stdout) == (
        0, f"All is well: 4 contents in {path}, and the bytes of 4 files\n"
    )  # fmt: skip
    (photos / "twin.png").unlink()
    other = Path(shutil.copytree(photos, tmp_path / "other"))
    with Collection.open(path, write=True, embedder=Embedder(engine=StubEngine())) as collection:
        collection.add([other])
    shutil.rmtree(other)
    before = os.stat(photos / "c.png")
    content = bytearray((photos / "c.png").read_bytes())
    content[-20] ^= 1
    (photos / "c.png").write_bytes(content)
    os.utime(photos / "c.png", ns=(before.st_atime_ns, before.st_mtime_ns))
    result = imgsim("verify", path, "--files", "--json")
    document = json.loads(result.stdout)
    assert (result.exit_code, document["problems"], document["pictures"]) == (1, [], 7)
    assert {(file["path"], file["code"]) for file in document["files"]} == {
        (str(photos / "c.png"), "changed"),
        (str(photos / "twin.png"), "missing"),
        (str(other), "missing"),
    }
    result = imgsim("verify", path, "--files")
    assert result.exit_code == 1
    assert result.stdout.splitlines() == [file["message"] for file in document["files"]]
    assert f"(got {other}, of which 3 pictures could not be looked at)" in result.stdout
    assert f"(got {photos / 'c.png'}: imgsim index takes in what it is now)" in result.stdout
    assert imgsim("verify", path).exit_code == 0


def test_verify_knows_what_index_would_pass_over(imgsim, path, photos, monkeypatch):
    from imgsim_ops.collection.indexing import verifying

    (photos / "c.png").write_bytes((photos / "a.png").read_bytes())
    monkeypatch.setattr(verifying, "is_unchanged", lambda record, status: True)
    assert "imgsim index --rehash, as neither" in imgsim("verify", path, "--files").stdout


def test_verify_of_a_damaged_collection_looks_at_no_files(imgsim, path):
    os.truncate(path / "vectors-1.f16", 30)
    result = imgsim("verify", path, "--files")
    assert result.exit_code == 1
    assert "The files were not looked at" in result.stdout
    assert "files" not in json.loads(imgsim("verify", path, "--files", "--json").stdout)


def test_verify_finds_a_short_file(imgsim, path):
    os.truncate(path / "vectors-1.f16", 30)
    result = imgsim("verify", path)
    assert result.exit_code == 1
    assert "vectors-1.f16" in result.stdout


def test_compact(imgsim, path):
    result = imgsim("compact", path)
    assert result.exit_code == 0
    assert result.stdout.startswith("1 content given back, 3 kept: ")
    document = json.loads(imgsim("compact", path, "--json").stdout)
    assert (document["given_back"], document["contents"]) == (0, 3)
    assert document["bytes_after"] <= document["bytes_before"]
    assert json.loads(imgsim("info", path, "--json").stdout)["orphans"] == 0
    assert imgsim("verify", path).exit_code == 0


def test_compact_while_another_writes(failure, path):
    with Collection.open(path, write=True):
        assert "must have one writer at a time" in failure("compact", path)


@pytest.mark.parametrize("command", ["info", "verify", "compact"])
def test_no_collection(failure, command, tmp_path, monkeypatch):
    assert failure(command, tmp_path) == (
        f"imgsim: collection: must be a folder that imgsim index made (got {tmp_path})"
    )
    monkeypatch.chdir(tmp_path)  # the default is photos.imgsim
    assert f"(got {tmp_path / 'photos.imgsim'})" in failure(command)


@pytest.mark.parametrize("command", ["info", "verify", "compact"])
def test_no_model_is_loaded(path, command):
    assert not packages_of(command, path) & ((HEAVY | {"onnxruntime"}) - {"filelock"})
