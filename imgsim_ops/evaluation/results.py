"""Results of comparisons: tables and plots, and the same of them as JSON, Markdown and CSV."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from imgsim_ops.errors import ImgsimError
from imgsim_ops.files.names import printable

#: What a cell holds. Text in a column of numbers says why there is no number; None is an empty cell.
Cell = str | int | float | None

_VERSION = 1
_MOST_DIGITS = 17  # a double has no more
_FILE_NAME = re.compile(r"[A-Za-z0-9_-]+")
# What Markdown might take for its own. An underscore inside a word is none of it, and names of models are full of them.
_MARKDOWN = re.compile(r"[\\`*\[\]<>|~#&$]|(?<![^\W_])_|_(?![^\W_])")


def is_number(cell: Cell) -> bool:
    """Whether a cell holds a number that can be shown, compared and drawn; not a number (NaN) is none."""
    return isinstance(cell, int | float) and not isinstance(cell, bool) and -math.inf < cell < math.inf


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
        if not is_number(cell):
            return "" if cell is None else str(cell)
        if isinstance(cell, float) and self.digits is not None:
            return f"{round(cell, self.digits) + 0.0:,.{self.digits}f}"  # 0.0 takes the sign from -0.0
        return f"{cell:,}"


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
        return any(is_number(row.get(column.key)) for row in self.rows)


@dataclass(frozen=True)
class Plot:
    """A plot.

    Attributes:
        name: Its name in file names: letters of ASCII, digits, - and _.
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
        kind: The command: ``zoo``, ``methods`` or ``training``; also the name of its files, as a plot's name is.
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

    def __post_init__(self) -> None:
        names = [plot.name for plot in self.plots]
        for name in (self.kind, *names):
            if not _FILE_NAME.fullmatch(name):
                raise ImgsimError(f"results: kinds and plots must have names for files (got {printable(name)})")
        if len(set(names)) < len(names):
            raise ImgsimError(f"results: plots must have different names (got {', '.join(names)})")

    def as_json(self) -> dict[str, Any]:
        """A document that `from_json` reads; numbers are not rounded, and what is none ("nan") is text."""
        document = {"imgsim_results": _VERSION, **asdict(self)}
        for table in document["tables"]:
            table["rows"] = [
                {
                    key: str(cell) if isinstance(cell, float) and not is_number(cell) else cell
                    for key, cell in row.items()
                }
                for row in table["rows"]
            ]
        return document

    @classmethod
    def from_json(cls, document: Any, where: str = "a document") -> Results:
        """Reads what `as_json` made.

        Args:
            document: What a JSON file holds, whatever it is.
            where: How an error calls it.

        Raises:
            ImgsimError: It is something else.
        """
        rule = "results: must be what imgsim zoo or methods wrote"
        if not isinstance(document, dict) or "imgsim_results" not in document:
            raise ImgsimError(f"{rule} (got {where})")
        if document["imgsim_results"] != _VERSION:
            raise ImgsimError(f"{rule}, in version {_VERSION} (got another in {where})")
        try:
            tables = [_table(_are(dict, table)) for table in _are(list, document["tables"])]
            plots = [Plot(**_texts(plot)) for plot in _are(list, document["plots"])]
            kind, title = _are(str, document["kind"]), _are(str, document["title"])
            return cls(kind, title, _texts(document["facts"]), tables, plots)
        except (LookupError, TypeError) as error:
            raise ImgsimError(f"{rule}, whole (got {where})") from error

    def as_markdown(self) -> str:
        """All of it for people; plots by the names that ``result_files.write_results`` gives their files."""
        parts = [f"# {_markdown(self.title)}"]
        for table in self.tables:
            parts += [f"## {_markdown(table.title)}"] if table.title else []
            parts.append(table_markdown(table))
        parts += [f"![{_markdown(plot.title)}]({plot_file(self, plot)})" for plot in self.plots]
        if self.facts:
            parts.append("\n".join(f"- {_markdown(name)}: {_markdown(value)}" for name, value in self.facts.items()))
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


def _are(kind: Any, value: Any) -> Any:
    if not isinstance(value, kind):
        raise TypeError(f"{value!r} is no {kind}")
    return value


def _texts(document: Any) -> dict[str, str]:
    return {_are(str, name): _are(str, value) for name, value in _are(dict, document).items()}


def _table(document: dict[str, Any]) -> Table:
    rows = [_are(dict, row) for row in _are(list, document["rows"])]
    for row in rows:
        for cell in row.values():
            _are(Cell, cell)
    columns = [_column(**_are(dict, column)) for column in _are(list, document["columns"])]
    return Table(_are(str, document["title"]), columns, rows)


def _column(key: Any, title: Any, digits: Any) -> Column:
    if digits is not None and _are(int, digits) not in range(_MOST_DIGITS + 1):
        raise TypeError("no number has so many digits")
    return Column(_are(str, key), _are(str, title), digits)


def _markdown(text: str) -> str:
    """Any text as one line that means itself in Markdown."""
    return _MARKDOWN.sub(r"\\\g<0>", printable(text))


def table_markdown(table: Table) -> str:
    """A table in GitHub's Markdown; columns with numbers are set to the right."""
    lines = [[_markdown(column.title) for column in table.columns]]
    lines.append(["---:" if table.is_numeric(column) else "---" for column in table.columns])
    lines += [[_markdown(column.shown(row.get(column.key))) for column in table.columns] for row in table.rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def plot_file(results: Results, plot: Plot) -> str:
    """The name of a plot's file."""
    return f"{results.kind}-{plot.name}.svg"
