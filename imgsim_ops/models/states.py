"""The values of a backbone's weights file, as NumPy arrays. No torch in this file."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from imgsim_ops.errors import WeightsError
from imgsim_ops.models.locations import existing_file
from imgsim_ops.models.plans import PLANS
from imgsim_ops.models.tensor_files import BROKEN, read_tensors


def state_of_file(name: str, path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """What a weights file holds for a backbone.

    Args:
        name: The backbone.
        path: A state dict that ``torch.save`` wrote, of any type of numbers.

    Returns:
        Exactly the values of `Plan.shapes`, float32, by our names.

    Raises:
        WeightsError: No such file, it holds anything but a dictionary of tensors, or they do not fit.
    """
    path = existing_file(path)
    given = {}
    for key, value in _read(path).items():
        ours = _our_name(name, key)
        if ours is not None:
            given[ours] = value
    wanted = PLANS[name].shapes()
    problems = [f"no {key}" for key in wanted if key not in given]
    problems += [f"unknown {key}" for key in given if key not in wanted]
    problems += [
        f"{key} of shape {given[key].shape}, not {shape}"
        for key, shape in wanted.items()
        if key in given and given[key].shape != shape
    ]
    if problems:
        more = f" and {len(problems) - 1} more such" if len(problems) > 1 else ""
        raise WeightsError(f"weights: must be a state dict of {name} (got {problems[0]}{more})")
    return {key: np.ascontiguousarray(given[key], np.float32) for key in wanted}


def digest_of_values(values: Mapping[str, np.ndarray]) -> str:
    """The first 12 hexadecimal digits of the SHA-256 of named values: their bytes, names and shapes."""
    digest = hashlib.sha256()
    for name in sorted(values):
        digest.update(f"{name}{values[name].shape}".encode())
        digest.update(np.ascontiguousarray(values[name]).tobytes())
    return digest.hexdigest()[:12]


def _read(path: Path) -> dict[str, np.ndarray]:
    try:
        state = read_tensors(path)
    except (OSError, *BROKEN) as error:
        raise WeightsError(
            f"weights: must be a file of tensors that loads with weights_only=True (got {str(path)!r}: "
            f"{type(error).__name__})"
        ) from error
    if not isinstance(state, dict) or not all(
        isinstance(key, str) and isinstance(value, np.ndarray) for key, value in state.items()
    ):
        raise WeightsError(
            f"weights: must be a state dict, names to tensors (got {type(state).__name__} in {str(path)!r})"
        )
    return state


def _our_name(name: str, key: str) -> str | None:
    """Our name of a value that weights files call ``key``; None for a classifier's and counts of batches."""
    if name == "efficientnet_lite0":  # the checkpoint has ``_blocks.0._bn1.weight``
        key = ".".join(part.removeprefix("_") for part in key.split("."))
    return None if key.startswith("fc.") or key.endswith("num_batches_tracked") else key
