"""The cache of model files: built once, whole or not at all, mended when damaged, shared by processes.

Where the model does not matter, ``tiny.Exporter`` makes it in place of PyTorch's exporter.
"""

import json
import os
import subprocess
import sys
import threading

import numpy as np
import platformdirs
import pytest

from imgsim_ops.engines.onnx import OnnxEngine
from imgsim_ops.errors import ImgsimError, WeightsError
from imgsim_ops.export import recipes
from imgsim_ops.model_files import cache as files
from imgsim_ops.model_files.cache import cache_folder, model_file
from imgsim_ops.models import locations
from imgsim_ops.models.spec import ModelSpec
from imgsim_ops.quality import photographs
from tests.support import ROOT
from tests.support.tiny import Exporter

RANDOM = ModelSpec(weights="random:0", precision="fp32")
PIXELS = np.random.default_rng(0).integers(0, 256, (2, 224, 224, 3), np.uint8)


@pytest.fixture
def cache(monkeypatch, tmp_path):
    folder = tmp_path / "cache"
    monkeypatch.setenv("IMGSIM_CACHE", str(folder))
    monkeypatch.delenv("IMGSIM_WEIGHTS", raising=False)
    return folder


@pytest.fixture
def exporter(monkeypatch, cache):
    exporter = Exporter()
    monkeypatch.setattr(recipes, "export_backbone", exporter)
    return exporter


@pytest.fixture
def weights(tmp_path):
    path = tmp_path / "weights.pth"
    path.write_bytes(b"some weights")
    return path


def vectors(found):
    return OnnxEngine(found.path).embed(PIXELS)


def suffixes(folder):
    return sorted(path.suffix for path in folder.iterdir())


ONE_MODEL = [".json", ".lock", ".onnx", ".weights"]


# First and second use


def test_first_use_is_announced_and_the_second_builds_nothing(cache, exporter, capsys):
    first = model_file(RANDOM)
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "imgsim: Preparing resnet18 in fp32 for this machine, once\nimgsim: Exporting resnet18\n"
    assert first.path.parent == cache
    assert first.path.name.startswith(first.facts["fingerprint"])
    assert suffixes(cache) == ONE_MODEL
    before = {path: path.stat().st_mtime_ns for path in cache.iterdir()}

    second = model_file(RANDOM)
    assert capsys.readouterr() == ("", "")
    assert (second.path, second.facts) == (first.path, first.facts)
    assert exporter.built == ["fp32"]
    assert {path: path.stat().st_mtime_ns for path in cache.iterdir()} == before
    assert OnnxEngine(first.path).embed_with_layers(PIXELS)[1][3].shape == (2, 512)


def test_announcements_go_where_they_are_wanted(exporter, capsys):
    lines = []
    model_file(RANDOM, announce=lines.append)
    assert lines == ["Preparing resnet18 in fp32 for this machine, once", "Exporting resnet18"]
    assert capsys.readouterr() == ("", "")


def test_second_use_needs_neither_torch_nor_onnx(exporter):
    model_file(RANDOM)
    code = f"""
import sys
from imgsim_ops.model_files.cache import model_file
from imgsim_ops.models.spec import ModelSpec
print(model_file({RANDOM!r}).facts["fingerprint"])
print(*sorted({{name.partition(".")[0] for name in sys.modules}}))
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    fingerprint, modules = run.stdout.splitlines()
    assert fingerprint == model_file(RANDOM).facts["fingerprint"]
    assert "imgsim_ops" in modules.split()
    # filelock and tempfile are for building too.
    assert not {"torch", "torchvision", "onnx", "onnxscript", "onnxruntime", "filelock"} & set(modules.split())
    assert run.stderr == ""


# Damage


@pytest.fixture
def whole(exporter):
    found = model_file(RANDOM)
    return found, vectors(found)


def flipped(content, at):
    return content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]


DAMAGES = {
    "first byte": lambda content: flipped(content, 0),
    "middle byte": lambda content: flipped(content, len(content) // 2),
    "last byte": lambda content: flipped(content, len(content) - 2),  # behind it the entry has only a newline
    "truncated": lambda content: content[: len(content) * 9 // 10],
    "longer": lambda content: content + b"x",
    "empty": lambda content: b"",
    "gone": None,
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("suffix", [".onnx", ".weights", ".json"])
def test_a_damaged_file_is_rebuilt(cache, exporter, whole, suffix, damage):
    found, expected = whole
    (victim,) = cache.glob(f"*{suffix}")
    content = victim.read_bytes()
    if DAMAGES[damage] is None:
        victim.unlink()
    else:
        victim.write_bytes(DAMAGES[damage](content))
    again = model_file(RANDOM)
    assert exporter.built == ["fp32"] * 2
    assert (again.path, again.facts) == (found.path, found.facts)
    assert np.array_equal(vectors(again), expected)
    assert victim.read_bytes() == content
    assert suffixes(cache) == ONE_MODEL
    model_file(RANDOM)
    assert exporter.built == ["fp32"] * 2


@pytest.mark.parametrize(
    "text",
    [
        b"\xff\xfe\x00",
        b"{",
        b"[" * 100_000,
        b"[]",
        b"null",
        b"7",
        b'"text"',
        b"{}",
        b'{"sha256": {}, "model": {}}',
        b'{"sha256": [], "model": {}}',
        b'{"sha256": null, "model": {}}',
        b'{"sha256": {".": ""}, "model": {}}',
        b'{"sha256": {"no such file": ""}, "model": {}}',
        b'{"sha256": {"a name with a zero\\u0000": ""}, "model": {}}',
    ],
)
def test_an_entry_of_another_shape_is_rebuilt(cache, exporter, whole, text):
    (entry,) = cache.glob("*.json")
    entry.write_bytes(text)
    again = model_file(RANDOM)
    assert exporter.built == ["fp32"] * 2
    assert again.facts == whole[0].facts


@pytest.mark.parametrize("model", [None, [], "text", {}, {"gate": 1}])
def test_an_entry_with_other_facts_is_rebuilt(cache, exporter, whole, model):
    (entry,) = cache.glob("*.json")
    entry.write_text(json.dumps({**json.loads(entry.read_bytes()), "model": model}))
    assert model_file(RANDOM).facts == whole[0].facts


def test_no_flipped_bit_of_an_entry_changes_what_it_says(cache, exporter, whole):
    (entry,) = cache.glob("*.json")
    content = entry.read_bytes()
    for at in range(0, len(content), 5):
        entry.write_bytes(flipped(content, at))
        again = model_file(RANDOM, announce=lambda line: None)
        assert (again.path, again.facts) == (whole[0].path, whole[0].facts), content[: at + 1]
    assert len(exporter.built) > 50


# Failures


def test_a_build_that_fails_leaves_nothing(cache, exporter):
    def fail():
        raise WeightsError("weights: none")

    exporter.during = fail
    with pytest.raises(WeightsError, match="weights: none"):
        model_file(RANDOM)
    assert suffixes(cache) == [".lock"]
    exporter.during = lambda: None
    model_file(RANDOM)
    assert suffixes(cache) == ONE_MODEL


def test_a_full_disk(cache, exporter, monkeypatch):
    def full(source, target):
        raise OSError(28, "No space left on device", str(target))

    with monkeypatch.context() as patch:
        patch.setattr(files.os, "replace", full)
        with pytest.raises(ImgsimError, match=r"cache: must be writable \(got .*: No space left on device\); set IMG"):
            model_file(RANDOM)
    assert suffixes(cache) == [".lock"]
    model_file(RANDOM)
    assert suffixes(cache) == ONE_MODEL


@pytest.mark.parametrize("where", ["/proc/none", "file", "file/below", "file/far/below"])
def test_a_cache_that_cannot_be_written(exporter, monkeypatch, tmp_path, where, capsys):
    (tmp_path / "file").touch()
    folder = tmp_path / where  # an absolute path stays as it is
    monkeypatch.setenv("IMGSIM_CACHE", str(folder))
    with pytest.raises(ImgsimError, match=r"cache: must be writable \(got .*\); set IMGSIM_CACHE") as caught:
        model_file(RANDOM)
    assert "\n" not in str(caught.value)
    assert str(folder) in str(caught.value)
    assert capsys.readouterr() == ("", "")
    assert exporter.built == []


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc is Linux's")
def test_a_folder_in_which_no_file_can_be_made():
    # A process of its own, so that one that waits for its lock for ever can be ended.
    code = (
        "from imgsim_ops.model_files.cache import model_file; from imgsim_ops.models.spec import ModelSpec; "
        f"model_file({RANDOM!r})"
    )
    environment = {**os.environ, "IMGSIM_CACHE": "/proc"}
    run = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=20)
    assert run.returncode == 1
    assert "ImgsimError: cache: must be writable (got /proc" in run.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"precision": "fp16"}, r"model: precision must be one of auto, fp32, int8 \(got 'fp16'\)"),
        ({"precision": "FP32"}, r"got 'FP32'"),
        ({"backbone": "vgg"}, r"backbone: must be one of resnet18, efficientnet_lite0 \(got 'vgg'\)"),
        ({"weights": "none.pth"}, r"weights: no such file \(got 'none.pth'\)"),
        ({"weights": "random:x"}, r"weights: random:SEED takes a whole number"),
    ],
)
@pytest.mark.parametrize("precision", files.PRECISIONS)
def test_mistakes_are_told_before_anything_is_announced(cache, exporter, capsys, arguments, words, precision):
    with pytest.raises(ImgsimError, match=words):
        model_file(ModelSpec(**{"precision": precision, **arguments}))
    assert capsys.readouterr() == ("", "")
    assert exporter.built == []
    assert not cache.exists()


# Keys


def test_each_model_has_its_own_entry(cache, exporter, weights):
    found = [
        model_file(ModelSpec("resnet18", "random:0", "fp32")),
        model_file(ModelSpec("resnet18", "random:1", "fp32")),
        model_file(ModelSpec("resnet18", "random:0", "int8")),
        model_file(ModelSpec("efficientnet_lite0", "random:0", "fp32")),
        model_file(ModelSpec("resnet18", weights, "fp32")),
    ]
    assert len({model.path for model in found}) == 5
    assert exporter.built == ["fp32", "fp32", "int8", "fp32", "fp32"]
    assert [suffixes(cache).count(suffix) for suffix in (".json", ".onnx", ".weights")] == [5, 5, 5]


def test_weights_that_change_are_noticed(exporter, weights, tmp_path):
    def builds():
        model_file(ModelSpec(weights=weights, precision="fp32"))
        return len(exporter.built)

    assert [builds(), builds()] == [1, 1]
    weights.write_bytes(b"a file of another size")
    assert [builds(), builds()] == [2, 2]
    status = weights.stat()
    weights.write_bytes(b"a file of the same size"[: status.st_size])
    os.utime(weights, ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    assert [builds(), builds()] == [3, 3]

    (tmp_path / "link.pth").symlink_to(weights)
    model_file(ModelSpec(weights=tmp_path / "link.pth", precision="fp32"))
    model_file(ModelSpec(weights=str(weights), precision="fp32"))
    assert len(exporter.built) == 3  # the same file by other names


def test_imgsim_weights(exporter, weights, monkeypatch):
    model_file(ModelSpec(weights=weights, precision="fp32"))
    monkeypatch.setenv("IMGSIM_WEIGHTS", str(weights))
    model_file(ModelSpec(precision="fp32"))
    assert exporter.built == ["fp32"]
    monkeypatch.setenv("IMGSIM_WEIGHTS", "random:0")
    model_file(ModelSpec(precision="fp32"))
    assert exporter.built == ["fp32"] * 2
    model_file(RANDOM)
    assert exporter.built == ["fp32"] * 2
    monkeypatch.setenv("IMGSIM_WEIGHTS", str(weights) + ".none")
    with pytest.raises(WeightsError, match="no such file"):
        model_file(ModelSpec(precision="fp32"))


def test_another_recipe_or_preprocessing_makes_other_files(exporter, monkeypatch):
    model_file(RANDOM)
    for name in ("_RECIPE_VERSION", "PREPROCESSING_VERSION"):
        monkeypatch.setattr(files, name, 99)
        model_file(RANDOM)
    assert exporter.built == ["fp32"] * 3


def test_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("IMGSIM_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path
    for unset in (lambda: monkeypatch.setenv("IMGSIM_CACHE", ""), lambda: monkeypatch.delenv("IMGSIM_CACHE")):
        unset()
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user"))
        assert cache_folder() == platformdirs.user_cache_path("imgsim", appauthor=False)
        if sys.platform.startswith("linux"):
            assert cache_folder() == tmp_path / "user" / "imgsim"


# Precision


@pytest.mark.parametrize("random_weights", [False, True])
@pytest.mark.parametrize("photographs_there", [False, True])
@pytest.mark.parametrize("gate_holds", [False, True])
@pytest.mark.parametrize("instructions", [False, True])
def test_auto(exporter, weights, monkeypatch, instructions, gate_holds, photographs_there, random_weights):
    info = {**files.kernels.build_info(), "int8_instructions": instructions}
    monkeypatch.setattr(files.kernels, "build_info", lambda: info)
    if not photographs_there:
        monkeypatch.setattr(photographs, "find_photographs", no_photographs)
    exporter.gate_holds = gate_holds
    measured = instructions and photographs_there and not random_weights
    built = ["int8", "fp32"] if measured and not gate_holds else ["int8"] if measured else ["fp32"]
    for _ in range(2):  # the second time from the files alone
        found = model_file(ModelSpec(weights="random:0" if random_weights else weights, precision="auto"))
        assert found.facts["precision"] == ("int8abcdef" if measured and gate_holds else "fp32")
        assert OnnxEngine(found.path).fingerprint.precision == found.facts["precision"]
        assert exporter.built == built


def no_photographs(names):
    raise ImgsimError("photographs: scikit-image must be installed (got none)")


def test_the_processor_is_asked_anew(exporter, weights, monkeypatch):
    """A cache in a home folder that machines share."""
    for instructions, precision in ((True, "int8abcdef"), (False, "fp32"), (True, "int8abcdef")):
        monkeypatch.setattr(files.kernels, "build_info", lambda yes=instructions: {"int8_instructions": yes})
        assert model_file(ModelSpec(weights=weights)).facts["precision"] == precision
    assert exporter.built == ["int8", "fp32"]


def test_what_is_asked_for_outright_is_given(exporter, weights, monkeypatch):
    monkeypatch.setattr(files.kernels, "build_info", lambda: {"int8_instructions": False})
    exporter.gate_holds = False
    for given in (weights, "random:0"):
        assert model_file(ModelSpec(weights=given, precision="int8")).facts["precision"] == "int8abcdef"
        assert model_file(ModelSpec(weights=given, precision="fp32")).facts["precision"] == "fp32"


def test_int8_of_random_weights(cache, monkeypatch):
    """Said to be good for timing, so that it must work, whatever the gate thinks of it."""
    for names in ("CALIBRATION", "EVALUATION"):  # few, since the exporter is the real one here
        monkeypatch.setattr(recipes, names, getattr(photographs, names)[:1])
    found = model_file(ModelSpec("resnet18", "random:0", "int8"))
    assert found.facts["precision"].startswith("int8")
    assert isinstance(found.facts["gate"]["holds"], bool)
    assert np.isfinite(vectors(found)).all()


# Several at once


def test_weights_that_are_downloaded_are_built_once(exporter, monkeypatch, tmp_path):
    """The download gives the weights a name and with it the model another key, while a second one waits."""
    path = tmp_path / "hub.pth"
    monkeypatch.setattr(locations, "hub_path", lambda: path)
    found = []

    def use():
        found.append(model_file(ModelSpec(precision="fp32")))

    second = threading.Thread(target=use)

    def download():
        if not second.ident:
            second.start()
            second.join(0.5)  # it waits for its turn
            path.write_bytes(b"weights")
            second.join(0.2)

    exporter.during = download
    use()
    second.join()
    use()
    assert exporter.built == ["fp32"]
    assert len({model.path for model in found}) == 1


def start(code, *arguments):
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


USE = """
import hashlib, sys
import numpy as np
from imgsim_ops.model_files.engine import create_engine
from imgsim_ops.models.spec import ModelSpec
print("ready", flush=True)
sys.stdin.readline()
engine = create_engine("onnx", ModelSpec(weights="random:0", precision="fp32"), 1)
pixels = np.arange(224 * 224 * 3, dtype=np.uint32).astype(np.uint8).reshape(1, 224, 224, 3)
print(hashlib.sha256(engine.embed(pixels)).hexdigest(), "torch" in sys.modules)
"""


def test_three_processes_at_once(cache):
    processes = [start(USE) for _ in range(3)]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    answers = [process.communicate(timeout=120) for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], answers
    digests = {out.split()[0] for out, _ in answers}
    assert len(digests) == 1
    # One said what it did, and only that one needed PyTorch.
    assert sorted(err.count("Preparing") for _, err in answers) == [0, 0, 1], answers
    assert sorted(out.split()[1] for out, _ in answers) == ["False", "False", "True"]
    assert suffixes(cache) == ONE_MODEL


def test_a_builder_is_killed_while_another_waits(cache):
    builder, waiting = start(USE), start(USE)
    builder.stdin.write("go\n")
    builder.stdin.flush()
    assert "Preparing" in builder.stderr.readline()
    waiting.stdin.write("go\n")
    waiting.stdin.flush()
    assert "Exporting" in builder.stderr.readline()
    builder.kill()
    builder.communicate()
    out, err = waiting.communicate(timeout=120)
    assert waiting.returncode == 0, err
    assert err.count("Preparing") == 1
    assert out.split()[0] == "ready"
    assert [path.suffix for path in cache.iterdir() if path.is_file()].count(".json") == 1


# Dies at the nth call of a function, in a fork; the next process uses what it left.
KILLED = """
import json, os, signal, sys, tempfile, warnings
sys.path.insert(0, sys.argv[1])
import onnx
from tests.support.tiny import Exporter
from imgsim_ops.export import recipes
from imgsim_ops.model_files import cache as files

def die(*arguments, **options):
    os.kill(os.getpid(), signal.SIGKILL)

def half(model, path, **options):
    path.write_bytes(model.SerializeToString()[:1000])
    die()

def nth(function, n):
    calls = iter(range(1, 100))
    return lambda *arguments, **options: die() if next(calls) == n else function(*arguments, **options)

def patch(moment):
    if moment == "export":
        recipes.export_backbone = die
    elif moment == "half a model":
        onnx.save_model = half
    else:
        name, n = moment.split()
        setattr(files.os, name, nth(getattr(os, name), int(n)))

for moment in json.loads(sys.argv[3]):
    os.environ["IMGSIM_CACHE"] = os.path.join(sys.argv[2], moment)
    exporter = Exporter()
    recipes.export_backbone = exporter
    child = os.fork()
    if not child:
        patch(moment)
        files.model_file(ModelSpec(weights="random:0", precision="fp32"), lambda line: None)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    found = [files.model_file(ModelSpec(weights="random:0", precision="fp32"), lambda line: None) for _ in range(2)]
    print(json.dumps([os.WTERMSIG(status), len(exporter.built), str(found[1].path), found[1].facts["fingerprint"]]))
"""
MOMENTS = ["export", "half a model", "fsync 1", "replace 1", "fsync 2", "replace 2", "fsync 3", "replace 3"]


@pytest.fixture(scope="module")
def left_behind(tmp_path_factory):
    """For each moment: what happened, and the cache folder after the next use."""
    folder = tmp_path_factory.mktemp("killed")
    code = [sys.executable, "-W", "ignore", "-c", KILLED, ROOT, folder, json.dumps(MOMENTS)]
    run = subprocess.run(code, capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr
    return {
        moment: (*json.loads(line), folder / moment)
        for moment, line in zip(MOMENTS, run.stdout.splitlines(), strict=True)
    }


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_builder_that_is_killed_harms_nobody(left_behind, exporter, moment):
    signal_number, built, path, fingerprint, _ = left_behind[moment]
    assert signal_number == 9
    assert built == 1  # by the next one; the one after that found it
    engine = OnnxEngine(path)
    assert str(engine.fingerprint) == fingerprint
    assert np.array_equal(engine.embed(PIXELS), vectors(model_file(RANDOM)))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("moment", MOMENTS)
def test_what_a_killed_builder_left_is_cleaned_away(left_behind, moment):
    assert suffixes(left_behind[moment][-1]) == ONE_MODEL
