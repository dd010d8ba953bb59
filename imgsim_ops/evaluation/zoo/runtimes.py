"""A network with the runtime that was asked for."""

from __future__ import annotations

import io
import tempfile
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from imgsim_ops.errors import ImgsimError
from imgsim_ops.evaluation.zoo.candidates import Embed, Runtime

if TYPE_CHECKING:
    import onnxruntime


def run_network(
    network: nn.Module, shape: tuple[int, ...], runtime: Runtime, dtype: torch.dtype = torch.float32
) -> Embed:
    """A network as a function of one picture.

    Args:
        network: From (N, *shape) to (N, D), in eval mode, on the CPU.
        shape: Of a prepared picture.
        runtime: What runs it, and where.
        dtype: Of a prepared picture.
    """
    if runtime.engine == "onnx":
        return _in_onnx_runtime(network, shape, runtime, dtype)
    if runtime.threads:
        torch.set_num_threads(runtime.threads)
    network.to(runtime.device)

    @torch.inference_mode()
    def embed(picture: np.ndarray) -> np.ndarray:
        return network(torch.from_numpy(picture).to(runtime.device))[0].cpu().numpy()

    return embed


def _in_onnx_runtime(network: nn.Module, shape: tuple[int, ...], runtime: Runtime, dtype: torch.dtype) -> Embed:
    from imgsim_ops.export.apart import save_apart
    from imgsim_ops.export.network import export_network

    model = export_network(network, torch.zeros(2, *shape, dtype=dtype), "picture", ["embedding"])
    with tempfile.TemporaryDirectory(prefix="imgsim-zoo-") as folder:
        path = Path(folder) / "model.onnx"
        save_apart(model, path, "values")
        del model
        session = _session(path, runtime)

    def embed(picture: np.ndarray) -> np.ndarray:
        return session.run(None, {"picture": picture})[0][0]

    return embed


def _session(path: Path, runtime: Runtime) -> onnxruntime.InferenceSession:
    import onnxruntime

    from imgsim_ops.engines.onnx import CPU_ONLY, session_options

    options = session_options(runtime.threads)
    if runtime.device == "cpu":
        return onnxruntime.InferenceSession(path, options, providers=CPU_ONLY)
    with redirect_stdout(io.StringIO()):  # it prints what it does not find
        onnxruntime.preload_dlls()
    cuda = ("CUDAExecutionProvider", {"device_id": runtime.cuda_number})
    session = onnxruntime.InferenceSession(path, options, providers=[cuda, *CPU_ONLY])
    if session.get_providers() == CPU_ONLY:  # without a word, where a library of CUDA's is missing
        raise ImgsimError(f"ONNX Runtime cannot use {runtime.device}")
    return session
