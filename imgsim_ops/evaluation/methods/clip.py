"""CLIP by open_clip: its image embedding, and that joined with a text embedding."""

from __future__ import annotations

import logging
import pickle
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from imgsim_ops.errors import ImgsimError, WeightsError, nearest
from imgsim_ops.evaluation.judging import VectorMethod
from imgsim_ops.evaluation.labelled import INSTALL
from imgsim_ops.models.locations import random_seed

#: What open_clip calls a small model that is well trained, and its weights.
MODEL = "ViT-B-32"
WEIGHTS = "laion2b_s34b_b79k"
#: What a class is called in a prompt (Radford et al. 2021, "Learning transferable visual models from natural language
#: supervision", section 3.1.4).
PROMPT = "a photo of a {}."

_LOCAL = "local-dir:"
_RANDOM_WARNING = "random weights: these numbers say nothing about CLIP"
_HUB_TIMEOUT_S = 10.0


@dataclass(frozen=True, eq=False)
class Clip:
    """A CLIP model that was loaded.

    Attributes:
        name: The model and its weights.
        model: open_clip's.
        preprocess: From a Pillow image to the model's pixels.
        tokenizer: From texts to tokens.
        device: Where it is.
        is_random: Its weights are random.
    """

    name: str
    model: Any
    preprocess: Any
    tokenizer: Any
    device: str
    is_random: bool


def load_clip(model: str = MODEL, weights: str = WEIGHTS, device: str = "cpu") -> Clip:
    """Loads a CLIP model.

    Args:
        model: A name that open_clip knows, or ``local-dir:PATH``, a folder with its ``open_clip_config.json``.
        weights: A name that open_clip knows for the model, which is downloaded if it must be; a file of weights; or
            ``random:SEED``, for tests. Of a folder, whose own weights are taken, only ``random:SEED`` counts.
        device: ``cpu``, ``cuda`` or ``cuda:N``.

    Raises:
        ImgsimError: open_clip is not installed or knows no such model.
        WeightsError: The weights cannot be had or do not fit.
    """
    try:
        import open_clip
        import torch
    except ImportError as error:
        raise ImgsimError(f"clip: open_clip must be installed (got {error}); {INSTALL}") from error
    seed = random_seed(weights)
    local = model.startswith(_LOCAL)
    _check_model(model, open_clip.list_models())
    options: dict[str, Any] = {"pretrained": None, "load_weights": seed is None}
    if seed is None and not local:
        options["pretrained"] = weights
        tags = open_clip.list_pretrained_tags_by_model(model)
        if weights in tags:
            config = open_clip.get_pretrained_cfg(model, weights)
            options["force_quick_gelu"] = config.get("quick_gelu", False)
            _check_hub(weights, config)
        elif not Path(weights).is_file():
            rule = f"{model}'s must be a file, random:SEED or a name that open_clip knows"
            raise WeightsError(f"clip weights: {rule} (got {weights!r}){nearest(weights, tags)}")
    try:
        with torch.random.fork_rng(devices=[]), _quiet():
            torch.manual_seed(seed or 0)
            network, _, preprocess = open_clip.create_model_and_transforms(
                model, device=device, weights_only=True, require_pretrained=seed is None, **options
            )
            tokenizer = open_clip.get_tokenizer(model)
    # Whatever open_clip, huggingface_hub and torch's reader raise of a file or a network means the same to the user.
    except Exception as error:
        # torch's own words on what weights_only refuses ask to turn it off.
        reason = type(error).__name__ if isinstance(error, pickle.UnpicklingError) else _first_line(error)
        rule = "must be weights of this model that load with weights_only=True"
        raise WeightsError(f"clip weights: {rule} (got {model if local else weights}: {reason})") from error
    name = f"{model} random:{seed}" if seed is not None else model if local else f"{model} {weights}"
    return Clip(name, network.eval(), preprocess, tokenizer, device, seed is not None)


class ClipImage(VectorMethod):
    """CLIP's image embedding; a ``judging.Method``."""

    def __init__(self, clip: Clip) -> None:
        """Takes a model that was loaded."""
        self._clip = clip
        self.made_by = clip.name
        self.meaningless = _RANDOM_WARNING if clip.is_random else ""
        self.dimension = self.embed([np.zeros((8, 8, 3), np.uint8)]).shape[1]

    def embed(self, pictures: list[np.ndarray]) -> np.ndarray:
        """See `VectorMethod.embed`; of unit length."""
        import torch
        from PIL import Image

        clip = self._clip
        pixels = torch.stack([clip.preprocess(Image.fromarray(picture)) for picture in pictures])
        with torch.inference_mode():
            vectors = clip.model.encode_image(pixels.to(clip.device), normalize=True)
        return vectors.float().cpu().numpy()


class ClipImageText(ClipImage):
    """CLIP's image embedding beside the text embedding of the class that it predicts; a ``judging.Method``.

    The classes to predict are the seen ones, so that the names of the unseen ones stay unknown: a picture of an unseen
    class is described by the seen class whose prompt it is most like. The two vectors, each of unit length, stand one
    after the other, so that the cosine of two pictures is the mean of that of their image embeddings and that of their
    texts.
    """

    def __init__(self, clip: Clip, seen: Sequence[str]) -> None:
        """Embeds the prompts of the seen classes.

        Raises:
            ImgsimError: There are none.
        """
        import torch

        if not seen:
            raise ImgsimError("clip-text: there must be a seen class whose name it may read (got none)")
        prompts = [PROMPT.format(name.replace("_", " ")) for name in seen]
        with torch.inference_mode():
            texts = clip.model.encode_text(clip.tokenizer(prompts).to(clip.device), normalize=True)
        self._texts = texts.float().cpu().numpy()
        super().__init__(clip)

    def embed(self, pictures: list[np.ndarray]) -> np.ndarray:
        """See `VectorMethod.embed`; of length √2."""
        images = super().embed(pictures)
        predicted = (images @ self._texts.T).argmax(axis=1)
        return np.concatenate([images, self._texts[predicted]], axis=1)


def _check_model(model: str, names: Sequence[str]) -> None:
    if model.startswith(_LOCAL):
        config = Path(model.removeprefix(_LOCAL)) / "open_clip_config.json"
        if not config.is_file():
            raise ImgsimError(f"clip: must be a folder with an open_clip_config.json (got {model!r})")
    elif model not in names:
        rule = "must be a model that open_clip knows, or local-dir:PATH"
        raise ImgsimError(f"clip: {rule} (got {model!r}){nearest(model, names)}")


def _check_hub(weights: str, config: dict[str, Any]) -> None:
    """Says at once that there is no network, where huggingface_hub would try for 47 seconds.

    Raises:
        WeightsError: The weights are not in its cache and it cannot be reached.
    """
    repository = config.get("hf_hub", "").rstrip("/")
    try:
        from huggingface_hub import constants
        from huggingface_hub.utils import get_session
    except ImportError:  # open_clip then has other ways
        return
    folder = "--".join(("models", *repository.split("/")[:2]))
    if not repository or (Path(constants.HF_HUB_CACHE) / folder).is_dir():
        return
    try:
        get_session().head(constants.ENDPOINT, timeout=_HUB_TIMEOUT_S)
    except Exception as error:  # its HTTP library is one or another, by its version
        raise WeightsError(
            f"clip weights: {weights} could not be downloaded (got {_first_line(error)}); "
            "name a file of them with --clip-weights FILE"
        ) from error


def _first_line(error: Exception) -> str:
    text = re.sub(r"\s+", " ", str(error)).strip() or type(error).__name__
    return text if len(text) <= 160 else f"{text[:160]}..."


@contextmanager
def _quiet() -> Iterator[None]:
    """open_clip logs on the root logger what it then raises."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)
