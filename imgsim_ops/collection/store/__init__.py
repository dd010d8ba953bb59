"""A collection on disk: its database, its files of vectors, and the lock of the one who writes."""
