"""Pictures to vectors: one by one, as a stream, and as files of vectors."""
