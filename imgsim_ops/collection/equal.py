"""What is there twice to the byte or to the pixel: no model is asked, and no picture is described."""

from __future__ import annotations

import os
import struct
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from imgsim_ops.collection.beside import Beside
from imgsim_ops.collection.candidates.evidence import IDENTICAL
from imgsim_ops.collection.candidates.pixels import pixel_hashes
from imgsim_ops.collection.duplicates import MemberList, Rules, age, worth
from imgsim_ops.collection.findings import Evidence, Group, Picture
from imgsim_ops.collection.one_file import with_names
from imgsim_ops.files.hashing import digest_of
from imgsim_ops.files.identity import size_and_time
from imgsim_ops.files.opening import open_regular
from imgsim_ops.files.reasons import SkippedFile
from imgsim_ops.images.decode import decoded
from imgsim_ops.images.formats import format_of
from imgsim_ops.images.frame_count import frame_count
from imgsim_ops.images.memory import Admit, admit_at_once
from imgsim_ops.images.options import ReadOptions
from imgsim_ops.images.readers import IsolatedReaders
from imgsim_ops.matching.relations import Relation

if TYPE_CHECKING:
    from imgsim_ops.collection.candidates.pairs import Progress

_FACTS = struct.Struct("<32sQqIII8s")  # SHA-256, bytes, time of change, width, height, frames, format
_SAME_PIXELS = Evidence("content", 1.0, Relation.SAME_PIXELS.value)
_AHEAD = 8


def file_identity(
    path: str | os.PathLike[str], read: ReadOptions = ReadOptions(), *, admit: Admit = admit_at_once
) -> bytes:
    """What a file is, as far as its bytes and its header tell; a task for ``images.readers``.

    Args:
        path: The file.
        read: How.
        admit: See ``images.decode.decoded``.

    Returns:
        What `_picture` reads.

    Raises:
        ImageError: See ``images.decode.decode``.
    """
    with open_regular(path) as file:
        size, modified = size_and_time(os.fstat(file.fileno()))
        kind = format_of(file, path) or ""
        frames = frame_count(file, kind) or 0
        file.seek(0)
        digest = digest_of(file)
    with decoded(path, max_pixels=read.max_pixels, min_side=1, admit=admit) as picture:
        return _FACTS.pack(digest, size, modified, picture.width, picture.height, frames, kind.encode())


def _picture(path: str, content: bytes) -> Picture:
    digest, size, modified, width, height, frames, kind = _FACTS.unpack(content)
    format_ = kind.rstrip(b"\0").decode()
    return Picture(os.path.abspath(path), size, modified, digest, width, height, format_, frames or None)


def pictures_of(paths: Iterable[str], read: ReadOptions, progress: Progress) -> tuple[list[Picture], list[SkippedFile]]:
    """Files as pictures, and those that are none."""
    found: list[Picture] = []
    skipped: list[SkippedFile] = []
    with IsolatedReaders("imgsim_ops.collection.equal:file_identity", read) as readers:
        for done, (path, answer) in enumerate(readers.in_order(paths, ahead=_AHEAD * read.processes), 1):
            if isinstance(answer, SkippedFile):
                skipped.append(answer)
            else:
                found.append(_picture(path, answer))
            progress("Reading", done, 0)
    return found, skipped


def equal_groups(pictures: Sequence[Picture], read: ReadOptions, rules: Rules, progress: Progress) -> Iterator[Group]:
    """Groups of pictures with equal bytes or equal pixels, by the first of each.

    Args:
        pictures: Any number.
        read: How files are read.
        rules: What is kept, and what may go.
        progress: Called while pixels are compared.
    """
    pixels = _pixels(pictures, read, progress)
    groups: dict[bytes, list[Picture]] = defaultdict(list)
    for picture in pictures:
        groups[pixels.get(picture.sha256) or picture.sha256].append(picture)
    beside = Beside()
    for some in groups.values():
        if len(some) > 1:
            ordered = sorted(some, key=lambda p: (os.path.islink(p.path), -rules.favour(p), *_original(p)))
            kept = max(_as_good(ordered, rules), key=lambda picture: beside.wealth(picture.path))
            found = MemberList(kept, rules, beside)
            for picture in ordered:
                if picture is not kept:
                    found.add(picture, IDENTICAL if picture.sha256 == kept.sha256 else _SAME_PIXELS)
            yield Group(with_names(found.members))


def _as_good(ordered: Sequence[Picture], rules: Rules) -> list[Picture]:
    """The first of some pictures, and those of equal bytes that are no links and no less favoured."""

    def worth(picture: Picture) -> tuple:
        return picture.sha256, rules.favour(picture), os.path.islink(picture.path)

    return [picture for picture in ordered if worth(picture) == worth(ordered[0])]


def _original(picture: Picture) -> tuple:
    """Pixels of a JPEG come out of its decoder: who has them without loss took them from it."""
    return picture.format != "JPEG", *age(picture), worth(picture)


def _pixels(pictures: Sequence[Picture], read: ReadOptions, progress: Progress) -> dict[bytes, bytes]:
    """Hashes of the pixels of contents, by SHA-256, of those that have another one's size and number of frames."""
    alike: dict[tuple[int | None, ...], dict[bytes, str]] = defaultdict(dict)
    for picture in pictures:
        alike[picture.width, picture.height, picture.frames].setdefault(picture.sha256, picture.path)
    wanted = {content: path for some in alike.values() if len(some) > 1 for content, path in some.items()}
    return pixel_hashes(wanted, read, progress) if wanted else {}
