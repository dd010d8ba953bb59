"""``imgsim export``: the model as files that other programs run."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from imgsim_ops.cli.console import BackboneOption, JsonOption, WeightsOption, output, print_json
from imgsim_ops.errors import ImgsimError
from imgsim_ops.files.names import printable


def export(
    out: Annotated[
        Path,
        typer.Option("--out", "-o", metavar="FILE", help="The file to write; .onnx, or .pt for TorchScript."),
    ] = Path("resnet18_multiscale.onnx"),
    backbone: BackboneOption = "resnet18",
    weights: WeightsOption = None,
    precision: Annotated[str, typer.Option("--precision", metavar="NAME", help="fp32 or int8.")] = "fp32",
    photographs: Annotated[
        list[Path] | None,
        typer.Option(
            "--photographs",
            metavar="PATH",
            help="Pictures, folders or globs for int8: half of them set its ranges, half measure what it costs. "
            "May be given several times. Default: scikit-image's.",
        ),
    ] = None,
    pair: Annotated[
        bool, typer.Option("--pair", help="A model of two batches of pictures to their similarity instead.")
    ] = False,
    layers: Annotated[
        bool, typer.Option("--layers", help="Also the pooled vector of each of the four taps, as outputs.")
    ] = False,
    recipe: Annotated[
        str,
        typer.Option(
            "--recipe", metavar="NAME", help="How the vectors are made: mean, or of unit length gem or whitened."
        ),
    ] = "mean",
    collection: Annotated[
        Path | None,
        typer.Option(
            "--collection", "-c", metavar="FOLDER", help="For whitened: the collection whose whitening is applied."
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Write the model as files that other programs run.

    NAME.onnx has nodes of the domain imgsim, with bodies in standard operators: any ONNX
    Runtime from 1.17 on runs it, with imgsim's operators registered or without. Its twin
    NAME.plain.onnx has standard operators only, for OpenVINO, OpenCV and others. Both take
    raw pixels, uint8 RGB (N, 224, 224, 3).

    [bold]Examples[/bold]

    [cyan]imgsim export --out resnet18_multiscale.onnx[/cyan]

    [cyan]imgsim export --backbone efficientnet_lite0 --precision int8 --out small.onnx[/cyan]

    [cyan]imgsim export --recipe whitened -c photos.imgsim --out whitened.onnx[/cyan]

    [cyan]imgsim export --out resnet18_multiscale.pt[/cyan]   for imgsim_app
    """
    from imgsim_ops.export.files import ExportOptions, export_files
    from imgsim_ops.models.spec import ModelSpec

    paths = None
    if photographs is not None:
        from imgsim_ops.images.scan import scan

        paths = list(scan(photographs))
    fitted = None
    if collection is not None:
        from imgsim_ops.collection.indexing.fitting import fitted_whitening

        fitted = partial(fitted_whitening, collection)
    try:
        written, facts = export_files(
            out,
            ModelSpec(backbone, weights, precision),
            ExportOptions(pair, layers, recipe, fitted),
            photographs=paths,
            announce=lambda line: print(f"imgsim: {line}", file=sys.stderr),
        )
    except OSError as error:
        raise ImgsimError(
            f"export: the file must be writable (got {printable(out)}: {error.strerror or error})"
        ) from error
    if as_json:
        print_json({"files": [str(path) for path in written], **facts.as_json()})
        return
    console = output()
    for path in written:
        typer.echo(f"{printable(path)}  {path.stat().st_size / 1e6:.1f} MB")
    console.print(f"[dim]{facts.fingerprint}, {facts.dimension} values[/dim]", soft_wrap=True)
    gate = facts.gate
    if gate:
        verdict = "as good as fp32" if gate["holds"] else "[yellow]not as good as fp32[/yellow]"
        of = "" if recipe == "mean" else " by the recipe mean"
        console.print(
            f"{verdict}{of}: mean cosine to it {gate['mean_cosine']:.4f}, finding copies {gate['int8_micro_ap']:.4f} "
            f"against {gate['fp32_micro_ap']:.4f} micro-AP, on {gate['pictures']} pictures",
            soft_wrap=True,
        )
