"""Statistics: the same numbers as the Python package, for any threads; bad files are named and skipped."""

import os
from functools import reduce

import pytest

from imgsim_ops import kernels
from imgsim_ops.errors import ImageError
from imgsim_ops.images.decode import decode
from tests.support.app_binary import run, run_json


def merged_moments(paths):
    return reduce(lambda a, b: a.merge(b), (kernels.channel_moments(decode(path)) for path in paths))


def test_stats_agree_with_python(pictures):
    report = run_json("--stats", pictures, "--repeat", "0")
    expected = merged_moments(sorted(pictures.iterdir()))
    assert report["pictures"] == len(list(pictures.iterdir()))
    assert report["pixels"] == expected.count
    assert report["timings"] == []
    for i, name in enumerate(("red", "green", "blue")):
        found = report["channels"][name]
        # The pixels have the same sums, exactly; merging rounds a few times in double.
        assert found["mean_255"] == pytest.approx(expected.mean[i], rel=1e-13)
        assert found["std_255"] == pytest.approx(expected.std[i], rel=1e-13)
        assert found["mean"] == found["mean_255"] / 255


def test_stats_of_each_picture_agree_with_python(pictures):
    """One wrong pixel would drown in the sum over all pictures."""
    for path in [*sorted(pictures.glob("*.png")), *sorted(pictures.glob("*.gif")), pictures / "cmyk.jpg"]:
        channels = run_json("--stats", path, "--repeat", "0")["channels"]
        expected = kernels.channel_moments(decode(path))
        for i, name in enumerate(("red", "green", "blue")):
            assert channels[name]["mean_255"] == pytest.approx(expected.mean[i], rel=1e-13), path.name
            # A picture of one pixel has the deviation 0.
            assert channels[name]["std_255"] == pytest.approx(expected.std[i], rel=1e-13, abs=1e-13), path.name


def test_stats_have_the_same_bits_for_any_threads(pictures):
    reports = [run_json("--stats", pictures, "--threads", str(n), "--repeat", "0") for n in (1, 2, 3, 7)]
    assert all(report["channels"] == reports[0]["channels"] for report in reports)


def test_stats_table_has_powers_of_two_and_all(pictures):
    rows = run_json("--stats", pictures, "--threads", "6", "--repeat", "1")["timings"]
    assert [row["threads"] for row in rows] == [1, 2, 4, 6]
    for row in rows:
        assert row["microseconds"] > 0
        assert row["speedup"] == pytest.approx(rows[0]["microseconds"] / row["microseconds"])
    text, _ = run("--stats", pictures / "coffee.png", "--threads", "2", "--repeat", "1")
    table = text.splitlines()
    header = next(i for i, line in enumerate(table) if line.split() == ["threads", "microseconds", "speed-up"])
    assert [line.split()[0] for line in table[header + 1 : header + 3]] == ["1", "2"]


def test_bad_files_are_named_and_skipped(bad_files, pictures):
    folder, expected = bad_files
    report = run_json("--stats", folder, "--repeat", "0", code=3)
    assert report["pictures"] == 1
    assert {os.path.basename(s["path"]): s["code"] for s in report["skipped"]} == expected
    assert [s["path"] for s in report["skipped"]] == sorted(s["path"] for s in report["skipped"])
    good = kernels.channel_moments(decode(pictures / "astronaut.jpg"))
    assert report["channels"]["red"]["mean_255"] == pytest.approx(good.mean[0], rel=1e-13)
    text, errors = run("--stats", folder, "--repeat", "0", code=3)
    assert text.startswith(f"1 picture, {good.count:,} pixels, {len(expected)} skipped\n")
    lines = errors.splitlines()
    assert len(lines) == len(expected)
    for line, skipped in zip(lines, report["skipped"], strict=True):
        assert line.startswith(f"skipped: {skipped['code']}: decode: ")
        assert skipped["path"] in line


def test_bad_files_have_the_codes_of_python(bad_files):
    folder, expected = bad_files
    for name, code in expected.items():
        if code != "unsupported":  # the formats that only Python reads
            with pytest.raises(ImageError) as caught:
                decode(folder / name)
            assert caught.value.code == code, name


def test_nothing_but_bad_files(tmp_path):
    (tmp_path / "a.jpg").write_text("no picture")
    report = run_json("--stats", tmp_path, code=3)
    assert report["pictures"] == 0
    assert report["channels"] is None
    assert "1 skipped" in run("--stats", tmp_path, code=3)[0]
