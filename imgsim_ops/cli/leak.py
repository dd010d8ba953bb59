"""``imgsim leak``: pictures of a test set that are copies of pictures of the training set."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from imgsim_ops.cli.console import (
    SOME_SKIPPED,
    ExactOption,
    ExcludeOption,
    JsonOption,
    MaxMegapixelsOption,
    ThreadsOption,
    TimeLimitOption,
    WeightsOption,
    decoding_limits,
    output,
    print_json,
    print_skipped,
    skipped_as_json,
)
from imgsim_ops.cli.sources import (
    DupsBackboneOption,
    DupsPrecisionOption,
    FalsePositivesOption,
    FlipsOption,
    NoVerifyOption,
    RecipeOption,
    RotationsOption,
    Stages,
    ThresholdOption,
    facts,
    making,
    open_pictures,
    thresholds_as_json,
    verified_as_json,
)
from imgsim_ops.images.memory import MAX_PIXELS

if TYPE_CHECKING:
    from rich.console import Console

    from imgsim_ops.collection.collection import Collection
    from imgsim_ops.collection.findings import Leak
    from imgsim_ops.files.reasons import SkippedFile

TOO_MANY = 1
_MOST = 20


def leak(
    train: Annotated[str, typer.Argument(metavar="TRAIN", help="The training set: a folder, or a collection.")],
    test: Annotated[str, typer.Argument(metavar="TEST", help="The test set: a folder, or a collection.")],
    fail_over: Annotated[
        int | None,
        typer.Option("--fail-over", metavar="N", min=0, help="Exit with code 1 when more than N pictures leak."),
    ] = None,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="A page with each leak beside what it is a copy of.")
    ] = None,
    junit: Annotated[
        Path | None, typer.Option("--junit", metavar="FILE", help="JUnit's XML for CI: each leak is a failed test.")
    ] = None,
    clean: Annotated[
        Path | None,
        typer.Option("--clean", metavar="FILE", help="The pictures of TEST that are no copies, one path in each line."),
    ] = None,
    threshold: ThresholdOption = None,
    false_positives: FalsePositivesOption = None,
    no_verify: NoVerifyOption = False,
    flips: FlipsOption = False,
    rotations: RotationsOption = False,
    exclude: ExcludeOption = None,
    backbone: DupsBackboneOption = None,
    weights: WeightsOption = None,
    precision: DupsPrecisionOption = None,
    exact: ExactOption = False,
    recipe: RecipeOption = None,
    threads: ThreadsOption = 0,
    max_megapixels: MaxMegapixelsOption = MAX_PIXELS / 1e6,
    time_limit: TimeLimitOption = 60,
    as_json: JsonOption = False,
) -> None:
    """Find pictures of a test set that are copies, or nearly, of pictures of the training set.

    Exit codes: 0 whatever is found, unless --fail-over is given; then 1 when more pictures than that leak.

    [bold]Examples[/bold]

    [cyan]imgsim leak train/ test/[/cyan]

    [cyan]imgsim leak train/ test/ --html leaks.html --clean clean.txt[/cyan]

    [cyan]imgsim leak train.imgsim test/ --junit leaks.xml --fail-over 0[/cyan]   in CI
    """
    start = time.perf_counter()
    asked = making(backbone, weights, precision, exact, recipe)
    options = {"exclude": exclude, "threads": threads, **decoding_limits("leak", max_megapixels, time_limit)}
    with Stages() as stages:
        (trained, tested), skipped = _open(train, test, asked, options, stages)
        with (
            trained,
            tested,
            trained.leaks(
                tested,
                threshold=threshold,
                false_positives=false_positives,
                verify=not no_verify,
                flips=flips,
                rotations=rotations,
                threads=threads,
                progress=stages,
            ) as answers,
        ):
            leaks = list(answers)
            found = {"Training set": train, "Test set": test, **facts(answers, trained)}
            leaking = {leak.picture.path for leak in leaks}
            pictures = list(tested.pictures())
            document = {
                "train": {"collection": str(trained.path), "pictures": len(trained)},
                "test": {"collection": str(tested.path), "pictures": len(pictures)},
                "fingerprint": str(trained.fingerprint),
                "recipe": trained.store.recipe.name,
                "thresholds": thresholds_as_json(answers),
                "verified": verified_as_json(answers),
            }
        if html is not None:
            from imgsim_ops.report.html import write_leaks

            write_leaks(
                html,
                leaks,
                title="Leaks",
                facts=found,
                skipped=skipped,
                progress=lambda done: stages("Writing the page", done, len(leaks)),
                threads=threads,
            )
    if junit is not None:
        from imgsim_ops.report.tables import write_junit

        write_junit(junit, pictures, leaks)
    if clean is not None:
        from imgsim_ops.report.tables import write_paths

        write_paths(clean, (picture for picture in pictures if picture.path not in leaking))
    if as_json:
        document["leaks"] = list(map(_leak_as_json, leaks))
        document["clean"] = len(pictures) - len(leaking)
        document["seconds"] = time.perf_counter() - start
        document["skipped"] = skipped_as_json(skipped)
        print_json(document)
    else:
        _print(output(), leaks, len(pictures), document["train"]["pictures"], time.perf_counter() - start)
        print_skipped(output(), skipped)
    if fail_over is not None and len(leaks) > fail_over:
        raise typer.Exit(TOO_MANY)
    if skipped:
        raise typer.Exit(SOME_SKIPPED)


def _open(
    train: str, test: str, asked: dict[str, Any], options: dict[str, Any], stages: Stages
) -> tuple[tuple[Collection, Collection], list[SkippedFile]]:
    """Both sets, with vectors that can be compared: a collection says how those of a folder are made."""
    from imgsim_ops.collection.kept import is_collection

    both = is_collection(train) and is_collection(test)

    def opened(path: str, like: Collection | None) -> tuple[Collection, list[SkippedFile]]:
        of_folder = {"asked": asked, **options} if both or not is_collection(path) else {"asked": {}}
        return open_pictures("leak", [path], like=like, stages=stages, **of_folder)

    test_first = is_collection(test) and not is_collection(train)
    first, second = (test, train) if test_first else (train, test)
    one, skipped = opened(first, None)
    other, more = opened(second, one if is_collection(first) else None)
    return (other, one) if test_first else (one, other), [*skipped, *more]


def _leak_as_json(leak: Leak) -> dict:
    from imgsim_ops.collection.findings import evidence_as_json, picture_as_json

    return {
        "picture": picture_as_json(leak.picture),
        "source": picture_as_json(leak.source),
        "evidence": evidence_as_json(leak.evidence),
    }


def _print(console: Console, leaks: Sequence[Leak], tested: int, trained: int, seconds: float) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    from imgsim_ops.files.names import printable
    from imgsim_ops.report.tables import described

    if leaks:
        table = Table("test", "is in train as", "because of", box=SIMPLE_HEAD, pad_edge=False)
        for leak in leaks[:_MOST]:
            table.add_row(
                Text(printable(leak.picture.path), overflow="fold"),
                Text(printable(leak.source.path), overflow="fold"),
                Text(described(leak.evidence), style="cyan"),
            )
        console.print(table)
        if len(leaks) > _MOST:
            console.print(f"and {len(leaks) - _MOST:,} more (--json, --html and --junit have them all)")
    share = f" ({len(leaks) / tested:.1%})" if tested else ""
    console.print(
        f"{len(leaks):,} of {tested:,} test pictures{share} are copies of some of {trained:,} training pictures, "
        f"in {seconds:.1f} s",
        soft_wrap=True,
    )
