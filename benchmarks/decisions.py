"""How truly imgsim decides, on real pictures with seeded copies and on pictures that only look alike.

    python benchmarks/decisions.py make FOLDER --half tune|judge --copies 3|28 [--originals N]

Originals are those of `_originals.py`, photographs and drawings. Those in even places of the list are for choosing
constants (``tune``), those in odd places for the figures that are given (``judge``).
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

from _decision_copies import make_copies
from _decision_folders import Folder, Manifest
from _harness import ROOT
from _originals import chosen, is_same, packaged

HALVES = ("tune", "judge")
#: How many originals of a half are copied, and how many pictures of it there are at most.
COPIED, MOST_ORIGINALS = 160, 555
SEED = 20


def originals_of(half: str, packages: Path) -> list[Path]:
    """The pictures of one half."""
    paths = [path for path in chosen(packaged(packages)) if not is_same(path)]
    return paths[HALVES.index(half) :: 2]


def spread(number: int, of: int) -> list[int]:
    """So many places, evenly over all."""
    return [i * of // number for i in range(number)]


def make(root: Path, half: str, copies: int, copied: int, packages: Path) -> Manifest:
    """Makes all folders under `root`, anew."""
    if root.exists():
        shutil.rmtree(root)
    seed = SEED + HALVES.index(half)
    originals = originals_of(half, packages)
    copied = min(copied, len(originals))
    total = min(len(originals), MOST_ORIGINALS if copied == COPIED else 2 * copied)
    originals = [originals[place] for place in spread(total, len(originals))]
    manifest = Manifest(root, half=half, copies=copies, originals=total, copied=copied)
    make_copies(Folder(manifest, "copies", seed), originals, spread(copied, total), copies, seed)
    manifest.write()
    return manifest


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    maker = commands.add_parser("make", help="make the folders of pictures and leave them")
    maker.add_argument("folder", type=Path)
    maker.add_argument("--half", choices=HALVES, default="judge")
    maker.add_argument("--copies", type=int, default=3, help="of each copied original; 28 are all kinds")
    maker.add_argument("--originals", type=int, default=COPIED, help="how many originals are copied")
    maker.add_argument("--packages", type=Path, default=ROOT / "build" / "originals")
    options = parser.parse_args()
    make(options.folder, options.half, options.copies, options.originals, options.packages)


if __name__ == "__main__":
    main()
