"""From a backbone's name to ONNX models: the one implementation behind ``imgsim export``, the script and the cache."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import onnx

from imgsim_ops.engines.onnx import OnnxEngine
from imgsim_ops.errors import ImgsimError, WeightsError
from imgsim_ops.export.gate import measure_gate
from imgsim_ops.export.graph import float_network
from imgsim_ops.export.int8 import int8_network
from imgsim_ops.export.model import embedding_model
from imgsim_ops.images.preprocess import PREPROCESSING_VERSION, load_pixels
from imgsim_ops.models.facts import ModelFacts
from imgsim_ops.models.locations import no_package, weights_source
from imgsim_ops.models.plans import PLANS
from imgsim_ops.models.states import digest_of_values, state_of_file
from imgsim_ops.quality.photographs import CALIBRATION, EVALUATION, find_photographs
from imgsim_ops.recipes.fingerprint import Fingerprint

_BATCH = 16


@dataclass(frozen=True)
class Exported:
    """A backbone as an ONNX network; ``export.model`` makes whole models of it.

    Attributes:
        network: From ``pixels`` to the four taps.
        facts: What the model is; for int8 with the gate that was measured.
    """

    network: onnx.ModelProto
    facts: ModelFacts


def export_backbone(
    backbone: str = "resnet18",
    weights: str | os.PathLike[str] | None = None,
    precision: str = "fp32",
    photographs: Sequence[Path] | None = None,
    announce: Callable[[str], None] = lambda line: None,
) -> Exported:
    """A backbone with its weights as an ONNX network.

    Args:
        backbone: As in ``imgsim_ops.models.weights.load_backbone``.
        weights: As there.
        precision: ``fp32`` or ``int8``.
        photographs: For int8: at least two pictures, of which every other one sets the ranges of the quantisation, and
            the rest measure what it costs. Default: scikit-image's.
        announce: Called with one line before each step that takes seconds.

    Raises:
        ImgsimError: No backbone or precision has that name, or there are no photographs.
        WeightsError: The weights cannot be had or do not fit.
        ImageError: A photograph cannot be read.
    """
    if precision not in ("fp32", "int8"):
        raise ImgsimError(f"export: precision must be fp32 or int8 (got {precision!r})")
    if precision == "int8":
        calibration, evaluation = _split(photographs)
    announce(f"Exporting {backbone}")
    state, plan = _state(backbone, weights), PLANS[backbone]
    fingerprint = Fingerprint(backbone, digest_of_values(state), "fp32", PREPROCESSING_VERSION)
    exact = Exported(float_network(plan, state), ModelFacts(fingerprint, plan.channels[-1], plan.channels))
    if precision == "fp32":
        return exact

    pixels = calibration_pixels(calibration)
    announce(f"Quantising {backbone} on {len(pixels)} photographs")
    network = int8_network(plan, state, pixels)
    # Other photographs give other ranges, hence other vectors: the name says so.
    name = "int8" + hashlib.sha256(pixels.tobytes()).hexdigest()[:6]
    facts = replace(exact.facts, fingerprint=replace(fingerprint, precision=name))
    announce(f"Measuring what it costs on {len(evaluation)} other photographs and copies of them")
    gate = measure_gate(_embed(exact.network, exact.facts), _embed(network, facts), evaluation, pixels)
    return Exported(network, replace(facts, gate={**asdict(gate), "holds": gate.holds}))


def calibration_pixels(photographs: Sequence[Path] | None = None) -> np.ndarray:
    """Photographs, by default scikit-image's, as uint8 (N, 224, 224, 3), for setting the ranges of a quantisation."""
    paths = find_photographs(CALIBRATION) if photographs is None else photographs
    return np.stack([load_pixels(path) for path in paths])


def _split(photographs: Sequence[Path] | None) -> tuple[Sequence[Path], Sequence[Path]]:
    if photographs is None:
        return find_photographs(CALIBRATION), find_photographs(EVALUATION)
    if len(photographs) < 2:
        raise ImgsimError(f"export: int8 needs at least two photographs (got {len(photographs)})")
    return photographs[::2], photographs[1::2]


def _state(backbone: str, weights: str | os.PathLike[str] | None) -> dict[str, np.ndarray]:
    """The values of a backbone; of a file without PyTorch, which draws random ones and downloads."""
    source = weights_source(backbone, weights)
    if isinstance(source, Path):
        return state_of_file(backbone, source)
    if source is None and backbone == "efficientnet_lite0":
        raise no_package(backbone)
    try:
        from imgsim_ops.models.weights import load_backbone, values_of
    except ModuleNotFoundError as error:
        what = f"a download of {backbone}'s" if source is None else "random ones"
        raise WeightsError(
            f"weights: must be a file where there is no PyTorch for {what} (got no module {error.name}); give "
            "--weights FILE, or run pip install torch torchvision"
        ) from error
    return values_of(load_backbone(backbone, weights))


def _embed(network: onnx.ModelProto, facts: ModelFacts) -> Callable[[np.ndarray], np.ndarray]:
    engine = OnnxEngine(embedding_model(network, facts).SerializeToString())

    def embed_all(pixels: np.ndarray) -> np.ndarray:
        return np.concatenate([engine.embed(pixels[i : i + _BATCH]) for i in range(0, len(pixels), _BATCH)])

    return embed_all
