"""Folders as collections: one in the cache for each, brought up to date before it is looked into."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from imgsim_ops.collection.candidates.pairs import Progress
from imgsim_ops.collection.collection import DEFAULT_RECIPE, Collection
from imgsim_ops.collection.store.schema import DATABASE
from imgsim_ops.errors import ImgsimError
from imgsim_ops.files.names import printable
from imgsim_ops.files.reasons import SkippedFile
from imgsim_ops.images.options import ReadOptions
from imgsim_ops.images.scan import scan_names
from imgsim_ops.model_files.cache import cache_folder, say_on_stderr, unwritable
from imgsim_ops.models.spec import DEFAULT_PRECISION, ModelSpec

# Of the names of collections in the cache. Not the collections' own format: an older one is upgraded where it lies.
_NAMING = 2


@dataclass(frozen=True)
class FolderOptions:
    """How folders become collections; a collection that is there says so itself.

    Attributes:
        model: What makes the vectors.
        recipe: A name in ``recipes.RECIPES``; None: the default.
        exclude: As of ``images.scan.scan``.
        read: How files are read.
    """

    model: ModelSpec = field(default_factory=ModelSpec)
    recipe: str | None = None
    exclude: Sequence[str] = ()
    read: ReadOptions = field(default_factory=ReadOptions)

    @property
    def asked(self) -> list[str]:
        """What was asked for that only folders take, by name."""
        return [
            *self.model.asked,
            *(["recipe"] if self.recipe is not None else []),
            *(["exact"] if self.read.exact else []),
            *(["exclude"] if self.exclude else []),
        ]


def is_collection(path: str | os.PathLike[str]) -> bool:
    """Whether a path is a collection, sound or not."""
    return (Path(path) / DATABASE).is_file()


def names_in(path: str, exclude: Sequence[str] = ()) -> Iterator[str]:
    """The absolute names of the pictures of a collection, or of those that a folder seems to have; none is read.

    Args:
        path: A collection, a folder or a file.
        exclude: As of ``images.scan.scan``, for folders.

    Raises:
        ImgsimError: As `open_pictures`.
        ImageError: A path means nothing, or a folder cannot be listed.
    """
    if is_collection(path):
        with Collection.open(path) as opened:
            yield from (picture.path for picture in opened.pictures() if picture.page is None)
    else:
        yield from map(os.path.abspath, scan_names([path], exclude))


def open_pictures(
    command: str,
    paths: Sequence[str],
    options: FolderOptions,
    progress: Progress,
    like: Collection | None = None,
) -> tuple[Collection, list[SkippedFile]]:
    """A collection as it is, or one of folders, which lies in the cache and is brought up to date.

    Args:
        command: What errors call it.
        paths: One collection, or files and folders.
        options: For folders, but for how files are read.
        progress: Called while this goes on.
        like: A collection whose vectors those of folders must be like; what is asked for otherwise must not differ.

    Returns:
        The collection, open for reading, and the files that are no readable pictures, or none at all.

    Raises:
        ImgsimError: A collection beside other paths or with options that only folders take; no pictures; or as
            ``Collection``.
        KeyboardInterrupt: Ctrl-C came; what was done is kept.
    """
    if any(map(is_collection, paths)):
        if len(paths) > 1:
            raise ImgsimError(f"{command}: a collection must stand alone (got {len(paths)} paths)")
        if options.asked:
            given = ", ".join(f"--{name}" for name in options.asked)
            raise ImgsimError(f"{command}: options of folders do not go with a collection (got {given})")
        collection = Collection.open(paths[0], read=options.read)
        return collection, collection.unreadable()
    model, recipe, read = _made_with(options, like)
    where = _cached_collection(paths, model, recipe, read.exact)
    _check_cache(where)
    if is_collection(where):
        writing = Collection.open(where, write=True, wait=True, announce=say_on_stderr, read=read)
    else:
        progress(f"Loading {model.name}", 0, 0)
        writing = Collection.create(where, model, read=read, recipe=recipe)
    with writing:
        report = writing.add(paths, options.exclude, progress=lambda done, total: progress("Indexing", done, total))
        if report.interrupted:
            raise KeyboardInterrupt
        if not len(writing) or not report.files:  # what is known of a drive that is not there is not looked into
            raise ImgsimError(
                f"{command}: there must be a picture to read (got none in {', '.join(map(printable, paths))})"
            )
    # What follows only reads, and may take long: nobody need wait for it, least of all a second look at this folder.
    return Collection.open(where, read=read), [*report.skipped, *report.aside]


def _check_cache(where: Path) -> None:
    """Finds out before the model is loaded whether the collection in the cache can be made, or brought up to date."""
    try:
        where.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=where if where.is_dir() else where.parent):
            pass
    except OSError as error:
        raise unwritable(error, cache_folder()) from error


def _cached_collection(paths: Sequence[str | os.PathLike[str]], model: ModelSpec, recipe: str, exact: bool) -> Path:
    """Where the collection of some folders lies: in the cache of model files, ``IMGSIM_CACHE``.

    Args:
        paths: Files and folders.
        model: What makes its vectors. A file that has changed, as an encoder trained anew, makes it another collection.
        recipe: The name of the recipe.
        exact: Whether every pixel is decoded.
    """
    places = sorted({os.fsencode(os.path.abspath(path)).hex() for path in paths})
    asked = {name: os.fspath(value) for name, value in model.asked.items()}
    files = [os.stat(value) for value in asked.values() if os.path.isfile(value)]
    made_with = {**asked, "recipe": recipe, "exact": exact}
    key = json.dumps([_NAMING, places, sorted(made_with.items()), [(file.st_size, file.st_mtime_ns) for file in files]])
    return cache_folder() / "collections" / f"{hashlib.sha256(key.encode()).hexdigest()[:24]}.imgsim"


def _made_with(options: FolderOptions, like: Collection | None) -> tuple[ModelSpec, str, ReadOptions]:
    """The model, the recipe and the reading of a folder's collection, all of them said."""
    model, recipe, read = options.model, options.recipe or DEFAULT_RECIPE, options.read
    if like is not None:
        model, recipe = model.over(like.model), options.recipe or like.store.recipe.name
        read = replace(read, exact=read.exact or like.read.exact)
    if (file := model.file) is not None:
        model = replace(model, backbone=os.path.abspath(file), model=None)
    return model.over(ModelSpec(model.name, None, DEFAULT_PRECISION)), recipe, read


def open_sets(
    train: str, test: str, options: FolderOptions, progress: Progress
) -> tuple[Collection, Collection, list[SkippedFile]]:
    """A training set and a test set, with vectors that can be compared: a collection says how a folder's are made.

    Args:
        train: A folder or a collection.
        test: Likewise.
        options: For folders, but for how files are read.
        progress: Called while this goes on.

    Returns:
        Both, open for reading, and the files of both that are no readable pictures.

    Raises:
        ImgsimError: As `open_pictures`.
    """
    both = is_collection(train) and is_collection(test)
    # Beside a folder a collection takes no notice of what is asked for of the folder.
    of_collection = options if both else FolderOptions(read=replace(options.read, exact=False))

    def opened(path: str, like: Collection | None) -> tuple[Collection, list[SkippedFile]]:
        asked = of_collection if is_collection(path) else options
        return open_pictures("leak", [path], asked, progress, like)

    test_first = is_collection(test) and not is_collection(train)
    first, second = (test, train) if test_first else (train, test)
    one, skipped = opened(first, None)
    try:
        other, more = opened(second, one if is_collection(first) else None)
    except BaseException:
        one.close()
        raise
    return (other, one, [*skipped, *more]) if test_first else (one, other, [*skipped, *more])
