"""How alike two pictures are: a number, and a word for it where that was measured."""

from __future__ import annotations

from dataclasses import dataclass

#: What the four taps of a backbone see, from the finest to the coarsest.
SCALES = (
    ("texture", "edges, colours, grain"),
    ("pattern", "repeats and surfaces"),
    ("parts", "pieces of things"),
    ("subject", "what is shown"),
)

# The least score for each word, where it was measured with real weights. efficientnet_lite0, on 19
# photographs of scikit-image and scikit-learn: 95 % of the pairs of unrelated ones score below 0.53, the
# nearest 0.755 (grass and gravel); of copies cropped to 80 %, mirrored, turned by 5 degrees or
# recompressed at quality 50 half score above 0.97.
_WORDS = {
    "efficientnet_lite0": (
        (0.9995, "the same picture"),
        (0.93, "a copy, or nearly"),
        (0.78, "much alike"),
        (0.55, "somewhat alike"),
        (-1.0, "different"),
    ),
}


@dataclass(frozen=True)
class Similarity:
    """How alike two pictures are.

    Attributes:
        score: Cosine of the two embeddings; at most 1, and 1 for equal pixels.
        layers: Cosines of the pooled vectors of the four taps, fine to coarse: the first compares texture and
            colour, the last the subject; `SCALES` names them. Empty for a model that has one scale only, as trained
            encoders have.
        word: What the score means; None for a model whose scores were not measured on real weights.
        fingerprint: What made the vectors.
    """

    score: float
    layers: tuple[float, ...] = ()
    word: str | None = None
    fingerprint: str = ""


def word_for(backbone: str, score: float) -> str | None:
    """A word for a score; None for a backbone whose scores have not been measured on real weights."""
    return next((word for least, word in _WORDS.get(backbone, ()) if score >= least), None)
