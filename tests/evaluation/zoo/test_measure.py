import gc
import weakref

import numpy as np
import pytest
import torch

from imgsim_ops.errors import ImgsimError, WeightsError
from imgsim_ops.evaluation import machine
from imgsim_ops.evaluation.zoo import measure as measure_module
from imgsim_ops.evaluation.zoo.candidates import Loaded
from imgsim_ops.evaluation.zoo.measure import measure
from imgsim_ops.evaluation.zoo.triples import Triple, Triples
from tests.support.zoo_made import FACTS, MeanColour, settings


def plain(*colour):
    return np.full((4, 6, 3), colour, np.uint8)


TRIPLES = Triples(
    [
        Triple(plain(10, 0, 0), plain(20, 0, 0), plain(0, 30, 0)),
        Triple(plain(10, 10, 0), plain(10, 0, 0), plain(0, 5, 5)),
    ]
)


def test_a_row():
    candidate = MeanColour()
    row = measure(candidate, TRIPLES, settings(repeats=5, warmup=2))
    assert (row.model, row.weights, row.facts) == ("mean", "V1", FACTS)
    half, root = 0.5, 0.5**0.5  # cosines of 60 and of 45 degrees
    # Of small whole numbers, in float32.
    np.testing.assert_allclose(row.cosines, [[1, 0, 0], [root, half, half]], rtol=1e-6)
    assert row.embed_s > 0
    assert row.similarity_s > 0
    assert (row.no_weights, row.failed, row.note) == (False, "", "a note")
    assert candidate.calls == 5 + 2 + 2 + 2 * 4  # timed, before, for the time of the cosine, and all pictures


def test_without_weights_there_are_times_and_no_similarities():
    candidate = MeanColour(trained=False)
    row = measure(candidate, TRIPLES, settings())
    assert row.cosines is None
    assert row.no_weights
    assert row.embed_s > 0
    assert row.failed == ""


@pytest.mark.parametrize(
    ("error", "failed", "no_weights"),
    [
        (WeightsError("a-1234.pth is not there"), "no weights: a-1234.pth is not there", True),
        (ImgsimError("zoo: cannot be (got this)"), "zoo: cannot be (got this)", False),
        (MemoryError(), "no memory", False),
        (MemoryError("takes 5 GB"), "no memory: takes 5 GB", False),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), "no memory", False),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"), "no memory", False),
        (KeyError("name"), "KeyError: 'name'", False),
        (RuntimeError("two\nlines " + 100 * "long "), "RuntimeError: two lines long long", False),
        (AssertionError(), "AssertionError: ", False),
    ],
)
def test_one_that_fails_says_why_in_a_short_line(error, failed, no_weights):
    row = measure(MeanColour(error=error), TRIPLES, settings())
    assert row.failed.startswith(failed.rstrip())
    assert len(row.failed) <= 100
    assert "\n" not in row.failed
    assert row.no_weights == no_weights
    assert row.facts == FACTS
    assert row.embed_s is None
    assert row.cosines is None


def test_ctrl_c_is_no_failure():
    with pytest.raises(KeyboardInterrupt):
        measure(MeanColour(error=KeyboardInterrupt()), TRIPLES, settings())


class Holding(MeanColour):
    """A candidate whose network is known to `alive` as long as it is in memory."""

    def __init__(self, alive):
        super().__init__()
        self.alive = alive

    def load(self, files, place):
        assert not self.alive  # of the models before
        network = torch.nn.Linear(3, 3)
        network.itself = [network]  # a circle, which counting references does not undo
        self.alive.add(network)
        return Loaded(lambda picture: network(torch.zeros(3)).detach().numpy(), False)


def test_a_model_is_released_before_the_next():
    alive = weakref.WeakSet()
    gc.disable()
    try:
        for _ in range(3):
            assert measure(Holding(alive), TRIPLES, settings()).failed == ""
    finally:
        gc.enable()


def test_what_does_not_fit_is_refused(monkeypatch):
    monkeypatch.setattr(measure_module, "free_memory", lambda: 400_000_000)
    row = measure(MeanColour(), TRIPLES, settings())
    assert row.failed == "no memory: takes about 0.5 GB, 0.4 GB are free"
    monkeypatch.setattr(measure_module, "free_memory", lambda: None)  # not known
    assert measure(MeanColour(), TRIPLES, settings()).failed == ""


def test_free_memory(monkeypatch, tmp_path):
    assert machine.free_memory() is None or machine.free_memory() > 1e6
    files = {
        "/proc/meminfo": "MemTotal: 9 kB\nMemAvailable: 5 kB\nHugePages_Total: 0\n",
        "/sys/fs/cgroup/memory.max": "max\n",
        "/sys/fs/cgroup/memory.current": "3000\n",
        "/sys/fs/cgroup/memory.stat": "anon 2000\nfile 1000\n",
    }

    class Path:
        def __init__(self, name):
            self.name = name

        def read_text(self):
            if self.name not in files:
                raise FileNotFoundError(self.name)
            return files[self.name]

    monkeypatch.setattr(machine, "Path", Path)
    assert machine.free_memory() == 5 * 1024
    files["/sys/fs/cgroup/memory.max"] = "4000\n"
    assert machine.free_memory() == 4000 - 3000 + 1000
    del files["/sys/fs/cgroup/memory.max"]
    assert machine.free_memory() == 5 * 1024
    files.clear()
    assert machine.free_memory() is None
