"""Recipes that are fitted to the pictures of a collection: from how many on, when anew, and to which of them."""

from __future__ import annotations

import os

from imgsim_ops.collection.store.store import Store
from imgsim_ops.errors import ImgsimError
from imgsim_ops.files.names import printable
from imgsim_ops.recipes.recipes import Recipe
from imgsim_ops.recipes.whitening import FittedWhitening, Whitening

#: From so many contents on a recipe that whitens is fitted to the collection, and anew whenever it has doubled: the
#: smallest collections for which it was measured to find more copies among pictures that it was fitted to (`recipes`).
FIT_FROM = 200
# Rows that are looked at for it, spread over all: more change nothing that can be measured.
_FIT_ROWS = 50_000


def apply_recipe(store: Store, recipe: Recipe) -> None:
    """Makes the searched vectors by a recipe; one that whitens is fitted to the collection if that is large enough.

    Raises:
        OSError: The disk is full or refuses. The collection is as before.
    """
    if not recipe.whitens or store.rows < FIT_FROM:
        store.change_recipe(recipe)
        return
    raw = store.raw()
    step = max(1, len(raw) // _FIT_ROWS)
    store.change_recipe(recipe, Whitening.fit(recipe.unwhitened(raw[::step])), store.rows)


def refit(store: Store) -> bool:
    """Fits the recipe's whitening to the collection where that is due; says whether it was.

    Raises:
        OSError: The disk is full or refuses. The collection is as before.
    """
    due = store.recipe.whitens and store.rows >= max(FIT_FROM, 2 * store.fitted_on)
    if due:
        apply_recipe(store, store.recipe)
    return due


def fitted_whitening(collection: str | os.PathLike[str]) -> FittedWhitening:
    """What a collection's recipe was fitted to, for models that are to make the same vectors.

    Raises:
        ImgsimError: It is no collection, or its recipe has not been fitted.
    """
    with Store.open(collection) as store:
        if store.whitening is None:
            raise ImgsimError(
                "export: the collection must have been fitted by the recipe whitened or views, which imgsim index does "
                f"from {FIT_FROM} pictures on (got recipe {store.recipe.name} of {store.rows} in "
                f"{printable(collection)})"
            )
        return FittedWhitening(store.whitening, store.fingerprint, store.path)
