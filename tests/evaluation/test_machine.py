import os
import platform
import time

import numpy
import pytest

from imgsim_ops import kernels
from imgsim_ops.evaluation import machine


def test_facts_are_this_machine():
    facts = machine.machine(3, ("no-such-package",))
    assert facts["threads"] == 3
    assert facts["processor"]
    assert facts["cores"] == kernels.build_info()["threads"] <= os.cpu_count()
    assert facts["instruction_set"] == kernels.build_info()["isa"]
    assert facts["python"] == platform.python_version()
    assert facts["versions"]["numpy"] == numpy.__version__
    assert facts["versions"]["no-such-package"] == "not installed"


def test_facts_in_one_line():
    facts = {
        "processor": "P", "cores": 2, "threads": 1, "instruction_set": "avx2", "python": "3.10.1",
        "versions": {"torch": "2.11", "numpy": "2.0"},
    }  # fmt: skip
    assert machine.machine_line(facts) == "P, 2 cores, 1 threads, avx2; Python 3.10.1, torch 2.11, numpy 2.0"
    assert "\n" not in machine.machine_line(machine.machine(1))


@pytest.mark.parametrize(("repeats", "warmup", "median"), [(1, 0, 5.0), (1, 1, 1.0), (3, 1, 2.0), (4, 1, 2.5)])
def test_the_median_leaves_out_the_warm_up(monkeypatch, repeats, warmup, median):
    durations = iter([5.0, 1.0, 3.0, 2.0, 4.0])
    now = [0.0]

    def call():
        now[0] += next(durations)

    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    assert machine.median_seconds(call, repeats, warmup) == median
    assert len(list(durations)) == 5 - repeats - warmup
