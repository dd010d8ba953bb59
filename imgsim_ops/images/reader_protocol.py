"""What readers and who starts them say to each other through two pipes.

To a reader, for one file after the other: the lengths of its name and of options, and both. From it: heads and content.
"""

from __future__ import annotations

import importlib
import json
import os
import struct
from collections.abc import Callable, Mapping
from typing import BinaryIO

LENGTHS = struct.Struct("<II")
ANSWER = struct.Struct("<cI")  # what it is, and how many bytes follow
READY = b"r"
DONE, SKIPPED, FAILED = b"d", b"s", b"f"
WAITS, GOES_ON = b"w", b"g"  # said before an answer, so that waiting for memory does not count as work


def request(path: str, options: Mapping[str, object]) -> bytes:
    """What a reader is asked."""
    name, more = os.fsencode(path), json.dumps(options).encode() if options else b""
    return LENGTHS.pack(len(name), len(more)) + name + more


def requested(pipe: BinaryIO) -> tuple[str, dict[str, object]] | None:
    """The file and the options of the next request; None at the end."""
    head = pipe.read(LENGTHS.size)
    if len(head) < LENGTHS.size:
        return None
    name, more = (pipe.read(length) for length in LENGTHS.unpack(head))
    return os.fsdecode(name), json.loads(more) if more else {}


def function_of(task: str) -> Callable[..., bytes]:
    """The function that a task, ``module:function``, names."""
    module, _, function = task.partition(":")
    return getattr(importlib.import_module(module), function)
