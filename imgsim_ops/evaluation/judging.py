"""How methods are judged: by the nearest pictures of classes that none of them was trained on."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from imgsim_ops import kernels
from imgsim_ops.errors import ImgsimError
from imgsim_ops.evaluation.labelled import LabelledPictures, PictureSequence

#: Called with how many pictures are done, and of how many.
Progress = Callable[[int, int], None]

# Pictures that are decoded and embedded at once: as many pixels of 224 x 224 are 10 MB.
_BATCH = 64


class Method(Protocol):
    """A way to say which pictures are like one.

    Attributes:
        made_by: What its descriptions come from: a model's fingerprint, or what is compared.
        distance: By what pictures are near.
        dimension: Values in a description; None where it is no vector.
        by_pairs: Whether it looks at each pair of pictures, so that a search takes long.
        meaningless: Why its numbers say nothing of the method; empty where they do.
    """

    made_by: str
    distance: str
    dimension: int | None
    by_pairs: bool
    meaningless: str

    def describe(self, pictures: PictureSequence, progress: Progress) -> Any:
        """What is kept of each picture, in their order; `len` of it is how many there are."""
        ...

    def nearest(self, described: Any, rows: np.ndarray, k: int, progress: Progress) -> np.ndarray:
        """The pictures most like some of them.

        Args:
            described: What `describe` returned of N pictures.
            rows: int64 (Q,): which of them are looked for.
            k: At most N - 1.
            progress: Called as the search goes on.

        Returns:
            int64 (Q, k): for each of them the k most similar others, best first; ties by the lower number.
        """
        ...


class VectorMethod:
    """A `Method` that turns a picture into a vector; vectors are near by the cosine between them.

    Of vectors of unit length, as the Siamese networks make them, the Euclidean distance gives the same order. The
    autoencoder's latent vectors are compared by cosine too, because collections compare vectors so.
    """

    by_pairs = False
    distance = "cosine"
    meaningless = ""
    made_by: str
    dimension: int

    def embed(self, pictures: list[np.ndarray]) -> np.ndarray:
        """Vectors, float32 (N, dimension), of pictures, uint8 RGB (H, W, 3)."""
        raise NotImplementedError

    def describe(self, pictures: PictureSequence, progress: Progress) -> np.ndarray:
        """See `Method.describe`."""
        vectors = np.empty((len(pictures), self.dimension), np.float32)
        for first in range(0, len(pictures), _BATCH):
            last = min(first + _BATCH, len(pictures))
            vectors[first:last] = self.embed([pictures[number] for number in range(first, last)])
            progress(last, len(pictures))
        return vectors

    def nearest(self, described: np.ndarray, rows: np.ndarray, k: int, progress: Progress) -> np.ndarray:
        """See `Method.nearest`."""
        _, found = kernels.cosine_topk(described[rows], described, k + 1)
        progress(len(rows), len(rows))
        # A picture is among its own nearest, unless k + 1 others are as near and stand before it.
        itself = found == rows[:, np.newaxis]
        itself[~itself.any(axis=1), -1] = True
        return found[~itself].reshape(len(rows), k)


@dataclass(frozen=True)
class Judgement:
    """How a method did.

    Attributes:
        accuracy: The share of queries whose k nearest all show the query's class.
        precision: The mean share of the k nearest that show the query's class.
        pictures: Pictures described.
        queries: Pictures searched among the others.
        describe_seconds: For all pictures, decoding and preprocessing included.
        search_seconds: For all queries.
    """

    accuracy: float
    precision: float
    pictures: int
    queries: int
    describe_seconds: float
    search_seconds: float

    @property
    def described_per_second(self) -> float:
        """Pictures that are described in a second."""
        return self.pictures / self.describe_seconds

    @property
    def searched_per_second(self) -> float:
        """Described pictures that are searched among the others in a second."""
        return self.queries / self.search_seconds

    @property
    def pictures_per_second(self) -> float:
        """Pictures that are described and searched in a second, one after the other."""
        return 1 / (self.describe_seconds / self.pictures + self.search_seconds / self.queries)


def check_classes(data: LabelledPictures, k: int) -> None:
    """Checks that every class of the pictures can have k right neighbours.

    Raises:
        ImgsimError: A class has too few pictures, or `k` is less than 1.
    """
    if k < 1:
        raise ImgsimError(f"methods: k must be 1 or more (got {k})")
    for label, count in zip(*np.unique(data.labels, return_counts=True), strict=True):
        if count <= k:
            rule = f"an unseen class must have more than k = {k} pictures"
            raise ImgsimError(f"methods: {rule} (got {count} of {data.classes[label]!r})")


def judge(
    method: Method,
    data: LabelledPictures,
    k: int,
    *,
    most_queries: int | None = None,
    seed: int = 0,
    progress: Callable[[str, int, int], None] = lambda *_: None,
) -> Judgement:
    """Judges a method by pictures of unseen classes.

    Each picture, or some drawn ones, is searched among all others. The time that a model takes to load and for a first
    picture is not counted.

    Args:
        method: What is judged.
        data: Pictures of classes that it was not trained on; more than `k` of each.
        k: How many of the nearest pictures count.
        most_queries: How many pictures are searched at the most, drawn by `seed`. None: all.
        seed: What the draw depends on.
        progress: Called with what is done, how many pictures are done, and of how many.

    Raises:
        ImgsimError: As `check_classes`, or `most_queries` is less than 1.
        ImageError: A file has changed since it was listed.
    """
    check_classes(data, k)
    if most_queries is not None and most_queries < 1:
        raise ImgsimError(f"methods: there must be 1 query or more (got {most_queries})")
    rows = np.arange(len(data))
    if most_queries is not None and most_queries < len(rows):
        rows = np.sort(np.random.default_rng(seed).permutation(rows)[:most_queries])
    method.describe(data.take([0]).pictures, lambda *_: None)
    start = time.perf_counter()
    described = method.describe(data.pictures, lambda *done: progress("describing", *done))
    between = time.perf_counter()
    found = method.nearest(described, rows, k, lambda *done: progress("searching", *done))
    end = time.perf_counter()
    right = data.labels[found] == data.labels[rows, np.newaxis]
    return Judgement(
        accuracy=float(right.all(axis=1).mean()),
        precision=float(right.mean()),
        pictures=len(data),
        queries=len(rows),
        describe_seconds=between - start,
        search_seconds=end - between,
    )


def accuracy_by_chance(labels: np.ndarray, k: int) -> float:
    """The accuracy to expect of k pictures drawn from the others without looking at them."""
    _, classes, counts = np.unique(labels, return_inverse=True, return_counts=True)
    drawn = np.arange(k)
    odds = (counts[:, np.newaxis] - 1 - drawn).clip(min=0) / (len(labels) - 1 - drawn)
    return float(odds.prod(axis=1)[classes].mean())
