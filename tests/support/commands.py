"""Which packages a command imports."""

import subprocess
import sys

# Runs a command line as `imgsim` does, and says which top-level packages that took.
MAIN = """
import sys
from imgsim_ops.cli import main
try:
    main()
except SystemExit as end:
    print(end.code, *sorted({name.partition(".")[0] for name in sys.modules}))
"""
# What builds and trains models, or draws.
HEAVY = {"torch", "torchvision", "onnx", "onnxscript", "matplotlib", "scipy", "skimage", "filelock"}


def packages_of(*arguments):
    """The packages that a command needs, in a process of its own that must say nothing on stderr."""
    command = [sys.executable, "-W", "error", "-c", MAIN, *map(str, arguments)]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert result.stderr == ""
    code, *packages = result.stdout.splitlines()[-1].split()
    assert code == "0"
    return set(packages)
