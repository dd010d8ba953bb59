"""Where the native libraries are. Imports no torch."""

from __future__ import annotations

from pathlib import Path

LIBRARY_DIR = Path(__file__).parent / "lib"
SUFFIXES = (".so", ".dylib", ".dll")


def find_library(name: str) -> Path | None:
    """The shared library of a CMake target, None where it was not built."""
    for suffix in SUFFIXES:
        path = LIBRARY_DIR / f"lib{name}{suffix}"
        if path.exists():
            return path
    return None


def ort_library_path() -> Path:
    """The operators for ONNX Runtime 1.17 and newer, for any program that runs our models.

    Without them such a program runs the models' function bodies, which give the same answers more slowly. Register the
    library once for each ``SessionOptions``.

    Example:
        >>> options = onnxruntime.SessionOptions()  # doctest: +SKIP
        >>> options.register_custom_ops_library(str(imgsim_ops.ort_library_path()))  # doctest: +SKIP

    Raises:
        ImportError: The package was not built.
    """
    path = find_library("imgsim_ort")
    if path is None:
        raise ImportError(
            "imgsim_ops: the operators for ONNX Runtime are not built; run `pip install -e .` in the checkout"
        )
    return path
