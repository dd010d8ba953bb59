"""The collection on disk: all of a commit or nothing, whatever else happens to its files."""

import errno
import os
import shutil
import sqlite3
from contextlib import closing

import numpy as np
import pytest

from imgsim_ops.collection.store import schema
from imgsim_ops.collection.store.database import Database
from imgsim_ops.collection.store.record import FileRecord
from imgsim_ops.collection.store.schema import DATABASE, FORMAT, WITH_PAGES
from imgsim_ops.collection.store.store import Store
from imgsim_ops.embedding.description import Description
from imgsim_ops.errors import ImgsimError
from imgsim_ops.recipes.fingerprint import Fingerprint
from imgsim_ops.recipes.recipes import RECIPES
from imgsim_ops.recipes.whitening import Whitening
from tests.support.stub_embedder import SIGNATURE, StubEmbedder, contents_of, description_of

MADE_BY = StubEmbedder().fingerprint


def add(store, *numbers, first=None):
    """Commits a content for each number, and a file with it."""
    contents = [(b"%032d" % number, description_of(SIGNATURE + b"%d" % number)) for number in numbers]
    row = store.rows if first is None else first
    files = [FileRecord(b"/p/%03d" % number, number, number, True, row + i) for i, number in enumerate(numbers)]
    store.commit(contents, files)


def facts_of(store):
    """All that the database and the files of vectors hold."""
    return contents_of(store), store.files(), store.counts(), store.rows, store.recipe, store.width


def create(path, recipe="crops"):
    return Store.create(path, MADE_BY, RECIPES[recipe], StubEmbedder.raw_width, "random:1")


def change(store, sql, *values):
    """What a newer version or a failing disk would do to the database."""
    connection = sqlite3.connect(store.path / DATABASE)
    connection.execute(sql, values)
    connection.commit()
    connection.close()


# Creating and opening


def test_a_new_one_is_empty(store):
    assert (store.rows, store.raw_width, store.width, store.crops, store.weights) == (0, 24, 8, 2, None)
    assert store.fingerprint == MADE_BY
    assert store.recipe == RECIPES["crops"]
    assert store.raw().shape == (0, 24)
    assert store.vectors().shape == (0, 8)
    assert store.hashes().shape == (0, 32)
    assert store.live().shape == (0,)
    assert list(store.pictures()) == list(store.problems()) == []
    assert store.files() == {}
    assert store.counts() == {"pictures": 0, "contents": 0, "orphans": 0, "unreadable": 0, "pages": 0}


def test_what_was_committed_is_there_when_it_is_opened_anew(store):
    add(store, 1, 2, 3)
    before = facts_of(store)
    store.close()
    for write in (False, True):
        with Store.open(store.path, write=write) as again:
            assert facts_of(again) == before
            assert again.hashes().tobytes() == store_hashes(1, 2, 3)
            assert again.live().tolist() == [True] * 3
            assert again.row_of(b"%032d" % 2) == 1
            assert again.row_of(b"?" * 32) is None
            assert [picture.path for picture in again.pictures_of(1)] == ["/p/002"]
            assert list(again.problems()) == []


def store_hashes(*numbers):
    return b"".join(description_of(SIGNATURE + b"%d" % number).perceptual.tobytes() for number in numbers)


@pytest.mark.parametrize("kind", ["file", "full folder", "link", "collection"])
def test_what_is_there_is_left_alone(tmp_path, kind):
    path = tmp_path / "c"
    if kind == "file":
        path.write_text("mine")
    elif kind == "full folder":
        path.mkdir()
        (path / "mine").touch()
    elif kind == "link":
        path.symlink_to(tmp_path / "nowhere")
    else:
        create(path).close()
    before = sorted(os.listdir(tmp_path))
    with pytest.raises(ImgsimError, match=r"there must be nothing of this name yet \(got .*c\)"):
        create(path)
    assert sorted(os.listdir(tmp_path)) == before


def test_an_empty_folder_is_taken(tmp_path):
    (tmp_path / "c").mkdir()
    for path in (tmp_path / "c", tmp_path / "new" / "folders" / "c"):
        create(path).close()
        with Store.open(path) as store:
            assert store.counts() == {"pictures": 0, "contents": 0, "orphans": 0, "unreadable": 0, "pages": 0}


def test_another_process_is_quicker(tmp_path, monkeypatch):
    whole = os.replace

    def late(source, target):
        monkeypatch.setattr(os, "replace", whole)
        create(tmp_path / "c").close()
        whole(source, target)

    monkeypatch.setattr(os, "replace", late)
    with pytest.raises(ImgsimError, match="there must be nothing of this name yet"):
        create(tmp_path / "c")
    assert os.listdir(tmp_path) == ["c"]


def test_odd_names(tmp_path):
    path = os.path.join(os.fsencode(tmp_path), b"caf\xe9 100%? #1.imgsim")
    with create(os.fsdecode(path)) as store:
        add(store, 1)
    with Store.open(os.fsdecode(path)) as store:
        assert store.rows == 1


@pytest.mark.parametrize("kind", ["nothing", "file", "folder"])
def test_what_is_no_collection(tmp_path, kind):
    path = tmp_path / "c"
    if kind == "file":
        path.write_text("mine")
    elif kind == "folder":
        path.mkdir()
    with pytest.raises(ImgsimError, match=r"must be a folder that imgsim index made \(got .*c\)"):
        Store.open(path, write=True)
    assert not path.is_dir() or os.listdir(path) == []


def test_a_newer_format(store):
    add(store, 1)
    store.close()
    change(store, f"PRAGMA user_version = {WITH_PAGES + 1}")
    before = snapshot(store.path)
    for write in (False, True):
        with pytest.raises(
            ImgsimError, match=rf"format must be {FORMAT} or {WITH_PAGES} \(got {WITH_PAGES + 1} in .*a newer"
        ):
            Store.open(store.path, write=write)
    assert snapshot(store.path) == before


@pytest.mark.parametrize("write", [False, True])
@pytest.mark.parametrize(("before", "after"), [("views", "crops"), ("gem", "gem")])
def test_format_1_is_upgraded(tmp_path, write, before, after):
    with create(tmp_path / "c", after) as store:
        add(store, 3)
        vectors = np.array(store.vectors())
    change(store, "UPDATE facts SET value = ? WHERE name = 'recipe'", before)
    change(store, "ALTER TABLE contents DROP COLUMN frames")
    change(store, "PRAGMA user_version = 1")
    for _ in range(2):
        with Store.open(store.path, write=write) as opened:
            assert opened.recipe == RECIPES[after]
            assert np.array_equal(opened.vectors(), vectors)
            assert list(opened.problems()) == []
    with closing(sqlite3.connect(store.path / DATABASE)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (FORMAT,)


@pytest.mark.parametrize("write", [False, True])
def test_format_2_knows_no_frames(tmp_path, write):
    """It says of no picture how many frames it has."""
    with create(tmp_path / "c") as store:
        add(store, 1, 2, 3)
    change(store, "ALTER TABLE contents DROP COLUMN frames")
    change(store, "PRAGMA user_version = 2")
    openings = [Store.open(store.path, write=write and not number) for number in range(2)]
    for opened in openings:
        assert [picture.frames for _, picture in opened.pictures()] == [None] * 3
        assert list(opened.problems()) == []
        opened.close()
    with Store.open(store.path, write=True) as opened:
        description = Description(9, 9, "TIFF", np.zeros(32, np.uint8), opened.raw()[0], 12)
        opened.commit([(bytes(32), description)], [FileRecord(b"/p/new", 1, 1, True, 3)])
        assert [picture.frames for picture in opened.pictures_of(3)] == [12]
        assert list(opened.problems()) == []


def made_format_2(path):
    """A collection as it was before files had the time of their status and their inode."""
    with create(path) as store:
        add(store, 0, 1, 2)
    columns = "path BLOB PRIMARY KEY, size INTEGER NOT NULL, modified INTEGER NOT NULL, settled INTEGER NOT NULL"
    with closing(sqlite3.connect(path / DATABASE)) as connection:
        connection.executescript(
            f"CREATE TABLE old ({columns}, row INTEGER, code TEXT, message TEXT) WITHOUT ROWID;"
            "INSERT INTO old SELECT path, size, modified, settled, row, code, message FROM files;"
            "DROP TABLE files; ALTER TABLE old RENAME TO files; CREATE INDEX files_of_row ON files (row);"
            "ALTER TABLE contents DROP COLUMN frames;"
            "PRAGMA user_version = 2;"
        )


@pytest.mark.parametrize("write", [False, True])
def test_format_2_is_upgraded(tmp_path, write):
    made_format_2(tmp_path / "c")
    for _ in range(2):
        with Store.open(tmp_path / "c", write=write) as store:
            files = store.files()
            assert [record[:5] for record in files.values()] == [
                (b"/p/%03d" % number, number, number, True, number) for number in range(3)
            ]
            assert {record[5:] for record in files.values()} == {(None,) * 7}
            assert list(store.problems()) == []
    with Store.open(tmp_path / "c", write=True) as store:
        store.commit((), [FileRecord(b"/p/000", 1, 1, True, 0, None, None, 2**63 - 1, -1, 7)])
        assert store.files()[b"/p/000"][7:] == (2**63 - 1, -1, 7, None, None)


@pytest.mark.parametrize("write", [False, True])
@pytest.mark.parametrize("frozen", [False, True])
def test_format_3_knows_no_readers(tmp_path, monkeypatch, write, frozen):
    record = FileRecord(b"/p/none", 1, 1, True, None, "damaged", "a line", 2, 3, 4, bytes(32), 7)
    with create(tmp_path / "c") as store:
        add(store, 1)
        store.commit((), [record])
    change(store, "ALTER TABLE files DROP COLUMN readers")
    change(store, "PRAGMA user_version = 3")
    if frozen:
        write = False
        monkeypatch.setattr(schema, "_connected", lambda folder, mode, whole=schema._connected: whole(folder, "ro"))
    with Store.open(tmp_path / "c", write=write) as store:
        assert store.files()[b"/p/none"] == record._replace(readers=None)
        assert list(store.problems()) == []


@pytest.mark.parametrize("found", [1, 2])
def test_an_older_format_on_a_disk_that_cannot_be_written_is_read(tmp_path, monkeypatch, found):
    made_format_2(tmp_path / "c")
    with closing(sqlite3.connect(tmp_path / "c" / DATABASE)) as connection:
        connection.execute(f"PRAGMA user_version = {found}")
        if found == 1:
            connection.execute("UPDATE facts SET value = 'views' WHERE name = 'recipe'")
        connection.commit()
    before = snapshot(tmp_path / "c")
    monkeypatch.setattr(schema, "_connected", lambda folder, mode, whole=schema._connected: whole(folder, "ro"))
    with Store.open(tmp_path / "c") as store:
        assert store.recipe == RECIPES["crops"]
        assert len(store.files()) == len(list(store.pictures())) == 3
        assert list(store.problems()) == []
    assert snapshot(tmp_path / "c") == before
    with pytest.raises(OSError, match="Permission denied"):
        Store.open(tmp_path / "c", write=True)


def snapshot(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "writer.lock"}


@pytest.mark.parametrize("content", [b"", b"words" * 1000, b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_database_that_is_none(store, content):
    store.close()
    (store.path / DATABASE).write_bytes(content)
    with pytest.raises(ImgsimError, match=r"collection: .*\(got .*\)") as failure:
        Store.open(store.path)
    assert "\n" not in str(failure.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [("recipe", "of tomorrow"), ("fingerprint", "?"), ("whitening", b"bytes"), ("whitening", 7), ("rows", "many")],
)
def test_facts_that_mean_nothing(store, name, value):
    store.close()
    change(store, "UPDATE facts SET value = ? WHERE name = ?", value, name)
    with pytest.raises(ImgsimError, match=r"index\.sqlite must be sound"):
        Store.open(store.path)


def test_a_read_only_collection_can_be_read(store, monkeypatch):
    add(store, 1, 2)
    store.close()
    for path in (*store.path.iterdir(), store.path):
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        with Store.open(store.path) as reader:
            assert len(list(reader.pictures())) == 2
            assert list(reader.problems()) == []
        monkeypatch.setattr(os, "access", lambda path, mode: False)  # permissions mean nothing to the superuser
        with pytest.raises(ImgsimError, match="the folder must be writable"):
            Store.open(store.path, write=True)
    finally:
        store.path.chmod(0o755)


def test_a_fingerprint(store):
    store.check_made_by(MADE_BY)
    other = Fingerprint.parse("stub-000000000001-fp32-p2")
    with pytest.raises(ImgsimError, match=f"vectors must be made by {MADE_BY} .got {other}.; another backbone"):
        store.check_made_by(other)


# Commits


def test_open_for_reading_nothing_is_written(store):
    add(store, 1, 2)
    before = snapshot(store.path)
    with Store.open(store.path) as reader:
        for work in (lambda: add(reader, 9), lambda: reader.change_recipe(RECIPES["mean"]), reader.compact):
            with pytest.raises(ImgsimError, match="must be open for writing"):
                work()
        assert list(reader.problems()) == []
    assert snapshot(store.path) == before


def test_a_commit_that_fails_changes_nothing(store):
    add(store, 1, 2)
    before = facts_of(store)
    with pytest.raises(ImgsimError, match="UNIQUE"):
        add(store, 3, 1)
    assert facts_of(store) == before
    add(store, 4)
    assert (store.rows, list(store.problems())) == (3, [])


@pytest.mark.parametrize("fails_at", range(4))
def test_a_full_disk(store, monkeypatch, fails_at):
    add(store, 1, 2)
    before, calls = facts_of(store), []
    whole = os.fsync

    def fsync(descriptor):
        calls.append(descriptor)
        if len(calls) > fails_at:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        whole(descriptor)

    works = (lambda: add(store, 3), lambda: store.change_recipe(RECIPES["mean"]), store.compact)
    store.commit((), (), [b"/p/001"])
    before = facts_of(store)
    for work in works:
        calls.clear()
        failures = []
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", fsync)
            try:
                work()
            except OSError as error:
                failures.append(error)
        if failures:
            assert failures[0].filename.endswith(".f16")
            assert facts_of(store) == before
        assert list(store.problems()) == []
        assert len(list(store.path.glob("*.f16"))) == 2  # nothing half done that takes room
        before = facts_of(store)
    add(store, 5)
    assert list(store.problems()) == []


def test_sqlites_own_full_disk(store):
    add(store, 1)
    before = facts_of(store)
    pages = store.database.connection.execute("PRAGMA page_count").fetchone()[0]
    store.database.connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(OSError, match=r"No space left on device: .*index\.sqlite"):
        add(store, *range(2, 500))
    assert facts_of(store) == before
    store.database.connection.execute("PRAGMA max_page_count = 1000000")
    add(store, *range(2, 500))
    assert (store.rows, list(store.problems())) == (499, [])


def test_ctrl_c_just_behind_a_commit(store, monkeypatch):
    add(store, 1)
    whole, calls = Database.read_facts, []

    def behind(self):
        calls.append(self)
        if len(calls) == 2:  # the first is inside the transaction
            raise KeyboardInterrupt
        whole(self)

    with monkeypatch.context() as patch:
        patch.setattr(Database, "read_facts", behind)
        with pytest.raises(KeyboardInterrupt):
            add(store, 2)
    assert store.rows == 1  # it does not know
    add(store, 3, first=2)  # as after the next look
    assert (store.rows, list(store.problems())) == (3, [])


# Changing as a whole


@pytest.mark.parametrize("recipe", list(RECIPES))
def test_another_recipe(store, recipe):
    add(store, *range(40))
    raw, recipe = store.raw().copy(), RECIPES[recipe]
    whitening = Whitening.fit(recipe.unwhitened(raw)) if recipe.whitens else None
    store.change_recipe(recipe, whitening, 40)
    assert (store.recipe, store.fitted_on, store.crops) == (recipe, 40, recipe.crops)
    assert np.array_equal(store.vectors(), recipe.vectors(raw, whitening))
    assert np.array_equal(store.raw(), raw)
    assert list(store.problems()) == []
    add(store, 77)
    store.close()
    with Store.open(store.path) as again:
        assert (again.rows, again.recipe, again.width) == (41, recipe, store.width)
        assert list(again.problems()) == []
    assert len(list(store.path.glob("*.f16"))) == 2


def test_compact(store):
    add(store, *range(10))
    store.commit((), [FileRecord(b"/p/again", 1, 1, True, 7), FileRecord(b"/p/none", 1, 1, True, None, "empty", "")])
    store.commit((), (), [b"/p/000", b"/p/003", b"/p/009", b"/p/007"])
    expected, size = contents_of(store), (store.path / DATABASE).stat().st_size
    assert store.counts() == {"pictures": 7, "contents": 10, "orphans": 3, "unreadable": 1, "pages": 0}
    assert store.live().tolist() == [i not in (0, 3, 9) for i in range(10)]
    assert store.compact() == 3
    assert contents_of(store) == expected
    assert store.counts() == {"pictures": 7, "contents": 7, "orphans": 0, "unreadable": 1, "pages": 0}
    assert [row for row, _ in store.pictures()] == list(range(7))
    assert list(store.problems()) == []
    assert (store.path / DATABASE).stat().st_size <= size
    assert store.compact() == 0
    add(store, 3)
    assert (store.rows, list(store.problems())) == (8, [])
    assert len(list(store.path.glob("*.f16"))) == 2


def test_compact_to_nothing(store):
    add(store, 1, 2)
    store.commit((), (), [b"/p/001", b"/p/002"])
    assert store.compact() == 2
    assert (store.rows, store.raw().shape, list(store.problems())) == (0, (0, 24), [])
    add(store, 1)
    assert (store.rows, list(store.problems())) == (1, [])


# Readers while another process writes: they keep what they opened, or are told


def test_a_reader_sees_what_it_opened(store):
    add(store, 1, 2)
    with Store.open(store.path) as reader:
        before = contents_of(reader)
        add(store, 3)
        store.commit((), (), [b"/p/001"])
        assert reader.rows == 2
        assert set(contents_of(reader)) == {"/p/002"} < set(before)
        assert (len(reader.live()), reader.live().tolist()) == (2, [False, True])
        assert list(reader.problems()) == []


def test_a_reader_meets_a_new_recipe(store):
    add(store, 1, 2)
    with Store.open(store.path) as reader, Store.open(store.path) as early:
        old = early.vectors()
        copy = old.copy()
        store.change_recipe(RECIPES["mean"])
        add(store, 3)
        assert np.array_equal(early.vectors(), copy)  # with the recipe that it knows
        assert early.recipe == RECIPES["crops"]
        assert reader.vectors().shape == (2, 8)
        assert reader.recipe == RECIPES["mean"]
        assert np.array_equal(reader.vectors(), store.vectors()[:2])


def test_a_reader_must_open_anew_after_compact(store):
    add(store, 1, 2)
    store.commit((), (), [b"/p/001"])
    with Store.open(store.path) as reader, Store.open(store.path) as early:
        mapped, copy = early.vectors(), early.vectors().copy()
        store.compact()
        assert np.array_equal(mapped, copy)
        asks = (reader.raw, reader.vectors, reader.hashes, reader.live, reader.files)
        for ask in (*asks, lambda: list(reader.pictures()), lambda: reader.pictures_of(0), lambda: reader.row_of(b"")):
            with pytest.raises(ImgsimError, match="must be opened anew after imgsim compact"):
                ask()
        assert len(list(reader.problems())) == 1
    with Store.open(store.path) as reader:
        assert [picture.path for _, picture in reader.pictures()] == ["/p/002"]


# Damage


@pytest.fixture
def damaged(tmp_path):
    """A collection of some thousand rows, closed."""
    with create(tmp_path / "whole") as store:
        add(store, *range(2000))
    path = tmp_path / "damaged"

    def copy():
        shutil.rmtree(path, ignore_errors=True)
        shutil.copytree(tmp_path / "whole", path)
        return path

    return copy


def flip(path, at, bit=0x40):
    with open(path, "r+b") as file:
        file.seek(at)
        (value,) = file.read(1)
        file.seek(at)
        file.write(bytes([value ^ bit]))


def problems(path):
    with Store.open(path) as store:
        return list(store.problems())


@pytest.mark.parametrize(("name", "width"), [("raw-1.f16", 48), ("vectors-1.f16", 32)])
@pytest.mark.parametrize("row", [0, 999, 1999])
def test_a_flipped_bit_of_a_vector(damaged, name, width, row):
    path = damaged()
    flip(path / name, row * width + 17)
    (line,) = problems(path)
    assert name in line
    assert f"row {row}:" in line


def test_a_flipped_bit_of_a_raw_vector_however_small(damaged):
    path = damaged()
    flip(path / "raw-1.f16", 480, 1)
    assert len(problems(path)) == 1


def test_flipped_bits_of_what_is_known_of_a_content(damaged):
    path = damaged()
    with Store.open(path, write=True) as store:
        for column, value in [
            ("width", 5),
            ("format", "GIF"),
            ("perceptual", bytes(32)),
            ("frames", 3),
            ("checksum", 1),
        ]:
            change(store, f"UPDATE contents SET {column} = ? WHERE row = 7", value)
            (line,) = store.problems()
            assert "row 7:" in line
        change(store, "DELETE FROM contents WHERE row = 7")
        lines = list(store.problems())
    assert "got 1999 contents and 2000 rows" in lines[0]
    assert "got 1 without" in lines[1]
    with Store.open(path) as store, pytest.raises(ImgsimError, match="must have 2000 perceptual hashes"):
        store.hashes()


def test_a_damaged_page_of_the_database(damaged):
    found = 0
    size = (damaged() / DATABASE).stat().st_size
    for page in range(1, size // 4096, 5):
        path = damaged()
        with open(path / DATABASE, "r+b") as file:
            file.seek(page * 4096)
            file.write(os.urandom(200))
        try:
            found += bool(problems(path))
        except ImgsimError as error:
            assert "must be sound" in str(error)  # noqa: PT017  (which of both depends on the page)
            found += 1
    assert found == len(range(1, size // 4096, 5))


@pytest.mark.parametrize("name", ["raw-1.f16", "vectors-1.f16"])
@pytest.mark.parametrize("left", [None, 0, 1000])
def test_a_file_of_vectors_cut_short_or_gone(damaged, name, left):
    path = damaged()
    if left is None:
        (path / name).unlink()
    else:
        os.truncate(path / name, left)
    (line,) = problems(path)
    assert f"{name} must have " in line
    with Store.open(path, write=True) as store:
        with pytest.raises((ImgsimError, FileNotFoundError)):
            add(store, 5000)
        assert store.rows == 2000
        if name.startswith("vectors"):
            with pytest.raises(ImgsimError, match="must have"):
                store.vectors()
            # Which can be made anew of the raw ones.
            store.change_recipe(store.recipe)
            assert list(store.problems()) == []


def test_what_a_dead_process_left_is_cut_off(damaged):
    path = damaged()
    for name in ("raw-1.f16", "vectors-1.f16"):
        with open(path / name, "ab") as file:
            file.write(os.urandom(777))
    for name in ("raw-2.f16", "vectors-2.f16", "vectors-9.f16"):
        (path / name).write_bytes(b"half")
    assert problems(path) == []
    with Store.open(path, write=True) as store:
        assert sorted(file.name for file in path.glob("*.f16")) == ["raw-1.f16", "vectors-1.f16"]
        add(store, 5000)
        assert list(store.problems()) == []
        assert (path / "raw-1.f16").stat().st_size == 2001 * 48
