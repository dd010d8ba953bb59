"""A trained encoder as a model file that engines load as they load an exported backbone."""

from __future__ import annotations

from collections.abc import Mapping

import onnx
import torch

from imgsim_ops.evaluation.training.encoders import Encoder, Served
from imgsim_ops.export.graph import PIXELS
from imgsim_ops.export.model import EMBEDDING, finished
from imgsim_ops.export.network import export_network
from imgsim_ops.images.preprocess import CROP, PREPROCESSING_VERSION
from imgsim_ops.models.facts import ModelFacts
from imgsim_ops.models.weights import weights_digest
from imgsim_ops.recipes.fingerprint import Fingerprint


def encoder_fingerprint(kind: str, encoder: Encoder) -> Fingerprint:
    """What the vectors of an encoder carry; `kind` stands in it for the backbone."""
    return Fingerprint(kind, weights_digest(encoder), "fp32", PREPROCESSING_VERSION)


def encoder_model(kind: str, encoder: Encoder, trained_on: Mapping[str, object]) -> onnx.ModelProto:
    """An encoder as a model from ``pixels``, uint8 (N, 224, 224, 3), to ``embedding``, float32 (N, dimension).

    Args:
        kind: How it was trained.
        encoder: On the CPU, in eval mode.
        trained_on: What it has seen, as JSON can say it; part of the file's metadata.
    """
    facts = ModelFacts(encoder_fingerprint(kind, encoder), encoder.dimension, channels=(), trained_on=trained_on)
    example = torch.zeros(2, CROP, CROP, 3, dtype=torch.uint8)
    return finished(export_network(Served(encoder), example, PIXELS, [EMBEDDING]), [], facts)
