"""Collections of pictures on disk: their vectors, and what is found in them."""
