"""Which pictures of a collection have equal pixels, all of them."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from imgsim_ops.files.reasons import SkippedFile
from imgsim_ops.images.options import ReadOptions
from imgsim_ops.images.pixel_hash import is_shown_in
from imgsim_ops.images.readers import IsolatedReaders

if TYPE_CHECKING:
    from imgsim_ops.collection.candidates.looking import Looking
    from imgsim_ops.collection.candidates.pairs import Progress
    from imgsim_ops.collection.grouping import Cluster

Key = TypeVar("Key", bound=Hashable)

_TASK = "imgsim_ops.images.pixel_hash:pixel_hash"


@dataclass(frozen=True)
class Equals:
    """Pairs of a row of a cluster and the row kept there.

    Attributes:
        same: Of which all pixels are equal, in all frames and bits.
        shown: Of which the one kept shows all pixels of the other, and more: further frames, or finer levels.
    """

    same: Set[tuple[int, int]] = frozenset()
    shown: Set[tuple[int, int]] = frozenset()


def same_pixels(looking: Looking, clusters: Sequence[Cluster], progress: Progress) -> Equals:
    """Compares the members of clusters that look equal with the ones kept, pixel by pixel."""
    pairs = [
        (row, cluster.keep) for cluster in clusters for row, judged in cluster.members.items() if judged.judgement.equal
    ]
    if not pairs:
        return Equals()
    wanted = {row: looking.files(row)[0].path for row in sorted({row for pair in pairs for row in pair})}
    hashes = pixel_hashes(wanted, looking.read_options, progress)
    shown = {(row, keep) for row, keep in pairs if is_shown_in(hashes.get(row, b""), hashes.get(keep, b""))}
    same = {(row, keep) for row, keep in shown if hashes[row] == hashes[keep]}
    return Equals(same, shown - same)


def pixel_hashes(paths: Mapping[Key, str], read: ReadOptions, progress: Progress) -> dict[Key, bytes]:
    """The hashes of all pixels of files, without those that cannot be read or have more than is looked at.

    Args:
        paths: Files, by what the answer calls them.
        read: How they are read.
        progress: Called with how many are done.
    """
    found = {}
    with IsolatedReaders(_TASK, read) as readers:
        answers = readers.in_order(paths.values(), ahead=4 * read.processes)
        for done, (key, (_, answer)) in enumerate(zip(paths, answers, strict=True), 1):
            if not isinstance(answer, SkippedFile) and answer:
                found[key] = bytes(answer)
            progress("Comparing pixels", done, len(paths))
    return found
