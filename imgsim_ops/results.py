"""Results of comparisons: tables and plots, and the same of them as JSON, Markdown, CSV and SVG files."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from imgsim_ops.atomic import write_file
from imgsim_ops.errors import ImgsimError

#: What a cell holds. Text in a column of numbers says why there is no number; None is an empty cell.
Cell = str | int | float | None

_VERSION = 1


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        key: Its name for programs, with the unit: ``embed_ms``.
        title: Its heading for people: ``embed, ms``.
        digits: Decimals shown of a number; None for text and whole numbers.
    """

    key: str
    title: str
    digits: int | None = None

    def shown(self, cell: Cell) -> str:
        """A cell for people."""
        if cell is None:
            return ""
        if isinstance(cell, float) and self.digits is not None:
            return f"{cell:,.{self.digits}f}"
        return f"{cell:,}" if isinstance(cell, int) else str(cell)


@dataclass(frozen=True)
class Table:
    """A table.

    Attributes:
        title: What it shows.
        columns: The columns; the first one names the row.
        rows: The cells of each row by the columns' keys.
    """

    title: str
    columns: Sequence[Column]
    rows: Sequence[Mapping[str, Cell]]

    def is_numeric(self, column: Column) -> bool:
        """Whether a column is one of numbers, though some may be missing."""
        return any(isinstance(row.get(column.key), int | float) for row in self.rows)


@dataclass(frozen=True)
class Plot:
    """A plot.

    Attributes:
        name: Its name in file names.
        title: What it shows, for those who cannot see it too.
        svg: The text of an SVG file.
    """

    name: str
    title: str
    svg: str


@dataclass(frozen=True)
class Results:
    """What a command found out.

    Attributes:
        kind: The command: ``zoo``, ``methods`` or ``training``; also the name of its files.
        title: What was compared.
        facts: How, as names and values: pictures, settings, machine.
        tables: The tables.
        plots: The plots.
    """

    kind: str
    title: str
    facts: Mapping[str, str]
    tables: Sequence[Table]
    plots: Sequence[Plot] = field(default=())

    def as_json(self) -> dict[str, Any]:
        """A document that `from_json` reads; numbers are not rounded."""
        return {"imgsim_results": _VERSION, **asdict(self)}

    @classmethod
    def from_json(cls, document: Any, where: str = "a document") -> Results:
        """Reads what `as_json` made.

        Raises:
            ImgsimError: It is something else.
        """
        if not isinstance(document, dict) or document.get("imgsim_results") != _VERSION:
            raise ImgsimError(f"results: must be what imgsim zoo or methods wrote (got {where})")
        try:
            tables = [
                Table(table["title"], [Column(**column) for column in table["columns"]], table["rows"])
                for table in document["tables"]
            ]
            plots = [Plot(**plot) for plot in document["plots"]]
            return cls(document["kind"], document["title"], document["facts"], tables, plots)
        except (LookupError, TypeError) as error:
            raise ImgsimError(f"results: must be what imgsim zoo or methods wrote (got {where})") from error

    def as_markdown(self) -> str:
        """All of it for people; plots by the names that `write_results` gives their files."""
        parts = [f"# {self.title}"]
        for table in self.tables:
            parts.append(f"## {table.title}\n\n{table_markdown(table)}" if table.title else table_markdown(table))
        parts += [f"![{plot.title}]({plot_file(self, plot)})" for plot in self.plots]
        parts += ["\n".join(f"- {name}: {value}" for name, value in self.facts.items())]
        return "\n\n".join(parts) + "\n"

    def as_csv(self) -> str:
        """All rows of all tables (RFC 4180), the table's title first; numbers are not rounded."""
        keys = list(dict.fromkeys(column.key for table in self.tables for column in table.columns))
        text = io.StringIO(newline="")
        writer = csv.writer(text)
        writer.writerow(["table", *keys])
        for table in self.tables:
            writer.writerows(
                [table.title, *("" if row.get(key) is None else row[key] for key in keys)] for row in table.rows
            )
        return text.getvalue()


def table_markdown(table: Table) -> str:
    """A table in GitHub's Markdown; columns with numbers are set to the right."""
    lines = [[column.title for column in table.columns]]
    lines.append(["---:" if table.is_numeric(column) else "---" for column in table.columns])
    lines += [[column.shown(row.get(column.key)) for column in table.columns] for row in table.rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


def plot_file(results: Results, plot: Plot) -> str:
    """The name of a plot's file."""
    return f"{results.kind}-{plot.name}.svg"


def write_results(results: Results, folder: str | os.PathLike[str]) -> list[Path]:
    """Writes ``KIND.json``, ``KIND.md``, ``KIND.csv`` and a ``KIND-NAME.svg`` for each plot.

    Args:
        results: What is written.
        folder: Where; made if it is missing. Files of these names are replaced.

    Returns:
        The files.

    Raises:
        OSError: The folder or the disk refuses.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    texts = {f"{results.kind}.json": json.dumps(results.as_json(), indent=1, allow_nan=False) + "\n"}
    texts[f"{results.kind}.md"] = results.as_markdown()
    texts[f"{results.kind}.csv"] = results.as_csv()
    texts |= {plot_file(results, plot): plot.svg for plot in results.plots}
    for name, text in texts.items():
        write_file(folder / name, text.encode("utf-8"))
    return [folder / name for name in texts]


def read_results(path: str | os.PathLike[str]) -> Results:
    """Reads a ``KIND.json``.

    Raises:
        ImgsimError: It is something else, or cannot be read.
    """
    try:
        document = json.loads(Path(path).read_bytes())
    except OSError as error:
        raise ImgsimError(f"results: must be readable (got {path}: {error.strerror})") from error
    except ValueError:
        document = None
    return Results.from_json(document, str(path))
