"""Readers in processes of their own: nothing that happens to one picture happens to another."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from imgsim_ops.files.reasons import SkippedFile
from imgsim_ops.images import readers as parent
from imgsim_ops.images.options import ReadOptions
from imgsim_ops.images.readers import IsolatedReaders, read_here
from tests.support import ROOT
from tests.support.processes import children, needs_proc, wait_until

pytestmark = [needs_proc, pytest.mark.usefixtures("nothing_left")]

TASK = "tests.support.reader_tasks:act"


def readers(processes=2, time_limit=60.0, task=TASK, **options):
    return IsolatedReaders(task, ReadOptions(processes, 1_000_000, time_limit), options)


def answers(paths, processes=2, ahead=8, **options):
    with readers(processes, **options) as opened:
        return list(opened.in_order(paths, ahead))


def code_of(answer):
    return answer.code if isinstance(answer, SkippedFile) else answer


# What comes back


@pytest.mark.parametrize("processes", [1, 2, 3, 5])
def test_answers_come_in_order(processes):
    paths = [f"name {number}" for number in range(100)]
    assert answers(paths, processes) == [(path, path.encode()) for path in paths]


def test_reading_here_gives_the_same_answers():
    paths = [Path("name"), "image_error:7", "memory", "options"]
    here = list(read_here(TASK, ReadOptions(), paths, {"exact": True}))
    assert here == answers(paths, exact=True)
    assert [code_of(answer) for _, answer in here] == [b"name", "damaged", "out_of_memory", b"[('exact', True)]"]
    with pytest.raises(KeyError, match="a mistake of ours"):
        list(read_here(TASK, ReadOptions(), ["mistake"]))


def test_no_files():
    assert answers([]) == []
    with readers():
        pass


def test_sizes_of_answers():
    # Nothing; about what the pipe holds; and far more.
    sizes = [0, 1 << 18, 5 << 20, 0, 5 << 20]
    expected = [bytes(range(256)) * (size // 256) for size in sizes]
    assert [answer for _, answer in answers([f"bytes:{size}" for size in sizes])] == expected


def test_options_reach_the_task():
    ((_, answer),) = answers(["options"], exact=True, words="späße 'q' \" \\ \n")
    assert answer.decode() == repr([("exact", True), ("words", "späße 'q' \" \\ \n")])


def test_so_do_those_of_one_file():
    words = "späße 'q' \" \\ \n\0"
    with IsolatedReaders(TASK, ReadOptions(), {"exact": True}, 1) as readers:
        asked = [
            readers.read("options", words=words, box=(1, 2)),
            readers.read("options"),
            readers.read("options", n=1),
        ]
        found = [future.result().decode() for future in asked]
    expected = [{"words": words, "box": [1, 2]}, {}, {"n": 1}]
    assert found == [repr(sorted({"exact": True, **more}.items())) for more in expected]


def test_a_reader_has_one_thread_of_opencv(monkeypatch):
    monkeypatch.setenv("OPENCV_FOR_THREADS_NUM", "3")
    assert answers(["threads"]) == [("threads", b"1")]


NAMES = [
    "new\nline",
    "-dash",
    "--",
    " ",
    "späße 図",
    "'\"\\",
    "\x1b[31m",
    "a\0b",
    "",
    os.fsdecode(b"\xff\xfe not utf-8"),
    "long" * 1000,
    "longer than what a pipe holds" * 10_000,
]


def test_names_arrive_as_they_are():
    assert answers(NAMES, 1) == [(name, os.fsencode(name)) for name in NAMES]


def test_paths_are_of_any_kind():
    assert answers([Path("a"), "b"]) == [("a", b"a"), ("b", b"b")]


def test_name_that_cannot_be_encoded_is_no_file():
    # decode() calls it `missing`.
    found = answers(["a", "\ud800", "b"], 1, task="imgsim_ops.images.preprocess:load_pixels")
    assert [code_of(answer) for _, answer in found] == ["missing"] * 3


# What goes wrong with one picture


DEADLY = {
    "segv": ("crashed", f"signal {signal.SIGSEGV.value}"),
    f"signal:{signal.SIGKILL.value}": ("crashed", "signal 9"),
    f"signal:{signal.SIGABRT.value}": ("crashed", "signal 6"),
    "exit:3": ("crashed", "exit code 3"),
    "exit:0": ("crashed", "exit code 0"),
    "image_error:words": ("damaged", "decode: so it is (got words)"),
    "memory": ("out_of_memory", "decode: there must be enough memory"),
    "all_memory": ("out_of_memory", "decode: there must be enough memory"),
}


@pytest.mark.parametrize("processes", [1, 2, 3])
def test_a_picture_takes_no_other_with_it(processes):
    good = iter(range(10_000))
    paths = []
    for deadly in DEADLY:
        paths += [f"good {next(good)}", deadly, f"good {next(good)}", f"good {next(good)}"]
    paths += ["segv", "segv", f"good {next(good)}"]  # one after the other, and both waiting in one reader
    found = answers(paths, processes)
    assert [path for path, _ in found] == paths
    for path, answer in found:
        if path in DEADLY:
            code, words = DEADLY[path]
            assert isinstance(answer, SkippedFile), path
            assert (answer.path, answer.code) == (path, code)
            assert words in answer.message
            assert answer.message.startswith("decode: ")
            assert answer.message.isprintable()
        else:
            assert answer == path.encode()


def test_only_deadly_pictures():
    found = answers(["exit:3"] * 6, 2)
    assert [code_of(answer) for _, answer in found] == ["crashed"] * 6


def test_messages_name_the_picture_in_one_line(tmp_path):
    path = os.fsdecode(bytes(tmp_path) + b"/new\nline\xff/segv")
    ((_, answer),) = answers([path])
    assert answer.path == path
    assert "new\\nline\\xff/segv: signal 11" in answer.message
    assert answer.message.isprintable()


@pytest.mark.parametrize("processes", [1, 3])
def test_one_death_may_be_somebody_elses_fault(tmp_path, processes):
    paths = [f"{tmp_path}/{name}" for name in ("a", "once:1", "b", "once:2", "once:3", "c")]
    expected = [b"read again" if "once" in path else path.encode() for path in paths]
    assert [answer for _, answer in answers(paths, processes)] == expected


def test_reader_killed_between_two_pictures():
    before = children()
    with readers(1) as opened:
        assert opened.read("a").result() == b"a"
        (reader,) = children() - before
        os.kill(reader, signal.SIGKILL)
        assert opened.read("b").result(timeout=20) == b"b"


def test_endless_pictures_are_given_up():
    limit = 1.5  # a start takes a fifth of a second here, several times as long on a busy machine
    begin = time.monotonic()
    found = answers(["a", "loop", "b", "c", "loop", "d"], 2, time_limit=limit)
    took = time.monotonic() - begin
    assert [code_of(answer) for _, answer in found] == [b"a", "timed_out", b"b", b"c", "timed_out", b"d"]
    assert "within the time limit (got loop)" in found[1][1].message
    # Both at once: the limit, a quarter of it until that is seen, and the starts. One is not tried again.
    assert took < 2 * limit + 5


def test_mistakes_of_ours_are_no_reasons():
    with readers() as opened:
        stream = opened.in_order(["a", "mistake", "b"], 8)
        assert next(stream) == ("a", b"a")
        with pytest.raises(RuntimeError, match=r"(?s)a reader failed at mistake\nTraceback.*KeyError: 'a mistake of"):
            next(stream)
        assert opened.read("after").result() == b"after"


def test_what_a_library_prints_is_not_seen(capfd):
    assert answers(["print", "a", "print"]) == [("print", b"quiet"), ("a", b"a"), ("print", b"quiet")]
    assert capfd.readouterr() == ("", "")


# Readers that cannot start


@pytest.mark.parametrize(
    "task", ["no_such_module_anywhere:act", "tests.support.reader_tasks:no_such_function", "tests.support.reader_tasks"]
)
@pytest.mark.parametrize("processes", [1, 3])
def test_task_that_cannot_be_imported(task, processes, capfd):
    with pytest.raises(RuntimeError, match="a process that reads pictures cannot start"):
        answers([f"name {number}" for number in range(20)], processes, task=task)
    assert "Error" in capfd.readouterr().err  # the reader's own words


def test_python_that_cannot_be_started(monkeypatch):
    monkeypatch.setattr(parent, "get_executable", lambda: os.fsencode("/nowhere/python"))
    with readers(1) as opened:
        answer = opened.read("a")
        # As where the system refuses another process, or another open file. At once: 3 seconds are for a busy machine.
        assert isinstance(answer.exception(timeout=3), OSError)


def test_time_limit_is_for_pictures_not_for_starting():
    # Readers that take over half a second to start, as on a busy machine; the pictures take no time.
    found = answers(["a", "exit:3", "b"], 1, time_limit=0.3, task="tests.support.slow_reader_tasks:act")
    assert [code_of(answer) for _, answer in found] == [b"a", "crashed", b"b"]


# Large pictures


def test_large_pictures_are_decoded_one_at_a_time(tmp_path):
    paths = [f"{tmp_path}/{name}" for name in ["alone", "small"] * 6]
    found = answers(paths, 3)
    assert [answer for _, answer in found] == [b"alone", f"{tmp_path}/small".encode()] * 6


def test_a_large_picture_that_dies_leaves_the_turnstile_open(tmp_path):
    found = answers(["large:0", "segv", "large:0", "large:0"], 2)
    assert [code_of(answer) for _, answer in found] == [b"large", "crashed", b"large", b"large"]


def test_waiting_for_another_large_picture_is_not_decoding():
    # Four of half a second, one after the other: each is well below the limit.
    found = answers(["large:0.5"] * 4, 4, time_limit=1.4)
    assert [code_of(answer) for _, answer in found] == [b"large"] * 4


def test_large_picture_that_hangs_takes_no_other_with_it(tmp_path):
    paths = [f"{tmp_path}/{name}" for name in ("hang_alone", "after_hang", "after_hang", "after_hang")]
    found = answers(paths, 4, time_limit=1.5)
    assert [code_of(answer) for _, answer in found] == ["timed_out"] + [b"innocent"] * 3


# Laziness, and stopping early


def test_paths_are_taken_as_they_are_needed():
    taken = 0

    def endless():
        nonlocal taken
        while True:
            taken += 1
            yield f"name {taken}"

    with readers() as opened:
        stream = opened.in_order(endless(), ahead=5)
        for number in range(1, 30):
            assert next(stream) == (f"name {number}", f"name {number}".encode())
            assert taken <= number + 5
        stream.close()
        assert opened.read("after").result() == b"after"  # the context is still open


def test_error_of_the_callers_own_iterator_passes_through():
    def broken():
        yield from ["a", "loop"]
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), readers() as opened:
        list(opened.in_order(broken(), 8))


@pytest.mark.parametrize("processes", [1, 2, 5])
def test_leaving_ends_readers_whatever_they_do(tmp_path, processes):
    before = children()
    with readers(processes) as opened:
        for number in range(processes):
            opened.read(f"{tmp_path}/mark:{number}")
        # With more to do one reader may be given two of them, of which the second waits.
        wait_until(lambda: len(list(tmp_path.glob("pid-*"))) == processes)
        for _ in range(30):
            opened.read("waiting")
        assert len(children() - before) == processes
        begin = time.monotonic()
    # At once; a second is what Ctrl-C promises.
    assert time.monotonic() - begin < 1
    assert children() == before


def test_leaving_while_readers_start():
    before = children()
    for wait in (0, 0.01, 0.05, 0.1):
        with readers(3) as opened:
            for name in "abcdef":
                opened.read(name)
            time.sleep(wait)
        assert children() == before


def test_leaving_with_an_exception():
    def interrupted():
        with readers() as opened:
            opened.read("loop")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()


# The parent's end. `ready` tells that the readers are busy with what is in argv[1:].
PARENT = """
import os, sys
sys.path.insert(0, {tests!r})
from imgsim_ops.images.readers import IsolatedReaders
from imgsim_ops.images.options import ReadOptions
with IsolatedReaders("tests.support.reader_tasks:act", ReadOptions(2, max_pixels=1000)) as readers:
    for path in sys.argv[1:]:
        answer = readers.read(path)
    if path == "ready":
        answer.result()
        print("ready", flush=True)
    answer.result()
    sys.stdin.read()
"""


@pytest.mark.parametrize(
    "busy",
    [
        pytest.param(False, id="idle"),
        pytest.param(True, id="endless"),
    ],
)
def test_parent_that_is_killed_leaves_no_reader(tmp_path, busy):
    paths = [f"{tmp_path}/mark:1", f"{tmp_path}/mark:2"] if busy else ["a", "b", "ready"]
    code = PARENT.format(tests=str(ROOT))
    environment = {**os.environ, "TMPDIR": str(tmp_path)}  # what a killed parent leaves there is pytest's to delete
    command = [sys.executable, "-c", code, *paths]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as parent:
        if busy:
            wait_until(lambda: len(list(tmp_path.glob("pid-*"))) == 2)
        else:
            assert parent.stdout.readline() == b"ready\n"
        orphans = children(parent.pid)
        parent.kill()
    try:
        assert len(orphans) in (1, 2)  # three short names may all have gone to one reader
        wait_until(lambda: not any(map(_runs, orphans)), seconds=3)
    finally:
        for orphan in filter(_runs, orphans):
            os.kill(orphan, signal.SIGKILL)


def _runs(process):
    try:
        with open(f"/proc/{process}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()[0] != b"Z"  # whoever adopted it may be slow to bury it
    except OSError:
        return False


# Many of everything


def test_a_long_run_of_everything_at_once(tmp_path):
    generator = random.Random(0)
    kinds = ["exit:3", "image_error:x", "memory", "large:0.001", "print", "bytes:300032"]
    paths = []
    for number in range(300):
        bad = generator.random() < 0.15
        paths.append(generator.choice(kinds) if bad else f"name {number}")
        if generator.random() < 0.01:
            paths.append(f"{tmp_path}/once:{number}")
    expected = {
        "exit:3": "crashed",
        "image_error:x": "damaged",
        "memory": "out_of_memory",
        "large:0.001": b"large",
        "print": b"quiet",
        "bytes:300032": bytes(range(256)) * 1172,
    }
    for path, answer in answers(paths, 3, ahead=20):
        right = b"read again" if "once" in path else expected.get(path, path.encode())
        assert code_of(answer) == right, path
