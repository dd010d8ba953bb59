"""Recipes: how what the model says of a picture becomes the vector that is searched.

The raw vector of a picture has three parts, each of unit length and of as many values as an embedding: the multi-scale
mean of its centre, the last layer's generalised mean (GeM, p = 3) of its centre, and the same of the whole picture
squashed into a square. Of a picture of at most 64 x 64 pixels all three are of the latter view, the only one it has.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from imgsim_ops.errors import ImgsimError
from imgsim_ops.recipes.whitening import Whitening

#: Where the parts lie in a raw vector.
MEAN, CENTRE, SQUASHED = range(3)
PARTS = 3


@dataclass(frozen=True)
class Recipe:
    """A way from raw vectors to searched ones.

    Attributes:
        name: What ``--recipe`` takes.
        parts: Which parts of the raw vector it uses. Each is a view of its own: the score of two pictures is the best
            over the views of both.
        whitens: Whether a `Whitening` is applied where one has been fitted.
    """

    name: str
    parts: tuple[int, ...]
    whitens: bool

    @property
    def views(self) -> int:
        """Searched vectors for each picture."""
        return len(self.parts)

    def unwhitened(self, raw: np.ndarray) -> np.ndarray:
        """The parts of raw vectors that the recipe uses.

        Args:
            raw: (N, 3 D) floating array.

        Returns:
            (N * views, D) array of the same dtype; the views of a picture lie beside each other.
        """
        width = raw.shape[1] // PARTS
        return raw.reshape(len(raw), PARTS, width)[:, self.parts].reshape(len(raw) * self.views, width)

    def vectors(self, raw: np.ndarray, whitening: Whitening | None = None) -> np.ndarray:
        """The searched vectors.

        Args:
            raw: (N, 3 D) floating array.
            whitening: Used by recipes that whiten.

        Returns:
            float16 (N * views, dimension), of unit length; zeros for a part that is zero.
        """
        parts = self.unwhitened(raw)
        return (whitening.apply(parts) if whitening is not None and self.whitens else parts).astype(np.float16)


#: By name. ``mean`` is what exported models compute.
RECIPES = {
    recipe.name: recipe
    for recipe in (
        Recipe("mean", (MEAN,), whitens=False),
        Recipe("gem", (CENTRE,), whitens=False),
        Recipe("whitened", (CENTRE,), whitens=True),
        Recipe("views", (CENTRE, SQUASHED), whitens=True),
    )
}


def recipe_named(name: str) -> Recipe:
    """The recipe of a name.

    Raises:
        ImgsimError: There is none.
    """
    if name not in RECIPES:
        raise ImgsimError(f"recipe: must be one of {', '.join(RECIPES)} (got {name!r})")
    return RECIPES[name]
