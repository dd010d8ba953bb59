"""Search against brute force in NumPy over all crops and orientations."""

import os
import shutil
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from imgsim_ops.collection.collection import Collection
from imgsim_ops.collection.search import Query, SearchOptions, search
from imgsim_ops.embedding.embedder import Embedder
from imgsim_ops.errors import ImageError, ImgsimError
from imgsim_ops.images.orientation import orientations_asked, turned
from tests.support.stores import made_raw, made_store
from tests.support.stub_engine import Blocks, StubEngine

WIDTH = 8


def cosines(a, b):
    a, b = a.astype(np.float64), b.astype(np.float64)
    return (a * b).sum(-1) / np.linalg.norm(a, axis=-1) / np.linalg.norm(b, axis=-1)


OTHERS = SearchOptions(exclude_self=True)


@dataclass(frozen=True)
class Turns(SearchOptions):
    """Options with any orientations."""

    turns: tuple[int, ...] = (1,)

    @property
    def orientations(self):
        return self.turns


def brute_force(store, query, k, threshold, orientations):
    """(path, orientation) of each hit, with its score, by all products."""
    pictures = {}
    for row, picture in store.pictures():
        pictures.setdefault(row, []).append(picture.path)
    gallery = np.array(store.vectors()).reshape(store.rows, store.crops, store.width)
    asked = store.recipe.vectors(query.raw, store.whitening).reshape(len(orientations), store.crops, -1)
    found = []
    for row in sorted(pictures):
        scores = cosines(asked[:, :, np.newaxis], gallery[row]).max((1, 2))
        best = int(scores.argmax())
        for path in pictures[row]:
            if row != query.row and path != query.path and (threshold is None or scores[best] >= threshold):
                found.append((float(scores[best]), row, path, orientations[best]))
    found.sort(key=lambda hit: (-hit[0], hit[1], hit[2]))
    return found[:k]


def check(store, queries, k, threshold=None, orientations=(1,)):
    found = search(store, queries, k, Turns(threshold, turns=orientations))
    assert len(found) == len(queries)
    for hits, query in zip(found, queries, strict=True):
        expected = brute_force(store, query, k, threshold, orientations)
        assert [(hit.picture.path, hit.orientation) for hit in hits] == [(path, turn) for _, _, path, turn in expected]
        # Scores come as float32 from the one and as float64 from the other.
        np.testing.assert_allclose([hit.score for hit in hits], [score for score, *_ in expected], atol=1e-6)
    return found


@settings(max_examples=60, deadline=None)
@given(
    count=st.sampled_from([0, 1, 7, 17, 33]),
    recipe=st.sampled_from(["mean", "crops"]),
    orientations=st.sampled_from([(1,), (1, 2), tuple(range(1, 9))]),
    limits=st.tuples(st.sampled_from([1, 2, 5, 40]), st.sampled_from([None, -1.0, 0.3])),
    gone=st.sampled_from([0.0, 0.3, 0.95, 1.0]),
    exclude=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_like_brute_force(tmp_path_factory, count, recipe, orientations, limits, gone, exclude, seed):
    generator = np.random.default_rng(seed)
    raw = made_raw(count, WIDTH, seed)
    files = [
        (f"/p/{row:04}-{copy}.png", row)
        for row in range(count)
        if generator.random() >= gone
        for copy in range(generator.choice([1, 1, 1, 3]))
    ]
    rows = generator.integers(0, max(count, 1), 3)
    asked = made_raw(3 * len(orientations), WIDTH, seed + 1).reshape(3, len(orientations), -1)
    if count:
        asked[0, 0] = raw[rows[0]]
    queries = [
        Query(part, int(row) if exclude else None, f"/p/{row:04}-0.png" if exclude else None)
        for part, row in zip(asked, rows, strict=True)
    ]
    with made_store(tmp_path_factory.mktemp("store") / "c.imgsim", raw, recipe, files) as store:
        check(store, queries, *limits, orientations)


def test_ties_go_to_the_lower_row_and_then_by_path(tmp_path):
    raw = np.repeat(made_raw(2, WIDTH), 4, axis=0)  # rows 0 to 3 are alike, and 4 to 7
    files = [("/z", 0), ("/y", 2), ("/x", 2), ("/w", 3), ("/v", 5)]
    with made_store(tmp_path / "c.imgsim", raw, "gem", files) as store:
        (hits,) = check(store, [Query(raw[:1])], 4)
        assert [hit.picture.path for hit in hits] == ["/z", "/x", "/y", "/w"]


def test_files_that_are_gone_do_not_take_the_places_of_others(tmp_path):
    raw = made_raw(33, WIDTH)
    raw[:30] = raw[0]
    with made_store(tmp_path / "c.imgsim", raw, "crops", [("/a", 31), ("/b", 32)]) as store:
        (hits,) = check(store, [Query(raw[:1])], 2)
        assert len(hits) == 2


def test_the_best_view_of_the_best_orientation_counts(tmp_path):
    raw = made_raw(4, WIDTH)
    other = made_raw(2, WIDTH, seed=1)
    other[1, WIDTH : 2 * WIDTH] = raw[2, 2 * WIDTH :]  # its centre, turned, is the whole of another picture
    with made_store(tmp_path / "c.imgsim", raw) as store:
        (hits,) = check(store, [Query(other)], 1, orientations=(1, 6))
    assert (hits[0].picture.path, hits[0].orientation) == ("/p/0002.png", 6)
    assert hits[0].score == pytest.approx(1, abs=1e-3)  # float16


def test_what_is_not_a_number_is_no_hit(tmp_path):
    raw = made_raw(4, WIDTH)
    raw[1] = np.nan
    with made_store(tmp_path / "c.imgsim", raw, "gem") as store:
        (hits,) = search(store, [Query(raw[:1])], 4)
    assert "/p/0001.png" not in [hit.picture.path for hit in hits]
    assert len(hits) == 3


def test_many_queries_and_many_hits_in_blocks(tmp_path, monkeypatch):
    monkeypatch.setattr("imgsim_ops.collection.search._MOST_HELD", 7)
    raw = made_raw(33, WIDTH)
    with made_store(tmp_path / "c.imgsim", raw) as store:
        check(store, [Query(raw[row : row + 1]) for row in range(33)], 5)


def test_orientations():
    assert orientations_asked(False, False) == (1,)
    assert orientations_asked(True, False) == (1, 2)
    assert orientations_asked(False, True) == (1, 3, 6, 8)
    assert orientations_asked(True, True) == (1, 2, 3, 4, 5, 6, 7, 8)


# Of files


@pytest.fixture
def engine():
    return Blocks()


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    generator = np.random.default_rng(0)
    for name in "abcd":
        small = generator.integers(0, 256, (4, 5, 3), np.uint8)
        Image.fromarray(small).resize((100, 80), Image.Resampling.NEAREST).save(folder / f"{name}.png")
    shutil.copy(folder / "a.png", folder / "twin.png")
    return folder


@pytest.fixture
def collection(engine, photos, tmp_path):
    with Collection.create(tmp_path / "c.imgsim", recipe="crops", embedder=Embedder(engine=engine)) as collection:
        collection.add([photos])
        yield collection


def names(hits):
    return [os.path.basename(hit.picture.path) for hit in hits]


def test_a_file_finds_itself_and_its_twin(collection, photos):
    hits = collection.search(photos / "a.png", k=3)
    assert names(hits)[:2] == ["a.png", "twin.png"]
    assert hits[0].score == pytest.approx(1, abs=1e-3)  # float16
    assert hits[0].score >= hits[2].score
    assert names(collection.search(photos / "a.png", k=100))[:2] == ["a.png", "twin.png"]
    assert len(collection.search(photos / "a.png", k=100)) == 5


def test_exclude_self(collection, photos, tmp_path):
    assert sorted(names(collection.search(photos / "a.png", options=OTHERS))) == [
        "b.png",
        "c.png",
        "d.png",
    ]
    outside = shutil.copy(photos / "a.png", tmp_path / "outside.png")
    assert sorted(names(collection.search(outside, options=OTHERS))) == [
        "b.png",
        "c.png",
        "d.png",
    ]
    # A file that has changed since is still the same file.
    shutil.copy(photos / "b.png", photos / "a.png")
    assert sorted(names(collection.search(photos / "a.png", options=OTHERS))) == [
        "c.png",
        "d.png",
        "twin.png",
    ]


def test_what_is_known_is_not_embedded_again(collection, photos, engine):
    engine.batches.clear()
    found = list(collection.search_many(sorted(photos.iterdir()), k=1))
    assert [os.path.basename(path) for path, _ in found] == ["a.png", "b.png", "c.png", "d.png", "twin.png"]
    assert [names(hits) for _, hits in found] == [["a.png"], ["b.png"], ["c.png"], ["d.png"], ["a.png"]]
    assert engine.batches == []


def test_known_and_unknown_queries_in_order(collection, photos, tmp_path):
    new = tmp_path / "new.jpg"
    Image.open(photos / "c.png").save(new, quality=95)
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"no picture")
    asked = [photos / "a.png", new, photos / "b.png", bad, tmp_path / "none.png", new, photos / "d.png"]
    found = list(collection.search_many(asked, k=1))
    assert [path for path, _ in found] == list(map(os.fspath, asked))
    assert [answer.code for _, answer in found if not isinstance(answer, list)] == ["not_a_picture", "missing"]
    assert [names(hits) for _, hits in found if isinstance(hits, list)] == [
        ["a.png"],
        ["c.png"],
        ["b.png"],
        ["c.png"],
        ["d.png"],
    ]


def test_known_and_embedded_answers_are_equal(collection, photos, tmp_path):
    """A file with the same pixels, but other bytes."""
    same = tmp_path / "same.bmp"
    Image.open(photos / "c.png").save(same)
    assert collection.search(same, k=5) == collection.search(photos / "c.png", k=5)


def test_few_and_many_new_queries_get_the_same_answers(collection, photos, tmp_path):
    """Fewer than eight are read in this process, more by others."""
    queries = []
    for number in range(9):
        queries.append(tmp_path / f"{number}.jpg")
        picture = Image.open(photos / f"{'abcd'[number % 4]}.png")
        picture.rotate(90 * (number // 4), expand=True).save(queries[-1], quality=95)
    queries.append(tmp_path / "none.jpg")
    many = list(collection.search_many(queries, 3, SearchOptions(rotations=True)))
    assert [path for path, _ in many] == list(map(str, queries))
    for query, (_, hits) in zip(queries[:-1], many, strict=False):
        assert hits == collection.search(query, 3, SearchOptions(rotations=True))
    (few,) = collection.search_many(queries[-1:], options=SearchOptions(rotations=True))
    assert few == many[-1]
    assert few[1].code == "missing"


@pytest.mark.parametrize("orientation", range(1, 9))
def test_all_eight_orientations_are_found(collection, photos, tmp_path, orientation):
    pixels = np.asarray(Image.open(photos / "b.png"))
    # Turned the other way: the two that are not their own inverse are each other's.
    back = {6: 8, 8: 6}.get(orientation, orientation)
    query = tmp_path / "turned.png"
    Image.fromarray(turned(pixels, back)).save(query)
    hit = collection.search(query, 1, SearchOptions(flips=True, rotations=True))[0]
    assert (os.path.basename(hit.picture.path), hit.orientation) == ("b.png", orientation)
    # The stub sees means and corners: resizing a turned picture may round a level the other way.
    assert hit.score == pytest.approx(1, abs=1e-3)


def test_a_query_that_is_no_picture(collection, tmp_path):
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"no picture")
    with pytest.raises(ImageError) as caught:
        collection.search(bad)
    assert caught.value.code == "not_a_picture"


def test_an_empty_collection_has_no_hits(engine, photos, tmp_path):
    with Collection.create(tmp_path / "e.imgsim", embedder=Embedder(engine=engine)) as empty:
        assert empty.search(photos / "a.png") == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"k": 0}, "search: k must be at least 1 (got 0)"),
        ({"threshold": 1.5}, "search: threshold must be a number from -1 to 1 (got 1.5)"),
        ({"threshold": float("nan")}, "search: threshold must be a number from -1 to 1 (got nan)"),
    ],
)
def test_mistakes(collection, photos, options, message):
    with pytest.raises(ImgsimError) as caught:
        collection.search(photos / "a.png", options.pop("k", 10), SearchOptions(**options))
    assert str(caught.value) == message


def test_queries_are_a_list(collection):
    with pytest.raises(ImgsimError, match="queries must be a list of paths"):
        collection.search_many("a.png")


def test_another_fingerprint(collection, photos, tmp_path):
    class Other(Blocks):
        fingerprint = StubEngine.fingerprint.parse("stub-111111111111-fp32-p1")

    with Collection.open(collection.path, embedder=Embedder(engine=Other())) as other:
        query = tmp_path / "q.jpg"
        Image.open(photos / "c.png").save(query)
        with pytest.raises(ImgsimError, match="vectors must be made by stub-000000000000"):
            other.search(query)


def test_a_reader_keeps_its_vectors_while_a_writer_changes_them(collection, photos):
    with Collection.open(collection.path) as reader:
        before = reader.search(photos / "a.png", k=5)
        collection.change_recipe("mean")
        assert reader.search(photos / "a.png", k=5) == before


# Descriptions of turned pictures


def test_descriptions_of_turned_pictures(engine, photos):
    """A picture turned by the reader is described as a file of the turned picture is."""
    embedder = Embedder(engine=engine)
    pixels = np.asarray(Image.open(photos / "d.png"))
    ((_, descriptions),) = embedder.describe_turned([photos / "d.png"], range(1, 9))
    assert len(descriptions) == 8
    ((_, upright),) = embedder.describe([photos / "d.png"])
    np.testing.assert_array_equal(descriptions[0].raw, upright.raw)
    np.testing.assert_array_equal(descriptions[0].perceptual, upright.perceptual)
    for orientation, description in enumerate(descriptions, 1):
        file = photos / "turned.png"
        Image.fromarray(turned(pixels, orientation)).save(file)
        ((_, expected),) = embedder.describe([file])
        assert (description.width, description.height) == (expected.width, expected.height)
        different = np.bitwise_count if hasattr(np, "bitwise_count") else None
        if different is not None:
            # Resizing rounds rows and columns in another order: frequencies at the median may change sides.
            assert different(description.perceptual ^ expected.perceptual).sum() <= 6
        np.testing.assert_allclose(description.raw, expected.raw, atol=5e-3)  # a level of 256 at the edges


@pytest.mark.parametrize("orientations", [(), (0,), (1, 9)])
def test_no_such_orientation(engine, orientations):
    with pytest.raises(ImgsimError, match="orientations must be numbers from 1 to 8"):
        Embedder(engine=engine).describe_turned([], orientations)
