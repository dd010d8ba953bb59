"""``imgsim methods``: ways to find pictures of a class again, judged by classes that none was trained on."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from imgsim_ops.cli.console import (
    INTERRUPTED,
    SOME_SKIPPED,
    JsonOption,
    ThreadsOption,
    check_outputs,
    output,
    print_json,
    print_skipped,
    print_table,
    say,
    skipped_as_json,
    write_outputs,
)
from imgsim_ops.cli.stages import Stages
from imgsim_ops.errors import ImgsimError
from imgsim_ops.files.names import printable

if TYPE_CHECKING:
    from rich.console import Console

    from imgsim_ops.evaluation.methods.compare import Outcome
    from imgsim_ops.evaluation.results import Results

DataOption = Annotated[
    str,
    typer.Option(
        "--data",
        metavar="NAME",
        help="Labelled pictures: digits, cifar100, or folder:PATH with one folder for each class.",
    ),
]
RootOption = Annotated[
    Path | None,
    typer.Option("--root", metavar="DIR", help="Where cifar100 lies. Default: the folder data in imgsim's cache."),
]
DownloadOption = Annotated[bool, typer.Option("--download", help="Download cifar100 where it is not there: 170 MB.")]
UnseenOption = Annotated[
    str | None,
    typer.Option(
        "--unseen",
        metavar="N|NAMES",
        help="How many classes are kept from training, or which, with commas. Default: a tenth of them, at least 2.",
    ),
]
SeedOption = Annotated[int, typer.Option("--seed", metavar="N", min=0, help="What draws and trainings depend on.")]
EpochsOption = Annotated[
    int | None, typer.Option("--epochs", metavar="N", min=1, help="How many epochs a training takes at the most.")
]
DeviceOption = Annotated[
    str, typer.Option("--device", metavar="NAME", help="Where PyTorch trains and runs CLIP: cpu, cuda or cuda:N.")
]

_STOPPED = "methods: Ctrl-C came before it was judged"
# Columns that the terminal does not show, and those that go first where it is narrow.
_NOT_PRINTED = ("what", "distance", "made_by")
_MINOR = ("queries", "dimension", "searched_per_second", "described_per_second")

methods_app = typer.Typer(add_completion=False, rich_markup_mode="rich")


@methods_app.callback(invoke_without_command=True)
def methods(
    context: typer.Context,
    data: DataOption = "digits",
    root: RootOption = None,
    download: DownloadOption = False,
    unseen: UnseenOption = None,
    chosen: Annotated[
        list[str] | None,
        typer.Option(
            "--methods",
            metavar="NAMES",
            help="Only these, with commas or several times: triplet, contrastive, autoencoder, classical, clip, "
            "clip-text, imgsim:resnet18, imgsim:efficientnet_lite0, pixels.",
        ),
    ] = None,
    k: Annotated[int, typer.Option("--k", metavar="K", min=1, help="How many of the nearest must all be right.")] = 5,
    queries: Annotated[
        int,
        typer.Option(
            "--queries", metavar="N", min=1, help="How many pictures classical, which compares pairs, searches at most."
        ),
    ] = 500,
    runs: Annotated[
        Path,
        typer.Option("--runs", metavar="DIR", help="Where imgsim methods train has put its runs; made if missing."),
    ] = Path("runs"),
    epochs: EpochsOption = None,
    seed: SeedOption = 0,
    clip_model: Annotated[
        str | None,
        typer.Option(
            "--clip-model", metavar="NAME", help="As open_clip calls it, or local-dir:PATH. Default: ViT-B-32."
        ),
    ] = None,
    clip_weights: Annotated[
        str | None,
        typer.Option(
            "--clip-weights",
            metavar="NAME|FILE",
            help="As open_clip calls them, a file, or random:SEED for tests. Default: laion2b_s34b_b79k.",
        ),
    ] = None,
    device: DeviceOption = "cpu",
    threads: ThreadsOption = 0,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", metavar="DIR", help="A folder for methods.json, .md, .csv and the plot; made if missing."
        ),
    ] = None,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="The same as a page that needs nothing else.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Compare ways to find pictures of classes that nothing was trained on.

    Siamese networks (triplet and contrastive loss) and an autoencoder, trained
    on the other classes where that was not done yet; local features, histograms
    and SSIM; CLIP's image embedding, alone and with text; imgsim's own; and the
    pixels as they are, to hold the others against. A picture is found when its
    k nearest all show its class. What cannot run is a row that says why.

    [bold]Examples[/bold]

    [cyan]imgsim methods[/cyan]   all of them, on scikit-learn's digits

    [cyan]imgsim methods --data folder:flowers --unseen rose,tulip --methods clip,imgsim:resnet18[/cyan]

    [cyan]imgsim methods --data cifar100 --download --device cuda -o results --html results.html[/cyan]

    [cyan]imgsim methods train triplet -o runs/triplet[/cyan]   one training, with all its options
    """
    if context.invoked_subcommand is not None:
        _refuse_options(context)
        return
    from imgsim_ops.evaluation.labelled import NO_CLASS, NO_CLASS_SENTENCE, load_data, parse_unseen, split_classes
    from imgsim_ops.evaluation.machine import Place
    from imgsim_ops.evaluation.methods.compare import ComparisonOptions, Outcome, check_methods, compare
    from imgsim_ops.evaluation.methods.tables import results

    names = check_methods([name.strip() for names in chosen or () for name in names.split(",")])
    place = Place(device, threads)
    place.check()
    check_outputs("methods", out, html, as_json)
    options = ComparisonOptions(k, seed, queries, runs, epochs, place, clip_model, clip_weights)
    outcomes = []
    with Stages() as stages:
        pictures = load_data(
            data, root, download=download, progress=lambda done, total: stages("Reading pictures", done, total)
        )
        seen, held_out = split_classes(pictures, parse_unseen(unseen, pictures), seed)
        with suppress(KeyboardInterrupt):  # what is done is shown
            for outcome in compare(names, seen, held_out, options, stages=stages, announce=say):
                outcomes.append(outcome)
    missing = [Outcome(name, missing="stopped", note=_STOPPED) for name in names[len(outcomes) :]]
    outcomes += missing
    found = results(outcomes, seen, held_out, options, plotted=bool(out or html or as_json))
    written = write_outputs(found, out, html)
    if as_json:
        print_json({**found.as_json(), "interrupted": bool(missing), "skipped": skipped_as_json(pictures.skipped)})
    else:
        console = output()
        _print(console, found, outcomes)
        for path in written:
            console.print(f"[dim]{printable(path)}[/dim]", soft_wrap=True)
        print_skipped(console, pictures.skipped, sentences={NO_CLASS: NO_CLASS_SENTENCE})
    if missing:
        raise typer.Exit(INTERRUPTED)
    if pictures.skipped or any(outcome.judgement is None for outcome in outcomes):
        raise typer.Exit(SOME_SKIPPED)


def _refuse_options(context: typer.Context) -> None:
    """An option of the comparison before the name of another command would mean nothing."""
    for parameter in context.command.params:
        source = context.get_parameter_source(parameter.name)
        if source is not None and source.name == "COMMANDLINE":
            rule = f"options of methods {context.invoked_subcommand} stand after its name"
            raise ImgsimError(f"methods: {rule} (got {parameter.opts[0]} before it)")


def _print(console: Console, found: Results, outcomes: Sequence[Outcome]) -> None:
    from rich.markup import escape

    (table,) = found.tables
    print_table(console, replace(table, title=found.title), without=_NOT_PRINTED, minor=_MINOR)
    for advice in dict.fromkeys(outcome.advice for outcome in outcomes if outcome.advice):
        names = ", ".join(outcome.method for outcome in outcomes if outcome.advice == advice)
        console.print(f"[dim]For {names}: {escape(advice)}[/dim]", soft_wrap=True)
    for name in ("Data", "Unseen classes", "Accuracy", "By chance"):
        console.print(f"[bold]{name}[/bold]: {escape(found.facts[name])}", soft_wrap=True)
