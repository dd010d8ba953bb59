"""Where networks run, what a measurement was made on, and how calls are timed."""

from __future__ import annotations

import platform
import re
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from imgsim_ops.errors import ImgsimError


@dataclass(frozen=True)
class Place:
    """Where networks run.

    Attributes:
        device: ``cpu``, ``cuda`` or ``cuda:N``.
        threads: On the CPU. 0 means all processors that this process may use; PyTorch's number stays as it is.
    """

    device: str = "cpu"
    threads: int = 0

    def check(self) -> None:
        """Finds out before any work whether PyTorch can run there.

        Raises:
            ImgsimError: There is no such device.
        """
        self.check_name("methods")
        if self.device != "cpu" and self.cuda_number >= (count := cuda_devices()):
            raise ImgsimError(f"methods: --device must be a GPU that PyTorch sees (got {self.device}, of {count})")

    def check_name(self, command: str) -> None:
        """Checks the device's name.

        Args:
            command: Which one the error names.

        Raises:
            ImgsimError: No device is called so.
        """
        if not re.fullmatch("cpu|cuda(:[0-9]+)?", self.device):
            raise ImgsimError(f"{command}: --device must be cpu, cuda or cuda:N (got {self.device!r})")

    @property
    def cuda_number(self) -> int:
        """Which GPU."""
        return int(self.device.partition(":")[2] or 0)


def cuda_devices() -> int:
    """How many GPUs PyTorch sees."""
    import torch

    return torch.cuda.device_count()


def processor_name() -> str:
    """The processor's model, as it calls itself where the system tells that."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:  # not Linux
        pass
    return platform.processor() or platform.machine()


def free_memory() -> int | None:
    """Bytes that this process can still take, of the machine and of its control group; None where nothing tells."""
    free = []
    try:
        free.append(1024 * _numbers("/proc/meminfo")["MemAvailable:"])
        limit = Path("/sys/fs/cgroup/memory.max").read_text().strip()
        if limit != "max":
            used = int(Path("/sys/fs/cgroup/memory.current").read_text())
            # Pages of files are counted as used, and given back when they are asked for.
            free.append(int(limit) - used + _numbers("/sys/fs/cgroup/memory.stat")["file"])
    except OSError:  # not Linux, or no limit
        pass
    return min(free, default=None)


def _numbers(path: str) -> dict[str, int]:
    """A file of lines with a name and a number."""
    lines = (line.split() for line in Path(path).read_text().splitlines())
    return {words[0]: int(words[1]) for words in lines}


def machine(threads: int, packages: tuple[str, ...] = ()) -> dict[str, object]:
    """The processor, its instruction sets in use, threads and package versions."""
    from imgsim_ops import kernels

    versions = {}
    for package in ("imgsim-ops", "torch", "numpy", *packages):
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            versions[package] = "not installed"
    return {
        "processor": processor_name(),
        "cores": kernels.build_info()["threads"],
        "threads": threads,
        "instruction_set": kernels.build_info()["isa"],
        "python": platform.python_version(),
        "versions": versions,
    }


def machine_line(facts: dict[str, Any]) -> str:
    """The machine in one line."""
    versions = ", ".join(f"{name} {version}" for name, version in facts["versions"].items())
    return (
        f"{facts['processor']}, {facts['cores']} cores, {facts['threads']} threads, "
        f"{facts['instruction_set']}; Python {facts['python']}, {versions}"
    )


def median_seconds(call: Callable[[], object], repeats: int, warmup: int = 1) -> float:
    """The median time of a call, after calls that are not counted.

    Args:
        call: What is timed; must return only when the work is done.
        repeats: How many calls are timed, at least 1.
        warmup: How many come before.
    """
    for _ in range(warmup):
        call()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return statistics.median(times)
