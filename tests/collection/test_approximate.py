"""The approximate index beside the exact search."""

import json
import os
import warnings

import numpy as np
import pytest

from imgsim_ops.collection import approximate
from imgsim_ops.collection.collection import Collection
from imgsim_ops.collection.search import Query, search
from imgsim_ops.errors import ImgsimError
from imgsim_ops.recipes.recipes import RECIPES
from tests.support.stores import made_raw, made_store

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # what SWIG wrote for FAISS
    pytest.importorskip("faiss", reason="the approximate index needs FAISS: pip install faiss-cpu")

WIDTH = 16


def clustered(count, seed=0):
    """Raw vectors around twenty centres, as pictures of twenty things are."""
    centres = made_raw(20, WIDTH, 99).astype(np.float32)
    generator = np.random.default_rng(seed)
    raw = centres[generator.integers(0, 20, count)] + 0.5 * made_raw(count, WIDTH, seed)
    parts = raw.reshape(count, 3, WIDTH)
    return (parts / np.linalg.norm(parts, axis=2, keepdims=True)).reshape(count, 3 * WIDTH).astype(np.float16)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "c.imgsim"


def found(store, raw, k=5, nearest=None):
    queries = [Query(part[np.newaxis]) for part in raw]
    return search(store, queries, k, nearest=nearest)


@pytest.mark.parametrize("recipe", ["gem", "views"])
def test_nearly_what_the_exact_search_finds(path, recipe):
    raw = clustered(3000)
    with made_store(path, raw, recipe) as store:
        built = approximate.build(store)
        assert built.rows == 3000 * store.views
        assert built.recall >= approximate.GOAL
        assert built.size == built.file.stat().st_size
        asked = clustered(50, seed=1)
        exact = found(store, asked)
        near = found(store, asked, nearest=approximate.opened(store).nearest)
        for ours, theirs in zip(near, exact, strict=True):
            assert len(ours) == 5
            # What is found has the very scores of the exact search.
            scores = {hit.picture.path: hit.score for hit in theirs}
            assert all(scores.get(hit.picture.path, hit.score) == pytest.approx(hit.score, abs=1e-6) for hit in ours)
        same = sum(len(set(ours) & set(theirs)) for ours, theirs in zip(near, exact, strict=True))
        # At least 8 of 3000 / 40 lists of 20 clusters are looked into; 0.97 and more here.
        assert same / 250 > 0.9


def test_each_finds_itself(path):
    raw = clustered(500)
    with made_store(path, raw) as store:
        approximate.build(store)
        hits = found(store, raw[::50], 1, nearest=approximate.opened(store).nearest)
        assert [hit.picture.path for (hit,) in hits] == [f"/p/{row:04}.png" for row in range(0, 500, 50)]


@pytest.mark.parametrize("count", [1, 7, 33, 41])
def test_small_collections(path, count):
    """As many lists as there are enough vectors for: one, which is all."""
    raw = clustered(count)
    with made_store(path, raw) as store:
        built = approximate.build(store)
        assert (built.recall, built.sample) == (1, 2 * count)
        nearest = approximate.opened(store).nearest
        assert found(store, raw, nearest=nearest) == found(store, raw)


def test_more_hits_than_the_lists_hold(path):
    raw = clustered(2000)
    with made_store(path, raw, "gem") as store:
        approximate.build(store)
        nearest = approximate.opened(store).nearest
        assert found(store, raw[:2], 400, nearest=nearest) == found(store, raw[:2], 400)
        assert len(found(store, raw[:1], 2000, nearest=nearest)[0]) == 2000


def test_what_was_added_since_is_found_too(path):
    raw = clustered(600)
    with made_store(path, raw[:500]) as store:
        approximate.build(store)
    with Collection.open(path, write=True) as collection:
        store = collection.store
        with made_store(path.with_name("other.imgsim"), raw[500:]) as other:
            pictures = dict(other.pictures())
        from imgsim_ops.collection.store.record import FileRecord
        from imgsim_ops.embedding.description import Description

        contents = [
            (os.urandom(32), Description(9, 9, "PNG", np.zeros(32, np.uint8), raw[500 + row])) for row in pictures
        ]
        store.commit(contents, [FileRecord(b"/new/%d" % row, 1, 1, True, 500 + row) for row in pictures])
        assert collection.why_not_approximate() is None
        hits = found(store, raw[500:], 1, nearest=approximate.opened(store).nearest)
        assert [hit.picture.path for (hit,) in hits] == [f"/new/{row}" for row in range(100)]


def test_an_index_of_other_vectors_is_not_used(path):
    with made_store(path, clustered(100)) as store:
        assert approximate.why_not(store) == ("approximate: the index has not been built; imgsim approximate builds it")
        first = approximate.build(store).file
        assert approximate.why_not(store) is None
        store.change_recipe(RECIPES["gem"])
        expected = "approximate: the index is out of date: the vectors have changed; imgsim approximate builds it"
        assert approximate.why_not(store) == expected
        with pytest.raises(ImgsimError) as caught:
            approximate.opened(store)
        assert str(caught.value) == expected
        assert first.exists()
        second = approximate.build(store).file
        assert not first.exists()  # it is of no use any more
        assert second.exists()
        assert approximate.why_not(store) is None


def test_a_damaged_index(path):
    with made_store(path, clustered(100)) as store:
        file = approximate.build(store).file
        os.truncate(file, 10)
        with pytest.raises(ImgsimError, match="must be sound; imgsim approximate builds it anew"):
            approximate.opened(store)
        with made_store(path.with_name("other.imgsim"), clustered(50)) as other:
            os.replace(approximate.build(other).file, file)
        with pytest.raises(ImgsimError, match="must be of these vectors; imgsim approximate builds it anew"):
            approximate.opened(store)
        assert list(store.problems()) == []


def test_an_empty_collection(path):
    with made_store(path, clustered(0)) as store, pytest.raises(ImgsimError, match=r"must have pictures \(got none\)"):
        approximate.build(store)


def test_what_is_not_a_number_finds_nothing(path):
    raw = clustered(100)
    with made_store(path, raw) as store:
        approximate.build(store)
        query = np.full_like(raw[:1], np.nan)
        assert found(store, query, nearest=approximate.opened(store).nearest) == [[]]


def test_without_faiss(path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "faiss", None)
    with (
        made_store(path, clustered(10)) as store,
        pytest.raises(ImgsimError, match=r"FAISS is needed \(got none\); pip install faiss-cpu"),
    ):
        approximate.build(store)


# The commands


def run(*arguments):
    from typer.testing import CliRunner

    from imgsim_ops.cli.app import app

    return CliRunner().invoke(app, [str(argument) for argument in arguments], prog_name="imgsim")


def test_commands(path, tmp_path):
    raw = clustered(400)
    made_store(path, raw).close()
    query = tmp_path / "query.png"
    query.write_bytes(b"7")  # what the seventh content is said to consist of
    result = run("search", query, "-c", path, "--approximate", "--json")
    assert result.exit_code == 0, result.output
    assert result.stderr == (
        "approximate: the index has not been built; imgsim approximate builds it. Searching exactly\n"
    )
    exact = json.loads(result.stdout)["queries"]
    result = run("approximate", path)
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("Recall@10 ")
    assert " against the exact search, on 256 of the collection's own vectors; " in result.stdout
    result = run("search", query, "-c", path, "--approximate", "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    near = json.loads(result.stdout)["queries"]
    assert near[0]["hits"][0] == exact[0]["hits"][0]
    document = json.loads(run("approximate", path, "--json").stdout)
    assert document["rows"] == 800
    assert 0.99 <= document["recall"] <= 1
    assert document["recall_at"] == 10
