"""Which model makes the vectors. No torch in this file."""

from __future__ import annotations

import os
from dataclasses import dataclass, fields, replace
from typing import Any

from imgsim_ops.models.locations import model_named

DEFAULT_BACKBONE = "resnet18"
DEFAULT_PRECISION = "auto"


@dataclass(frozen=True)
class ModelSpec:
    """Which model makes the vectors; what is None was not asked for.

    Attributes:
        backbone: ``resnet18`` (the default), ``efficientnet_lite0``, the folder of an encoder that ``imgsim methods
            train`` trained, or an ``.onnx`` file that imgsim wrote.
        weights: A file, or ``random:SEED``; see ``models.weights.load_backbone``.
        precision: ``fp32``; ``int8``; or ``auto`` (the default), int8 where it is fast here and was measured to be as
            good.
        model: A file that ``imgsim export`` wrote, in place of the other three.
    """

    backbone: str | None = None
    weights: str | os.PathLike[str] | None = None
    precision: str | None = None
    model: str | os.PathLike[str] | None = None

    @classmethod
    def of(cls, model: ModelSpec | str | None) -> ModelSpec:
        """A specification as it is, or that of a backbone."""
        return model if isinstance(model, ModelSpec) else cls(model)

    @property
    def name(self) -> str:
        """The backbone, or the default one."""
        return DEFAULT_BACKBONE if self.backbone is None else self.backbone

    @property
    def file(self) -> str | os.PathLike[str] | None:
        """The model file that is meant, by `model` or as the backbone; None for a backbone with weights."""
        return model_named(self.name) if self.model is None else self.model

    @property
    def asked(self) -> dict[str, Any]:
        """What was asked for, by name."""
        given = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in given.items() if value is not None}

    def over(self, other: ModelSpec) -> ModelSpec:
        """The other specification, with what was asked for here in its place."""
        return replace(other, **self.asked)
