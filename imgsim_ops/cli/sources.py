"""What ``dups`` and ``leak`` share: the collections that they look into, and how copies are told from look-alikes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from imgsim_ops.cli.console import BACKBONE_HELP, LateProgress, say, waiting
from imgsim_ops.errors import ImgsimError
from imgsim_ops.models.locations import model_named

if TYPE_CHECKING:
    from imgsim_ops.collection.candidates.cascade import Answers
    from imgsim_ops.collection.collection import Collection
    from imgsim_ops.files.reasons import SkippedFile

ThresholdOption = Annotated[
    float | None,
    typer.Option(
        "--threshold",
        metavar="SCORE",
        help="Pairs from this score on, -1 to 1, are copies without a second look. Default: by --false-positives.",
    ),
]
FalsePositivesOption = Annotated[
    float | None,
    typer.Option(
        "--false-positives",
        metavar="SHARE",
        help="The share of pairs of unlike pictures that may reach that score, by the pictures' own scores. "
        "1e-6, or less in collections so large that more than one pair would.",
    ),
]
NoVerifyOption = Annotated[
    bool,
    typer.Option(
        "--no-verify", help="Go by scores and hashes alone: quicker, and misses copies that were changed much."
    ),
]
FlipsOption = Annotated[bool, typer.Option("--flips", help="Look for mirrored copies too; reads every picture again.")]
RotationsOption = Annotated[
    bool,
    typer.Option(
        "--rotations",
        help="Look for copies turned by 90, 180 and 270 degrees too; with --flips in all eight orientations.",
    ),
]
DupsBackboneOption = Annotated[
    str | None,
    typer.Option("--backbone", metavar="NAME", help=f"For folders: {BACKBONE_HELP}"),
]
DupsPrecisionOption = Annotated[
    str | None, typer.Option("--precision", metavar="NAME", help="For folders: auto (default), fp32 or int8.")
]
RecipeOption = Annotated[
    str | None,
    typer.Option("--recipe", metavar="NAME", help="For folders: how vectors are made; mean, gem, whitened or views."),
]


class Stages:
    """Shows on a terminal what is going on, one stage after the other; used as a context and called as a `Progress`."""

    def __init__(self) -> None:
        self._stage: tuple[str, int] | None = None
        self._shown: Any = None

    def __enter__(self) -> Stages:
        return self

    def __exit__(self, *exception: object) -> None:
        if self._shown is not None:
            self._shown.__exit__(None, None, None)
        self._stage = self._shown = None

    def __call__(self, what: str, done: int, total: int) -> None:
        """Shows that `done` of `total` are done; a total of 0 is not known."""
        if self._stage != (what, total):
            self.__exit__()
            self._stage = what, total
            self._shown = LateProgress(what, total) if total else waiting(what)
            self._shown.__enter__()
        if total:
            self._shown(done)


def making(
    backbone: str | None, weights: str | None, precision: str | None, exact: bool, recipe: str | None
) -> dict[str, Any]:
    """What was asked for of the vectors, without what was not."""
    if backbone is not None and (model := model_named(backbone)) is not None:
        backbone = os.path.abspath(model)
    asked = {"backbone": backbone, "weights": weights, "precision": precision, "recipe": recipe}
    return {name: value for name, value in asked.items() if value is not None} | ({"exact": True} if exact else {})


def open_pictures(
    command: str,
    paths: Sequence[str],
    asked: dict[str, Any],
    *,
    like: Collection | None = None,
    exclude: Sequence[str] | None = None,
    threads: int = 0,
    stages: Stages,
    **limits: float,
) -> tuple[Collection, list[SkippedFile]]:
    """A collection as it is, or one of folders, which is kept in the cache and brought up to date.

    Args:
        command: What errors call it.
        paths: One collection, or files and folders.
        asked: See `making`; only for folders.
        like: A collection whose vectors those of folders must be like; what is asked for otherwise must not differ.
        exclude: For folders, as of ``images.scan.scan``.
        threads: For folders.
        stages: Shows how far it is.
        **limits: As of ``Collection.add``.

    Returns:
        The collection, and the files that are no readable pictures.

    Raises:
        ImgsimError: A collection beside other paths or with options that only folders take; no pictures; or as
            ``Collection``.
    """
    from imgsim_ops.collection.collection import DEFAULT_RECIPE, Collection
    from imgsim_ops.collection.kept import is_collection, kept_folder

    if any(map(is_collection, paths)):
        if len(paths) > 1:
            raise ImgsimError(f"{command}: a collection must stand alone (got {len(paths)} paths)")
        if asked or exclude:
            given = ", ".join(f"--{name}" for name in [*asked, *(["exclude"] if exclude else [])])
            raise ImgsimError(f"{command}: options of folders do not go with a collection (got {given})")
        return Collection.open(paths[0]), []
    if like is None:
        made_with = {"backbone": "resnet18", "precision": "auto", "weights": None, "exact": False}
        made_with |= {"recipe": DEFAULT_RECIPE, **asked}
    else:
        made_with = {**like.made_with, "recipe": like.store.recipe.name, **asked}
    where = kept_folder(paths, made_with)
    if is_collection(where):
        writing = Collection.open(where, write=True, wait=True, announce=say)
    else:
        with waiting(f"Loading {made_with['backbone']}"):
            writing = Collection.create(where, **made_with)
    with writing:
        report = writing.add(
            paths, exclude or (), threads, progress=lambda done, total: stages("Indexing", done, total), **limits
        )
        if report.interrupted:
            raise KeyboardInterrupt
        if not len(writing):
            raise ImgsimError(f"{command}: there must be a picture to read (got none in {', '.join(paths)})")
    # What follows only reads, and may take long: nobody need wait for it, least of all a second look at this folder.
    return Collection.open(where), report.skipped


def thresholds_as_json(answers: Answers) -> dict[str, float]:
    """What was found with which thresholds, as every ``--json`` shows it."""
    return {"alone": answers.thresholds.alone, "candidate": answers.thresholds.candidate}


def verified_as_json(answers: Answers) -> dict[str, int] | None:
    """How many pairs were looked at again, and how many could not be; None where scores alone decided."""
    verifier = answers.verifier
    return None if verifier is None else {"pairs": verifier.verified, "unreadable": verifier.unverified}


def facts(answers: Answers, collection: Collection) -> dict[str, str]:
    """The same for people."""
    store, found = collection.store, {}
    found["Pictures"] = f"{len(collection):,}"
    found["Vectors"] = f"{store.fingerprint}, recipe {store.recipe.name}"
    if store.whitening is not None:
        found["Whitening"] = f"fitted to {store.fitted_on:,} of these pictures"
    found["A copy by its score alone from"] = f"{answers.thresholds.alone:.4f}"
    if answers.verifier is not None:
        found["Looked at again from"] = f"{answers.thresholds.candidate:.4f}"
        found["Pairs looked at again"] = f"{answers.verifier.verified:,}"
        if answers.verifier.unverified:
            found["Pairs that could not be"] = f"{answers.verifier.unverified:,}"
    return found
