"""What a training came to, as a table and loss curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from imgsim_ops.evaluation.plots import new_figure, svg
from imgsim_ops.evaluation.results import Column, Plot, Results, Table

COLUMNS = (
    Column("epoch", "epoch"),
    Column("train_loss", "training loss", 4),
    Column("validation_loss", "validation loss", 4),
    Column("validation_accuracy_percent", "validation accuracy, %", 1),
    Column("seconds", "seconds", 1),
)


def training_results(
    title: str, history: Sequence[Mapping[str, float]], best_epoch: int, facts: Mapping[str, str]
) -> Results:
    """A row and a point for each epoch.

    Args:
        title: What was trained on what.
        history: As of ``training.Training``.
        best_epoch: The epoch whose encoder was kept; the plot marks it.
        facts: As of ``results.Results``.
    """
    rows: list[dict[str, Any]] = []
    for epoch in history:
        row = dict(epoch)
        row["validation_accuracy_percent"] = 100 * row.pop("validation_accuracy")
        rows.append(row)
    plot = Plot("loss", f"{title}: loss and validation accuracy by epoch", _curves(title, rows, best_epoch))
    return Results("training", title, facts, [Table("", COLUMNS, rows)], [plot])


def _curves(title: str, rows: Sequence[Mapping[str, float]], best_epoch: int) -> str:
    figure = new_figure(8, 4.5)
    losses, accuracy = figure.subplots(1, 2)
    epochs = [row["epoch"] for row in rows]
    # One epoch alone is a point, of which a line would show nothing.
    look = {"marker": "o", "markersize": 3}
    losses.plot(epochs, [row["train_loss"] for row in rows], label="training, changed pictures", **look)
    losses.plot(epochs, [row["validation_loss"] for row in rows], "--", label="validation", **look)
    losses.set_ylabel("loss")
    losses.set_ylim(bottom=0)
    accuracy.plot(epochs, [row["validation_accuracy_percent"] for row in rows], "C1--", **look)
    accuracy.set_ylabel("validation accuracy, %")
    for axes in (losses, accuracy):
        axes.axvline(best_epoch, color="0.6", linewidth=1, zorder=0, label=f"kept: epoch {best_epoch}")
        axes.set_xlabel("epoch")
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(alpha=0.3)
        axes.legend(frameon=False)
    figure.suptitle(title)
    return svg(figure)
