"""Measuring models, one after the other: in memory there is one at a time."""

from __future__ import annotations

import gc
import sys
from dataclasses import dataclass

import numpy as np

from imgsim_ops import kernels
from imgsim_ops.errors import WeightsError
from imgsim_ops.evaluation.machine import free_memory, median_seconds
from imgsim_ops.evaluation.zoo.candidates import Candidate, Facts, Loaded, Runtime
from imgsim_ops.evaluation.zoo.files import WeightFiles
from imgsim_ops.evaluation.zoo.triples import Triples

# How many times a model's values are in memory while it is loaded: the file's and the model's; for ONNX Runtime the
# model's, the exported file's and those that ONNX Runtime lays out anew. The rest is for what flows through.
_COPIES = {"torch": 2, "onnx": 4}
_WORKING_BYTES = 500 << 20

# Below this product of two lengths a cosine counts as less than it is; some models make very short vectors.
_TINY = 1e-30

_LONGEST_REASON = 100  # letters of a row's note


@dataclass(frozen=True)
class MeasuringOptions:
    """How models are measured.

    Attributes:
        files: Where their weights come from.
        runtime: What runs them, and where.
        repeats: How many calls are timed, at least 1; the median counts.
        warmup: How many calls come before.
    """

    files: WeightFiles
    runtime: Runtime
    repeats: int = 10
    warmup: int = 2


@dataclass(frozen=True)
class Row:
    """What was found out of a model.

    Attributes:
        model: Its label.
        weights: The version of its weights.
        facts: What is known of it; None if even that failed.
        embed_s: Median seconds from a prepared picture to its embedding, both in main memory; None if it failed.
        similarity_s: Median seconds from two embeddings to their cosine.
        cosines: float64 (T, 3), of each anchor with the positive, the negative, the negative resized; None without
            weights.
        no_weights: There were no weights, wanted or not.
        failed: Why it could not be measured, or an empty text.
        note: What else a reader should know.
    """

    model: str
    weights: str
    facts: Facts | None = None
    embed_s: float | None = None
    similarity_s: float | None = None
    cosines: np.ndarray | None = None
    no_weights: bool = False
    failed: str = ""
    note: str = ""


def measure(candidate: Candidate, triples: Triples, options: MeasuringOptions) -> Row:
    """Loads a model, measures it and releases it. If that fails, the row says why.

    Args:
        candidate: The model.
        triples: The pictures; the first anchor is the one that is embedded again and again for the time.
        options: How.
    """
    facts = None
    try:
        facts = candidate.facts()
        _check_memory(facts, options.runtime)
        return _measured(candidate, facts, triples, options)
    except WeightsError as error:
        return Row(candidate.label, candidate.weights, facts, no_weights=True, failed=_reason(error, "no weights: "))
    # Fifty foreign models, exporters and runtimes promise no set of errors; the other models do not depend on it.
    except Exception as error:  # noqa: BLE001
        return Row(candidate.label, candidate.weights, facts, failed=_reason(error))
    finally:
        gc.collect()
        if options.runtime.device != "cpu" and "torch" in sys.modules:
            sys.modules["torch"].cuda.empty_cache()


def _check_memory(facts: Facts, runtime: Runtime) -> None:
    """Refuses what does not fit: the system would end the whole run instead of one model."""
    free = free_memory()
    needed = 4 * facts.parameters * _COPIES[runtime.engine] + _WORKING_BYTES
    if free is not None and needed > free:
        raise MemoryError(f"takes about {needed / 1e9:.1f} GB, {free / 1e9:.1f} GB are free")


def _measured(candidate: Candidate, facts: Facts, triples: Triples, options: MeasuringOptions) -> Row:
    loaded = candidate.load(options.files, options.runtime)
    anchor, positive = (candidate.prepare(pixels) for pixels in next(iter(triples))[:2])
    embed_s = median_seconds(lambda: loaded.embed(anchor), options.repeats, options.warmup)
    pair = loaded.embed(anchor), loaded.embed(positive)
    similarity_s = median_seconds(lambda: kernels.cosine_similarity(*pair), options.repeats, options.warmup)
    cosines = None
    if loaded.trained:
        cosines = np.stack([_cosines(candidate, loaded, pictures) for pictures in triples])
    return Row(
        candidate.label,
        candidate.weights,
        facts,
        embed_s,
        similarity_s,
        cosines,
        no_weights=not loaded.trained,
        note=loaded.note,
    )


def _cosines(candidate: Candidate, loaded: Loaded, pictures: list[np.ndarray]) -> np.ndarray:
    """The similarity of the first picture with each of the others."""
    anchor, *others = (loaded.embed(candidate.prepare(pixels)) for pixels in pictures)
    return kernels.cosine_similarity(np.stack(others), anchor, eps=_TINY).astype(np.float64)


def _reason(error: Exception, before: str = "") -> str:
    """One short line for the table."""
    words = " ".join(str(error).split())
    name = type(error).__name__
    # PyTorch has no class of its own for a processor without memory, only words.
    if isinstance(error, MemoryError) or name == "OutOfMemoryError" or "can't allocate memory" in words:
        before, words = "no memory", f": {words}" if isinstance(error, MemoryError) and words else ""
    elif not before and not isinstance(error, ValueError):
        before = f"{name}: "
    text = f"{before}{words}" or name
    return text if len(text) <= _LONGEST_REASON else text[: _LONGEST_REASON - 1] + "…"
