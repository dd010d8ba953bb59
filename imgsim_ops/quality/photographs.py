"""Real photographs that an installed package brings along."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path

from imgsim_ops.errors import ImgsimError

#: For setting the ranges of quantised models.
CALIBRATION = (
    "astronaut.png",
    "brick.png",
    "camera.png",
    "cell.png",
    "grass.png",
    "hubble_deep_field.jpg",
    "ihc.png",
    "microaneurysms.png",
    "moon.png",
    "text.png",
)

#: For measuring. None of them shows what one of `CALIBRATION` shows.
EVALUATION = (
    "chelsea.png",
    "clock_motion.png",
    "coffee.png",
    "coins.png",
    "gravel.png",
    "motorcycle_left.png",
    "page.png",
    "retina.jpg",
    "rocket.jpg",
)


def find_photographs(names: Sequence[str]) -> list[Path]:
    """The files of these names in scikit-image, which is not imported.

    Raises:
        ImgsimError: scikit-image, or one of the files in it, is not installed.
    """
    package = importlib.util.find_spec("skimage")
    places = list(package.submodule_search_locations) if package else []
    files = [Path(place) / "data" / name for place in places for name in names]
    if not files or not all(file.is_file() for file in files):
        raise ImgsimError("photographs: scikit-image must be installed (got none); run pip install scikit-image")
    return files
