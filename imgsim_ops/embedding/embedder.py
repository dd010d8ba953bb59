"""Pictures to vectors, and two pictures to a similarity."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain, islice

import numpy as np

from imgsim_ops import kernels
from imgsim_ops.embedding.crops import Views
from imgsim_ops.embedding.description import Description
from imgsim_ops.engines.base import Engine
from imgsim_ops.errors import ImageError, ImgsimError
from imgsim_ops.files.reasons import SkippedFile
from imgsim_ops.images.isolated import TIME_LIMIT, IsolatedReaders, read_here
from imgsim_ops.images.memory import MAX_PIXELS
from imgsim_ops.images.preprocess import CROP, RESIZE, load_pixels, preprocessing_version
from imgsim_ops.model_files.engine import create_engine
from imgsim_ops.recipes.fingerprint import Fingerprint
from imgsim_ops.recipes.recipes import PARTS

Picture = str | os.PathLike[str] | np.ndarray

# Bounds the feature maps held at once to about 200 MB. Larger batches are no faster on a CPU; of engines that are
# called several times at once, four pictures each are as fast as more.
_BATCH = 16
_BATCH_OF_MANY = 4
# From so many files on `embed` starts readers for them.
_MANY_FILES = 32
# Fewer than so many are read sooner here than readers have started.
_FEW_FILES = 8


@dataclass(frozen=True)
class Similarity:
    """How alike two pictures are.

    Attributes:
        score: Cosine of the two embeddings; at most 1, and 1 for equal pixels.
        layers: Cosines of the pooled vectors of the four taps, fine to coarse: the first compares texture and
            colour, the last the subject. Empty for a model that has one scale only, as trained encoders have.
    """

    score: float
    layers: tuple[float, ...]


class Embedder:
    """Turns pictures into vectors.

    Attributes:
        fingerprint: What the vectors carry; only vectors with equal fingerprints may be compared.
        dimension: Values in a vector.
        raw_width: Values in a raw vector of `describe`.
    """

    fingerprint: Fingerprint
    dimension: int
    raw_width: int

    def __init__(
        self,
        backbone: str = "resnet18",
        engine: str = "onnx",
        precision: str = "auto",
        weights: str | os.PathLike[str] | None = None,
        threads: int = 0,
        *,
        exact: bool = False,
        model: str | os.PathLike[str] | None = None,
        announce: Callable[[str], None] | None = None,
    ) -> None:
        """Loads the model; the first time for these weights it is built, which takes seconds.

        Args:
            backbone: ``resnet18``, ``efficientnet_lite0``, or the folder of an encoder that ``imgsim methods train``
                trained, or a model file of imgsim's.
            engine: ``onnx``, ``torch`` or ``torchscript``; see ``imgsim_ops.model_files.engine.create_engine``.
            precision: ``fp32``; ``int8``; or ``auto``, int8 where it is fast here and was measured to be as good.
            weights: As in ``imgsim_ops.models.weights.load_backbone``.
            threads: How many threads a forward pass may use; 0 leaves the engine's own number.
            exact: Decode every pixel of large JPEGs, see ``images.preprocess.load_pixels``. The vectors' fingerprint
                says which.
            model: A file that ``imgsim export`` wrote, in place of a backbone, precision and weights.
            announce: Called with one line when something takes seconds. Default: prints it to stderr.

        Raises:
            ImgsimError: No backbone, engine or precision has that name, or an option does not fit the engine.
            WeightsError: The weights cannot be had or do not fit.
        """
        self._engine = create_engine(
            engine,
            backbone=backbone,
            precision=precision,
            weights=weights,
            threads=threads,
            model=model,
            announce=announce,
        )
        self._exact = exact
        self.fingerprint = replace(self._engine.fingerprint, preprocessing=preprocessing_version(exact))
        self.dimension = self._engine.dimension
        self.raw_width = PARTS * self.dimension

    def embed(self, pictures: Iterable[Picture]) -> np.ndarray:
        """The vectors of pictures, in their order.

        Args:
            pictures: Paths, or uint8 RGB arrays (H, W, 3).

        Returns:
            float32 (N, dimension). Not normalised to unit length, unless `model` was exported by another recipe than
            ``mean``.

        Raises:
            ImageError: A file cannot be read as a picture. ``stream`` goes on without it.
            ValueError: An array is no picture, or ``pictures`` is a single one.
        """
        if isinstance(pictures, str | os.PathLike) or (isinstance(pictures, np.ndarray) and pictures.ndim == 3):
            raise ValueError("embed: pictures must be a list of paths or arrays (got a single one)")
        pictures = list(pictures)
        if len(pictures) >= _MANY_FILES and not any(isinstance(picture, np.ndarray) for picture in pictures):
            with closing(self.stream(pictures)) as stream:
                return self._vectors([_required(vector) for _, vector in stream])
        remaining = map(self._pixels, pictures)
        batches = iter(lambda: list(islice(remaining, _BATCH)), [])
        return self._vectors([vector for batch in batches for vector in self._engine.embed(np.stack(batch))])

    def stream(
        self,
        paths: Iterable[str | os.PathLike[str]],
        threads: int = 0,
        *,
        max_pixels: int = MAX_PIXELS,
        time_limit: float = TIME_LIMIT,
    ) -> Iterator[tuple[str, np.ndarray | SkippedFile]]:
        """The vectors of any number of files, as they become ready, in order.

        Files are read and decoded by processes of their own (``images.isolated``), so that no file can stop the rest,
        while threads of this one run the model on batches that are filled across files. A vector's bits do not depend
        on ``threads`` or on the other files. Memory is bounded, whatever the number of files and the size of pictures
        up to the limit: below 600 MB in all for two threads. To stop early, close the iterator.

        Args:
            paths: Files; consumed lazily.
            threads: How many pictures are decoded, and how many batches embedded, at once; 0 means one for each
                processor that this process may use.
            max_pixels: The bomb limit, see ``images.decode.decode``.
            time_limit: Seconds that the decoder may take over one picture.

        Yields:
            Each path with its vector, float32 (dimension,), or with the reason why it has none.

        Raises:
            ImgsimError: ``threads`` is negative.
        """
        return self._streamed(
            "imgsim_ops.images.preprocess:load_pixels", _Batch, paths, threads, max_pixels, time_limit
        )

    def describe(
        self,
        paths: Iterable[str | os.PathLike[str]],
        threads: int = 0,
        *,
        max_pixels: int = MAX_PIXELS,
        time_limit: float = TIME_LIMIT,
    ) -> Iterator[tuple[str, Description | SkippedFile]]:
        """All that a collection keeps of any number of files; works like `stream`, by the engine onnx.

        Args:
            paths: As in `stream`, likewise the others.
            threads: As in `stream`.
            max_pixels: As in `stream`.
            time_limit: As in `stream`.

        Yields:
            Each path with what is known of it, or with the reason why nothing is.

        Raises:
            ImgsimError: As `stream`, and where the engine is another one.
        """
        if not self._engine.has_gem:
            raise ImgsimError("describe: the model must have the output gem (got an engine or a file without)")
        return self._streamed(
            "imgsim_ops.embedding.crops:load_views", _Descriptions, paths, threads, max_pixels, time_limit
        )

    def describe_turned(
        self,
        paths: Iterable[str | os.PathLike[str]],
        orientations: Sequence[int],
        threads: int = 0,
        *,
        max_pixels: int = MAX_PIXELS,
        time_limit: float = TIME_LIMIT,
        few_here: bool = False,
    ) -> Iterator[tuple[str, tuple[Description, ...] | SkippedFile]]:
        """`describe`, of each picture turned in several ways, from one decoding.

        Args:
            paths: As in `describe`, likewise the others.
            orientations: EXIF's numbers, 1 to 8, of how to turn it; 1 leaves it as it is.
            threads: As in `describe`.
            max_pixels: As in `describe`.
            time_limit: As in `describe`.
            few_here: Read fewer than 8 files in this process, a third of a second sooner. Then nothing limits the time,
                and a picture that its decoder cannot survive ends the process.

        Yields:
            Each path with what is known of it in each of the orientations, or with the reason why nothing is.

        Raises:
            ImgsimError: As `describe`, and where there is no such orientation.
        """
        orientations = list(orientations)
        if not orientations or not set(orientations) <= set(range(1, 9)):
            raise ImgsimError(f"describe: orientations must be numbers from 1 to 8 (got {orientations})")
        return self._streamed(
            "imgsim_ops.embedding.crops:load_views",
            partial(_TurnedDescriptions, len(orientations)),
            paths,
            threads,
            max_pixels,
            time_limit,
            few_here,
            orientations=orientations,
        )

    def _streamed(
        self,
        task: str,
        make_batch: Callable[[], _Batch],
        paths: Iterable[str | os.PathLike[str]],
        threads: int,
        max_pixels: int,
        time_limit: float,
        few_here: bool = False,
        **more: object,
    ) -> Iterator:
        if threads < 0:
            raise ImgsimError(f"stream: threads must be 0 (all) or more (got {threads})")
        if isinstance(paths, str | os.PathLike):
            raise ImgsimError("stream: paths must be a list of paths (got a single one)")
        threads = threads or kernels.build_info()["threads"]
        engine, callers, size = self._engine.many_at_once(), threads, _BATCH_OF_MANY
        if engine is None:
            engine, callers, size = self._engine, 1, _BATCH
        options = {"exact": self._exact, "max_pixels": max_pixels, **more}
        pool = ThreadPoolExecutor(callers, thread_name_prefix="imgsim-embed")
        paths = iter(paths)
        few = list(islice(paths, _FEW_FILES)) if few_here else []
        try:
            with ExitStack() as stack:
                if few_here and len(few) < _FEW_FILES:
                    answers = read_here(task, options, few)
                else:
                    readers = stack.enter_context(IsolatedReaders(task, options, threads, time_limit))
                    answers = readers.in_order(chain(few, paths), ahead=size * (callers + 1) + 4 * threads)
                pending: deque[_Batch] = deque()
                batch = make_batch()
                for path, answer in answers:
                    batch.add(path, answer)
                    if batch.full(size):
                        pending.append(batch.submit(pool, engine))
                        batch = make_batch()
                        if len(pending) > callers:
                            yield from pending.popleft().results()
                pending.append(batch.submit(pool, engine))
                for batch in pending:
                    yield from batch.results()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def compare(self, a: Picture, b: Picture) -> Similarity:
        """How alike two pictures are, as a whole and at each of the four scales.

        Raises:
            ImageError: A file cannot be read as a picture.
            ValueError: An array is no picture.
        """
        return self.compare_pixels(np.stack([self._pixels(a), self._pixels(b)]))

    def compare_pixels(self, pixels: np.ndarray) -> Similarity:
        """How alike two pictures are that have the size which the model takes.

        Args:
            pixels: uint8 RGB (2, 224, 224, 3), as ``images.preprocess.load_pixels`` makes them.

        Raises:
            ImgsimError: ``pixels`` has another type or shape.
        """
        (first, second), layers = self._engine.embed_with_layers(pixels)
        return Similarity(_cosine(first, second), tuple(_cosine(layer[0], layer[1]) for layer in layers))

    def _pixels(self, picture: Picture) -> np.ndarray:
        if isinstance(picture, np.ndarray):
            return kernels.resize_crop(picture, RESIZE, CROP)
        return load_pixels(picture, exact=self._exact)

    def _vectors(self, rows: list[np.ndarray]) -> np.ndarray:
        return np.stack(rows) if rows else np.empty((0, self.dimension), np.float32)


def compare(
    a: Picture,
    b: Picture,
    *,
    backbone: str = "resnet18",
    engine: str = "onnx",
    precision: str = "auto",
    weights: str | os.PathLike[str] | None = None,
    threads: int = 0,
    exact: bool = False,
) -> Similarity:
    """How alike two pictures are. Loads the model each time: for many comparisons keep an ``Embedder``.

    Args:
        a: A path, or a uint8 RGB array (H, W, 3).
        b: Likewise.
        backbone: As in ``Embedder``.
        engine: As in ``Embedder``.
        precision: As in ``Embedder``.
        weights: As in ``Embedder``.
        threads: As in ``Embedder``.
        exact: As in ``Embedder``.

    Raises:
        ImgsimError: As ``Embedder``.
        WeightsError: The weights cannot be had or do not fit.
        ImageError: A file cannot be read as a picture.
        ValueError: An array is no picture.
    """
    return Embedder(backbone, engine, precision, weights, threads, exact=exact).compare(a, b)


class _Batch:
    """Some files in order, their pixels, and later what the model says of them."""

    def __init__(self) -> None:
        self._files: list[tuple[str, object]] = []
        self._pixels: list[np.ndarray] = []
        self._answers: Future | None = None

    def full(self, size: int) -> bool:
        # Also of files that were skipped, or a folder of nothing else would show no progress and fill the memory.
        return len(self._pixels) >= size or len(self._files) == 8 * size

    def add(self, path: str, answer: bytes | SkippedFile) -> None:
        if isinstance(answer, SkippedFile):
            self._files.append((path, answer))
        else:
            self._files.append((path, self._taken(answer)))

    def submit(self, pool: ThreadPoolExecutor, engine: Engine) -> _Batch:
        if self._pixels:
            self._answers = pool.submit(self._embedded, engine, np.stack(self._pixels))
        return self

    def results(self) -> Iterator[tuple[str, object]]:
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


class _Descriptions(_Batch):
    """The same of views, one or two for each file."""

    def _taken(self, answer: bytes) -> Views:
        views = Views.from_bytes(answer)
        self._pixels.extend(views.pixels)
        return views

    @staticmethod
    def _embedded(engine: Engine, pixels: np.ndarray) -> Iterable:
        return zip(*engine.embed_with_gem(pixels), strict=True)

    @staticmethod
    def _answer(known: Views, answers: Iterator) -> Description:
        mean, centre = next(answers)
        squashed = next(answers)[1] if len(known.pixels) > 1 else centre
        raw = np.concatenate([_unit(mean), _unit(centre), _unit(squashed)]).astype(np.float16)
        return Description(known.width, known.height, known.format, known.perceptual, raw)


class _TurnedDescriptions(_Descriptions):
    """The same of several orientations of each file."""

    def __init__(self, orientations: int) -> None:
        super().__init__()
        self._orientations = orientations

    def _taken(self, answer: bytes) -> tuple[Views, ...]:
        size = len(answer) // self._orientations
        pieces = (answer[first : first + size] for first in range(0, len(answer), size))
        return tuple(super(_TurnedDescriptions, self)._taken(piece) for piece in pieces)

    @staticmethod
    def _answer(known: tuple[Views, ...], answers: Iterator) -> tuple[Description, ...]:
        return tuple(_Descriptions._answer(views, answers) for views in known)


def _unit(vector: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(vector.astype(np.float64))
    return vector / length if length > 0 else vector


def _required(vector: np.ndarray | SkippedFile) -> np.ndarray:
    if isinstance(vector, SkippedFile):
        raise ImageError(vector.code, vector.message)
    return vector


def _cosine(x: np.ndarray, y: np.ndarray) -> float:
    return float(kernels.cosine_similarity(x, y))
