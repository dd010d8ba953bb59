"""The way to make an engine by name."""

from __future__ import annotations

import os

from imgsim_ops.engines.base import Engine
from imgsim_ops.errors import ImgsimError

ENGINES = ("torch", "torchscript")


def create_engine(
    name: str = "torch",
    *,
    backbone: str = "resnet18",
    weights: str | os.PathLike[str] | None = None,
    model: str | os.PathLike[str] | None = None,
    threads: int = 0,
) -> Engine:
    """The engine called ``name``.

    Args:
        name: ``torch`` (eager PyTorch) or ``torchscript``.
        backbone: As in ``imgsim_ops.models.extractor.build_extractor``.
        weights: As there.
        model: A file that ``export/resnet18_multiscale.py`` wrote, in place of a backbone and weights; for
            ``torchscript`` only.
        threads: How many threads a forward pass may use; 0 leaves PyTorch's number as it is. PyTorch has one
            number for the whole process.

    Raises:
        ImgsimError: No engine or backbone has that name, or an option does not fit it.
        WeightsError: The weights cannot be had or do not fit.
    """
    if name not in ENGINES:
        raise ImgsimError(f"engine: must be one of {', '.join(ENGINES)} (got {name!r})")
    if threads < 0:
        raise ImgsimError(f"engine: threads must be 0 or more (got {threads})")
    if name == "torchscript":
        from imgsim_ops.engines.torchscript import TorchScriptEngine

        if model is None:
            return TorchScriptEngine.build(backbone, weights, threads)
        if weights is not None:
            raise ImgsimError(f"engine: a model file has its own weights (got weights {str(weights)!r} too)")
        return TorchScriptEngine.load(model, threads)
    if model is not None:
        raise ImgsimError(f"engine: torch takes a backbone and weights, no model file (got {str(model)!r})")
    from imgsim_ops.engines.torch_eager import TorchEagerEngine

    return TorchEagerEngine(backbone, weights, threads)
