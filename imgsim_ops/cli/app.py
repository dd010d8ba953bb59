"""The command ``imgsim`` and what all its subcommands share: its help, and how it ends."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from imgsim_ops.cli.apply import apply
from imgsim_ops.cli.approximate import approximate
from imgsim_ops.cli.compact import compact
from imgsim_ops.cli.compare import compare
from imgsim_ops.cli.console import INTERRUPTED
from imgsim_ops.cli.demo import demo
from imgsim_ops.cli.doctor import doctor
from imgsim_ops.cli.dups import dups
from imgsim_ops.cli.embed import embed
from imgsim_ops.cli.export import export
from imgsim_ops.cli.index import index
from imgsim_ops.cli.info import info
from imgsim_ops.cli.leak import leak
from imgsim_ops.cli.methods_train import methods_app  # with its commands
from imgsim_ops.cli.report import report
from imgsim_ops.cli.search import search
from imgsim_ops.cli.stats import stats
from imgsim_ops.cli.undo import undo
from imgsim_ops.cli.verify import verify
from imgsim_ops.cli.zoo import zoo
from imgsim_ops.errors import ImgsimError

USER_ERROR = 2

# Typer has it from click, older versions by import and newer ones as a copy of their own; this name
# reaches both.
_UsageError = typer.BadParameter.__base__


class _OneLineErrors(TyperGroup):
    """Ends with one line on stderr where Typer would print a box, or Python a traceback."""

    def main(self, *args: Any, standalone_mode: bool = True, **extra: Any) -> Any:
        """Runs the command line; with `standalone_mode` it ends the process with the exit code."""
        if not standalone_mode:
            return super().main(*args, standalone_mode=False, **extra)  # type: ignore[misc]
        for stream in (sys.stdout, sys.stderr):
            if hasattr(stream, "reconfigure"):  # a terminal that lacks a letter must not stop a run
                stream.reconfigure(errors="backslashreplace")
        try:
            code = super().main(*args, standalone_mode=False, **extra)  # type: ignore[misc]
        except _UsageError as error:  # type: ignore[misc]
            # Without any arguments the help has been shown in place of a message.
            code = _fail(error.format_message()) if error.format_message() else USER_ERROR
        except ImgsimError as error:
            code = _fail(str(error))
        except BrokenPipeError:  # the reader of a pipe has seen enough
            sys.stderr.close()  # or Python complains while it flushes stdout at exit
            code = 0
        except ImportError as error:
            code = _fail(f"{error}; imgsim doctor says what is missing and what to do")
        except OSError as error:
            where = f" (got {error.filename})" if error.filename else ""
            code = _fail(f"{error.strerror or error}{where}")
        except (KeyboardInterrupt, typer.Abort):
            code = INTERRUPTED
        if code == INTERRUPTED:
            _fail("stopped")
        sys.exit(code if isinstance(code, int) else 0)


def _fail(message: str) -> int:
    print("imgsim:", " ".join(message.split()), file=sys.stderr)
    return USER_ERROR


app = typer.Typer(
    cls=_OneLineErrors,
    rich_markup_mode="rich",
    no_args_is_help=True,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
    epilog="""[bold]Examples[/bold]

    [cyan]imgsim dups photos/ --html report.html[/cyan]   what is there twice, and what should go

    [cyan]imgsim leak train/ test/[/cyan]     test pictures that are copies of training pictures

    [cyan]imgsim index photos/[/cyan]         a collection of a folder, or what is new in it

    [cyan]imgsim search query.jpg[/cyan]      the pictures most like one

    [cyan]imgsim compare a.jpg b.jpg[/cyan]   how alike two pictures are

    [cyan]imgsim embed photos/[/cyan]         the vectors of a folder, in one file

    [cyan]imgsim stats photos/[/cyan]         the mean colour of a folder

    [cyan]imgsim methods[/cyan]               which method finds pictures of a class again

    [cyan]imgsim apply decisions.json --trash[/cyan]   what would go to the trash; --yes does it

    [cyan]imgsim export[/cyan]                the model as an ONNX file

    [cyan]imgsim zoo --weights none[/cyan]    some fifty models by size and speed

    [cyan]imgsim doctor[/cyan]                what is installed, and what to do about what is missing

    Exit codes: 0 all is well, 1 imgsim verify found damage, 2 the command line or a file it needs is wrong, 3 some
    files were skipped, or models or methods that were compared could not run.""",
)


def _show_version(wanted: bool) -> None:
    if wanted:
        from imgsim_ops import __version__

        print(__version__)
        raise typer.Exit


@app.callback()
def _imgsim(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and stop."),
    ] = False,
) -> None:
    """Find, compare and de-duplicate images, fast, on an ordinary machine."""


for _command in (
    *(index, search, dups, leak, apply, undo),
    *(info, verify, compact, approximate),
    *(compare, embed, stats, zoo, report, export, demo, doctor),
):
    app.command()(_command)
app.add_typer(methods_app, name="methods")
