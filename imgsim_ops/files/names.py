"""How a file's name is shown to people.

A POSIX name is any bytes but ``/`` and NUL, so it may hold newlines, terminal escapes or bytes that are
not UTF-8.
"""

from __future__ import annotations

import os


def printable(path: str | os.PathLike[str]) -> str:
    r"""Returns a path as one line of text that any terminal and any encoding of stdout can take.

    Args:
        path: Any path; bytes that are not UTF-8 stand in it as Python's surrogate escapes.

    Returns:
        The path with every unprintable character escaped: a newline becomes ``\n``, a byte 0xFF that is not
        UTF-8 ``\xff``. Letters of all scripts stay as they are.
    """
    return "".join(c if c.isprintable() else _escaped(c) for c in os.fspath(path))


def _escaped(character: str) -> str:
    if "\udc80" <= character <= "\udcff":  # a surrogate escape stands for one byte
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character.encode("unicode_escape").decode("ascii")


def html_text(value: object) -> str:
    """Any text as one line that means itself in HTML, between tags and in quoted attributes."""
    import html  # which costs every start some milliseconds, and few write pages

    return html.escape(printable(str(value)))
