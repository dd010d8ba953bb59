"""What the commands share for printing."""

from __future__ import annotations

import json
import math
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer

from imgsim_ops.errors import ImgsimError
from imgsim_ops.images.memory import MOST_THREADS

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console
    from rich.table import Table as RichTable

    from imgsim_ops.evaluation.results import Column, Results, Table
    from imgsim_ops.files.reasons import SkippedFile
    from imgsim_ops.images.options import ReadOptions

SOME_SKIPPED = 3
_NO_NUMBER = "-"
INTERRUPTED = 130  # 128 + SIGINT, what a shell expects of a program stopped with Ctrl-C

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document instead, and nothing else.")]
BACKBONE_HELP = "resnet18, efficientnet_lite0, or the folder of an encoder that imgsim methods train made."
BackboneOption = Annotated[str, typer.Option("--backbone", metavar="NAME", help=BACKBONE_HELP)]
WeightsOption = Annotated[
    str | None,
    typer.Option("--weights", metavar="FILE", help="The backbone's weights, or random:SEED for timing and tests."),
]
PrecisionOption = Annotated[
    str,
    typer.Option(
        "--precision",
        metavar="NAME",
        help="fp32; int8; or auto, int8 where it is fast here and was measured to be as good.",
    ),
]
ExactOption = Annotated[
    bool,
    typer.Option("--exact", help="Decode every pixel of large JPEGs, not a half or a quarter: several times slower."),
]
PathsArgument = Annotated[
    list[str], typer.Argument(metavar="PATHS", help="Pictures, folders (with all folders in them) and globs.")
]
ExcludeOption = Annotated[
    list[str] | None,
    typer.Option(
        "--exclude",
        metavar="PATTERN",
        help="Leave out files and folders of such names, as in '*.gif' or thumbs; with a slash, of such paths. "
        "May be given several times.",
    ),
]
MaxMegapixelsOption = Annotated[
    float, typer.Option("--max-megapixels", metavar="N", min=0, help="The size from which pictures are refused.")
]
TimeLimitOption = Annotated[
    float, typer.Option("--time-limit", metavar="S", min=0.1, help="Seconds that decoding one picture may take.")
]
CollectionArgument = Annotated[str, typer.Argument(metavar="COLLECTION", help="What imgsim index made.")]
CollectionOption = Annotated[
    str, typer.Option("--collection", "-c", metavar="COLLECTION", help="The folder that imgsim index makes.")
]
WaitOption = Annotated[
    bool, typer.Option("--wait", help="Wait for another process that changes the collection, if there is one.")
]
ThreadsOption = Annotated[
    int,
    typer.Option(
        "--threads", "-t", metavar="N", min=0, max=MOST_THREADS, help="How many threads to use; 0 means all processors."
    ),
]


def one_line(error: Exception) -> str:
    """What an error says to a user."""
    from imgsim_ops.files.names import printable

    message = str(error)
    if isinstance(error, OSError):
        name = error.filename
        where = f" (got {printable(os.fsdecode(name)) if isinstance(name, (str, bytes)) else name})" if name else ""
        message = f"{error.strerror or error}{where}"
    return " ".join(message.split())


def json_output() -> TextIO:
    """Where JSON goes: stdout.

    Raises:
        ImgsimError: It was closed when the command began: a document that nobody gets is a mistake, and not what people
            read besides.
    """
    if getattr(sys.stdout, "name", "") == os.devnull:  # which the command line has put in its place
        raise ImgsimError("stdout: what is printed must have a place (got a closed stream)")
    return sys.stdout


def print_json(document: Any) -> None:
    """Prints one JSON document. Bytes of names that are not UTF-8 stand in it as surrogate escapes.

    Raises:
        ImgsimError: See `json_output`.
    """
    json_output().write(json.dumps(document, indent=2, allow_nan=False) + "\n")


def output() -> Console:
    """The console for results: stdout, as it is now."""
    from rich.console import Console

    return Console(highlight=False)


def found_files(command: str, paths: Sequence[str], exclude: Sequence[str] | None) -> list[str]:
    """The files that a user means.

    Raises:
        ImgsimError: There are none.
    """
    from imgsim_ops.files.names import printable
    from imgsim_ops.images.scan import scan

    files = [os.fspath(path) for path in scan(paths, exclude or ())]
    if not files:
        where = ", ".join(map(printable, paths))
        raise ImgsimError(f"{command}: there must be a picture to read (got none in {where})")
    return files


def read_options(
    command: str, threads: int, max_megapixels: float, time_limit: float, exact: bool = False
) -> ReadOptions:
    """What ``--threads``, ``--max-megapixels``, ``--time-limit`` and ``--exact`` ask for.

    Raises:
        ImgsimError: A number is none.
    """
    from imgsim_ops.images.options import ReadOptions

    if not math.isfinite(max_megapixels):
        raise ImgsimError(f"{command}: --max-megapixels must be a number (got {max_megapixels})")
    return ReadOptions(threads, int(max_megapixels * 1e6), time_limit, exact)


def say(line: str) -> None:
    """Prints a line about what goes on, on stderr."""
    typer.echo(line, err=True)


def skipped_as_json(skipped: Sequence[SkippedFile]) -> list[dict[str, str]]:
    """The list of skipped files as every ``--json`` shows it."""
    return [{"path": file.path, "code": file.code, "message": file.message} for file in skipped]


def passed_over_as_json(skipped: Sequence[SkippedFile], aside: Sequence[SkippedFile]) -> dict[str, Any]:
    """What was not read: what should have been, and by kind what nobody expects to be, films and drawings."""
    kinds = sorted({file.code for file in aside})
    return {
        "skipped": skipped_as_json(skipped),
        "aside": {kind: [file.path for file in aside if file.code == kind] for kind in kinds},
    }


def print_aside(console: Console, aside: Sequence[SkippedFile]) -> None:
    """Prints how many films and drawings there are; nothing where there are none."""
    from collections import Counter

    counts = Counter(file.code for file in aside)
    if counts:
        kinds = ", ".join(f"{count:,} {kind}" for kind, count in sorted(counts.items()))
        console.print(f"[dim]Not looked at, being no pictures: {kinds}[/dim]", soft_wrap=True)


def print_skipped(
    console: Console, skipped: Sequence[SkippedFile], most: int = 20, sentences: Mapping[str, str] | None = None
) -> None:
    """Prints which files were skipped and why: a table of the first ones and one line about all.

    Args:
        console: Where to print.
        skipped: The files; nothing is printed when there are none.
        most: How many of them the table shows. ``--json`` has them all.
        sentences: What codes mean that are no `Reason`'s.
    """
    if not skipped:
        return
    from collections import Counter

    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    from imgsim_ops.files.names import printable
    from imgsim_ops.files.reasons import Reason

    sentences = {**Reason.sentences(), **(sentences or {})}
    table = Table("skipped", "file", "because", box=SIMPLE_HEAD, pad_edge=False)
    for file in skipped[:most]:
        name = Text(printable(file.path), overflow="fold")
        # What is missing to read a file says more than that something is.
        because = file.detail if file.code == Reason.UNSUPPORTED.code else ""
        table.add_row(Text(file.code, style="yellow"), name, Text(because or sentences[file.code]))
    console.print(table)
    counts = Counter(file.code for file in skipped)
    summary = ", ".join(f"{count} {code}" for code, count in sorted(counts.items()))
    more = f", {len(skipped) - most} of them not in the table (see --json)" if len(skipped) > most else ""
    files = "1 file" if len(skipped) == 1 else f"{len(skipped):,} files"
    console.print(f"[yellow]Skipped {files}[/yellow]: {summary}{more}", soft_wrap=True)


def waiting(what: str) -> AbstractContextManager:
    """A context that shows on a terminal that something of unknown length is going on."""
    if not sys.stderr.isatty():
        return nullcontext()
    from rich.console import Console

    return Console(stderr=True).status(what)


class Written:
    """Files with results: that all can be written is asked before the work, and that one cannot is told after the rest.

    Used as a context around the writing of each.

    Attributes:
        errors: What kept files from being written.
    """

    def __init__(self, command: str, *paths: Path | None) -> None:
        """Checks the files, but for those that are None.

        Raises:
            ImgsimError: One cannot be written.
        """
        from imgsim_ops.files.writing import check_writable

        for path in paths:
            if path is not None:
                check_writable(command, path)
        self.errors: list[Exception] = []

    def __enter__(self) -> Written:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        if not isinstance(error, (OSError, ImgsimError)):
            return False
        self.errors.append(error)
        return True

    def tell(self) -> None:
        """Raises the first of the errors, if there are any, after a line about each of the others.

        Raises:
            ImgsimError: A name is none that the file can hold, or as the writing has it.
            OSError: The disk is full or refuses.
        """
        for error in self.errors[1:]:
            say(f"imgsim: {one_line(error)}")
        if self.errors:
            raise self.errors[0]


class LateProgress:
    """A progress bar on stderr that appears only on a terminal, and only for work that lasts over a second.

    Used as a context; called with the number of things done.
    """

    def __init__(self, what: str, total: int | None = None):
        self._what = what
        self._total = total
        self._start = time.monotonic()
        self._bar: Any = None
        self._task = None

    def __enter__(self) -> LateProgress:
        return self

    def __exit__(self, *exception: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, done: int, total: int | None = None) -> None:
        """Shows that `done` of the total are done, which may become known only now."""
        self._total = self._total if total is None else total
        if self._bar is None:
            if time.monotonic() - self._start < 1 or not sys.stderr.isatty():
                return
            self._show()
        self._bar.update(
            self._task, completed=done, total=self._total, rate=f"{done / (time.monotonic() - self._start):,.0f}/s"
        )

    def _show(self) -> None:
        from rich import progress
        from rich.console import Console

        self._bar = progress.Progress(
            progress.TextColumn("{task.description}"),
            progress.BarColumn(),
            progress.MofNCompleteColumn(),
            progress.TextColumn("{task.fields[rate]}"),
            progress.TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._task = self._bar.add_task(self._what, total=self._total, rate="")
        self._bar.start()


def check_outputs(command: str, out: Path | None, html: Path | None, as_json: bool) -> None:
    """Finds out before the work, which takes minutes, that its results could not be written.

    Args:
        command: What errors call it.
        out: The folder of ``--out``; made if it is missing.
        html: The file of ``--html``.
        as_json: Whether the results are printed, plots included.

    Raises:
        ImgsimError: A folder cannot be written, or matplotlib is not installed.
        OSError: `out` cannot be made.
    """
    if out is None and html is None and not as_json:
        return
    from imgsim_ops.evaluation.plots import new_figure
    from imgsim_ops.files.names import printable

    new_figure(1, 1)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
    for folder in (out, html and html.absolute().parent):
        if folder is not None and not os.access(folder, os.W_OK | os.X_OK):
            raise ImgsimError(f"{command}: the folder must be there and writable (got {printable(folder)})")


def write_outputs(results: Results, out: Path | None, html: Path | None) -> list[Path]:
    """Writes the files that ``--out`` and ``--html`` ask for; returns them."""
    written = []
    if out is not None:
        from imgsim_ops.evaluation.result_files import write_results

        written += write_results(results, out)
    if html is not None:
        from imgsim_ops.evaluation.results_page import write_page

        write_page(html, [results])
        written.append(html)
    return written


def print_table(
    console: Console, results: Table, *, without: Sequence[str] = (), minor: Sequence[str] = (), first_width: int = 0
) -> None:
    """Prints a table of results: the rows' names and columns of numbers, then what other columns say of some rows.

    Where all numbers of a column are missing for one reason, that stands beside the title in place of the column.

    Args:
        console: Where to print.
        results: The table.
        without: Keys of columns that are left out.
        minor: Keys of columns to leave out where the terminal is too narrow, the first one first.
        first_width: The least width of the first column, so that tables below each other are in line.
    """
    from rich.text import Text

    first, *others = [column for column in results.columns if column.key not in without]
    shown = [first]
    missing: dict[str, list[str]] = {}
    said: dict[str, list[str]] = {}
    for column in others:
        cells = [row.get(column.key) for row in results.rows]
        texts = sorted({cell for cell in cells if isinstance(cell, str)})
        if results.is_numeric(column):
            shown.append(column)
            if texts:
                missing.setdefault(", ".join(texts), []).append(_NO_NUMBER)
        elif column.digits is not None and texts:
            missing.setdefault(", ".join(texts), []).append(column.title.partition(",")[0])
        else:
            for text in texts:
                names = [first.shown(row.get(first.key)) for row in results.rows if row.get(column.key) == text]
                said.setdefault(text, []).extend(names)
    unlimited = console.options.update(width=1000)
    for key in minor:
        if console.measure(_drawn(results, shown, first_width), options=unlimited).maximum <= console.width:
            break
        shown = [column for column in shown if column.key != key]
    reasons = "; ".join(f"{', '.join(dict.fromkeys(names))}: {text}" for text, names in missing.items())
    console.print(Text.assemble((results.title, "bold"), ("   " + reasons if reasons else "", "dim")), soft_wrap=True)
    console.print(_drawn(results, shown, first_width))
    for text, names in said.items():
        who = "all of these" if len(names) == len(results.rows) > 1 else ", ".join(names)
        console.print(Text.assemble((who, "yellow"), f": {text}"), soft_wrap=True)


def _drawn(results: Table, columns: Sequence[Column], first_width: int) -> RichTable:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table as RichTable
    from rich.text import Text

    table = RichTable(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    first, *numbers = columns
    table.add_column(first.title, no_wrap=True, min_width=first_width)
    for column in numbers:
        table.add_column(column.title.replace(", ", "\n"), justify="right", no_wrap=True)
    for row in results.rows:
        cells = [Text(first.shown(row.get(first.key)))]
        for column in numbers:
            cell = row.get(column.key)
            cells.append(Text(_NO_NUMBER, "dim") if isinstance(cell, str) else Text(column.shown(cell)))
        table.add_row(*cells)
    return table


def described(command: Callable[..., None]) -> dict[str, Any]:
    """What Typer must be told of a command: nothing, or under ``python -OO``, which takes docstrings away, its help."""
    if command.__doc__ is not None or not sys.flags.optimize:
        return {}
    import ast
    from pathlib import Path

    nodes = ast.parse(Path(str(sys.modules[command.__module__].__file__)).read_text("utf-8")).body
    named = [node for node in nodes if isinstance(node, ast.FunctionDef) and node.name == command.__name__]
    return {"help": ast.get_docstring(named[0]) or ""}
