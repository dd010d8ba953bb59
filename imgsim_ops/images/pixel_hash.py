"""Whether pictures have equal pixels, all of them: by a hash of what is decoded."""

from __future__ import annotations

import hashlib
import os

import numpy as np

from imgsim_ops.files.opening import open_regular
from imgsim_ops.images.decode import decoded
from imgsim_ops.images.facts import file_facts
from imgsim_ops.images.formats import format_of
from imgsim_ops.images.memory import Admit, admit_at_once
from imgsim_ops.images.options import ReadOptions
from imgsim_ops.images.pillow import upright_alpha


def pixel_hash(
    path: str | os.PathLike[str], read: ReadOptions = ReadOptions(), *, admit: Admit = admit_at_once
) -> bytes:
    """The SHA-256 of a picture's size and upright pixels, transparency with them; a task for ``images.readers``.

    Args:
        path: The file.
        read: How.
        admit: See ``images.decode.decoded``.

    Returns:
        32 bytes; none for a file with frames, pages or depth that are not looked at.

    Raises:
        ImageError: See ``images.decode.decode``.
    """
    with open_regular(path) as file:
        kind = format_of(file, path) or ""
        facts = file_facts(file, kind)
        if facts.further or facts.deep:
            return b""
        digest = hashlib.sha256()
        with decoded(path, max_pixels=read.max_pixels, admit=admit) as picture:
            digest.update(f"{picture.width} {picture.height}".encode())
            for strip in picture.strips:
                digest.update(np.ascontiguousarray(strip))
        if facts.transparent:
            file.seek(0)
            alpha = upright_alpha(file, kind)
            if alpha is not None:
                digest.update(alpha.tobytes())
    return digest.digest()
