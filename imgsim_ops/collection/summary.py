"""What is in a collection, in numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from imgsim_ops.collection.store.schema import DATABASE
from imgsim_ops.collection.store.store import Store


@dataclass(frozen=True)
class Summary:
    """What is in a collection.

    Attributes:
        pictures: Files with a vector.
        contents: Different ones among them, and the orphans.
        orphans: Contents whose files are all gone; `Store.compact` gives their room back.
        unreadable: Files that are no readable pictures.
        pages: Of the pictures those that are frames and pages of a file, beyond its first.
        formats: How many pictures there are of each format, the most first.
        size: Bytes of the pictures' files.
        on_disk: Bytes of each file of the collection.
        changed: When it last was, in seconds since 1970.
    """

    pictures: int
    contents: int
    orphans: int
    unreadable: int
    pages: int
    formats: Mapping[str, int]
    size: int
    on_disk: Mapping[str, int]
    changed: float


def summary_of(store: Store) -> Summary:
    """Goes through the database once; a second for a million pictures."""
    formats = store.formats()
    return Summary(
        **store.counts(),
        formats={kind: number for kind, (number, _) in formats.items()},
        size=sum(size for _, size in formats.values()),
        on_disk=sizes_on_disk(store),
        changed=(store.path / DATABASE).stat().st_mtime,
    )


def sizes_on_disk(store: Store) -> dict[str, int]:
    """Bytes of each file of a collection, by name."""
    return {file.name: file.stat().st_size for file in sorted(store.path.iterdir()) if file.is_file()}
