"""What was measured of models, as tables by how much they compute."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from imgsim_ops import kernels
from imgsim_ops.evaluation.machine import machine, machine_line
from imgsim_ops.evaluation.results import Cell, Column, Plot, Results, Table
from imgsim_ops.evaluation.zoo.candidates import Runtime
from imgsim_ops.evaluation.zoo.measure import MeasuringOptions, Row
from imgsim_ops.evaluation.zoo.triples import Triples
from imgsim_ops.quality.precision import area_under_curve

#: The least whole number of GFLOPS of each group, and what the group is called. GFLOPS are rounded down for it, so that
#: each model belongs to one: 3.99 belongs to "1 to 3", 4.0 to "4 to 6".
GROUPS = ((0, "0"), (1, "1 to 3"), (4, "4 to 6"), (7, "7 and 8"), (9, "9 and more"))

NO_WEIGHTS = "no weights"

_BEFORE_SCORES = (
    Column("model", "model"),
    Column("weights", "weights"),
    Column("dimension", "dimension"),
    Column("gflops", "GFLOPS", 2),
    Column("params_m", "params, M", 1),
    Column("acc1", "acc@1, %", 1),
    Column("acc5", "acc@5, %", 1),
    Column("embed_ms", "embed, ms", 1),
    Column("cosine_us", "cosine, µs", 1),
)
_SCORES = (
    Column("positive", "positive, %", 1),
    Column("negative", "negative, %", 1),
    Column("negative_resized", "resized, %", 1),
)
_AUC = (Column("auc", "AUC", 3),)
_AFTER_SCORES = (Column("picture", "picture"), Column("note", "note"))


def group_of(gflops: float) -> str:
    """The name of the group that a model belongs to."""
    return [name for least, name in GROUPS if int(gflops) >= least][-1]


def group_table(name: str, rows: Sequence[Row], triples: int) -> Table:
    """The table of a group.

    Args:
        name: The group's.
        rows: Its rows.
        triples: On how many triples of pictures models are compared; of several there is an area under the curve.
    """
    columns = (*_BEFORE_SCORES, *_SCORES, *(_AUC if triples > 1 else ()), *_AFTER_SCORES)
    return Table(f"GFLOPS {name}", columns, [_cells(row, triples) for row in rows])


def zoo_results(tables: Sequence[Table], plots: Sequence[Plot], triples: Triples, options: MeasuringOptions) -> Results:
    """All that was found out, and how.

    Args:
        tables: Of the groups.
        plots: Of all rows.
        triples: The pictures.
        options: How models were measured.
    """
    runtime, count = options.runtime, len(triples)
    means = f"; means of {count} triples, and the AUC of positives against negatives" if count > 1 else ""
    facts = {
        "pictures": triples.words,
        "embedding": "what the module before the classifier returns, flattened; of vision transformers the class token",
        "GFLOPS, parameters, acc@1, acc@5": "from the metadata of the weights; a group has all models whose GFLOPS, "
        "rounded down, it names",
        "embed": f"from one prepared picture to its embedding, median of {options.repeats} calls after "
        f"{options.warmup} that do not count",
        "cosine": "of two embeddings, timed likewise",
        "similarity": "cosine in percent of the anchor with the positive, the negative, and the negative resized to "
        f"the anchor's width and height{means}",
        "weights": options.files.words,
        "engine": f"{_runtime_words(runtime)}, {runtime.device}",
        "machine": machine_line(machine(_threads(runtime), ("torchvision",))),
    }
    if triples.skipped:
        facts["pictures left out"] = f"{len(triples.skipped)} that could not be read, with their triples"
    return Results("zoo", "Models on triples of pictures", facts, tables, plots)


def _threads(runtime: Runtime) -> int:
    """How many threads a model had."""
    if runtime.engine == "onnx":
        return runtime.threads or kernels.build_info()["threads"]
    import torch

    return torch.get_num_threads()


def _runtime_words(runtime: Runtime) -> str:
    if runtime.engine == "onnx":
        import onnxruntime

        return f"ONNX Runtime {onnxruntime.__version__}"
    import torch

    return f"PyTorch {torch.__version__}"


def separation(row: Row) -> float | None:
    """By how much more the positives are like their anchors than the negatives, in percentage points, on average."""
    if row.cosines is None or not np.isfinite(row.cosines).all():
        return None
    positive, negative, _ = 100 * row.cosines.mean(axis=0)
    return float(positive - negative)


def _cells(row: Row, triples: int) -> Mapping[str, Cell]:
    cells: dict[str, Cell] = {"model": row.model, "weights": row.weights, "note": row.failed or row.note or None}
    if row.facts is not None:
        cells |= {
            "dimension": row.facts.dimension,
            "gflops": row.facts.gflops,
            "params_m": row.facts.parameters / 1e6,
            "acc1": row.facts.acc1,
            "acc5": row.facts.acc5,
            "picture": row.facts.picture,
        }
    if row.embed_s is not None and row.similarity_s is not None:
        cells |= {"embed_ms": 1e3 * row.embed_s, "cosine_us": 1e6 * row.similarity_s}
    return {**cells, **_score_cells(row, triples)}


def _score_cells(row: Row, triples: int) -> Mapping[str, Cell]:
    keys = [column.key for column in (*_SCORES, *(_AUC if triples > 1 else ()))]
    if row.cosines is None:
        return dict.fromkeys(keys, NO_WEIGHTS if row.no_weights else None)
    if not np.isfinite(row.cosines).all():
        return dict.fromkeys(keys, "not finite")
    values = [float(value) for value in 100 * row.cosines.mean(axis=0)]
    if triples > 1:
        positives, negatives, _ = row.cosines.T
        values.append(area_under_curve(positives, negatives))
    return dict(zip(keys, values, strict=True))


def unbeaten(rows: Iterable[Row]) -> list[Row]:
    """The models that no other one beats both in time and in separation, from fast to slow."""
    found: list[Row] = []
    for row in sorted(rows, key=lambda row: (row.embed_s, -separation(row))):
        if not found or separation(row) > separation(found[-1]):
            found.append(row)
    return found
