"""Groups of copies by one of imagededup's perceptual hashes, as JSON: run by the Python that has imagededup.

    python _imagededup.py PHash|DHash|WHash|AHash FOLDER...

It imports nothing of imgsim.
"""

import json
import sys
from pathlib import Path

import imagededup.methods
from PIL import Image


def grouped(hasher: "imagededup.methods.hashing.Hashing", folder: Path) -> list[dict]:
    """Of the picture with most pixels, and then the next, what is near it goes."""
    near = hasher.find_duplicates(image_dir=folder, recursive=True, num_enc_workers=0, num_dist_workers=0)
    pixels = {}
    for name in near:
        with Image.open(folder / name) as image:
            pixels[name] = image.width * image.height
    groups, gone = [], set()
    for name in sorted(near, key=lambda name: (-pixels[name], name)):
        others = [other for other in near[name] if other not in gone]
        if name in gone or not others:
            continue
        gone.update(others)
        members = [{"path": str(folder / path), "remove": path != name} for path in (name, *others)]
        groups.append({"best": 0, "members": members})
    return groups


def main() -> None:
    """Prints the groups of all folders, each looked at by itself."""
    hasher = getattr(imagededup.methods, sys.argv[1])(verbose=False)
    print(json.dumps({"groups": [group for folder in sys.argv[2:] for group in grouped(hasher, Path(folder))]}))


if __name__ == "__main__":
    main()
