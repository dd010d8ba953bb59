"""Pictures to vectors, and two pictures to a similarity."""

from __future__ import annotations

import filecmp
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np

from imgsim_ops import kernels
from imgsim_ops.embedding.description import Description
from imgsim_ops.embedding.pipeline import BATCH, Batch, Descriptions, Task, TurnedDescriptions, streamed
from imgsim_ops.embedding.similarity import Similarity, word_for
from imgsim_ops.engines.base import Engine
from imgsim_ops.errors import ImageError, ImgsimError
from imgsim_ops.files.opening import Content
from imgsim_ops.files.reasons import SkippedFile
from imgsim_ops.images.given import Given, given, is_single
from imgsim_ops.images.options import ReadOptions
from imgsim_ops.images.preprocess import CROP, RESIZE, load_pixels, preprocessing_version
from imgsim_ops.model_files.engine import create_engine
from imgsim_ops.models.spec import ModelSpec
from imgsim_ops.recipes.fingerprint import Fingerprint
from imgsim_ops.recipes.recipes import PARTS

# What `given` makes of a picture.
_Taken = str | os.PathLike[str] | np.ndarray

# From so many files on `embed` starts readers for them.
_MANY_FILES = 32


class Embedder:
    """Turns pictures into vectors.

    Attributes:
        fingerprint: What the vectors carry; only vectors with equal fingerprints may be compared.
        dimension: Values in a vector.
        raw_width: Values in a raw vector of `describe`.
        read: How files are read.
    """

    fingerprint: Fingerprint
    dimension: int
    raw_width: int
    read: ReadOptions

    def __init__(
        self,
        model: ModelSpec | str | None = None,
        engine: str | Engine = "onnx",
        *,
        read: ReadOptions = ReadOptions(),
        threads: int = 0,
        announce: Callable[[str], None] | None = None,
    ) -> None:
        """Loads the model; the first time for these weights it is built, which takes seconds.

        Args:
            model: Which one; a text is a backbone, None the default.
            engine: ``onnx``, ``torch`` or ``torchscript``, see ``model_files.engine.create_engine``; or one that is
                there, in place of a model.
            read: How files are read. The vectors' fingerprint says whether exactly.
            threads: How many threads a forward pass may use; 0 leaves the engine's own number.
            announce: Called with one line when something takes seconds. Default: prints it to stderr.

        Raises:
            ImgsimError: No backbone, engine or precision has that name, or an option does not fit the engine.
            WeightsError: The weights cannot be had or do not fit.
        """
        spec = ModelSpec.of(model)
        self._engine = create_engine(engine, spec, threads, announce) if isinstance(engine, str) else engine
        self._words_of = spec.name if spec.weights is None and spec.model is None else ""
        self.read = read
        self.fingerprint = replace(self._engine.fingerprint, preprocessing=preprocessing_version(read.exact))
        self.dimension = self._engine.dimension
        self.raw_width = PARTS * self.dimension

    def embed(self, pictures: Iterable[Given]) -> np.ndarray:
        """The vectors of pictures, in their order.

        Args:
            pictures: Each a path, bytes, an open file, an array, a tensor or an image of Pillow, see
                ``images.given.Given``; or an array (N, H, W, 3).

        Returns:
            float32 (N, dimension). Not normalised to unit length, unless the model is a file exported by another recipe
            than ``mean``.

        Raises:
            ImageError: A file cannot be read as a picture. ``stream`` goes on without it.
            ImgsimError: Something is no picture, or ``pictures`` is a single one.
        """
        if is_single(pictures):
            raise ImgsimError("embed: pictures must be a list (got a single one)")
        pictures = list(pictures)
        paths = [picture for picture in pictures if isinstance(picture, str | os.PathLike)]
        if len(paths) == len(pictures) >= _MANY_FILES:
            with closing(self.stream(paths)) as stream:
                return self._vectors([_required(vector) for _, vector in stream])
        remaining = (pixels_of(picture, self.read) for picture in pictures)
        batches = iter(lambda: list(islice(remaining, BATCH)), [])
        return self._vectors([vector for batch in batches for vector in self._engine.embed(np.stack(batch))])

    def stream(self, paths: Iterable[str | os.PathLike[str]]) -> Iterator[tuple[str, np.ndarray | SkippedFile]]:
        """The vectors of any number of files, as they become ready, in order.

        Files are read and decoded by processes of their own (``images.readers``), so that no file can stop the rest,
        while threads of this one run the model on batches that are filled across files. A vector's bits do not depend
        on the number of threads or on the other files. Memory is bounded, whatever the number of files and the size of
        pictures up to the limit: below 600 MB in all for two threads. To stop early, close the iterator.

        Args:
            paths: Files; consumed lazily.

        Yields:
            Each path with its vector, float32 (dimension,), or with the reason why it has none.

        Raises:
            ImgsimError: ``paths`` is a single one.
        """
        return streamed(self._engine, Task("imgsim_ops.images.preprocess:load_pixels", Batch), paths, self.read)

    def describe(self, paths: Iterable[str | os.PathLike[str]]) -> Iterator[tuple[str, Description | SkippedFile]]:
        """All that a collection keeps of any number of files; works like `stream`, by the engine onnx.

        Args:
            paths: Files; consumed lazily.

        Yields:
            Each path with what is known of it, or with the reason why nothing is.

        Raises:
            ImgsimError: ``paths`` is a single one, or the engine is another one.
        """
        if not self._engine.has_gem:
            raise ImgsimError("describe: the model must have the output gem (got an engine or a file without)")
        return streamed(self._engine, Task("imgsim_ops.embedding.crops:load_crops", Descriptions), paths, self.read)

    def describe_turned(
        self,
        paths: Iterable[str | os.PathLike[str]],
        orientations: Sequence[int],
        *,
        few_here: bool = False,
    ) -> Iterator[tuple[str, tuple[Description, ...] | SkippedFile]]:
        """`describe`, of each picture turned in several ways, from one decoding.

        Args:
            paths: Files; consumed lazily.
            orientations: EXIF's numbers, 1 to 8, of how to turn it; 1 leaves it as it is.
            few_here: See `Task`.

        Yields:
            Each path with what is known of it in each of the orientations, or with the reason why nothing is.

        Raises:
            ImgsimError: As `describe`, and where there is no such orientation.
        """
        orientations = list(orientations)
        if not orientations or not set(orientations) <= set(range(1, 9)):
            raise ImgsimError(f"describe: orientations must be numbers from 1 to 8 (got {orientations})")
        task = Task(
            "imgsim_ops.embedding.crops:load_crops",
            partial(TurnedDescriptions, len(orientations)),
            {"orientations": orientations},
            few_here,
        )
        return streamed(self._engine, task, paths, self.read)

    def compare(self, a: Given, b: Given, *, score_only: bool = False) -> Similarity:
        """How alike two pictures are, as a whole and at each of the four scales, and what they are to each other.

        Args:
            a: A path, bytes, an open file, an array, a tensor or an image of Pillow, see ``images.given.Given``.
            b: Likewise.
            score_only: Do not look what they are to each other, which takes longer than the score.

        Raises:
            ImageError: A file cannot be read as a picture.
            ImgsimError: Something is no picture.
        """
        a, b = given(a), given(b)
        similarity = self._compared(pixels_of(a, self.read), pixels_of(b, self.read))
        return similarity if score_only else _related(similarity, a, b, self.read)

    def _compared(self, *pixels: np.ndarray) -> Similarity:
        (first, second), layers = self._engine.embed_with_layers(np.stack(pixels))
        score = _cosine(first, second)
        scales = tuple(_cosine(layer[0], layer[1]) for layer in layers)
        return Similarity(score, scales, word_for(self._words_of, score), str(self.fingerprint))

    def _vectors(self, vectors: list[np.ndarray]) -> np.ndarray:
        return np.stack(vectors) if vectors else np.empty((0, self.dimension), np.float32)


def compare(
    a: Given,
    b: Given,
    model: ModelSpec | str | None = None,
    engine: str | Engine = "onnx",
    *,
    read: ReadOptions = ReadOptions(),
    threads: int = 0,
    score_only: bool = False,
) -> Similarity:
    """How alike two pictures are, and what they are to each other.

    Loads the model each time: for many comparisons keep an ``Embedder``.

    Args:
        a: As in ``Embedder.compare``.
        b: Likewise.
        model: As in ``Embedder``.
        engine: As in ``Embedder``.
        read: As in ``Embedder``.
        threads: As in ``Embedder``.
        score_only: As in ``Embedder.compare``.

    Raises:
        ImgsimError: As ``Embedder``, and where something is no picture.
        WeightsError: The weights cannot be had or do not fit.
        ImageError: A file cannot be read as a picture.
    """
    a, b = given(a), given(b)
    # Before the model, which takes seconds: a wrong name is told at once.
    pixels = [pixels_of(picture, read) for picture in (a, b)]
    similarity = Embedder(model, engine, read=read, threads=threads)._compared(*pixels)
    return similarity if score_only else _related(similarity, a, b, read)


def _related(similarity: Similarity, a: _Taken, b: _Taken, read: ReadOptions) -> Similarity:
    """The same with what the one is to the other."""
    # OpenCV takes as long to load as the rest does, and a score needs none of it.
    from imgsim_ops.images.pixel_hash import is_shown_in, pixel_hash
    from imgsim_ops.matching.closer import pieces_of
    from imgsim_ops.matching.looks import Look, look
    from imgsim_ops.matching.pair import judged
    from imgsim_ops.matching.relations import Relation

    if not isinstance(a, np.ndarray) and not isinstance(b, np.ndarray) and _have_equal_bytes(a, b):
        return replace(similarity, relation=Relation.IDENTICAL.value)
    looks = [
        Look.of(picture) if isinstance(picture, np.ndarray) else Look.from_bytes(look(picture, read))
        for picture in (a, b)
    ]
    found = judged(looks[0], looks[1], pieces=(pieces_of(a, read), pieces_of(b, read)))
    relation, lacks = found.relation, found.lacks
    if found.equal and isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        relation = Relation.SAME_PIXELS if np.array_equal(a, b) else relation
    elif found.equal and not isinstance(a, np.ndarray) and not isinstance(b, np.ndarray):
        one, other = pixel_hash(a, read), pixel_hash(b, read)
        relation = Relation.SAME_PIXELS if one and one == other else relation
        lacks = () if is_shown_in(one, other) else lacks[0], () if is_shown_in(other, one) else lacks[1]
    return replace(
        similarity,
        relation=relation.value,
        differences=found.differences,
        transform=found.transform,
        lacks=lacks,
        empty=(looks[0].is_empty, looks[1].is_empty),
    )


def _have_equal_bytes(a: str | os.PathLike[str], b: str | os.PathLike[str]) -> bool:
    if isinstance(a, Content) or isinstance(b, Content):
        return _bytes_of(a) == _bytes_of(b)
    return os.path.getsize(a) == os.path.getsize(b) and filecmp.cmp(a, b, shallow=False)


def _bytes_of(file: str | os.PathLike[str]) -> bytes:
    return file.data if isinstance(file, Content) else Path(file).read_bytes()


def pixels_of(picture: Given, read: ReadOptions = ReadOptions()) -> np.ndarray:
    """A picture at the size that models take, uint8 RGB (224, 224, 3).

    Raises:
        ImageError: A file cannot be read as a picture.
        ImgsimError: It is no picture.
    """
    taken = given(picture)
    if isinstance(taken, np.ndarray):
        return kernels.resize_crop(taken, RESIZE, CROP)
    return load_pixels(taken, read)


def _required(vector: np.ndarray | SkippedFile) -> np.ndarray:
    if isinstance(vector, SkippedFile):
        raise ImageError(vector.code, vector.message)
    return vector


def _cosine(x: np.ndarray, y: np.ndarray) -> float:
    return float(kernels.cosine_similarity(x, y))
