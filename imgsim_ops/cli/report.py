"""``imgsim report``: results of comparisons as one page."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from imgsim_ops.cli.console import SOME_SKIPPED, JsonOption, output, print_json, print_skipped, skipped_as_json
from imgsim_ops.errors import ImgsimError

if TYPE_CHECKING:
    from imgsim_ops.evaluation.results import Results


def report(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="PATHS",
            help="Files of results by imgsim zoo and imgsim methods (JSON), and folders with such files in them.",
        ),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="The page to write.")] = Path("results.html"),
    title: Annotated[str | None, typer.Option("--title", metavar="TEXT", help="What the page is called.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Gather tables and plots in one HTML file that works offline: sorted by a click, filtered by words.

    In folders, and all folders in them, files that hold no results are passed over.

    [bold]Examples[/bold]

    [cyan]imgsim report results/[/cyan]                     all that is there, as results.html

    [cyan]imgsim report zoo.json runs/ -o all.html[/cyan]   of several places, in this order
    """
    from imgsim_ops.evaluation.result_files import SENTENCES, find_results
    from imgsim_ops.evaluation.results_page import write_page
    from imgsim_ops.files.names import printable

    found, skipped = find_results(paths)
    if not found:
        why = skipped[0].message if skipped else f"none in {', '.join(map(printable, paths))}"
        raise ImgsimError(f"report: there must be results of imgsim zoo or methods (got {why})")
    # Two runs of one command would be told apart by nothing else.
    shown = [
        replace(results, facts={**results.facts, "file": printable(path)}) if len(found) > 1 else results
        for path, results in found.items()
    ]
    write_page(out, shown, title)
    if as_json:
        print_json(
            {
                "page": str(out),
                "results": [_document(path, results) for path, results in found.items()],
                "skipped": skipped_as_json(skipped),
            }
        )
    else:
        console = output()
        tables = sum(len(results.tables) for results in shown)
        plots = sum(len(results.plots) for results in shown)
        console.print(
            f"{printable(out)}: {_count(tables, 'table')} and {_count(plots, 'plot')} of {_count(len(shown), 'file')}",
            soft_wrap=True,
            markup=False,
        )
        print_skipped(console, skipped, sentences=SENTENCES)
    if skipped:
        raise typer.Exit(SOME_SKIPPED)


def _document(path: Path, results: Results) -> dict:
    return {
        "file": str(path),
        "kind": results.kind,
        "title": results.title,
        "tables": [table.title for table in results.tables],
        "plots": [plot.title for plot in results.plots],
    }


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"
