"""How truly imgsim decides, on real pictures with seeded copies and on pictures that only look alike.

    python benchmarks/decisions.py [--copies 3|28] [--half judge|tune] [--flags] [--program PATH] [--quick]
    python benchmarks/decisions.py make FOLDER [--copies 3|28] [--half judge|tune] [--originals N]
    python benchmarks/decisions.py make-tiny FOLDER [--half judge|tune] [--count 6000]

Originals are the photographs and drawings of `_originals.py`. Those in even places of the list are for choosing
constants (``--half tune``), and those in odd places for the figures that are given (``--half judge``): nothing is to be
chosen by looking at what the latter say. Four folders are made of them, the same each time, with names and times of
files that say nothing; what their files are lies beside them in ``manifest.json``.

- ``copies``: 160 originals as they are, some copies of each, of 28 kinds (`_decision_copies.py`), among the other
  originals of the half. For each kind it is known what it is to its original: a copy, a part of it, or edited. A part
  that lacks nothing but a margin of one colour may go as a copy does.
- ``overlays``: one caption, or one frame of an app, over many photographs, with these beside them.
- ``lookalikes``: 32 kinds of pictures that are of one make and show other things, nine of each: pages of one template,
  drawings of one style, parts of one surface, frames of a burst, things in other colours.
- ``tiny``: 6,000 pictures of 32 x 32 pixels; and 1,000 others, and 100 copies out of the 6,000 among them. Half of the
  others are parts of pictures of which the 6,000 are parts too.

The program itself is run on them, ``dups`` and ``leak``, with a cache that is empty but for the model file. A picture
goes when its ``remove`` is true; in versions whose ``dups --json`` has no such field, when it is not its group's best.
A removal is wrong when the picture that is kept shows something else, when it is an original that goes for its copy,
when it is a part or edited, and when it goes for a part or for what is edited. Of look-alikes each removal is wrong.
The perceptual hashes of imagededup, at their own thresholds, decide about the same folders; there the picture with most
pixels is kept. Where imagededup is not installed, it is put into build/imagededup, apart from all else.

What is made is kept in build/decisions until what makes it changes. ``--quick`` takes nothing but the photographs of
scikit-image, and few of all; its figures only say that everything runs.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from _decision_copies import make_copies
from _decision_folders import MANIFEST, Folder, Manifest, Truth
from _decision_overlays import make_overlays
from _decision_programs import HASHES, Finder, Imagededup, Imgsim, python_with_imagededup
from _decision_scores import REASONS, by_name, score_copies, score_leaks, score_lookalikes
from _decision_tiny import make_tiny
from _harness import ROOT, save
from _lookalike_photographs import Photographs
from _lookalikes import OF_A_KIND, make_lookalikes
from _originals import chosen, is_same, packaged
from rich.console import Console
from rich.table import Table

from imgsim_ops import kernels
from imgsim_ops.evaluation.machine import machine, machine_line
from imgsim_ops.quality.photographs import CALIBRATION, EVALUATION, find_photographs

HALVES = ("tune", "judge")
FLAGS = ("--flips", "--rotations")
#: How many pictures of a half there are at most.
MOST_ORIGINALS = 555
SEED = 20


@dataclass(frozen=True)
class Sizes:
    """How much is made of everything.

    Attributes:
        originals: Those that are copied.
        photographs: Those under captions and in frames.
        of_a_kind: Look-alikes of each kind.
        tiny: Pictures of the training set, others of the test set, and copies in it.
    """

    originals: int = 160
    photographs: int = 16
    of_a_kind: int = OF_A_KIND
    tiny: tuple[int, int, int] = (6000, 1000, 100)


QUICK = Sizes(originals=4, photographs=3, of_a_kind=2, tiny=(60, 20, 6))


def originals_of(half: str, packages: Path | None) -> list[Path]:
    """The pictures of one half; without packages, scikit-image's alone."""
    ours = {"scikit-image": find_photographs((*EVALUATION, *CALIBRATION))}
    paths = [path for path in chosen(packaged(packages) if packages else ours) if not is_same(path)]
    return paths[HALVES.index(half) :: 2]


def spread(number: int, of: int) -> list[int]:
    """So many places, evenly over all."""
    return [i * of // number for i in range(number)]


def make(root: Path, half: str, copies: int, sizes: Sizes, packages: Path | None) -> Manifest:
    """Makes all folders under `root` but that of tiny pictures, anew."""
    if root.exists():
        shutil.rmtree(root)
    seed = SEED + HALVES.index(half)
    of_half = originals_of(half, packages)
    copied = min(sizes.originals, len(of_half))
    total = min(len(of_half), MOST_ORIGINALS if sizes.originals == Sizes.originals else 2 * copied)
    originals = [of_half[place] for place in spread(total, len(of_half))]
    manifest = Manifest(root, half=half, copies=copies, originals=total, copied=copied, makers=_makers())
    make_copies(Folder(manifest, "copies", seed), originals, spread(copied, total), copies, seed)
    photographs = Photographs(of_half).photographs
    shown = [photographs[place] for place in spread(min(sizes.photographs, len(photographs)), len(photographs))]
    make_overlays(Folder(manifest, "overlays", seed), shown)
    make_lookalikes(manifest, "lookalikes", of_half, sizes.of_a_kind, seed)
    manifest.write()
    return manifest


def make_tiny_folder(root: Path, half: str, tiny: tuple[int, int, int], packages: Path | None) -> Manifest:
    """Makes the folder of tiny pictures under `root`, anew."""
    if root.exists():
        shutil.rmtree(root)
    manifest = Manifest(root, half=half, tiny=list(tiny), makers=_makers())
    make_tiny(manifest, "tiny", originals_of(half, packages), *tiny, SEED + HALVES.index(half))
    manifest.write()
    return manifest


def _makers() -> str:
    """Changes when what makes the pictures does."""
    folder = Path(__file__).parent
    sources = [*folder.glob("_lookalike*.py"), *folder.glob("_decision_*.py"), folder / "_originals.py", Path(__file__)]
    made_by = [
        path.read_bytes() for path in sorted(sources) if path.stem not in ("_decision_programs", "_decision_scores")
    ]
    return hashlib.sha256(b"".join(made_by)).hexdigest()[:12]


def _kept(root: Path) -> Manifest | None:
    """What is made already, by the makers as they are."""
    if not (root / MANIFEST).exists():
        return None
    manifest = Manifest.read(root)
    return manifest if manifest.facts["makers"] == _makers() else None


def decide(finder: Finder, manifest: Manifest) -> dict[str, object]:
    """What a program makes of all folders but the tiny pictures."""
    found: dict[str, object] = {}
    for name in ("copies", "overlays"):
        groups, seconds = finder.groups(manifest.root / name)
        found[name] = {**score_copies(by_name(manifest.under(name)), groups), "seconds": round(seconds, 1)}
    truths = by_name(manifest.under("lookalikes"))
    groups, seconds = finder.groups(manifest.root / "lookalikes")
    found["look-alikes together"] = {**score_lookalikes(truths, groups), "seconds": round(seconds, 1)}
    groups, seconds = finder.groups(*sorted((manifest.root / "lookalikes").iterdir()))
    found["look-alikes by kind"] = {**score_lookalikes(truths, groups), "seconds": round(seconds, 1)}
    return found


def leaks_of_copies(imgsim: Imgsim, manifest: Manifest, place: Path) -> dict[str, object]:
    """Copies as a test set and their originals as a training set; the other originals by turns in either."""
    truths = manifest.under("copies")
    copied = {truth.original for truth in truths.values() if truth.right}
    others = sorted(truth.original for truth in truths.values() if truth.original not in copied)
    train = {path: truth for path, truth in truths.items() if truth.kind == "original"}
    train = {path: truth for path, truth in train.items() if truth.original not in others[::2]}
    test = {path: truth for path, truth in truths.items() if path not in train}
    sets: dict[str, Mapping[Path, Truth]] = {"train": train, "test": test}
    for name, paths in sets.items():
        (place / name).mkdir()
        for path in paths:
            os.link(path, place / name / path.name)
    leaks, seconds = imgsim.leaks(place / "train", place / "test")
    return {**score_leaks(by_name(test), by_name(train), leaks), "seconds": round(seconds, 1)}


def leaks_of_tiny(imgsim: Imgsim, manifest: Manifest) -> dict[str, object]:
    """Copies among tiny pictures."""
    leaks, seconds = imgsim.leaks(manifest.root / "tiny/train", manifest.root / "tiny/test")
    train, test = (by_name(manifest.under(f"tiny/{name}")) for name in ("train", "test"))
    return {**score_leaks(test, train, leaks), "seconds": round(seconds, 1)}


#: What the table shows of each folder: a label and the names of where the measure stands.
ROWS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("copies", "with their original", ("recall",)),
    ("", "... without mirrored and turned", ("recall_lying",)),
    ("", "... of opaque originals", ("recall_opaque",)),
    ("", "in no group", ("in_no_group",)),
    ("", "groups of several originals", ("wrong_joins",)),
    ("", "originals kept", ("original_kept",)),
    ("", "originals best", ("original_best",)),
    ("", "relation right", ("relations_right",)),
    ("", "plain copies that go", ("plain_copies_gone",)),
    ("", "wrong removals", ("wrong_removals", "all")),
    *(("", f"... {reason}", ("wrong_removals", reason)) for reason in REASONS),
    ("", "seconds", ("seconds",)),
    ("overlays", "with their photograph", ("recall",)),
    ("", "groups of several photographs", ("wrong_joins",)),
    ("", "wrong removals", ("wrong_removals", "all")),
    *(("", f"... {reason}", ("wrong_removals", reason)) for reason in REASONS[:3]),
    ("look-alikes together", "that go", ("gone",)),
    ("", "in a group", ("grouped",)),
    ("look-alikes by kind", "that go", ("gone",)),
    ("", "in a group", ("grouped",)),
    ("leak", "copies with the right source", ("recall",)),
    ("", "copies with a wrong source", ("wrong_source",)),
    ("", "others called copies", ("others",)),
    ("", "seconds", ("seconds",)),
    ("tiny leak", "copies with the right source", ("recall",)),
    ("", "copies with a wrong source", ("wrong_source",)),
    ("", "others called copies", ("others",)),
    ("", "... parts of the same pictures", ("others_by_kind", "beside")),
    ("", "seconds", ("seconds",)),
)


def _value(way: Mapping[str, object], folder: str, names: tuple[str, ...]) -> object:
    found = way.get(folder)
    for name in names:
        if found is None:
            return None
        found = found.get(name, 0)
    return found


def _cell(value: object) -> str:
    return f"{value:.3f}" if isinstance(value, float) and value <= 1 else "" if value is None else str(value)


def measures(ways: Mapping[str, Mapping[str, Mapping[str, object]]]) -> Iterator[tuple[str, str, list[str]]]:
    """The rows of the table: a folder where one begins, a measure's label, and what each way has of it."""
    folder = ""
    for named, label, names in ROWS:
        folder = named or folder
        yield named, label, [_cell(_value(way, folder, names)) for way in ways.values()]


KIND_HEADS = ("kind", "with original", "goes", "goes wrongly", "leak", "best instead", "relations")


def by_kind(way: Mapping[str, Mapping[str, object]]) -> Iterator[list[str]]:
    """Rows, as in `KIND_HEADS`."""
    copies, leak = way["copies"], way.get("leak", {})
    for kind, recall in copies["recall_by_kind"].items():
        relations = copies["relations"].get(kind, {})
        cells = (
            recall,
            copies["plain_copies_gone_by_kind"].get(kind),
            copies["wrong_removals_by_kind"].get(kind, 0),
            leak.get("recall_by_kind", {}).get(kind),
            copies["best_instead"].get(kind, 0),
        )
        said = ", ".join(f"{count} {relation}" for relation, count in relations.items())
        yield [kind, *map(_cell, cells), said]


def show(console: Console, title: str, ways: Mapping[str, Mapping[str, Mapping[str, object]]]) -> None:
    """Prints the measures of all ways side by side, then those of the first by kind."""
    table = Table(title=title, title_justify="left")
    for head in ("of", "measure", *ways):
        table.add_column(head)
    for named, label, cells in measures(ways):
        if named:
            table.add_section()
        table.add_row(named, label, *cells)
    console.print(table)
    first = next(iter(ways.values()))
    table = Table(title="Of each kind of copies, by imgsim", title_justify="left")
    for head in KIND_HEADS:
        table.add_column(head)
    for row in by_kind(first):
        table.add_row(*row)
    console.print(table)
    for folder in ("look-alikes together", "look-alikes by kind"):
        gone = ", ".join(f"{kind} {count}" for kind, count in first[folder]["gone_by_kind"].items())
        console.print(f"{folder}, by imgsim, that go: {gone or 'none'}")


def measure(options: argparse.Namespace, console: Console) -> None:
    """Makes what is not made yet, runs the programs, prints and saves."""
    sizes, packages = (QUICK, None) if options.quick else (Sizes(originals=options.originals), options.packages)
    kept = ROOT / "build" / "decisions"
    size = "quick" if options.quick else str(options.originals)
    root, tiny_root = kept / f"{options.half}-{options.copies}-{size}", kept / f"{options.half}-tiny-{sizes.tiny[0]}"
    manifest = _kept(root) or make(root, options.half, options.copies, sizes, packages)
    tiny = _kept(tiny_root) or make_tiny_folder(tiny_root, options.half, sizes.tiny, packages)
    ways: dict[str, dict[str, object]] = {}
    flags = FLAGS if options.flags else ()
    with tempfile.TemporaryDirectory(dir=kept) as name:
        place = Path(name)
        (place / "cache").mkdir()
        imgsim = Imgsim(options.program, place / "cache", flags)
        ways["imgsim"] = found = decide(imgsim, manifest)
        found["leak"] = leaks_of_copies(imgsim, manifest, place)
        found["tiny leak"] = leaks_of_tiny(imgsim, tiny)
    python = None if options.no_hashes else python_with_imagededup(ROOT / "build/imagededup", install=not options.quick)
    if python is None and not options.no_hashes:
        console.print("imagededup is not installed and could not be: its hashes are not measured")
    for method in HASHES if python else ():
        ways[method] = decide(Imagededup(python, method), manifest)
    facts = machine(kernels.build_info()["threads"], ("opencv-python-headless", "pillow"))
    copied = f"{manifest.facts['copied']} originals of the half {options.half}, {options.copies} copies each"
    show(console, f"{machine_line(facts)}\n{copied}{'; hashes by imagededup' * bool(python)}", ways)
    made = {name: value for name, value in manifest.facts.items() if name != "makers"}
    document = {
        "machine": facts,
        "made": {**made, "tiny": list(sizes.tiny)},
        "flags": list(flags),
        "program": "this one" if options.program is None else str(options.program),
        "imagededup": python is not None,
        "ways": ways,
    }
    out = options.json or (kept / "quick.json" if options.quick else None)
    console.print(f"Results written to {save('decisions' + '-flags' * options.flags, document, out)}")


def main() -> None:
    """The command line."""
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--half", choices=HALVES, default="judge", help="judge for figures, tune for choosing constants"
    )
    common.add_argument("--copies", type=int, default=3, help="of each copied original; 28 are all kinds")
    common.add_argument("--originals", type=int, default=Sizes.originals, help="how many originals are copied")
    common.add_argument(
        "--packages", type=Path, default=ROOT / "build" / "originals", help="where Debian's are unpacked"
    )
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, parents=[common]
    )
    parser.add_argument("--flags", action="store_true", help=f"run with {' '.join(FLAGS)}")
    parser.add_argument("--program", type=Path, help="another imgsim: its command, or a folder with its imgsim_ops")
    parser.add_argument("--no-hashes", action="store_true", help="leave imagededup out")
    parser.add_argument("--quick", action="store_true", help="few pictures of scikit-image: does everything run?")
    parser.add_argument("--json", type=Path)
    commands = parser.add_subparsers(dest="command")
    maker = commands.add_parser("make", parents=[common], help="make the folders of pictures, and leave them")
    tiny_maker = commands.add_parser("make-tiny", parents=[common], help="make the tiny pictures, and leave them")
    for command in (maker, tiny_maker):
        command.add_argument("folder", type=Path)
    tiny_maker.add_argument("--count", type=int, default=Sizes.tiny[0], help="of the training set")
    options = parser.parse_args()
    if options.command == "make":
        make(options.folder, options.half, options.copies, Sizes(originals=options.originals), options.packages)
    elif options.command == "make-tiny":
        make_tiny_folder(options.folder, options.half, (options.count, *Sizes.tiny[1:]), options.packages)
    else:
        measure(options, Console())


if __name__ == "__main__":
    main()
