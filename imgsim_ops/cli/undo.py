"""``imgsim undo``: what ``imgsim apply`` did is taken back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from imgsim_ops.cli.console import (
    INTERRUPTED,
    SOME_SKIPPED,
    JsonOption,
    output,
    print_json,
    print_skipped,
    skipped_as_json,
    waiting,
)

if TYPE_CHECKING:
    from rich.console import Console

    from imgsim_ops.cleanup.undo import UndoReport


def undo(
    journal: Annotated[Path, typer.Argument(metavar="JOURNAL", help="The file that imgsim apply named.")],
    as_json: JsonOption = False,
) -> None:
    """Put back what imgsim apply moved, linked or threw away: names, bytes, times and permissions.

    This acts at once, and never over a file that has taken the place of another: such files stay where they are
    and are listed, and so are deleted files, which nothing brings back. It can be given again, also after a crash.

    [bold]Examples[/bold]

    [cyan]imgsim undo decisions.journal.jsonl[/cyan]

    [cyan]imgsim undo decisions.journal.jsonl --json[/cyan]
    """
    from imgsim_ops.cleanup.undo import undo as take_back

    with waiting("Putting back"):
        report = take_back(journal)
    if as_json:
        print_json(_document(report))
    else:
        _print(output(), report)
    if report.interrupted:
        raise typer.Exit(INTERRUPTED)
    if report.skipped:
        raise typer.Exit(SOME_SKIPPED)


def _document(report: UndoReport) -> dict:
    return {
        "way": report.way.value,
        "restored": report.restored,
        "restored_before": report.before,
        "interrupted": report.interrupted,
        "skipped": skipped_as_json(report.skipped),
    }


def _print(console: Console, report: UndoReport) -> None:
    from imgsim_ops.cleanup.reasons import CleanupReason

    files = "1 file is" if len(report.restored) == 1 else f"{len(report.restored):,} files are"
    before = f", {report.before:,} were before" if report.before else ""
    console.print(f"{files} back{before}", soft_wrap=True)
    if report.interrupted:
        console.print("[yellow]Stopped[/yellow]; the same command goes on", soft_wrap=True)
    print_skipped(console, report.skipped, sentences=CleanupReason.sentences())
