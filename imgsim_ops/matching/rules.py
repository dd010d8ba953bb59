"""Which pairs are looked at: the measured constants. What pairs are, their pixels say (`relations`)."""

from __future__ import annotations

#: Pictures whose perceptual hashes are at most so many bits of 256 apart may lie over each other as they are.
PERCEPTUAL_BITS = 24
#: So many of the nearest by vector, outside of its own group, are looked at for each picture.
CANDIDATES = 3
