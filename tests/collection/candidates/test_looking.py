"""Looks at the files of a collection, and what is kept of them."""

import os
import shutil
import sqlite3
from concurrent.futures import Future
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageOps

from imgsim_ops.collection.candidates import looking as looking_module
from imgsim_ops.collection.candidates.looking import DATABASE, Looking, forget_features
from imgsim_ops.matching.described import SMALL_SIDE, Described
from imgsim_ops.matching.features import described


@pytest.fixture
def paths(tmp_path, written):
    shutil.copytree(written, tmp_path / "photos")
    return sorted((tmp_path / "photos").iterdir())


@pytest.fixture
def store(fake_store, paths):
    for path in paths:
        fake_store.add(path)
    return fake_store


def count(store, table="described"):
    with sqlite3.connect(store.path / DATABASE) as database:
        return database.execute(f"SELECT count(*) FROM {table}").fetchone()[0]


class NoReaders:
    def __init__(self, *arguments):
        raise AssertionError("a picture is read")


# --- looks -----------------------------------------------------------------------------------------------------------


def test_looks_are_those_of_the_files(store, paths, nothing_left):
    with Looking(store) as looking:
        for row in range(len(paths)):
            looking.expect(row)
        for row, path in enumerate(paths):
            with Image.open(path) as image:
                np.testing.assert_array_equal(looking.look(row).pixels, np.asarray(image))
            assert looking.look(row) is looking.look(row)
            assert looking.files(row) == store.rows[row]


def test_no_reader_is_started_where_nothing_is_looked_at(store, monkeypatch):
    monkeypatch.setattr(looking_module, "IsolatedReaders", NoReaders)
    with Looking(store) as looking:
        assert looking.files(0) == store.rows[0]


@pytest.mark.parametrize("change", ["gone", "changed", "touched"])
def test_a_file_that_is_gone_or_has_changed_is_not_looked_at(store, paths, change):
    if change == "gone":
        paths[1].unlink()
    elif change == "changed":
        shutil.copy(paths[2], paths[1])
    else:
        os.utime(paths[1], (1, 1))
    with Looking(store) as looking:
        assert looking.look(1) is None
        assert looking.described(1) is None
        assert in_part(looking, 1) is None
        assert looking.look(0) is not None
    assert count(store) == 0


def test_a_row_without_files(store):
    store.rows.append([])
    with Looking(store) as looking:
        assert looking.look(len(store.rows) - 1) is None
        assert looking.described(len(store.rows) - 1) is None


def in_part(looking, row):
    return looking.piece(row, (64, 0, 33, 17))


ASK = [Looking.look, Looking.described, in_part]


@pytest.mark.parametrize("ask", ASK)
def test_equal_files_stand_in_for_one_that_is_gone(fake_store, paths, tmp_path, ask):
    copies = [shutil.copy(paths[0], tmp_path / f"{number}.png") for number in range(3)]
    row = fake_store.add(*copies)
    os.unlink(copies[0])
    shutil.copy(paths[1], copies[1])
    with Looking(fake_store) as looking:
        assert ask(looking, row) is not None


@pytest.mark.parametrize("ask", ASK)
def test_equal_files_stand_in_for_one_that_cannot_be_read(fake_store, paths, tmp_path, ask):
    """Of the same size and time, so that only reading tells."""
    copies = [shutil.copy(paths[0], tmp_path / f"{number}.png") for number in range(2)]
    row = fake_store.add(*copies)
    status = os.stat(copies[0])
    copies[0].write_bytes(bytes(status.st_size))
    os.utime(copies[0], ns=(status.st_atime_ns, status.st_mtime_ns))
    with Looking(fake_store) as looking:
        assert ask(looking, row) is not None
    os.unlink(copies[1])
    os.unlink(fake_store.path / DATABASE)  # which has the description
    with Looking(fake_store) as looking:
        assert ask(looking, row) is None


def test_only_some_looks_are_held_and_others_are_read_again(store, paths, monkeypatch):
    monkeypatch.setattr(looking_module, "_HELD_BYTES", 200_000)
    with Looking(store) as looking:
        before = [looking.look(row).pixels.copy() for row in range(len(paths))]
        assert sum(look.pixels.nbytes for look in looking._looks.values()) == looking._bytes <= 200_000
        for row, pixels in enumerate(before):
            np.testing.assert_array_equal(looking.look(row).pixels, pixels)


def test_large_pictures_are_held_longer_than_others_which_have_their_share(tmp_path, fake_store, monkeypatch):
    rng = np.random.default_rng(4)
    rows = {}
    for name, size in {"large": (160, 2560), "a": (180, 200), "b": (180, 200), "c": (180, 200)}.items():
        Image.fromarray(rng.integers(0, 256, (*size, 3), np.uint8)).save(tmp_path / f"{name}.png")
        rows[name] = fake_store.add(tmp_path / f"{name}.png")
    large, small = 3 * 80 * 1280, 3 * 180 * 200
    monkeypatch.setattr(looking_module, "_HELD_BYTES", large + 2 * small)
    with Looking(fake_store) as looking:
        for row in rows.values():
            looking.look(row)
        assert list(looking._looks) == [rows["large"], rows["b"], rows["c"]]
        monkeypatch.setattr(looking_module, "_HELD_BYTES", 2 * small)
        looking.look(rows["a"])
        assert rows["large"] not in looking._looks
        assert sum(look.pixels.nbytes for look in looking._looks.values()) == looking._bytes <= 2 * small


def test_pieces_are_those_of_the_files_and_read_once(store, paths, nothing_left, monkeypatch):
    with Looking(store) as looking:
        for row, path in enumerate(paths):
            with Image.open(path) as image:
                expected = np.asarray(image)[:17, 64:97]
            np.testing.assert_array_equal(in_part(looking, row), expected)
            assert looking.piece(row, (0, 0, 9999, 9)) is None  # there is no such box
            assert looking.piece(row, (9999, 9999, 9, 9)) is None
        monkeypatch.setattr(looking, "_asked", None)
        np.testing.assert_array_equal(in_part(looking, row), expected)
        # What lies beside it was read with it.
        np.testing.assert_array_equal(looking.piece(row, (70, 3, 9, 7)), expected[3:10, 6:15])


@pytest.mark.parametrize("cells", [0, 1, 2])
def test_only_some_pieces_are_held_and_the_last_one_always(tmp_path, fake_store, monkeypatch, cells):
    cell = 512
    monkeypatch.setattr(looking_module, "_HELD_PIECES", cells * 3 * cell**2)
    pixels = np.random.default_rng(3).integers(0, 256, (300, 4 * cell, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "large.png")
    row = fake_store.add(tmp_path / "large.png")
    with Looking(fake_store) as looking:
        for left in (0, cell, 2 * cell):
            np.testing.assert_array_equal(looking.piece(row, (left, 9, 7, 8)), pixels[9:17, left : left + 7])
        at_hand = [box[0] // cell for _, box in looking._pieces]
        assert at_hand == [0, 1, 2][-max(1, cells) :]
        # Over several cells.
        np.testing.assert_array_equal(looking.piece(row, (500, 0, 600, 300)), pixels[:, 500:1100])


# --- descriptions ----------------------------------------------------------------------------------------------------


def test_descriptions_are_those_of_the_files(store, paths, nothing_left):
    with Looking(store) as looking:
        for row in range(len(paths)):
            looking.expect_described(row)
        for row, path in enumerate(paths):
            with Image.open(path) as image:
                expected = Described.of(np.asarray(image), image.width, image.height)
            assert looking.described(row).to_bytes() == expected.to_bytes()
            assert looking.described(row) is looking.described(row)


def test_descriptions_have_a_look_in_few_pixels(store, paths):
    with Looking(store) as looking:
        for row in range(len(paths)):
            small, look = looking.described(row).small(), looking.look(row)
            assert max(look.pixels.shape[:2]) > max(small.pixels.shape[:2]) == SMALL_SIDE
            assert (small.width, small.height) == (look.width, look.height)
            for channel in np.moveaxis(small.pixels, 2, 0):
                np.testing.assert_array_equal(channel, look.reduced(SMALL_SIDE))


def test_a_picture_is_described_without_a_look_and_looked_at_without_a_description(store):
    with Looking(store) as looking:
        looking.described(0)
        assert not looking._looks
        looking.look(1)
        assert list(looking._described) == [0]


def test_descriptions_are_at_hand_after_the_looks_were_let_go(store, paths, monkeypatch):
    monkeypatch.setattr(looking_module, "_HELD_BYTES", 0)
    with Looking(store) as looking:
        before = [looking.described(row) for row in range(len(paths))]
        assert looking.look(0) is not None
        assert not any(looking._looks.values())
        for path in paths:
            path.unlink()
        assert [looking.described(row) for row in range(len(paths))] == before  # each the same object
        assert looking.look(0) is None


def test_only_some_descriptions_are_held_and_others_are_at_hand_again(store, paths, monkeypatch):
    monkeypatch.setattr(looking_module, "_HELD_DESCRIBED", 2)
    with Looking(store) as looking:
        before = [looking.described(row).to_bytes() for row in range(len(paths))]
        assert len(looking._described) == 2
        for path in paths:
            path.unlink()  # what is kept need not be read
        for row, content in enumerate(before):
            assert looking.described(row).to_bytes() == content
        assert len(looking._described) == 2


def test_those_held_are_the_ones_last_asked_for(store, monkeypatch):
    monkeypatch.setattr(looking_module, "_HELD_DESCRIBED", 2)
    with Looking(store) as looking:
        first, second = looking.described(0), looking.described(1)
        assert looking.expect_described(0) is first
        looking.described(2)
        assert looking.described(0) is first
        assert looking.described(1) is not second


def test_what_is_described_need_not_be_read(store, monkeypatch):
    with Looking(store) as looking:
        on_its_way = looking.expect_described(0)
        assert isinstance(on_its_way, Future)
        assert looking.expect_described(0) is on_its_way  # read once
        found = looking.described(0)
        assert looking.expect_described(0) is found
    monkeypatch.setattr(looking_module, "IsolatedReaders", NoReaders)
    with Looking(store) as looking:
        assert looking.expect_described(0).to_bytes() == found.to_bytes()
        with pytest.raises(AssertionError, match="a picture is read"):
            looking.expect_described(1)


@pytest.mark.parametrize("same", [False, True])
def test_a_file_whose_size_and_time_were_put_back_is_known_by_its_bytes(store, paths, monkeypatch, same):
    status = os.stat(paths[0])
    store.rows[0] = [replace(store.rows[0][0], changed=status.st_ctime_ns - 1, inode=status.st_ino)]
    if not same:
        paths[0].write_bytes(bytes(status.st_size))
        os.utime(paths[0], ns=(status.st_atime_ns, status.st_mtime_ns))
    hashed, whole = [], looking_module.sha256_of
    monkeypatch.setattr(looking_module, "sha256_of", lambda path: (hashed.append(path), whole(path))[1])
    with Looking(store) as looking:
        assert isinstance(looking.expect(0), Future) == same
        assert (looking.look(0) is not None) == (looking.described(0) is not None) == same
    assert hashed == [str(paths[0])] * (1 if same else 2)  # what is as it was is hashed once


def test_a_file_of_known_change_and_inode_is_not_hashed(store, paths, monkeypatch):
    status = os.stat(paths[0])
    store.rows[0] = [replace(store.rows[0][0], changed=status.st_ctime_ns, inode=status.st_ino)]
    monkeypatch.setattr(looking_module, "sha256_of", None)
    with Looking(store) as looking:
        assert looking.look(0) is not None


def test_what_cannot_be_read_has_no_description(store, paths):
    paths[1].unlink()
    status = os.stat(paths[2])
    paths[2].write_bytes(bytes(status.st_size))  # only reading tells
    os.utime(paths[2], ns=(status.st_atime_ns, status.st_mtime_ns))
    with Looking(store) as looking:
        assert looking.expect_described(1) is None
        assert looking.described(1) is None
        assert isinstance(looking.expect_described(2), Future)
        assert looking.described(2) is None
        assert looking.expect_described(2) is None
    assert count(store) == 0


def test_rows_that_several_files_share(store, paths, tmp_path):
    with Looking(store) as looking:
        assert looking.shared_rows() == []
    again = store.add(paths[0], shutil.copy(paths[0], tmp_path / "again.png"))
    with Looking(store) as looking:
        assert looking.shared_rows() == [again]


# --- what is kept ----------------------------------------------------------------------------------------------------


def test_descriptions_are_kept_for_the_next_run(store, monkeypatch):
    with Looking(store) as looking:
        before = [looking.described(row).to_bytes() for row in (0, 1)]
    assert count(store) == 2
    monkeypatch.setattr(looking_module, "IsolatedReaders", NoReaders)
    with Looking(store) as looking:
        assert [looking.described(row).to_bytes() for row in (0, 1)] == before


def test_features_of_a_mirror_image_are_those_of_the_picture_mirrored(store, paths):
    """Those kept will do, so that a mirror image is neither read nor kept."""
    with Looking(store) as looking:
        found = looking.described(1).features.mirrored()
        with Image.open(paths[1]) as image:
            pixels = np.asarray(ImageOps.mirror(image))
        expected = described(pixels, pixels.shape[1], pixels.shape[0])
        assert (found.width, found.height, found.side) == (expected.width, expected.height, expected.side)
        apart = np.abs(found.places[:, np.newaxis, :2] - expected.places[:, :2]).max(2)
        unlike = np.linalg.norm(found.descriptors[:, np.newaxis].astype(float) - expected.descriptors, axis=2)
        turned = np.abs((found.places[:, np.newaxis, 2] - expected.places[:, 2] + 180) % 360 - 180)
        # Keypoints are looked for at twice the size, whose grid is off by half a pixel of what is described.
        same = (apart < 0.6 * found.scale) & (unlike < 60) & (turned < 3)
        assert min(same.any(0).mean(), same.any(1).mean()) > 0.88  # found anew, some lie elsewhere
        again = found.mirrored()
        np.testing.assert_allclose(again.places, looking.described(1).features.places, atol=1e-3)
        np.testing.assert_array_equal(again.descriptors, looking.described(1).features.descriptors)
    assert count(store) == 1


def test_equal_contents_share_what_is_kept(store, paths, tmp_path, monkeypatch):
    again = store.add(shutil.copy(paths[0], tmp_path / "again.png"))
    with Looking(store) as looking:
        before = looking.described(0).to_bytes()
    monkeypatch.setattr(looking_module, "IsolatedReaders", NoReaders)
    with Looking(store) as looking:
        assert looking.described(again).to_bytes() == before


def test_judgements_are_kept_by_contents_question_and_version(store):
    with Looking(store) as looking:
        looking.keep_judged(b"a", b"b", 3, 1, "what")
        assert looking.judged(b"a", b"b", 3, 1) == "what"
    with Looking(store) as looking:
        assert looking.judged(b"a", b"b", 3, 1) == "what"
        for other in ((b"b", b"a", 3, 1), (b"a", b"a", 3, 1), (b"a", b"b", 2, 1), (b"a", b"b", 3, 2)):
            assert looking.judged(*other) is None
        looking.keep_judged(b"a", b"b", 3, 2, "anew")
        assert looking.judged(b"a", b"b", 3, 2) == "anew"
    assert count(store, "judgements") == 1


def test_what_is_learnt_is_seen_by_others_once_it_is_committed(store):
    with Looking(store) as one, Looking(store) as other:
        one.keep_judged(b"a", b"b", 3, 1, "what")
        assert other.judged(b"a", b"b", 3, 1) is None
        one.commit()
        assert other.judged(b"a", b"b", 3, 1) == "what"


def of_another_version(content):
    start = content.index(b"imgsim-sift")
    return content[:start] + b"imgsim-sift\0" + content[start + 12 :]


@pytest.mark.parametrize("spoil", [of_another_version, lambda content: content[:-1], lambda content: b""])
def test_descriptions_of_another_version_are_made_anew(store, spoil):
    with Looking(store) as looking:
        before = looking.described(0).to_bytes()
    with sqlite3.connect(store.path / DATABASE) as database:
        database.execute("UPDATE described SET content = ?", (spoil(before),))
    with Looking(store) as looking:
        assert looking.described(0).to_bytes() == before
    with sqlite3.connect(store.path / DATABASE) as database:
        assert database.execute("SELECT content FROM described").fetchall() == [(before,)]


@pytest.mark.parametrize("content", [b"no database", b"SQLite format 3\0 but damaged" * 100, b""])
def test_a_damaged_database_is_made_anew(store, content):
    (store.path / DATABASE).write_bytes(content)
    with Looking(store) as looking:
        assert looking.described(0) is not None
        looking.keep_judged(b"a", b"b", 3, 1, "what")
    assert count(store) == 1
    assert count(store, "judgements") == 1


def damaged_further_in(store):
    """Fills the database and damages all but what is read when it is opened."""
    with Looking(store) as looking:
        for row in range(3):
            looking.described(row)
            looking.keep_judged(b"a", b"b", row, 1, "what")
    path = store.path / DATABASE
    content = bytearray(path.read_bytes())
    for page in range(3 * 4096, len(content), 4096):
        content[page : page + 4096] = b"\xa5" * len(content[page : page + 4096])
    path.write_bytes(content)


def test_a_database_that_is_damaged_further_in(store):
    damaged_further_in(store)
    with Looking(store) as looking:
        assert all(looking.described(row) is not None for row in range(3))


def test_in_place_of_a_damaged_database_it_is_kept_for_this_run(store, paths, monkeypatch):
    damaged_further_in(store)
    before = (store.path / DATABASE).read_bytes()
    monkeypatch.setattr(looking_module, "_HELD_DESCRIBED", 1)
    with Looking(store) as looking:
        contents = [looking.described(row).to_bytes() for row in range(3)]
        assert looking.judged(b"a", b"b", 0, 1) is None
        looking.keep_judged(b"c", b"d", 3, 1, "what")
        looking.commit()
        assert looking.judged(b"c", b"d", 3, 1) == "what"
        for path in paths:
            path.unlink()
        assert [looking.described(row).to_bytes() for row in range(3)] == contents  # held is one of them
    assert (store.path / DATABASE).read_bytes() == before


def test_a_damaged_database_to_which_is_added_before_it_is_read(store):
    damaged_further_in(store)
    with Looking(store) as looking:
        looking.keep_judged(b"c", b"d", 3, 1, "what")
        assert looking.judged(b"c", b"d", 3, 1) == "what"


@pytest.mark.xfail(strict=True, raises=sqlite3.DatabaseError, reason="what is damaged further in is not replaced here")
def test_what_is_damaged_further_in_is_forgotten(store):
    damaged_further_in(store)
    store.rows[1] = []
    forget_features(store)


def test_a_database_of_features_before_there_were_judgements(store):
    with sqlite3.connect(store.path / DATABASE) as database:
        database.execute(
            "CREATE TABLE features (sha256 BLOB, mirrored INTEGER, content BLOB, PRIMARY KEY (sha256, mirrored))"
        )
        database.execute("INSERT INTO features VALUES (?, 0, ?)", (store.rows[0][0].sha256, b"imgsim-sift"))
    with Looking(store) as looking:
        assert looking.judged(b"a", b"b", 3, 1) is None
        assert looking.described(0) is not None
    with sqlite3.connect(store.path / DATABASE) as database:
        tables = database.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name").fetchall()
    assert tables == [("described",), ("judgements",)]
    assert count(store) == 1


def test_judgements_stay_where_features_of_an_earlier_version_go(store):
    with Looking(store) as looking:
        looking.keep_judged(b"a", b"b", 3, 1, "what")
    with sqlite3.connect(store.path / DATABASE) as database:
        database.execute("DROP TABLE described")
        database.execute("CREATE TABLE features (sha256 BLOB PRIMARY KEY, content BLOB)")
    with Looking(store) as looking:
        assert looking.judged(b"a", b"b", 3, 1) == "what"
        assert looking.described(0) is not None
    assert (count(store), count(store, "judgements")) == (1, 1)


def test_where_nothing_can_be_written_it_is_kept_for_this_run(store):
    shutil.rmtree(store.path)
    with Looking(store) as looking:
        assert looking.described(0) is not None
        looking.keep_judged(b"a", b"b", 3, 1, "what")
        looking.commit()
        assert looking.judged(b"a", b"b", 3, 1) == "what"
    assert not store.path.exists()


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="nothing is read-only to this user")
def test_a_database_that_is_read_only_is_left_as_it_is(store):
    with Looking(store) as looking:
        looking.keep_judged(b"a", b"b", 3, 1, "what")
    before = (store.path / DATABASE).read_bytes()
    (store.path / DATABASE).chmod(0o444)
    store.path.chmod(0o555)
    try:
        with Looking(store) as looking:
            looking.keep_judged(b"c", b"d", 3, 1, "what")
            assert looking.judged(b"c", b"d", 3, 1) == "what"
        assert (store.path / DATABASE).read_bytes() == before
    finally:
        store.path.chmod(0o755)


def test_what_is_no_longer_in_the_collection_is_forgotten(store, paths):
    contents = [store.rows[row][0].sha256 for row in range(3)]
    with Looking(store) as looking:
        for row in range(3):
            looking.described(row)
        for one, other in ((0, 1), (1, 2), (2, 0)):
            looking.keep_judged(contents[one], contents[other], 3, 1, "what")
    forget_features(store)
    assert (count(store), count(store, "judgements")) == (3, 3)
    store.rows[1] = []
    forget_features(store)
    assert (count(store), count(store, "judgements")) == (2, 1)
    with Looking(store) as looking:
        assert looking.judged(contents[2], contents[0], 3, 1) == "what"
    store.rows.clear()
    forget_features(store)
    assert (count(store), count(store, "judgements")) == (0, 0)


def test_there_is_nothing_to_forget(store):
    forget_features(store)
    assert not (store.path / DATABASE).exists()
