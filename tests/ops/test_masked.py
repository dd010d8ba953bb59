"""Arrays that hide some of their elements: NumPy's operators see through a mask, and so refuse one."""

import numpy as np
import pytest

from imgsim_ops import kernels

ROWS = np.arange(12, dtype=np.float32).reshape(3, 4) + 1
PICTURE = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
CALLS = {
    "cosine_similarity": (ROWS, lambda x: kernels.cosine_similarity(x, ROWS)),
    "cosine_similarity, second": (ROWS, lambda x: kernels.cosine_similarity(ROWS, x)),
    "cosine_topk": (ROWS, lambda x: kernels.cosine_topk(x, ROWS, 2)),
    "cosine_topk, gallery": (ROWS, lambda x: kernels.cosine_topk(ROWS, x, 2)),
    "cosine_pairs": (ROWS, lambda x: kernels.cosine_pairs(x, 0.5)),
    "quantize_rows": (ROWS, kernels.quantize_rows),
    "channel_moments": (PICTURE, lambda x: kernels.channel_moments(x).mean),
    "channel_stats": (PICTURE[None], kernels.channel_stats),
    "resize_crop": (PICTURE, lambda x: kernels.resize_crop(x, 4, 2)),
    "resize_crop_strips": (PICTURE, lambda x: kernels.resize_crop_strips(4, 4, [x[:2], x[2:]], 4, 2)),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_mask_is_refused_and_nothing_masked_is_as_without(name):
    array, call = CALLS[name]
    masked = np.ma.array(array, mask=False)
    for got, expected in zip(call(masked), call(array), strict=True):
        np.testing.assert_array_equal(got, expected)
    masked[(0,) * array.ndim] = np.ma.masked
    operator = name.partition(",")[0]
    with pytest.raises(ValueError, match=rf"^{operator}: no element may be masked, .* \(got 1 masked\)$"):
        call(masked)


@pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")
@pytest.mark.parametrize("name", CALLS)
def test_other_subclasses_are_what_they_hold(name, tmp_path):
    array, call = CALLS[name]
    np.save(tmp_path / "a.npy", array)

    class Named(np.ndarray):
        pass

    kinds = [np.load(tmp_path / "a.npy", mmap_mode="r"), array.view(Named)]
    if array.ndim == 2:
        kinds.append(np.asmatrix(array))
    for kind in kinds:
        for got, expected in zip(call(kind), call(array), strict=True):
            np.testing.assert_array_equal(np.asarray(got).ravel(), np.asarray(expected).ravel())
