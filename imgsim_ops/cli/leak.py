"""``imgsim leak``: pictures of a test set that are copies of pictures of the training set."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from imgsim_ops.cli.console import (
    SOME_SKIPPED,
    JsonOption,
    Written,
    output,
    passed_over_as_json,
    print_aside,
    print_json,
    print_skipped,
)
from imgsim_ops.cli.matching import takes_match_options
from imgsim_ops.cli.stages import Stages
from imgsim_ops.errors import ImgsimError
from imgsim_ops.files.names import printable

if TYPE_CHECKING:
    from rich.console import Console

    from imgsim_ops.collection.find import Leaks
    from imgsim_ops.matching.options import MatchOptions

TOO_MANY = 1
_MOST = 20


@takes_match_options
def leak(
    train: Annotated[str, typer.Argument(metavar="TRAIN", help="The training set: a folder, or a collection.")],
    test: Annotated[str, typer.Argument(metavar="TEST", help="The test set: a folder, or a collection.")],
    fail_over: Annotated[
        int | None,
        typer.Option(
            "--fail-over",
            metavar="N",
            min=0,
            help="Exit with code 1 when more than N pictures leak, or when a picture of either set cannot be read.",
        ),
    ] = None,
    allow_unread: Annotated[
        bool, typer.Option("--allow-unread", help="Pictures that cannot be read do not fail --fail-over.")
    ] = False,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="A page with each leak beside what it is a copy of.")
    ] = None,
    junit: Annotated[
        Path | None, typer.Option("--junit", metavar="FILE", help="JUnit's XML for CI: each leak is a failed test.")
    ] = None,
    count: Annotated[
        str | None,
        typer.Option(
            "--count",
            metavar="RELATIONS",
            help="Which count for --fail-over, --clean and --junit, of identical, same_pixels, copy, part, edited and "
            "look_alike, with commas between; all but look_alike by default.",
        ),
    ] = None,
    clean: Annotated[
        Path | None,
        typer.Option(
            "--clean",
            metavar="FILE",
            help="The pictures of TEST that do not count as leaks, one path in each line; as JSON where FILE ends in "
            ".json.",
        ),
    ] = None,
    null: Annotated[
        bool,
        typer.Option("--null", "-0", help="Of --clean: a NUL ends each path, as xargs -0 reads them, and no line."),
    ] = False,
    *,
    match: MatchOptions,
    options: dict[str, Any],
    as_json: JsonOption = False,
) -> None:
    """Find pictures of a test set that come of pictures of the training set: copies, parts, edited ones.

    Exit codes: 0 whatever is found, unless --fail-over is given; then 1 when more pictures than that leak, or when a
    picture was not read, as that one may leak too. Without it, 3 when a picture was not read.

    [bold]Examples[/bold]

    [cyan]imgsim leak train/ test/[/cyan]

    [cyan]imgsim leak train/ test/ --html leaks.html --clean clean.txt[/cyan]

    [cyan]imgsim leak train/ test/ --clean clean.txt -0 && xargs -0 -a clean.txt cp -t clean/[/cyan]

    [cyan]imgsim leak train.imgsim test/ --junit leaks.xml --fail-over 0[/cyan]   in CI
    """
    start = time.perf_counter()
    from imgsim_ops.collection.find import find_leaks

    written = Written("leak", html, junit, clean)
    _check_clean(clean, null, test, options["exclude"])
    with Stages() as stages:
        found = find_leaks(
            train,
            test,
            match,
            **options,
            progress=stages,
        )
        if count is not None:
            found = found.counting([name.strip() for name in count.split(",")])
        if html is not None:
            from imgsim_ops.report.documents import facts_of
            from imgsim_ops.report.html import PageOptions, write_leaks

            with written:
                write_leaks(
                    html,
                    found,
                    PageOptions("Leaks", read=options["read"]),
                    {"Training set": train, "Test set": test, **facts_of(found.provenance)},
                    found.skipped,
                    lambda done: stages("Writing the page", done, len(found)),
                )
    if junit is not None:
        from imgsim_ops.report.tables import write_junit

        with written:
            write_junit(junit, found.tested, found.counted)
    if clean is not None:
        with written:
            _write_clean(clean, null, found)
    seconds = time.perf_counter() - start
    if as_json:
        from imgsim_ops.report.documents import leaks_as_json

        print_json({**leaks_as_json(found), "seconds": seconds, **passed_over_as_json(found.skipped, found.aside)})
    else:
        _print(output(), found, seconds)
        print_aside(output(), found.aside)
        print_skipped(output(), found.skipped)
    written.tell()
    if fail_over is not None and (len(found.counted) > fail_over or (found.skipped and not allow_unread)):
        raise typer.Exit(TOO_MANY)
    if found.skipped:
        raise typer.Exit(SOME_SKIPPED)


def _is_json(clean: Path) -> bool:
    return clean.suffix == ".json"


def _check_clean(clean: Path | None, null: bool, test: str, exclude: Sequence[str]) -> None:
    """A name that the list cannot hold must not be found out after the work."""
    if null and (clean is None or _is_json(clean)):
        got = "no --clean" if clean is None else printable(clean)
        raise ImgsimError(f"leak: --null is for a --clean file that is a list (got {got})")
    if clean is None or null or _is_json(clean):
        return
    from imgsim_ops.collection.folders import names_in
    from imgsim_ops.report.tables import check_lines

    check_lines(names_in(test, exclude))


def _write_clean(clean: Path, null: bool, found: Leaks) -> None:
    if _is_json(clean):
        from imgsim_ops.files.writing import write_file
        from imgsim_ops.report.documents import clean_as_json

        write_file(clean, (json.dumps(clean_as_json(found), indent=2) + "\n").encode())
    else:
        from imgsim_ops.report.tables import write_paths

        write_paths(clean, found.clean, null=null)


def _print(console: Console, leaks: Leaks, seconds: float) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    if leaks:
        table = Table("test", "is in train as", "what it is", box=SIMPLE_HEAD, pad_edge=False)
        for leak in leaks[:_MOST]:
            table.add_row(
                Text(printable(leak.picture.path), overflow="fold"),
                Text(printable(leak.source.path), overflow="fold"),
                Text(leak.evidence.words, style="cyan"),
            )
        console.print(table)
        if len(leaks) > _MOST:
            console.print(f"and {len(leaks) - _MOST:,} more (--json, --html and --junit have them all)")
    tested, trained = len(leaks.tested), leaks.provenance.pictures
    counted = len(leaks.counted)
    share = f" ({counted / tested:.1%})" if tested else ""
    console.print(
        f"{counted:,} of {tested:,} test pictures{share} come of some of {trained:,} training pictures, "
        f"in {seconds:.1f} s",
        soft_wrap=True,
    )
