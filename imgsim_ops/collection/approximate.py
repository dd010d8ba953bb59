"""An index that finds most of what is near without looking at everything, for collections of millions.

The vectors are sorted into lists around centres, found by k-means (FAISS, IndexIVFScalarQuantizer: an inverted file of
8-bit codes); a search looks into the lists whose centres are nearest to the query, and scores what it finds there by
the vectors themselves. USearch's graph, which finds as much in as little time, took fifteen times as long to build.

Its file names the file of vectors that it was built from. Vectors that were added since are scanned; when all have
changed, by another recipe or `imgsim compact`, the index is out of date and not used.

Needs FAISS (``faiss-cpu``, the extra ``ann``), which is imported when it is used.
"""

from __future__ import annotations

import os
import re
import time
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from imgsim_ops import kernels
from imgsim_ops.collection.store.rows import blocks_of
from imgsim_ops.collection.store.store import Store
from imgsim_ops.errors import ImgsimError
from imgsim_ops.files.syncing import sync_file, sync_folder
from imgsim_ops.files.writing import temporary_beside

_NAME = re.compile(r"approximate-(?P<vectors>vectors-\d+)-(?P<rows>\d+)\.faiss")
#: How many hits recall is measured for, and with how many of the collection's own vectors as queries.
RECALL_AT = 10
SAMPLE = 256
#: As many lists are looked into as find this share of the true ten nearest.
GOAL = 0.99

# Lists that are looked into at the least: a query is seldom as near to its centre as what the index was made of.
_LEAST = 8
# Vectors for each centre that k-means looks at.
_TRAINING = 40
_ROUNDS = 10
# For more hits than this all vectors are scanned, which is hardly slower then.
_MOST = 256
# For each hit asked for so many are scored by their vectors: codes of 8 bits may swap neighbours.
_SPARE = 4


@dataclass(frozen=True)
class Built:
    """What `build` made.

    Attributes:
        file: The index.
        rows: How many vectors are in it.
        lists: How many lists they are in.
        probes: How many of them a search looks into.
        recall: Share of the ten nearest by the exact search that this finds too, itself not counted.
        sample: How many of the collection's own vectors that was measured with.
        seconds: Wall time.
        size: Bytes of the file.
    """

    file: Path
    rows: int
    lists: int
    probes: int
    recall: float
    sample: int
    seconds: float
    size: int


class Approximate:
    """An index of a store's vectors, mapped."""

    def __init__(self, vectors: np.ndarray, index: Any, rows: int) -> None:
        """For `build` and `opened`: of the first `rows` vectors."""
        self._vectors, self._index, self._rows = vectors, index, rows

    def nearest(self, queries: np.ndarray, k: int) -> tuple[Iterable[np.ndarray], Iterable[np.ndarray]]:
        """As ``collection.search.Nearest``, but it may miss some; scores are exact.

        Args:
            queries: float16 (Q, width).
            k: How many to find for each. Above 256 it is the exact search.

        Returns:
            For each query its scores, best first, and rows; fewer than k where the lists hold no more.
        """
        if k > _MOST:
            return kernels.cosine_topk(queries, self._vectors, k)
        number = min(_SPARE * k, self._rows)
        _, found = self._index.search(_unit(queries), number)
        scores, rows = [], []
        for query, candidates in zip(queries, found, strict=True):
            candidates = np.sort(candidates[candidates >= 0])  # so that ties go to the lower row
            best, places = kernels.cosine_topk(query[np.newaxis], self._vectors[candidates], min(k, len(candidates)))
            scores.append(best[0])
            rows.append(candidates[places[0]])
        added = self._vectors[self._rows :]
        if len(added):
            best, places = kernels.cosine_topk(queries, added, min(k, len(added)))
            scores = [np.concatenate(both) for both in zip(scores, best, strict=True)]
            rows = [np.concatenate(both) for both in zip(rows, places + self._rows, strict=True)]
        return scores, rows


def build(store: Store) -> Built:
    """Builds the index of a collection's vectors anew, beside them.

    Memory: 40 vectors in float32 for each list, of which there are twice the square root of their number, and a byte
    for each number of the vectors.

    Raises:
        ImgsimError: The collection is empty, or FAISS is not there.
        OSError: The disk is full or refuses.
    """
    faiss = _faiss()
    start = time.perf_counter()
    vectors = store.vectors()
    if not len(vectors):
        raise ImgsimError("approximate: the collection must have pictures (got none)")
    file = store.path / f"approximate-{store.vectors_file.stem}-{len(vectors)}.faiss"
    lists = max(1, min(int(2 * len(vectors) ** 0.5), len(vectors) // _TRAINING))
    width = vectors.shape[1]
    index = faiss.IndexIVFScalarQuantizer(
        faiss.IndexFlatIP(width), width, lists, faiss.ScalarQuantizer.QT_8bit, faiss.METRIC_INNER_PRODUCT
    )
    index.cp.niter, index.cp.spherical = _ROUNDS, True
    index.cp.min_points_per_centroid = 1  # of small collections, about which FAISS would complain
    step = max(1, len(vectors) // (_TRAINING * lists))
    index.train(_unit(vectors[::step]))
    for block in blocks_of(vectors):
        index.add(_unit(block))
    recall = _tuned(index, vectors)
    with temporary_beside(file) as unfinished:
        faiss.write_index(index, os.fspath(unfinished))
        sync_file(unfinished)
        os.replace(unfinished, file)
    sync_folder(file.parent)
    for other in _files(store):
        if other != file:
            other.unlink(missing_ok=True)
    sample = min(SAMPLE, len(vectors))
    seconds = time.perf_counter() - start
    return Built(file, len(vectors), lists, index.nprobe, recall, sample, seconds, file.stat().st_size)


def why_not(store: Store) -> str | None:
    """Why there is no index to search with, in words; None where there is one."""
    files = _files(store)
    if any(_is_of(file, store) for file in files):
        return None
    what = "is out of date: the vectors have changed" if files else "has not been built"
    return f"approximate: the index {what}; imgsim approximate builds it"


def opened(store: Store) -> Approximate:
    """Opens the index of a store's vectors.

    Raises:
        ImgsimError: There is none, or none of these vectors, or it is damaged, or FAISS is not there.
    """
    vectors = store.vectors()
    file = next((file for file in _files(store) if _is_of(file, store)), None)
    if file is None:
        raise ImgsimError(why_not(store))
    faiss = _faiss()
    try:
        index = faiss.read_index(os.fspath(file), faiss.IO_FLAG_MMAP | faiss.IO_FLAG_READ_ONLY)
    except RuntimeError as error:  # which is all that FAISS raises
        raise ImgsimError(f"approximate: {file.name} must be sound; imgsim approximate builds it anew") from error
    rows = int(_NAME.fullmatch(file.name)["rows"])
    if (index.ntotal, index.d) != (rows, vectors.shape[1]):
        raise ImgsimError(f"approximate: {file.name} must be of these vectors; imgsim approximate builds it anew")
    return Approximate(vectors, index, rows)


def _faiss():
    try:
        with warnings.catch_warnings():  # of what SWIG wrote
            warnings.simplefilter("ignore")
            import faiss
    except ImportError as error:
        raise ImgsimError("approximate: FAISS is needed (got none); pip install faiss-cpu") from error
    faiss.omp_set_num_threads(kernels.build_info()["threads"])
    return faiss


def _files(store: Store) -> list[Path]:
    """Those of any vectors, the one with the most rows first."""
    found = [(match, file) for file in store.path.iterdir() if (match := _NAME.fullmatch(file.name))]
    return [file for match, file in sorted(found, key=lambda pair: -int(pair[0]["rows"]))]


def _is_of(file: Path, store: Store) -> bool:
    match = _NAME.fullmatch(file.name)
    return match["vectors"] == store.vectors_file.stem and int(match["rows"]) <= len(store.vectors())


def _unit(vectors: np.ndarray) -> np.ndarray:
    """As FAISS takes them, float32 and of unit length; zeros stay zeros."""
    vectors = np.array(vectors, np.float32)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.divide(vectors, lengths, out=vectors, where=lengths > 0)


def _tuned(index: Any, vectors: np.ndarray) -> float:
    """Sets how many lists are looked into; returns the recall of that."""
    approximate = Approximate(vectors, index, len(vectors))
    rows = np.linspace(0, len(vectors) - 1, min(SAMPLE, len(vectors))).astype(np.int64)
    queries, most = np.array(vectors[rows]), min(RECALL_AT + 1, len(vectors))
    exact = _others(rows, *kernels.cosine_topk(queries, vectors, most))
    index.nprobe = _LEAST // 2
    while True:
        index.nprobe = min(2 * index.nprobe, index.nlist)
        found = _others(rows, *approximate.nearest(queries, most))
        # By score: of equally near ones any will do.
        hits = sum((a >= e.min() - 1e-6).sum() for a, e in zip(found, exact, strict=True) if len(e))
        recall = float(hits / max(1, sum(map(len, exact))))
        if recall >= GOAL or index.nprobe == index.nlist:
            return recall


def _others(rows: np.ndarray, scores: Iterable[np.ndarray], found: Iterable[np.ndarray]) -> list[np.ndarray]:
    """The best scores of each but itself."""
    return [s[f != row][:RECALL_AT] for row, s, f in zip(rows, scores, found, strict=True)]
