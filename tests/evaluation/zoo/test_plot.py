import numpy as np
import pytest

from imgsim_ops.evaluation.zoo.labels import place_names
from imgsim_ops.evaluation.zoo.measure import Row
from imgsim_ops.evaluation.zoo.plot import plots
from tests.support.zoo_made import row

pytest.importorskip("matplotlib")


def rows(count, trained=True):
    generator = np.random.default_rng(0)
    return [
        row(f"model_{i}", 0.05 * 1.3**i, 3 * 1.2**i, [[0.9, generator.uniform(0, 0.6), 0]] if trained else None)
        for i in range(count)
    ]


def test_with_weights_separation_against_time():
    (plot,) = plots([*rows(12), Row("failed", "V1", failed="no memory")])
    assert plot.name == "separation"
    assert "12 models" in plot.title
    assert plot.svg.count("<!-- model_") == 12  # matplotlib names each text before it draws the letters
    assert "<!-- failed -->" not in plot.svg
    assert plots([*rows(12), Row("failed", "V1", failed="no memory")]) == [plot]  # the same file


def test_without_weights_time_against_gflops():
    (plot,) = plots(rows(5, trained=False))
    assert plot.name == "time"
    assert "without weights" in plot.title
    assert plot.svg.count("<!-- model_") == 5


def test_one_model_separates_nothing_from_others():
    assert [plot.name for plot in plots([*rows(1), *rows(3, trained=False)])] == ["time"]
    assert [plot.name for plot in plots([*rows(2), *rows(3, trained=False)])] == ["separation", "time"]
    assert plots(rows(1)) == []
    assert plots([Row("failed", "V1", failed="no memory")]) == []


def shared(places, sizes):
    """The areas that boxes share, each pair of them."""
    overlap = (sizes[:, None] + sizes[None]) / 2 - np.abs(places[:, None] - places[None])
    areas = np.maximum(overlap, 0).prod(axis=2)
    return areas[np.triu_indices(len(places), 1)]


def test_names_cover_nothing_where_there_is_room():
    generator = np.random.default_rng(1)
    points = generator.uniform((60, 40), (740, 460), (50, 2))
    sizes = np.column_stack([generator.uniform(30, 90, 50), np.full(50, 9.0)])
    radii = generator.uniform(2, 10, 50)
    places = place_names(points, radii, sizes, np.array([0, 0, 800, 500]))
    assert shared(places, sizes).max() == 0
    away = np.abs(places[:, None] - points[None]) - sizes[:, None] / 2
    assert (np.hypot(*np.maximum(away, 0).transpose(2, 0, 1)) >= radii - 1e-9).all()
    assert ((places - sizes / 2 >= 0) & (places + sizes / 2 <= (800, 500))).all()
    # Each beside its own point: nearer than any gap that could not be told.
    assert np.hypot(*np.maximum(np.abs(places - points) - sizes / 2, 0).T).max() < 50


@pytest.mark.parametrize("count", [0, 1, 2])
def test_few_names(count):
    points = np.full((count, 2), 50.0)
    places = place_names(points, np.full(count, 3.0), np.full((count, 2), 10.0), np.array([0, 0, 100, 100]))
    assert places.shape == (count, 2)
    assert shared(places, np.full((count, 2), 10.0)).sum() == 0
