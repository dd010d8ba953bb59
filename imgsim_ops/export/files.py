"""Exported models as files at a place of the user's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from imgsim_ops.errors import ImgsimError
from imgsim_ops.files.names import printable
from imgsim_ops.files.writing import write_file
from imgsim_ops.models.facts import ModelFacts
from imgsim_ops.models.spec import ModelSpec
from imgsim_ops.recipes.fingerprint import Fingerprint
from imgsim_ops.recipes.recipes import recipe_named
from imgsim_ops.recipes.whitening import FittedWhitening


@dataclass(frozen=True)
class ExportOptions:
    """What a model takes and gives, besides embeddings of single pictures.

    Attributes:
        pair: Whether it takes two batches of pictures and gives their similarity.
        layers: Whether the pooled vectors of the four taps are outputs too. (A TorchScript file always has them, as its
            method ``with_layers``.)
        recipe: How vectors are made: ``mean``; ``gem``, of unit length; or ``whitened``, by the whitening of a
            collection. TorchScript has ``mean`` only.
        fitted: For ``whitened``: reads the whitening of a collection of the same backbone, weights and precision, as
            ``collection.indexing.fitting.fitted_whitening`` does; called once mistakes in the options are found out.
    """

    pair: bool = False
    layers: bool = False
    recipe: str = "mean"
    fitted: Callable[[], FittedWhitening] | None = None

    def check(self, suffix: str) -> None:
        """Finds out before any work whether they go together.

        Args:
            suffix: Of the file, ``.onnx`` or ``.pt``.

        Raises:
            ImgsimError: They do not, or no recipe has that name.
        """
        if self.pair and self.layers:
            raise ImgsimError("export: a pair model gives a similarity and no layers (got --pair and --layers)")
        recipe = recipe_named(self.recipe)
        if recipe.crops > 1:
            raise ImgsimError(
                f"export: the recipe must make one vector of each picture, as whitened does (got {self.recipe}, which "
                f"makes {recipe.crops})"
            )
        if suffix == ".pt" and self.recipe != "mean":
            raise ImgsimError(
                f"export: a .pt file computes the recipe mean (got {self.recipe}, which needs an .onnx file)"
            )
        if recipe.whitens and self.fitted is None:
            raise ImgsimError(f"export: {self.recipe} needs the whitening of a collection, --collection (got none)")
        if self.fitted is not None and not recipe.whitens:
            raise ImgsimError(f"export: a collection is for the recipe whitened (got recipe {self.recipe})")


def export_files(
    out: Path,
    spec: ModelSpec = ModelSpec(),
    options: ExportOptions = ExportOptions(),
    *,
    photographs: Sequence[Path] | None = None,
    announce: Callable[[str], None] = lambda line: None,
) -> tuple[list[Path], ModelFacts]:
    """Writes a model, each file whole or not at all.

    Args:
        out: ``NAME.onnx``, beside which the twin ``NAME.plain.onnx`` is written; or ``NAME.pt`` for TorchScript.
        spec: Which model; a backbone by name. Its precision is fp32 (the default) or int8; TorchScript has fp32 only.
        options: What the model takes and gives.
        photographs: As in ``export.recipes.export_backbone``.
        announce: As there.

    Returns:
        The files written, and what the model is.

    Raises:
        ImgsimError: The file's name has another ending, options do not go together, the whitening is another model's,
            or as ``export_backbone``.
        WeightsError: The weights cannot be had or do not fit.
        OSError: A file cannot be written.
    """
    precision = spec.precision or "fp32"
    if out.suffix not in (".onnx", ".pt"):
        raise ImgsimError(f"export: the file must end in .onnx or .pt (got {str(out)!r})")
    if photographs is not None and precision != "int8":
        raise ImgsimError(f"export: photographs are for int8 (got precision {precision})")
    options.check(out.suffix)
    if not out.parent.is_dir():
        raise ImgsimError(f"export: the folder must exist (got {str(out.parent)!r})")
    if out.suffix == ".pt":
        if options.pair or precision != "fp32":
            raise ImgsimError("export: a .pt file is an fp32 model of single pictures (got --pair or --precision)")
        from imgsim_ops.engines.torchscript import save
        from imgsim_ops.models.extractor import build_extractor

        return [out], save(build_extractor(spec.name, spec.weights), out)

    from imgsim_ops.export.model import embedding_model, pair_model, plain_twin
    from imgsim_ops.export.recipes import export_backbone

    fitted = None if options.fitted is None else options.fitted()
    exported = export_backbone(spec.name, spec.weights, precision, photographs, announce)
    whitening = None
    if fitted is not None:
        _check_made_by(fitted, exported.facts.fingerprint)
        whitening = fitted.whitening
    network, facts = exported.network, exported.facts.by_recipe(options.recipe, whitening)
    if options.pair:
        model = pair_model(network, facts, whitening)
    else:
        model = embedding_model(network, facts, options.layers, whitening=whitening)
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
