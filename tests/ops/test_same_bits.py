"""The answer has the same bits for any number of threads, in any process."""

import hashlib
import os
import sys
import threading

import numpy as np
import pytest
import torch

from imgsim_ops import kernels, ops
from tests.support.children import succeed
from tests.support.operator_cases import CALLS, FLOATS, assert_same_bits, made_images

THREADS = (1, 2, 3, 5, 8)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", CALLS)
def test_any_number_of_torch_threads(name, dtype):
    answers = []
    for threads in THREADS:
        torch.set_num_threads(threads)
        answers.append(CALLS[name](dtype))
    assert answers[0][0].numel() > 0
    for answer in answers[1:]:
        for one, other in zip(answer, answers[0], strict=True):
            assert_same_bits(one, other)


def test_any_number_of_threads_for_bytes():
    for layout in (torch.contiguous_format, torch.channels_last):
        x = made_images(torch.uint8).contiguous(memory_format=layout)
        expected = ops.channel_stats(x, 1)
        for threads in THREADS:
            torch.set_num_threads(threads)
            for ours, theirs in zip(ops.channel_stats(x, 0), expected, strict=True):
                assert_same_bits(ours, theirs)


def numpy_answers() -> str:
    """A digest of what the NumPy binding answers."""
    rng = np.random.default_rng(0)
    digest = hashlib.sha256()
    for dtype in (np.float32, np.float64, np.float16):
        x, y = rng.standard_normal((301, 65)).astype(dtype), rng.standard_normal((3001, 65)).astype(dtype)
        images = rng.integers(0, 256, (5, 3, 190, 211))
        answers = [kernels.cosine_similarity(x[:1], y), *kernels.cosine_topk(x, y, 20), *kernels.cosine_pairs(y, 0.3)]
        codes = kernels.quantize_rows(y)
        answers += [codes, kernels.cosine_similarity(codes[:1], codes), *kernels.cosine_pairs(codes, 0.3)]
        answers += [*kernels.cosine_topk(codes[:3], codes, 20), *kernels.cosine_topk(codes[:300], codes, 20)]
        answers += [*kernels.channel_stats(images.astype(dtype)), *kernels.channel_stats(images.astype(np.uint8))]
        for answer in answers:
            digest.update(answer.tobytes())
    return digest.hexdigest()


IN_A_CHILD = "from tests.ops.test_same_bits import numpy_answers; print(numpy_answers())"


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system cannot confine a process")
def test_any_number_of_processors_at_the_numpy_door():
    # The pool has as many threads as the process may use processors.
    confined = "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n" + IN_A_CHILD
    confined += "\nfrom imgsim_ops import kernels; assert kernels.build_info()['threads'] == 1"
    assert succeed(confined).strip() == numpy_answers()


def test_any_num_threads_at_the_numpy_door():
    for dtype in (torch.uint8, torch.float32, torch.float64, torch.float16):
        images = made_images(dtype).numpy()
        expected = kernels.channel_stats(images, 1)
        for threads in (0, *THREADS):
            for ours, theirs in zip(kernels.channel_stats(images, threads), expected, strict=True):
                assert ours.tobytes() == theirs.tobytes()


def test_many_callers_at_once():
    # One pool for all: who finds it busy works alone, and answers the same.
    expected = numpy_answers()
    answers = []
    callers = [threading.Thread(target=lambda: answers.append(numpy_answers())) for _ in range(4)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert answers == [expected] * 4


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_child_has_threads_of_its_own():
    code = """
import os, sys
from tests.ops.test_same_bits import numpy_answers
expected = numpy_answers()  # starts the pool's threads, which the child will not have
child = os.fork()
if child == 0:
    os._exit(0 if numpy_answers() == expected else 1)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    # From Python 3.12 on the interpreter warns of what is tested here.
    succeed(code, PYTHONWARNINGS="ignore::DeprecationWarning" if sys.version_info >= (3, 12) else "default")
