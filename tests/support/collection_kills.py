"""Kills processes that index, compact and change the recipe, at random moments, and looks at what is left each time.

A program of its own, because it forks: a process with threads must not. Prints how many processes it has killed.
"""

import itertools
import os
import random
import shutil
import signal
import sys
import time
from pathlib import Path

sys.path.append(os.fspath(Path(__file__).resolve().parents[2]))
from imgsim_ops.collection.indexing import fitting, indexing
from imgsim_ops.collection.indexing.fitting import apply_recipe
from imgsim_ops.collection.indexing.indexing import index_files
from imgsim_ops.collection.store.store import Store
from imgsim_ops.recipes.recipes import RECIPES
from tests.support.killing import ended, forked, kill_before
from tests.support.stub_embedder import StubEmbedder, contents_of, picture, put, wrong

# A kill leaves what the kernel was told; only the loss of power asks for more, and this test loses none.
os.fsync = lambda descriptor: None

BATCH = 6
PICTURES = 150
indexing._COMMIT_CONTENTS = indexing._COMMIT_FILES = BATCH
fitting.FIT_FROM = 50

RANDOM = random.Random(5)


def create(path):
    Store.create(path, StubEmbedder().fingerprint, RECIPES["crops"], StubEmbedder.raw_width).close()


def make_pictures(folder):
    for number in range(PICTURES):  # every fifth is a copy of the one before
        picture(folder / f"{number % 7}" / f"{number:03}.png", number - (number % 5 == 4))
    put(folder / "words.png", b"words")
    put(folder / "empty.png", b"")


def index(path, folder, say=lambda what: None):
    """Says "d" for each picture that is decoded and "c" for each commit, once it counts."""
    embedder = StubEmbedder()
    embedder.before = lambda path: say(b"d")
    with Store.open(path, write=True) as store:
        commit = store.commit
        store.commit = lambda *what: (commit(*what), say(b"c"))
        index_files(store, lambda: embedder, [folder], threads=1)
    return 0


def killed_within(seconds, work):
    """Runs `work` in a process and kills it at a random moment; returns whether it was in time."""
    process = forked(work)
    time.sleep(RANDOM.random() * seconds)
    os.kill(process, signal.SIGKILL)
    code = ended(process)
    assert code in (None, 0), f"ended with {code}"
    return code is None


def look(path, when, complete=False):
    """What is there, which must be sound."""
    with Store.open(path) as store:
        problems = list(store.problems())
        assert not problems, f"{when}: {problems}"
        assert not wrong(store), f"{when}: {wrong(store)}"
        assert not complete or store.whitening is not None
        return contents_of(store), store.files(), store.rows


def duration(work):
    start = time.perf_counter()
    assert ended(forked(work)) == 0
    return time.perf_counter() - start


def kill_indexing(place, folder, wanted):
    """Indexes again and again from nothing to the end, killed on the way; returns what a whole one holds."""
    create(place / "never killed")
    index(place / "never killed", folder)
    create(place / "timed")  # now that what the stub says is in its cache
    seconds = duration(lambda: index(place / "timed", folder))
    expected = look(place / "never killed", "never killed", complete=True)
    path, kills = place / "killed", 0
    while kills < wanted:
        create(path)
        before = look(path, "new")
        while kills < wanted:
            reading, writing = os.pipe()
            # Some go on from where others were killed, a few get to the end.
            in_time = killed_within(
                seconds * 0.4, lambda end=writing: index(path, folder, lambda what: os.write(end, what))
            )
            os.close(writing)
            with os.fdopen(reading, "rb") as pipe:
                said = pipe.read()
            when = f"kill {kills} of indexing"
            after = look(path, when)
            assert before[1].items() <= after[1].items(), f"{when}: lost files"
            assert before[0].keys() <= after[0].keys(), f"{when}: lost pictures"
            rows = after[2] - before[2]
            committed = said[: said.rfind(b"c") + 1].count(b"d")
            # One file of words is decoded too, and has no row.
            assert committed - 1 <= rows <= said.count(b"d"), f"{when}: {rows} rows, {said}"
            assert said.count(b"d") - rows <= BATCH + 1, f"{when}: lost more than a batch, {said}"
            before = after
            kills += in_time
            if not in_time:
                break
        index(path, folder)
        assert look(path, "at the end", complete=True) == expected
        shutil.rmtree(path)
    return kills


def kill_changes(place, name, work, wanted):
    """Kills what changes a collection as a whole; it is as it was or as it is to be."""
    with Store.open(place / "never killed") as store:
        kept = {picture.path for row, picture in store.pictures() if row % 3}
    made = place / name
    shutil.copytree(place / "never killed", made)
    with Store.open(made, write=True) as store:
        store.commit((), (), [os.fsencode(path) for path in contents_of(store).keys() - kept])
    path, results = place / "killed", set()

    def state():
        contents, files, rows = look(path, name)
        assert contents.keys() == kept
        with Store.open(path) as store:
            return store.recipe.name, store.width, rows, frozenset(contents.items()), len(files)

    def run():
        with Store.open(path, write=True) as store:
            work(store)
        return 0

    def fresh():
        shutil.rmtree(path, ignore_errors=True)
        shutil.copytree(made, path)

    fresh()
    before = state()
    seconds = duration(run)
    after = state()
    kills = 0

    def killed(when):
        found = state()
        assert found in (before, after), f"{name}, {when}: neither as before nor as after"
        results.add(found == after)
        assert run() == 0, when
        assert state() == after, f"{name}, {when}: going on"
        assert len(list(path.glob("*.f16"))) == 2, f"{name}, {when}: left files"

    for call in itertools.count():
        fresh()
        code = ended(forked(lambda call=call: (kill_before(call), run())[1]))
        assert code in (None, 0), f"ended with {code}"
        killed(f"killed at call {call}")
        if code == 0:
            break
        kills += 1
    while wanted:
        fresh()
        in_time = killed_within(seconds, run)
        kills += in_time
        wanted -= in_time
        killed("killed at random")
    assert results == {False, True}
    return kills


def main(place, wanted, of_changes):
    place, of_changes = Path(place), int(of_changes)
    folder = place / "photos"
    make_pictures(folder)
    print(kill_indexing(place, folder, int(wanted)))
    print(kill_changes(place, "compact", Store.compact, of_changes))
    print(kill_changes(place, "recipe", lambda store: apply_recipe(store, RECIPES["whitened"]), of_changes))


if __name__ == "__main__":
    main(*sys.argv[1:])
