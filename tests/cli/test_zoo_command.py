"""``imgsim zoo``, on the smallest models."""

import json
import sys

import pytest

from imgsim_ops.cli import zoo as zoo_command
from imgsim_ops.errors import WeightsError
from imgsim_ops.evaluation.result_files import read_results
from imgsim_ops.evaluation.zoo import measure as measure_module
from imgsim_ops.evaluation.zoo.files import WeightFiles

SMALL = "mobilenet_v3_small,squeezenet1_1"
QUICK = ["--repeats", 1, "--warmup", 0, "--threads", 1]


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    def refuse(self, url, path):
        raise WeightsError("weights.example cannot be reached (no network)")

    monkeypatch.setattr(WeightFiles, "_download", refuse)


def rows_of(document):
    return {row["model"]: row for table in document["tables"] for row in table["rows"]}


def test_table(imgsim):
    result = imgsim("zoo", "--models", SMALL, "--weights", "none", *QUICK)
    assert result.exit_code == 0, result.output
    for words in (
        "GFLOPS 0",
        "mobilenet_v3_small",
        "squeezenet1_1",
        "positive, negative, resized: no weights",
        "2 models",
    ):
        assert words in result.stdout
    assert "chelsea.png" in result.stdout
    assert result.stderr == ""


def test_files_and_json(imgsim, tmp_path):
    result = imgsim(
        "zoo", "-m", "squeezenet1_1", "-m", "resnet18", "--weights", "none", *QUICK, "-o", tmp_path, "--json"
    )
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert document == json.loads((tmp_path / "zoo.json").read_text())
    assert [table["title"] for table in document["tables"]] == ["GFLOPS 0", "GFLOPS 1 to 3"]
    row = rows_of(document)["squeezenet1_1"]
    assert row["dimension"] == 86528
    assert row["embed_ms"] > 0
    assert row["positive"] == "no weights"
    assert read_results(tmp_path / "zoo.json").plots[0].name == "time"
    assert {path.name for path in tmp_path.iterdir()} == {"zoo.json", "zoo.md", "zoo.csv", "zoo-time.svg"}
    assert "| squeezenet1_1 | IMAGENET1K_V1 | 86,528 | 0.35 |" in (tmp_path / "zoo.md").read_text()


def test_real_weights_tell_a_cat_from_a_cup(imgsim):
    result = imgsim("zoo", "--models", "imgsim:efficientnet_lite0", *QUICK, "--json")
    assert result.exit_code == 0, result.output
    (row,) = rows_of(json.loads(result.stdout)).values()
    # Where word_for puts copies and different things.
    assert row["positive"] > 93
    assert row["negative"] < 55
    assert row["negative_resized"] == pytest.approx(row["negative"], abs=5)  # the same picture, a quarter smaller


def test_several_triples(imgsim, photos):
    a, b = photos / "a.png", photos / "b.jpg"
    result = imgsim("zoo", a, a, b, b, b, a, "--models", "imgsim:efficientnet_lite0", *QUICK, "--json")
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    (row,) = rows_of(document).values()
    assert row["positive"] == pytest.approx(100, abs=1e-4)  # the cosine of a vector with itself, in float32
    assert row["auc"] == 1
    assert document["facts"]["pictures"] == "2 triples"
    shown = imgsim("zoo", a, a, b, b, b, a, "--models", "imgsim:efficientnet_lite0", *QUICK)
    assert "AUC" in shown.stdout


def test_models_without_weights_are_rows_that_say_why(imgsim, tmp_path):
    result = imgsim("zoo", "--models", f"{SMALL},imgsim:efficientnet_lite0", *QUICK, "-o", tmp_path)
    assert result.exit_code == 3, result.output
    assert "2 of them could not be measured" in result.stdout
    assert "--weights none measures their time" in result.stdout
    rows = rows_of(json.loads((tmp_path / "zoo.json").read_text()))
    for name in SMALL.split(","):
        assert rows[name]["note"] == "no weights: weights.example cannot be reached (no network)"
        assert rows[name]["positive"] == "no weights"
        assert rows[name]["dimension"] > 500
        assert "embed_ms" not in rows[name]
    assert rows["imgsim:efficientnet_lite0"]["positive"] > 93


def test_pictures_that_cannot_be_read(imgsim, failure, photos):
    (photos / "words.png").write_text("words")
    a, b, words = photos / "a.png", photos / "b.jpg", photos / "words.png"
    options = ["--models", "squeezenet1_1", "--weights", "none", *QUICK]
    result = imgsim("zoo", a, a, b, a, words, b, *options)
    assert result.exit_code == 3, result.output
    assert "Skipped 1 file" in result.stdout
    assert "not_a_picture" in result.stdout
    assert "words.png" in failure("zoo", a, words, b, *options)


@pytest.mark.parametrize("width", [60, 80, 100, 140])
def test_the_table_fits_the_terminal(imgsim, monkeypatch, width):
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setattr(
        measure_module,
        "_measured",
        lambda candidate, facts, *_: measure_module.Row(
            candidate.label, candidate.weights, facts, 0.0123, 1e-5, measure_module.np.array([[0.9, 0.5, 0.4]])
        ),
    )
    result = imgsim("zoo", "--models", SMALL, "--weights", "none", *QUICK)
    table = [line for line in result.stdout.splitlines() if line.startswith(("model", "mobilenet", "squeeze", "─"))]
    assert max(map(len, table)) <= width
    assert all("…" not in line for line in table)
    for line in table[2:]:
        assert " 12.3 " in line
        assert " 90.0 " in line
    assert ("acc@5" in result.stdout) == (width > 100)


def test_ctrl_c_keeps_what_is_done(imgsim, monkeypatch, tmp_path):
    done = []

    def measure(candidate, triples, settings, original=measure_module.measure):
        if done:
            raise KeyboardInterrupt
        done.append(candidate.label)
        return original(candidate, triples, settings)

    monkeypatch.setattr(measure_module, "measure", measure)
    result = imgsim("zoo", "--models", SMALL, "--weights", "none", *QUICK, "-o", tmp_path)
    assert result.exit_code == 130
    assert result.stderr.endswith("imgsim: stopped\n")
    assert list(rows_of(json.loads((tmp_path / "zoo.json").read_text()))) == done == ["mobilenet_v3_small"]


def test_a_page(imgsim, tmp_path):
    pytest.importorskip("imgsim_ops.evaluation.results_page")
    page = tmp_path / "zoo.html"
    result = imgsim("zoo", "--models", "squeezenet1_1", "--weights", "none", *QUICK, "--html", page)
    assert result.exit_code == 0, result.output
    assert "squeezenet1_1" in page.read_text()


def test_mistakes(failure, photos, tmp_path, monkeypatch):
    a = photos / "a.png"
    assert "did you mean resnet18" in failure("zoo", "--models", "resnet17")
    assert "IMAGENET1K_V1 or IMAGENET1K_V2 (got 'v9')" in failure("zoo", "--models", "resnet50:V9")
    assert "pictures must come in threes" in failure("zoo", a, a)
    assert "--weights must be auto, none or a folder" in failure("zoo", "--weights", tmp_path / "none")
    assert "--engine must be" in failure("zoo", "--engine", "nonsense")
    assert "--device must be" in failure("zoo", "--device", "nonsense")
    assert "--repeats" in failure("zoo", "--repeats", 0)
    (tmp_path / "file").touch()
    assert "file" in failure("zoo", "-o", tmp_path / "file" / "below", "--models", "squeezenet1_1")
    assert "must be there and writable" in failure("zoo", "--html", tmp_path / "no" / "x.html")
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert "matplotlib must be installed" in failure("zoo", "-o", tmp_path, "--models", "squeezenet1_1")


def test_columns_that_go_first_are_columns():
    from imgsim_ops.evaluation.zoo.tables import group_table

    keys = {column.key for column in group_table("0", [], 2).columns}
    assert {*zoo_command._MINOR, *zoo_command._NOT_PRINTED} <= keys
