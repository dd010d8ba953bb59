"""Figures as SVG, the same bytes each time. Needs matplotlib."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from imgsim_ops.errors import ImgsimError

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def new_figure(width: float, height: float) -> Figure:
    """A figure for `svg`, in inches.

    Raises:
        ImgsimError: matplotlib is not installed.
    """
    try:
        import matplotlib
    except ImportError as error:
        raise ImgsimError("plot: matplotlib must be installed (got none); run pip install matplotlib") from error
    from matplotlib.figure import Figure

    matplotlib.rcParams["svg.hashsalt"] = "imgsim"  # the same plot is the same file
    return Figure(figsize=(width, height))


def svg(figure: Figure) -> str:
    """A figure as the text of an SVG file."""
    figure.tight_layout()
    text = io.StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None})
    return text.getvalue()
