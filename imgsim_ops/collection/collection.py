"""Collections, as programs use them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from imgsim_ops.collection.answers import Picture
from imgsim_ops.collection.indexing import IndexReport, apply_recipe, index_files
from imgsim_ops.collection.store import Store
from imgsim_ops.errors import ImgsimError
from imgsim_ops.images.names import printable
from imgsim_ops.models.fingerprint import Fingerprint
from imgsim_ops.recipes import recipe_named

if TYPE_CHECKING:
    from imgsim_ops.embedder import Embedder

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
        source = weights if weights is None or str(weights).startswith("random:") else os.path.abspath(weights)
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
            made_by = self.store.fingerprint
            precision = "int8" if made_by.precision.startswith("int8") else made_by.precision
            self._embedder = _new_embedder(
                made_by.backbone, precision, self.store.weights, exact=made_by.preprocessing == 1
            )
        self.store.check_made_by(self._embedder.fingerprint)
        return self._embedder

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

    def change_recipe(self, name: str) -> None:
        """Makes the searched vectors by another recipe, without decoding anything.

        Raises:
            ImgsimError: No recipe has that name.
            OSError: The disk is full or refuses. The collection is as before.
        """
        recipe = recipe_named(name)
        if recipe != self.store.recipe:
            apply_recipe(self.store, recipe)


def _new_embedder(backbone: str, precision: str, weights: str | os.PathLike[str] | None, exact: bool) -> Embedder:
    from imgsim_ops.embedder import Embedder  # which loads a runtime, and much of what is asked needs none

    # One thread each for the batches that are under way at once.
    return Embedder(backbone, "onnx", precision, weights, threads=1, exact=exact)
