"""Collections, as programs use them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from imgsim_ops.collection.candidates.judging import Judge
from imgsim_ops.collection.candidates.looking import Looking, forget_features
from imgsim_ops.collection.candidates.pairs import Pictures, Progress
from imgsim_ops.collection.candidates.turned import Turned, turned_pictures
from imgsim_ops.collection.duplicates import Rules, find_duplicates
from imgsim_ops.collection.findings import Findings, Group, Hits, Leak, Picture, Similar
from imgsim_ops.collection.indexing.fitting import apply_recipe
from imgsim_ops.collection.indexing.indexing import IndexReport, index_files
from imgsim_ops.collection.indexing.verifying import problems_of_files
from imgsim_ops.collection.leaks import find_leaks, pictures_for
from imgsim_ops.collection.queries import queries_of
from imgsim_ops.collection.search import Nearest, Query, SearchOptions, queries_at_once, search
from imgsim_ops.collection.store.store import Store
from imgsim_ops.errors import ImageError, ImgsimError
from imgsim_ops.files.names import printable
from imgsim_ops.files.reasons import SkippedFile
from imgsim_ops.images.options import ReadOptions
from imgsim_ops.images.preprocess import preprocessing_version
from imgsim_ops.matching.options import MatchOptions
from imgsim_ops.models.locations import MODEL_SUFFIX
from imgsim_ops.models.spec import ModelSpec
from imgsim_ops.recipes.fingerprint import Fingerprint
from imgsim_ops.recipes.recipes import recipe_named

if TYPE_CHECKING:
    from imgsim_ops.collection.approximate import Built
    from imgsim_ops.embedding.embedder import Embedder

#: The recipe of collections that are not told another: see benchmarks/quality.py.
DEFAULT_RECIPE = "crops"


def silent(what: str, done: int, total: int) -> None:
    """A `Progress` that shows nothing."""


class Collection:
    """Pictures on this machine with their vectors, in a folder of its own; used as a context.

    For example::

        with Collection.create("photos.imgsim", "efficientnet_lite0") as collection:
            collection.add(["photos/"])
            for hit in collection.search("query.jpg", k=5):
                print(hit.score, hit.picture.path)

    Attributes:
        store: What is on the disk.
        read: How files are read, by indexing, searches, and the second look at what may be copies.
    """

    def __init__(self, store: Store, read: ReadOptions | None = None, embedder: Embedder | None = None) -> None:
        """For `create` and `open`."""
        if read is None:
            read = ReadOptions() if embedder is None else embedder.read
        self.store = store
        self.read = replace(read, exact=_is_exact(store.fingerprint))
        self._embedder = embedder

    @classmethod
    def create(
        cls,
        path: str | os.PathLike[str],
        model: ModelSpec | str | None = None,
        *,
        read: ReadOptions | None = None,
        recipe: str | None = None,
        embedder: Embedder | None = None,
    ) -> Collection:
        """Makes an empty collection, open for writing.

        Args:
            path: The folder to make.
            model: What makes the vectors; a text is a backbone, None the default.
            read: How files are read; whether exactly is kept with the collection.
            recipe: A name in ``recipes.RECIPES``; None: ``crops``.
            embedder: Takes the place of a new one of that model, reading so.

        Raises:
            ImgsimError: Something of that name is there; or as ``Embedder``.
            OSError: The place cannot be written.
        """
        chosen, spec = recipe_named(recipe or DEFAULT_RECIPE), ModelSpec.of(model)
        embedder = embedder or _new_embedder(spec, read or ReadOptions())
        embedder.describe(())  # raises where it cannot: nothing is to be made then
        source = _source(spec.file or spec.weights)
        store = Store.create(path, embedder.fingerprint, chosen, embedder.raw_width, source)
        return cls(store, read, embedder)

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str],
        *,
        write: bool = False,
        wait: bool = False,
        announce: Callable[[str], None] = lambda line: None,
        read: ReadOptions | None = None,
        embedder: Embedder | None = None,
    ) -> Collection:
        """Opens a collection.

        Args:
            path: The folder.
            write: As in ``Store.open``, likewise the next two.
            wait: As in ``Store.open``.
            announce: As in ``Store.open``.
            read: How files are read; exactly if it was made so.
            embedder: What embeds new pictures and queries; made when it is needed otherwise.

        Raises:
            ImgsimError: As ``Store.open``.
            OSError: As ``Store.open``.
        """
        return cls(Store.open(path, write=write, wait=wait, announce=announce), read, embedder)

    @classmethod
    def open_or_create(
        cls,
        path: str | os.PathLike[str],
        model: ModelSpec | str | None = None,
        *,
        read: ReadOptions | None = None,
        recipe: str | None = None,
        wait: bool = False,
        announce: Callable[[str], None] = lambda line: None,
    ) -> Collection:
        """Opens a collection for writing; makes it first where there is nothing of this name.

        Args:
            path: The folder.
            model: As in `create`. One that is there is asked for what it was made with.
            read: As in `create`. If exact, one that is there must have been made so.
            recipe: As in `create`; one that is there changes to it.
            wait: As in `open`.
            announce: As in `open`.

        Raises:
            ImgsimError: As `create` and `open`; or it was made with something else.
            OSError: As `create` and `open`.
        """
        spec = ModelSpec.of(model)
        if not os.path.isdir(path) or not os.listdir(path):
            return cls.create(path, spec, read=read, recipe=recipe)
        collection = cls.open(path, write=True, wait=wait, announce=announce, read=read)
        try:
            collection._check_made_with(spec, exact=read is not None and read.exact)
            if recipe is not None:
                collection.change_recipe(recipe)
        except BaseException:
            collection.close()
            raise
        return collection

    def __enter__(self) -> Collection:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes it."""
        self.store.close()

    def __len__(self) -> int:
        """How many pictures (files) there are."""
        return self.store.counts()["pictures"]

    @property
    def path(self) -> Path:
        """The folder."""
        return self.store.path

    @property
    def fingerprint(self) -> Fingerprint:
        """What made the raw vectors."""
        return self.store.fingerprint

    def embedder(self) -> Embedder:
        """What embeds pictures as those of the collection were.

        Raises:
            ImgsimError: The same vectors cannot be made here, as the weights or the ranges of int8 differ.
            WeightsError: The weights cannot be had.
        """
        if self._embedder is None:
            self._embedder = _new_embedder(self.model, self.read)
        self.store.check_made_by(self._embedder.fingerprint)
        return self._embedder

    @property
    def model(self) -> ModelSpec:
        """What makes vectors like these."""
        if self._made_by_file():  # which has its own weights and precision
            return ModelSpec(self.store.weights)
        made_by = self.store.fingerprint
        precision = "int8" if made_by.precision.startswith("int8") else made_by.precision
        return ModelSpec(made_by.backbone, self.store.weights, precision)

    def _made_by_file(self) -> bool:
        """Whether it was made by a model file, in place of a backbone with weights."""
        return self.store.weights is not None and self.store.weights.endswith(MODEL_SUFFIX)

    def _check_made_with(self, asked: ModelSpec, exact: bool) -> None:
        made = self.model
        if self._made_by_file() and asked.asked.keys() & {"backbone", "model"} and (file := asked.file) is not None:
            # It may have moved since, as a file of weights may: what is in it counts.
            if os.path.abspath(file) != made.backbone:
                self._embedder = _new_embedder(ModelSpec(os.fspath(file)), self.read)
                self.embedder()
            asked = replace(asked, backbone=None, model=None)
        for name, given, was in (
            ("backbone", asked.backbone, made.backbone),
            ("precision", None if asked.precision == "auto" else asked.precision, made.precision or "auto"),
            ("decoding", "exact" if exact else None, "exact" if self.read.exact else "scaled"),
        ):
            if given is not None and given != was:
                raise ImgsimError(
                    f"collection: {name} must be {was}, with which {printable(self.path)} was made (got {given}); "
                    "another needs a collection of its own"
                )
        source = _source(asked.weights)
        if source is not None and source != self.store.weights:
            # A file may have moved since: what is in it counts.
            self._embedder = _new_embedder(replace(made, weights=asked.weights), self.read)
            self.embedder()

    def pictures(self) -> Iterator[Picture]:
        """All pictures; those with equal bytes come one after the other."""
        return (picture for _, picture in self.store.pictures())

    def unreadable(self) -> list[SkippedFile]:
        """The files that could not be read when they were last looked at, by path."""
        known = (record for _, record in sorted(self.store.files().items()))
        return [SkippedFile(os.fsdecode(file.path), file.code, file.message) for file in known if file.code]

    def add(
        self,
        paths: Sequence[str | os.PathLike[str]],
        exclude: Iterable[str] = (),
        *,
        rehash: bool = False,
        pages: bool | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> IndexReport:
        """Brings the collection up to date with files and folders; see ``indexing.index_files``.

        Args:
            paths: Files, folders and globs.
            exclude: Patterns of what is left out.
            rehash: Hash all files, also those that seem to be what they were.
            pages: Take the frames and pages of files as pictures of their own, or do not; None: as before.
            progress: Called with the number of files done and of all.

        Raises:
            ImageError: A path means nothing, or a folder cannot be listed.
            ImgsimError: The same vectors cannot be made here.
            OSError: The disk is full or refuses; what was committed before is kept.
        """
        if isinstance(paths, str | os.PathLike):
            raise ImgsimError(f"add: paths must be a list of paths (got {printable(paths)})")
        return index_files(
            self.store, self.embedder, paths, exclude,
            rehash=rehash, pages=pages, threads=self.read.threads, progress=progress,
        )  # fmt: skip

    def problems_of_files(
        self, progress: Callable[[int, int], None] = lambda done, total: None
    ) -> Iterator[SkippedFile]:
        """Reads all pictures; yields those that are not as they were indexed: see ``indexing.verifying``."""
        return problems_of_files(self.store, threads=self.read.threads, progress=progress)

    def compact(self) -> int:
        """Gives back the room of contents whose files are all gone; returns how many there were.

        Raises:
            ImgsimError: It is open for reading.
            OSError: The disk is full or refuses. The collection is as before.
        """
        gone = self.store.compact()
        forget_features(self.store)
        return gone

    def duplicates(
        self,
        match: MatchOptions = MatchOptions(),
        rules: Rules = Rules(),
        *,
        similar: list[Similar] | None = None,
        progress: Progress = silent,
    ) -> Findings[Group]:
        """The groups of pictures that come of one picture each, see ``collection.grouping`` for how they are found.

        Args:
            match: How candidates are chosen.
            rules: What is kept, and what may go.
            similar: Takes groups of what only looks alike, before the first group comes.
            progress: Called with what is being done, how much of it is done, and how much there is, 0 if unknown.

        Returns:
            The groups one by one as they are asked for. Close it to stop early.

        Raises:
            OSError: The disk is full.
        """
        pictures = Pictures.of(self.store)
        with ExitStack() as resources:
            looking = resources.enter_context(Looking(self.store, self.read))
            judge = resources.enter_context(Judge(looking, looking, self.read.processes, match.verify, progress))
            turned = self._turned(self, match.orientations, progress)
            groups = find_duplicates(pictures, match, looking, judge, rules, turned, similar=similar, progress=progress)
            return Findings(judge, groups, resources.pop_all())

    def leaks(
        self,
        test: Collection,
        match: MatchOptions = MatchOptions(),
        *,
        progress: Progress = silent,
    ) -> Findings[Leak]:
        """The pictures of a test set that come of pictures of this collection, the training set.

        Args:
            test: The test set, made by the same backbone, weights and precision; its recipe does not matter.
            match: How candidates are chosen; pictures of the test set are turned.
            progress: As in `duplicates`.

        Returns:
            The leaks one by one as they are asked for, each picture of the test set at most once.

        Raises:
            ImgsimError: Vectors of the two cannot be compared.
            OSError: The disk is full.
        """
        queries, gallery = pictures_for(test.store, self.store), Pictures.of(self.store)
        with ExitStack() as resources:
            mine = resources.enter_context(Looking(self.store, self.read))
            theirs = resources.enter_context(Looking(test.store, test.read))
            judge = resources.enter_context(Judge(theirs, mine, self.read.processes, match.verify, progress))
            turned = self._turned(test, match.orientations, progress)
            leaks = find_leaks(test.store, self.store, queries, gallery, match, judge, turned, progress=progress)
            return Findings(judge, leaks, resources.pop_all())

    def _turned(self, queries: Collection, orientations: Sequence[int], progress: Progress) -> Iterator[Turned]:
        others = [orientation for orientation in orientations if orientation != 1]
        if others:
            recipe, whitening = self.store.recipe, self.store.whitening
            yield from turned_pictures(queries.store, queries.embedder(), recipe, whitening, others, progress)

    def search(self, query: str | os.PathLike[str], k: int = 10, options: SearchOptions = SearchOptions()) -> Hits:
        """The pictures most like one; see `search_many`.

        Raises:
            ImageError: The query cannot be read as a picture.
            ImgsimError: As `search_many`.
        """
        with closing(self.search_many([query], k, options)) as found:
            ((_, hits),) = found
        if isinstance(hits, SkippedFile):
            raise ImageError(hits.code, hits.message)
        return hits

    def search_many(
        self, queries: Iterable[str | os.PathLike[str]], k: int = 10, options: SearchOptions = SearchOptions()
    ) -> Iterator[tuple[str, Hits | SkippedFile]]:
        """The pictures most like each of any number of files, by a scan of all vectors.

        Of a query whose bytes are in the collection the vector is taken from there, so that neither it is decoded nor
        the model loaded, unless it must be turned. Memory is bounded, whatever the number of queries. To stop early,
        close the iterator.

        Args:
            queries: Files; consumed lazily.
            k: How many pictures to find for each at the most. Files with equal bytes are a picture each.
            options: How.

        Yields:
            Each query with its hits, the best first, or with the reason why it cannot be read.

        Raises:
            ImgsimError: `k` is out of range, the same vectors cannot be made here, or there is no approximate index of
                these very vectors.
        """
        if isinstance(queries, str | os.PathLike):
            raise ImgsimError(f"search: queries must be a list of paths (got {printable(queries)})")
        if k < 1:
            raise ImgsimError(f"search: k must be at least 1 (got {k})")
        return self._search_many(queries, k, options, self._nearest() if options.approximate else None)

    def _nearest(self) -> Nearest:
        from imgsim_ops.collection import approximate

        return approximate.opened(self.store).nearest

    def _search_many(
        self, queries: Iterable[str | os.PathLike[str]], k: int, options: SearchOptions, nearest: Nearest | None
    ) -> Iterator[tuple[str, Hits | SkippedFile]]:
        with closing(queries_of(self.store, self.embedder, queries, options)) as found:
            while some := list(islice(found, queries_at_once(self.store, options.orientations))):
                asked = [query for _, query in some if isinstance(query, Query)]
                hits = iter(search(self.store, asked, k, options, nearest))
                for path, query in some:
                    yield path, Hits(next(hits)) if isinstance(query, Query) else query

    def build_approximate(self) -> Built:
        """Builds the index for approximate searches; see ``approximate.build``.

        Raises:
            ImgsimError: The collection is empty, or FAISS is not there.
            OSError: The disk is full or refuses.
        """
        from imgsim_ops.collection import approximate

        return approximate.build(self.store)

    def why_not_approximate(self) -> str | None:
        """Why there can be no approximate search, in words; None where there can."""
        from imgsim_ops.collection import approximate

        return approximate.why_not(self.store)

    def change_recipe(self, name: str) -> None:
        """Makes the searched vectors by another recipe, without decoding anything.

        Raises:
            ImgsimError: No recipe has that name.
            OSError: The disk is full or refuses. The collection is as before.
        """
        recipe = recipe_named(name)
        if recipe != self.store.recipe:
            apply_recipe(self.store, recipe)


def _source(weights: str | os.PathLike[str] | None) -> str | None:
    """What a collection remembers of where its model came from."""
    if weights is None:
        return None
    return str(weights) if str(weights).startswith("random:") else os.path.abspath(weights)


def _is_exact(fingerprint: Fingerprint) -> bool:
    return fingerprint.preprocessing == preprocessing_version(exact=True)


def _new_embedder(model: ModelSpec, read: ReadOptions) -> Embedder:
    from imgsim_ops.embedding.embedder import Embedder  # which loads a runtime, and much of what is asked needs none

    # One thread each for the batches that are under way at once.
    return Embedder(model, read=read, threads=1)
