"""The pipeline from files to vectors: readers in processes of their own, and batches filled across files."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import Any

import numpy as np

from imgsim_ops.embedding.crops import Crops
from imgsim_ops.embedding.description import Description
from imgsim_ops.engines.base import Engine
from imgsim_ops.errors import ImgsimError
from imgsim_ops.files.reasons import SkippedFile
from imgsim_ops.images.options import ReadOptions
from imgsim_ops.images.preprocess import CROP
from imgsim_ops.images.readers import IsolatedReaders, read_here

#: Bounds the feature maps held at once to about 200 MB. Larger batches are no faster on a CPU; of engines that are
#: called several times at once, four pictures each are as fast as more.
BATCH = 16
_BATCH_OF_MANY = 4
# Fewer than so many files are read sooner here than readers have started.
_FEW_FILES = 8


@dataclass(frozen=True)
class Task:
    """What is read of each file, and what the model is asked of it.

    Attributes:
        function: What readers call, as of ``images.readers.serve``.
        batch: Makes an empty batch for its answers.
        options: Its further arguments.
        few_here: Read fewer than 8 files in this process, a third of a second sooner. Then nothing limits the time, and
            a picture that its decoder cannot survive ends the process.
    """

    function: str
    batch: Callable[[], Batch]
    options: Mapping[str, object] = field(default_factory=dict)
    few_here: bool = False


def streamed(
    engine: Engine, task: Task, paths: Iterable[str | os.PathLike[str]], read: ReadOptions
) -> Iterator[tuple[str, Any]]:
    """What the model says of any number of files, as it becomes ready, in order; see ``Embedder.stream``.

    Args:
        engine: The model.
        task: What is read and asked.
        paths: Files; consumed lazily.
        read: How files are read, and how many batches are embedded at once.

    Yields:
        Each path with what the task's batch makes of it, or with the reason why there is nothing.

    Raises:
        ImgsimError: ``paths`` is a single one.
    """
    if isinstance(paths, str | os.PathLike):
        raise ImgsimError("stream: paths must be a list of paths (got a single one)")
    callers, size = read.processes, _BATCH_OF_MANY
    many = engine.many_at_once()
    if many is None:
        many, callers, size = engine, 1, BATCH
    pool = ThreadPoolExecutor(callers, thread_name_prefix="imgsim-embed")
    paths = iter(paths)
    few = list(islice(paths, _FEW_FILES)) if task.few_here else []
    try:
        with ExitStack() as stack:
            if task.few_here and len(few) < _FEW_FILES:
                answers = read_here(task.function, read, few, task.options)
            else:
                readers = stack.enter_context(IsolatedReaders(task.function, read, task.options))
                answers = readers.in_order(chain(few, paths), ahead=size * (callers + 1) + 4 * read.processes)
            pending: deque[Batch] = deque()
            batch = task.batch()
            for path, answer in answers:
                batch.add(path, answer)
                if batch.full(size):
                    pending.append(batch.submit(pool, many))
                    batch = task.batch()
                    if len(pending) > callers:
                        yield from pending.popleft().results()
            pending.append(batch.submit(pool, many))
            for batch in pending:
                yield from batch.results()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


class Batch:
    """Some files in order, their pixels, and later what the model says of them."""

    def __init__(self) -> None:
        self._files: list[tuple[str, object]] = []
        self._pixels: list[np.ndarray] = []
        self._answers: Future | None = None

    def full(self, size: int) -> bool:
        """Whether it has so many pixels, or files enough."""
        # Also of files that were skipped, or a folder of nothing else would show no progress and fill the memory.
        return len(self._pixels) >= size or len(self._files) == 8 * size

    def add(self, path: str, answer: bytes | SkippedFile) -> None:
        """Takes a file with what its reader says."""
        if isinstance(answer, SkippedFile):
            self._files.append((path, answer))
        else:
            self._files.append((path, self._taken(answer)))

    def submit(self, pool: ThreadPoolExecutor, engine: Engine) -> Batch:
        """Gives the pixels to the model; returns itself."""
        if self._pixels:
            self._answers = pool.submit(self._embedded, engine, np.stack(self._pixels))
        return self

    def results(self) -> Iterator[tuple[str, object]]:
        """Waits for the model; yields each file with what is known of it."""
        answers = iter(self._answers.result() if self._answers is not None else ())
        for path, known in self._files:
            yield path, known if isinstance(known, SkippedFile) else self._answer(known, answers)

    def _taken(self, answer: bytes) -> object:
        """Keeps the pixels; returns what else the answer says."""
        self._pixels.append(np.frombuffer(answer, np.uint8).reshape(CROP, CROP, 3))
        return None

    @staticmethod
    def _embedded(engine: Engine, pixels: np.ndarray) -> Iterable:
        """What the model says of each of the pixels."""
        return engine.embed(pixels)

    @staticmethod
    def _answer(known: object, answers: Iterator) -> object:
        """What is yielded of a file."""
        return next(answers)


class Descriptions(Batch):
    """The same of crops, one or two for each file."""

    def _taken(self, answer: bytes) -> Crops:
        crops = Crops.from_bytes(answer)
        self._pixels.extend(crops.pixels)
        return crops

    @staticmethod
    def _embedded(engine: Engine, pixels: np.ndarray) -> Iterable:
        return zip(*engine.embed_with_gem(pixels), strict=True)  # type: ignore[attr-defined]  # `has_gem`

    @staticmethod
    def _answer(known: Crops, answers: Iterator) -> Description:
        mean, centre = next(answers)
        squashed = next(answers)[1] if len(known.pixels) > 1 else centre
        raw = np.concatenate([_unit(mean), _unit(centre), _unit(squashed)]).astype(np.float16)
        return Description(known.width, known.height, known.format, known.perceptual, raw, known.frames)


class TurnedDescriptions(Descriptions):
    """The same of several orientations of each file."""

    def __init__(self, orientations: int) -> None:
        super().__init__()
        self._orientations = orientations

    def _taken(self, answer: bytes) -> tuple[Crops, ...]:
        size = len(answer) // self._orientations
        pieces = (answer[first : first + size] for first in range(0, len(answer), size))
        return tuple(super(TurnedDescriptions, self)._taken(piece) for piece in pieces)

    @staticmethod
    def _answer(known: tuple[Crops, ...], answers: Iterator) -> tuple[Description, ...]:
        return tuple(Descriptions._answer(crops, answers) for crops in known)


def _unit(vector: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(vector.astype(np.float64))
    return vector / length if length > 0 else vector
