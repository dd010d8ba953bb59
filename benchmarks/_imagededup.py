"""Groups of copies by one of imagededup's perceptual hashes, as JSON: run by the Python that has imagededup.

python _imagededup.py FOLDER PHash|DHash|WHash|AHash
"""

import json
import sys
from pathlib import Path

import imagededup.methods
from PIL import Image


def main() -> None:
    """Of each picture with most pixels, and then the next, what is near it goes."""
    folder, method = Path(sys.argv[1]), sys.argv[2]
    hasher = getattr(imagededup.methods, method)(verbose=False)
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
    print(json.dumps({"groups": groups}))


if __name__ == "__main__":
    main()
