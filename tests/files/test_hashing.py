"""The hash of a file's bytes."""

import hashlib
import io

import pytest

from imgsim_ops.files.hashing import digest_of

CHUNK = 1 << 20


@pytest.mark.parametrize("size", [0, 3, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK])
def test_any_size(size):
    content = bytes(range(256)) * (size // 256 + 1)
    assert digest_of(io.BytesIO(content[:size])) == hashlib.sha256(content[:size]).digest()


def test_memory_does_not_grow_with_the_file(tmp_path):
    asked = []

    class File(io.BytesIO):
        def read(self, size=-1):
            asked.append(size)
            return super().read(size)

    digest_of(File(bytes(5 * CHUNK)))
    assert set(asked) == {CHUNK}


def test_from_where_the_file_is():
    file = io.BytesIO(b"-abc")
    file.seek(1)
    assert digest_of(file).hex().startswith("ba7816bf")
