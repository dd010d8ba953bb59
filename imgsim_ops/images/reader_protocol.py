"""What readers and who starts them say to each other through two pipes.

To a reader: the length of a file's name and the name, for one file after the other. From it: a head and content.
"""

from __future__ import annotations

import importlib
import struct
from collections.abc import Callable

LENGTH = struct.Struct("<I")
ANSWER = struct.Struct("<cI")  # what it is, and how many bytes follow
READY = b"r"
DONE, SKIPPED, FAILED = b"d", b"s", b"f"
WAITS, GOES_ON = b"w", b"g"  # said before an answer, so that waiting for memory does not count as work


def function_of(task: str) -> Callable[..., bytes]:
    """The function that a task, ``module:function``, names."""
    module, _, function = task.partition(":")
    return getattr(importlib.import_module(module), function)
