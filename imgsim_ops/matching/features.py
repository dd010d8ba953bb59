"""Local features of a picture.

SIFT keypoints (Lowe 2004, "Distinctive Image Features from Scale-Invariant Keypoints") with RootSIFT descriptors
(Arandjelovic and Zisserman 2012, "Three things everyone should know to improve object retrieval").

Needs OpenCV (``opencv-python-headless``), which is imported when it is used.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from types import ModuleType

import numpy as np

from imgsim_ops.errors import ImgsimError

#: The longer side of what is described, in pixels. Smaller pictures are enlarged: a thumbnail has too few keypoints.
SIDE = 320
#: Keypoints kept, the strongest.
MOST_KEYPOINTS = 500
#: RootSIFT vectors have unit length; so long are they as bytes. Hardly a value is above a half.
DESCRIPTOR_LENGTH = 512.0

_MAGIC = b"imgsim-sift\x02"
_HEAD = struct.Struct("<12sIIII")  # magic, width, height, of what was described its longer side, number of keypoints
_WIDTH = 128
# x, y, angle in degrees, diameter; all but the angle in pixels.
_PLACE = 4


@dataclass(frozen=True, eq=False)
class Features:
    """The local features of a picture.

    Attributes:
        width: Of the picture, upright and turned as it was asked for, in pixels.
        height: Likewise.
        side: Longer side of what was described, in pixels.
        places: float32 (N, 4): x and y in pixels of the picture, angle in degrees, diameter in pixels of the picture.
        descriptors: uint8 (N, 128), RootSIFT times 512.
    """

    width: int
    height: int
    side: int
    places: np.ndarray
    descriptors: np.ndarray

    def __len__(self) -> int:
        return len(self.places)

    def to_bytes(self) -> bytes:
        """For a cache or a pipe: 28 bytes, and 144 for each keypoint."""
        head = _HEAD.pack(_MAGIC, self.width, self.height, self.side, len(self))
        return head + self.places.astype("<f4").tobytes() + self.descriptors.tobytes()

    @classmethod
    def from_bytes(cls, content: bytes) -> Features:
        """What `to_bytes` wrote.

        Raises:
            ImgsimError: It was not written by this version, or is damaged.
        """
        if len(content) < _HEAD.size or not bytes(content).startswith(_MAGIC):
            raise ImgsimError(f"local features: must begin with {_MAGIC!r} (got {bytes(content[: len(_MAGIC)])!r})")
        _, width, height, side, number = _HEAD.unpack_from(content)
        expected = _HEAD.size + number * (4 * _PLACE + _WIDTH)
        if len(content) != expected:
            raise ImgsimError(f"local features: {number} keypoints take {expected} bytes (got {len(content)})")
        places = np.frombuffer(content, "<f4", number * _PLACE, _HEAD.size).reshape(number, _PLACE)
        descriptors = np.frombuffer(content, np.uint8, offset=_HEAD.size + places.nbytes).reshape(number, _WIDTH)
        if min(side, width, height) < 1 or not np.isfinite(places).all():
            raise ImgsimError(f"local features: sizes and places must be numbers (got {width} x {height} at {side})")
        return cls(width, height, side, places, descriptors)

    @property
    def scale(self) -> float:
        """Pixels of the picture along one of what was described."""
        return max(self.width, self.height) / self.side

    def mirrored(self) -> Features:
        """The features of the mirror image, exactly but for rounding: descriptors are only ordered anew."""
        places = self.places.copy()
        places[:, 0] = self.width - places[:, 0]
        places[:, 2] = (180 - places[:, 2]) % 360
        return Features(self.width, self.height, self.side, places, self.descriptors[:, _MIRROR])


# A descriptor has 4 x 4 cells of 8 directions in the keypoint's own frame, which the mirror turns over.
_MIRROR = np.arange(_WIDTH).reshape(4, 4, 8)[::-1][:, :, (8 - np.arange(8)) % 8].ravel()


def described(pixels: np.ndarray, width: int, height: int) -> Features:
    """The local features of a picture.

    Args:
        pixels: uint8 RGB (h, w, 3), the picture at a size of its own.
        width: Of the picture, in pixels.
        height: Likewise.

    Raises:
        ImgsimError: There is no OpenCV.
    """
    cv2 = opencv()
    grey = cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_RGB2GRAY)
    # A side of one pixel would have no keypoints at any size, and OpenCV cannot shrink it to nothing.
    size = [max(1, round(side * SIDE / max(width, height))) for side in (width, height)]
    smaller = max(grey.shape) > SIDE
    grey = cv2.resize(grey, size, interpolation=cv2.INTER_AREA if smaller else cv2.INTER_CUBIC)
    keypoints, values = cv2.SIFT_create(MOST_KEYPOINTS, contrastThreshold=0.02).detectAndCompute(grey, None)
    # Ties at the last one kept are kept too.
    keypoints, values = keypoints[:MOST_KEYPOINTS], None if values is None else values[:MOST_KEYPOINTS]
    if not keypoints:
        return Features(width, height, SIDE, np.empty((0, _PLACE), np.float32), np.empty((0, _WIDTH), np.uint8))
    across, down = width / size[0], height / size[1]
    # OpenCV counts from the centre of the first pixel; here 0 is its edge.
    rows = [((k.pt[0] + 0.5) * across, (k.pt[1] + 0.5) * down, k.angle, k.size * across) for k in keypoints]
    sums = np.maximum(values.sum(axis=1, keepdims=True), 1e-12)
    descriptors = np.minimum(np.rint(np.sqrt(values / sums) * DESCRIPTOR_LENGTH), 255).astype(np.uint8)
    return Features(width, height, SIDE, np.array(rows, np.float32), descriptors)


def opencv() -> ModuleType:
    """OpenCV's module.

    Raises:
        ImgsimError: It is not installed.
    """
    try:
        import cv2
    except ImportError as error:
        raise ImgsimError("local features: OpenCV is needed (got none); pip install opencv-python-headless") from error
    return cv2
