"""Where the system gives no more threads, the work is done by those that are there."""

import pytest

from tests.support.children import succeed

# Room for the answer (some KiB), and for no thread's stack (8 MiB): pthread_create says EAGAIN.
CODE = """
import resource, sys, threading
import numpy as np
from imgsim_ops import kernels

x = np.random.default_rng(0).standard_normal((400, 64)).astype(np.float32)
scarce = sys.argv[1] == "scarce"
before = resource.getrlimit(resource.RLIMIT_AS)
if scarce:
    pages = int(open("/proc/self/statm").read().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + 4 * 2**20, before[1]))
    try:
        threading.Thread(target=int).start()
        sys.exit("a thread was to be had")
    except RuntimeError:
        pass
for _ in range(2):
    rows, cols, scores = kernels.cosine_pairs(x, 0.2)
    print(rows.tobytes().hex(), cols.tobytes().hex(), scores.tobytes().hex())
    resource.setrlimit(resource.RLIMIT_AS, before)
"""


@pytest.mark.skipif("not sys.platform.startswith('linux')", reason="reads /proc")
def test_without_threads_and_with_them_again_the_bits_are_the_same():
    assert succeed(CODE, "scarce") == succeed(CODE, "plenty")
