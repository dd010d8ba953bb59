"""An engine that takes no time and is easy to predict."""

import numpy as np

from imgsim_ops.recipes.fingerprint import Fingerprint


class StubEngine:
    """Its vector of a picture are the picture's own sums, whatever else is in the batch.

    Attributes:
        batches: How many pictures each call had, in the order of the calls.
        fails: Whether calls fail.
    """

    fingerprint = Fingerprint("stub", "0" * 12, "fp32", 1)
    dimension = 5
    has_gem = True

    def __init__(self, many=True):
        self._many = many
        self.batches = []
        self.fails = False

    def many_at_once(self):
        return self if self._many else None

    def embed(self, pixels):
        self.batches.append(len(pixels))
        if self.fails:
            raise ZeroDivisionError("the engine's own")
        assert pixels.dtype == np.uint8
        assert pixels.shape[1:] == (224, 224, 3)
        return np.stack([vector(picture) for picture in pixels])

    def embed_with_gem(self, pixels):
        return self.embed(pixels), np.stack([gem(picture) for picture in pixels])


class Blocks(StubEngine):
    """Its vector of a picture are the means of 4 x 4 pieces, which tells how it is turned."""

    dimension = 16

    def embed(self, pixels):
        super().embed(pixels)
        means = pixels.astype(np.float32).reshape(-1, 4, 56, 4, 56, 3).mean((2, 4, 5))
        return means.reshape(-1, 16) - 127

    def embed_with_gem(self, pixels):
        vectors = self.embed(pixels)
        return vectors, vectors[:, ::-1].copy()


def gem(pixels):
    return vector(pixels)[::-1] + 1


def vector(pixels):
    thumbnail = pixels.astype(np.float32)
    return np.array([*thumbnail.mean((0, 1)), thumbnail[0, 0, 0], thumbnail[-1, -1, -1]], np.float32)
