"""The exported model in ONNX Runtime: the default engine, which needs no PyTorch."""

from __future__ import annotations

import ctypes
import io
import os
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path
from weakref import WeakSet

import numpy as np
import onnxruntime

from imgsim_ops import kernels
from imgsim_ops.engines.base import checked_pixels
from imgsim_ops.errors import ImgsimError
from imgsim_ops.libraries import ort_library_path
from imgsim_ops.models.facts import ModelFacts, not_a_model

CPU_ONLY = ["CPUExecutionProvider"]
# What fails raises an exception too, so that the log would only say it twice.
_FATAL_ONLY = 4

# The driver's own marks, looked at in place of asking ONNX Runtime, which prints what it does not find.
_GPU_MARKS = {
    "linux": ("/dev/nvidiactl", "/dev/dxg"),
    "win32": (r"C:\Windows\System32\nvcuda.dll",),
}


class OnnxEngine:
    """Runs an exported model; see ``engines.base.Engine``.

    A child by fork loads the model anew when it first needs it; where the model is on a GPU it cannot.

    Attributes:
        has_gem: Whether the model can do `embed_with_gem`.
    """

    def __init__(self, model: str | os.PathLike[str] | bytes, threads: int = 0) -> None:
        """Loads a model that ``imgsim export`` wrote.

        Args:
            model: The file, or what is in it.
            threads: How many threads a forward pass may use; 0 means all processors that this process may use.

        Raises:
            ImgsimError: No such file, no exported model, or one made for another preprocessing.
        """
        self._model, self._threads = model, threads
        self._many_at_once: OnnxEngine | None = None
        name = "bytes" if isinstance(model, bytes) else str(model)
        session, facts = _loaded(model, threads)
        inputs = [given.name for given in session.get_inputs()]
        if inputs != ["pixels"]:
            raise ImgsimError(f"model: must take single pictures (got a model of {', '.join(inputs)} in {name!r})")
        self.fingerprint, self.dimension, self._channels = facts.fingerprint, facts.dimension, facts.channels
        self._outputs = [output.name for output in session.get_outputs()]
        self.has_gem = not self._channels or self._outputs[-1] == "gem"
        self._on_gpu = session.get_providers() != CPU_ONLY
        # None in a child by fork, which has none of the threads of its parent's session, until it loads its own.
        self._session: onnxruntime.InferenceSession | None = session
        _engines.add(self)

    def many_at_once(self) -> OnnxEngine | None:
        """See ``engines.base.Engine.many_at_once``; None on a GPU."""
        if self._on_gpu:
            return None
        if self._many_at_once is None:  # a second session, which is loaded once
            self._many_at_once = self if self._threads == 1 else OnnxEngine(self._model, 1)
        return self._many_at_once

    def embed(self, pixels: np.ndarray) -> np.ndarray:
        """See ``engines.base.Engine.embed``."""
        return self._run(pixels)[0]

    def embed_with_gem(self, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The embeddings, and the generalised means (GeM, p = 3) of the last tap.

        Args:
            pixels: As in ``embed``.

        Returns:
            What ``embed`` returns, and float32 (N, C_4). A network without taps, as an encoder that was trained here,
            has its embedding only, which then stands for both.

        Raises:
            ImgsimError: As ``embed``, and where the model has no such output: those in the cache have.
        """
        if not self.has_gem:
            raise ImgsimError("model: must have the output gem for this (got a model that was exported without)")
        found = self._run(pixels)
        return found[0], found[-1]

    def embed_with_layers(self, pixels: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
        """See ``engines.base.Engine.embed_with_layers``."""
        vectors, *layers = self._run(pixels)
        return vectors, layers[: len(self._channels)]

    def _run(self, pixels: np.ndarray) -> list[np.ndarray]:
        pixels = checked_pixels(pixels)
        if not len(pixels):  # not every convolution of ONNX Runtime takes an empty batch
            widths = (self.dimension, *self._channels, *self._channels[-1:])[: len(self._outputs)]
            return [np.empty((0, width), np.float32) for width in widths]
        session = self._session or self._loaded_again()
        return session.run(None, {"pixels": pixels})

    def _loaded_again(self) -> onnxruntime.InferenceSession:
        """A session of this process, which a fork has made since the model was loaded."""
        if self._on_gpu:
            raise ImgsimError("engine: a GPU is lost to a child by fork (got one); start processes by spawn")
        session, facts = _loaded(self._model, self._threads)
        if facts.fingerprint != self.fingerprint:
            raise ImgsimError(f"engine: the model file must stay as it is (got {facts.fingerprint})")
        self._session = session  # of threads that load one each at the same time the last one's stays
        return session

    def _forked(self) -> None:
        """Leaves the parent's session alone: its threads are not here, and its end would wait for them for ever."""
        if self._session is not None:
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._session))
            self._session = None


_engines: WeakSet[OnnxEngine] = WeakSet()


def _forked() -> None:
    for engine in list(_engines):
        engine._forked()


if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
    os.register_at_fork(after_in_child=_forked)


def _loaded(model: str | os.PathLike[str] | bytes, threads: int) -> tuple[onnxruntime.InferenceSession, ModelFacts]:
    """A session for a model, and what it is; errors as of `OnnxEngine`."""
    name = "bytes" if isinstance(model, bytes) else str(model)
    if not isinstance(model, bytes) and not Path(model).is_file():
        raise ImgsimError(f"model: no such file (got {name!r})")
    try:
        session = _session(model if isinstance(model, bytes) else name, threads)
    # ONNX Runtime has a class of its own for each of its status codes, with no base but Exception.
    except Exception as error:
        if type(error).__module__.startswith("onnxruntime"):
            raise not_a_model(name) from error
        raise
    return session, ModelFacts.from_texts(session.get_modelmeta().custom_metadata_map, name)


def _session(model: str | bytes, threads: int) -> onnxruntime.InferenceSession:
    chosen = providers()
    if chosen != CPU_ONLY:
        with redirect_stdout(io.StringIO()):  # both print what they do not find
            onnxruntime.preload_dlls()
            session = _created(model, threads, chosen)
        if session.get_providers()[0] == chosen[0]:
            return session
    return _created(model, threads, CPU_ONLY)  # also where there is a GPU, but no driver or library for it


def _created(model: str | bytes, threads: int, chosen: Sequence[str]) -> onnxruntime.InferenceSession:
    options = session_options(threads)
    if chosen == CPU_ONLY:  # on a GPU the functions' bodies run there, our kernels would not
        options.register_custom_ops_library(str(ort_library_path()))
    return onnxruntime.InferenceSession(model, options, providers=chosen)


def session_options(threads: int) -> onnxruntime.SessionOptions:
    """Options for any session: silent, with so many threads (0: all processors that this process may use)."""
    onnxruntime.set_default_logger_severity(_FATAL_ONLY)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _FATAL_ONLY
    # A number of our own, also for "all": ONNX Runtime's would count processors that this process may not use.
    # Bounded, because it starts them all, spinning: thousands on a few processors would never finish.
    processors = kernels.build_info()["threads"]
    options.intra_op_num_threads = min(threads or processors, 4 * processors)
    # Its threads spin while they wait for the next node, but leave the processors to others between two calls.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    return options


def providers() -> list[str]:
    """ONNX Runtime's names of where a model runs: CUDA first, where it was built for that and there is a GPU."""
    marks = _GPU_MARKS.get(sys.platform, ())
    if "CUDAExecutionProvider" in onnxruntime.get_available_providers() and any(map(os.path.exists, marks)):
        return ["CUDAExecutionProvider", *CPU_ONLY]
    return CPU_ONLY
