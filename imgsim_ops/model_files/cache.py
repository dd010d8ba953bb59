"""The model files that engines run, built once and kept in the user's cache. Imports torch only to build one.

The cache holds each model as ``NAME.onnx`` and ``NAME.weights``, apart so that ONNX Runtime maps the weights into
memory instead of copying them, and for each request (backbone, weights, precision) a ``KEY.json`` with the names and
SHA-256 of its two files. All are written in a folder of their own, synced and renamed, so nobody ever reads half a
file; a lock lets a second process wait for the first one's files.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from imgsim_ops import kernels
from imgsim_ops.errors import ImgsimError
from imgsim_ops.files.hashing import digest_of
from imgsim_ops.files.names import printable
from imgsim_ops.files.syncing import sync_file
from imgsim_ops.images.preprocess import PREPROCESSING_VERSION
from imgsim_ops.models.facts import ModelFacts
from imgsim_ops.models.locations import weights_source
from imgsim_ops.models.spec import DEFAULT_PRECISION, ModelSpec

PRECISIONS = ("auto", "fp32", "int8")

#: Changes whenever the same weights would give another file.
_RECIPE_VERSION = 2

Announce = Callable[[str], None]


def say_on_stderr(line: str) -> None:
    """What is done with a line about something that takes seconds, where nobody says otherwise."""
    print(f"imgsim: {line}", file=sys.stderr)


@dataclass(frozen=True)
class ModelFile:
    """A model in the cache.

    Attributes:
        path: The file.
        facts: What it is; the same as the metadata in the file.
    """

    path: Path
    facts: ModelFacts


def cache_folder() -> Path:
    """Where model files are kept: ``IMGSIM_CACHE``, or ``imgsim`` in the user's cache folder.

    Raises:
        ImgsimError: The user has no home, as many have that services run as.
    """
    given = os.environ.get("IMGSIM_CACHE")
    if given:
        return Path(given)
    import platformdirs

    try:
        return platformdirs.user_cache_path("imgsim", appauthor=False)
    except RuntimeError as error:
        raise ImgsimError("cache: IMGSIM_CACHE must name a folder for a user without a home (got none)") from error


def model_file(
    spec: ModelSpec = ModelSpec(),
    announce: Announce | None = None,
) -> ModelFile:
    """The model of a backbone, with its layers, from the cache; built first where it is not there yet.

    Args:
        spec: Which model; a backbone by name. Its precision ``auto`` is int8 where the processor has instructions for
            it and the quantised model was measured to be as good (``export.gate.Gate.holds``), and else fp32.
        announce: Called with one line when something takes seconds. Default: prints it to stderr.

    Raises:
        ImgsimError: No backbone or precision has that name, int8 lacks photographs, or the cache cannot be written.
        WeightsError: The weights cannot be had or do not fit.
    """
    backbone, weights, precision = spec.name, spec.weights, spec.precision or DEFAULT_PRECISION
    if precision not in PRECISIONS:
        raise ImgsimError(f"model: precision must be one of {', '.join(PRECISIONS)} (got {precision!r})")
    announce = announce or say_on_stderr
    if precision != "auto":
        return _cached(backbone, weights, precision, announce)
    source = weights_source(backbone, weights)
    # Random weights flatter a quantisation, so nothing measured on them counts.
    if kernels.build_info()["int8_instructions"] and not isinstance(source, int) and _photographs_installed():
        found = _cached(backbone, weights, "int8", announce)
        if found.facts.gate["holds"]:
            return found
    return _cached(backbone, weights, "fp32", announce)


def _photographs_installed() -> bool:
    from imgsim_ops.quality.photographs import CALIBRATION, EVALUATION, find_photographs

    try:
        find_photographs((*CALIBRATION, *EVALUATION))
    except ImgsimError:
        return False
    return True


def _cached(backbone: str, weights: str | os.PathLike[str] | None, precision: str, announce: Announce) -> ModelFile:
    folder = cache_folder()
    entry = folder / f"{_key(backbone, weights, precision)}.json"
    found = _read(entry)
    if found is not None:
        return found
    import filelock

    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):  # filelock waits for ever where no file can be made
            pass
        with filelock.FileLock(folder / f"{backbone}-{precision}.lock"):
            # Another process may have built it while this one waited, or downloaded the weights, which changes the key.
            found = _read(folder / f"{_key(backbone, weights, precision)}.json")
            return found or _build(folder, backbone, weights, precision, announce)
    except OSError as error:
        raise unwritable(error, folder) from error


def unwritable(error: OSError, folder: Path) -> ImgsimError:
    """What a user is told where the cache cannot be written.

    Args:
        error: Why. What it names may be a file that nobody has asked for.
        folder: The cache, or a folder in it.
    """
    reason = error.strerror or error
    return ImgsimError(f"cache: must be writable (got {printable(folder)}: {reason}); set IMGSIM_CACHE")


def _key(backbone: str, weights: str | os.PathLike[str] | None, precision: str) -> str:
    source = weights_source(backbone, weights)
    identity: list[object] = [source]
    if isinstance(source, Path):
        status = source.stat()
        identity = [os.path.realpath(source), status.st_size, status.st_mtime_ns]
    text = json.dumps([_RECIPE_VERSION, PREPROCESSING_VERSION, backbone, identity, precision])
    return f"{backbone}-{precision}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"


def _read(entry: Path) -> ModelFile | None:
    """What an entry leads to; None where it is missing or damaged."""
    try:
        found = json.loads(entry.read_bytes())
        if found.pop("check") != _check(found):
            return None
        paths = [entry.parent / name for name in found["sha256"]]
        if all(_digest(path) == digest for path, digest in zip(paths, found["sha256"].values(), strict=True)):
            return ModelFile(paths[0], ModelFacts.from_json(found["model"], paths[0]))
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        pass
    return None


def _build(
    folder: Path, backbone: str, weights: str | os.PathLike[str] | None, precision: str, announce: Announce
) -> ModelFile:
    announce(f"Preparing {backbone} in {precision} for this machine, once")
    from imgsim_ops.export.apart import save_apart
    from imgsim_ops.export.model import embedding_model
    from imgsim_ops.export.recipes import export_backbone

    exported = export_backbone(backbone, weights, precision, announce=announce)
    model = embedding_model(exported.network, exported.facts, layers=True, gem=True)
    content = hashlib.sha256(model.SerializeToString(deterministic=True)).hexdigest()
    name = f"{exported.facts.fingerprint}-{content[:12]}"
    names = [f"{name}.onnx", f"{name}.weights"]
    # The key anew: the weights may just have been downloaded.
    entry = f"{_key(backbone, weights, precision)}.json"
    unfinished_name = f".{backbone}-{precision}-"
    for left in folder.glob(f"{unfinished_name}*"):  # by a process that was killed: this one holds the lock
        shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=unfinished_name, dir=folder) as unfinished:
        save_apart(model, Path(unfinished) / names[0], names[1])
        # onnx lets only its owner read external data; a cache may be built by one user for all.
        shutil.copymode(Path(unfinished) / names[0], Path(unfinished) / names[1])
        found = {
            "sha256": {name: _digest(Path(unfinished) / name) for name in names},
            "model": exported.facts.as_json(),
        }
        text = json.dumps({**found, "check": _check(found)}, indent=2)
        (Path(unfinished) / entry).write_text(text + "\n")
        for name in (*names, entry):  # the entry last: it vouches for the others
            sync_file(Path(unfinished) / name)
            os.replace(Path(unfinished) / name, folder / name)
    return ModelFile(folder / names[0], exported.facts)


def _check(found: dict[str, object]) -> str:
    """What tells that an entry is as it was written."""
    return hashlib.sha256(json.dumps(found).encode(), usedforsecurity=False).hexdigest()


def _digest(path: Path) -> str:
    with open(path, "rb") as file:
        return digest_of(file).hex()
