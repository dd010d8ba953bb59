"""What ``dups`` and ``leak`` share: options, and showing what goes on."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from imgsim_ops.cli.console import BACKBONE_HELP, LateProgress, waiting

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
    """Shows on a terminal what is going on, one stage after the other; a context.

    Called as ``find_duplicates`` calls its progress.
    """

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
