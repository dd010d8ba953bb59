"""Collections of pictures on disk: their vectors, and what is found in them."""

from imgsim_ops.collection.collection import Collection

__all__ = ["Collection"]
