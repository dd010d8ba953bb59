"""Exported models as files at a place of the user's."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from imgsim_ops.errors import ImgsimError
from imgsim_ops.files.names import printable
from imgsim_ops.files.writing import write_file
from imgsim_ops.recipes.fingerprint import Fingerprint
from imgsim_ops.recipes.recipes import recipe_named
from imgsim_ops.recipes.whitening import FittedWhitening


def export_files(
    out: Path,
    *,
    backbone: str = "resnet18",
    weights: str | os.PathLike[str] | None = None,
    precision: str = "fp32",
    photographs: Sequence[Path] | None = None,
    pair: bool = False,
    layers: bool = False,
    recipe: str = "mean",
    fitted: FittedWhitening | None = None,
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
        recipe: ``mean``; ``gem``, of unit length; or ``whitened``, by the whitening of a collection. TorchScript has
            ``mean`` only.
        fitted: For ``whitened``: the whitening of a collection of the same backbone, weights and precision, as
            ``collection.indexing.fitting.fitted_whitening`` gives it.
        announce: As in ``export_backbone``.

    Returns:
        The files written, and what the model is, ``MultiScaleExtractor.facts`` with what ``model.recipe_facts`` adds.

    Raises:
        ImgsimError: The file's name has another ending, options do not go together, the whitening is another model's,
            or as ``export_backbone``.
        WeightsError: The weights cannot be had or do not fit.
        OSError: A file cannot be written.
    """
    if out.suffix not in (".onnx", ".pt"):
        raise ImgsimError(f"export: the file must end in .onnx or .pt (got {str(out)!r})")
    if pair and layers:
        raise ImgsimError("export: a pair model gives a similarity and no layers (got --pair and --layers)")
    if photographs is not None and precision != "int8":
        raise ImgsimError(f"export: photographs are for int8 (got precision {precision})")
    chosen = recipe_named(recipe)
    if chosen.views > 1:
        raise ImgsimError(
            f"export: the recipe must make one vector of each picture, as whitened does (got {recipe}, which makes "
            f"{chosen.views})"
        )
    if out.suffix == ".pt" and recipe != "mean":
        raise ImgsimError(f"export: a .pt file computes the recipe mean (got {recipe}, which needs an .onnx file)")
    if chosen.whitens and fitted is None:
        raise ImgsimError(f"export: {recipe} needs the whitening of a collection, --collection (got none)")
    if fitted is not None and not chosen.whitens:
        raise ImgsimError(f"export: a collection is for the recipe whitened (got recipe {recipe})")
    if not out.parent.is_dir():
        raise ImgsimError(f"export: the folder must exist (got {str(out.parent)!r})")
    if out.suffix == ".pt":
        if pair or precision != "fp32":
            raise ImgsimError("export: a .pt file is an fp32 model of single pictures (got --pair or --precision)")
        from imgsim_ops.engines.torchscript import save
        from imgsim_ops.models.extractor import build_extractor

        return [out], save(build_extractor(backbone, weights), out)

    from imgsim_ops.export.model import embedding_model, pair_model, plain_twin, recipe_facts
    from imgsim_ops.export.recipes import export_backbone

    exported = export_backbone(backbone, weights, precision, photographs, announce)
    if fitted is not None:
        _check_made_by(fitted, Fingerprint.parse(exported.facts["fingerprint"]))
    whitening = None if fitted is None else fitted.whitening
    network, facts = exported.network, recipe_facts(exported.facts, recipe, whitening)
    if pair:
        model = pair_model(network, facts, whitening)
    else:
        model = embedding_model(network, facts, layers, whitening=whitening)
    twin = out.with_suffix(".plain.onnx")
    write_file(out, model.SerializeToString())
    write_file(twin, plain_twin(model).SerializeToString())
    return [out, twin], facts


def _check_made_by(fitted: FittedWhitening, exported: Fingerprint) -> None:
    # Not all of the fingerprint: how JPEGs are decoded is not the model's affair.
    theirs, ours = (f"{made.backbone}-{made.weights}-{made.precision}" for made in (fitted.fingerprint, exported))
    if theirs != ours:
        raise ImgsimError(
            f"export: the collection's vectors must be made by {ours} (got {theirs} in {printable(fitted.path)})"
        )
