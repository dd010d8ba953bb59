"""The job in one call: what is there twice, and what of a test set is in the training set."""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar, overload

from imgsim_ops.collection.candidates.pairs import Progress
from imgsim_ops.collection.collection import Collection, silent
from imgsim_ops.collection.duplicates import Rules
from imgsim_ops.collection.equal import equal_groups, pictures_of
from imgsim_ops.collection.findings import Findings, Group, Leak, Picture, Similar
from imgsim_ops.collection.folders import FolderOptions, is_collection, open_pictures, open_sets
from imgsim_ops.collection.notebook import as_figures
from imgsim_ops.errors import ImgsimError
from imgsim_ops.files.names import printable
from imgsim_ops.files.reasons import SkippedFile, unread
from imgsim_ops.images.options import ReadOptions
from imgsim_ops.images.scan import scan_names
from imgsim_ops.matching.options import MatchOptions
from imgsim_ops.matching.relations import Relation
from imgsim_ops.models.spec import ModelSpec

#: The relations that count as leaks.
COUNTED = tuple(relation.value for relation in Relation if relation is not Relation.LOOK_ALIKE)

_MOST_SHOWN = 20  # groups or leaks in a notebook


@dataclass(frozen=True)
class Provenance:
    """What was looked into, and how.

    Attributes:
        collection: The folder of the collection, perhaps one that is kept for the pictures' own folder.
        pictures: How many pictures (files) it has.
        fingerprint: What made its raw vectors.
        recipe: What made the searched ones.
        fitted_on: How many pictures the recipe's whitening was fitted to; 0 where there is none.
        judged: How many pairs were looked at, now or before.
        unreadable: How many could not be, as one of the pictures cannot be read any more or has changed.
    """

    collection: Path
    pictures: int
    fingerprint: str
    recipe: str
    fitted_on: int
    judged: int
    unreadable: int = 0

    @classmethod
    def of(cls, collection: Collection, findings: Findings) -> Provenance:
        """What is known once the last finding has been asked for."""
        store, judge = collection.store, findings.judge
        return cls(
            collection.path,
            len(collection),
            str(store.fingerprint),
            store.recipe.name,
            0 if store.whitening is None else store.fitted_on,
            judge.judged,
            judge.unreadable,
        )


_Item = TypeVar("_Item", Group, Leak)


class _Listed(Sequence[_Item]):
    """A sequence of findings, which notebooks show as pictures."""

    @property
    @abstractmethod
    def _all(self) -> tuple[_Item, ...]: ...

    @overload
    def __getitem__(self, place: int) -> _Item: ...
    @overload
    def __getitem__(self, place: slice) -> tuple[_Item, ...]: ...
    def __getitem__(self, place: int | slice) -> _Item | tuple[_Item, ...]:
        """One of them, or some."""
        return self._all[place]

    def __len__(self) -> int:
        """How many there are."""
        return len(self._all)

    def _repr_html_(self) -> str:
        return as_figures(repr(self)[1:-1], [item.figures() for item in self._all[:_MOST_SHOWN]])


@dataclass(frozen=True, eq=False)
class Duplicates(_Listed[Group]):
    """The groups of copies among pictures, a sequence.

    Attributes:
        groups: By the first picture of each.
        provenance: What was looked into, and how.
        skipped: The files that are no readable pictures.
        similar: What only looks alike, where that was asked for.
        aside: The films and drawings, which nobody expects to be read.
    """

    groups: tuple[Group, ...]
    provenance: Provenance
    skipped: tuple[SkippedFile, ...]
    similar: tuple[Similar, ...] = ()
    aside: tuple[SkippedFile, ...] = ()

    @property
    def _all(self) -> tuple[Group, ...]:
        return self.groups

    @property
    def copies(self) -> int:
        """How many pictures are proposed to go."""
        return sum(member.remove for group in self.groups for member in group.members)

    @property
    def undecided(self) -> int:
        """How many pictures are in groups, neither kept nor proposed to go, nor names of one that is there already."""
        return sum(len(group.members) - 1 for group in self.groups) - self.copies - self.names

    @property
    def names(self) -> int:
        """How many are further names of files in their group, and stay: hard links, links, a folder mounted twice."""
        members = (member for group in self.groups for member in group.members)
        return sum(member.same_file is not None and not member.remove for member in members)

    @property
    def bytes_of_copies(self) -> int:
        """How many bytes become free when those go."""
        return sum(group.bytes_of_copies for group in self.groups)

    def __repr__(self) -> str:
        return f"<{len(self)} groups: {self.copies} of {self.provenance.pictures} pictures may go>"


@dataclass(frozen=True, eq=False)
class Leaks(_Listed[Leak]):
    """The pictures of a test set that are copies of training pictures, a sequence.

    Attributes:
        leaks: By picture of the test set.
        provenance: Of the training set.
        test: The collection of the test set.
        tested: All pictures of the test set.
        skipped: The files of both that are no readable pictures.
        relations: Those that count as leaks.
        aside: The films and drawings of both, which nobody expects to be read.
    """

    leaks: tuple[Leak, ...]
    provenance: Provenance
    test: Path
    tested: tuple[Picture, ...]
    skipped: tuple[SkippedFile, ...]
    relations: tuple[str, ...] = COUNTED
    aside: tuple[SkippedFile, ...] = ()

    @property
    def _all(self) -> tuple[Leak, ...]:
        return self.leaks

    def counting(self, relations: Sequence[str]) -> Leaks:
        """The same with other relations that count.

        Args:
            relations: Of ``matching.relations.Relation``.

        Raises:
            ImgsimError: There is no such relation.
        """
        known = [relation.value for relation in Relation]
        if unknown := sorted(set(relations) - set(known)):
            raise ImgsimError(f"leak: what counts must be of {', '.join(known)} (got {', '.join(unknown)})")
        return replace(self, relations=tuple(relations))

    @property
    def counted(self) -> tuple[Leak, ...]:
        """The leaks of the relations that count."""
        return tuple(leak for leak in self.leaks if leak.relation in self.relations)

    @property
    def clean(self) -> tuple[Picture, ...]:
        """The pictures of the test set that do not count as leaks."""
        leaking = {leak.picture.path for leak in self.counted}
        return tuple(picture for picture in self.tested if picture.path not in leaking)

    def __repr__(self) -> str:
        return f"<{len(self.counted)} of {len(self.tested)} test pictures come of training pictures>"


def find_duplicates(
    pictures: Collection | str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    match: MatchOptions = MatchOptions(),
    rules: Rules = Rules(),
    *,
    model: ModelSpec | str | None = None,
    read: ReadOptions = ReadOptions(),
    recipe: str | None = None,
    exclude: Sequence[str] = (),
    progress: Progress = silent,
) -> Duplicates:
    """The groups of pictures that come of one picture each: saved anew, resized, cropped, written upon.

    Each member says what it is to the picture kept, and whether it may go: only where it shows nothing that the other
    does not show. What is learnt of folders is kept in the cache folder, so that the next call looks at new and changed
    files only.

    Example:
        >>> for group in imgsim_ops.find_duplicates("photos/"):  # doctest: +SKIP
        ...     print([member.picture.path for member in group.members])

    Args:
        pictures: Folders, pictures and globs, one or several; or a collection, open or not.
        match: How candidates are chosen.
        rules: What is kept, and what may go.
        model: For folders: what makes the vectors; a text is a backbone.
        read: How files are read. Of an open collection its own reading counts.
        recipe: For folders: a name in ``recipes.RECIPES``.
        exclude: For folders: patterns of what is left out, as of ``images.scan.scan``.
        progress: Called with what is being done, how much of it is done, and how much there is, 0 if unknown.

    Raises:
        ImageError: A path means nothing, or a folder cannot be listed.
        ImgsimError: There is no picture; options of folders go with a collection; or as ``Embedder``.
        WeightsError: The weights cannot be had.
        OSError: The disk is full or refuses.
        KeyboardInterrupt: Ctrl-C came; what was learnt is kept.
    """
    options = FolderOptions(ModelSpec.of(model), recipe, tuple(exclude), read)
    if rules.equal_only:
        return _find_equal(pictures, rules, options, progress)
    with ExitStack() as resources:
        if isinstance(pictures, Collection):
            collection = _as_it_is("dups", pictures, options)
            skipped = collection.unreadable()
        else:
            collection, skipped = open_pictures("dups", _paths(pictures), options, progress)
            resources.enter_context(collection)
        alike: list[Similar] = []
        with collection.duplicates(match, rules, similar=alike, progress=progress) as findings:
            groups = tuple(findings)
        unreadable, aside = _told_apart(skipped)
        return Duplicates(groups, Provenance.of(collection, findings), unreadable, tuple(alike), aside)


def _find_equal(
    pictures: Collection | str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    rules: Rules,
    options: FolderOptions,
    progress: Progress,
) -> Duplicates:
    """Those of equal bytes and pixels: of folders the files themselves are looked at, and no collection is made."""
    paths = [] if isinstance(pictures, Collection) else _paths(pictures)
    if isinstance(pictures, Collection) or any(map(is_collection, paths)):
        with ExitStack() as resources:
            collection = pictures
            if not isinstance(collection, Collection):
                collection = resources.enter_context(open_pictures("dups", paths, options, progress)[0])
            found, skipped = list(collection.pictures()), collection.unreadable()
            where, made_by, recipe = collection.path, str(collection.fingerprint), collection.store.recipe.name
    else:
        films: list[SkippedFile] = []
        found, skipped = pictures_of(scan_names(paths, options.exclude, films), options.read, progress)
        skipped += films
        where, made_by, recipe = Path(os.path.abspath(paths[0])), "", ""
    groups = tuple(equal_groups(found, options.read, rules, progress))
    unreadable, aside = _told_apart(skipped)
    return Duplicates(groups, Provenance(where, len(found), made_by, recipe, 0, 0), unreadable, aside=aside)


def _told_apart(skipped: Sequence[SkippedFile]) -> tuple[tuple[SkippedFile, ...], tuple[SkippedFile, ...]]:
    """Files that should have been read, and those that nobody expects to be."""
    return tuple(unread(skipped)), tuple(file for file in skipped if file.is_aside)


def find_leaks(
    train: Collection | str | os.PathLike[str],
    test: Collection | str | os.PathLike[str],
    match: MatchOptions = MatchOptions(),
    *,
    model: ModelSpec | str | None = None,
    read: ReadOptions = ReadOptions(),
    recipe: str | None = None,
    exclude: Sequence[str] = (),
    progress: Progress = silent,
) -> Leaks:
    """The pictures of a test set that come of pictures of the training set.

    Args:
        train: The training set: a folder, or a collection, open or not; open if `test` is.
        test: The test set, likewise.
        match: As in `find_duplicates`, likewise the others.
        model: For folders. A collection says how the vectors of a folder beside it are made.
        read: How files are read.
        recipe: For folders.
        exclude: For folders.
        progress: Called while this goes on.

    Raises:
        ImgsimError: Vectors of the two cannot be compared; or as `find_duplicates`, likewise the others.
        ImageError: A path means nothing, or a folder cannot be listed.
        WeightsError: The weights cannot be had.
        OSError: The disk is full or refuses.
        KeyboardInterrupt: Ctrl-C came; what was learnt is kept.
    """
    options = FolderOptions(ModelSpec.of(model), recipe, tuple(exclude), read)
    with ExitStack() as resources:
        if isinstance(train, Collection) and isinstance(test, Collection):
            trained, tested = (_as_it_is("leak", collection, options) for collection in (train, test))
            skipped = [*trained.unreadable(), *tested.unreadable()]
        elif isinstance(train, Collection) or isinstance(test, Collection):
            raise ImgsimError("leak: both sets must be open collections, or neither (got one)")
        else:
            trained, tested, skipped = open_sets(os.fspath(train), os.fspath(test), options, progress)
            resources.enter_context(trained)
            resources.enter_context(tested)
        with trained.leaks(tested, match, progress=progress) as findings:
            leaks = tuple(findings)
        provenance = Provenance.of(trained, findings)
        unreadable, aside = _told_apart(skipped)
        return Leaks(leaks, provenance, tested.path, tuple(tested.pictures()), unreadable, aside=aside)


def _as_it_is(command: str, collection: Collection, options: FolderOptions) -> Collection:
    if options.asked:
        given = ", ".join(options.asked)
        raise ImgsimError(
            f"{command}: options of folders do not go with a collection (got {given} for {printable(collection.path)})"
        )
    return collection


def _paths(pictures: str | os.PathLike[str] | Sequence[str | os.PathLike[str]]) -> list[str]:
    paths = [pictures] if isinstance(pictures, str | os.PathLike) else pictures
    return [os.fspath(path) for path in paths]
