"""The command line in this process, and pictures to give it."""

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from imgsim_ops.cli.app import app


@pytest.fixture
def imgsim():
    """Runs a command line: ``imgsim("stats", folder).exit_code``, ``.stdout``, ``.stderr``."""

    def run(*arguments):
        return CliRunner().invoke(app, [str(argument) for argument in arguments], prog_name="imgsim")

    return run


@pytest.fixture
def failure(imgsim):
    """Runs a command line that must fail as a user's mistake does; returns its one line."""

    def run(*arguments):
        result = imgsim(*arguments)
        assert result.exit_code == 2, result.output
        assert result.stdout == ""
        (line,) = result.stderr.splitlines()
        assert line.startswith("imgsim: ")
        return line

    return run


@pytest.fixture
def photos(tmp_path):
    """A folder with two pictures in it."""
    folder = tmp_path / "photos"
    folder.mkdir()
    y, x = np.mgrid[0:80, 0:100]
    Image.fromarray(np.stack([x, y, x + y], -1).astype(np.uint8)).save(folder / "a.png")
    Image.fromarray(np.stack([255 - x, y, x], -1).astype(np.uint8)).save(folder / "b.jpg", quality=95)
    return folder
