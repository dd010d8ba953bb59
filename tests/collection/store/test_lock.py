"""One writer at a time, in processes of their own."""

import json
import os
import signal
import subprocess
import sys

import pytest

from imgsim_ops.collection.store.lock import WriterLock
from imgsim_ops.errors import ImgsimError
from tests.support.processes import wait_until

HOLDER = """
import sys
from imgsim_ops.collection.store.lock import WriterLock
from pathlib import Path
lock = WriterLock(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.readline()
lock.release()
"""


@pytest.fixture
def holder(tmp_path):
    """A process that holds the lock until it reads a line."""
    command = [sys.executable, "-c", HOLDER, tmp_path]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        if process.poll() is None:
            process.kill()


def test_the_second_is_told_who_writes(tmp_path, holder):
    with pytest.raises(ImgsimError, match=rf"one writer at a time .*in use by process {holder.pid} on .* since"):
        WriterLock(tmp_path)
    holder.communicate("\n")
    WriterLock(tmp_path).release()


def test_the_second_waits(tmp_path, holder):
    lines = []

    def announce(line):
        lines.append(line)
        holder.stdin.write("\n")  # so that it ends while this one waits
        holder.stdin.flush()

    lock = WriterLock(tmp_path, wait=True, announce=announce)
    assert len(lines) == 1
    assert f"process {holder.pid}" in lines[0]
    assert json.loads((tmp_path / "writer.json").read_bytes())["process"] == os.getpid()
    lock.release()
    assert not (tmp_path / "writer.json").exists()


def test_a_killed_holder_frees_it(tmp_path, holder):
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert json.loads((tmp_path / "writer.json").read_bytes())["process"] == holder.pid  # it could not tidy up
    lock = WriterLock(tmp_path)
    with pytest.raises(ImgsimError, match=f"in use by process {os.getpid()} "):  # nor is it named any more
        WriterLock(tmp_path)
    lock.release()


def test_one_who_waits_gets_it_from_a_killed_holder(tmp_path, holder):
    lock = WriterLock(tmp_path, wait=True, announce=lambda line: holder.kill())
    assert wait_until(lambda: holder.poll() is not None)
    lock.release()


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b'{"process": 1}', b'{"process": 1, "host": 2, "since": "x"}'])
def test_a_holder_without_a_name(tmp_path, holder, content):
    (tmp_path / "writer.json").write_bytes(content)
    with pytest.raises(ImgsimError, match="in use by another process"):
        WriterLock(tmp_path)


def test_a_folder_that_cannot_be_written(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # permissions mean nothing to the superuser
    with pytest.raises(ImgsimError, match="collection: the folder must be writable"):
        WriterLock(tmp_path)


def test_a_full_disk_does_not_keep_anybody_out(tmp_path, monkeypatch):
    def full(path, content):
        raise OSError(28, "No space left on device")

    (tmp_path / "writer.json").write_text('{"process": 1, "host": "gone", "since": 1}')
    monkeypatch.setattr("imgsim_ops.collection.store.lock.write_file", full)
    lock = WriterLock(tmp_path)
    with pytest.raises(ImgsimError, match="in use by another process"):  # not by the one before
        WriterLock(tmp_path)
    lock.release()
