"""Groups: of graphs alone, and of real photographs with copies made of them."""

import os
import shutil
import sqlite3

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from imgsim_ops.collection.candidates import features as features_module
from imgsim_ops.collection.collection import Collection
from imgsim_ops.collection.duplicates import _seen_from, _stars, best_copy
from imgsim_ops.collection.findings import Evidence, Picture
from imgsim_ops.embedding.embedder import Embedder
from imgsim_ops.errors import ImgsimError
from imgsim_ops.images.options import ReadOptions
from imgsim_ops.matching.options import MatchOptions
from tests.support.photographs import mirrored, names, piece, write_copy, write_photographs
from tests.support.stub_engine import Blocks

# --- the best copy ---------------------------------------------------------------------------------------------------


def file(name="a", width=10, height=10, kind="JPEG", size=100, modified=5):
    return Picture(f"/{name}", size, modified, bytes(32), width, height, kind)


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        (file(width=20, kind="JPEG", size=1), file(kind="PNG", size=999)),
        (file(kind="PNG", size=50), file(kind="JPEG", size=100)),
        (file(kind="TIFF", size=50), file(kind="WEBP", size=100)),
        (file(size=101, modified=9), file(size=100, modified=1)),
        (file(modified=4), file(modified=5)),
        (file("a"), file("b")),
    ],
)
def test_best_copy(better, worse):
    assert best_copy([worse, better]) == 1
    assert best_copy([better, worse]) == 0


# --- stars -----------------------------------------------------------------------------------------------------------

EDGES = st.sets(st.tuples(st.integers(0, 12), st.integers(0, 12)).filter(lambda pair: pair[0] < pair[1]), max_size=40)


def made_edges(pairs):
    return {pair: Evidence("vector", 1 - (pair[0] + 13 * pair[1]) / 1000) for pair in pairs}


@settings(max_examples=200, deadline=None)
@given(EDGES, st.sets(st.integers(0, 12), max_size=3), EDGES)
def test_every_member_is_a_copy_of_the_representative(pairs, alone, hidden):
    """`hidden` are pairs that have no edge but are found to be copies when they are asked for."""
    edges = made_edges(pairs)

    def confirm(center, others):
        for other in others:
            if (min(center, other), max(center, other)) in hidden:
                yield other, Evidence("local", 0.1)

    seen = []
    for rows, evidence in _stars(edges, alone, lambda row: (row,), confirm):
        center = rows[0]
        assert evidence[0] is None
        assert len(rows) > 1 or center in alone
        for row, why in zip(rows[1:], evidence[1:], strict=True):
            pair = min(row, center), max(row, center)
            assert pair in pairs if why.stage == "vector" else pair in hidden - pairs
        seen += rows
    assert len(seen) == len(set(seen))
    assert alone <= set(seen)
    left = set(range(13)) - set(seen)
    # Who is in no group is no copy of another one in none.
    assert not any(i in left and j in left for i, j in pairs)


def test_a_chain_is_no_group():
    groups = list(_stars(made_edges([(0, 1), (1, 2), (2, 3), (3, 4)]), set(), lambda row: (row,), lambda *asked: ()))
    assert [rows for rows, _ in groups] == [[1, 0, 2], [3, 4]]


def test_the_one_with_most_copies_is_the_representative_then_the_best():
    star = made_edges([(0, 3), (1, 3), (2, 3)])
    assert [rows[0] for rows, _ in _stars(star, set(), lambda row: (row,), lambda *asked: ())] == [3]
    pair = made_edges([(0, 1)])
    assert [rows for rows, _ in _stars(pair, set(), lambda row: (-row,), lambda *asked: ())] == [[1, 0]]


def test_a_transform_leads_from_the_member_to_the_representative():
    shift = Evidence("local", 0.5, inliers=9, transform=(1.0, 0.0, 7.0, 0.0, 1.0, 0.0))
    assert _seen_from(1, 0, {(0, 1): shift}).transform[2] == 7
    assert _seen_from(0, 1, {(0, 1): shift}).transform[2] == -7


# --- pictures --------------------------------------------------------------------------------------------------------


def quarter(image):
    return image.transpose(Image.Transpose.ROTATE_90)


@pytest.fixture
def embedder():
    return Embedder(engine=Blocks(), read=ReadOptions(2))


@pytest.fixture
def photos(tmp_path):
    return write_photographs(tmp_path / "photos")


@pytest.fixture
def collection(tmp_path, embedder):
    with Collection.create(tmp_path / "c.imgsim", recipe="gem", embedder=embedder) as collection:
        yield collection


def found(collection, **options):
    """The names of each group's files, and the stages."""
    # The engine that stands in is no network: unlike photographs score up to 0.9.
    with collection.duplicates(MatchOptions(**{"threshold": 0.99, **options})) as answers:
        groups = list(answers)
    for group in groups:
        assert group.members[0].evidence is None
        assert all(member.evidence is not None for member in group.members[1:])
        assert best_copy([member.picture for member in group.members]) == group.best
    return {
        names(member.picture for member in group.members)[0]: {
            os.path.basename(member.picture.path): member.evidence.stage for member in group.members[1:]
        }
        for group in groups
    }


def test_unlike_photographs_have_no_copies(collection, photos):
    collection.add([photos])
    assert found(collection, flips=True, rotations=True) == {}


@pytest.mark.parametrize("count", [0, 1, 2])
def test_hardly_any_pictures(collection, photos, count):
    for path in sorted(photos.iterdir())[count:]:
        path.unlink()
    collection.add([photos])
    assert found(collection) == {}


def test_each_stage(collection, photos):
    shutil.copy(photos / "coffee.png", photos / "z-coffee.png")
    write_copy(photos, "chelsea", "recompressed", ".jpg")
    write_copy(photos, "rocket", "shrunk")
    write_copy(photos, "motorcycle_left", piece)
    collection.add([photos])
    assert found(collection) == {
        "coffee.png": {"z-coffee.png": "content"},
        "chelsea.png": {"chelsea-recompressed.jpg": "perceptual"},
        "rocket.png": {"rocket-shrunk.png": "perceptual"},
        "motorcycle_left.png": {"motorcycle_left-piece.png": "local"},
    }
    # Without a second look the piece is not found.
    assert "motorcycle_left.png" not in found(collection, verify=False)
    assert found(collection, verify=False, threshold=-1) != {}


def test_where_a_piece_lies(collection, photos):
    write_copy(photos, "motorcycle_left", piece)
    collection.add([photos])
    with collection.duplicates(MatchOptions(0.99)) as answers:
        (group,) = answers
    member = group.members[1]
    assert (member.picture.width, group.members[0].picture.width) == (350, 400)
    assert member.evidence.inliers > 20
    # Within a pixel: the piece was cut out at a whole one.
    np.testing.assert_allclose(
        member.evidence.transform, (1, 0, 50, 0, 1, group.members[0].picture.height // 8), atol=0.02, rtol=0.01
    )
    assert member.evidence.orientation == 1


def test_mirrored_and_turned_copies_are_found_when_asked_for(collection, photos):
    write_copy(photos, "chelsea", mirrored, ".jpg")
    write_copy(photos, "coffee", quarter, ".jpg")
    collection.add([photos])
    assert "chelsea.png" not in found(collection)
    assert list(found(collection, flips=True)["chelsea.png"]) == ["chelsea-mirrored.jpg"]
    assert list(found(collection, rotations=True)["coffee.png"]) == ["coffee-quarter.jpg"]
    both = found(collection, flips=True, rotations=True)
    assert set(both) == {"chelsea.png", "coffee.png"}
    with collection.duplicates(MatchOptions(0.99, flips=True, rotations=True)) as answers:
        turns = {os.path.basename(group.members[1].picture.path): group.members[1].evidence for group in answers}
    assert turns["chelsea-mirrored.jpg"].orientation == 2
    assert turns["coffee-quarter.jpg"].orientation == 6  # clockwise, as the copy was turned the other way


def test_files_that_are_gone_are_in_no_group(collection, photos):
    copy = write_copy(photos, "chelsea", "recompressed", ".jpg")
    twin = shutil.copy(photos / "coffee.png", photos / "z-coffee.png")
    collection.add([photos])
    assert len(found(collection)) == 2
    copy.unlink()
    twin.unlink()
    collection.add([photos])
    assert found(collection) == {}


def test_all_files_of_equal_bytes_are_members(collection, photos):
    write_copy(photos, "chelsea", "recompressed", ".jpg")
    for name in "xy":
        shutil.copy(photos / "chelsea.png", photos / f"{name}.png")
        shutil.copy(photos / "chelsea-recompressed.jpg", photos / f"{name}.jpg")
    collection.add([photos])
    ((first, members),) = found(collection).items()
    assert len(members) == 5
    assert sorted(members.values()) == ["content", "content", "perceptual", "perceptual", "perceptual"]
    assert first == "chelsea.png"


def test_descriptions_are_kept_and_only_made_for_candidates(collection, photos, monkeypatch):
    write_copy(photos, "motorcycle_left", piece)
    collection.add([photos])
    found(collection, verify=False)
    assert not (collection.path / "features.sqlite").exists()
    first = found(collection)
    with sqlite3.connect(collection.path / "features.sqlite") as database:
        (count,) = database.execute("SELECT count(*) FROM features").fetchone()
    assert 2 <= count <= 6

    class NoReaders:
        def __init__(self, *arguments):
            raise AssertionError("a picture is read again")

    monkeypatch.setattr(features_module, "IsolatedReaders", NoReaders)
    assert found(collection) == first


def test_a_picture_that_has_changed_since_is_not_looked_at(collection, photos):
    copy = write_copy(photos, "motorcycle_left", piece)
    collection.add([photos])
    write_copy(photos, "coffee", piece).replace(copy)
    with collection.duplicates(MatchOptions(0.99)) as answers:
        assert list(answers) == []
    assert answers.verifier.unverified > 0


def test_small_pictures_are_not_described(collection, photos, monkeypatch):
    for path in photos.iterdir():
        with Image.open(path) as image:
            small = image.resize((64, 48))
        small.save(path)
    write_copy(photos, "motorcycle_left", piece)
    write_copy(photos, "coffee", "recompressed", ".jpg")
    collection.add([photos])
    with collection.duplicates(MatchOptions(0.999)) as answers:
        groups = list(answers)
    assert [names(member.picture for member in group.members)[0] for group in groups] == ["coffee.png"]
    assert answers.verifier.verified == answers.verifier.unverified == 0


def test_damaged_descriptions_are_made_anew(collection, photos):
    write_copy(photos, "motorcycle_left", piece)
    collection.add([photos])
    (collection.path / "features.sqlite").write_bytes(b"SQLite format 3\0 but damaged" * 100)
    assert list(found(collection)) == ["motorcycle_left.png"]


def test_compacting_forgets_descriptions_of_what_is_gone(collection, photos):
    copy = write_copy(photos, "motorcycle_left", piece)
    collection.add([photos])
    expected = found(collection)
    copy.unlink()
    collection.add([photos])

    def described():
        with sqlite3.connect(collection.path / "features.sqlite") as database:
            return database.execute("SELECT count(*) FROM features").fetchone()[0]

    before = described()
    assert collection.compact() == 1
    assert described() == before - 1
    assert collection.compact() == 0
    write_copy(photos, "motorcycle_left", piece)
    collection.add([photos])
    assert found(collection) == expected


def test_stopping_early_leaves_nothing_running(collection, photos, nothing_left):
    shutil.copy(photos / "coffee.png", photos / "z-coffee.png")
    write_copy(photos, "motorcycle_left", piece)
    collection.add([photos])
    with collection.duplicates(MatchOptions(0.99)) as answers:
        assert next(answers)


def test_progress(collection, photos):
    write_copy(photos, "motorcycle_left", piece)
    collection.add([photos])
    seen = []
    with collection.duplicates(MatchOptions(0.99), progress=lambda *what: seen.append(what)) as answers:
        list(answers)
    stages = [what for what, _, _ in seen]
    assert [what for place, what in enumerate(stages) if place == 0 or stages[place - 1] != what][-2:] == [
        "Describing",
        "Comparing",
    ]
    assert all(done <= total for _, done, total in seen)


@pytest.mark.parametrize(
    ("kind", "options"),
    [(MatchOptions, {"threshold": 2}), (MatchOptions, {"false_positives": 0}), (ReadOptions, {"threads": -1})],
)
def test_errors(kind, options):
    with pytest.raises(ImgsimError):
        kind(**options)
