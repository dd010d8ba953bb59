"""``imgsim zoo``: models compared, by how well they tell pictures apart and in what time."""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from imgsim_ops.cli.console import (
    SOME_SKIPPED,
    JsonOption,
    ThreadsOption,
    check_outputs,
    output,
    print_json,
    print_skipped,
    print_table,
    waiting,
    write_outputs,
)
from imgsim_ops.files.names import printable

if TYPE_CHECKING:
    from rich.console import Console

    from imgsim_ops.evaluation.zoo.measure import MeasuringOptions, Row
    from imgsim_ops.evaluation.zoo.triples import Triples

# Columns that the terminal does not show: the names of models say which weights.
_NOT_PRINTED = ("weights", "picture")
# Columns that go first where it is narrow.
_MINOR = ("acc5", "params_m", "cosine_us", "dimension", "acc1", "negative_resized")


def zoo(
    pictures: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="ANCHOR POSITIVE NEGATIVE",
            help="Pictures in threes: the positive shows what the anchor shows, the negative something else. "
            "Default: photographs of scikit-image.",
            show_default=False,
        ),
    ] = None,
    models: Annotated[
        list[str] | None,
        typer.Option(
            "--models",
            "-m",
            metavar="NAMES",
            help="torchvision's classification models, as in resnet18,resnet50:V1 with a version of the weights; "
            "imgsim:resnet18 and imgsim:efficientnet_lite0; all; default, which is some fifty. May be given several "
            "times.",
        ),
    ] = None,
    weights: Annotated[
        str,
        typer.Option(
            "--weights",
            metavar="auto|none|DIR",
            help="auto: torch hub's cache, else a download; none: random values, for timing only; or a folder with "
            "torchvision's files.",
        ),
    ] = "auto",
    engine: Annotated[
        str, typer.Option("--engine", metavar="NAME", help="torch; or onnx, each model exported to ONNX Runtime.")
    ] = "torch",
    device: Annotated[str, typer.Option("--device", metavar="NAME", help="cpu, cuda or cuda:N.")] = "cpu",
    threads: ThreadsOption = 0,
    repeats: Annotated[int, typer.Option("--repeats", metavar="N", min=1, help="Calls that are timed.")] = 10,
    warmup: Annotated[int, typer.Option("--warmup", metavar="N", min=0, help="Calls before them.")] = 2,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="DIR", help="Write the tables as JSON, Markdown and CSV, and the plots."),
    ] = None,
    html: Annotated[Path | None, typer.Option("--html", metavar="FILE", help="Write a page of all of it.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Compare models: how alike they find pictures, in what time, with how many values.

    An embedding is what a model makes of a picture before its classifier. Models are loaded one after
    the other; one that fails is a row that says why. GFLOPS, parameters and accuracies are those that
    the weights' own metadata give; a table holds models of a range of GFLOPS, rounded down.

    [bold]Examples[/bold]

    [cyan]imgsim zoo --models resnet18,mobilenet_v3_small,imgsim:efficientnet_lite0[/cyan]

    [cyan]imgsim zoo cat.jpg same_cat.jpg dog.jpg -o results[/cyan]   on pictures of yours

    [cyan]imgsim zoo --weights none --engine onnx[/cyan]   how fast they are, without any weights

    [cyan]imgsim zoo --models all --device cuda --html zoo.html[/cyan]
    """
    start = time.monotonic()
    with waiting("Loading torchvision"):
        from imgsim_ops.evaluation.zoo.candidates import Runtime
        from imgsim_ops.evaluation.zoo.files import WeightFiles
        from imgsim_ops.evaluation.zoo.measure import MeasuringOptions, measure
        from imgsim_ops.evaluation.zoo.names import find_candidates
        from imgsim_ops.evaluation.zoo.tables import group_of, group_table, zoo_results
        from imgsim_ops.evaluation.zoo.triples import triples_of

        options = MeasuringOptions(WeightFiles(weights), Runtime(device, threads, engine), repeats, warmup)
        options.runtime.check()
        candidates = sorted(find_candidates(models or ()), key=lambda candidate: (candidate.gflops, candidate.label))
        triples = triples_of(pictures or ())
        check_outputs("zoo", out, html, as_json)
    console = output()
    rows: list[Row] = []
    tables = []
    stopped = False
    for name, group in groupby(candidates, key=lambda candidate: group_of(candidate.gflops)):
        found: list[Row] = []
        try:
            for candidate in group:
                number = len(rows) + len(found) + 1
                with waiting(f"Measuring {candidate.label}, {number} of {len(candidates)}"):
                    found.append(measure(candidate, triples, options))
        except KeyboardInterrupt:  # what is done is not lost
            stopped = True
        rows += found
        if found:
            tables.append(group_table(name, found, len(triples)))
            if not as_json:
                width = max(len(candidate.label) for candidate in candidates)
                print_table(console, tables[-1], without=_NOT_PRINTED, minor=_MINOR, first_width=width)
                console.print()
        if stopped:
            break
    if out is not None or html is not None or as_json:
        from imgsim_ops.evaluation.zoo.plot import plots

        with waiting("Drawing"):
            results = zoo_results(tables, plots(rows), triples, options)
        written = write_outputs(results, out, html)
        if as_json:
            print_json(results.as_json())
        else:
            for path in written:
                console.print(f"[dim]{printable(path)}[/dim]")
    if not as_json:
        _print_summary(console, rows, triples, options, time.monotonic() - start)
    if stopped:
        raise KeyboardInterrupt
    if triples.skipped or any(row.failed for row in rows):
        raise typer.Exit(SOME_SKIPPED)


def _print_summary(
    console: Console, rows: Sequence[Row], triples: Triples, options: MeasuringOptions, seconds: float
) -> None:
    from imgsim_ops.evaluation.zoo.tables import separation, unbeaten

    failed = sum(bool(row.failed) for row in rows)
    models = "1 model" if len(rows) == 1 else f"{len(rows)} models"
    runtime = options.runtime
    console.print(
        f"{models} in {seconds:,.0f} s by {runtime.engine} on {runtime.device}"
        + (f", [yellow]{failed} of them could not be measured[/yellow]" if failed else ""),
        soft_wrap=True,
    )
    if any(row.failed and row.no_weights for row in rows):
        console.print("--weights none measures their time all the same; --weights DIR takes files that you have")
    console.print(f"[dim]Similarities in percent, on {triples.words}.[/dim]", soft_wrap=True)
    best = unbeaten(row for row in rows if separation(row) is not None)
    if len(best) > 1:
        names = ", ".join(f"{row.model} ({1e3 * row.embed_s:.0f} ms, {separation(row):.1f})" for row in best)
        console.print(f"No other separates positive and negative better in less time: {names}", soft_wrap=True)
    print_skipped(console, triples.skipped)
