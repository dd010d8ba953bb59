"""What documents for other programs look like, as JSON Schema (draft 2020-12).

A file for each kind of document: what ``imgsim dups --json`` and ``imgsim leak --json`` print, what ``imgsim leak
--clean FILE.json`` writes, files of decisions, and the lines of journals. Each has the number of its format, in
``version``, and documents of a version change by adding only: a program that passes over what it does not know reads
those of tomorrow.
"""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

from imgsim_ops.errors import ImgsimError

#: The kinds of documents. Of a journal it is a line that is described.
NAMES = ("duplicates", "leaks", "clean", "decisions", "journal")

_FOLDER = files("imgsim_ops.report") / "schemas"


def schema(name: str) -> dict[str, Any]:
    """The schema of a kind of document.

    Args:
        name: One of `NAMES`.

    Raises:
        ImgsimError: There is no such kind.
    """
    if name not in NAMES:
        raise ImgsimError(f"schema: the name must be one of {', '.join(NAMES)} (got {name!r})")
    return json.loads((_FOLDER / f"{name}.schema.json").read_text("utf-8"))
