"""``imgsim search``: which pictures of a collection are like some others."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from textwrap import indent
from typing import TYPE_CHECKING, Annotated

import typer

from imgsim_ops.cli.console import (
    INTERRUPTED,
    SOME_SKIPPED,
    CollectionOption,
    ExcludeOption,
    JsonOption,
    LateProgress,
    MaxMegapixelsOption,
    PathsArgument,
    ThreadsOption,
    TimeLimitOption,
    found_files,
    json_output,
    output,
    print_skipped,
    read_options,
    say,
    skipped_as_json,
)
from imgsim_ops.files.reasons import SkippedFile
from imgsim_ops.images.memory import MAX_PIXELS

if TYPE_CHECKING:
    from rich.console import Console

    from imgsim_ops.collection.collection import Collection
    from imgsim_ops.collection.findings import Hit


def search(
    queries: PathsArgument,
    collection: CollectionOption = "photos.imgsim",
    k: Annotated[int, typer.Option("--count", "-k", metavar="N", min=1, help="How many to find for each.")] = 10,
    threshold: Annotated[
        float | None, typer.Option("--threshold", metavar="S", min=-1, max=1, help="The least score of what is found.")
    ] = None,
    exclude_self: Annotated[
        bool,
        typer.Option("--exclude-self", help="Leave out the query itself: the same path, and files with its bytes."),
    ] = False,
    flips: Annotated[bool, typer.Option("--flips", help="Look for the mirrored query too.")] = False,
    rotations: Annotated[
        bool,
        typer.Option(
            "--rotations", help="Look for the query turned by quarters too; with --flips, in all eight orientations."
        ),
    ] = False,
    approximate: Annotated[
        bool,
        typer.Option(
            "--approximate", help="Look into the index of imgsim approximate: quicker among millions, may miss some."
        ),
    ] = False,
    exclude: ExcludeOption = None,
    threads: ThreadsOption = 0,
    max_megapixels: MaxMegapixelsOption = MAX_PIXELS / 1e6,
    time_limit: TimeLimitOption = 60,
    as_json: JsonOption = False,
) -> None:
    """Find the pictures of a collection that are most like others.

    The score is a cosine, up to 1 for the same picture. Every vector of the collection is compared, so nothing is
    missed, unless --approximate is given. The queries need not be in the collection; of those that are, nothing is
    decoded.

    [bold]Examples[/bold]

    [cyan]imgsim index photos/[/cyan]                       once

    [cyan]imgsim search query.jpg[/cyan]                    the ten pictures most like it

    [cyan]imgsim search new/ -c photos.imgsim -k 3 --threshold 0.6[/cyan]   which of these are there already?

    [cyan]imgsim search scan.png --flips --rotations[/cyan]  also mirrored and turned

    [cyan]imgsim search photos/a.jpg --exclude-self --json[/cyan]
    """
    from imgsim_ops.collection.collection import Collection
    from imgsim_ops.collection.search import SearchOptions

    read = read_options("search", threads, max_megapixels, time_limit)

    with Collection.open(collection, read=read) as opened:
        files = found_files("search", queries, exclude)
        if approximate and (note := opened.why_not_approximate()) is not None:
            say(f"{note}. Searching exactly")
            approximate = False
        options = SearchOptions(threshold, exclude_self, flips, rotations, approximate)
        answers = opened.search_many(files, k, options)
        with closing(answers), LateProgress("Searching", len(files)) as progress:
            found = _Found(answers, None if sys.stdout.isatty() else progress)
            if as_json:
                _print_json(opened, k, found)
            else:
                _print(output(), found)
    if found.interrupted:
        raise typer.Exit(INTERRUPTED)
    if found.skipped:
        raise typer.Exit(SOME_SKIPPED)


class _Found:
    """The answers as they come; those who are no answers, and Ctrl-C, are kept for the end."""

    def __init__(
        self, answers: Iterator[tuple[str, list[Hit] | SkippedFile]], progress: Callable[[int], None] | None
    ) -> None:
        self.skipped: list[SkippedFile] = []
        self.interrupted = False
        self.seconds = 0.0
        self.count = 0
        self._answers, self._progress = answers, progress

    def __iter__(self) -> Iterator[tuple[str, list[Hit]]]:
        start = time.perf_counter()
        try:
            for done, (path, answer) in enumerate(self._answers, 1):
                if self._progress is not None:  # on the terminal that the answers go to they are progress enough
                    self._progress(done)
                if isinstance(answer, SkippedFile):
                    self.skipped.append(answer)
                else:
                    self.count += 1
                    yield path, answer
        except KeyboardInterrupt:
            self.interrupted = True
        self.seconds = time.perf_counter() - start


def _print_json(collection: Collection, k: int, found: _Found) -> None:
    """One document, written as the answers come: there may be more of them than memory."""
    from imgsim_ops.collection.findings import picture_as_json

    head = {
        "collection": str(collection.path),
        "fingerprint": str(collection.fingerprint),
        "recipe": collection.store.recipe.name,
        "k": k,
    }
    out = json_output()
    out.write(json.dumps(head, indent=2)[:-2] + ',\n  "queries": [')
    comma = ""
    for path, hits in found:
        shown = [{"score": hit.score, "orientation": hit.orientation, **picture_as_json(hit.picture)} for hit in hits]
        text = json.dumps({"query": path, "hits": shown}, indent=2, allow_nan=False)
        out.write(f"{comma}\n{indent(text, '    ')}")
        comma = ","
    tail = {
        "seconds": found.seconds,
        "interrupted": found.interrupted,
        "skipped": skipped_as_json(found.skipped),
    }
    out.write("\n  ],\n" + json.dumps(tail, indent=2)[2:] + "\n")


def _print(console: Console, found: _Found) -> None:
    from imgsim_ops.files.names import printable

    for path, hits in found:
        console.print(printable(path), style="bold", soft_wrap=True, markup=False)
        if hits:
            _print_hits(console, hits)
        else:
            console.print("  nothing found", style="dim")
    if found.interrupted:
        queries = "1 query" if found.count == 1 else f"{found.count:,} queries"
        console.print(f"[yellow]Stopped[/yellow] after {queries}")
    print_skipped(console, found.skipped)


def _print_hits(console: Console, hits: list[Hit]) -> None:
    from rich.text import Text

    from imgsim_ops.files.names import printable
    from imgsim_ops.images.orientation import ORIENTATION_WORDS

    # Each on a line of its own however long its path is, so that it can be copied and searched for.
    turns = max(len(ORIENTATION_WORDS[hit.orientation]) for hit in hits)
    places = len(str(len(hits)))
    for rank, hit in enumerate(hits, 1):
        picture = hit.picture
        turn = f"{ORIENTATION_WORDS[hit.orientation]:<{turns}}  " if turns else ""
        size = f"{picture.width} x {picture.height}"
        line = Text(f"  {rank:>{places}}  ")
        line.append(f"{hit.score:.4f}", style="bold cyan")
        line.append(f"  {turn}{size:>13}  {picture.size / 1e3:>9,.0f} kB  ", style="dim")
        line.append(printable(picture.path))
        console.print(line, soft_wrap=True)
