import pytest
from PIL import Image
from skimage import data

from imgsim_ops.matching.features import Features, local_features


@pytest.fixture(scope="module")
def picture():
    return Image.fromarray(data.coffee()).resize((400, 300))


@pytest.fixture(scope="module")
def described(tmp_path_factory):
    folder = tmp_path_factory.mktemp("local")

    def features(image, **options):
        path = folder / "picture.bmp"
        image.save(path)
        return Features.from_bytes(local_features(path, **options))

    return features
