"""Files that appear whole or not at all."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from imgsim_ops.errors import ImgsimError
from imgsim_ops.files.names import printable


def check_writable(command: str, path: Path) -> None:
    """Finds out whether a file can be written before the work whose result it is to hold.

    Args:
        command: What errors call who asks.
        path: The file; one that is there would be replaced.

    Raises:
        ImgsimError: Its folder is not there or not writable, or it is a folder itself.
    """
    if not os.access(path.parent, os.W_OK | os.X_OK) or path.is_dir():
        raise ImgsimError(f"{command}: the file must be writable (got {printable(path)})")


@contextmanager
def temporary_beside(path: Path) -> Iterator[Path]:
    """A new name in the folder of `path`, to write to and then rename; at the end the file of this name is deleted."""
    name = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        yield name
    except OSError as error:  # a full disk names no file, and others the one that nobody has asked for
        if error.filename in (None, os.fspath(name)):
            error.filename, error.filename2 = os.fspath(path), None
        raise
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
