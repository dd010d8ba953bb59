"""The options that ``dups`` and ``leak`` share: written once, handed on as values."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from imgsim_ops.cli.console import (
    BACKBONE_HELP,
    ExactOption,
    ExcludeOption,
    MaxMegapixelsOption,
    ThreadsOption,
    TimeLimitOption,
    WeightsOption,
    read_options,
)
from imgsim_ops.images.memory import MAX_PIXELS

if TYPE_CHECKING:
    from imgsim_ops.matching.options import MatchOptions


def _asked(
    command: str,
    threshold: Annotated[
        float | None,
        typer.Option(
            "--threshold",
            metavar="SCORE",
            help="Pairs from this score on, -1 to 1, are looked at. Default: by --false-positives.",
        ),
    ] = None,
    false_positives: Annotated[
        float | None,
        typer.Option(
            "--false-positives",
            metavar="SHARE",
            help="The share of pairs of unlike pictures that may reach that score, by the pictures' own scores. "
            "By default each picture has three others above it by chance.",
        ),
    ] = None,
    no_verify: Annotated[
        bool,
        typer.Option(
            "--no-verify", help="Look at pictures as they lie only: quicker, and misses crops and turned ones."
        ),
    ] = False,
    flips: Annotated[
        bool, typer.Option("--flips", help="Look for mirrored copies too; reads every picture again.")
    ] = False,
    rotations: Annotated[
        bool,
        typer.Option(
            "--rotations",
            help="Look for copies turned by 90, 180 and 270 degrees too; with --flips in all eight orientations.",
        ),
    ] = False,
    similar: Annotated[
        bool,
        typer.Option("--similar", help="List what only looks alike too: bursts, one place, one template."),
    ] = False,
    exclude: ExcludeOption = None,
    backbone: Annotated[
        str | None, typer.Option("--backbone", metavar="NAME", help=f"For folders: {BACKBONE_HELP}")
    ] = None,
    weights: WeightsOption = None,
    precision: Annotated[
        str | None, typer.Option("--precision", metavar="NAME", help="For folders: auto (default), fp32 or int8.")
    ] = None,
    exact: ExactOption = False,
    recipe: Annotated[
        str | None,
        typer.Option(
            "--recipe", metavar="NAME", help="For folders: how vectors are made; mean, gem, whitened or crops."
        ),
    ] = None,
    threads: ThreadsOption = 0,
    max_megapixels: MaxMegapixelsOption = MAX_PIXELS / 1e6,
    time_limit: TimeLimitOption = 60,
) -> tuple[MatchOptions, dict[str, Any]]:
    """How pairs are judged, and the further arguments of ``find_duplicates`` and ``find_leaks``."""
    from imgsim_ops.matching.options import MatchOptions
    from imgsim_ops.models.spec import ModelSpec

    options = {
        "model": ModelSpec(backbone, weights, precision),
        "read": read_options(command, threads, max_megapixels, time_limit, exact),
        "recipe": recipe,
        "exclude": exclude or (),
    }
    return MatchOptions(threshold, false_positives, not no_verify, flips, rotations, similar), options


def takes_match_options(command: Callable[..., None]) -> Callable[..., None]:
    """Gives a command the options of `_asked`, in the place of its parameters ``match`` and ``options``."""
    shared = _parameters(_asked)
    del shared["command"]

    @functools.wraps(command)
    def run(**given: Any) -> None:
        match, options = _asked(command.__name__, **{name: given.pop(name) for name in shared})
        command(**given, match=match, options=options)

    parameters = _parameters(command)
    del parameters["options"]
    names = list(parameters)
    place = names.index("match")
    listed = [*list(parameters.values())[:place], *shared.values(), *list(parameters.values())[place + 1 :]]
    run.__signature__ = inspect.Signature(listed)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in listed}
    return run


def _parameters(function: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """The parameters of a function with their annotations evaluated, all by keyword."""
    found = inspect.signature(function).parameters
    namespace = {**function.__globals__, "MatchOptions": Any}
    hints = get_type_hints(function, namespace, include_extras=True)
    return {
        name: parameter.replace(annotation=hints[name], kind=inspect.Parameter.KEYWORD_ONLY)
        for name, parameter in found.items()
    }
