"""Trainings: they learn, end, are gone on with as if nothing had been, and lose little to crashes."""

import io
import json
import os
import signal
import subprocess
import sys
from dataclasses import replace

import numpy as np
import onnx
import pytest
import torch

from imgsim_ops.errors import ImgsimError, WeightsError
from imgsim_ops.evaluation.machine import Place
from imgsim_ops.evaluation.result_files import read_results
from imgsim_ops.evaluation.training import run_folder, trainer, training
from imgsim_ops.evaluation.training.changes import Changes
from imgsim_ops.evaluation.training.learners import KINDS, Autoencoder, create_learner
from imgsim_ops.evaluation.training.options import TrainingOptions
from imgsim_ops.evaluation.training.training import load_encoder, train
from tests.support import ROOT
from tests.support.labelled_made import bars

TINY = TrainingOptions(size=14, dimension=8, batch=32, epochs=3)
DATA = bars(each=48)  # 123 pictures to learn from, three batches an epoch
STEPS = 3
FILES = {
    *("settings.json", "log.jsonl", "checkpoint.pt", "encoder.pt", "encoder.onnx"),
    *("training.json", "training.md", "training.csv", "training-loss.svg", "training.lock"),
}


@pytest.fixture(autouse=True)
def no_export(monkeypatch):
    """The export takes seconds and is tested elsewhere."""
    monkeypatch.setattr(training, "encoder_model", lambda kind, encoder, trained_on: onnx.ModelProto(ir_version=8))


def values(folder):
    """All that a run came to, without the times that it took."""
    history = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    for epoch in history:
        assert epoch.pop("seconds") > 0
    checkpoint = torch.load(folder / "checkpoint.pt", weights_only=True)
    return {
        "history": history,
        "checkpoint": flat({key: checkpoint[key] for key in ("epoch", "step", "learner", "average", "optimiser")}),
        "encoder": flat(torch.load(folder / "encoder.pt", weights_only=True)),
    }


def flat(tree, name=""):
    """A tree of dictionaries and lists as names and bytes or numbers."""
    if isinstance(tree, dict | list | tuple):
        items = tree.items() if isinstance(tree, dict) else enumerate(tree)
        return {key: value for part, below in items for key, value in flat(below, f"{name}.{part}").items()}
    return {name: tree.numpy().tobytes() if isinstance(tree, torch.Tensor) else tree}


def interrupted_at(call):
    """A progress that presses Ctrl-C at its n-th step."""
    calls = []

    def progress(what, done, total):
        if what == "Training":
            calls.append((done, total))
            if len(calls) == call:
                os.kill(os.getpid(), signal.SIGINT)

    progress.calls = calls
    return progress


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Each kind trained in one go."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "encoder_model", lambda *_: onnx.ModelProto(ir_version=8))
        folders = {kind: tmp_path_factory.mktemp("whole") / kind for kind in KINDS}
        return {kind: (train(kind, DATA, folder, TINY), values(folder)) for kind, folder in folders.items()}


# What it comes to


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_run_leaves(whole, kind):
    found, _ = whole[kind]
    assert {path.name for path in found.folder.iterdir()} == FILES
    assert (found.kind, found.ended, found.interrupted) == (kind, "epochs", False)
    assert [epoch["epoch"] for epoch in found.history] == [1, 2, 3]
    log = [json.loads(line) for line in (found.folder / "log.jsonl").read_text().splitlines()]
    assert log == list(found.history)
    results = read_results(found.folder / "training.json")
    assert (results.kind, len(results.tables[0].rows), len(results.plots)) == ("training", 3, 1)
    assert results.facts["Vectors"] == found.fingerprint
    assert found.fingerprint.startswith(f"{kind}-")
    assert results.facts["Kept"] == f"the encoder of epoch {found.best_epoch}"
    settings = json.loads((found.folder / "settings.json").read_text())
    assert settings["classes"] == {"bar 0": 48, "bar 1": 48, "bar 2": 48}
    encoder = load_encoder(found.folder)
    assert not encoder.training
    assert str(training.encoder_fingerprint(kind, encoder)) == found.fingerprint


@pytest.mark.parametrize("kind", KINDS)
def test_it_learns(tmp_path, kind):
    data = bars(each=24, classes=4, contrast=25)  # in noise of a deviation of 26
    settings = replace(TINY, epochs=12, patience=12, changes=Changes(turn=3, shift=0.02, zoom=0.02))
    found = train(kind, data, tmp_path / "run", settings)
    first, best = found.history[0], found.history[found.best_epoch - 1]
    assert best["validation_loss"] < first["validation_loss"]
    # Of each picture 3 neighbours must be right, of 4 classes: chance finds less than 2 %.
    assert best["validation_accuracy"] > 0.8


def test_the_best_encoder_is_kept(tmp_path, monkeypatch):
    losses_and_accuracies = iter([(0.9, 0.5), (0.8, 0.6), (0.7, 0.6), (0.1, 0.3)])
    monkeypatch.setattr(trainer.Trainer, "_validate", lambda work: next(losses_and_accuracies))
    kept = []
    follow = trainer._follow
    monkeypatch.setattr(trainer, "_follow", lambda average, *rest: (follow(average, *rest), kept.append(average)))
    at = {}

    def on_epoch(epoch):
        encoder = kept[-1].encoder
        at[epoch["epoch"]] = {name: value.clone() for name, value in encoder.state_dict().items()}

    found = train("triplet", DATA, tmp_path / "run", replace(TINY, epochs=4), on_epoch=on_epoch)
    assert found.best_epoch == 3  # the better loss of two of the same accuracy, not the least loss
    encoder = load_encoder(found.folder).state_dict()
    assert all(torch.equal(value, at[3][name]) for name, value in encoder.items())
    assert not all(torch.equal(value, at[4][name]) for name, value in encoder.items())


def test_early_stop(tmp_path, monkeypatch):
    losses_and_accuracies = iter([(0.9, 0.5), (0.7, 0.6), (0.7, 0.6), (0.8, 0.5), (0.1, 0.4)])
    monkeypatch.setattr(trainer.Trainer, "_validate", lambda work: next(losses_and_accuracies))
    settings = replace(TINY, epochs=9, patience=2)
    found = train("triplet", DATA, tmp_path / "run", settings)
    assert (found.ended, len(found.history), found.best_epoch) == ("early", 4, 2)
    assert "it got no better" in read_results(found.folder / "training.json").facts["Ended"]
    # It has ended, unless more patience is asked for.
    assert len(train("triplet", DATA, found.folder, settings, resume=True).history) == 4
    found = train("triplet", DATA, found.folder, replace(settings, patience=3), resume=True)
    assert (found.ended, len(found.history), found.best_epoch) == ("early", 5, 2)


def test_unseen_classes_are_not_looked_at(tmp_path, whole):
    # Their pictures are not handed over at all; that classes without pictures are known changes nothing.
    data = replace(DATA, classes=(*DATA.classes, "unseen"))
    train("triplet", data, tmp_path / "run", TINY)
    assert values(tmp_path / "run") == whole["triplet"][1]


# Going on


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("step", [2, 3])
def test_ctrl_c_and_going_on_changes_no_bit(tmp_path, whole, kind, step):
    folder = tmp_path / "run"
    found = train(kind, DATA, folder, TINY, progress=interrupted_at(step))
    assert found.interrupted
    assert found.model is None
    assert len(found.history) == step // STEPS
    assert not (folder / "encoder.onnx").exists()
    progress = interrupted_at(-1)
    found = train(kind, DATA, folder, TINY, resume=True, progress=progress)
    assert progress.calls[0] == (step + 1, 3 * STEPS)
    assert found.ended == "epochs"
    assert values(folder) == whole[kind][1]


def test_ctrl_c_while_pictures_are_read(tmp_path):
    class Interrupting:
        def __len__(self):
            return len(DATA)

        def __getitem__(self, number):
            if number == 5:
                os.kill(os.getpid(), signal.SIGINT)
            return DATA.pictures[number]

    folder = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        train("triplet", replace(DATA, pictures=Interrupting()), folder, TINY)
    assert {path.name for path in folder.iterdir()} == {"training.lock"}
    assert train("triplet", DATA, folder, TINY).ended == "epochs"


def test_more_epochs_later_are_the_same_as_at_once(tmp_path, whole):
    folder = tmp_path / "run"
    train("contrastive", DATA, folder, replace(TINY, epochs=2))
    before = (folder / "training.json").read_bytes()
    train("contrastive", DATA, folder, TINY, resume=True)
    assert values(folder) == whole["contrastive"][1]
    assert (folder / "training.json").read_bytes() != before


def test_a_run_that_is_done_is_left_as_it_is(whole, tmp_path):
    found, _ = whole["triplet"]
    before = {path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in found.folder.iterdir()}

    class Unread(list):
        def __getitem__(self, number):
            raise AssertionError

    again = train("triplet", replace(DATA, pictures=Unread(DATA.pictures)), found.folder, TINY, resume=True)
    assert again == found
    assert {path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in found.folder.iterdir()} == before


def test_what_a_crash_at_the_end_left_out_is_made_up_for(tmp_path, whole, monkeypatch):
    folder = tmp_path / "run"

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(training, "encoder_model", full)
    with pytest.raises(OSError, match="No space"):
        train("triplet", DATA, folder, TINY)
    monkeypatch.undo()
    monkeypatch.setattr(training, "encoder_model", lambda *_: onnx.ModelProto(ir_version=8))
    train("triplet", DATA, folder, TINY, resume=True)
    assert {path.name for path in folder.iterdir()} == FILES
    assert values(folder) == whole["triplet"][1]


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_full_disk_keeps_the_checkpoint_before(tmp_path, whole, monkeypatch, call):
    folder = tmp_path / "run"
    original, calls = getattr(os, call), []

    def full(*arguments):
        calls.append(arguments)
        if len(calls) == 4:  # settings, checkpoint, log, checkpoint
            raise OSError(28, "No space left on device")
        return original(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(os, call, full)
        with pytest.raises(OSError, match="No space"):
            train("triplet", DATA, folder, TINY)
    assert torch.load(folder / "checkpoint.pt", weights_only=True)["epoch"] == 1
    assert {path.name for path in folder.iterdir()} == {"settings.json", "checkpoint.pt", "log.jsonl", "training.lock"}
    train("triplet", DATA, folder, TINY, resume=True)
    assert values(folder) == whole["triplet"][1]


KILLED = """
import os, signal, sys
sys.path.insert(0, sys.argv[2])
from tests.evaluation.training import test_training
replace, calls = os.replace, []
def kill(*arguments):
    calls.append(arguments)
    if len(calls) == 4:
        os.kill(os.getpid(), signal.SIGKILL)
    replace(*arguments)
os.replace = kill
test_training.torch.set_num_threads(int(sys.argv[3]))
test_training.train("triplet", test_training.DATA, sys.argv[1], test_training.TINY)
"""


def test_kill_in_the_middle_of_a_checkpoint(tmp_path, whole):
    folder = tmp_path / "run"
    command = [sys.executable, "-c", KILLED, str(folder), str(ROOT), str(torch.get_num_threads())]
    result = subprocess.run(command, check=False, capture_output=True)
    assert result.returncode == -signal.SIGKILL, result.stderr
    names = {path.name for path in folder.iterdir()}
    (left,) = (name for name in names if name.startswith(".checkpoint.pt."))
    assert names == {"settings.json", "checkpoint.pt", "log.jsonl", "training.lock", left}
    train("triplet", DATA, folder, TINY, resume=True)
    assert values(folder) == whole["triplet"][1]


def test_long_epochs_are_saved_within(tmp_path, monkeypatch):
    monkeypatch.setattr(trainer, "_SAVE_SECONDS", 0)
    saved = []
    save = run_folder.RunFolder.save
    monkeypatch.setattr(
        run_folder.RunFolder,
        "save",
        lambda run, state, history: (saved.append((state["epoch"], state["step"])), save(run, state, history)),
    )
    train("autoencoder", DATA, tmp_path / "run", replace(TINY, batch=32, epochs=1))
    assert saved == [(0, 1), (0, 2), (0, 3), (1, 0)]


# What it leaves alone


def test_nothing_of_the_process_changes(tmp_path):
    from pytorch_metric_learning.utils import common_functions

    def state():
        return (
            torch.random.get_rng_state().numpy().tobytes(),
            str(np.random.get_state()),
            torch.get_num_threads(),
            common_functions.NUMPY_RANDOM is np.random,
            signal.getsignal(signal.SIGINT),
        )

    before = state()
    train("triplet", DATA, tmp_path / "run", replace(TINY, epochs=1), place=Place(threads=torch.get_num_threads() + 1))
    assert state() == before
    assert before[3]


def test_seeds(tmp_path, whole):
    train("triplet", DATA, tmp_path / "same", TINY)
    train("triplet", DATA, tmp_path / "other", replace(TINY, seed=1))
    assert values(tmp_path / "same") == whole["triplet"][1]
    assert values(tmp_path / "other")["encoder"] != whole["triplet"][1]["encoder"]


# Mistakes


def refused(tmp_path, *words, kind="triplet", data=DATA, settings=TINY, error=ImgsimError, **options):
    with pytest.raises(error) as raised:
        train(kind, data, options.pop("folder", tmp_path / "run"), settings, **options)
    (line,) = str(raised.value).splitlines()
    for word in words:
        assert word in line
    return line


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"batch": 31}, "training: a batch must have 32 pictures or more (got 31)"),
        ({"rate": 0.0}, "training: the learning rate must be above 0 (got 0.0)"),
        ({"rate": float("nan")}, "training: the learning rate must be above 0 (got nan)"),
        ({"epochs": 0}, "training: epochs must be 1 or more (got 0)"),
        ({"patience": 0}, "training: patience must be 1 or more (got 0)"),
        ({"network": "vgg"}, "encoder: the network must be one of small, resnet18 (got 'vgg')"),
        ({"size": 15}, "encoder: the size must be one of 14,"),
    ],
)
def test_settings_are_checked(tmp_path, changes, words):
    assert refused(tmp_path, settings=replace(TINY, **changes)).startswith(words)


def test_names_are_checked(tmp_path):
    assert "(got 'triple'); did you mean triplet?" in refused(tmp_path, kind="triple")
    refused(tmp_path, "must be cpu, cuda or cuda:N (got 'gpu')", place=Place("gpu"))


def test_too_little_to_learn_from(tmp_path):
    refused(tmp_path, "two classes or more (got 1 in bars)", data=bars(classes=1))
    few = DATA.take([*np.flatnonzero(DATA.labels != 1), *np.flatnonzero(DATA.labels == 1)[:3]])
    refused(tmp_path, "a class must have 4 pictures or more (got 3 of 'bar 1')", data=few)
    refused(tmp_path, "two classes or more (got 0 in bars)", data=DATA.take([]))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("kind", KINDS)
def test_as_little_as_can_be(tmp_path, kind):
    found = train(kind, bars(classes=2, each=4), tmp_path / "run", replace(TINY, epochs=2))
    assert len(found.history) == 2
    assert "1 nearest" in read_results(found.folder / "training.json").facts["Validation accuracy"]


@pytest.mark.parametrize("package", ["pytorch_metric_learning", "matplotlib"])
def test_missing_packages_are_said_before_the_work(tmp_path, monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)
    refused(tmp_path, package.replace("_", "-"), "must be installed (got none); run pip install")
    assert not (tmp_path / "run" / "settings.json").exists()


def test_an_autoencoder_needs_no_metric_learning(monkeypatch):
    monkeypatch.setitem(sys.modules, "pytorch_metric_learning", None)
    assert isinstance(create_learner("autoencoder", "small", 14, 4), Autoencoder)


def test_folders_of_others(tmp_path, whole):
    folder = whole["triplet"][0].folder
    before = sorted((path.name, path.stat().st_mtime_ns) for path in folder.iterdir())
    refused(tmp_path, "holds this training already", "--resume", folder=folder)
    for resume in (False, True):
        again = {"folder": folder, "resume": resume}
        refused(tmp_path, 'where kind is "triplet" and not "contrastive"', kind="contrastive", **again)
        refused(tmp_path, "where dimension is 8 and not 9", settings=replace(TINY, dimension=9), **again)
        refused(tmp_path, "where seed is 0 and not 1", settings=replace(TINY, seed=1), **again)
        mirrored = replace(TINY, changes=Changes(mirror=True))
        refused(tmp_path, "where changes is {", "--out", settings=mirrored, **again)
        refused(tmp_path, "where classes is {", data=bars(each=47), **again)
        refused(tmp_path, 'where data is "bars" and not "bats"', data=replace(DATA, name="bats"), **again)
        other = replace(TINY, epochs=9)
    refused(tmp_path, "the pictures must be", data=bars(each=48, seed=1), settings=other, **again)
    assert sorted((path.name, path.stat().st_mtime_ns) for path in folder.iterdir()) == before
    (tmp_path / "letter.txt").write_text("Dear")
    refused(tmp_path, "the folder must be empty or hold a training", "letter.txt", folder=tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"letter.txt", "training.lock"}


def test_a_file_in_the_folders_place(tmp_path):
    (tmp_path / "run").write_text("no folder")
    with pytest.raises(OSError, match="exists"):
        train("triplet", DATA, tmp_path / "run", TINY)


@pytest.mark.skipif(os.getuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "run").mkdir(mode=0o500)
    refused(tmp_path, "the folder must be writable")


def test_one_at_a_time(tmp_path):
    folder = tmp_path / "run"

    def another(epoch):
        refused(tmp_path, "one training at a time", "in use by another process", resume=True)

    train("triplet", DATA, folder, replace(TINY, epochs=1), on_epoch=another)


def test_damaged_files(tmp_path):
    folder = tmp_path / "run"
    train("triplet", DATA, folder, TINY, progress=interrupted_at(3))
    good = (folder / "checkpoint.pt").read_bytes()
    other = io.BytesIO()
    torch.save({"epoch": 1}, other)
    for bad in (b"", b"words", good[: len(good) // 2], other.getvalue()):
        (folder / "checkpoint.pt").write_bytes(bad)
        refused(tmp_path, "the checkpoint must be one that imgsim methods train wrote", resume=True)
    (folder / "checkpoint.pt").write_bytes(good)
    for bad in (b"", b"[1]", b"{}", b"\xff"):
        (folder / "settings.json").write_bytes(bad)
        refused(tmp_path, "must be the settings of one", resume=True)


def test_a_checkpoint_is_not_executed(tmp_path):
    folder = tmp_path / "run"
    train("triplet", DATA, folder, TINY, progress=interrupted_at(1))

    class Evil:
        def __reduce__(self):
            return os.system, (f"touch {tmp_path / 'executed'}",)

    torch.save({"epoch": Evil()}, folder / "checkpoint.pt")
    refused(tmp_path, "UnpicklingError", resume=True)
    assert not (tmp_path / "executed").exists()


def test_a_loss_that_is_no_number(tmp_path):
    settings = replace(TINY, rate=1e30)
    line = refused(tmp_path, "the loss must stay finite (got ", "at a learning rate of 1e+30)", settings=settings)
    assert "in epoch" in line


def test_no_memory(tmp_path, monkeypatch):
    def full(*_):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(trainer.Trainer, "_take_step", full)
    refused(tmp_path, "a batch must fit into the memory of the device (got 32 pictures, --batch)")


def test_encoders_that_are_not_there(tmp_path, whole):
    with pytest.raises(ImgsimError, match="must hold one that has ended"):
        load_encoder(tmp_path)
    folder = tmp_path / "run"
    train("triplet", DATA, folder, TINY, progress=interrupted_at(2))
    with pytest.raises(ImgsimError, match="must hold one that has ended"):
        load_encoder(folder)
    (folder / "encoder.pt").write_bytes(b"words")
    with pytest.raises(WeightsError):
        load_encoder(folder)
