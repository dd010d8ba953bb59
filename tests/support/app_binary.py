"""Running imgsim_app, and files for it that Pillow does not write."""

import json
import os
import struct
import subprocess
import zlib
from pathlib import Path

import numpy as np

APP = Path(os.environ.get("IMGSIM_APP") or Path(__file__).parents[2] / "build" / "app" / "imgsim_app")
WEIGHTS = "random:0"


def run(*arguments, code=0, environment=None):
    """Runs imgsim_app; returns stdout and stderr. A pipe that it opened would hang: hence the limit.

    `code` None: some files may be skipped.
    """
    command = [APP, *arguments]
    done = subprocess.run(command, capture_output=True, timeout=120, env={**os.environ, **(environment or {})})
    assert done.returncode in ((0, 3) if code is None else (code,)), (done.stdout, done.stderr)
    return done.stdout.decode(), done.stderr.decode()


def run_json(*arguments, code=0):
    return json.loads(run(*arguments, "--json", code=code)[0])


def one_line(text, *words):
    assert text.count("\n") == 1, text
    assert text.endswith("\n")
    assert all(word in text for word in words), text


ADAM7 = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]


PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def png_chunk(name, body):
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png_chunks(samples, colour, depth, *chunks, interlaced=False, promised=None, row_filter=0):
    """Names and bodies of the chunks of a PNG of raw samples (H, W, channels).

    `chunks` stand before the pixels; `promised` is the size that the header claims.
    The samples are stored as they are, whatever the number of their filter says.
    """

    def packed(row):
        bits = row.reshape(-1, 1) >> np.arange(depth)[::-1] & 1
        return bytes([row_filter]) + np.packbits(bits.reshape(-1).astype(np.uint8)).tobytes()

    passes = [samples[y::dy, x::dx] for x, y, dx, dy in (ADAM7 if interlaced else [(0, 0, 1, 1)])]
    rows = b"".join(packed(row) for part in passes if part.size for row in part)
    height, width = promised or samples.shape[:2]
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced)
    return [(b"IHDR", header), *chunks, (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]


def png(*arguments, **options):
    """A PNG for kinds that Pillow does not write; see `png_chunks`."""
    return PNG_SIGNATURE + b"".join(png_chunk(*chunk) for chunk in png_chunks(*arguments, **options))
