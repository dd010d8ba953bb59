"""How well copies are told by vectors and by perceptual hashes, which choose the pairs whose pixels are looked at.

What comes of those is measured by `decisions.py`.

    python benchmarks/quality.py [FOLDER...] [--packages build/originals]

Originals are photographs and drawings of Debian packages, which are fetched once by `apt-get download`, and of
scikit-image (`_originals.py` says which and what is left out), or the pictures in folders of one's own. Some of them,
spread evenly over all, are copied in the ways of `imgsim_ops.quality.copies`, by fixed seeds, and every copy is
compared with every original, so that each may be mistaken for 600 others. The weights are efficientnet_lite0's of
ImageNet.

Measured are the micro average precision over all pairs together, the recall at a precision of 0.90 and of 0.99, and at
the latter's threshold the recall of each kind of copies. Whitening is fitted to other pictures of the same packages,
and once to the originals without their copies, which flatters it: these lie apart from each other then as nothing new
does. Mirrored and turned copies are searched as they lie, and once more with what `--flips` and
`--rotations` add.

A run takes some ten minutes on two cores. What the pictures are described by is kept in build/quality.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
from _described import ENGINES, KINDS, TURNS, Described, described, raw_vectors
from _harness import ROOT, save
from _originals import chosen, in_folders, is_same, others, packaged
from rich.console import Console
from rich.table import Table

from imgsim_ops import kernels
from imgsim_ops.evaluation.machine import machine, machine_line
from imgsim_ops.matching.hashes import distances, is_flat
from imgsim_ops.quality.copies import MIXTURES, SINGLE_STEPS
from imgsim_ops.quality.precision import micro_average_precision
from imgsim_ops.recipes.recipes import RECIPES
from imgsim_ops.recipes.whitening import Whitening

PRECISIONS = (0.9, 0.99)


def searched(data: Described, recipe: str, precision: str, fitted_on: np.ndarray | None = None) -> np.ndarray:
    """Searched vectors of all pictures, float32 (N, crops, D); whitened where there are raw vectors to fit that to."""
    chosen_recipe, raw = RECIPES[recipe], data.raw[precision]
    whitening = None if fitted_on is None else Whitening.fit(chosen_recipe.unwhitened(fitted_on))
    return chosen_recipe.vectors(raw, whitening).astype(np.float32).reshape(len(raw), chosen_recipe.crops, -1)


def cosines(copies: np.ndarray, originals: np.ndarray) -> np.ndarray:
    """The best score over all crops, of each copy's version with each original."""
    pairs = [(one, other) for one in range(copies.shape[1]) for other in range(originals.shape[1])]
    return np.max([copies[:, one] @ originals[:, other].T for one, other in pairs], axis=0)


def bits_apart(hashes: np.ndarray, originals: int) -> np.ndarray:
    """Distances of perceptual hashes, of each copy's version to each original; 256 where one of them is flat."""
    found = np.stack([distances(value, hashes[:originals]) for value in hashes[originals:]])
    return np.where(is_flat(hashes[originals:])[:, np.newaxis] | is_flat(hashes[:originals]), 256, found)


def best_of_versions(data: Described, scores: np.ndarray, turned: bool) -> np.ndarray:
    """Of each copy as it lies, or the best over all ways that its flag turns it."""
    starts = np.flatnonzero(data.turn == 1)
    return np.maximum.reduceat(scores, starts) if turned else scores[starts]


def measured(data: Described, scores: np.ndarray, which: np.ndarray) -> dict[str, object]:
    """The measures over the copies in `which`, (copies, originals) of them."""
    lying = np.flatnonzero(data.turn == 1)[which]
    original, kind = data.original[lying], data.kind[lying]
    relevant = original[:, np.newaxis] == np.arange(data.originals)
    scores = scores[which]
    found: dict[str, object] = {
        "micro_ap": round(micro_average_precision(scores, relevant), 4),
        "first": round(float((scores.argmax(1) == original).mean()), 4),
    }
    order = np.lexsort((relevant.ravel(), -scores.ravel()))
    hits = np.cumsum(relevant.ravel()[order])
    precision = hits / np.arange(1, len(hits) + 1)
    for least in PRECISIONS:
        good = np.flatnonzero(precision >= least)
        threshold = scores.ravel()[order[good[-1]]] if len(good) else np.inf
        found[f"recall_at_{least}"] = round(float(hits[good[-1]] / len(scores)) if len(good) else 0.0, 4)
    own = scores[np.arange(len(scores)), original] >= threshold
    found["threshold"] = round(float(threshold), 4)
    found["by_kind"] = {
        name: round(float(own[kind == i].mean()), 4) for i, name in enumerate(KINDS) if (kind == i).any()
    }
    return found


def ways(data: Described, fitted_on: np.ndarray) -> Iterator[tuple[str, Callable[[], np.ndarray]]]:
    """Names, and how the scores of each version with each original are had."""
    count = data.originals
    yield "pHash of imagehash, 256 bits", lambda: -bits_apart(data.phashes, count).astype(np.float32)
    yield "perceptual hash, 256 bits", lambda: -bits_apart(data.hashes, count).astype(np.float32)

    def by_vectors(recipe: str, precision: str, fitted_on: np.ndarray | None = None) -> np.ndarray:
        vectors = searched(data, recipe, precision, fitted_on)
        return cosines(vectors[count:], vectors[:count])

    for precision in ENGINES:
        for name in ("mean", "gem", "crops"):
            unwhitened = ", not whitened" * RECIPES[name].whitens
            yield f"`{name}`{unwhitened}, {precision}", partial(by_vectors, name, precision)
    for name in ("whitened", "crops"):
        for to, raw in (("the originals", data.raw["int8"][:count]), ("other pictures", fitted_on)):
            yield f"`{name}` fitted to {to}, int8", partial(by_vectors, name, "int8", raw)


def main() -> None:
    """Describes, measures, prints and saves."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*", type=Path, help="folders with originals of one's own")
    parser.add_argument(
        "--packages", type=Path, default=ROOT / "build" / "originals", help="where Debian's are unpacked"
    )
    parser.add_argument("--copied", type=int, default=160, help="how many originals are copied")
    parser.add_argument("--cache", type=Path, default=ROOT / "build/quality")
    parser.add_argument("--threads", type=int, default=kernels.build_info()["threads"])
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    candidates = in_folders(options.folders) if options.folders else packaged(options.packages)
    paths = chosen(candidates)
    if not 0 < options.copied <= len(paths):
        parser.error(f"--copied must be 1 to {len(paths)}, the number of originals (got {options.copied})")
    data = described(paths, options.copied, options.cache, options.threads)
    left_out = np.array([is_same(path) for path in paths])
    data = data.without(left_out)
    fitted_on = raw_vectors(others(candidates, paths), options.cache)
    facts = machine(options.threads, ("opencv-python-headless", "imagehash", "pillow"))
    measured_paths = {path for path, out in zip(paths, left_out, strict=True) if not out}
    sources = {name: len(measured_paths & set(files)) for name, files in candidates.items()}
    document = {
        "machine": facts,
        "originals": data.originals,
        "sources": sources if not options.folders else {"folders of one's own": data.originals},
        "copied": len(np.unique(data.original)),
        "whitening_fitted_on": len(fitted_on),
        "kinds": {"single steps": list(SINGLE_STEPS), "mixtures": list(MIXTURES), "turned": list(TURNS)},
        "ways": {},
    }
    lying = np.flatnonzero(data.turn == 1)
    upright = ~np.isin(data.kind[lying], [list(KINDS).index(name) for name in TURNS])
    everything = np.ones_like(upright)
    console = Console()
    table = Table(title=machine_line(facts), title_justify="left")
    for head in ("way", "copies", "micro-AP", "first", *(f"recall at {least}" for least in PRECISIONS)):
        table.add_column(head)
    for name, score in ways(data, fitted_on):
        scores = score()
        document["ways"][name] = rows = {
            "upright": measured(data, best_of_versions(data, scores, turned=False), upright),
            "all": measured(data, best_of_versions(data, scores, turned=False), everything),
            "all, with flags": measured(data, best_of_versions(data, scores, turned=True), everything),
        }
        for which, row in rows.items():
            cells = (row["micro_ap"], row["first"], *(row[f"recall_at_{least}"] for least in PRECISIONS))
            table.add_row(name, which, *(f"{cell:.3f}" for cell in cells))
    console.print(table)
    print(f"Results written to {save('quality', document, options.json)}")


if __name__ == "__main__":
    main()
