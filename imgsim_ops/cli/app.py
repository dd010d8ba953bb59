"""The command ``imgsim`` and what all its subcommands share: its help, and how it ends."""

from __future__ import annotations

import os
import sys
from typing import Annotated, Any, TextIO

import typer
from typer.core import TyperGroup

from imgsim_ops.cli.apply import apply
from imgsim_ops.cli.approximate import approximate
from imgsim_ops.cli.compact import compact
from imgsim_ops.cli.compare import compare
from imgsim_ops.cli.console import INTERRUPTED, described, one_line
from imgsim_ops.cli.demo import demo
from imgsim_ops.cli.doctor import doctor
from imgsim_ops.cli.dups import dups
from imgsim_ops.cli.embed import embed
from imgsim_ops.cli.export import export
from imgsim_ops.cli.index import index
from imgsim_ops.cli.info import info
from imgsim_ops.cli.leak import leak
from imgsim_ops.cli.methods import methods
from imgsim_ops.cli.methods_train import methods_app  # with its commands
from imgsim_ops.cli.report import report
from imgsim_ops.cli.search import search
from imgsim_ops.cli.stats import stats
from imgsim_ops.cli.undo import undo
from imgsim_ops.cli.verify import verify
from imgsim_ops.cli.zoo import zoo
from imgsim_ops.errors import ImgsimError
from imgsim_ops.files.names import printable

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
        met: OSError | None = None
        try:
            code = super().main(*args, standalone_mode=False, **extra)  # type: ignore[misc]
        except _UsageError as error:  # type: ignore[misc]
            # Without any arguments the help has been shown in place of a message.
            code = _fail(_with_value(error)) if error.format_message() else USER_ERROR
        except ImgsimError as error:
            code = _fail(str(error))
        except (BrokenPipeError, SystemExit) as error:
            # The reader of a pipe has seen enough, of which click and Rich make an exit code that means something else.
            if not isinstance(error, BrokenPipeError) and not isinstance(error.__context__, BrokenPipeError):
                raise
            code = 0
        except ValueError as error:  # the native code looks at this variable when it is first called
            if not str(error).startswith("IMGSIM_ISA: "):
                raise
            code = _fail(str(error))
        except ImportError as error:
            install = "run pip install torch torchvision, or " if error.name in ("torch", "torchvision") else ""
            code = _fail(f"{error}; {install}imgsim doctor says what is missing and what to do")
        except OSError as error:
            code, met = USER_ERROR, error
        except (KeyboardInterrupt, typer.Abort):
            code = INTERRUPTED
        if code == INTERRUPTED:
            _fail("stopped")
        lost = _unprinted()
        if lost is not None and (met is None or met.errno == lost.errno):
            code = _fail(f"stdout: what is printed must have a place (got {one_line(lost)})")
        elif met is not None:
            code = _fail(one_line(met))
        sys.exit(code if isinstance(code, int) else 0)


def _with_value(error: Any) -> str:
    """What a mistake in the command line is, and the value got, which newer versions of Typer leave to their cause."""
    message = error.format_message()
    causes: list[dict] = getattr(error.__cause__, "errors", list)()
    return f"{message} (got {printable(causes[0]['input'])})" if causes and "input" in causes[0] else message


def _fail(message: str) -> int:
    try:
        print("imgsim:", " ".join(message.split()), file=sys.stderr, flush=True)
    except OSError:  # a full disk, and nowhere else to say it: the exit code does
        _lead_nowhere(sys.stderr)
    return USER_ERROR


def _lead_nowhere(stream: TextIO) -> None:
    """Lets what remains to be written vanish: Python would write it at its end, and exit with a code of its own."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _unprinted() -> OSError | None:
    """Writes out what has been printed, which Python would do after us, in its own words and with its own exit code.

    Returns:
        Why it cannot be; None also where the reader of a pipe has seen enough.
    """
    try:
        sys.stdout.flush()
    except OSError as error:
        _lead_nowhere(sys.stdout)
        return None if isinstance(error, BrokenPipeError) else error
    return None


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


def _imgsim(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and stop."),
    ] = False,
) -> None:
    """Find, compare and de-duplicate images, fast, on an ordinary machine."""


app.callback(**described(_imgsim))(_imgsim)

for _command in (
    *(index, search, dups, leak, apply, undo),
    *(info, verify, compact, approximate),
    *(compare, embed, stats, zoo, report, export, demo, doctor),
):
    app.command(**described(_command))(_command)
app.add_typer(methods_app, name="methods", **described(methods))
