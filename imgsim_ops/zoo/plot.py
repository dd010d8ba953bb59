"""Plots of measured models: which separate best in what time; without weights, what computing costs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from imgsim_ops.labels import label_points
from imgsim_ops.plots import new_figure, svg
from imgsim_ops.results import Plot
from imgsim_ops.zoo.measure import Row
from imgsim_ops.zoo.tables import GROUPS, group_of, separation, unbeaten

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_WIDTH, _HEIGHT = 11.0, 7.5  # inches, with room for fifty names

# Of the groups, from few GFLOPS to many; told apart in grey too.
_COLOURS = ("#8ccf9b", "#3fb0ac", "#2f7fc1", "#5a49a8", "#8b1a5e")
_LEAST_AREA, _MOST_AREA = 14.0, 700.0  # of a mark, in points²


def plots(rows: Sequence[Row]) -> list[Plot]:
    """The plots of what was measured.

    Separation against time where models have weights; time against GFLOPS where models have none.

    Raises:
        ImgsimError: matplotlib is not installed.
    """
    measured = [row for row in rows if row.embed_s is not None and row.facts is not None]
    separated = [row for row in measured if separation(row) is not None]
    found = []
    if separated:
        found.append(_separation_plot(separated))
    if any(row.cosines is None for row in measured):
        found.append(_time_plot(measured))
    return found


def _separation_plot(rows: Sequence[Row]) -> Plot:
    title = "Separation of positive and negative pictures against embedding time"
    figure = new_figure(_WIDTH, _HEIGHT)
    axes = figure.add_subplot()
    times = [1e3 * row.embed_s for row in rows]
    separations = [separation(row) for row in rows]
    gflops = np.array([row.facts.gflops for row in rows])
    areas = _areas(gflops)
    colours = [_colour(value) for value in gflops]
    _style(
        axes, title + "; area: GFLOPS", "embedding time, ms", "similarity of the positive less that of the negative, %"
    )
    axes.set_xscale("log")
    best = unbeaten(rows)
    axes.plot([1e3 * row.embed_s for row in best], list(map(separation, best)), "--", color="#bbbbbb", zorder=2)
    axes.scatter(times, separations, areas, colours, alpha=0.85, edgecolors="white", linewidths=0.7, zorder=3)
    _room(axes, times, separations, log_y=False)
    _legend(axes, "GFLOPS")
    label_points(axes, times, separations, areas, [row.model for row in rows])
    return Plot("separation", f"{title} of {len(rows)} models; the area of a mark is its GFLOPS", svg(figure))


def _time_plot(rows: Sequence[Row]) -> Plot:
    title = "Embedding time against GFLOPS"
    without = "no weights: how well they separate pictures is not known"
    figure = new_figure(_WIDTH, _HEIGHT)
    axes = figure.add_subplot()
    times = [1e3 * row.embed_s for row in rows]
    gflops = np.array([row.facts.gflops for row in rows])
    areas = _areas(np.array([row.facts.parameters / 1e6 for row in rows]))
    colours = [_colour(value) for value in gflops]
    _style(axes, f"{title}; area: parameters ({without})", "GFLOPS", "embedding time, ms")
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.scatter(gflops, times, areas, colours, alpha=0.85, edgecolors="white", linewidths=0.7, zorder=3)
    _room(axes, gflops, times, log_y=True)
    _legend(axes, "GFLOPS")
    label_points(axes, gflops, times, areas, [row.model for row in rows])
    return Plot("time", f"{title} of {len(rows)} models, {without}; the area of a mark is its parameters", svg(figure))


def _areas(values: np.ndarray) -> np.ndarray:
    return np.maximum(_MOST_AREA * values / values.max(), _LEAST_AREA)


def _colour(gflops: float) -> str:
    names = [name for _, name in GROUPS]
    return _COLOURS[names.index(group_of(gflops))]


def _style(axes: Axes, title: str, x: str, y: str) -> None:
    axes.set_title(title, fontsize=11, loc="left", pad=10)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(which="major", color="#e6e6e6", linewidth=0.8)
    axes.set_axisbelow(True)


def _room(axes: Axes, x: Sequence[float], y: Sequence[float], log_y: bool) -> None:
    """Limits with room for names at the edges, and numbers in place of powers of ten."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axes.set_xlim(min(x) / 1.35, max(x) * 1.5)
    if log_y:
        axes.set_ylim(min(y) / 1.35, max(y) * 1.5)
    else:
        margin = 0.08 * (max(y) - min(y)) or 1
        axes.set_ylim(min(y) - margin, max(y) + margin)
    for axis in (axes.xaxis, *([axes.yaxis] if log_y else [])):
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.set_minor_formatter(NullFormatter())


def _legend(axes: Axes, title: str) -> None:
    for (_, name), colour in zip(GROUPS, _COLOURS, strict=True):
        axes.scatter([], [], 45, colour, label=name)
    axes.legend(title=title, loc="lower right", frameon=False, fontsize=8, title_fontsize=8)
