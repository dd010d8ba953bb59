"""The model files that engines run: the cache that holds them, and how a model is opened."""
