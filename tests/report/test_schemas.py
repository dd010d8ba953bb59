"""Real documents against their schemas: they fit, all that is in them is described, broken ones are refused."""

import copy
import json
import shutil

import jsonschema
import pytest
from PIL import Image, ImageDraw
from typer.testing import CliRunner

from imgsim_ops.cleanup.journal import Action, Header, Journal, State, Way
from imgsim_ops.cli.app import app
from imgsim_ops.errors import ImgsimError
from imgsim_ops.report.schemas import NAMES, schema
from tests.support.encoder_made import write_encoder
from tests.support.photographs import piece, write_copy, write_photographs


def covered(image):
    image = image.copy()
    ImageDraw.Draw(image).rectangle((30, 30, 120, 70), fill="white")
    return image


def unchanged(image):
    return image


def run(*arguments, code=0):
    result = CliRunner().invoke(app, [str(argument) for argument in arguments], prog_name="imgsim")
    assert result.exit_code == code, result.output
    return result.stdout


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture(scope="module")
def documents(tmp_path_factory):
    """By kind of document, all that the commands print and write about an album with a copy of each relation."""
    folder = tmp_path_factory.mktemp("schemas")
    album, test = write_photographs(folder / "album"), folder / "test"
    test.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IMGSIM_CACHE", str(folder / "cache"))
        model = "--backbone", write_encoder(folder / "encoder", shift=127)
        shutil.copy(album / "coffee.png", album / "z.png")
        for name, kind, suffix in (
            ("coffee", unchanged, ".bmp"), ("chelsea", "recompressed", ".jpg"), ("rocket", "shrunk", ".png"),
            ("motorcycle_left", piece, ".png"), ("coins", covered, ".png"),
        ):  # fmt: skip
            shutil.copy(write_copy(album, name, kind, suffix), test / f"{name}{suffix}")
        Image.linear_gradient("L").save(test / "other.png")
        for place in (album, test):
            (place / "notes.png").write_text("no picture")
            (place / "film.mp4").write_bytes(b"\0\0\0\x18ftypisom")
        decisions = folder / "decisions.json"
        duplicates = run("dups", album, "--json", "--decisions", decisions, *model, code=3)
        clean = folder / "clean.json"
        leaks = run("leak", write_photographs(folder / "train"), test, "--json", "--clean", clean, *model, code=3)
        decided = json.loads(decisions.read_text())
        run("apply", decisions, "--move-to", folder / "gone", "--yes")
        (journal,) = folder.glob("*.journal.jsonl")
        run("undo", journal)
    return {
        "duplicates": [json.loads(duplicates)],
        "leaks": [json.loads(leaks)],
        "clean": [json.loads(clean.read_text())],
        "decisions": [decided],
        "journal": lines(journal),
    }


def validator(document_schema):
    jsonschema.Draft202012Validator.check_schema(document_schema)
    return jsonschema.Draft202012Validator(document_schema)


def strict(node):
    """The same, in which nothing may be that is not described."""
    if isinstance(node, dict):
        node = {key: strict(value) for key, value in node.items()}
        if node.get("additionalProperties") is True:
            node["additionalProperties"] = False
    return [strict(value) for value in node] if isinstance(node, list) else node


@pytest.mark.parametrize("name", NAMES)
def test_what_is_written_fits_and_is_described(documents, name):
    assert documents[name]
    for document in documents[name]:
        validator(schema(name)).validate(document)
        validator(strict(schema(name))).validate(document)


def test_the_documents_have_a_bit_of_everything(documents):
    """So that what fits says something."""
    (duplicates,), (leaks,) = documents["duplicates"], documents["leaks"]
    members = [member for group in duplicates["groups"] for member in group["members"]]
    assert {member["relation"] for member in members} == {None, "identical", "same_pixels", "copy", "part", "edited"}
    assert {leak["relation"] for leak in leaks["leaks"]} >= {"copy", "part", "edited"}
    evidence = [member["evidence"] for member in members if member["evidence"]]
    assert {key for one in evidence for key in one} >= {"transform", "overlap", "differences", "inliers", "distance"}
    assert duplicates["skipped"]
    assert leaks["skipped"]
    assert [len(document["aside"]["video"]) for document in (duplicates, leaks)] == [1, 1]
    assert len(documents["clean"][0]["paths"]) == leaks["clean"] > 0
    assert documents["decisions"][0]["groups"]
    keys = {next(iter(line)) for line in documents["journal"]}
    assert keys == {"imgsim", "intend", "folder", "done", "undoing", "undone"}


def test_equal_files_for_which_no_model_is_asked(tmp_path):
    for name in ("a.png", "b.png"):
        Image.linear_gradient("L").save(tmp_path / name)
    document = json.loads(run("dups", tmp_path, "--equal-only", "--json"))
    assert len(document["groups"]) == 1
    validator(strict(schema("duplicates"))).validate(document)


@pytest.mark.parametrize("way", Way)
def test_every_line_of_a_journal(tmp_path, way):
    path = tmp_path / "j.jsonl"
    action = Action(
        "/a\udcff.png", "0" * 64, 5, 10**18, 0o100644, 7, 1000, 1000, "/b.png", 8, "/c.png", "/p", "/i", "t"
    )
    folder = "/gone" if way is Way.MOVE else None
    with Journal.create(path, Header(way, "1" * 64, folder, "2026-01-02T03:04:05+01:00")) as journal:
        journal.made_folder("/gone")
        for state in (State.FAILED, State.DONE, State.UNDONE):
            journal.note(journal.intend(action), state)
        journal.undoing(journal.intend(action), "/part")
    for line in lines(path):
        validator(strict(schema("journal"))).validate(line)


def changed(document, path, value):
    """The document with something else at a place, or without what is there."""
    document = copy.deepcopy(document)
    *outer, last = path
    place = document
    for key in outer:
        place = place[key]
    if value is None:
        del place[last]
    else:
        place[last] = value
    return document


MEMBER = ("groups", 0, "members", 1)
EVIDENCE = (*MEMBER, "evidence")


@pytest.mark.parametrize(
    ("name", "path", "value"),
    [
        ("duplicates", ("imgsim",), "leaks"),
        ("duplicates", ("version",), 2),
        ("duplicates", ("version",), None),
        ("duplicates", ("pictures",), -1),
        ("duplicates", ("bytes_of_copies",), "5 MB"),
        ("duplicates", ("judged", "pairs"), 0.5),
        ("duplicates", ("groups", 0, "members"), []),
        ("duplicates", (*MEMBER, "sha256"), "ABC"),
        ("duplicates", (*MEMBER, "relation"), "cousin"),
        ("duplicates", (*MEMBER, "kept"), None),
        ("duplicates", (*MEMBER, "width"), 0),
        ("duplicates", (*EVIDENCE, "score"), 1.5),
        ("duplicates", (*EVIDENCE, "orientation"), 9),
        ("duplicates", (*EVIDENCE, "transform"), [1, 0, 0]),
        ("duplicates", (*EVIDENCE, "overlap"), [1, 1.2]),
        ("duplicates", (*EVIDENCE, "differences"), [{"here": [1, 2, 3, 4]}]),
        ("duplicates", ("skipped", 0, "code"), 7),
        ("leaks", ("train",), "train/"),
        ("leaks", ("leaks", 0, "source"), None),
        ("leaks", ("leaks", 0, "evidence", "stage"), "feeling"),
        ("decisions", ("groups", 0, "keep"), []),
        ("decisions", ("groups", 0, "remove", 0, "path"), "a.png"),
        ("decisions", ("groups", 0, "keep", 0, "sha256"), None),
        ("decisions", ("groups",), {}),
    ],
)
def test_a_broken_document_is_refused(documents, name, path, value):
    (document,) = documents[name]
    broken = changed(document, path, value)
    with pytest.raises(jsonschema.ValidationError):
        validator(schema(name)).validate(broken)


@pytest.mark.parametrize(
    ("key", "path", "value"),
    [
        ("imgsim", ("imgsim",), "decisions"),
        ("imgsim", ("version",), 2),
        ("imgsim", ("way",), "burn"),
        ("imgsim", ("folder",), 5),
        ("intend", ("sha256",), None),
        ("intend", ("size",), "5"),
        ("intend", ("intend",), -1),
        ("undoing", ("part",), None),
        ("done", ("done",), "0"),
        ("done", ("done",), None),
    ],
)
def test_a_broken_line_of_a_journal_is_refused(documents, key, path, value):
    line = next(line for line in documents["journal"] if next(iter(line)) == key)
    with pytest.raises(jsonschema.ValidationError):
        validator(schema("journal")).validate(changed(line, path, value))


@pytest.mark.parametrize("name", NAMES)
def test_what_is_added_later_is_passed_over(documents, name):
    def added(node):
        if isinstance(node, dict):
            return {**{key: added(value) for key, value in node.items()}, "of tomorrow": [1]}
        return [added(value) for value in node] if isinstance(node, list) else node

    for document in documents[name]:
        validator(schema(name)).validate(added(document))


def described(node):
    """All fields that a schema names, with what it says of each."""
    if isinstance(node, dict):
        yield from node.get("properties", {}).items()
        for key, value in node.items():
            if key != "if":
                yield from described(value)
    elif isinstance(node, list):
        for value in node:
            yield from described(value)


@pytest.mark.parametrize("name", NAMES)
def test_every_field_is_described_and_the_format_has_a_number(name):
    found = schema(name)
    assert found["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert found["$id"] == f"urn:imgsim:{name}:1"
    fields = list(described(found))
    assert {"imgsim", "version"} <= {field for field, _ in fields}
    for field, what in fields:
        assert what["description"].endswith("."), field


def test_what_two_documents_share_is_described_alike():
    one, other = schema("duplicates")["$defs"], schema("leaks")["$defs"]
    shared = one.keys() & other.keys()
    assert shared == {"picture", "relation", "evidence", "judged", "skipped"}
    assert {name: one[name] for name in shared} == {name: other[name] for name in shared}


def test_there_is_no_other_schema():
    with pytest.raises(ImgsimError, match=r"schema: the name must be one of duplicates, .* \(got 'groups'\)"):
        schema("groups")
