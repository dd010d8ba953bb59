"""``imgsim dups``: groups of copies."""

from __future__ import annotations

import time
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

if TYPE_CHECKING:
    from rich.console import Console

    from imgsim_ops.collection.find import Duplicates
    from imgsim_ops.matching.options import MatchOptions

_MOST_GROUPS, _MOST_MEMBERS = 20, 10


@takes_match_options
def dups(
    paths: Annotated[
        list[str],
        typer.Argument(metavar="PATHS", help="Folders, pictures and globs, or one collection by imgsim index."),
    ],
    html: Annotated[
        Path | None,
        typer.Option("--html", metavar="FILE", help="A page to look at the groups in and to decide what goes."),
    ] = None,
    csv: Annotated[Path | None, typer.Option("--csv", metavar="FILE", help="A table, a line for each picture.")] = None,
    decisions: Annotated[
        Path | None,
        typer.Option("--decisions", metavar="FILE", help="For imgsim apply: what is proposed to go, and what stays."),
    ] = None,
    remove: Annotated[
        str,
        typer.Option(
            "--remove",
            metavar="WHAT",
            help="What is proposed to go: identical (bytes or pixels), copies, or parts too.",
        ),
    ] = "copies",
    prefer: Annotated[
        list[str] | None,
        typer.Option("--prefer", metavar="FOLDER", help="Pictures in it are kept, rather than others; repeatable."),
    ] = None,
    reference: Annotated[
        list[str] | None,
        typer.Option("--reference", metavar="FOLDER", help="Likewise, and nothing in it goes; repeatable."),
    ] = None,
    equal_only: Annotated[
        bool, typer.Option("--equal-only", help="Equal bytes and pixels alone: quick, and needs no model.")
    ] = False,
    *,
    match: MatchOptions,
    options: dict[str, Any],
    as_json: JsonOption = False,
) -> None:
    """Find pictures that come of one picture, and say which of them may go.

    Each is laid over the picture kept and compared pixel by pixel: it is a copy, a part, or edited.
    What is proposed to go shows nothing that the picture kept does not show; all else stays, unless you
    decide otherwise. The picture kept is the original, as far as pixels tell: true detail, then a camera's
    facts, compression, noise, age. Nothing is changed: [cyan]imgsim apply[/cyan] does that. What was learnt
    of a folder is kept in the cache folder, so that the next run looks at new and changed files only.

    [bold]Examples[/bold]

    [cyan]imgsim dups photos/[/cyan]                         what is there twice?

    [cyan]imgsim dups photos/ --html report.html[/cyan]      look at it, and decide

    [cyan]imgsim dups inbox/ archive/ --reference archive/[/cyan]   what of the inbox is archived?

    [cyan]imgsim dups photos.imgsim --flips --json[/cyan]    mirrored copies too, for a program

    [cyan]imgsim dups photos/ --decisions d.json && imgsim apply d.json --trash[/cyan]
    """
    start = time.perf_counter()
    from imgsim_ops.collection.duplicates import Rules
    from imgsim_ops.collection.find import find_duplicates

    rules = Rules.of(remove, prefer or (), reference or (), equal_only=equal_only)
    written = Written("dups", html, csv, decisions)
    with Stages() as stages:
        found = find_duplicates(
            paths,
            match,
            rules,
            **options,
            progress=stages,
        )
        if html is not None:
            from imgsim_ops.report.documents import facts_of
            from imgsim_ops.report.html import PageOptions, write_groups

            with written:
                write_groups(
                    html,
                    found,
                    PageOptions("Duplicates", read=options["read"]),
                    facts_of(found.provenance),
                    found.skipped,
                    lambda done: stages("Writing the page", done, len(found)),
                )
    if csv is not None:
        from imgsim_ops.report.tables import write_csv

        with written:
            write_csv(csv, found)
    if decisions is not None:
        from imgsim_ops.cleanup.decisions import proposed, write_decisions

        with written:
            write_decisions(decisions, proposed(found))
    seconds = time.perf_counter() - start
    if as_json:
        from imgsim_ops.report.documents import duplicates_as_json

        print_json({**duplicates_as_json(found), "seconds": seconds, **passed_over_as_json(found.skipped, found.aside)})
    else:
        console = output()
        _print(console, found, seconds)
        if not written.errors:
            _print_next(console, found, html, decisions)
        print_aside(console, found.aside)
        print_skipped(console, found.skipped)
    written.tell()
    if found.skipped:
        raise typer.Exit(SOME_SKIPPED)


def _fate(kept: bool, goes: bool) -> Any:
    from rich.text import Text

    return Text("keep", style="green") if kept else Text("goes", style="red") if goes else Text("")


def _print(console: Console, groups: Duplicates, seconds: float) -> None:
    from rich.table import Table
    from rich.text import Text

    from imgsim_ops.files.names import printable

    for group in groups[:_MOST_GROUPS]:
        table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
        several = any(member.picture.frames_in_words for member in group.members[:_MOST_MEMBERS])
        for place, member in enumerate(group.members[:_MOST_MEMBERS]):
            picture = member.picture
            table.add_row(
                _fate(place == group.best, member.remove),
                Text(printable(picture.path), overflow="fold"),
                Text(f"{picture.width} x {picture.height}", style="dim"),
                Text(f"{picture.size / 1e3:,.0f} kB", style="dim", justify="right"),
                *([Text(picture.frames_in_words, style="yellow")] if several else []),
                Text(member.words, style="cyan"),
            )
        console.print(table)
        if len(group.members) > _MOST_MEMBERS:
            console.print(f"      and {len(group.members) - _MOST_MEMBERS:,} more", style="dim")
        console.print()
    if len(groups) > _MOST_GROUPS:
        console.print(f"and {len(groups) - _MOST_GROUPS:,} more groups (--json, --csv and --html have them all)\n")
    pictures, size = groups.provenance.pictures, groups.bytes_of_copies / 1e6
    if groups:
        many = "1 group" if len(groups) == 1 else f"{len(groups):,} groups"
        names = f"{groups.names:,} free nothing, as further names of the same files; " if groups.names else ""
        console.print(
            f"{many}: {groups.copies:,} of {pictures:,} pictures may go, {size:,.1f} MB; "
            f"{groups.undecided:,} more are parts, edited, finer or have more beside, and stay; "
            f"{names}in {seconds:.1f} s",
            soft_wrap=True,
        )
    else:
        console.print(f"No copies among {pictures:,} pictures, in {seconds:.1f} s", soft_wrap=True)
    for some in groups.similar[:_MOST_GROUPS]:
        console.print(f"\n{len(some.pictures)} look alike:")
        for place, picture in enumerate(some.pictures[:_MOST_MEMBERS]):
            mark = "  the sharpest" if place == some.sharpest else ""
            console.print(f"  {printable(picture.path)}{mark}", soft_wrap=True, markup=False)


def _print_next(console: Console, groups: Duplicates, html: Path | None, decisions: Path | None) -> None:
    from imgsim_ops.files.names import printable

    if html is not None:
        console.print(
            f"{printable(html)} shows them and writes the file for imgsim apply", soft_wrap=True, markup=False
        )
    if decisions is not None:
        console.print(f"imgsim apply {printable(decisions)} --trash shows what would go", soft_wrap=True, markup=False)
    if groups and html is None and decisions is None:
        console.print("[dim]--html report.html shows them; --decisions FILE is for imgsim apply[/dim]", soft_wrap=True)
