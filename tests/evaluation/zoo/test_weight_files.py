import http.client
import urllib.error

import pytest
import torch

from imgsim_ops.errors import ImgsimError, WeightsError
from imgsim_ops.evaluation.zoo.files import WeightFiles

FIRST = "https://weights.example/models/a-12345678.pth"
SECOND = "https://weights.example/models/b-12345678.pth"
ELSEWHERE = "https://elsewhere.example/c-12345678.pth"


@pytest.fixture
def downloads(monkeypatch, tmp_path):
    """Answers downloads in place of the network; which were tried, and how each ends."""
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))

    class Downloads(list):
        error = None

        def __call__(self, url, destination, hash_prefix, progress):
            self.append((url, hash_prefix, progress))
            if self.error is not None:
                raise self.error
            with open(destination, "wb") as file:
                file.write(b"values")

    downloads = Downloads()
    monkeypatch.setattr(torch.hub, "download_url_to_file", downloads)
    return downloads


def test_a_download_goes_to_the_cache_and_comes_from_there(downloads, tmp_path):
    for _ in range(2):
        path = WeightFiles().find(FIRST)
        assert path == tmp_path / "hub" / "checkpoints" / "a-12345678.pth"
        assert path.read_bytes() == b"values"
    assert downloads == [(FIRST, "12345678", False)]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (urllib.error.URLError(OSError(-2, "Name or service not known")), "Name or service not known"),
        (TimeoutError("timed out"), "timed out"),
    ],
)
def test_a_host_that_cannot_be_reached_is_asked_once(downloads, error, reason):
    downloads.error = error
    files = WeightFiles()
    for url in (FIRST, SECOND, FIRST):
        with pytest.raises(WeightsError) as raised:
            files.find(url)
        assert str(raised.value) == f"weights.example cannot be reached ({reason})"
    with pytest.raises(WeightsError, match=r"elsewhere\.example cannot be reached"):
        files.find(ELSEWHERE)
    assert [url for url, *_ in downloads] == [FIRST, ELSEWHERE]


@pytest.mark.parametrize(
    "error",
    [
        urllib.error.HTTPError(FIRST, 403, "Forbidden", None, None),
        RuntimeError('invalid hash value (expected "1",\n got "2")'),
        OSError(28, "No space left on device"),
        http.client.IncompleteRead(b""),
    ],
)
def test_a_file_that_cannot_be_had_says_nothing_of_others(downloads, error):
    downloads.error = error
    files = WeightFiles()
    for url, name in ((FIRST, "a-12345678.pth"), (SECOND, "b-12345678.pth")):
        with pytest.raises(WeightsError, match=f"^{name} cannot be downloaded \\(.+\\)$"):
            files.find(url)
    assert [url for url, *_ in downloads] == [FIRST, SECOND]
    getattr(error, "close", lambda: None)()


def test_no_weights(downloads):
    files = WeightFiles("none")
    assert not files.wanted
    assert files.find(FIRST) is None
    assert downloads == []


def test_a_folder(downloads, tmp_path):
    (tmp_path / "a-12345678.pth").touch()
    files = WeightFiles(str(tmp_path))
    assert files.find(FIRST) == tmp_path / "a-12345678.pth"
    with pytest.raises(WeightsError, match=r"b-12345678.pth is not in "):
        files.find(SECOND)
    assert downloads == []
    with pytest.raises(ImgsimError, match=r"--weights must be auto, none or a folder \(got '.*nowhere'\)"):
        WeightFiles(str(tmp_path / "nowhere"))
