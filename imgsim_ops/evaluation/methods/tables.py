"""The comparison of methods as a table and a plot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, distribution

from imgsim_ops.evaluation.judging import accuracy_by_chance
from imgsim_ops.evaluation.labelled import LabelledPictures
from imgsim_ops.evaluation.machine import machine, machine_line
from imgsim_ops.evaluation.methods.compare import METHODS, ComparisonOptions, Outcome
from imgsim_ops.evaluation.plots import new_figure, svg
from imgsim_ops.evaluation.results import Cell, Column, Plot, Results, Table

_PACKAGES = ("onnxruntime", "onnxruntime-gpu", "opencv-python-headless", "scikit-image", "open-clip-torch")

# A colour and a shape for each method: points may lie on one another, and not all see the colours.
_LOOKS = [(f"C{number}", marker) for number, marker in enumerate("osD^vPX*p")]

COLUMNS = (
    Column("method", "method"),
    Column("what", "what it is"),
    Column("accuracy_percent", "accuracy, %", 1),
    Column("precision_percent", "precision, %", 1),
    Column("pictures_per_second", "pictures/s", 1),
    Column("described_per_second", "described/s", 1),
    Column("searched_per_second", "searched/s", 1),
    Column("queries", "queries"),
    Column("dimension", "dimension"),
    Column("distance", "distance"),
    Column("made_by", "made by"),
    Column("note", "note"),
)


def results(
    outcomes: Sequence[Outcome],
    seen: LabelledPictures,
    unseen: LabelledPictures,
    options: ComparisonOptions,
    plotted: bool = True,
) -> Results:
    """What was found out.

    Args:
        outcomes: Of each method.
        seen: As `compare` took it.
        unseen: Likewise.
        options: Likewise.
        plotted: Whether the plot is made, for which matplotlib must be installed.
    """
    title = f"Methods on {unseen.name}, {len(unseen.present)} unseen classes"
    table = Table("", COLUMNS, [_row(outcome) for outcome in outcomes])
    plots = [_plot(outcomes, title, options.k)] if plotted else []
    return Results("methods", title, _facts(seen, unseen, options), [table], plots)


def _row(outcome: Outcome) -> Mapping[str, Cell]:
    row: dict[str, Cell] = {"method": outcome.method, "what": METHODS[outcome.method]}
    judged = outcome.judgement
    if judged is None:
        return {**row, "accuracy_percent": outcome.missing, "note": outcome.note}
    return {
        **row,
        "accuracy_percent": 100 * judged.accuracy,
        "precision_percent": 100 * judged.precision,
        "pictures_per_second": judged.pictures_per_second,
        "described_per_second": judged.described_per_second,
        "searched_per_second": judged.searched_per_second,
        "queries": judged.queries,
        "dimension": outcome.dimension,
        "distance": outcome.distance,
        "made_by": outcome.made_by,
        "note": outcome.note or None,
    }


def _facts(seen: LabelledPictures, unseen: LabelledPictures, options: ComparisonOptions) -> dict[str, str]:
    k = options.k
    nearest = "nearest one shows" if k == 1 else f"{k} nearest all show"
    facts = {
        "Data": f"{unseen.name}: {len(seen) + len(unseen):,} pictures of {len(unseen.classes):,} classes",
        "Seen classes": f"{len(seen.present):,} ({len(seen):,} pictures); nothing is trained on any other",
        "Unseen classes": f"{', '.join(unseen.present)} ({len(unseen):,} pictures)",
        "Accuracy": f"the share of unseen pictures whose {nearest} the same class, among the other unseen ones",
        "Precision": f"the mean share of the {k} nearest that show the same class",
        "By chance": f"{100 * accuracy_by_chance(unseen.labels, k):.1f} % accuracy",
        "Speed": "a picture described and then searched, one after the other, in one run; what loading and a first "
        "picture take is not counted",
        "Seed": str(options.seed),
        "Device": f"{options.place.device} for networks in PyTorch",
        "Machine": machine_line(machine(_threads(options), tuple(filter(_installed, _PACKAGES)))),
    }
    if unseen.skipped:
        facts["Skipped files"] = f"{len(unseen.skipped):,}"
    return facts


def _installed(package: str) -> bool:
    try:
        distribution(package)
    except PackageNotFoundError:
        return False
    return True


def _threads(options: ComparisonOptions) -> int:
    from imgsim_ops import kernels

    return options.place.threads or kernels.build_info()["threads"]


def _plot(outcomes: Sequence[Outcome], title: str, k: int) -> Plot:
    figure = new_figure(9, 5)
    axes = figure.add_subplot()
    for outcome in outcomes:
        if outcome.judgement is None:
            continue
        colour, marker = _LOOKS[list(METHODS).index(outcome.method)]
        axes.scatter(
            outcome.judgement.pictures_per_second,
            100 * outcome.judgement.accuracy,
            s=70,
            marker=marker,
            edgecolors=colour,
            facecolors="none" if outcome.note else colour,
            label=f"{outcome.method}\n(random weights)" if outcome.note else outcome.method,
        )
    if axes.collections:
        axes.set_xscale("log")
        axes.margins(0.15)
        axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1), borderaxespad=0, frameon=False)
    axes.set_xlabel("pictures described and searched in a second")
    axes.set_ylabel(f"accuracy, % (all of the {k} nearest right)")
    axes.grid(alpha=0.3)
    axes.set_title(title)
    return Plot("accuracy", f"{title}: accuracy against pictures in a second, a point for each method", svg(figure))
