"""Reading many pictures at once, each in a process that it cannot take down with it.

A decoder is a large C library that meets whatever bytes somebody put into a file; it may crash, or never end. No thread
survives that, so each of the readers here is a process: it gets names of files through a pipe, one at a time, and
answers with a few bytes for each. When it dies or takes too long, it is the picture in its hands that is to blame,
and nothing else is lost: a new process takes the next.

A process costs a fifth of a second to start, at the same time as the others and as the model, and then some ten
microseconds a picture; in return the readers share no interpreter lock.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from itertools import chain
from multiprocessing.spawn import get_executable
from queue import Empty, SimpleQueue

try:
    import fcntl
except ImportError:
    fcntl = None

from imgsim_ops.ahead import in_order, known
from imgsim_ops.errors import ImageError
from imgsim_ops.files.names import printable
from imgsim_ops.files.reasons import Reason, SkippedFile
from imgsim_ops.images import reader_protocol as protocol
from imgsim_ops.images.memory import admit_at_once
from imgsim_ops.images.options import ReadOptions

_PIPE_BYTES = 1 << 18  # an answer of 224 x 224 x 3 bytes fits, so that the reader need not wait to hand it over


def read_here(
    task: str, read: ReadOptions, paths: Iterable[str | os.PathLike[str]], options: Mapping[str, object] | None = None
) -> Iterator[tuple[str, bytes | SkippedFile]]:
    """The same in this process, without the time that others take to start, and without what they are good for.

    Args:
        task: See ``reader_process.serve``.
        read: See ``reader_process.serve``.
        paths: Files; consumed lazily.
        options: See ``reader_process.serve``.

    Yields:
        Each path with the task's bytes or a `SkippedFile`.
    """
    work = protocol.function_of(task)
    for path in (os.fspath(given) for given in paths):
        answer: bytes | SkippedFile
        try:
            answer = work(path, read=read, admit=admit_at_once, **(options or {}))
        except ImageError as error:
            answer = SkippedFile(path, error.code, str(error))
        except MemoryError:
            answer = _skipped(Reason.OUT_OF_MEMORY, path)
        yield path, answer


class _Job:
    def __init__(self, path: str, options: Mapping[str, object]):
        self.path = path
        self.request = protocol.request(path, options)
        self.answer: Future = Future()
        self.tries = 0


class _Reader:
    """One process, and what it was asked and has not answered, in order."""

    def __init__(self, command: list[str], environment: dict[str, str]):
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            # A thread inside a buffered read would make Python abort when a second Ctrl-C ends it at once.
            bufsize=0,
            env=environment,
            start_new_session=True,  # so that a terminal's Ctrl-C does not reach it before it ignores that
        )
        self._enlarge_pipe()
        self._ready = False
        self.timed_out = False
        self.since: float | None = None  # when it began with what it is working on

    def _enlarge_pipe(self) -> None:
        with suppress(AttributeError, OSError):  # Linux only, and only as far as it is allowed
            fcntl.fcntl(self._process.stdout, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)

    def ask(self, job: _Job) -> None:
        with suppress(OSError):  # it has died: `answer` will find out
            self._process.stdin.write(job.request)

    def begin(self) -> None:
        """Its time for the oldest question begins, unless it has still to start, which is not the picture's fault."""
        if self._ready:
            self.since = time.monotonic()

    def answer(self) -> tuple[bytes, bytes] | None:
        """What it says to the oldest question; None when it has died.

        Raises:
            RuntimeError: It has never lived.
        """
        while len(head := self._read(protocol.ANSWER.size)) == protocol.ANSWER.size:
            kind, length = protocol.ANSWER.unpack(head)
            if kind in (protocol.READY, protocol.WAITS, protocol.GOES_ON):
                self._ready = True
                self.since = None if kind == protocol.WAITS else time.monotonic()
            else:
                content = self._read(length)
                return (kind, content) if len(content) == length else None
        if not self._ready:
            raise RuntimeError("a process that reads pictures cannot start; its own words are above")
        return None

    def _read(self, size: int) -> bytes:
        """So many bytes, fewer only at the end."""
        content = bytearray(size)
        got = 0
        while got < size and (more := self._process.stdout.readinto(memoryview(content)[got:])):  # type: ignore[attr-defined]
            got += more
        return bytes(content[:got])

    def kill(self) -> None:
        self._process.kill()

    def close(self) -> int:
        """Ends it at once; returns its exit code, negative for a signal."""
        self._process.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            with suppress(OSError):
                pipe.close()
        return self._process.wait()


def _skipped(reason: Reason, path: str, how: str = "") -> SkippedFile:
    return SkippedFile(path, reason.code, f"decode: {reason.sentence} (got {printable(path)}{how})")


class IsolatedReaders:
    """Some processes that read pictures, used as a context."""

    def __init__(
        self,
        task: str,
        read: ReadOptions,
        options: Mapping[str, object] | None = None,
        processes: int | None = None,
    ) -> None:
        """Starts the processes.

        Args:
            task: See ``reader_process.serve``.
            read: See ``reader_process.serve``.
            options: See ``reader_process.serve``; what JSON can hold.
            processes: How many; None: as many as `read` has.
        """
        turnstile, self._turnstile = tempfile.mkstemp(prefix="imgsim-")
        os.close(turnstile)
        code = (
            f"import sys; sys.path[:] = {sys.path!r}; from imgsim_ops.images.reader_process import serve; "
            "from imgsim_ops.images.options import ReadOptions; import json; "
            f"serve({task!r}, {read!r}, json.loads({json.dumps(options or {})!r}), {self._turnstile!r})"
        )
        self._command = [os.fsdecode(get_executable()), "-I", "-c", code]
        # One thread each: there are as many processes as processors already.
        threads = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "OPENCV_FOR_THREADS_NUM")
        self._environment = {**os.environ, **dict.fromkeys(threads, "1")}
        self._time_limit = read.time_limit
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._closing = threading.Event()
        self._readers: list[_Reader | None] = [None] * (processes or read.processes)
        self._threads = [
            threading.Thread(target=self._keep, args=(place,), name=f"imgsim-reader-{place}", daemon=True)
            for place in range(len(self._readers))
        ]
        self._threads.append(threading.Thread(target=self._watch, name="imgsim-watch", daemon=True))
        for thread in self._threads:
            thread.start()

    def __enter__(self) -> IsolatedReaders:
        return self

    def __exit__(self, *exception: object) -> None:
        """Ends the processes at once, whatever they are doing."""
        self._closing.set()
        for _ in self._readers:
            self._jobs.put(None)
        for reader in self._readers:
            if reader is not None:
                reader.kill()
        for thread in self._threads:
            thread.join()
        with suppress(OSError):
            os.unlink(self._turnstile)

    def read(self, path: str | os.PathLike[str], **options: object) -> Future:
        """Asks for a file; the future's result is the task's bytes or a `SkippedFile`.

        Args:
            path: The file.
            options: Further arguments of the task, for this file only; what JSON can hold.
        """
        try:
            job = _Job(os.fspath(path), options)
        except UnicodeEncodeError:  # no file system has such a name
            return known(_skipped(Reason.MISSING, os.fspath(path)))
        self._jobs.put(job)
        return job.answer

    def in_order(
        self, paths: Iterable[str | os.PathLike[str]], ahead: int
    ) -> Iterator[tuple[str, bytes | SkippedFile]]:
        """Reads files, with few of them begun before the one that is waited for.

        Args:
            paths: Files; consumed lazily.
            ahead: How many answers may wait for their turn.

        Returns:
            Each path with the task's bytes or a `SkippedFile`, in the order of `paths`.

        Raises:
            RuntimeError: A reader cannot start, or the task itself failed.
        """
        return in_order(self.read, (os.fspath(path) for path in paths), ahead)

    def _keep(self, place: int) -> None:
        """A thread for each reader: hands it files and hands out its answers until `None` is the next job."""
        asked: deque[_Job] = deque()
        try:
            self._converse(place, asked)
        except Exception as error:  # noqa: BLE001  (it belongs to who waits for an answer)
            for job in chain(tuple(asked), iter(self._jobs.get, None)):
                job.answer.set_exception(error)
            asked.clear()
        finally:
            if (reader := self._readers[place]) is not None:
                reader.close()
        for job in asked:
            job.answer.set_exception(CancelledError())

    def _converse(self, place: int, asked: deque[_Job]) -> None:
        reader = None
        while True:
            # While a reader works on one file the name of the next waits in its pipe, unless another reader is idle.
            while not asked or (len(asked) < 2 and self._jobs.qsize() >= len(self._readers)):
                if reader is not None and not asked:
                    reader.since = None
                try:
                    job = self._jobs.get(block=not asked)
                except Empty:  # another was quicker
                    break
                if job is None:
                    return
                asked.append(job)
                reader = reader or self._start(place)
                reader.ask(job)
                if len(asked) == 1:
                    reader.begin()
            answer = reader.answer()
            if answer is not None:
                reader.begin()
                self._hand_out(asked.popleft(), *answer)
            elif self._closing.is_set():
                return
            else:
                self._bury(asked, reader.timed_out, reader.close())
                reader = self._start(place)
                for job in asked:
                    reader.ask(job)

    def _start(self, place: int) -> _Reader:
        reader = _Reader(self._command, self._environment)
        self._readers[place] = reader
        if self._closing.is_set():  # too late for `__exit__` to have seen it
            reader.kill()
        return reader

    @staticmethod
    def _hand_out(job: _Job, kind: bytes, content: bytes) -> None:
        if kind == protocol.DONE:
            job.answer.set_result(content)
        elif kind == protocol.SKIPPED:
            code, _, message = os.fsdecode(content).partition("\n")
            job.answer.set_result(SkippedFile(job.path, code, message))
        else:
            job.answer.set_exception(RuntimeError(f"a reader failed at {printable(job.path)}\n{os.fsdecode(content)}"))

    @staticmethod
    def _bury(asked: deque[_Job], timed_out: bool, code: int) -> None:
        """Takes the picture that a reader died of from what it was asked; one death may be somebody else's fault."""
        job = asked[0]
        job.tries += 1
        if not timed_out and job.tries < 2:
            return
        asked.popleft()
        reason = Reason.TIMED_OUT if timed_out else Reason.CRASHED
        how = "" if timed_out else f": signal {-code}" if code < 0 else f": exit code {code}"
        job.answer.set_result(_skipped(reason, job.path, how))

    def _watch(self) -> None:
        """Kills readers that take too long over a picture."""
        while not self._closing.wait(min(1.0, self._time_limit / 4)):
            for reader in self._readers:
                since = reader.since if reader is not None else None
                if since is not None and time.monotonic() - since > self._time_limit:
                    reader.timed_out = True
                    reader.kill()
