import gc

import pytest


@pytest.fixture(scope="package", autouse=True)
def quick_releases():
    """After each model all objects are gone through: those of the libraries need not be, time after time."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()
