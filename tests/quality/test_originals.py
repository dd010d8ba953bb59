"""The originals of the benchmarks."""

from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.mark.parametrize("suffix", [".jxl", ".avif", ".heic", ".dng"])
def test_what_not_every_machine_reads_is_not_drawn(tmp_path, monkeypatch, suffix):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import _originals

    for source in _originals.SOURCES:
        (tmp_path / source.package).mkdir()
    pictures = tmp_path / "plasma-workspace-wallpapers/a/contents/images"
    pictures.mkdir(parents=True)
    for name in ("b.png", f"c{suffix}", "d.jpg", "e.webp"):
        (pictures / name).write_bytes(b"anything")
    found = _originals.packaged(tmp_path)["plasma-workspace-wallpapers"]
    assert [path.name for path in found] == ["b.png", "d.jpg", "e.webp"]
