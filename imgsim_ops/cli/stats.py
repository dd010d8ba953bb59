"""``imgsim stats``: the mean colour of pictures and how much it varies."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from imgsim_ops.cli.console import (
    SOME_SKIPPED,
    ExcludeOption,
    JsonOption,
    LateProgress,
    PathsArgument,
    ThreadsOption,
    found_files,
    output,
    print_json,
    print_skipped,
    skipped_as_json,
)

if TYPE_CHECKING:
    from rich.console import Console

    from imgsim_ops.images.statistics import StatsReport

_CHANNELS = ("red", "green", "blue")


def stats(
    paths: PathsArgument,
    exclude: ExcludeOption = None,
    threads: ThreadsOption = 0,
    as_json: JsonOption = False,
) -> None:
    """Mean and standard deviation of each colour channel over all pixels of all pictures.

    Pictures may have any sizes. A file that cannot be read is skipped and listed with its reason.

    [bold]Examples[/bold]

    [cyan]imgsim stats photos/[/cyan]

    [cyan]imgsim stats 'photos/**/*.jpg' more/ --threads 2[/cyan]

    [cyan]imgsim stats photos/ --json > stats.json[/cyan]
    """
    from imgsim_ops.images.options import ReadOptions
    from imgsim_ops.images.statistics import channel_statistics

    files = found_files("stats", paths, exclude)
    with LateProgress("Reading pictures", len(files)) as progress:
        report = channel_statistics(files, ReadOptions(threads), progress=progress)
    if as_json:
        print_json(_document(report))
    else:
        _print(output(), report)
    if report.skipped:
        raise typer.Exit(SOME_SKIPPED)


def _document(report: StatsReport) -> dict:
    per_channel = None
    if report.mean is not None:
        per_channel = {
            name: {"mean": mean, "std": std, "mean_255": mean * 255, "std_255": std * 255}
            for name, mean, std in zip(_CHANNELS, report.mean, report.std, strict=True)
        }
    return {
        "pictures": report.pictures,
        "pixels": report.pixels,
        "channels": per_channel,
        "threads": report.threads,
        "seconds": report.seconds,
        "pictures_per_second": report.pictures_per_second,
        "skipped": skipped_as_json(report.skipped),
    }


def _print(console: Console, report: StatsReport) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    if report.mean is not None:
        table = Table("", box=SIMPLE_HEAD, pad_edge=False)
        for name in _CHANNELS:
            table.add_column(f"[{name}]{name}[/{name}]", justify="right")
        for label, scale, digits in (("0 to 1", 1, 4), ("0 to 255", 255, 2)):
            table.add_row(f"mean, {label}", *(f"{value * scale:.{digits}f}" for value in report.mean))
            table.add_row(f"std,  {label}", *(f"{value * scale:.{digits}f}" for value in report.std))
        console.print(table)
    pictures = "1 picture" if report.pictures == 1 else f"{report.pictures:,} pictures"
    threads = "1 thread" if report.threads == 1 else f"{report.threads} threads"
    console.print(
        f"{pictures}, {report.pixels / 1e6:,.1f} megapixels, read by {threads} in {report.seconds:.2f} s "
        f"({report.pictures_per_second:,.1f} pictures/s)"
    )
    print_skipped(console, report.skipped)
