"""Names beside the points of a plot, where they cover neither each other nor points as far as there is room."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# From the edge of a mark to the edge of its name, the best first, in points; in as many directions.
_GAPS = np.array([1.5, 4, 8, 14, 22, 32, 44, 58, 74])
_ANGLES = np.arange(24) * (np.pi / 12)
_DIRECTIONS = np.column_stack([np.cos(_ANGLES), np.sin(_ANGLES)])

# What is paid: for each point of a gap 1; for what a name covers of another one, a mark or a line, and for what lies
# outside the frame, these, in points² and points.
_NAME_PRICE = 30.0
_MARK_PRICE = 12.0
_FRAME_PRICE = 100.0

_LINE_FROM = 5.0  # gap in points


def label_points(
    axes: Axes,
    x: Sequence[float],
    y: Sequence[float],
    areas: Sequence[float] | np.ndarray,
    names: Sequence[str],
    size: float = 7.5,
) -> None:
    """Writes names beside points. A name that stands away from its point has a thin line to it.

    Call this last: the axes must have their limits.

    Args:
        axes: Where the points are drawn.
        x: Of the points.
        y: Likewise.
        areas: Of their marks, as ``Axes.scatter`` takes them, in points².
        names: The names.
        size: Of the letters, in points.
    """
    if not names:
        return
    figure: Any = axes.figure
    figure.tight_layout()  # as `plots.svg` will do: the places hold for this layout only
    figure.draw_without_rendering()
    pixels = figure.dpi / 72  # of a point
    points = axes.transData.transform(np.column_stack([x, y])) / pixels
    texts = [axes.text(0.5, 0.5, name, fontsize=size, transform=axes.transAxes) for name in names]
    extents = [text.get_window_extent() for text in texts]
    for text in texts:
        text.remove()
    sizes = np.array([(extent.width, extent.height) for extent in extents]) / pixels + (2, 0)
    radii = np.sqrt(np.asarray(areas) / np.pi)
    frame = np.array(axes.get_window_extent().extents) / pixels
    places = place_names(points, radii, sizes, frame)
    gaps = np.hypot(*np.maximum(np.abs(places - points) - sizes / 2, 0).T) - radii
    for name, px, py, offset, gap in zip(names, x, y, places - points, gaps, strict=True):
        line = {"arrowstyle": "-", "color": "#999999", "lw": 0.5, "shrinkA": 0, "shrinkB": 0}
        axes.annotate(
            name,
            (px, py),
            xytext=tuple(offset),
            textcoords="offset points",
            ha="center",
            va="center",
            fontsize=size,
            color="#222222",
            arrowprops=line if gap > _LINE_FROM else None,
            zorder=5,
        )


def place_names(
    points: np.ndarray, radii: np.ndarray, sizes: np.ndarray, frame: np.ndarray, sweeps: int = 6
) -> np.ndarray:
    """Places for names: each in turn takes the best place around its point, several times over.

    Args:
        points: (N, 2).
        radii: (N,), of the marks.
        sizes: (N, 2), widths and heights of the names.
        frame: (4,), what the names must stay in: left, bottom, right, top.
        sweeps: How many times each name is placed.

    Returns:
        (N, 2): the names' centres.
    """
    places = points.copy()
    placed = np.zeros(len(points), bool)
    # The most crowded first: they have the least choice.
    distances = np.hypot(*(points[:, None] - points[None]).transpose(2, 0, 1))
    order = np.argsort(np.sort(distances, axis=1)[:, : min(6, len(points))].sum(axis=1))
    for _ in range(sweeps):
        before = places.copy()
        for i in order:
            half = sizes[i] / 2
            # A box whose centre lies so far out in a direction touches the circle of that radius.
            centres = points[i] + ((radii[i] + _GAPS)[:, None, None] * _DIRECTIONS + half * _DIRECTIONS).reshape(-1, 2)
            others = placed.copy()
            others[i] = False
            cost = np.repeat(_GAPS, len(_ANGLES))
            cost += _NAME_PRICE * _shared(centres, half, places[others], sizes[others] / 2)
            for part in (0.3, 0.5, 0.7):  # of the line to the point
                along = centres + part * (points[i] - centres)
                cost += _NAME_PRICE * _shared(along, np.full(2, 0.5), places[others], sizes[others] / 2)
            away = np.hypot(*np.maximum(np.abs(centres[:, None] - points) - half, 0).transpose(2, 0, 1))
            cost += _MARK_PRICE * np.maximum(radii + 1 - away, 0).sum(axis=1)
            outside = np.maximum(frame[:2] - (centres - half), 0) + np.maximum(centres + half - frame[2:], 0)
            cost += _FRAME_PRICE * outside.sum(axis=1)
            places[i] = centres[np.argmin(cost)]
            placed[i] = True
        if np.array_equal(places, before):
            break
    return places


def _shared(centres: np.ndarray, half: np.ndarray, others: np.ndarray, halves: np.ndarray) -> np.ndarray:
    """The area that a box at each of the centres shares with other boxes, all of them together."""
    overlap = np.minimum(half + halves - np.abs(centres[:, None] - others), 2 * np.minimum(half, halves))
    return np.maximum(overlap, 0).prod(axis=2).sum(axis=1)
