import csv
import io
import json
import math
import os
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from imgsim_ops.errors import ImgsimError
from imgsim_ops.evaluation.result_files import SENTENCES, find_results, read_results, write_results
from imgsim_ops.evaluation.results import (
    Column,
    Plot,
    Results,
    Table,
    is_number,
    table_markdown,
)
from imgsim_ops.files.names import printable
from tests.support.results_made import COLUMNS, ROWS, SVG, made_results

# Letters that mean something to Markdown, HTML, CSV or terminals, and bytes that are no UTF-8.
NAMES = st.text(
    st.sampled_from("|\\`*_[]<>&~#$!()-+. a1é漢\n\r\t\"',;=\u2028\udcff") | st.characters(exclude_categories=["Cs"]),
    max_size=20,
)
CELLS = st.none() | NAMES | st.integers() | st.floats(allow_nan=False, allow_infinity=False)


@pytest.mark.parametrize(
    ("cell", "digits", "shown"),
    [
        (None, 2, ""),
        ("no weights", 2, "no weights"),
        (9.4375, 2, "9.44"),
        (1234567.5, 1, "1,234,567.5"),
        (-0.001, 2, "0.00"),  # not -0.00
        (0.1, None, "0.1"),
        (25088, None, "25,088"),
        (25088, 2, "25,088"),  # a count has no decimals
        (math.nan, 2, "nan"),
        (math.inf, 2, "inf"),
    ],
)
def test_a_cell_for_people(cell, digits, shown):
    assert Column("x", "x", digits).shown(cell) == shown


def test_what_a_number_is():
    assert all(map(is_number, (0, -1.5, 10**400)))
    assert not any(map(is_number, (None, "1", True, math.nan, math.inf, -math.inf)))


# --- files -----------------------------------------------------------------------------------------------------------


def test_files_and_back(tmp_path):
    results = made_results(tables=2)
    files = write_results(results, tmp_path / "new" / "folder")
    assert [file.name for file in files] == ["zoo.json", "zoo.md", "zoo.csv", "zoo-time.svg"]
    assert read_results(files[0]) == results
    assert files[1].read_text("utf-8") == results.as_markdown()
    assert files[2].read_bytes() == results.as_csv().encode()
    assert files[3].read_text() == SVG
    assert sorted(os.listdir(files[0].parent)) == sorted(file.name for file in files)


@given(st.lists(st.dictionaries(st.sampled_from(["a", "b"]), CELLS), max_size=3), NAMES, NAMES)
def test_json_keeps_everything(rows, title, name):
    table = Table(title, [Column("a", name, 2), Column("b", title)], rows)
    results = Results("zoo", title, {name: title}, [table], [Plot("p", title, name)])
    text = json.dumps(results.as_json(), allow_nan=False)
    again = Results.from_json(json.loads(text))
    assert again == results


def test_what_is_no_number_becomes_text(tmp_path):
    rows = [{"model": "m", "embed_ms": value} for value in (math.nan, math.inf, -math.inf, 1.5)]
    json_file, markdown, *_ = write_results(made_results(rows=rows), tmp_path)
    (table,) = read_results(json_file).tables
    assert [row["embed_ms"] for row in table.rows] == ["nan", "inf", "-inf", 1.5]
    assert "| m |  | nan |" in markdown.read_text()


def test_csv_holds_all_tables_and_is_not_rounded(tmp_path):
    first = Table("one | two", COLUMNS, ROWS)
    other = Table("", [Column("model", "name"), Column("auc", "AUC", 1)], [{"model": 'a "b",\nc', "auc": 1 / 3}])
    *_, path = write_results(Results("zoo", "Models", {}, [first, other]), tmp_path)
    keys, *lines = csv.reader(io.StringIO(path.read_bytes().decode(), newline=""))
    assert keys == ["table", "model", "dimension", "embed_ms", "positive", "note", "auc"]
    assert lines[0] == ["one | two", "resnet18", "512", "9.4375", "98.26", "", ""]
    assert lines[3] == ["one | two", "swin_t", "768", "", "", "no memory", ""]
    assert lines[4] == ["", 'a "b",\nc', "", "", "", "", repr(1 / 3)]


def test_names_that_are_not_utf8(tmp_path):
    rows = [{"model": os.fsdecode(b"caf\xe9.png"), "dimension": 1}]
    json_file, markdown, table, _ = write_results(made_results(rows=rows), tmp_path)
    assert b"caf\xe9.png" in table.read_bytes()
    assert "caf\\\\xe9.png" in markdown.read_text("utf-8")
    assert read_results(json_file).tables[0].rows == rows


# --- Markdown ---------------------------------------------------------------------------------------------------------


def rendered(markdown):
    """The texts of headings, list entries, pictures and cells, which must hold nothing but text."""
    texts = {}
    tags = []
    for token in MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(markdown):
        if token.nesting:
            tags.append(token.tag) if token.nesting == 1 else tags.pop()
        elif token.type == "inline":
            texts.setdefault(tags[-1], []).append("".join(map(_said, token.children)))
        else:
            raise AssertionError(token)
    return texts


def _said(token):
    if token.type == "image":
        return "".join(map(_said, token.children))
    assert token.type in ("text", "text_special"), token
    return token.content


@given(NAMES, NAMES)
def test_cells_mean_themselves_in_markdown(name, title):
    table = Table("", [Column("a", title), Column("b", "b")], [{"a": name, "b": "end"}, {"a": "end", "b": name}])
    found = rendered(table_markdown(table))
    plain = printable(name).strip()  # spaces at the ends are Markdown's
    assert found["th"] == [printable(title).strip(), "b"]
    assert found["td"] == [plain, "end", "end", plain]


def test_markdown_of_all():
    nasty = "<b>|`*x*`\n[a](b) # \\| __c__ ~~d~~ &lt; $e$"
    shown = printable(nasty)
    rows = [{"model": nasty, "embed_ms": 1.5}]
    results = Results("zoo", nasty, {nasty: nasty}, [Table(nasty, COLUMNS, rows)], [Plot("p", nasty, SVG)])
    found = rendered(results.as_markdown())
    assert found["h1"] == found["h2"] == [shown]
    assert found["td"] == [shown, "", "1.50", "", ""]
    assert found["p"] == [shown, f"{shown}: {shown}"]  # the picture's words, and the fact
    assert "](zoo-p.svg)" in results.as_markdown()


def test_names_of_models_stay_readable_in_markdown():
    text = table_markdown(Table("", COLUMNS, [{"model": "shufflenet_v2_x2_0", "dimension": 100352}]))
    assert text.splitlines() == [
        "| model | dimension | embed, ms | positive, % | note |",
        "| --- | ---: | --- | --- | --- |",
        "| shufflenet_v2_x2_0 | 100,352 |  |  |  |",
    ]


def test_markdown_of_little():
    assert Results("zoo", "Models", {}, []).as_markdown() == "# Models\n"


# --- errors -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["", "../zoo", "a/b", "a b", "a.b", "zoö", "a\n"])
def test_kinds_and_plots_have_names_for_files(name):
    message = re.escape(f"results: kinds and plots must have names for files (got {printable(name)})")
    with pytest.raises(ImgsimError, match=message):
        made_results(kind=name)
    with pytest.raises(ImgsimError, match=message):
        Results("zoo", "", {}, [], [Plot(name, "", SVG)])


def test_plots_have_different_names():
    with pytest.raises(ImgsimError, match=r"results: plots must have different names \(got a, a\)"):
        Results("zoo", "", {}, [], [Plot("a", "", SVG), Plot("a", "", SVG)])


@pytest.mark.parametrize(
    "content", [b"", b"no JSON", b"\xff", b"[]", b"{}", b"[" * 100_000, b'{"imgsim": "decisions"}']
)
def test_other_files_are_refused(tmp_path, content):
    (tmp_path / "x.json").write_bytes(content)
    with pytest.raises(ImgsimError, match=r"results: must be what imgsim zoo or methods wrote \(got .*x\.json\)"):
        read_results(tmp_path / "x.json")


def test_another_version_is_refused():
    with pytest.raises(ImgsimError, match=r"wrote, in version 1 \(got another in a document\)"):
        Results.from_json({**made_results().as_json(), "imgsim_results": 2})


@pytest.mark.parametrize(
    "damage",
    [
        lambda document: document.pop("title"),
        lambda document: document.update(title=None),
        lambda document: document.update(kind=7),
        lambda document: document.update(facts=[]),
        lambda document: document.update(facts={"a": 1}),
        lambda document: document.update(tables={}),
        lambda document: document.update(tables=["t"]),
        lambda document: document["tables"][0].pop("rows"),
        lambda document: document["tables"][0].update(title=1),
        lambda document: document["tables"][0].update(rows=[[1]]),
        lambda document: document["tables"][0]["rows"][0].update(model=["resnet18"]),
        lambda document: document["tables"][0]["columns"][0].update(digits="2"),
        lambda document: document["tables"][0]["columns"][0].update(digits=10**6),
        lambda document: document["tables"][0]["columns"][0].update(width=2),
        lambda document: document["tables"][0]["columns"][0].pop("title"),
        lambda document: document.update(plots="svg"),
        lambda document: document["plots"][0].update(svg=None),
        lambda document: document["plots"][0].pop("name"),
    ],
)
def test_damaged_results_are_refused(damage):
    document = json.loads(json.dumps(made_results().as_json()))
    damage(document)
    with pytest.raises(ImgsimError, match=r"results: must be what imgsim zoo or methods wrote, whole \(got there\)"):
        Results.from_json(document, "there")


def test_a_missing_file(tmp_path):
    with pytest.raises(ImgsimError, match=r"results: must be readable \(got .*no\.json: No such file or directory\)"):
        read_results(tmp_path / "no.json")


# --- folders ----------------------------------------------------------------------------------------------------------


def test_folders_are_searched(tmp_path):
    for folder, kind in (("", "zoo"), ("runs/a", "training"), ("runs/b", "training"), ("other", "methods")):
        write_results(made_results(kind=kind), tmp_path / folder)
    (tmp_path / "settings.json").write_text('{"imgsim": 1}')
    (tmp_path / "no.json").write_text("no JSON")
    (tmp_path / "folder.json").mkdir()
    (tmp_path / "gone.json").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "pipe.json")
    named = [tmp_path / "other" / "methods.json", tmp_path, tmp_path / "runs" / ".." / "zoo.json"]
    found, skipped = find_results(named)
    names = ["other/methods.json", "zoo.json", "runs/a/training.json", "runs/b/training.json"]
    assert [str(path.relative_to(tmp_path)) for path in found] == names
    assert [results.kind for results in found.values()] == ["methods", "zoo", "training", "training"]
    assert skipped == []


def test_damaged_files_in_folders_are_skipped(tmp_path):
    path, *_ = write_results(made_results(), tmp_path)
    (tmp_path / "half.json").write_bytes(path.read_bytes()[:-100])
    found, (skipped,) = find_results([tmp_path])
    assert list(found) == [path]
    assert (skipped.path, skipped.code) == (str(tmp_path / "half.json"), "no_results")
    assert skipped.code in SENTENCES
    with pytest.raises(ImgsimError, match="half"):
        find_results([tmp_path, tmp_path / "half.json"])


def test_unreadable_files_in_folders_are_skipped(tmp_path, monkeypatch):
    path, *_ = write_results(made_results(), tmp_path)
    monkeypatch.setattr("pathlib.Path.read_bytes", _refuse)  # root, who may run the tests, can read everything
    found, (skipped,) = find_results([tmp_path])
    assert found == {}
    assert (skipped.path, skipped.code) == (str(path), "unreadable")


def _refuse(path):
    raise PermissionError(13, "Permission denied", str(path))
