"""Figures as SVG, the same bytes each time. Needs matplotlib."""

from __future__ import annotations

import io
import warnings
from typing import TYPE_CHECKING

from imgsim_ops.errors import ImgsimError
from imgsim_ops.files.names import printable

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def new_figure(width: float, height: float) -> Figure:
    """A figure for `svg`, in inches.

    Raises:
        ImgsimError: matplotlib is not installed.
    """
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise ImgsimError("plot: matplotlib must be installed (got none); run pip install matplotlib") from error
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="tight")


def label(name: str) -> str:
    """Any name as a text of a figure: matplotlib would read what stands between two ``$`` as a formula."""
    return printable(name).replace("$", r"\$")


def svg(figure: Figure) -> str:
    """A figure as the text of an SVG file, with letters drawn as lines, so that it looks the same everywhere."""
    import matplotlib

    text = io.StringIO()
    # Whatever the user's own settings are, the same figure is the same file.
    settings = {"svg.hashsalt": "imgsim", "svg.fonttype": "path", "savefig.transparent": False}
    with matplotlib.rc_context(settings), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font", UserWarning)  # of other scripts: boxes
        figure.savefig(text, format="svg", facecolor="white", metadata={"Date": None})
    return text.getvalue()
