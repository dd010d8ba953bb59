"""Drives CMake and packs its outputs; the sources and options are in CMakeLists.txt."""

import os
import subprocess
import sys
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

ROOT = Path(__file__).resolve().parent
# The switches of CMakeLists.txt that the environment may set: IMGSIM_CUDA=off pip install -e .
SWITCHES = ("IMGSIM_CUDA", "IMGSIM_CUDA_ARCHS", "IMGSIM_NATIVE")


class CMakeBuild(build_ext):
    """Builds every native library of the Python package in one CMake run."""

    def run(self) -> None:
        """Configures and builds into imgsim_ops/lib, of the checkout or of the wheel in the making."""
        output = (ROOT if self.editable_mode else Path(self.build_lib).resolve()) / "imgsim_ops" / "lib"
        build = ROOT / "build" / f"python-{sys.implementation.cache_tag}"
        options = [f"-D{name}={os.environ[name]}" for name in SWITCHES if name in os.environ]
        configure = ["cmake", "-S", ROOT, "-B", build, "-G", "Ninja", *options]
        configure += [f"-DPython_EXECUTABLE={sys.executable}", f"-DIMGSIM_OUTPUT={output}"]
        # A cache from an earlier build environment points to tools that may be gone.
        if (build / "CMakeCache.txt").exists():
            configure.append("--fresh")
        subprocess.run(configure, check=True)
        subprocess.run(["cmake", "--build", build], check=True)

    def get_source_files(self) -> list[str]:
        """What a source distribution needs besides the Python files."""
        folders = ("csrc", "cmake", "cpp_app", "export")
        files = [path for folder in folders for path in (ROOT / folder).rglob("*") if path.is_file()]
        return [str(path.relative_to(ROOT)) for path in [ROOT / "CMakeLists.txt", ROOT / "CMakePresets.json", *files]]


# The name is a formality: without an extension setuptools would not run build_ext.
setup(ext_modules=[Extension("imgsim_ops.lib", sources=[])], cmdclass={"build_ext": CMakeBuild})
