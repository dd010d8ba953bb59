"""Files of weights: from torch hub's cache, a download or a folder; and what can be told where there are none."""

from __future__ import annotations

import urllib.error
from pathlib import Path
from urllib.parse import urlsplit

from imgsim_ops.errors import ImgsimError, WeightsError
from imgsim_ops.files.names import printable
from imgsim_ops.models.locations import hub_file


class WeightFiles:
    """Where the weights of all models come from.

    Attributes:
        wanted: Weights are to be used.
        choice: As it was chosen.
        words: The same in words.
    """

    def __init__(self, choice: str = "auto") -> None:
        """Takes what ``--weights`` says.

        Args:
            choice: ``auto``: torch hub's cache, else a download into it. ``none``: no weights. Else a folder that holds
                files by the names which they are published under.

        Raises:
            ImgsimError: There is no such folder.
        """
        self.choice = choice
        self.wanted = choice != "none"
        self._folder = None if choice in ("auto", "none") else Path(choice)
        if self._folder is not None and not self._folder.is_dir():
            raise ImgsimError(f"zoo: --weights must be auto, none or a folder (got {printable(choice)!r})")
        words = {"auto": "torch hub's cache, else a download", "none": "none: random values, so no similarities"}
        self.words = words.get(choice, "files in a folder")
        # Hosts that could not be reached: fifty models must not wait for each of them fifty times.
        self._unreachable: dict[str, str] = {}

    def find(self, url: str) -> Path | None:
        """The file that is published at an address, downloaded if it must be; None where no weights are wanted.

        Raises:
            WeightsError: It cannot be had; in few words.
        """
        if not self.wanted:
            return None
        if self._folder is not None:
            name = url.rsplit("/", 1)[1]
            if not (self._folder / name).is_file():
                raise WeightsError(f"{name} is not in {printable(self._folder)}")
            return self._folder / name
        path = hub_file(url)
        if not path.is_file():
            self._download(url, path)
        return path

    def _download(self, url: str, path: Path) -> None:
        from imgsim_ops.models.weights import DOWNLOAD_ERRORS, download

        host = urlsplit(url).hostname or url
        if host in self._unreachable:
            raise WeightsError(self._unreachable[host])
        try:
            download(url, path, progress=False)
        except DOWNLOAD_ERRORS as error:
            cause = getattr(error, "reason", error)
            reason = " ".join(str(getattr(cause, "strerror", None) or cause).split())
            message = f"{path.name} cannot be downloaded ({reason})"
            if isinstance(error, urllib.error.URLError | TimeoutError) and not isinstance(
                error, urllib.error.HTTPError
            ):
                message = self._unreachable[host] = f"{host} cannot be reached ({reason})"
            raise WeightsError(message) from error
