"""Which files beside a picture are of the same shot: its film, its edits, what was written about it, its raw file.

They are known by their names, whose case does not matter, as cameras and other programs give them:

- ``a.jpg.xmp`` (darktable, digiKam), ``a.xmp`` (Lightroom), ``a_01.jpg.xmp`` (darktable's second version of it);
- ``IMG_1.AAE``, ``IMG_O1.AAE`` (Apple's edits), ``a.jpg.pp3`` (RawTherapee), ``a.jpg.dop`` (DxO);
- ``a.jpg.json``, ``a.jpg.supplemental-metadata.json`` and what Google Takeout makes of that, ``a.json``;
- ``IMG_1.MOV``, ``IMG_1.MP4`` (a Live Photo's film), and what is named after the film;
- ``a.CR2``: the raw file, which is a picture of its own.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from imgsim_ops.images.films import seconds_of
from imgsim_ops.images.formats import claimed_format


class SidecarKind(Enum):
    """What is in a sidecar."""

    FILM = "film"
    EDITS = "edits"
    XMP = "xmp"
    JSON = "json"


_KINDS = {
    ".xmp": SidecarKind.XMP,
    ".json": SidecarKind.JSON,
    ".aae": SidecarKind.EDITS,
    ".pp3": SidecarKind.EDITS,
    ".dop": SidecarKind.EDITS,
    ".mov": SidecarKind.FILM,
    ".mp4": SidecarKind.FILM,
}
# Those that programs name after the whole name only.
_WHOLE_NAME_ONLY = (".pp3", ".dop")
# A longer film is none that was taken along with a picture: the picture may be one of it.
_LONGEST_FILM = 10.0
_TAKEOUT = "supplemental-metadata"
_NUMBERED = re.compile(r"(.+)\((\d+)\)", re.DOTALL)
_VERSION = re.compile(r"(.+)_\d\d(\.[^.]+)", re.DOTALL)
_APPLE_EDIT = re.compile(r"(IMG_)[EO](\d+)", re.IGNORECASE)


@dataclass(frozen=True)
class Sidecar:
    """A file that belongs to a picture.

    Attributes:
        path: In the picture's folder.
        kind: What is in it, as its name says.
    """

    path: str
    kind: SidecarKind


class Sidecars:
    """What lies beside pictures. Each folder is listed once: who acts on it must look whether a file is still there."""

    def __init__(self, gone: Iterable[str] = ()) -> None:
        """Of no folder yet.

        Args:
            gone: Paths of pictures that may have left their folders, whose sidecars are meant all the same.
        """
        self._folders: dict[str, _Folder] = {}
        self._gone: dict[str, list[str]] = defaultdict(list)
        for path in gone:
            place, name = os.path.split(path)
            self._gone[place].append(name)

    def of(self, picture: str) -> list[Sidecar]:
        """The sidecars of a picture, by name.

        Raises:
            OSError: The folder cannot be listed.
        """
        folder, name = self._split(picture)
        found = folder.sidecars(name)
        for film in [other for other, kind in found.items() if kind is SidecarKind.FILM]:
            found |= folder.sidecars(film)
        return [Sidecar(os.path.join(os.path.dirname(picture), other), kind) for other, kind in sorted(found.items())]

    def owners(self, sidecar: str) -> list[str]:
        """The files that a sidecar belongs to: pictures, raw files, films, whatever else has its name.

        Raises:
            OSError: The folder cannot be listed.
        """
        folder, name = self._split(sidecar)
        return [os.path.join(os.path.dirname(sidecar), owner) for owner in sorted(folder.owners(name))]

    def raw_of(self, picture: str) -> str | None:
        """The raw file of the same name in the same folder; None of a raw file itself, and where there is none.

        Raises:
            OSError: The folder cannot be listed.
        """
        folder, name = self._split(picture)
        if claimed_format(name) == "RAW":
            return None
        raw = min((other for other in folder.of_stem(_stem(name)) if claimed_format(other) == "RAW"), default=None)
        return None if raw is None else os.path.join(os.path.dirname(picture), raw)

    def _split(self, path: str) -> tuple[_Folder, str]:
        place, name = os.path.split(path)
        if place not in self._folders:
            self._folders[place] = _Folder(place, self._gone[place])
        return self._folders[place], name


class _Folder:
    """The names in a folder."""

    def __init__(self, path: str, gone: Iterable[str]) -> None:
        self._path = path
        self._by_name: dict[str, list[str]] = defaultdict(list)
        self._by_stem: dict[str, list[str]] = defaultdict(list)
        # Sidecars by the names, and by the names without endings, of the files that they may belong to.
        self._claiming_name: dict[str, list[str]] = defaultdict(list)
        self._claiming_stem: dict[str, list[str]] = defaultdict(list)
        self._short: dict[str, bool] = {}
        with os.scandir(path or ".") as entries:
            names = {entry.name for entry in entries if not entry.is_dir(follow_symlinks=False)}
        for name in names.union(gone):
            self._by_name[_key(name)].append(name)
            self._by_stem[_key(_stem(name))].append(name)
            if _ending(name) in _KINDS:
                for names_, stems in _claims(name):
                    for owner in names_:
                        self._claiming_name[_key(owner)].append(name)
                    for stem in stems:
                        self._claiming_stem[_key(stem)].append(name)

    def of_stem(self, stem: str) -> list[str]:
        """All files whose names without endings are this one."""
        return self._by_stem.get(_key(stem), [])

    def sidecars(self, name: str) -> dict[str, SidecarKind]:
        """Those of a file."""
        claiming = {*self._claiming_name.get(_key(name), ()), *self._claiming_stem.get(_key(_stem(name)), ())}
        kinds = ((other, self._kind(other)) for other in claiming - {name} if name in self.owners(other))
        return {other: kind for other, kind in kinds if kind is not None}

    def owners(self, sidecar: str) -> set[str]:
        """Whom a sidecar belongs to: of names that differ in case only, the one spelled as it is."""
        for names, stems in _claims(sidecar):
            found: set[str] = set()
            for name in names:
                there = {*self._by_name.get(_key(name), ())} - {sidecar}
                found |= there & {name} or there
            for stem in stems:
                there = {other for other in self.of_stem(stem) if self._kind(other) is None} - {sidecar}
                meant = {_key(other) for other in there if _stem(other) == stem}
                found |= {other for other in there if _stem(other) == stem or _key(other) not in meant}
            if found:
                return found
        return set()

    def _kind(self, name: str) -> SidecarKind | None:
        """What a file is as a sidecar; None where it is none."""
        kind = _KINDS.get(_ending(name))
        return None if kind is SidecarKind.FILM and not self._is_short(name) else kind

    def _is_short(self, film: str) -> bool:
        if film not in self._short:
            seconds = seconds_of(os.path.join(self._path, film))
            self._short[film] = seconds is None or seconds <= _LONGEST_FILM
        return self._short[film]


def _key(name: str) -> str:
    """One for all names that some file systems hold to be equal."""
    return unicodedata.normalize("NFC", name).casefold()


def _stem(name: str) -> str:
    return os.path.splitext(name)[0]


def _ending(name: str) -> str:
    return os.path.splitext(name)[1].lower()


def _claims(sidecar: str) -> list[tuple[list[str], list[str]]]:
    """What a sidecar may belong to: names, and names without endings; what comes second counts if the first is none."""
    stem, ending = _stem(sidecar), _ending(sidecar)
    if _KINDS.get(ending) is SidecarKind.FILM:
        return [([], [stem])]
    if ending == ".json":
        return [([stem, *_names_in_takeout(stem)], [stem])]
    first = ([stem], [] if ending in _WHOLE_NAME_ONLY else [stem])
    if ending == ".xmp" and (match := _VERSION.fullmatch(stem)):
        return [first, ([match[1] + match[2]], [])]
    if ending == ".aae" and (match := _APPLE_EDIT.fullmatch(stem)):
        return [first, ([], [match[1] + match[2]])]
    return [first]


def _names_in_takeout(stem: str) -> list[str]:
    """The pictures that a file of Google Takeout is about, by its name without ``.json``."""
    numbered = _NUMBERED.fullmatch(stem)
    name, number = numbered.groups() if numbered else (stem, "")
    begun, dot, tail = name.rpartition(".")
    if dot and _TAKEOUT.startswith(tail.lower()):  # which is cut short where the name would be too long
        name = begun
    begun, ending = os.path.splitext(name)
    number = f"({number})" if number else ""
    return [f"{begun}{number}{ending}", f"{begun}-edited{number}{ending}"]
