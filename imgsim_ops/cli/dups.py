"""``imgsim dups``: groups of copies."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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

    from imgsim_ops.collection.findings import Group

_MOST_GROUPS, _MOST_MEMBERS = 20, 10


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
        typer.Option("--decisions", metavar="FILE", help="For imgsim apply: the best copy of each group stays."),
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
    """Find copies: equal files, and the same picture saved anew, resized, cropped, written upon.

    Every member of a group is a copy of the group's first picture; nothing is chained. The best copy
    has the most pixels; among those it is a PNG, TIFF, BMP or GIF, then the larger file, then the
    older one. Nothing is changed: [cyan]imgsim apply[/cyan] does that. What was learnt of a folder is kept
    in the cache folder, so that the next run looks at new and changed files only.

    [bold]Examples[/bold]

    [cyan]imgsim dups photos/[/cyan]                         what is there twice?

    [cyan]imgsim dups photos/ --html report.html[/cyan]      look at it, and decide

    [cyan]imgsim dups photos.imgsim --flips --json[/cyan]    mirrored copies too, for a program

    [cyan]imgsim dups photos/ --decisions d.json && imgsim apply d.json --trash[/cyan]
    """
    start = time.perf_counter()
    asked = making(backbone, weights, precision, exact, recipe)
    limits = decoding_limits("dups", max_megapixels, time_limit)
    with Stages() as stages:
        collection, skipped = open_pictures(
            "dups",
            paths,
            asked,
            exclude=exclude,
            threads=threads,
            stages=stages,
            **limits,
        )
        with (
            collection,
            collection.duplicates(
                threshold=threshold,
                false_positives=false_positives,
                verify=not no_verify,
                flips=flips,
                rotations=rotations,
                threads=threads,
                progress=stages,
            ) as answers,
        ):
            groups = list(answers)
            found = facts(answers, collection)
            document = {
                "collection": str(collection.path),
                "pictures": len(collection),
                "fingerprint": str(collection.fingerprint),
                "recipe": collection.store.recipe.name,
                "thresholds": thresholds_as_json(answers),
                "verified": verified_as_json(answers),
            }
        if html is not None:
            from imgsim_ops.report.html import write_groups

            write_groups(
                html,
                groups,
                title="Copies",
                facts=found,
                skipped=skipped,
                progress=lambda done: stages("Writing the page", done, len(groups)),
                threads=threads,
            )
    if csv is not None:
        from imgsim_ops.report.tables import write_csv

        write_csv(csv, groups)
    if decisions is not None:
        from imgsim_ops.cleanup.decisions import write_decisions

        write_decisions(decisions, list(map(_decided, groups)))
    if as_json:
        document["groups"] = list(map(_group_as_json, groups))
        document["bytes_of_copies"] = sum(map(_bytes_of_copies, groups))
        document["seconds"] = time.perf_counter() - start
        document["skipped"] = skipped_as_json(skipped)
        print_json(document)
    else:
        console = output()
        _print(console, groups, document["pictures"], time.perf_counter() - start)
        _print_next(console, groups, html, decisions)
        print_skipped(console, skipped)
    if skipped:
        raise typer.Exit(SOME_SKIPPED)


def _bytes_of_copies(group: Group) -> int:
    return sum(member.picture.size for place, member in enumerate(group.members) if place != group.best)


def _decided(group: Group) -> object:
    from imgsim_ops.cleanup.decisions import DecidedFile, DecidedGroup

    files = [DecidedFile(member.picture.path, member.picture.sha256) for member in group.members]
    return DecidedGroup((files[group.best],), tuple(file for place, file in enumerate(files) if place != group.best))


def _group_as_json(group: Group) -> dict:
    from imgsim_ops.collection.findings import evidence_as_json, picture_as_json

    members = [
        {
            **picture_as_json(member.picture),
            "evidence": None if member.evidence is None else evidence_as_json(member.evidence),
        }
        for member in group.members
    ]
    return {"best": group.best, "members": members}


def _print(console: Console, groups: Sequence[Group], pictures: int, seconds: float) -> None:
    from rich.table import Table
    from rich.text import Text

    from imgsim_ops.files.names import printable
    from imgsim_ops.report.tables import described

    for group in groups[:_MOST_GROUPS]:
        table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
        for place, member in enumerate(group.members[:_MOST_MEMBERS]):
            picture = member.picture
            table.add_row(
                Text("best" if place == group.best else "", style="green"),
                Text(printable(picture.path), overflow="fold"),
                Text(f"{picture.width} x {picture.height}", style="dim"),
                Text(f"{picture.size / 1e3:,.0f} kB", style="dim", justify="right"),
                Text(described(member.evidence) if member.evidence is not None else "the picture", style="cyan"),
            )
        console.print(table)
        if len(group.members) > _MOST_MEMBERS:
            console.print(f"      and {len(group.members) - _MOST_MEMBERS:,} more", style="dim")
        console.print()
    if len(groups) > _MOST_GROUPS:
        console.print(f"and {len(groups) - _MOST_GROUPS:,} more groups (--json, --csv and --html have them all)\n")
    copies, size = sum(len(group.members) - 1 for group in groups), sum(map(_bytes_of_copies, groups)) / 1e6
    if groups:
        many = "1 group" if len(groups) == 1 else f"{len(groups):,} groups"
        console.print(
            f"{many}: {copies:,} of {pictures:,} pictures are copies of others, {size:,.1f} MB, in {seconds:.1f} s",
            soft_wrap=True,
        )
    else:
        console.print(f"No copies among {pictures:,} pictures, in {seconds:.1f} s", soft_wrap=True)


def _print_next(console: Console, groups: Sequence[Group], html: Path | None, decisions: Path | None) -> None:
    from imgsim_ops.files.names import printable

    if html is not None:
        console.print(
            f"{printable(html)} shows them and writes the file for imgsim apply", soft_wrap=True, markup=False
        )
    if decisions is not None:
        console.print(f"imgsim apply {printable(decisions)} --trash shows what would go", soft_wrap=True, markup=False)
    if groups and html is None and decisions is None:
        console.print("[dim]--html report.html shows them; --decisions FILE is for imgsim apply[/dim]", soft_wrap=True)
