"""The extractor as a TorchScript module: what the C++ program runs."""

from __future__ import annotations

import io
import json
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch

import imgsim_ops.ops  # noqa: F401  (registers the operators that a scripted module calls)
from imgsim_ops.engines.base import checked_pixels
from imgsim_ops.errors import ImgsimError
from imgsim_ops.files.writing import write_file
from imgsim_ops.models.extractor import MultiScaleExtractor, build_extractor
from imgsim_ops.models.facts import ModelFacts, not_a_model

# The member of a .pt file that says what the model is.
METADATA = "imgsim.json"


class TorchScriptEngine:
    """Runs the scripted extractor; see ``engines.base.Engine``. Made by ``build`` or ``load``."""

    has_gem = False

    def __init__(self, module: torch.jit.ScriptModule, facts: ModelFacts, threads: int = 0) -> None:
        if threads:
            torch.set_num_threads(threads)
        self._module = module
        self.fingerprint, self.dimension = facts.fingerprint, facts.dimension

    @classmethod
    def build(
        cls, backbone: str = "resnet18", weights: str | os.PathLike[str] | None = None, threads: int = 0
    ) -> TorchScriptEngine:
        """Scripts the extractor of a backbone; see ``models.extractor.build_extractor``."""
        extractor = build_extractor(backbone, weights)
        return cls(script(extractor), extractor.facts(), threads)

    @classmethod
    def load(cls, path: str | os.PathLike[str], threads: int = 0) -> TorchScriptEngine:
        """Loads what ``save`` wrote.

        Raises:
            ImgsimError: No such file, no exported model, or one made for another preprocessing.
        """
        if not Path(path).is_file():
            raise ImgsimError(f"model: no such file (got {str(path)!r})")
        extra = {METADATA: b""}
        try:
            with _torchscript_is_deprecated():
                module = torch.jit.load(path, map_location="cpu", _extra_files=extra)
            found = json.loads(extra[METADATA])
        # RuntimeError: no TorchScript; ValueError: TorchScript without our metadata, or a path that is no
        # text.
        except (RuntimeError, ValueError) as error:
            raise not_a_model(path) from error
        return cls(module.eval(), ModelFacts.from_json(found, path), threads)

    def many_at_once(self) -> None:
        """See ``engines.base.Engine.many_at_once``: PyTorch has one pool of threads for the whole process."""

    @torch.inference_mode()
    def embed(self, pixels: np.ndarray) -> np.ndarray:
        """See ``engines.base.Engine.embed``."""
        return self._module(torch.from_numpy(checked_pixels(pixels))).numpy()

    @torch.inference_mode()
    def embed_with_layers(self, pixels: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
        """See ``engines.base.Engine.embed_with_layers``."""
        vectors, layers = self._module.with_layers(torch.from_numpy(checked_pixels(pixels)))
        return vectors.numpy(), [layer.numpy() for layer in layers]


def script(extractor: MultiScaleExtractor) -> torch.jit.ScriptModule:
    """The extractor as a TorchScript module with the methods ``forward`` and ``with_layers``."""
    with _torchscript_is_deprecated():
        return torch.jit.script(extractor)


def save(extractor: MultiScaleExtractor, path: str | os.PathLike[str]) -> ModelFacts:
    """Scripts the extractor and writes it, with its metadata, to ``path``, whole or not at all.

    Not frozen: the batch norms are folded already, so freezing gains nothing measurable, and parameters that
    became constants could not follow the module to another device.

    Returns:
        What stands in it as metadata.

    Raises:
        OSError: ``path`` cannot be written.
    """
    module, facts = script(extractor), extractor.facts()
    content = io.BytesIO()
    with _torchscript_is_deprecated():
        torch.jit.save(module, content, _extra_files={METADATA: json.dumps(facts.as_json(), indent=2)})
    write_file(Path(path), content.getvalue())
    return facts


@contextmanager
def _torchscript_is_deprecated() -> Iterator[None]:
    """PyTorch 2.14 warns at each use of TorchScript that it is deprecated.

    It is also the only form that a C++ program loads from one file on any machine, so we know, and the user
    need not.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"`torch\.jit\.\w+` is deprecated", category=FutureWarning)
        warnings.filterwarnings("ignore", r"`torch\.jit\.\w+` is deprecated", category=DeprecationWarning)
        yield
