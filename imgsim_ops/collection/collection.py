"""Collections, as programs use them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imgsim_ops.collection.candidates.cascade import Answers, Pictures, Progress, Verifier, choose_thresholds
from imgsim_ops.collection.candidates.features import FeatureSource, forget_features
from imgsim_ops.collection.candidates.turned import Turned, turned_pictures
from imgsim_ops.collection.findings import Group, Hit, Leak, Picture
from imgsim_ops.collection.indexing.fitting import apply_recipe
from imgsim_ops.collection.indexing.indexing import IndexReport, index_files
from imgsim_ops.collection.queries import queries_of
from imgsim_ops.collection.search import Nearest, Query, orientations_asked, queries_at_once, search
from imgsim_ops.collection.store.store import Store
from imgsim_ops.errors import ImageError, ImgsimError
from imgsim_ops.files.names import printable
from imgsim_ops.files.reasons import SkippedFile
from imgsim_ops.models.locations import MODEL_SUFFIX, model_named
from imgsim_ops.recipes.fingerprint import Fingerprint
from imgsim_ops.recipes.recipes import recipe_named

if TYPE_CHECKING:
    from imgsim_ops.collection.approximate import Built
    from imgsim_ops.embedding.embedder import Embedder

#: The recipe of collections that are not told another: see benchmarks/quality.py.
DEFAULT_RECIPE = "views"


class Collection:
    """Pictures on this machine with their vectors, in a folder of its own; used as a context.

    For example::

        with Collection.create("photos.imgsim", backbone="efficientnet_lite0") as collection:
            collection.add(["photos/"])
            for hit in collection.search("query.jpg", k=5):
                print(hit.score, hit.picture.path)

    Attributes:
        store: What is on the disk.
    """

    def __init__(self, store: Store, embedder: Embedder | None = None) -> None:
        """For `create` and `open`."""
        self.store = store
        self._embedder = embedder

    @classmethod
    def create(
        cls,
        path: str | os.PathLike[str],
        *,
        backbone: str = "resnet18",
        precision: str = "auto",
        weights: str | os.PathLike[str] | None = None,
        exact: bool = False,
        recipe: str = DEFAULT_RECIPE,
        embedder: Embedder | None = None,
    ) -> Collection:
        """Makes an empty collection, open for writing.

        Args:
            path: The folder to make.
            backbone: As in ``Embedder``, likewise the next three.
            precision: As in ``Embedder``.
            weights: As in ``Embedder``.
            exact: As in ``Embedder``.
            recipe: A name in ``recipes.RECIPES``.
            embedder: Takes the place of a new one of that backbone, precision, weights and exactness.

        Raises:
            ImgsimError: Something of that name is there; or as ``Embedder``.
            OSError: The place cannot be written.
        """
        chosen = recipe_named(recipe)
        embedder = embedder or _new_embedder(backbone, precision, weights, exact)
        embedder.describe(())  # raises where it cannot: nothing is to be made then
        source = _source(model_named(backbone) or weights)
        store = Store.create(path, embedder.fingerprint, chosen, embedder.raw_width, source)
        return cls(store, embedder)

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str],
        *,
        write: bool = False,
        wait: bool = False,
        announce: Callable[[str], None] = lambda line: None,
        embedder: Embedder | None = None,
    ) -> Collection:
        """Opens a collection.

        Args:
            path: The folder.
            write: As in ``Store.open``, likewise the next two.
            wait: As in ``Store.open``.
            announce: As in ``Store.open``.
            embedder: What embeds new pictures and queries; made when it is needed otherwise.

        Raises:
            ImgsimError: As ``Store.open``.
            OSError: As ``Store.open``.
        """
        return cls(Store.open(path, write=write, wait=wait, announce=announce), embedder)

    @classmethod
    def open_or_create(
        cls,
        path: str | os.PathLike[str],
        *,
        backbone: str | None = None,
        precision: str | None = None,
        weights: str | os.PathLike[str] | None = None,
        exact: bool = False,
        recipe: str | None = None,
        wait: bool = False,
        announce: Callable[[str], None] = lambda line: None,
    ) -> Collection:
        """Opens a collection for writing; makes it first where there is nothing of this name.

        Args:
            path: The folder.
            backbone: As in `create`. One that is there is asked for what it was made with, likewise by the next three.
            precision: As in `create`.
            weights: As in `create`.
            exact: As in `create`.
            recipe: As in `create`; one that is there changes to it.
            wait: As in `open`.
            announce: As in `open`.

        Raises:
            ImgsimError: As `create` and `open`; or it was made with something else.
            OSError: As `create` and `open`.
        """
        if not os.path.isdir(path) or not os.listdir(path):
            given = {"backbone": backbone, "precision": precision, "weights": weights, "recipe": recipe}
            return cls.create(path, exact=exact, **{name: value for name, value in given.items() if value is not None})
        collection = cls.open(path, write=True, wait=wait, announce=announce)
        try:
            collection._check_made_with(backbone, precision, weights, exact)
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
            self._embedder = _new_embedder(**self.made_with)
        self.store.check_made_by(self._embedder.fingerprint)
        return self._embedder

    @property
    def made_with(self) -> dict[str, Any]:
        """The backbone, precision, weights and exactness that `create` takes for vectors like these."""
        made_by = self.store.fingerprint
        precision = "int8" if made_by.precision.startswith("int8") else made_by.precision
        exact = made_by.preprocessing == 1
        if self._made_by_model():  # which has its own weights and precision
            return {"backbone": self.store.weights, "precision": "auto", "weights": None, "exact": exact}
        return {
            "backbone": made_by.backbone,
            "precision": precision,
            "weights": self.store.weights,
            "exact": exact,
        }

    def _made_by_model(self) -> bool:
        """Whether it was made by a model file, in place of a backbone with weights."""
        return self.store.weights is not None and self.store.weights.endswith(MODEL_SUFFIX)

    def _check_made_with(
        self, backbone: str | None, precision: str | None, weights: str | os.PathLike[str] | None, exact: bool
    ) -> None:
        made_with = self.made_with
        if backbone is not None and self._made_by_model() and (model := model_named(backbone)) is not None:
            # It may have moved since, as a file of weights may: what is in it counts.
            if os.path.abspath(model) != made_with["backbone"]:
                self._embedder = _new_embedder(**{**made_with, "backbone": model})
                self.embedder()
            backbone = None
        for name, given, made in (
            ("backbone", backbone, made_with["backbone"]),
            ("precision", None if precision == "auto" else precision, made_with["precision"]),
            ("decoding", "exact" if exact else None, "exact" if made_with["exact"] else "scaled"),
        ):
            if given is not None and given != made:
                raise ImgsimError(
                    f"collection: {name} must be {made}, with which {printable(self.path)} was made (got {given}); "
                    "another needs a collection of its own"
                )
        source = _source(weights)
        if source is not None and source != self.store.weights:
            # A file may have moved since: what is in it counts.
            self._embedder = _new_embedder(**{**made_with, "weights": weights})
            self.embedder()

    def pictures(self) -> Iterator[Picture]:
        """All pictures; those with equal bytes come one after the other."""
        return (picture for _, picture in self.store.pictures())

    def add(
        self,
        paths: Sequence[str | os.PathLike[str]],
        exclude: Iterable[str] = (),
        threads: int = 0,
        *,
        progress: Callable[[int, int], None] | None = None,
        **limits: float,
    ) -> IndexReport:
        """Brings the collection up to date with files and folders; see ``indexing.index_files``.

        Raises:
            ImageError: A path means nothing, or a folder cannot be listed.
            ImgsimError: The same vectors cannot be made here.
            OSError: The disk is full or refuses; what was committed before is kept.
        """
        if isinstance(paths, str | os.PathLike):
            raise ImgsimError(f"add: paths must be a list of paths (got {printable(paths)})")
        return index_files(self.store, self.embedder, paths, exclude, threads, progress=progress, **limits)

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
        *,
        threshold: float | None = None,
        false_positives: float | None = None,
        verify: bool = True,
        flips: bool = False,
        rotations: bool = False,
        threads: int = 0,
        progress: Progress = lambda what, done, total: None,
    ) -> Answers[Group]:
        """The groups of copies among the pictures; see ``cascade`` for how they are found.

        Args:
            threshold: The score from which on vectors alone make a pair of copies.
            false_positives: The share of pairs of unlike pictures that may reach that score, in place of `threshold`;
                see ``cascade.choose_thresholds`` for what holds without either.
            verify: Look again at pairs below it that are near each other, by their local features.
            flips: Look for mirrored copies too, which embeds every picture once more.
            rotations: Look for copies turned by 90, 180 and 270 degrees too; with `flips` for all eight orientations.
            threads: How many pictures are read, and pairs compared, at once; 0 means one for each processor.
            progress: Called with what is being done, how much of it is done, and how much there is, 0 if unknown.

        Returns:
            The groups one by one as they are asked for. Close it to stop early.

        Raises:
            ImgsimError: A number is out of range.
            OSError: The disk is full.
        """
        from imgsim_ops.collection.duplicates import find_duplicates

        pictures = Pictures.of(self.store)
        thresholds = choose_thresholds(pictures, threshold, false_positives)
        with ExitStack() as resources:
            verifier = self._verifier(self, resources, threads, progress) if verify else None
            turned = self._turned(self, orientations_asked(flips, rotations), threads, progress)
            groups = find_duplicates(self.store, pictures, thresholds, verifier, turned, progress)
            resources.callback(groups.close)
            return Answers(thresholds, verifier, groups, resources.pop_all())

    def leaks(
        self,
        test: Collection,
        *,
        threshold: float | None = None,
        false_positives: float | None = None,
        verify: bool = True,
        flips: bool = False,
        rotations: bool = False,
        threads: int = 0,
        progress: Progress = lambda what, done, total: None,
    ) -> Answers[Leak]:
        """The pictures of a test set that are copies of pictures of this collection, the training set.

        Args:
            test: The test set, made by the same backbone, weights and precision; its recipe does not matter.
            threshold: As in `duplicates`, likewise the others.
            false_positives: As in `duplicates`.
            verify: As in `duplicates`.
            flips: As in `duplicates`; pictures of the test set are embedded once more.
            rotations: As in `duplicates`.
            threads: As in `duplicates`.
            progress: As in `duplicates`.

        Returns:
            The leaks one by one as they are asked for, each picture of the test set at most once.

        Raises:
            ImgsimError: As in `duplicates`; or vectors of the two cannot be compared.
            OSError: As in `duplicates`.
        """
        from imgsim_ops.collection.leaks import find_leaks, pictures_for

        queries, gallery = pictures_for(test.store, self.store), Pictures.of(self.store)
        thresholds = choose_thresholds(gallery, threshold, false_positives)
        with ExitStack() as resources:
            verifier = self._verifier(test, resources, threads, progress) if verify else None
            turned = self._turned(test, orientations_asked(flips, rotations), threads, progress)
            leaks = find_leaks(test.store, self.store, queries, gallery, thresholds, verifier, turned, progress)
            resources.callback(leaks.close)
            return Answers(thresholds, verifier, leaks, resources.pop_all())

    def _verifier(self, queries: Collection, resources: ExitStack, threads: int, progress: Progress) -> Verifier:
        mine = resources.enter_context(FeatureSource(self.store, threads))
        theirs = mine if queries is self else resources.enter_context(FeatureSource(queries.store, threads))
        return resources.enter_context(Verifier(theirs, mine, threads, progress))

    def _turned(
        self, queries: Collection, orientations: Sequence[int], threads: int, progress: Progress
    ) -> Iterator[Turned]:
        others = [orientation for orientation in orientations if orientation != 1]
        if others:
            recipe, whitening = self.store.recipe, self.store.whitening
            yield from turned_pictures(queries.store, self.embedder(), recipe, whitening, others, threads, progress)

    def search(
        self,
        query: str | os.PathLike[str],
        k: int = 10,
        *,
        threshold: float | None = None,
        exclude_self: bool = False,
        flips: bool = False,
        rotations: bool = False,
        approximate: bool = False,
    ) -> list[Hit]:
        """The pictures most like one; see `search_many`.

        Raises:
            ImageError: The query cannot be read as a picture.
            ImgsimError: As `search_many`.
        """
        options = {"threshold": threshold, "exclude_self": exclude_self, "flips": flips, "rotations": rotations}
        with closing(self.search_many([query], k, approximate=approximate, **options)) as found:
            ((_, hits),) = found
        if isinstance(hits, SkippedFile):
            raise ImageError(hits.code, hits.message)
        return hits

    def search_many(
        self,
        queries: Iterable[str | os.PathLike[str]],
        k: int = 10,
        *,
        threshold: float | None = None,
        exclude_self: bool = False,
        flips: bool = False,
        rotations: bool = False,
        approximate: bool = False,
        threads: int = 0,
        **limits: float,
    ) -> Iterator[tuple[str, list[Hit] | SkippedFile]]:
        """The pictures most like each of any number of files, by a scan of all vectors.

        Of a query whose bytes are in the collection the vector is taken from there, so that neither it is decoded nor
        the model loaded, unless it must be turned. Memory is bounded, whatever the number of queries. To stop early,
        close the iterator.

        Args:
            queries: Files; consumed lazily.
            k: How many pictures to find for each at the most. Files with equal bytes are a picture each.
            threshold: The least score of a hit.
            exclude_self: Leave out the query itself: pictures with the same bytes, or of the same path.
            flips: Look for the mirrored query too.
            rotations: Look for the query turned by quarters of a circle too; with `flips`, in all eight orientations.
            approximate: Look into the index that `build_approximate` made, which is quicker in a large collection and
                may miss some.
            threads: As of ``Embedder.stream``.
            limits: ``max_pixels`` and ``time_limit``, as of ``Embedder.stream``.

        Yields:
            Each query with its hits, the best first, or with the reason why it cannot be read.

        Raises:
            ImgsimError: `k` or `threshold` is out of range, the same vectors cannot be made here, or there is no
                approximate index of these very vectors.
        """
        if isinstance(queries, str | os.PathLike):
            raise ImgsimError(f"search: queries must be a list of paths (got {printable(queries)})")
        if k < 1:
            raise ImgsimError(f"search: k must be at least 1 (got {k})")
        if threshold is not None and not -1 <= threshold <= 1:
            raise ImgsimError(f"search: threshold must be a number from -1 to 1 (got {threshold})")
        return self._search_many(
            queries,
            k,
            threshold,
            exclude_self,
            orientations_asked(flips, rotations),
            self._nearest() if approximate else None,
            threads,
            limits,
        )

    def _nearest(self) -> Nearest:
        from imgsim_ops.collection import approximate

        return approximate.opened(self.store).nearest

    def _search_many(
        self,
        queries: Iterable[str | os.PathLike[str]],
        k: int,
        threshold: float | None,
        exclude_self: bool,
        orientations: tuple[int, ...],
        nearest: Nearest | None,
        threads: int,
        limits: dict[str, float],
    ) -> Iterator[tuple[str, list[Hit] | SkippedFile]]:
        options = {"threshold": threshold, "orientations": orientations, "nearest": nearest}
        with closing(
            queries_of(self.store, self.embedder, queries, orientations, exclude_self, threads, **limits)
        ) as found:
            while some := list(islice(found, queries_at_once(self.store, orientations))):
                hits = iter(search(self.store, [query for _, query in some if isinstance(query, Query)], k, **options))
                for path, query in some:
                    yield path, next(hits) if isinstance(query, Query) else query

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
    """What a collection remembers of where its weights came from."""
    return weights if weights is None or str(weights).startswith("random:") else os.path.abspath(weights)


def _new_embedder(backbone: str, precision: str, weights: str | os.PathLike[str] | None, exact: bool) -> Embedder:
    from imgsim_ops.embedding.embedder import Embedder  # which loads a runtime, and much of what is asked needs none

    # One thread each for the batches that are under way at once.
    return Embedder(backbone, "onnx", precision, weights, threads=1, exact=exact)
