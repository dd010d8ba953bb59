"""Exported models as files at a place of the user's."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from imgsim_ops.atomic import write_file
from imgsim_ops.errors import ImgsimError


def export_files(
    out: Path,
    *,
    backbone: str = "resnet18",
    weights: str | os.PathLike[str] | None = None,
    precision: str = "fp32",
    photographs: Sequence[Path] | None = None,
    pair: bool = False,
    layers: bool = False,
    announce: Callable[[str], None] = lambda line: None,
) -> tuple[list[Path], dict[str, object]]:
    """Writes a model, each file whole or not at all.

    Args:
        out: ``NAME.onnx``, beside which the twin ``NAME.plain.onnx`` is written; or ``NAME.pt`` for TorchScript.
        backbone: As in ``export.recipes.export_backbone``.
        weights: As there.
        precision: As there; TorchScript has fp32 only.
        photographs: As there.
        pair: Whether the model takes two batches of pictures and gives their similarity.
        layers: Whether the pooled vectors of the four taps are outputs too. (A TorchScript file always has them, as its
            method ``with_layers``.)
        announce: As in ``export_backbone``.

    Returns:
        The files written, and what the model is, ``MultiScaleExtractor.facts``.

    Raises:
        ImgsimError: The file's name has another ending, options do not go together, or as ``export_backbone``.
        WeightsError: The weights cannot be had or do not fit.
        OSError: A file cannot be written.
    """
    if out.suffix not in (".onnx", ".pt"):
        raise ImgsimError(f"export: the file must end in .onnx or .pt (got {str(out)!r})")
    if pair and layers:
        raise ImgsimError("export: a pair model gives a similarity and no layers (got --pair and --layers)")
    if photographs is not None and precision != "int8":
        raise ImgsimError(f"export: photographs are for int8 (got precision {precision})")
    if not out.parent.is_dir():
        raise ImgsimError(f"export: the folder must exist (got {str(out.parent)!r})")
    if out.suffix == ".pt":
        if pair or precision != "fp32":
            raise ImgsimError("export: a .pt file is an fp32 model of single pictures (got --pair or --precision)")
        from imgsim_ops.engines.torchscript import save
        from imgsim_ops.models.extractor import build_extractor

        return [out], save(build_extractor(backbone, weights), out)

    from imgsim_ops.export.model import embedding_model, pair_model, plain_twin
    from imgsim_ops.export.recipes import export_backbone

    exported = export_backbone(backbone, weights, precision, photographs, announce)
    network, facts = exported.network, exported.facts
    model = pair_model(network, facts) if pair else embedding_model(network, facts, layers)
    twin = out.with_suffix(".plain.onnx")
    write_file(out, model.SerializeToString())
    write_file(twin, plain_twin(model).SerializeToString())
    return [out, twin], facts
