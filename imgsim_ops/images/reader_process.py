"""The process of a reader: reads what its parent, `images.readers`, asks for, one file at a time.

Its start is what the first picture waits for: what is imported here is no more than that needs.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import traceback
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress

try:
    import fcntl
except ImportError:
    fcntl = None

from imgsim_ops.errors import ImageError
from imgsim_ops.files.names import printable
from imgsim_ops.files.reasons import Reason
from imgsim_ops.images import reader_protocol as protocol
from imgsim_ops.images.memory import most_held
from imgsim_ops.images.options import ReadOptions

# A picture that holds more than this is decoded while no other is.
_LARGE = 1 << 26
# After a picture that held more than this the C library's store of free memory is emptied, which costs milliseconds.
_WORTH_GIVING_BACK = 1 << 24
# What a reader holds besides a picture's decoder.
_OWN_MEMORY = 1 << 28


def serve(task: str, read: ReadOptions, options: dict, turnstile: str) -> None:
    """Answers for one file after the other until the pipe on stdin ends.

    Args:
        task: ``module:function``. The function is called with a path, with `read`, with ``admit`` (see
            ``memory.Admit``), and with `options`, and returns bytes.
        read: How files are read.
        options: Its further arguments, besides those of a request.
        turnstile: A file that all readers lock, see `_Turnstile`.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which then ends its readers
    _die_with_parent()
    requests, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)  # what a C library prints must not get between the answers
    work = protocol.function_of(task)
    os.dup2(null, 2)  # nor onto the user's terminal: what matters is in the answer

    def say(kind: bytes, content: bytes = b"") -> None:
        view = memoryview(content).cast("B")
        answers.write(protocol.ANSWER.pack(kind, len(view)))
        answers.write(view)
        answers.flush()

    admission = _Turnstile(turnstile, say)
    _limit_memory(read.max_pixels)
    say(protocol.READY)
    while (asked := protocol.requested(requests)) is not None:
        path, more = asked
        try:
            kind, content = protocol.DONE, work(path, read=read, admit=admission.admit, **options, **more)
        except ImageError as error:
            kind, content = protocol.SKIPPED, os.fsencode(f"{error.code}\n{error}")
        except MemoryError:
            message = f"decode: {Reason.OUT_OF_MEMORY.sentence} (got {printable(path)})"
            kind, content = protocol.SKIPPED, os.fsencode(f"{Reason.OUT_OF_MEMORY.code}\n{message}")
        except Exception:  # noqa: BLE001  (a mistake of ours: the parent raises it)
            kind, content = protocol.FAILED, os.fsencode(traceback.format_exc())
        admission.leave()
        say(kind, content)


def _die_with_parent() -> None:
    """An endless decoder never looks at its pipe. Linux only; elsewhere it would outlive a parent that was killed."""
    if sys.platform == "linux":
        set_parent_death_signal = 1
        ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGKILL)


def _limit_memory(max_pixels: int) -> None:
    """Lets a decoder that asks for more than `memory.check_size` foresees fail, instead of the whole machine."""
    if sys.platform == "linux":
        import resource

        limit, (_, most) = most_held(max_pixels) + _OWN_MEMORY, resource.getrlimit(resource.RLIMIT_DATA)
        if limit < (most if most != resource.RLIM_INFINITY else sys.maxsize):
            resource.setrlimit(resource.RLIMIT_DATA, (limit, most))


class _Turnstile:
    """Admits small pictures of all readers together, a large one alone, so that memory is bounded by the largest one.

    The lock is kept until `leave`, when everything that the decoder held is gone. The operating system takes it back
    from a process that dies. On Windows, which has no such lock, large pictures are decoded side by side.
    """

    def __init__(self, path: str, say: Callable[[bytes], None]):
        self._lock = os.open(path, os.O_RDWR)
        self._say = say
        self._held = 0

    def admit(self, held: int) -> AbstractContextManager:
        self._held = held
        if fcntl is not None:
            mode = fcntl.LOCK_EX if held > _LARGE else fcntl.LOCK_SH
            try:
                fcntl.flock(self._lock, mode | fcntl.LOCK_NB)
            except BlockingIOError:
                self._say(protocol.WAITS)
                fcntl.flock(self._lock, mode)
                self._say(protocol.GOES_ON)
        return nullcontext()

    def leave(self) -> None:
        if self._held > _WORTH_GIVING_BACK:
            _give_memory_back()
        if fcntl is not None:
            fcntl.flock(self._lock, fcntl.LOCK_UN)


def _give_memory_back() -> None:
    """What is free must be free for others: glibc keeps blocks between pieces that are in use."""
    with suppress(AttributeError, OSError, TypeError):  # other C libraries have no such function
        ctypes.CDLL(None).malloc_trim(0)
