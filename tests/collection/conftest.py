import pytest

from imgsim_ops.collection.collection import Collection
from imgsim_ops.collection.indexing.indexing import index_files
from imgsim_ops.collection.store.store import Store
from imgsim_ops.embedding.embedder import Embedder
from imgsim_ops.images.options import ReadOptions
from imgsim_ops.recipes.recipes import RECIPES
from tests.support.stub_embedder import StubEmbedder
from tests.support.stub_engine import Blocks


@pytest.fixture
def embedder():
    return StubEmbedder()


@pytest.fixture
def store(tmp_path, embedder):
    with Store.create(tmp_path / "c.imgsim", embedder.fingerprint, RECIPES["crops"], embedder.raw_width) as store:
        yield store


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    return folder


@pytest.fixture
def index(store, embedder, photos):
    """Indexes a folder, by default `photos`; the report says what was done, `embedder.decoded` what was read."""

    def run(*paths, **options):
        embedder.decoded.clear()
        return index_files(store, lambda: embedder, paths or [photos], threads=2, **options)

    return run


@pytest.fixture
def collection(tmp_path):
    """An empty one, by real readers and the least of models."""
    with Collection.create(
        tmp_path / "c.imgsim", recipe="gem", embedder=Embedder(engine=Blocks(), read=ReadOptions(2))
    ) as collection:
        yield collection
