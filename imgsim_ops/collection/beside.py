"""What lies beside a picture and not beside the one that would be kept in its place: then it is not proposed to go."""

from __future__ import annotations

import filecmp
import json
import os
from collections.abc import Iterable, Sequence
from typing import Any

from imgsim_ops.errors import ImageError
from imgsim_ops.images import metadata, xmp
from imgsim_ops.images.sidecars import Sidecar, SidecarKind, Sidecars

# A sidecar of more bytes is not read: it counts as something that the other lacks.
_MOST_BYTES = 64 << 20
# What Google Takeout says that is not about the picture, or not the same in each album that it is in.
_ABOUT_TAKEOUT = {
    "title", "url", "imageViews", "creationTime", "photoLastModifiedTime", "googlePhotosOrigin", "appSource", "albums",
}  # fmt: skip


class Beside:
    """What lies beside pictures. A folder is listed once, and a sidecar is read when two pictures are compared."""

    def __init__(self) -> None:
        """Of no folder yet."""
        self._sidecars = Sidecars()

    def lacking(self, path: str, kept: str) -> tuple[str, ...]:
        """What a picture has beside it that the one kept has not, or otherwise.

        Args:
            path: The picture that may go.
            kept: The one that would stay in its place.

        Returns:
            Of ``raw`` (a raw file of the same name: the two are one shot, whatever lies beside the other), ``film``,
            ``edits``, ``rating``, ``keywords``, ``date``, ``place``, ``metadata`` (anything else that is written about
            it) and ``unreadable`` (what cannot be read, and may be any of these), sorted.
        """
        try:
            found = {"raw"} if self._sidecars.raw_of(path) else set[str]()
            own = self._sidecars.of(path)
            others = self._sidecars.of(kept) if own else []
        except (FileNotFoundError, NotADirectoryError):  # gone since: so is what was beside it
            return ()
        except OSError:
            return ("unreadable",)
        paths = {other.path for other in others}
        for sidecar in own:
            if sidecar.path not in paths:
                found |= _lacking(sidecar, [other.path for other in others if other.kind is sidecar.kind], kept)
        return tuple(sorted(found))

    def wealth(self, path: str) -> int:
        """How many kinds of files lie beside a picture: of equal ones, the richest is kept."""
        try:
            kinds = {sidecar.kind for sidecar in self._sidecars.of(path)}
            return len(kinds) + (self._sidecars.raw_of(path) is not None)
        except OSError:  # `lacking` says so
            return 0


def _lacking(sidecar: Sidecar, others: Sequence[str], kept: str) -> set[str]:
    """What one holds that neither some others of its kind do nor, of what XMP says, the kept picture itself."""
    try:
        if os.path.islink(sidecar.path):
            return {"unreadable"}
        if any(_equal(sidecar.path, other) for other in others):
            return set()
        if sidecar.kind is SidecarKind.XMP:
            known = metadata.embedded(kept) | _all_properties(others)
            return xmp.lacking(xmp.properties(_read(sidecar.path)), known)
        if sidecar.kind is SidecarKind.JSON:
            return _lacking_json(json.loads(_read(sidecar.path)), others)
    except FileNotFoundError:
        return set()
    except (ImageError, OSError, ValueError, RecursionError):
        return {"unreadable"}
    return {sidecar.kind.value}


def _equal(one: str, other: str) -> bool:
    try:
        return filecmp.cmp(one, other, shallow=False)
    except FileNotFoundError:
        return False


def _read(path: str) -> bytes:
    return xmp.content_of(path, _MOST_BYTES)


def _all_properties(paths: Iterable[str]) -> dict[str, xmp.Value]:
    """What several sidecars of one picture say; those that cannot be read say nothing."""
    found: dict[str, xmp.Value] = {}
    for path in paths:
        try:
            found |= xmp.properties(_read(path))
        except (ImageError, OSError, ValueError):
            continue
    return found


def _lacking_json(said: Any, others: Iterable[str]) -> set[str]:
    for other in others:
        try:
            known = json.loads(_read(other))
        except (ImageError, OSError, ValueError, RecursionError):  # then it says nothing
            continue
        if said == known or _says_as_much(known, said):
            return set()
    return {"metadata"}


def _says_as_much(known: Any, said: Any) -> bool:
    """Of two files of Google Takeout, whether the one says of a picture what the other does."""
    if not (isinstance(known, dict) and isinstance(said, dict) and "photoTakenTime" in said):
        return False
    return all(known.get(name) == value for name, value in said.items() if name not in _ABOUT_TAKEOUT)
