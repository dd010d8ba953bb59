"""Plots of measured models: which separate best in what time; without weights, what computing costs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from imgsim_ops.evaluation.plots import new_figure, svg
from imgsim_ops.evaluation.results import Plot
from imgsim_ops.evaluation.zoo.labels import label_points
from imgsim_ops.evaluation.zoo.measure import Row
from imgsim_ops.evaluation.zoo.tables import GROUPS, group_of, separation, unbeaten

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_WIDTH, _HEIGHT = 11.0, 7.5  # inches, with room for fifty names

# Of the groups, from few GFLOPS to many; told apart in grey too.
_COLOURS = dict(zip([name for _, name in GROUPS], ("#7cc98d", "#35aaa8", "#2f7fc1", "#5a49a8", "#8b1a5e"), strict=True))
_LEAST_AREA, _MOST_AREA = 18.0, 700.0  # of a mark, in points²


def plots(rows: Sequence[Row]) -> list[Plot]:
    """The plots of what was measured.

    Separation against time of the models with weights, where there are two; time against GFLOPS where some have none.

    Raises:
        ImgsimError: matplotlib is not installed.
    """
    measured = [row for row in rows if row.embed_s is not None and row.facts is not None]
    separated = [row for row in measured if separation(row) is not None]
    found = []
    if len(separated) > 1:
        found.append(_separation_plot(separated))
    if len(measured) > len(separated):
        found.append(_time_plot(measured))
    return found


def _separation_plot(rows: Sequence[Row]) -> Plot:
    title = "How well models separate positives from negatives, and in what time"
    axes = _new_axes(f"{title} (dashed: no other one beats these in both)")
    times, separations = _milliseconds(rows), [separation(row) for row in rows]
    _log(axes, "x", times, "embedding time, ms")
    margin = 0.08 * (max(separations) - min(separations)) or 1.0
    axes.set_ylim(min(separations) - margin, max(separations) + margin)
    axes.set_ylabel("similarity of positives less that of negatives, percentage points")
    best = unbeaten(rows)
    axes.plot(_milliseconds(best), [separation(row) for row in best], "--", color="#bbbbbb", zorder=2)
    _draw(axes, rows, times, separations, [row.facts.gflops for row in rows], "{:g} GFLOPS")
    return Plot("separation", f"{title}: {len(rows)} models; the area of a mark is its GFLOPS", svg(axes.figure))


def _time_plot(rows: Sequence[Row]) -> Plot:
    title = "Embedding time against GFLOPS"
    axes = _new_axes(f"{title} (without weights nothing is known of how well models separate pictures)")
    gflops, times = [row.facts.gflops for row in rows], _milliseconds(rows)
    _log(axes, "x", gflops, "GFLOPS")
    _log(axes, "y", times, "embedding time, ms")
    _draw(axes, rows, gflops, times, [row.facts.parameters / 1e6 for row in rows], "{:g} M parameters")
    words = f"{title} of {len(rows)} models, some or all without weights; the area of a mark is its parameters"
    return Plot("time", words, svg(axes.figure))


def _milliseconds(rows: Sequence[Row]) -> list[float]:
    return [1e3 * row.embed_s for row in rows]


def _new_axes(title: str) -> Axes:
    axes = new_figure(_WIDTH, _HEIGHT).add_subplot()
    axes.set_title(title, fontsize=11, loc="left", pad=30)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(which="major", color="#e6e6e6", linewidth=0.8)
    axes.set_axisbelow(True)
    return axes


def _log(axes: Axes, name: str, values: Sequence[float], title: str) -> None:
    """Makes the axis x or y logarithmic, with numbers in place of powers of ten, and room for names at its ends."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    axes.set(**{f"{name}scale": "log", f"{name}lim": (min(values) / 1.35, max(values) * 1.5), f"{name}label": title})
    axis = getattr(axes, f"{name}axis")
    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_locator(NullLocator())


def _draw(
    axes: Axes, rows: Sequence[Row], x: Sequence[float], y: Sequence[float], sizes: Sequence[float], size: str
) -> None:
    """Marks with names, and above the axes, in no name's way, what colours and areas mean."""
    area = _MOST_AREA / max(sizes)
    areas = np.maximum(area * np.array(sizes), _LEAST_AREA)
    colours = [_COLOURS[group_of(row.facts.gflops)] for row in rows]
    for i in np.argsort(-areas):  # small ones above large ones
        axes.scatter(x[i], y[i], areas[i], colours[i], alpha=0.85, edgecolors="white", linewidths=0.7, zorder=3)
    for name, colour in _COLOURS.items():
        axes.scatter([], [], 45, colour, label=f"{name} GFLOPS")
    example = float(f"{max(sizes) / 4:.1g}")
    axes.scatter([], [], area * example, "#bbbbbb", label=f"area: {size.format(example)}")
    axes.legend(
        loc="lower left",
        bbox_to_anchor=(-0.01, 1.0),
        ncols=len(_COLOURS) + 1,
        frameon=False,
        fontsize=8,
        columnspacing=1.4,
        handletextpad=0.3,
    )
    label_points(axes, x, y, areas, [row.model for row in rows])
