"""Files that appear whole or not at all."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def temporary_beside(path: Path) -> Iterator[Path]:
    """A new name in the folder of `path`, to write to and then rename; at the end the file of this name is deleted."""
    name = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        yield name
    finally:
        name.unlink(missing_ok=True)


def write_file(path: Path, content: bytes) -> None:
    """Writes a file whole or not at all: under another name first, synced, then renamed.

    Raises:
        OSError: The folder or the disk refuses.
    """
    with temporary_beside(path) as name:
        with open(name, "xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
