"""What only a picture that goes says, written into the kept one's sidecar: rating, keywords, date, place."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from imgsim_ops.cleanup.files import Found, look
from imgsim_ops.cleanup.reasons import CleanupReason, Refusal, refusal
from imgsim_ops.errors import ImageError
from imgsim_ops.images import metadata, xmp
from imgsim_ops.images.sidecars import SidecarKind, Sidecars

# The journal holds what a sidecar was before, so it must not be too much.
_MOST_BYTES = 4 << 20
_SECONDS = 60
_KEYWORDS = xmp.tag("dc:subject")


@dataclass(frozen=True)
class Merge:
    """What is to be written.

    Attributes:
        former: The sidecar as it is; None where there is none, and `kept`'s name with ``.xmp`` is to be it.
        before: Its bytes.
        content: Those that it is to have.
        topics: What is new in it: keys of ``images.metadata.CARRIED``.
    """

    former: Found | None
    before: bytes | None
    content: bytes
    topics: tuple[str, ...]


class Merging:
    """Looks what pictures say. The pictures themselves are never changed."""

    def __init__(self, sidecars: Sidecars) -> None:
        """Of no picture yet."""
        self._sidecars = sidecars
        self._planned: dict[str, bytes] = {}

    def plan(self, going: str, kept: str) -> Merge | None:
        """What must be written before a picture goes; None where the kept one says as much.

        Raises:
            Refusal: A sidecar of one of them cannot be read, or not be written to.
        """
        others = self._xmp_of(kept)
        added = metadata.missing(self._all_said(going, self._xmp_of(going)), self._all_said(kept, others))
        if not added:
            return None
        path = next((path for path in others if self._is_its_alone(path, kept)), None)
        former = look(path) if path is not None and os.path.lexists(path) else None
        before = None if path is None else self._read(path)
        content = written(before, added, path or kept)
        topics = (topic for topic, names in metadata.CARRIED.items() if any(xmp.tag(name) in added for name in names))
        return Merge(former, before, content, tuple(topics))

    def pretend(self, path: str, content: bytes) -> None:
        """Takes a sidecar to be written, in a dry run."""
        self._planned[path] = content

    def _xmp_of(self, picture: str) -> list[str]:
        """Its XMP sidecars, the one with its whole name first, which may have come after its folder was listed."""
        whole = picture + ".xmp"
        found = [sidecar.path for sidecar in self._sidecars.of(picture) if sidecar.kind is SidecarKind.XMP]
        found = [
            path for path in {whole: None, **dict.fromkeys(found)} if path in self._planned or os.path.lexists(path)
        ]
        return sorted(found, key=lambda path: path.lower() != whole.lower())

    def _is_its_alone(self, sidecar: str, kept: str) -> bool:
        place = os.path.join(*os.path.split(kept))
        return sidecar == kept + ".xmp" or self._sidecars.owners(sidecar) == [place]

    def _all_said(self, picture: str, sidecars: Sequence[str]) -> dict[str, xmp.Value]:
        """What a picture and its sidecars say; where both do, the sidecars, and all keywords."""
        found = metadata.embedded(picture)
        for path in sidecars:
            said = metadata.carried(self._properties(path))
            words = frozenset(found.get(_KEYWORDS, ())) | frozenset(said.get(_KEYWORDS, ()))
            found |= said | ({_KEYWORDS: words} if words else {})
        return found

    def _properties(self, path: str) -> dict[str, xmp.Value]:
        content = self._read(path)
        try:
            return xmp.properties(content)
        except ValueError as error:
            raise refusal(CleanupReason.NOT_MERGED, path, str(error)) from error

    def _read(self, path: str) -> bytes:
        if path in self._planned:
            return self._planned[path]
        if os.path.islink(path):
            raise refusal(CleanupReason.LINK, path)
        try:
            return xmp.content_of(path, _MOST_BYTES)
        except ImageError as error:
            raise Refusal(error.code, str(error).replace("decode:", "cleanup:", 1)) from error
        except ValueError as error:
            raise refusal(CleanupReason.NOT_MERGED, path, str(error)) from error


def written(before: bytes | None, added: dict[str, xmp.Value], path: str) -> bytes:
    """An XMP document with more in it, by exiftool where it is installed.

    Args:
        before: The document as it was; None where there is none.
        added: By ``{namespace}name``: what it is to say instead, and keywords that it is to have besides.
        path: What errors name.

    Raises:
        Refusal: It cannot be written.
    """
    program = shutil.which("exiftool")
    try:
        content = xmp.with_properties(before, added) if program is None else _by_exiftool(program, before, added)
        said = metadata.carried(xmp.properties(content))
    except (ArithmeticError, OSError, ValueError, subprocess.SubprocessError) as error:
        raise refusal(CleanupReason.NOT_MERGED, path, str(error)) from error
    if metadata.missing(added, said):
        raise refusal(CleanupReason.NOT_MERGED, path, f"not taken by {program or 'its XML'}")
    return content


def _by_exiftool(program: str, before: bytes | None, added: dict[str, xmp.Value]) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "sidecar.xmp"
        if before is not None:
            place.write_bytes(before)
        command = [program, "-config", "", "-q", "-q", "-charset", "UTF8", "-overwrite_original", *_arguments(added)]
        result = subprocess.run(
            [*command, str(place)], stdin=subprocess.DEVNULL, capture_output=True, timeout=_SECONDS, check=False
        )
        if result.returncode:
            raise ValueError(f"exiftool: {result.stderr.decode(errors='replace').strip()}")
        return place.read_bytes()


def _arguments(added: dict[str, xmp.Value]) -> list[str]:
    found = []
    for name in (name for names in metadata.CARRIED.values() for name in names):
        value = added.get(xmp.tag(name))
        option = f"-XMP-{name}"
        if isinstance(value, frozenset):
            found += [f"{option}+={word}" for word in sorted(map(str, value))]
        elif value is not None:
            found.append(_argument(option, str(value)))
    return found


def _argument(option: str, value: str) -> str:
    """One that sets a property: numbers as files have them (#), the rest as exiftool shows it."""
    if option.endswith("Altitude"):
        return f"{option}#={float(Fraction(value))}"
    if option.endswith(("Latitude", "Longitude")):
        return f"{option}={value.replace(',', ' ')}"
    return f"{option}#={value}" if option.endswith(("Rating", "AltitudeRef")) else f"{option}={value}"
