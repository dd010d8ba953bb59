"""``imgsim methods train``: an encoder is trained on the classes that may be seen."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from imgsim_ops.cli.console import (
    INTERRUPTED,
    SOME_SKIPPED,
    JsonOption,
    ThreadsOption,
    described,
    output,
    print_json,
    print_skipped,
    say,
    skipped_as_json,
)
from imgsim_ops.cli.methods import (
    DataOption,
    DeviceOption,
    DownloadOption,
    EpochsOption,
    RootOption,
    SeedOption,
    UnseenOption,
    methods_app,
)
from imgsim_ops.cli.stages import Stages

if TYPE_CHECKING:
    from rich.console import Console

    from imgsim_ops.evaluation.labelled import LabelledPictures
    from imgsim_ops.evaluation.training.training import Training


def train(
    kind: Annotated[str, typer.Argument(metavar="KIND", help="triplet, contrastive or autoencoder.")],
    data: DataOption = "digits",
    root: RootOption = None,
    download: DownloadOption = False,
    unseen: UnseenOption = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="DIR", help="The run's folder. Default: runs/KIND. Made if missing."),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the run in this folder, perhaps for more epochs.")
    ] = False,
    epochs: EpochsOption = None,
    patience: Annotated[
        int | None,
        typer.Option("--patience", metavar="N", min=1, help="End after so many epochs that were no better."),
    ] = None,
    network: Annotated[
        str | None, typer.Option("--network", metavar="NAME", help="small (default), or resnet18, which wants a GPU.")
    ] = None,
    size: Annotated[
        int | None,
        typer.Option("--size", metavar="N", help="The side of pictures, in pixels: 14, 16, 28, 32, 56, 112 or 224."),
    ] = None,
    dimension: Annotated[
        int | None, typer.Option("--dimension", metavar="N", min=2, help="Values in a vector.")
    ] = None,
    batch: Annotated[int | None, typer.Option("--batch", metavar="N", help="Pictures in a step, 32 or more.")] = None,
    rate: Annotated[float | None, typer.Option("--rate", metavar="X", help="The learning rate.")] = None,
    mirror: Annotated[
        bool, typer.Option("--mirror", help="Mirror every other picture; not for digits and letters.")
    ] = False,
    seed: SeedOption = 0,
    device: DeviceOption = "cpu",
    threads: ThreadsOption = 0,
    as_json: JsonOption = False,
) -> None:
    """Train an encoder on the classes that may be seen.

    triplet and contrastive are Siamese networks, by their losses; autoencoder
    rebuilds pictures. A part of each class is kept for validation. The folder
    gets the settings, a log, a checkpoint, the encoder as encoder.pt and
    encoder.onnx, and its loss curves. Ctrl-C keeps what is done, and --resume
    goes on with it as if nothing had been: the same seed, threads and versions
    give the same bits.

    [bold]Examples[/bold]

    [cyan]imgsim methods train triplet[/cyan]   on scikit-learn's digits, to runs/triplet

    [cyan]imgsim methods train triplet --resume --epochs 80[/cyan]   the same one, for longer

    [cyan]imgsim methods train contrastive --data folder:flowers --unseen rose,tulip --mirror -o runs/flowers[/cyan]

    [cyan]imgsim methods train autoencoder --data cifar100 --network resnet18 --size 112 --device cuda[/cyan]
    """
    from imgsim_ops.evaluation.labelled import load_data, parse_unseen, split_classes
    from imgsim_ops.evaluation.machine import Place
    from imgsim_ops.evaluation.training.changes import Changes
    from imgsim_ops.evaluation.training.learners import check_kind
    from imgsim_ops.evaluation.training.options import TrainingOptions
    from imgsim_ops.evaluation.training.training import train as train_encoder

    check_kind(kind)
    place = Place(device, threads)
    place.check()
    asked: dict[str, Any] = {
        "network": network,
        "size": size,
        "dimension": dimension,
        "batch": batch,
        "rate": rate,
        "epochs": epochs,
        "patience": patience,
    }
    given = {name: value for name, value in asked.items() if value is not None}
    options = TrainingOptions(seed=seed, changes=Changes(mirror=mirror), **given)
    options.check()
    with Stages() as stages:
        pictures = load_data(
            data, root, download=download, progress=lambda done, total: stages("Reading pictures", done, total)
        )
        seen, _ = split_classes(pictures, parse_unseen(unseen, pictures), seed)
        found = train_encoder(
            kind,
            seen,
            out or Path("runs") / kind,
            options,
            resume=resume,
            place=place,
            progress=stages,
            on_epoch=lambda epoch: say(_line(epoch, options.epochs)),
        )
    if as_json:
        print_json(_document(found, seen))
    else:
        _print(output(), found, seen)
    if found.interrupted:
        raise typer.Exit(INTERRUPTED)
    if seen.skipped:
        raise typer.Exit(SOME_SKIPPED)


def _line(epoch: Mapping[str, float], epochs: int) -> str:
    accuracy = 100 * epoch["validation_accuracy"]
    return (
        f"epoch {epoch['epoch']} of {epochs}: loss {epoch['train_loss']:.4f}, validation "
        f"{epoch['validation_loss']:.4f}, accuracy {accuracy:.1f} %, {epoch['seconds']:.1f} s"
    )


def _document(found: Training, seen: LabelledPictures) -> dict:
    return {
        "kind": found.kind,
        "folder": str(found.folder),
        "model": None if found.model is None else str(found.model),
        "fingerprint": found.fingerprint,
        "classes": list(seen.present),
        "pictures": len(seen),
        "epochs": len(found.history),
        "best_epoch": found.best_epoch,
        "ended": found.ended,
        "interrupted": found.interrupted,
        "history": [dict(epoch) for epoch in found.history],
        "skipped": skipped_as_json(seen.skipped),
    }


def _print(console: Console, found: Training, seen: LabelledPictures) -> None:
    from imgsim_ops.evaluation.labelled import NO_CLASS, NO_CLASS_SENTENCE
    from imgsim_ops.files.names import printable

    where = printable(found.folder)
    epochs = "1 epoch" if len(found.history) == 1 else f"{len(found.history):,} epochs"
    if found.interrupted:
        console.print(
            f"[yellow]Stopped[/yellow] after {epochs}: what is done is kept; --resume goes on with it", soft_wrap=True
        )
    else:
        best = found.history[found.best_epoch - 1]
        accuracy = 100 * best["validation_accuracy"]
        console.print(
            f"{where}: epoch {found.best_epoch} of {len(found.history)} is kept, with {accuracy:.1f} % validation "
            f"accuracy and a loss of {best['validation_loss']:.4f}",
            soft_wrap=True,
            markup=False,
        )
        console.print(f"[dim]{printable(found.model)}: {found.fingerprint}[/dim]", soft_wrap=True)
    print_skipped(console, seen.skipped, sentences={NO_CLASS: NO_CLASS_SENTENCE})


methods_app.command("train", **described(train))(train)
