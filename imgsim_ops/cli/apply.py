"""``imgsim apply``: what was decided about copies is done to the files."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from imgsim_ops.cli.console import (
    INTERRUPTED,
    SOME_SKIPPED,
    JsonOption,
    LateProgress,
    output,
    print_json,
    print_skipped,
    skipped_as_json,
)
from imgsim_ops.errors import ImgsimError

if TYPE_CHECKING:
    from rich.console import Console

    from imgsim_ops.cleanup.apply import ApplyReport

# The options, one of which must be given, and the journal's word for each.
_WAYS = {"--move-to": "move", "--hardlink": "hardlink", "--trash": "trash", "--delete": "delete"}
_MOST = 20


def apply(
    decisions: Annotated[
        Path, typer.Argument(metavar="DECISIONS", help="The file that the report of imgsim dups exports.")
    ],
    move_to: Annotated[
        Path | None,
        typer.Option("--move-to", metavar="DIR", help="Move the files here, with the folders they are in."),
    ] = None,
    hardlink: Annotated[
        bool,
        typer.Option("--hardlink", help="Let equal files share one copy on the disk: every path stays."),
    ] = False,
    trash: Annotated[bool, typer.Option("--trash", help="Move the files to the desktop's trash.")] = False,
    delete: Annotated[
        bool, typer.Option("--delete", help="Delete the files for good. Asks for their number to be typed.")
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", help="Do it. Without this, it is only shown what would be done.")
    ] = False,
    no_undo: Annotated[
        bool,
        typer.Option("--no-undo", help="With --delete --yes: do not ask. Needed where there is no terminal to ask on."),
    ] = False,
    journal: Annotated[
        Path | None,
        typer.Option("--journal", metavar="FILE", help="Where the journal is written; by default beside DECISIONS."),
    ] = None,
    leave_sidecars: Annotated[
        bool,
        typer.Option("--leave-sidecars", help="Leave a picture's .xmp, .aae, .json, .mov and such where they are."),
    ] = False,
    merge_metadata: Annotated[
        bool,
        typer.Option(
            "--merge-metadata",
            help="Write rating, keywords, date and place that the kept picture lacks into an .xmp beside it.",
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Do to copies what was decided: move, link, throw away or delete them.

    Without --yes nothing is touched. Before a file is, its bytes and those of a picture that its group keeps
    are looked at once more: a file that has changed, or whose group has nothing else left, is skipped and listed.
    Links are never followed. What lies beside a picture and is of the same shot (a Live Photo's film, edits,
    .xmp, .json) goes with it, unless it belongs to another file too; raw files stay. Every step is written to
    a journal first, with which [cyan]imgsim undo[/cyan] puts everything back, except what was deleted. After a
    crash or Ctrl-C the same command goes on.

    [bold]Examples[/bold]

    [cyan]imgsim apply decisions.json --trash[/cyan]         what would be done?

    [cyan]imgsim apply decisions.json --trash --yes[/cyan]   do it

    [cyan]imgsim apply decisions.json --move-to copies/ --yes[/cyan]

    [cyan]imgsim undo decisions.journal.jsonl[/cyan]         as it was
    """
    asked = [name for name, given in zip(_WAYS, (move_to is not None, hardlink, trash, delete), strict=True) if given]
    if len(asked) != 1:
        got = " and ".join(asked) or "none"
        raise ImgsimError(f"apply: one of {', '.join(_WAYS)} must be given (got {got})")
    from imgsim_ops.cleanup.apply import SidecarOptions, apply_decisions
    from imgsim_ops.cleanup.decisions import read_decisions
    from imgsim_ops.cleanup.journal import Way

    decided = read_decisions(decisions)
    way = Way(_WAYS[asked[0]])
    total = sum(len(group.remove) for group in decided.groups)
    if delete and yes and total and not no_undo:
        _confirm(total, leave_sidecars)
    with LateProgress("Looking at files" if not yes else "Files", total) as progress:
        report = apply_decisions(
            decided,
            way,
            decisions,
            folder=move_to,
            journal=journal,
            sidecars=SidecarOptions(leave_sidecars, merge_metadata),
            dry_run=not yes,
            progress=progress,
        )
    if as_json:
        print_json(_document(report))
    else:
        _print(output(), report, total)
    if report.interrupted:
        raise typer.Exit(INTERRUPTED)
    if report.skipped:
        raise typer.Exit(SOME_SKIPPED)


def _on_terminal() -> bool:
    return sys.stdin.isatty() and sys.stderr.isatty()


def _confirm(total: int, leave_sidecars: bool) -> None:
    if not _on_terminal():
        raise ImgsimError("apply: --delete must be confirmed on a terminal, or by --no-undo (got no terminal)")
    files = "1 file" if total == 1 else f"{total} files"
    beside = "" if leave_sidecars else ", with what lies beside of the same shot"
    typer.echo(f"{files} will be deleted for good{beside}; imgsim undo cannot bring deleted files back.", err=True)
    typed = typer.prompt(f"Type {total} to delete", default="", show_default=False, err=True)
    if typed.strip() != str(total):
        raise ImgsimError(f"apply: the number of files must be typed, and nothing was touched (got {typed!r})")


def _document(report: ApplyReport) -> dict:
    return {
        "way": report.way.value,
        "dry_run": report.dry_run,
        "journal": None if report.journal is None else str(report.journal),
        "files": [
            {
                "path": step.path,
                "bytes": step.size,
                "kept": step.kept,
                "to": step.to,
                **({"sidecar_of": step.sidecar_of} if step.sidecar_of else {}),
            }
            for step in report.steps
        ],
        "merged": [{"path": m.path, "picture": m.picture, "topics": list(m.topics)} for m in report.merged],
        "bytes": report.size,
        "bytes_freed": report.freed,
        "done_before": report.before,
        "interrupted": report.interrupted,
        "skipped": skipped_as_json(report.skipped),
    }


def _print(console: Console, report: ApplyReport, total: int) -> None:
    from imgsim_ops.cleanup.reasons import CleanupReason
    from imgsim_ops.cleanup.ways import WAYS
    from imgsim_ops.files.names import printable

    way = WAYS[report.way]
    if report.steps:
        _print_steps(console, report)
    files = "1 file" if len(report.steps) == 1 else f"{len(report.steps):,} files"
    would = f"would be {way.done}" if report.dry_run else way.done
    along = sum(step.sidecar_of is not None for step in report.steps)
    sidecars = f", {along:,} of them beside pictures" if along else ""
    freed = f", {report.freed / 1e6:,.1f} MB of them freed" if report.freed else ""
    console.print(f"{files} {would}{sidecars}, {report.size / 1e6:,.1f} MB{freed}", soft_wrap=True)
    if report.merged:
        written = {merged.path for merged in report.merged}
        count = "1 sidecar" if len(written) == 1 else f"{len(written):,} sidecars"
        topics = ", ".join(sorted({topic for merged in report.merged for topic in merged.topics}))
        would = "would be written" if report.dry_run else "written"
        console.print(f"{count} of kept pictures {would}: {topics}", soft_wrap=True)
    if report.before:
        console.print(f"{report.before:,} done before", soft_wrap=True)
    if report.interrupted:
        looked = report.looked_at
        console.print(f"[yellow]Stopped[/yellow] after {looked:,} of {total:,} files; the same command goes on")
    print_skipped(console, report.skipped, sentences=CleanupReason.sentences())
    if report.dry_run and report.steps:
        console.print("[bold]Nothing was touched[/bold]: this is what --yes will do", soft_wrap=True)
    if report.journal is not None:
        console.print(f"Journal: {printable(report.journal)}", soft_wrap=True, markup=False)
        if way.can_be_undone:
            console.print("[dim]imgsim undo with this file puts everything back[/dim]", soft_wrap=True)


def _print_steps(console: Console, report: ApplyReport) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    from imgsim_ops.files.names import printable

    goes = report.steps[0].to is not None
    table = Table("file", "kB", "goes to" if goes else "kept", box=SIMPLE_HEAD, pad_edge=False)
    table.columns[1].justify = "right"
    for step in report.steps[:_MOST]:
        place = Text(printable(step.to if goes else step.kept), overflow="fold")
        table.add_row(Text(printable(step.path), overflow="fold"), f"{step.size / 1e3:,.0f}", place)
    console.print(table)
    if len(report.steps) > _MOST:
        console.print(f"and {len(report.steps) - _MOST:,} more (--json has them all)", soft_wrap=True)
