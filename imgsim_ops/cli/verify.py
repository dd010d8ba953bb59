"""``imgsim verify``: whether a collection is as it was written."""

from __future__ import annotations

import typer

from imgsim_ops.cli.console import CollectionArgument, JsonOption, output, print_json, waiting

DAMAGED = 1


def verify(collection: CollectionArgument = "photos.imgsim", as_json: JsonOption = False) -> None:
    """Look at all that is in a collection: is it as it was written?

    Prints a line for each thing that is not, and then ends with the exit code 1. The pictures themselves are not
    looked at: [cyan]imgsim index[/cyan] does that. A damaged collection can be deleted and made anew: no picture is
    in it.

    [bold]Examples[/bold]

    [cyan]imgsim verify photos.imgsim[/cyan]

    [cyan]imgsim verify photos.imgsim && cp -a photos.imgsim backup/[/cyan]
    """
    from imgsim_ops.collection.collection import Collection
    from imgsim_ops.files.names import printable

    with Collection.open(collection) as opened:
        with waiting("Verifying"):
            problems = list(opened.store.problems())
        if as_json:
            print_json({"collection": str(opened.path), "contents": opened.store.rows, "problems": problems})
        else:
            console = output()
            for problem in problems:
                console.print(printable(problem), soft_wrap=True, markup=False)
            if not problems:
                where = printable(opened.path)
                console.print(f"All is well: {opened.store.rows:,} contents in {where}", soft_wrap=True, markup=False)
    if problems:
        raise typer.Exit(DAMAGED)
