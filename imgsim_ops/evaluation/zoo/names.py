"""Which models are compared, by their names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from imgsim_ops.errors import ImgsimError, nearest
from imgsim_ops.evaluation.zoo.candidates import Candidate
from imgsim_ops.evaluation.zoo.own_models import OWN_NAMES, OwnModel
from imgsim_ops.evaluation.zoo.torchvision_models import TorchvisionModel, classification_names, weights_versions

#: What is compared where no models are named.
DEFAULT = (
    "alexnet",
    *("convnext_small", "convnext_tiny"),
    *("densenet121", "densenet161", "densenet169", "densenet201"),
    *("efficientnet_b0", "efficientnet_b1", "efficientnet_b2", "efficientnet_b3", "efficientnet_b4", "efficientnet_b5"),
    "efficientnet_v2_s",
    "googlenet",
    *("mnasnet0_5", "mnasnet0_75", "mnasnet1_0", "mnasnet1_3"),
    *("mobilenet_v2", "mobilenet_v3_large", "mobilenet_v3_small"),
    *("regnet_x_400mf", "regnet_x_800mf", "regnet_x_1_6gf", "regnet_x_3_2gf"),
    *("regnet_x_16gf:IMAGENET1K_V1", "regnet_x_16gf:IMAGENET1K_V2"),
    *("regnet_y_400mf", "regnet_y_800mf", "regnet_y_8gf"),
    *("resnet18", "resnet34", "resnet50:IMAGENET1K_V1", "resnet50:IMAGENET1K_V2", "resnet101"),
    *("resnext50_32x4d", "wide_resnet50_2"),
    *("shufflenet_v2_x0_5", "shufflenet_v2_x1_0", "shufflenet_v2_x1_5", "shufflenet_v2_x2_0"),
    *("squeezenet1_0", "squeezenet1_1"),
    *("swin_s", "swin_t", "swin_v2_s", "swin_v2_t"),
    *("vgg11_bn", "vgg16"),
)

#: Words for several models.
_WORDS = {"default": lambda: DEFAULT, "all": classification_names}


def find_candidates(names: Iterable[str] = ()) -> list[Candidate]:
    """The models of these names, each once.

    Args:
        names: Names, or several separated by commas: of torchvision's classification models, with ``:`` and a version
            of the weights where another than the best is meant, in full or without ``IMAGENET1K_``; ``imgsim:`` and a
            backbone; ``default`` or ``all`` for many. None: ``default``.

    Raises:
        ImgsimError: There is no such model or version of its weights; says which are named nearly so.
    """
    wanted = [name.strip().lower() for text in names for name in text.split(",") if name.strip()] or ["default"]
    found = {candidate.label: candidate for candidate in map(_candidate, _spelt_out(wanted))}
    return list(found.values())


def _spelt_out(names: Iterable[str]) -> Iterator[str]:
    for name in names:
        yield from _WORDS[name]() if name in _WORDS else (name,)


def _candidate(text: str) -> Candidate:
    if text in OWN_NAMES:
        return OwnModel(text)
    name, _, version = text.partition(":")
    known = classification_names()
    if name not in known or text.startswith("imgsim:"):
        raise ImgsimError(
            f"zoo: --models must be classification models of torchvision, or {' or '.join(OWN_NAMES)} (got {text!r})"
            + nearest(text, [*known, *OWN_NAMES, *_WORDS])
        )
    if not version:
        return TorchvisionModel(name)
    versions = {found.name: found for found in weights_versions(name)}
    for full, found in versions.items():
        if version.upper() in (full, full.removeprefix("IMAGENET1K_")):
            return TorchvisionModel(name, found)
    raise ImgsimError(f"zoo: weights of {name} must be {' or '.join(versions)} (got {version!r})")
