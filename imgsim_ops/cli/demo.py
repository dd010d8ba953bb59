"""``imgsim demo``: real photographs, real weights, a table and a picture of it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from imgsim_ops.cli.console import JsonOption, output, print_json

if TYPE_CHECKING:
    from rich.console import Console

    from imgsim_ops.demo import DemoResult


def demo(
    out: Annotated[
        Path,
        typer.Option("--out", "-o", metavar="DIR", help="Where the pictures and the results are written."),
    ] = Path("demo"),
    as_json: JsonOption = False,
) -> None:
    """Compare real photographs and changed copies of them, each with each.

    The photographs come from the installed package scikit-image. The weights are resnet18's ImageNet weights
    where they can be had (this is the one step that may try the network), else efficientnet_lite0's from an
    installed package; the output says which.

    [bold]Examples[/bold]

    [cyan]imgsim demo[/cyan]

    [cyan]imgsim demo --out /tmp/demo --json[/cyan]
    """
    from imgsim_ops.demo import as_document, run_demo

    result = run_demo(out, announce=lambda line: print(line, file=sys.stderr))
    if as_json:
        print_json(as_document(result))
    else:
        _print(output(), result)


def _print(console: Console, result: DemoResult) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.style import Style
    from rich.table import Table
    from rich.text import Text

    from imgsim_ops.files.names import printable

    # A copy stands right behind its photograph, hence in the same pair of rows.
    table = Table("", box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for number in range(1, len(result.pictures) + 1):
        table.add_column(str(number), justify="right")
    for i, (picture, row) in enumerate(zip(result.pictures, result.similarity, strict=True)):
        cells = []
        for j, value in enumerate(row):
            style = Style(dim=True) if i == j else Style(bold=True, color="green") if i // 2 == j // 2 else Style()
            cells.append(Text(f"{value:.2f}", style))
        table.add_row(f"{i + 1} {picture.stem}", *cells)
    console.print(table)
    console.print("Green: a photograph and its changed copy.")
    for label, text in (
        ("Backbone", f"{result.backbone} ({result.fingerprint}): {result.reason}."),
        ("As a picture", str(result.heatmap)),
        ("As numbers", str(result.table)),
    ):
        console.print(Text.assemble((f"{label:<13}", "bold"), printable(text)), soft_wrap=True)
