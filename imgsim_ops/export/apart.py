"""Model files whose values lie in a file beside them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import onnx

# Tensors of fewer bytes stay in the model file.
_WEIGHTS = 1024


def save_apart(model: onnx.ModelProto, path: Path, values: str) -> None:
    """Writes a model as two files, so that it may have more than 2 GB, and that values can be mapped into memory.

    ``onnx.save_model`` could do that, but would first ask the machine for its network address, to make up a name.

    Args:
        model: The model; its tensors say afterwards where they are.
        path: The model file.
        values: The name of the file for values, in the same folder.

    Raises:
        OSError: The folder or the disk refuses.
    """
    import onnx.external_data_helper

    for tensor in model.graph.initializer:
        if len(tensor.raw_data) >= _WEIGHTS:
            onnx.external_data_helper.set_external_data(tensor, values)
    onnx.save_model(model, path)
