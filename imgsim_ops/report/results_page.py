"""Results of comparisons as one HTML page: tables to sort and filter, plots, and how all of it was measured."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from imgsim_ops.atomic import write_file
from imgsim_ops.errors import ImgsimError
from imgsim_ops.report.pages import page_around, text
from imgsim_ops.results import Cell, Column, Plot, Results, Table


def write_page(path: str | os.PathLike[str], results: Sequence[Results], title: str | None = None) -> None:
    """Writes results as one HTML file that needs no network, and no script but for sorting and filtering.

    Args:
        path: The file to write; one of the same name is replaced.
        results: What it shows, in this order.
        title: What the page is called; by default as the only results in it are, or "Results".

    Raises:
        ImgsimError: There are no results.
        OSError: The folder or the disk refuses.
    """
    if not results:
        raise ImgsimError("report: there must be results to show (got none)")
    if title is None:
        title = results[0].title if len(results) == 1 else "Results"
    from imgsim_ops import __version__

    head, tail = page_around("results", title, kind="results", version=__version__)
    lines = [*_contents(results), "<main>"]
    for number, result in enumerate(results, 1):
        lines += _section(number, result, titled=len(results) > 1)
    body = "\n".join([*lines, "</main>", ""])
    write_file(Path(path), head + body.encode("utf-8") + tail)


def _contents(results: Sequence[Results]) -> Iterator[str]:
    """Where to go, if there is more than one place."""
    if len(results) > 1:
        links = [f'<li><a href="#r{number}">{text(result.title)}</a></li>' for number, result in enumerate(results, 1)]
    else:
        links = [
            f'<li><a href="#r1t{number}">{text(table.title)}</a></li>'
            for number, table in enumerate(results[0].tables, 1)
        ]
    if len(links) > 1:
        yield '<nav class="contents" aria-label="Contents"><ol>'
        yield from links
        yield "</ol></nav>"


def _section(number: int, result: Results, titled: bool) -> Iterator[str]:
    yield f'<section class="result" id="r{number}">'
    if titled:
        yield f"<h2>{text(result.title)}</h2>"
    for plot in result.plots:
        yield _plot(plot)
    for place, table in enumerate(result.tables, 1):
        yield from _table(f"r{number}t{place}", table)
    if result.facts:
        yield '<details class="facts" open><summary>How this was measured</summary><dl>'
        for name, value in result.facts.items():
            yield f"<dt>{text(name)}</dt><dd>{text(value)}</dd>"
        yield "</dl></details>"
    yield "</section>"


def _plot(plot: Plot) -> str:
    content = base64.b64encode(plot.svg.encode("utf-8")).decode("ascii")
    return (
        f'<figure><img src="data:image/svg+xml;base64,{content}" alt="{text(plot.title)}">'
        f"<figcaption>{text(plot.title)}</figcaption></figure>"
    )


def _table(name: str, table: Table) -> Iterator[str]:
    yield f'<div class="table" id="{name}">'
    if table.title:
        yield f'<h3 id="{name}h">{text(table.title)}</h3>'
    label = f'aria-labelledby="{name}h"' if table.title else 'aria-label="A table"'
    yield f'<div class="box" tabindex="0" role="region" {label}>'
    yield f"<table {label}><thead><tr>"
    numeric = [table.is_numeric(column) for column in table.columns]
    for column, right in zip(table.columns, numeric, strict=True):
        yield f'<th scope="col"{" class=number" if right else ""}>{text(column.title)}</th>'
    yield "</tr></thead><tbody>"
    for row in table.rows:
        cells = (
            _cell(column, row.get(column.key), right, first=place == 0)
            for place, (column, right) in enumerate(zip(table.columns, numeric, strict=True))
        )
        yield f"<tr>{''.join(cells)}</tr>"
    yield "</tbody></table></div></div>"


def _cell(column: Column, cell: Cell, right: bool, first: bool) -> str:
    attributes = ""
    if isinstance(cell, int | float):
        attributes = f' class="number" data-value="{float(cell)!r}"'  # sorted by what it is, not by what is shown
    elif right:
        attributes = ' class="why"'
    tag, scope = ("th", ' scope="row"') if first else ("td", "")
    return f"<{tag}{scope}{attributes}>{text(column.shown(cell))}</{tag}>"
