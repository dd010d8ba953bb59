"""``imgsim index``: a collection is made or brought up to date."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from imgsim_ops.cli.console import (
    BACKBONE_HELP,
    INTERRUPTED,
    SOME_SKIPPED,
    CollectionOption,
    ExcludeOption,
    JsonOption,
    LateProgress,
    MaxMegapixelsOption,
    PathsArgument,
    ThreadsOption,
    TimeLimitOption,
    WaitOption,
    WeightsOption,
    output,
    passed_over_as_json,
    print_aside,
    print_json,
    print_skipped,
    read_options,
    say,
)
from imgsim_ops.errors import ImgsimError
from imgsim_ops.images.memory import MAX_PIXELS

if TYPE_CHECKING:
    from rich.console import Console

    from imgsim_ops.collection.collection import Collection
    from imgsim_ops.collection.indexing.indexing import IndexReport


def index(
    paths: PathsArgument,
    collection: CollectionOption = "photos.imgsim",
    exclude: ExcludeOption = None,
    backbone: Annotated[
        str | None,
        typer.Option(
            "--backbone",
            metavar="NAME",
            help=f"{BACKBONE_HELP} Of a new collection resnet18 unless given; a collection keeps what it was "
            "made with, likewise the next three.",
        ),
    ] = None,
    weights: WeightsOption = None,
    precision: Annotated[
        str | None, typer.Option("--precision", metavar="NAME", help="fp32, int8 or auto, as in imgsim embed.")
    ] = None,
    exact: Annotated[bool, typer.Option("--exact", help="Decode every pixel of large JPEGs.")] = False,
    recipe: Annotated[
        str | None,
        typer.Option(
            "--recipe",
            metavar="NAME",
            help="How vectors are made of what the model says: mean, gem, whitened or crops (the default). Can be "
            "changed later without decoding anything.",
        ),
    ] = None,
    rehash: Annotated[
        bool,
        typer.Option(
            "--rehash",
            help="Read all files for their hashes, also those whose size, times and inode are what they were. Only "
            "what has other bytes is decoded.",
        ),
    ] = False,
    frames: Annotated[
        bool | None,
        typer.Option(
            "--frames/--no-frames",
            help="Take each frame or page of TIFF, GIF, APNG, WebP, AVIF and HEIC as a picture of its own: FILE#page=2 "
            "and so on, up to 1,000 of a file, which itself stands for the first. A collection keeps to it until told "
            "otherwise.",
            show_default=False,
        ),
    ] = None,
    wait: WaitOption = False,
    threads: ThreadsOption = 0,
    max_megapixels: MaxMegapixelsOption = MAX_PIXELS / 1e6,
    time_limit: TimeLimitOption = 60,
    as_json: JsonOption = False,
) -> None:
    """Make a collection of pictures, or bring it up to date.

    A collection is a folder with the vectors of pictures and what else is needed to find them; the pictures stay where
    they are. Given again, only what is new or has changed is read: a moved or renamed file keeps its vector, and
    one that is gone from a folder named here is dropped. Folders not named here keep what is known of them, and so do
    folders that cannot be read and drives that are not there, which are named on stderr; [cyan]--exclude[/cyan] drops
    them.
    A file that cannot be read is skipped and listed with its reason. Ctrl-C keeps what is done, and so does a crash.

    [bold]Examples[/bold]

    [cyan]imgsim index photos/[/cyan]                      makes photos.imgsim here

    [cyan]imgsim index photos/[/cyan]                      again: what is new?

    [cyan]imgsim index ~/Pictures /mnt/camera -c all.imgsim --backbone efficientnet_lite0[/cyan]

    [cyan]imgsim index photos/ --exclude thumbs --exclude '*.gif'[/cyan]

    [cyan]imgsim search query.jpg[/cyan]                   what is like it?
    """
    from imgsim_ops.collection.collection import Collection
    from imgsim_ops.models.spec import ModelSpec

    _check_pictures(collection, paths, exclude)
    with Collection.open_or_create(
        collection,
        ModelSpec(backbone, weights, precision),
        read=read_options("index", threads, max_megapixels, time_limit, exact),
        recipe=recipe,
        wait=wait,
        announce=say,
    ) as opened:
        with LateProgress("Indexing") as progress:
            report = opened.add(paths, exclude or (), rehash=rehash, pages=frames, progress=progress)
        if as_json:
            print_json(_document(opened, report))
        else:
            _print(output(), opened, report)
    _say_what_is_missing(report)
    if report.interrupted:
        raise typer.Exit(INTERRUPTED)
    if report.skipped:
        raise typer.Exit(SOME_SKIPPED)


def _check_pictures(path: str, paths: list[str], exclude: list[str] | None) -> None:
    """A mistyped name must not leave an empty collection, and needs no model."""
    from imgsim_ops.files.names import printable
    from imgsim_ops.images.scan import scan

    if next(scan(paths, exclude or ()), None) is None and not os.path.exists(path):
        raise ImgsimError(f"index: there must be a picture to read (got none in {', '.join(map(printable, paths))})")


def _document(collection: Collection, report: IndexReport) -> dict:
    hidden, same = report.hidden.items(), report.same.items()
    return {
        "collection": str(collection.path),
        "pictures": len(collection),
        **({"pages": collection.store.counts()["pages"]} if collection.store.pages else {}),
        "files": report.files,
        "unchanged": report.unchanged,
        "known": report.known,
        "embedded": report.embedded,
        "dropped": report.dropped,
        **({"not_looked_at": [{"folder": name, "known": known} for name, known in hidden]} if hidden else {}),
        **({"known_otherwise": [{"folder": name, "known_as": other} for name, other in same]} if same else {}),
        "fingerprint": str(collection.fingerprint),
        "recipe": collection.store.recipe.name,
        "seconds": report.seconds,
        "pictures_per_second": _rate(report),
        "interrupted": report.interrupted,
        **passed_over_as_json(report.skipped, report.aside),
    }


def _say_what_is_missing(report: IndexReport) -> None:
    """On stderr, so that it is seen wherever the rest goes."""
    from imgsim_ops.files.names import printable

    for folder, other in report.same.items():
        say(f"index: {printable(folder)} is in the collection by another path, {printable(other)}, and is taken once")
    for folder, known in report.hidden.items():
        files = "1 known file" if known == 1 else f"{known:,} known files"
        say(
            f"index: NOT LOOKED AT: {printable(folder)} with {files}. Is its drive there? Nothing of it was dropped; "
            "with --exclude it is"
        )


def _rate(report: IndexReport) -> float:
    return report.embedded / report.seconds if report.seconds else 0.0


def _print(console: Console, collection: Collection, report: IndexReport) -> None:
    from imgsim_ops.files.names import printable

    number = len(collection)
    pictures = "1 picture" if number == 1 else f"{number:,} pictures"
    if pages := collection.store.counts()["pages"]:
        pictures += f", of which {pages:,} {'is a further page' if pages == 1 else 'are further pages'},"
    new = f"{report.embedded:,} new" if report.embedded else "nothing new"
    rate = f" ({_rate(report):,.1f}/s)" if report.embedded else ""
    others = ((report.unchanged, "unchanged"), (report.known, "known by their bytes"), (report.dropped, "dropped"))
    parts = [f"{new} in {report.seconds:.2f} s{rate}", *(f"{count:,} {what}" for count, what in others if count)]
    console.print(f"{pictures} in {printable(collection.path)}: {', '.join(parts)}", soft_wrap=True, markup=False)
    console.print(f"[dim]{collection.fingerprint}, recipe {collection.store.recipe.name}[/dim]", soft_wrap=True)
    if report.interrupted:
        console.print("[yellow]Stopped[/yellow]: what is done is kept; the same command goes on", soft_wrap=True)
    print_aside(console, report.aside)
    print_skipped(console, report.skipped)
