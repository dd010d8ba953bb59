"""What made a vector. Vectors with different fingerprints are never compared."""

from __future__ import annotations

import re
from dataclasses import dataclass

from imgsim_ops.errors import ImgsimError

_FORM = re.compile(
    r"(?P<backbone>[a-z0-9_]+)-(?P<weights>[0-9a-f]{12})-(?P<precision>[a-z0-9]+)-p(?P<preprocessing>[0-9]+)"
    r"(?:-(?P<recipe>gem|whitened[0-9a-f]{12}))?"
)
_RULE = "fingerprint: must be BACKBONE-WEIGHTS-PRECISION-pVERSION, then perhaps -gem or -whitenedDIGEST"


@dataclass(frozen=True)
class Fingerprint:
    """The backbone, weights, precision, preprocessing and recipe behind a vector.

    Written as one word, for example ``resnet18-1a2b3c4d5e6f-fp32-p1``, and read back by ``parse``. The engine
    is not part of it: engines give the same answer.

    Attributes:
        backbone: Name of the backbone, for example ``resnet18``.
        weights: First 12 hexadecimal digits of the SHA-256 of the weights' values (not of the file they came
            in).
        precision: ``fp32``, or the name of the quantisation.
        preprocessing: Version of the resize and crop that made the pixels.
        recipe: What an exported model makes its vectors by: ``gem``, or ``whitened`` and the digest of the whitening.
            None for ``mean`` and for the raw vectors of collections, which make others of them by recipes of their own.
    """

    backbone: str
    weights: str
    precision: str
    preprocessing: int
    recipe: str | None = None

    def __post_init__(self) -> None:
        if not _FORM.fullmatch(str(self)):
            raise ImgsimError(f"{_RULE} (got {str(self)!r})")

    def __str__(self) -> str:
        recipe = "" if self.recipe is None else f"-{self.recipe}"
        return f"{self.backbone}-{self.weights}-{self.precision}-p{self.preprocessing}{recipe}"

    @classmethod
    def parse(cls, text: str) -> Fingerprint:
        """Reads what ``str()`` wrote.

        Raises:
            ImgsimError: ``text`` is no fingerprint.
        """
        match = _FORM.fullmatch(text)
        if match is None:
            raise ImgsimError(f"{_RULE} (got {text!r})")
        return cls(
            match["backbone"], match["weights"], match["precision"], int(match["preprocessing"]), match["recipe"]
        )
