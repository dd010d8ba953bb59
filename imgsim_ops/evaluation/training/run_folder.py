"""The folder of a training: what it was asked for, how far it is, and what came of it."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import filelock
import torch

from imgsim_ops.errors import ImgsimError
from imgsim_ops.files.names import printable
from imgsim_ops.files.writing import write_file

#: The names of files in it, besides those of ``result_files.write_results``.
SETTINGS = "settings.json"
LOG = "log.jsonl"
CHECKPOINT = "checkpoint.pt"
ENCODER = "encoder.pt"
MODEL = "encoder.onnx"

_LOCK = "training.lock"
_DIGEST = "pictures_sha256"
_IN_CHECKPOINT = {"epoch", "step", "losses", "seconds", "learner", "average", "optimiser", "history", "best"}


class RunFolder:
    """A training's folder, held by one process at a time; a context.

    Every file in it is written whole or not at all.

    Attributes:
        path: The folder.
    """

    def __init__(self, path: str | os.PathLike[str], settings: Mapping[str, Any], resume: bool) -> None:
        """Takes a folder for a training.

        Args:
            path: Where; made if it is missing.
            settings: What makes the training what it is, as JSON can say it.
            resume: Whether the folder may hold this training already.

        Raises:
            ImgsimError: It holds another training, or this one and not `resume`, or other files, or another process has
                it.
            OSError: The disk refuses.
        """
        self.path = Path(path)
        self._settings = dict(settings)
        self.path.mkdir(parents=True, exist_ok=True)
        self._lock = filelock.FileLock(self.path / _LOCK)
        if not os.access(self.path, os.W_OK | os.X_OK):  # filelock would wait for ever
            raise ImgsimError(f"training: the folder must be writable (got {printable(self.path)})")
        try:
            self._lock.acquire(timeout=0)
        except filelock.Timeout:
            rule = "a folder must have one training at a time"
            raise ImgsimError(f"training: {rule} (got {printable(self.path)}, in use by another process)") from None
        try:
            self._check(resume)
        except BaseException:
            self._lock.release()
            raise

    def __enter__(self) -> RunFolder:
        return self

    def __exit__(self, *exception: object) -> None:
        self._lock.release()

    def begin(self, sha256: str) -> None:
        """Writes what was asked for, or checks that the pictures are the ones that it was asked for with.

        Args:
            sha256: Of the pictures and their labels.

        Raises:
            ImgsimError: They are others.
        """
        known = read_settings(self.path)
        if known is None:
            self._write(SETTINGS, json.dumps({**self._settings, _DIGEST: sha256}, indent=1))
        elif known.get(_DIGEST) != sha256:
            raise ImgsimError(
                f"training: the pictures must be those that it began with (got others, in {printable(self.path)})"
            )

    def checkpoint(self) -> dict[str, Any] | None:
        """What `save` was given last; None if nothing.

        Raises:
            ImgsimError: The file is something else.
        """
        path = self.path / CHECKPOINT
        if not path.exists():
            return None
        rule = "the checkpoint must be one that imgsim methods train wrote"
        try:
            found = torch.load(path, map_location="cpu", weights_only=True)
        # What a damaged or foreign file makes the reader raise is anyone's guess; each case means the same here.
        except Exception as error:
            raise ImgsimError(f"training: {rule} (got {printable(path)}: {type(error).__name__})") from error
        if not isinstance(found, dict) or not found.keys() >= _IN_CHECKPOINT:
            raise ImgsimError(f"training: {rule} (got {printable(path)}: {type(found).__name__})")
        return found

    def save(self, state: Mapping[str, Any], history: Sequence[Mapping[str, Any]]) -> None:
        """Writes a checkpoint, and after it the log, which may be one epoch behind after a crash.

        Args:
            state: Tensors, numbers and text, in dictionaries and lists.
            history: A line of the log for each epoch.
        """
        self.write_tensors(CHECKPOINT, dict(state))
        self._write(LOG, "".join(json.dumps(epoch) + "\n" for epoch in history))

    def write_tensors(self, name: str, state: Mapping[str, Any]) -> None:
        """Writes a file of tensors."""
        content = io.BytesIO()
        torch.save(state, content)
        write_file(self.path / name, content.getvalue())

    def _write(self, name: str, text: str) -> None:
        write_file(self.path / name, text.encode())

    def _check(self, resume: bool) -> None:
        where = printable(self.path)
        known = read_settings(self.path)
        if known is None:
            # A crash before the settings were there leaves the lock and hidden files.
            others = [name for name in sorted(os.listdir(self.path)) if name != _LOCK and not name.startswith(".")]
            if others:
                raise ImgsimError(
                    f"training: the folder must be empty or hold a training (got {where} with {others[0]})"
                )
            return
        for key, asked in self._settings.items():
            if known.get(key) != asked:
                there, here = (_short(value) for value in (known.get(key), asked))
                raise ImgsimError(
                    f"training: the folder must be new or hold the same training (got {where}, where {key} is {there} "
                    f"and not {here}); give another one with --out"
                )
        if not resume:
            raise ImgsimError(
                f"training: the folder holds this training already (got {where}); go on with it by --resume, or give "
                "another one with --out"
            )


def read_settings(folder: str | os.PathLike[str]) -> dict[str, Any] | None:
    """What a training was asked for; None where the folder holds none.

    Raises:
        ImgsimError: The file cannot be read, or is something else.
    """
    path = Path(folder) / SETTINGS
    try:
        found = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ImgsimError(f"training: must be readable (got {printable(path)}: {error.strerror})") from error
    except ValueError:
        found = None
    if not isinstance(found, dict) or "kind" not in found:
        raise ImgsimError(f"training: must be the settings of one (got {printable(path)})")
    return found


def _short(value: Any, most: int = 60) -> str:
    text = json.dumps(value, ensure_ascii=True)
    return text if len(text) <= most else text[: most - 3] + "..."
