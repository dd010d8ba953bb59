"""The way to make an engine by name."""

from __future__ import annotations

from dataclasses import replace

from imgsim_ops.engines import ENGINES
from imgsim_ops.engines.base import Engine
from imgsim_ops.errors import ImgsimError
from imgsim_ops.model_files.cache import PRECISIONS, Announce, model_file
from imgsim_ops.models.locations import BACKBONES
from imgsim_ops.models.spec import DEFAULT_PRECISION, ModelSpec


def create_engine(
    name: str = "onnx",
    spec: ModelSpec = ModelSpec(),
    threads: int = 0,
    announce: Announce | None = None,
) -> Engine:
    """The engine called ``name``.

    Args:
        name: ``onnx`` (ONNX Runtime, needs no PyTorch once the model file is in the cache), ``torch`` (eager PyTorch)
            or ``torchscript``.
        spec: Which model. The engines of PyTorch have fp32 only, which is also their ``auto``; ``torch`` takes no file.
        threads: How many threads a forward pass may use; 0 means all processors that this process may use. PyTorch
            has one number for the whole process, which 0 leaves as it is.
        announce: As in ``model_files.cache.model_file``.

    Raises:
        ImgsimError: No engine or backbone has that name, or an option does not fit it.
        WeightsError: The weights cannot be had or do not fit.
    """
    model, precision = spec.file, spec.precision or DEFAULT_PRECISION
    if name not in ENGINES:
        raise ImgsimError(f"engine: must be one of {', '.join(ENGINES)} (got {name!r})")
    if threads < 0:
        raise ImgsimError(f"engine: threads must be 0 or more (got {threads})")
    if precision not in PRECISIONS:
        raise ImgsimError(f"engine: precision must be one of {', '.join(PRECISIONS)} (got {precision!r})")
    if model is not None and spec.model is None and name != "onnx":
        raise ImgsimError(f"engine: a model file as the backbone needs the engine onnx (got {name})")
    if model is None and spec.name not in BACKBONES:
        raise ImgsimError(
            f"backbone: must be one of {', '.join(BACKBONES)}, the folder of a trained encoder or an .onnx file (got "
            f"{str(spec.name)!r})"
        )
    if model is not None and spec.weights is not None:
        raise ImgsimError(f"engine: a model file has its own weights (got weights {str(spec.weights)!r} too)")
    if model is not None and precision != DEFAULT_PRECISION:
        raise ImgsimError(f"engine: a model file has its own precision (got precision {precision} too)")
    if name == "onnx":
        from imgsim_ops.engines.onnx import CPU_ONLY, OnnxEngine, providers

        if model is not None:
            return OnnxEngine(model, threads)
        if precision == "auto" and providers() != CPU_ONLY:  # a GPU has no use for QDQ nodes
            precision = "fp32"
        return OnnxEngine(model_file(replace(spec, precision=precision), announce).path, threads)
    if precision == "int8":
        raise ImgsimError(f"engine: int8 needs the engine onnx (got {name})")
    if name == "torchscript":
        from imgsim_ops.engines.torchscript import TorchScriptEngine

        if model is None:
            return TorchScriptEngine.build(spec.name, spec.weights, threads)
        return TorchScriptEngine.load(model, threads)
    if model is not None:
        raise ImgsimError(f"engine: torch takes a backbone and weights, no model file (got {str(model)!r})")
    from imgsim_ops.engines.torch_eager import TorchEagerEngine

    return TorchEagerEngine(spec.name, spec.weights, threads)
