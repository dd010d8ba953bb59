"""What is printed has a place, or the exit code and one line say that it had none: in every task."""

import os
import subprocess

import pytest

from tests.support.app_binary import APP, one_line

TASKS = ["help", "version", "compare", "compare json", "embed", "embed json", "stats", "stats json"]


@pytest.fixture
def arguments(pictures, model):
    """What each task is asked for."""
    a, b = pictures / "coffee.png", pictures / "turned6.jpg"
    asked = {
        "help": ["--help"],
        "version": ["--version"],
        "compare": ["--model", model, a, b],
        "embed": ["--model", model, "--embed", a, b],
        "stats": ["--stats", a, b, "--repeat", "1"],
    }
    return {task: [*asked[task.split()[0]], *(["--json"] if "json" in task else [])] for task in TASKS}


def run_through(redirection, arguments):
    return subprocess.run(["sh", "-c", f'"$@" {redirection}', "sh", APP, *arguments], capture_output=True, timeout=120)


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("closed", [">&-", "<&- >&-"])
def test_stdout_is_closed(arguments, task, closed):
    ran = run_through(closed, arguments[task])
    assert ran.returncode == 2
    one_line(ran.stderr.decode(), "stdout: what is printed must have a place (got Bad file descriptor)")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="Linux has it")
@pytest.mark.parametrize("task", TASKS)
def test_the_disk_is_full(arguments, task):
    ran = run_through(">/dev/full", arguments[task])
    assert ran.returncode == 2
    one_line(ran.stderr.decode(), "stdout: what is printed must have a place (got No space left on device)")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="Linux has it")
def test_more_than_a_buffer_on_a_full_disk(pictures, pixel_model):
    """What is lost halfway is remembered until the end, and files that were skipped are named all the same."""
    ran = run_through(">/dev/full", ["--model", pixel_model, "--embed", *[pictures / "coffee.png"] * 9, pixel_model])
    assert ran.returncode == 2
    skipped, lost = ran.stderr.decode().splitlines()
    assert skipped.startswith("skipped: not_a_picture: ")
    assert lost == "stdout: what is printed must have a place (got No space left on device)"


@pytest.mark.parametrize("task", TASKS)
def test_a_reader_that_has_seen_enough(arguments, task):
    reader, writer = os.pipe()
    os.close(reader)
    ran = subprocess.run([APP, *arguments[task]], stdout=writer, stderr=subprocess.PIPE, timeout=120)
    os.close(writer)
    assert (ran.returncode, ran.stderr) == (0, b"")


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("closed", ["2>&-", "<&-", "<&- 2>&-"])
def test_the_other_streams_are_closed(arguments, task, closed):
    ran = run_through(closed, arguments[task])
    assert ran.returncode == 0
    assert ran.stdout
    assert ran.stderr == b""
