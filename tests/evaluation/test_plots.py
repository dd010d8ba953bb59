import builtins
import re
from xml.etree import ElementTree

import pytest

from imgsim_ops.errors import ImgsimError
from imgsim_ops.evaluation.plots import label, new_figure, svg

matplotlib = pytest.importorskip("matplotlib")


def drawn(*names):
    figure = new_figure(4, 3)
    axes = figure.add_subplot()
    axes.set_xscale("log")  # whose labels are formulas
    axes.scatter([1, 10, 100], [3, 1, 2])
    axes.set_title("\n".join(names))
    return svg(figure)


def test_the_same_figure_is_the_same_file():
    text = drawn("a")
    with matplotlib.rc_context({"svg.hashsalt": "other", "svg.fonttype": "none", "savefig.facecolor": "black"}):
        assert drawn("a") == text
    root = ElementTree.fromstring(text)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert (root.get("width"), root.get("height")) == ("288pt", "216pt")  # 4 x 3 inches
    assert "<dc:date>" not in text


def test_a_figure_leaves_no_settings_behind():
    before = dict(matplotlib.rcParams)
    drawn("a")
    assert dict(matplotlib.rcParams) == before


def test_any_name_can_be_drawn():
    names = [r"$\frac{$", "50$ and 60$", "a_b^c", "漢字", "two\nlines", "\udcff", "<b>&amp;</b>"]
    assert drawn(*map(label, names)) != drawn("")


def test_letters_are_lines():
    assert "<text" not in re.sub("<!--.*?-->", "", drawn("a"))


def test_matplotlib_is_asked_for(monkeypatch):
    def refuse(name, *rest, **options):
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return real(name, *rest, **options)

    real = builtins.__import__
    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(ImgsimError, match=r"plot: matplotlib must be installed \(got none\); run pip install"):
        new_figure(4, 3)
