import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imgsim_ops.files.opening import Content
from imgsim_ops.files.pages import page_digest, page_name, split_page

NAMES = st.text(st.characters(exclude_characters="\0/", exclude_categories=["Cs"]), min_size=1, max_size=30)


@settings(deadline=None)
@given(name=NAMES, page=st.integers(1, 10**9 - 1))
def test_a_name_leads_back_to_its_file_and_page(name, page):
    path = f"/nowhere/{name}"
    assert split_page(page_name(path, page)) == (path, page)


@pytest.mark.parametrize(
    "path", ["a.tif", "a.tif#page=", "a.tif#page=0", "a.tif#page=-1", "a.tif#page=02", "#page=2", "a#page=2.tif"]
)
def test_other_names_are_of_files(path):
    assert split_page(path) == (path, None)


def test_a_file_of_such_a_name_is_a_file(tmp_path):
    path = tmp_path / "scan.tif#page=2"
    assert split_page(path)[1] == 2
    path.touch()
    assert split_page(path) == (path, None)


def test_content_that_is_on_no_disk_has_no_pages():
    content = Content(b"12")
    assert split_page(content) == (content, None)


def test_pages_of_equal_files_are_known_by_one_hash():
    one, other = (hashlib.sha256(content).digest() for content in (b"one", b"other"))
    digests = {page_digest(sha256, page) for sha256 in (one, other) for page in (2, 3)} | {one, other}
    assert len(digests) == 6
    assert page_digest(one, 2) == page_digest(bytes(one), 2)
