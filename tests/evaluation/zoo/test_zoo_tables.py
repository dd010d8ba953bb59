import json

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from imgsim_ops.evaluation.results import Results, table_markdown
from imgsim_ops.evaluation.zoo.candidates import Runtime
from imgsim_ops.evaluation.zoo.measure import MeasuringOptions, Row
from imgsim_ops.evaluation.zoo.tables import group_of, group_table, separation, unbeaten, zoo_results
from imgsim_ops.evaluation.zoo.triples import Triple, Triples
from tests.support.operator_cases import examples
from tests.support.zoo_made import row, settings


@pytest.mark.parametrize(
    ("gflops", "group"),
    [
        (0.04, "0"),
        (0.999, "0"),
        (1.0, "1 to 3"),
        (3.664, "1 to 3"),
        (3.999, "1 to 3"),
        (4.0, "4 to 6"),
        (6.99, "4 to 6"),
        (7.0, "7 and 8"),
        (8.741, "7 and 8"),
        (9.0, "9 and more"),
        (1000.0, "9 and more"),
    ],
)
def test_groups(gflops, group):
    assert group_of(gflops) == group


def cells(*args, triples=1):
    (found,) = group_table("1 to 3", [row(*args)], triples).rows
    return found


def test_a_row_of_one_triple():
    table = group_table("1 to 3", [row("a", 1.814, 2.5, [[0.9, 0.5, 0.25]], note="int8")], 1)
    assert table.title == "GFLOPS 1 to 3"
    assert table.rows == [
        {
            "model": "a",
            "weights": "IMAGENET1K_V1",
            "dimension": 3,
            "gflops": 1.814,
            "params_m": 10.0,
            "acc1": 70.0,
            "acc5": 90.0,
            "embed_ms": pytest.approx(2.5, rel=1e-12),
            "cosine_us": pytest.approx(10, rel=1e-12),
            "positive": 90.0,
            "negative": 50.0,
            "negative_resized": 25.0,
            "picture": "as it is",
            "note": "int8",
        }
    ]
    assert "auc" not in [column.key for column in table.columns]
    assert "| a | IMAGENET1K_V1 | 3 | 1.81 | 10.0 | 70.0 | 90.0 | 2.5 | 10.0 | 90.0 | 50.0 | 25.0 |" in table_markdown(
        table
    )


def test_several_triples_give_means_and_the_area_under_the_curve():
    found = cells("a", 1.5, 1.0, [[0.9, 0.1, 0.2], [0.5, 0.7, 0.4]], triples=2)
    # Sums of two float64 numbers.
    assert found["positive"] == pytest.approx(70, rel=1e-12)
    assert found["negative"] == pytest.approx(40, rel=1e-12)
    assert found["negative_resized"] == pytest.approx(30, rel=1e-12)
    assert found["auc"] == 0.75  # of the four pairs 0.5 < 0.7 is the wrong way round


def test_where_there_are_no_similarities():
    scores = ("positive", "negative", "negative_resized", "auc")
    table = group_table(
        "0",
        [
            row("without"),
            row("broken", cosines=[[np.nan, 0, 0]]),
            Row("failed", "V1", failed="no memory"),
            Row("missing", "V1", failed="no weights: none", no_weights=True),
        ],
        2,
    )
    without, broken, failed, missing = table.rows
    assert [without[key] for key in scores] == ["no weights"] * 4
    assert [broken[key] for key in scores] == ["not finite"] * 4
    assert [failed[key] for key in scores] == [None] * 4
    assert failed["note"] == "no memory"
    assert [missing[key] for key in scores] == ["no weights"] * 4
    assert "embed_ms" not in failed
    assert "dimension" not in failed
    json.dumps(table.rows, allow_nan=False)


def test_separation():
    assert separation(row("a", cosines=[[0.9, 0.2, 0], [0.7, 0.4, 0]])) == pytest.approx(50, rel=1e-12)
    assert separation(row("a")) is None
    assert separation(row("a", cosines=[[np.inf, 0, 0]])) is None


@examples(100)
@given(
    st.lists(st.tuples(st.sampled_from([1.0, 2, 3, 4]), st.sampled_from([0.1, 0.2, 0.3, 0.4])), min_size=1, max_size=8)
)
def test_unbeaten(points):
    rows = [row(str(i), 1.0, time, [[score, 0, 0]]) for i, (time, score) in enumerate(points)]
    expected = {
        (time, score)
        for time, score in points
        if not any((t <= time and s >= score) and (t, s) != (time, score) for t, s in points)
    }
    found = [points[int(best.model)] for best in unbeaten(rows)]
    assert set(found) == expected
    assert len(found) == len(expected)
    assert found == sorted(found)


def test_results_say_how_they_were_made():
    pixels = np.zeros((4, 4, 3), np.uint8)
    triples = Triples([Triple(pixels, pixels, pixels)] * 2)
    table = group_table("0", [row("a", cosines=[[1, 0, 0]] * 2)], 2)
    results = zoo_results([table], [], triples, settings(repeats=7, warmup=3))
    assert results.kind == "zoo"
    assert results.facts["pictures"] == "2 triples"
    assert "median of 7 calls after 3" in results.facts["embed"]
    assert "means of 2 triples" in results.facts["similarity"]
    assert "rounded down" in results.facts["GFLOPS, parameters, acc@1, acc@5"]
    assert results.facts["engine"].startswith("PyTorch")
    assert Results.from_json(json.loads(json.dumps(results.as_json()))).tables[0].rows == table.rows
    assert "threads" in results.facts["machine"]
    onnx = zoo_results([table], [], triples, MeasuringOptions(settings().files, Runtime(engine="onnx")))
    assert onnx.facts["engine"].startswith("ONNX Runtime")
