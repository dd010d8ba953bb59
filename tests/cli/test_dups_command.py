"""``imgsim dups`` over real photographs, by an engine that takes no time."""

import csv
import json
import os
import re
import shutil
from itertools import takewhile
from xml.etree import ElementTree

import jsonschema
import pytest
from PIL import Image

from imgsim_ops.cleanup.decisions import read_decisions
from imgsim_ops.collection.folders import is_collection
from imgsim_ops.engines.onnx import OnnxEngine
from imgsim_ops.report.schemas import schema
from tests.support.commands import HEAVY, packages_of
from tests.support.encoder_made import write_encoder
from tests.support.photographs import write_copy, write_photographs


@pytest.fixture
def encoder(monkeypatch, tmp_path):
    """A model that takes no time; what is learnt of folders goes to a cache of this test's own."""
    monkeypatch.setenv("IMGSIM_CACHE", str(tmp_path / "cache"))
    return write_encoder(tmp_path / "encoder", "0" * 12, shift=127, kind="stub")


@pytest.fixture
def imgsim(imgsim, encoder):
    """The command line, by that model where it looks into folders."""

    def run(command, *arguments):
        paths = list(takewhile(lambda text: not text.startswith("-"), map(str, arguments)))
        folders = command in ("dups", "leak", "index") and not all(map(is_collection, paths))
        return imgsim(command, *arguments, *(["--backbone", encoder] if folders else []))

    return run


@pytest.fixture
def batches(monkeypatch):
    """How many pictures the model was given at a time."""
    sizes, embed = [], OnnxEngine.embed_with_gem

    def counted(self, pixels):
        sizes.append(len(pixels))
        return embed(self, pixels)

    monkeypatch.setattr(OnnxEngine, "embed_with_gem", counted)
    return sizes


@pytest.fixture
def album(tmp_path):
    """Five photographs; of two there are copies."""
    folder = write_photographs(tmp_path / "album")
    shutil.copy(folder / "coffee.png", folder / "z.png")
    write_copy(folder, "chelsea", "recompressed", ".jpg")
    return folder


def names(group):
    return [os.path.basename(member["path"]) for member in group["members"]]


def test_table(imgsim, album):
    result = imgsim("dups", album)
    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    assert "equal bytes" in result.stdout
    assert "a copy" in result.stdout
    assert "2 groups: 2 of 7 pictures may go, " in result.stdout
    assert "--html report.html shows them; --decisions FILE is for imgsim apply" in result.stdout


def test_no_copies(imgsim, tmp_path):
    folder = write_photographs(tmp_path / "album")
    result = imgsim("dups", folder)
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("No copies among 5 pictures, in ")


def test_json(imgsim, album):
    result = imgsim("dups", album, "--json")
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert (document["imgsim"], document["version"]) == ("duplicates", 1)
    assert document["pictures"] == 7
    assert document["fingerprint"] == "stub-000000000000-fp32-p2"
    assert document["recipe"] == "crops"
    assert document["judged"]["pairs"] > 0
    assert document["judged"]["unreadable"] == 0
    assert document["skipped"] == []
    assert [names(group) for group in document["groups"]] == [
        ["chelsea.png", "chelsea-recompressed.jpg"],
        ["coffee.png", "z.png"],
    ]
    first, second = (group["members"] for group in document["groups"])
    assert first[0]["evidence"] is None
    assert (first[0]["relation"], first[0]["remove"]) == (None, False)
    assert (first[1]["relation"], first[1]["remove"], first[1]["kept"]) == ("copy", True, 0)
    assert first[1]["evidence"]["stage"] == "perceptual"
    assert first[1]["evidence"]["overlap"] == [1, 1]
    assert (second[1]["relation"], second[1]["remove"], second[1]["kept"]) == ("identical", True, 0)
    assert second[1]["evidence"] == {"stage": "content", "score": 1.0, "relation": "identical", "orientation": 1}
    gone = (album / "chelsea-recompressed.jpg").stat().st_size + (album / "z.png").stat().st_size
    assert document["bytes_of_copies"] == gone


def test_frames_and_pages_are_told(imgsim, album, tmp_path):
    """In the table where there are several, in documents of every picture."""
    pages = [Image.open(album / f"{name}.png").convert("RGB") for name in ("chelsea", "coffee")]
    for name, options in {"a.tif": {}, "b.tif": {"compression": "tiff_lzw"}}.items():
        pages[0].save(album / name, save_all=True, append_images=pages[1:], **options)
    result = imgsim("dups", album, "--csv", tmp_path / "d.csv", "--html", tmp_path / "d.html")
    assert result.exit_code == 0, result.output
    assert re.findall("  ([0-9]+ (?:page|frame)s?)  ", result.stdout) == ["2 pages"] * 2
    document = json.loads(imgsim("dups", album, "--json").stdout)
    jsonschema.validate(document, schema("duplicates"))
    frames = {
        os.path.basename(member["path"]): member["frames"]
        for group in document["groups"]
        for member in group["members"]
    }
    assert {name: count for name, count in frames.items() if count > 1} == {"a.tif": 2, "b.tif": 2}
    assert frames["chelsea.png"] == 1
    with open(tmp_path / "d.csv", encoding="utf-8", newline="") as file:
        assert {os.path.basename(row["path"]): int(row["frames"]) for row in csv.DictReader(file)} == frames


def test_all_that_it_writes(imgsim, album, tmp_path):
    page, table, decisions = tmp_path / "r.html", tmp_path / "r.csv", tmp_path / "d.json"
    result = imgsim("dups", album, "--html", page, "--csv", table, "--decisions", decisions)
    assert result.exit_code == 0, result.output
    assert b"<title>Duplicates</title>" in page.read_bytes()
    with open(table, newline="", encoding="utf-8") as file:
        assert len(list(csv.DictReader(file))) == 4
    decided = read_decisions(decisions)
    assert [len(group.remove) for group in decided.groups] == [1, 1]
    assert f"{page} shows them" in result.stdout
    assert f"imgsim apply {decisions} --trash shows what would go" in result.stdout
    assert imgsim("apply", decisions, "--move-to", tmp_path / "moved", "--yes").exit_code == 0
    assert len(os.listdir(album)) == 5
    journal = next(tmp_path.glob("*.journal.jsonl"))
    assert imgsim("undo", journal).exit_code == 0
    assert len(os.listdir(album)) == 7


@pytest.mark.parametrize("how", [[], ["--equal-only"]])
def test_names_of_one_file_are_no_copies(imgsim, album, tmp_path, how):
    os.link(album / "coffee.png", album / "coffee's link.png")
    os.link(album / "z.png", album / "zz.png")
    result = imgsim("dups", album, "--json", "--decisions", tmp_path / "d.json", *how)
    document = json.loads(result.stdout)
    if not how:  # without a model there is no recipe to name, which the schema asks for
        jsonschema.validate(document, schema("duplicates"))
    (group,) = (group for group in document["groups"] if "coffee.png" in names(group))
    facts = {
        name: (member["remove"], member.get("same_file"), member.get("frees", True))
        for name, member in zip(names(group), group["members"], strict=True)
    }
    kept = names(group)[0]
    linked = "coffee's link.png" if kept == "coffee.png" else "coffee.png"
    assert facts[linked] == (False, 0, False)
    place = names(group).index("z.png")
    assert (facts["z.png"], facts["zz.png"]) == ((True, None, False), (True, place, True))
    others = sum(m["bytes"] for g in document["groups"] if g is not group for m in g["members"] if m["remove"])
    assert document["bytes_of_copies"] - others == (album / "z.png").stat().st_size
    said = " ".join(imgsim("dups", album, *how).stdout.split())
    assert "another name of this file" in said
    assert "1 free nothing, as further names of the same files" in said
    dry = json.loads(imgsim("apply", tmp_path / "d.json", "--delete", "--json").stdout)
    assert dry["bytes_freed"] == document["bytes_of_copies"]


def test_the_second_run_reads_what_is_new(imgsim, album, batches):
    assert imgsim("dups", album).exit_code == 0
    batches.clear()
    assert imgsim("dups", album).exit_code == 0
    assert batches == []
    write_copy(album, "rocket", "shrunk")
    result = imgsim("dups", album, "--json")
    assert sum(batches) == 2  # one picture has two crops
    assert len(json.loads(result.stdout)["groups"]) == 3


def test_a_collection(imgsim, album, tmp_path, batches):
    collection = tmp_path / "c.imgsim"
    assert imgsim("index", album, "-c", collection).exit_code == 0
    batches.clear()
    result = imgsim("dups", collection, "--json")
    assert result.exit_code == 0, result.output
    assert len(json.loads(result.stdout)["groups"]) == 2
    assert batches == []


def test_skipped_files(imgsim, album):
    (album / "notes.png").write_text("no picture")
    result = imgsim("dups", album, "--json")
    assert result.exit_code == 3
    (skipped,) = json.loads(result.stdout)["skipped"]
    assert skipped["code"] == "not_a_picture"
    result = imgsim("dups", album)  # known by now, and still said
    assert result.exit_code == 3
    assert "Skipped 1 file" in result.stdout


def test_mistakes(failure, album, tmp_path, imgsim):
    collection = tmp_path / "c.imgsim"
    assert imgsim("index", album, "-c", collection).exit_code == 0
    assert "a collection must stand alone (got 2 paths)" in failure("dups", collection, album)
    assert "options of folders do not go with a collection (got --recipe)" in failure(
        "dups", collection, "--recipe", "mean"
    )
    assert "recipe: must be one of" in failure("dups", album, "--recipe", "none")
    assert "one of a threshold and a rate" in failure("dups", album, "--threshold", 0.9, "--false-positives", 0.1)
    assert "the threshold must be between -1 and 1 (got nan)" in failure("dups", album, "--threshold", "nan")
    (tmp_path / "empty").mkdir()
    assert "dups: there must be a picture to read (got none in" in failure("dups", tmp_path / "empty")
    assert "nowhere" in failure("dups", tmp_path / "nowhere")


# --- leak ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def sets(tmp_path):
    """A training set of five photographs, and a test set of three pictures, two of which are copies."""
    train = write_photographs(tmp_path / "train")
    test = write_photographs(tmp_path / "test", ["astronaut.png"])
    shutil.copy(train / "coffee.png", test / "renamed.png")
    shutil.move(write_copy(train, "chelsea", "recompressed", ".jpg"), test / "copy.jpg")
    return train, test


def test_leak_table(imgsim, sets):
    result = imgsim("leak", *sets)
    assert result.exit_code == 0, result.output
    assert "2 of 3 test pictures (66.7%) come of some of 5 training pictures, in " in result.stdout
    assert "equal bytes" in result.stdout
    assert "a copy" in result.stdout


def test_leak_json(imgsim, sets):
    result = imgsim("leak", *sets, "--json", "--fail-over", 2)
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert [os.path.basename(leak["picture"]["path"]) for leak in document["leaks"]] == ["copy.jpg", "renamed.png"]
    assert [os.path.basename(leak["source"]["path"]) for leak in document["leaks"]] == ["chelsea.png", "coffee.png"]
    assert (document["imgsim"], document["version"]) == ("leaks", 1)
    assert [leak["relation"] for leak in document["leaks"]] == ["copy", "identical"]
    assert [leak["evidence"]["stage"] for leak in document["leaks"]] == ["perceptual", "content"]
    assert (document["train"]["pictures"], document["test"]["pictures"], document["clean"]) == (5, 3, 1)


def test_leak_in_ci(imgsim, sets, tmp_path):
    page, junit, clean = tmp_path / "l.html", tmp_path / "l.xml", tmp_path / "clean.txt"
    result = imgsim("leak", *sets, "--html", page, "--junit", junit, "--clean", clean, "--fail-over", 1)
    assert result.exit_code == 1
    assert b"<title>Leaks</title>" in page.read_bytes()
    suite = ElementTree.parse(junit).getroot().find("testsuite")
    assert (suite.get("tests"), suite.get("failures")) == ("3", "2")
    assert clean.read_text() == f"{sets[1] / 'astronaut.png'}\n"


def test_clean_lists_of_any_names(imgsim, failure, sets, tmp_path):
    train, test = sets
    odd = test / "a\nb \udcff.png"
    shutil.move(test / "astronaut.png", odd)
    clean = tmp_path / "clean"
    line = failure("leak", train, test, "--clean", clean)
    assert line == (
        "imgsim: list: no name in it may hold a line break; --null, or a file that ends in .json, takes any "
        f"(got {test}/a\\nb \\xff.png)"
    )
    assert not clean.exists()
    assert not (tmp_path / "cache" / "collections").exists()  # told before the work
    assert imgsim("leak", train, test, "--clean", clean, "-0").exit_code == 0
    assert clean.read_bytes() == os.fsencode(odd) + b"\0"
    clean = tmp_path / "clean.json"
    assert imgsim("leak", train, test, "--clean", clean).exit_code == 0
    assert json.loads(clean.read_text())["paths"] == [str(odd)]
    # A collection says so without a look at the files.
    collection = tmp_path / "test.imgsim"
    assert imgsim("index", test, "-c", collection).exit_code == 0
    assert "may hold a line break" in failure("leak", train, collection, "--clean", tmp_path / "list")
    for unfit in (("--clean", clean, "--null"), ("--null",)):
        assert "leak: --null is for a --clean file that is a list" in failure("leak", train, test, *unfit)


def test_results_outlast_files_that_cannot_be_written(imgsim, failure, sets, tmp_path, monkeypatch):
    train, test = sets
    for option in ("--html", "--junit", "--clean"):
        assert failure("leak", train, test, option, tmp_path / "missing" / "x").startswith(
            "imgsim: leak: the file must be"
        )
    for option in ("--html", "--csv", "--decisions"):
        assert failure("dups", train, option, tmp_path).startswith("imgsim: dups: the file must be writable")

    def full(path, *content, **options):
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr("imgsim_ops.report.tables.write_file", full)
    page, clean, junit = tmp_path / "page.html", tmp_path / "clean", tmp_path / "leaks.xml"
    result = imgsim("leak", train, test, "--html", page, "--clean", clean, "--junit", junit, "--fail-over", 0)
    assert result.exit_code == 2
    assert "2 of 3 test pictures" in result.stdout
    assert b"<title>Leaks</title>" in page.read_bytes()
    assert result.stderr.splitlines() == [f"imgsim: No space left on device (got {path})" for path in (clean, junit)]


def test_a_collection_says_how_a_folder_is_embedded(imgsim, failure, sets, tmp_path):
    train, test = sets
    collection = tmp_path / "train.imgsim"
    assert imgsim("index", train, "-c", collection, "--recipe", "gem").exit_code == 0
    for arguments in ((collection, test), (train, collection)):
        result = imgsim("leak", *arguments, "--json")
        assert result.exit_code == 0, result.output
        assert json.loads(result.stdout)["recipe"] == "gem"
    assert "options of folders do not go with a collection" in failure(
        "leak", collection, collection, "--recipe", "mean"
    )


def test_a_folder_leaks_all_of_itself(imgsim, album):
    result = imgsim("leak", album, f"{album}/", "--json")
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert len(document["leaks"]) == 7
    assert document["train"]["collection"] == document["test"]["collection"]  # embedded once


def test_no_torch_and_no_runtime_where_all_is_known(imgsim, album, sets, encoder):
    assert imgsim("dups", album).exit_code == 0
    assert not packages_of("dups", album, "--backbone", encoder) & (HEAVY | {"onnxruntime"}) - {"filelock"}
    assert imgsim("leak", *sets).exit_code == 0
    assert not packages_of("leak", *sets, "--backbone", encoder) & (HEAVY | {"onnxruntime"}) - {"filelock"}
