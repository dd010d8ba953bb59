"""``imgsim verify``: whether a collection is as it was written, and its files as they were indexed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from imgsim_ops.cli.console import (
    CollectionArgument,
    JsonOption,
    LateProgress,
    ThreadsOption,
    output,
    print_json,
    skipped_as_json,
    waiting,
)

if TYPE_CHECKING:
    from imgsim_ops.files.reasons import SkippedFile

DAMAGED = 1


def verify(
    collection: CollectionArgument = "photos.imgsim",
    files: Annotated[
        bool, typer.Option("--files", help="Read the pictures' files too: have they the bytes that were indexed?")
    ] = False,
    threads: ThreadsOption = 0,
    as_json: JsonOption = False,
) -> None:
    """Look at all that is in a collection: is it as it was written?

    Prints a line for each thing that is not, and then ends with the exit code 1. The pictures themselves are looked at
    with [cyan]--files[/cyan] only, byte for byte; what has changed is taken in by [cyan]imgsim index[/cyan]. A damaged
    collection can be deleted and made anew: no picture is in it.

    [bold]Examples[/bold]

    [cyan]imgsim verify photos.imgsim[/cyan]

    [cyan]imgsim verify photos.imgsim --files[/cyan]      are the pictures still what they were?

    [cyan]imgsim verify photos.imgsim && cp -a photos.imgsim backup/[/cyan]
    """
    from imgsim_ops.collection.collection import Collection
    from imgsim_ops.files.names import printable
    from imgsim_ops.images.options import ReadOptions

    with Collection.open(collection, read=ReadOptions(threads)) as opened:
        with waiting("Verifying"):
            problems = list(opened.store.problems())
        bad: list[SkippedFile] = []
        if files and not problems:
            with LateProgress("Reading") as progress:
                bad = list(opened.problems_of_files(progress))
        if as_json:
            document = {"collection": str(opened.path), "contents": opened.store.rows, "problems": problems}
            looked_at = {"pictures": len(opened), "files": skipped_as_json(bad)}
            print_json({**document, **(looked_at if files and not problems else {})})
        else:
            console = output()
            for problem in (*problems, *(file.message for file in bad)):
                console.print(printable(problem), soft_wrap=True, markup=False)
            if files and problems:
                console.print("The files were not looked at, as the collection itself is damaged", soft_wrap=True)
            if not problems and not bad:
                well = f"All is well: {opened.store.rows:,} contents in {printable(opened.path)}"
                more = f", and the bytes of {len(opened):,} files" if files else ""
                console.print(well + more, soft_wrap=True, markup=False)
    if problems or bad:
        raise typer.Exit(DAMAGED)
