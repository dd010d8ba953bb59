"""Results of comparisons as one HTML page: tables to sort and filter, plots, and how all of it was measured."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from imgsim_ops.errors import ImgsimError
from imgsim_ops.evaluation.results import Cell, Column, Plot, Results, Table, is_number
from imgsim_ops.files.names import html_text as text
from imgsim_ops.files.writing import write_file
from imgsim_ops.report.pages import page_around

_LONG = 60  # letters from which a text gets wider lines


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

    count = sum(len(result.tables) for result in results)
    summary = "1 table" if count == 1 else f"{count:,} tables"
    head, tail = page_around("results", title, kind="results", summary=summary, version=__version__)
    lines = [*_contents(results), "<main>"]
    for number, result in enumerate(results, 1):
        lines += _section(number, result, titled=len(results) > 1)
    body = "\n".join([*lines, "</main>", ""])
    write_file(Path(path), head + body.encode("utf-8") + tail)


def _contents(results: Sequence[Results]) -> Iterator[str]:
    """Where to go, if there is more than one place."""
    by_result = [
        [_link(_name(number, place), table.title) for place, table in enumerate(result.tables, 1) if table.title]
        for number, result in enumerate(results, 1)
    ]
    if len(results) > 1:
        entries = [
            _link(_name(number), result.title, f"<ol>{''.join(links)}</ol>" if len(links) > 1 else "")
            for number, (result, links) in enumerate(zip(results, by_result, strict=True), 1)
        ]
    else:
        (entries,) = by_result
    if len(entries) > 1:
        yield f'<nav class="contents" aria-label="Contents"><ol>{"".join(entries)}</ol></nav>'


def _name(result: int, table: int | None = None) -> str:
    """Where links lead to."""
    return f"result-{result}" if table is None else f"table-{result}-{table}"


def _link(name: str, title: str, below: str = "") -> str:
    return f'<li><a href="#{name}">{text(title)}</a>{below}</li>'


def _section(number: int, result: Results, titled: bool) -> Iterator[str]:
    yield f'<section class="result" id="{_name(number)}">'
    if titled:
        yield f"<h2>{text(result.title)}</h2>"
    if result.plots:
        yield f'<div class="plots">{"".join(map(_plot, result.plots))}</div>'
    for place, table in enumerate(result.tables, 1):
        yield from _table(_name(number, place), table, heading="h3" if titled else "h2")
    if result.facts:
        yield '<details class="facts" open><summary>How this was measured</summary><dl>'
        for name, value in result.facts.items():
            yield f"<dt>{text(name)}</dt><dd>{text(value)}</dd>"
        yield "</dl></details>"
    yield "</section>"


def _plot(plot: Plot) -> str:
    content = base64.b64encode(plot.svg.encode("utf-8", "replace")).decode("ascii")
    return (
        f'<figure><div class="sheet"><img src="data:image/svg+xml;base64,{content}" alt="{text(plot.title)}"></div>'
        f"<figcaption>{text(plot.title)}</figcaption></figure>"
    )


def _table(name: str, table: Table, heading: str) -> Iterator[str]:
    label = 'aria-label="Table"'
    yield f'<div class="table" id="{name}">'
    if table.title:
        label = f'aria-labelledby="{name}-title"'
        yield f'<{heading} id="{name}-title">{text(table.title)}</{heading}>'
    yield f'<div class="box" tabindex="0" role="region" {label}><table {label}>'
    yield "<thead><tr>"
    numeric = [table.is_numeric(column) for column in table.columns]
    for column, right in zip(table.columns, numeric, strict=True):
        yield f'<th scope="col"{_class("number" if right else "")}>{text(column.title)}</th>'
    yield "</tr></thead><tbody>"
    for row in table.rows:
        cells = (
            _cell(column, row.get(column.key), right, first=place == 0)
            for place, (column, right) in enumerate(zip(table.columns, numeric, strict=True))
        )
        yield f"<tr>{''.join(cells)}</tr>"
    yield "</tbody></table></div></div>"


def _cell(column: Column, cell: Cell, right: bool, first: bool) -> str:
    content, kind, value = text(column.shown(cell)), "number" if right else "", ""
    if is_number(cell):
        value = f' data-value="{cell}"'  # sorted by what it is, not by what is shown
    elif content:
        kind = "why" if right else ""
        content = f"<span{_class('long' if len(content) > _LONG else '')}>{content}</span>"
    tag, scope = ("th", ' scope="row"') if first else ("td", "")
    return f"<{tag}{scope}{_class(kind)}{value}>{content}</{tag}>"


def _class(name: str) -> str:
    return f' class="{name}"' if name else ""
