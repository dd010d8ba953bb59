"""What a model file says of itself, as its exporters write it and its readers check it. No torch in this file."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace

from imgsim_ops.errors import ImgsimError
from imgsim_ops.images.preprocess import CROP, PREPROCESSING_VERSION, RESIZE
from imgsim_ops.recipes.fingerprint import Fingerprint
from imgsim_ops.recipes.whitening import Whitening

# What every file has, and what only some have, by the types of JSON.
_NEEDED = {"fingerprint": str, "dimension": int, "channels": list, "preprocessing_version": int}
_OPTIONAL = {"gate": dict, "trained_on": dict}


@dataclass(frozen=True)
class ModelFacts:
    """What a program that loads a model has to know about it.

    Attributes:
        fingerprint: What its vectors carry.
        dimension: Values in an embedding.
        channels: Values in the average-pooled vector of each of the four taps, fine to coarse; an encoder that was
            trained here has no taps.
        gate: Of int8: what it costs, an ``export.gate.Gate`` and whether it ``holds``, as JSON can say it.
        trained_on: Of an encoder that was trained here: what it has seen, likewise. How it was trained stands in the
            fingerprint for the backbone.
    """

    fingerprint: Fingerprint
    dimension: int
    channels: tuple[int, ...]
    gate: Mapping[str, object] | None = None
    trained_on: Mapping[str, object] | None = None

    def by_recipe(self, recipe: str = "mean", whitening: Whitening | None = None) -> ModelFacts:
        """What a model of the same network is whose vectors are made by a recipe, of one that computes ``mean``.

        Args:
            recipe: One that makes one vector of each picture.
            whitening: For ``whitened``.
        """
        if recipe == "mean":
            return self
        part = recipe if whitening is None else recipe + whitening.digest
        width = self.channels[-1] if whitening is None else whitening.matrix.shape[1]
        return replace(self, fingerprint=replace(self.fingerprint, recipe=part), dimension=width)

    def as_json(self) -> dict[str, object]:
        """A document that `from_json` reads; imgsim_app reads it too, of a TorchScript file."""
        made_by = self.fingerprint
        document: dict[str, object] = {
            "fingerprint": str(made_by),
            "backbone": made_by.backbone,
            "weights": made_by.weights,
            "precision": made_by.precision,
            "preprocessing_version": made_by.preprocessing,
            "dimension": self.dimension,
            "channels": list(self.channels),
            "resize": RESIZE,
            "crop": CROP,
        }
        if self.gate is not None:
            document["gate"] = dict(self.gate)
        if made_by.recipe is not None:
            document["recipe"] = made_by.recipe
        if self.trained_on is not None:
            document |= {"kind": made_by.backbone, "trained_on": dict(self.trained_on)}
        return document

    @classmethod
    def from_json(cls, document: object, path: str | os.PathLike[str]) -> ModelFacts:
        """Reads what `as_json` made.

        Args:
            document: What stands in a file, whatever it is.
            path: How an error calls the file.

        Raises:
            ImgsimError: Something is missing or contradicts itself, or the model was made for another preprocessing.
        """
        if not isinstance(document, Mapping):
            raise not_a_model(path)
        needed = all(isinstance(document.get(name), kind) for name, kind in _NEEDED.items())
        if not needed or not all(isinstance(document.get(name, {}), kind) for name, kind in _OPTIONAL.items()):
            raise not_a_model(path)
        if document["preprocessing_version"] != PREPROCESSING_VERSION:
            raise ImgsimError(
                f"model: must be exported for preprocessing version {PREPROCESSING_VERSION} "
                f"(got version {document['preprocessing_version']} in {str(path)!r})"
            )
        fingerprint = Fingerprint.parse(document["fingerprint"])
        if fingerprint.recipe != document.get("recipe"):
            raise not_a_model(path)
        channels, optional = tuple(document["channels"]), (document.get(name) for name in _OPTIONAL)
        return cls(fingerprint, document["dimension"], channels, *optional)

    def as_texts(self) -> dict[str, str]:
        """The same for the metadata of an ONNX file, where a value is text: what is none is written as JSON."""
        return {name: value if isinstance(value, str) else json.dumps(value) for name, value in self.as_json().items()}

    @classmethod
    def from_texts(cls, texts: Mapping[str, str], path: str | os.PathLike[str]) -> ModelFacts:
        """Reads what `as_texts` made; arguments and errors as of `from_json`."""
        return cls.from_json({name: _value(text) for name, text in texts.items()}, path)


def not_a_model(path: str | os.PathLike[str]) -> ImgsimError:
    """The error for a file that no export of ours wrote."""
    return ImgsimError(f"model: must be a file that imgsim export wrote (got {str(path)!r})")


def _value(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return text
