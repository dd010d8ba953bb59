"""Files of vectors: whole and right, or not there; with an embedder whose vectors tell which file they belong to."""

import gc
import os
import signal
import sys
import zipfile
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from imgsim_ops.embedding import vectors
from imgsim_ops.embedding.vectors import check_out, embed_files
from imgsim_ops.errors import ImgsimError
from imgsim_ops.files.reasons import SkippedFile
from imgsim_ops.recipes.fingerprint import Fingerprint

FINGERPRINT = Fingerprint("stub", "0123456789ab", "fp32", 2)


class StubEmbedder:
    """Skips what starts with ``bad``; raises what `raises` has for a path, in place of going on.

    Attributes:
        closed: Whether the last stream has ended.
    """

    fingerprint = FINGERPRINT
    dimension = 3

    def __init__(self, raises=()):
        self.raises = dict(raises)
        self.closed = None

    def stream(self, paths):
        self.closed = False
        try:
            for number, path in enumerate(paths):
                if path in self.raises:
                    raise self.raises[path]
                if os.path.basename(path).startswith("bad"):
                    yield path, SkippedFile(path, "damaged", "decode: so it is")
                else:
                    yield path, np.array([number, len(path), -0.5], np.float32)
        finally:
            self.closed = True


def expected(paths):
    return np.array(
        [[number, len(path), -0.5] for number, path in enumerate(paths) if not path.startswith("bad")], np.float32
    ).reshape(-1, 3)


def read_npz(path):
    with np.load(path, allow_pickle=False) as file:
        assert set(file) == {"vectors", "paths", "fingerprint"}
        return file["paths"].tolist(), file["vectors"], str(file["fingerprint"])


def read_parquet(path):
    parquet = pytest.importorskip("pyarrow.parquet")
    with open(path, "rb") as content, parquet.ParquetFile(content) as file:
        table = file.read()
    assert table.column_names == ["path", "path_bytes", "vector"]
    rows = table.column("vector").combine_chunks()
    found = np.asarray(rows.flatten()).reshape(-1, 3)
    paths = [os.fsdecode(name) for name in table.column("path_bytes").to_pylist()]
    assert len(paths) == len(found) == table.num_rows
    return paths, found, table.schema.metadata[b"imgsim.fingerprint"].decode()


READERS = {".npz": read_npz, ".parquet": read_parquet}


@pytest.fixture(params=[".npz", ".parquet"])
def ending(request):
    if request.param == ".parquet":
        pytest.importorskip("pyarrow")
    return request.param


@pytest.fixture
def out(tmp_path, ending):
    folder = tmp_path / "out"
    folder.mkdir()
    return folder / f"vectors{ending}"


def read(path):
    return READERS[path.suffix](path)


NAMES = ["a.jpg", "späße 図.png", "new\nline", os.fsdecode(b"\xff\xfe.jpg"), " ", "x" * 300, "b,'\".jpg", "-", "a.jpg"]


# What is written


def test_round_trip(out):
    report = embed_files(StubEmbedder(), iter(NAMES), out)
    assert (report.out, report.files, report.pictures) == (out, len(NAMES), len(NAMES))
    assert (report.skipped, report.interrupted) == ([], False)
    paths, found, fingerprint = read(out)
    assert paths == NAMES
    np.testing.assert_array_equal(found, expected(NAMES))
    assert found.dtype == np.float32
    assert fingerprint == str(FINGERPRINT)
    assert Fingerprint.parse(fingerprint) == FINGERPRINT
    assert os.listdir(out.parent) == [out.name]


def test_skipped_files_are_in_the_report_only(out):
    names = ["bad 1", "a", "bad 2", "bad 3", "b", "bad 4"]
    report = embed_files(StubEmbedder(), names, out)
    assert [file.path for file in report.skipped] == ["bad 1", "bad 2", "bad 3", "bad 4"]
    assert (report.files, report.pictures) == (6, 2)
    paths, found, _ = read(out)
    assert paths == ["a", "b"]
    np.testing.assert_array_equal(found, expected(names))


@pytest.mark.parametrize("names", [[], ["bad 1"], ["bad 1", "bad 2"]])
def test_no_pictures(out, names):
    report = embed_files(StubEmbedder(), names, out)
    assert (report.files, report.pictures, report.pictures_per_second) == (len(names), 0, 0)
    paths, found, fingerprint = read(out)
    assert paths == []
    assert found.shape == (0, 3)
    assert found.dtype == np.float32
    assert fingerprint == str(FINGERPRINT)


@pytest.mark.parametrize("count", [1, 4095, 4096, 4097, 10_000])
def test_many_rows(out, count):
    # More than what is kept in memory before it is written, by none, one and some.
    names = [f"{number:05}{'x' * (number % 7)}" for number in range(count)]
    report = embed_files(StubEmbedder(), names, out)
    assert report.pictures == count
    paths, found, _ = read(out)
    assert paths == names
    np.testing.assert_array_equal(found, expected(names))


def test_parquet_is_for_other_programs(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    embed_files(StubEmbedder(), NAMES, tmp_path / "x.parquet")
    schema = parquet.read_schema(tmp_path / "x.parquet")
    assert [str(field.type) for field in schema] == ["string", "binary", "fixed_size_list<element: float>[3]"]
    text = parquet.read_table(tmp_path / "x.parquet").column("path").to_pylist()
    assert text[:4] == ["a.jpg", "späße 図.png", "new\\nline", "\\xff\\xfe.jpg"]


def test_npz_is_read_without_pickle_and_in_pieces(tmp_path):
    embed_files(StubEmbedder(), NAMES, tmp_path / "x.npz")
    with zipfile.ZipFile(tmp_path / "x.npz") as archive:
        assert archive.testzip() is None
        # Stored, not deflated: floats do not shrink, and other programs may map them.
        assert {member.compress_type for member in archive.infolist()} == {zipfile.ZIP_STORED}


def test_the_stream_is_closed_and_counted(out):
    embedder = StubEmbedder()
    seen = []
    embed_files(embedder, ["a", "bad", "b"], str(out), progress=seen.append)
    assert embedder.closed
    assert seen == [1, 2, 3]
    assert read(out)[0] == ["a", "b"]


# Ends before the end


def interrupted_at(name):
    return StubEmbedder({name: KeyboardInterrupt()})


@pytest.mark.parametrize("many", [0, 3, 5000])
def test_ctrl_c_keeps_what_is_done(out, many):
    names = [f"{number}" for number in range(many)] + ["stop", "never"]
    embedder = interrupted_at("stop")
    report = embed_files(embedder, names, out)
    partial = out.with_name(f"vectors.partial{out.suffix}")
    assert report.interrupted
    assert (report.out, report.files, report.pictures) == (partial, many, many)
    assert embedder.closed
    assert os.listdir(out.parent) == [partial.name]
    paths, found, fingerprint = read(partial)
    assert paths == names[:many]
    np.testing.assert_array_equal(found, expected(paths))
    assert fingerprint == str(FINGERPRINT)


def test_ctrl_c_leaves_the_file_of_the_last_time(out):
    embed_files(StubEmbedder(), ["old"], out)
    before = out.read_bytes()
    embed_files(interrupted_at("stop"), ["new", "stop"], out)
    assert out.read_bytes() == before
    assert read(out.with_name(f"vectors.partial{out.suffix}"))[0] == ["new"]


def test_ctrl_c_from_the_progress_bar(out):
    def progress(done):
        if done == 2:
            raise KeyboardInterrupt

    report = embed_files(StubEmbedder(), ["a", "bad", "c"], out, progress=progress)
    assert (report.files, report.pictures, len(report.skipped)) == (2, 1, 1)
    assert read(report.out)[0] == ["a"]


def test_ctrl_c_while_the_file_is_put_together(out, monkeypatch):
    """All is done by then but for this: seconds, of millions of vectors."""
    replace = os.replace

    def interrupted(*arguments):
        monkeypatch.setattr(os, "replace", replace)
        signal.raise_signal(signal.SIGINT)
        replace(*arguments)

    monkeypatch.setattr(os, "replace", interrupted)
    with suppress(KeyboardInterrupt):
        embed_files(StubEmbedder(), ["a", "b"], out)
    ((name),) = os.listdir(out.parent)
    assert read(out.with_name(name))[0] == ["a", "b"]


def ctrl_c_at_line(number, function):
    """Calls a function with Ctrl-C at the line of vectors.py that is the n-th to be run; whether it came to that."""
    lines = 0

    def trace(frame, event, argument):
        nonlocal lines
        if frame.f_code.co_filename != vectors.__file__:
            return None
        if event == "line":
            lines += 1
            if lines == number:
                signal.raise_signal(signal.SIGINT)
        return trace

    before = sys.gettrace()
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)  # which jobs in the background ignore
    sys.settrace(trace)
    try:
        with suppress(KeyboardInterrupt):
            function()
    finally:
        sys.settrace(before)
        signal.signal(signal.SIGINT, handler)
    return lines >= number


# Ctrl-C between a file's opening and the `with` that would close it leaves that to Python.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_ctrl_c_at_any_line_leaves_no_wrong_file(out, monkeypatch):
    """What is there is whole, and its rows belong to its paths; nothing else is left."""
    monkeypatch.setattr(vectors, "_ROWS", 2)
    names = ["a", "bad", "bb", "ccc", "dddd", "bad", "eeeee"]
    good = [name for name in names if name != "bad"]
    partial = out.with_name(f"vectors.partial{out.suffix}")
    number = 1
    try:
        while ctrl_c_at_line(number, lambda: embed_files(StubEmbedder(), names, out)):
            assert set(os.listdir(out.parent)) <= {out.name, partial.name}, number
            for path in (out, partial):
                if path.exists():
                    paths, found, fingerprint = read(path)
                    assert paths == good[: len(paths)], number
                    np.testing.assert_array_equal(found, expected(names)[: len(paths)])
                    assert fingerprint == str(FINGERPRINT)
                    path.unlink()
            number += 1
    finally:
        gc.collect()
    assert number > 50  # it did come to that
    assert read(out)[0] == good


class Failure(Exception):
    pass


@pytest.mark.parametrize("failing", [0, 3, 5000])
def test_failing_stream_leaves_nothing(out, failing):
    names = [f"{number}" for number in range(failing)] + ["fail"]
    embedder = StubEmbedder({"fail": Failure()})
    with pytest.raises(Failure):
        embed_files(embedder, names, out)
    assert embedder.closed
    assert os.listdir(out.parent) == []


def test_failing_progress_leaves_nothing(out):
    embedder = StubEmbedder()

    def progress(done):
        raise Failure

    with pytest.raises(Failure):
        embed_files(embedder, ["a", "b"], out, progress=progress)
    assert embedder.closed
    assert os.listdir(out.parent) == []


def test_full_disk_leaves_nothing_and_spares_what_was_there(out):
    resource = pytest.importorskip("resource")
    embed_files(StubEmbedder(), ["old"], out)
    before = out.read_bytes()
    names = [f"{number}" for number in range(200_000)]
    embedder = StubEmbedder()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # so that the write fails, as on a full disk
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            embed_files(embedder, names, out)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert embedder.closed
    assert os.listdir(out.parent) == [out.name]
    assert out.read_bytes() == before


def test_a_new_file_takes_the_place_of_the_old_one(out):
    embed_files(StubEmbedder(), [f"old {number}" for number in range(5000)], out)
    seen = []

    def progress(done):
        seen.append(len(read(out)[0]))

    embed_files(StubEmbedder(), ["a", "b"], out, progress=progress)
    assert seen == [5000, 5000]  # until the new one is whole
    assert read(out)[0] == ["a", "b"]
    assert os.listdir(out.parent) == [out.name]


# Names that cannot be


def test_ends_otherwise(tmp_path):
    for name in ("vectors", "vectors.npy", "vectors.csv", "vectors.npz.gz", ".npz", "vectors.NPZ", "vectors.npz "):
        with pytest.raises(ImgsimError, match=r"embed: the file must end in \.npz or \.parquet \(got "):
            check_out(tmp_path / name)
    assert os.listdir(tmp_path) == []


def test_folder_that_is_not_there_or_is_none(tmp_path, ending):
    (tmp_path / "file").touch()
    (tmp_path / f"folder{ending}").mkdir()
    for name in (f"missing/x{ending}", f"file/x{ending}", f"folder{ending}", f"{'x' * 300}/x{ending}"):
        with pytest.raises(ImgsimError, match=r"embed: the file must be writable \(got "):
            check_out(tmp_path / name)
        with pytest.raises(ImgsimError, match="must be writable"):
            embed_files(StubEmbedder(), ["a"], tmp_path / name)
    assert sorted(os.listdir(tmp_path)) == ["file", f"folder{ending}"]


def test_folder_that_cannot_be_written(tmp_path):
    closed = tmp_path / "closed"
    closed.mkdir()
    for folder in (tmp_path.parent, tmp_path):
        folder.chmod(0o755)
    closed.chmod(0o555)
    superuser = (
        os.geteuid() == 0
    )  # who may write everything: for a moment somebody else, as the system's answer sees it
    if superuser:
        os.setreuid(65534, 0)
    try:
        for name in (closed / "x.npz", Path("/proc/x.npz")):
            with pytest.raises(ImgsimError, match="embed: the file must be writable"):
                check_out(name)
    finally:
        if superuser:
            os.setreuid(0, 0)


def test_names_in_messages_are_one_line(tmp_path, ending):
    with pytest.raises(ImgsimError, match=r"\(got .*new\\nline") as caught:
        check_out(tmp_path / f"new\nline/x{ending}")
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("name", ["new\nline", os.fsdecode(b"\xff"), "späße", "a.b.c", "x" * 200])
def test_names_of_the_file_itself(tmp_path, ending, name):
    out = tmp_path / f"{name}{ending}"
    assert embed_files(StubEmbedder(), ["a"], out).out == out
    assert embed_files(interrupted_at("b"), ["a", "b"], out).out == tmp_path / f"{name}.partial{ending}"
    assert read(out)[0] == read(tmp_path / f"{name}.partial{ending}")[0] == ["a"]


def test_parquet_without_pyarrow(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(ImgsimError, match=r"embed: Parquet needs pip install 'imgsim-ops\[parquet\]'"):
        check_out(tmp_path / "x.parquet")
    check_out(tmp_path / "x.npz")


def test_in_the_current_folder(tmp_path, monkeypatch, ending):
    monkeypatch.chdir(tmp_path)
    embed_files(StubEmbedder(), ["a"], f"x{ending}")
    assert read(tmp_path / f"x{ending}")[0] == ["a"]
    assert os.listdir() == [f"x{ending}"]
