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


Box = tuple[int, int, int, int]


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
        relation: What the first picture is to the second, by their pixels: ``identical``, ``same_pixels``, ``copy``,
            ``part``, ``edited`` or ``look_alike``, see ``matching.relations.Relation``; None where only the score was
            asked for.
        differences: Boxes (x, y, width, height) around places that differ, in pixels of the first and of the second.
        transform: From pixels of the first to those of the second, a homography in nine numbers, row by row; None where
            nothing lies over each other.
        lacks: What the first shows and the second lacks, and the other way round; see ``matching.relations.Judgement``.
        empty: Whether the first shows nothing, being of one colour or transparent throughout, and the second.
    """

    score: float
    layers: tuple[float, ...] = ()
    word: str | None = None
    fingerprint: str = ""
    relation: str | None = None
    differences: tuple[tuple[Box, Box], ...] = ()
    transform: tuple[float, ...] | None = None
    lacks: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())
    empty: tuple[bool, bool] = (False, False)

    @property
    def sentence(self) -> str | None:
        """What the first picture is to the second, in words; None where only the score was asked for."""
        if self.relation is None:
            return None
        words = {
            "identical": "the same file",
            "same_pixels": "the same pixels, in another file",
            "copy": "a copy of it",
            "part": "a part of it" if "more" not in self.lacks[0] else "it shows all of the other, and more",
            "edited": "edited here",
            "look_alike": "not the same picture" if self.score < _ALIKE else "look alike, not the same picture",
        }[self.relation]
        if self.relation == "part" and all("more" in side for side in self.lacks):
            words = "parts of one picture"
        if self.relation == "copy" and self.transform is not None:
            words += self._size()
        if any(self.empty):
            words += "; neither shows anything" if all(self.empty) else f"; the {_nth(self.empty)} shows nothing"
        return words

    def _size(self) -> str:
        a, b, _, d, e, *_ = self.transform or (1, 0, 0, 0, 1)
        scale = abs(a * e - b * d) ** 0.5
        return "" if 1 / _RESIZED < scale < _RESIZED else ", resized"


def _nth(which: tuple[bool, bool]) -> str:
    return "first" if which[0] else "second"


# Scores below this say that the pictures have nothing to do with each other.
_ALIKE = 0.78
_RESIZED = 1.02


def word_for(backbone: str, score: float) -> str | None:
    """A word for a score; None for a backbone whose scores have not been measured on real weights."""
    return next((word for least, word in _WORDS.get(backbone, ()) if score >= least), None)
