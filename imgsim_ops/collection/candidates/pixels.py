"""Which pictures of a collection have equal pixels, all of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from imgsim_ops.files.reasons import SkippedFile
from imgsim_ops.images.readers import IsolatedReaders

if TYPE_CHECKING:
    from imgsim_ops.collection.candidates.looking import Looking
    from imgsim_ops.collection.candidates.pairs import Progress
    from imgsim_ops.collection.grouping import Cluster

_TASK = "imgsim_ops.images.pixel_hash:pixel_hash"


def same_pixels(looking: Looking, clusters: Sequence[Cluster], progress: Progress) -> set[tuple[int, int]]:
    """Rows of clusters with the row kept there, of which all pixels are equal."""
    pairs = [
        (row, cluster.keep) for cluster in clusters for row, judged in cluster.members.items() if judged.judgement.equal
    ]
    if not pairs:
        return set()
    wanted = sorted({row for pair in pairs for row in pair})
    hashes: dict[int, bytes] = {}
    with IsolatedReaders(_TASK, looking.read_options) as readers:
        paths = (looking.files(row)[0].path for row in wanted)
        for row, (_, answer) in zip(wanted, readers.in_order(paths, ahead=8), strict=True):
            hashes[row] = b"" if isinstance(answer, SkippedFile) else bytes(answer)
            progress("Comparing pixels", len(hashes), len(wanted))
    return {(row, keep) for row, keep in pairs if hashes[row] and hashes[row] == hashes[keep]}
