"""The list in docs/formats.md of what is read and refused, row by row; tests/cpp_app asks imgsim_app for it too."""

import numpy as np
import pytest

from imgsim_ops.errors import ImageError
from imgsim_ops.files.reasons import Reason
from imgsim_ops.images.decode import decode
from tests.support.odd_kinds import KINDS, listed


def test_the_list_has_all_kinds_and_no_others():
    assert listed().keys() == KINDS.keys()
    assert set(listed().values()) <= {"read", *Reason.sentences()}


@pytest.mark.parametrize("kind", KINDS)
def test_what_the_list_says(tmp_path, kind):
    content, shown = KINDS[kind]
    (tmp_path / "odd").write_bytes(content)
    if listed()[kind] == "read":
        np.testing.assert_array_equal(decode(tmp_path / "odd"), shown)
        return
    with pytest.raises(ImageError) as caught:
        decode(tmp_path / "odd")
    assert caught.value.code == listed()[kind]
