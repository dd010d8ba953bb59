"""Model files that the tests build go to a cache of their own, shared by one run of the suite."""

import pytest


@pytest.fixture(scope="session", autouse=True)
def model_cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("cache")
        patch.setenv("IMGSIM_CACHE", str(folder))
        yield folder
