"""Whether pictures have equal pixels, in all frames and pages and with all their bits: by hashes of what is decoded."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import MpoImagePlugin

from imgsim_ops.files.opening import open_regular, picture_error
from imgsim_ops.files.pages import split_page
from imgsim_ops.files.reasons import Reason
from imgsim_ops.images.decode import decoded, picture_errors
from imgsim_ops.images.depth import depth_hash, is_deep
from imgsim_ops.images.facts import FileFacts, file_facts, has_more_beneath
from imgsim_ops.images.formats import HEAD_SIZE, canvas_size, format_of
from imgsim_ops.images.memory import Admit, admit_at_once, check_size, held_by_pillow
from imgsim_ops.images.options import ReadOptions
from imgsim_ops.images.pillow import (
    ANIMATED,
    UnsupportedPixelsError,
    alpha_of,
    goes_to,
    held_besides,
    is_transparent,
    quiet_pillow,
    reader_of,
    strips_of,
    upright_alpha,
)

if TYPE_CHECKING:
    from typing import BinaryIO

    from PIL import ImageFile

    from imgsim_ops.images.strips import Strips

# Of each frame: a SHA-256 of what is shown with 8 bits a channel, and one of all bits, or zeros where there are 8.
_SHOWN = 32
_FRAME = 64
_NOT_DEEP = bytes(_FRAME - _SHOWN)
# Of more frames nothing is said: they would take longer than anybody waits.
_MOST_FRAMES = 10_000
# Of others with frames or depth not everything is handed on, or it was not looked into.
_GONE_THROUGH = ("JPEG", "PNG", "WEBP", "GIF", "TIFF")


def pixel_hash(
    path: str | os.PathLike[str], read: ReadOptions = ReadOptions(), *, admit: Admit = admit_at_once
) -> bytes:
    """Hashes of all that a file shows; a task for ``images.readers``.

    Equal ones are of pictures with equal sizes and upright pixels, transparency with them, in every frame or page in
    their order, and in all their bits. How long a frame is shown does not count. One frame at a time is in memory.

    Args:
        path: The file, or a page of it, see ``files.pages``.
        read: How.
        admit: See ``images.decode.decoded``.

    Returns:
        64 bytes for each frame or page, see `is_shown_in`; none for a file of which not everything can be looked at:
        raw files, AVIF, HEIC and others whose depth or frames are not handed on, more than 10,000 frames.

    Raises:
        ImageError: See ``images.decode.decode``; also where a later frame is not whole.
    """
    name, page = split_page(path)
    with open_regular(name) as file:
        kind = format_of(file, name) or ""
        facts = file_facts(file, kind, page)
        if not (facts.further or facts.deep):
            return _plain(path, file, kind, facts, read, admit, page or 1) + _NOT_DEEP
        if kind not in _GONE_THROUGH or facts.frames is None or facts.frames > _MOST_FRAMES:
            return b""
        with picture_errors(path, file):
            try:
                frames = _of_frames(file, kind, read.max_pixels, admit, (page or 1) - 1)
                found = list(frames if page is None else islice(frames, 1))
            except UnsupportedPixelsError:
                return b""
        if len(found) != facts.frames and kind != "JPEG":
            raise picture_error(Reason.TRUNCATED, path, f"{len(found)} frames of {facts.frames}")
        return b"".join(found)


def is_shown_in(part: bytes, whole: bytes) -> bool:
    """Whether all that one file shows another one shows too, by what `pixel_hash` says of both.

    Every frame of the one is then one of the other, in the same order, and has no more bits than there.
    """
    left = iter(_each(whole))
    return bool(part) and all(any(_shows(there, here) for there in left) for here in _each(part))


def _each(hashes: bytes) -> list[bytes]:
    return [hashes[at : at + _FRAME] for at in range(0, len(hashes), _FRAME)]


def _shows(there: bytes, here: bytes) -> bool:
    return here[:_SHOWN] == there[:_SHOWN] and here[_SHOWN:] in (_NOT_DEEP, there[_SHOWN:])


def _plain(
    path: str | os.PathLike[str],
    file: BinaryIO,
    kind: str,
    facts: FileFacts,
    read: ReadOptions,
    admit: Admit,
    page: int,
) -> bytes:
    """Of the one picture of a file, with 8 bits a channel."""
    with decoded(path, max_pixels=read.max_pixels, admit=admit) as picture:
        digest = _of_strips(picture)
    if facts.transparent:
        file.seek(0)
        alpha = upright_alpha(file, kind, page)
        if alpha is not None:
            digest.update(alpha.tobytes())
    return digest.digest()


def _of_strips(picture: Strips) -> hashlib._Hash:
    digest = hashlib.sha256(f"{picture.width} {picture.height}".encode())
    for strip in picture.strips:
        digest.update(np.ascontiguousarray(strip))
    return digest


def _of_frames(file: BinaryIO, kind: str, max_pixels: int, admit: Admit, number: int) -> Iterator[bytes]:
    """Of each frame or page from a number on, until there are no more.

    Raises:
        UnsupportedPixelsError: Something of them is not handed on.
    """
    file.seek(0)
    canvas = canvas_size(file.read(HEAD_SIZE), kind)
    times = held_by_pillow("WEBP" if kind in ANIMATED else kind, 1, 1)
    most = 0
    with ExitStack() as stack:

        def let_in(width: int, height: int, besides: int) -> None:
            nonlocal most
            held = times * width * height + besides
            check_size(width, height, held, max_pixels)
            if held > most:
                stack.enter_context(admit(held))
                most = held

        if canvas is not None:
            let_in(*canvas, 0)
        image: ImageFile.ImageFile = stack.enter_context(_opened(file, kind))
        again: ImageFile.ImageFile | None = None
        while goes_to(image, number):
            deep = is_deep(image)
            let_in(*image.size, held_besides(image) + deep * times * image.width * image.height)
            if has_more_beneath(image):
                raise UnsupportedPixelsError("pictures beneath a page")
            if deep and kind == "PNG" and _is_animated(image):
                raise UnsupportedPixelsError("an animation of 16 bits")
            depth = _NOT_DEEP
            if deep:
                again = again or stack.enter_context(_opened(file, kind))
                goes_to(again, number)
                depth = depth_hash(image, again)
            digest = _of_strips(strips_of(image))
            if is_transparent(image) and (alpha := alpha_of(image)) is not None:
                digest.update(alpha.tobytes())
            yield digest.digest() + depth
            number += 1


def _is_animated(image: ImageFile.ImageFile) -> bool:
    return getattr(image, "n_frames", 1) > 1


def _opened(file: BinaryIO, kind: str) -> Any:
    file.seek(0)
    with quiet_pillow:
        return MpoImagePlugin.MpoImageFile(file) if kind == "JPEG" else reader_of(kind)(file)
