import json
import re

import pytest

from imgsim_ops.evaluation.result_files import write_results
from tests.support.results_made import made_results


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_results(made_results(tables=2), "results")
    write_results(made_results("training", "Training"), "results/runs/triplet")
    return tmp_path


def test_a_folder_becomes_a_page(imgsim, folder):
    result = imgsim("report", "results")
    assert result.exit_code == 0
    assert result.stdout == "results.html: 3 tables and 2 plots of 2 files\n"
    text = (folder / "results.html").read_text("utf-8")
    assert re.findall("<h2>(.*?)</h2>", text) == ["Models", "Training"]
    assert "<dt>file</dt><dd>results/runs/triplet/training.json</dd>" in text


def test_files_in_their_order(imgsim, folder):
    result = imgsim(
        "report", "results/runs/triplet/training.json", "results/zoo.json", "-o", "a.html", "--title", "A & B", "--json"
    )
    assert result.exit_code == 0
    assert json.loads(result.stdout) == {
        "page": "a.html",
        "results": [
            {
                "file": "results/runs/triplet/training.json",
                "kind": "training",
                "title": "Training",
                "tables": ["Table 1"],
                "plots": ["Separation against time"],
            },
            {
                "file": "results/zoo.json",
                "kind": "zoo",
                "title": "Models",
                "tables": ["Table 1", "Table 2"],
                "plots": ["Separation against time"],
            },
        ],
        "skipped": [],
    }
    assert "<h1>A &amp; B</h1>" in (folder / "a.html").read_text("utf-8")


def test_one_file_is_the_page(imgsim, folder):
    assert imgsim("report", "results/zoo.json").stdout == "results.html: 2 tables and 1 plot of 1 file\n"
    text = (folder / "results.html").read_text("utf-8")
    assert "<h1>Models</h1>" in text
    assert "zoo.json" not in text


def test_damaged_files_are_skipped(imgsim, folder):
    (folder / "results" / "old.json").write_text('{"imgsim_results": 0}')
    result = imgsim("report", "results")
    assert result.exit_code == 3
    assert "no_results" in result.stdout
    assert "old.json" in result.stdout
    result = imgsim("report", "results", "--json")
    assert result.exit_code == 3
    (skipped,) = json.loads(result.stdout)["skipped"]
    assert skipped == {
        "path": "results/old.json",
        "code": "no_results",
        "message": "results: must be what imgsim zoo or methods wrote, in version 1 (got another in results/old.json)",
    }


def test_mistakes(failure, folder):
    (folder / "empty").mkdir()
    (folder / "decisions.json").write_text('{"imgsim": "decisions"}')
    assert failure("report", "empty") == (
        "imgsim: report: there must be results of imgsim zoo or methods (got none in empty)"
    )
    assert "got decisions.json" in failure("report", "decisions.json")
    assert "got no.json: No such file" in failure("report", "results", "no.json")
    assert "No such file" in failure("report", "results", "-o", "no/folder.html")
    assert not (folder / "results.html").exists()
    (folder / "empty" / "half.json").write_text('{"imgsim_results": ')
    assert "got results: must be what imgsim zoo or methods wrote (got empty/half.json)" in failure("report", "empty")
