"""Codes with sentences: what all lists of them share."""

import pytest

from imgsim_ops.cleanup.reasons import CleanupReason
from imgsim_ops.files.reasons import CodedReason, Reason, SkippedFile

# Codes are part of the interface: programs that read --json know these.
CODES = {
    Reason: """missing broken_link unreadable folder special empty not_a_picture truncated damaged unsupported too_large
        too_many_pages out_of_memory crashed changed timed_out""",
    CleanupReason: """link changed no_kept_copy kept_too not_equal other_disk same_folder not_merged needed
        refused no_journal taken deleted""",
}


@pytest.mark.parametrize("reasons", CODES)
def test_codes_and_sentences(reasons):
    assert list(reasons.sentences()) == CODES[reasons].split()
    assert [reason.code for reason in reasons] == CODES[reasons].split()
    assert all(sentence.isprintable() and not sentence.endswith(".") for sentence in reasons.sentences().values())
    assert issubclass(reasons, CodedReason)


def test_a_message_is_one_line():
    message = Reason.EMPTY.message("decode", "/new\nline\udcff.jpg", "a\nb")
    assert message == r"decode: the file must not have zero bytes (got /new\nline\xff.jpg: a\nb)"
    assert CleanupReason.TAKEN.message("cleanup", "/a") == "cleanup: the place the file came from must be free (got /a)"


@pytest.mark.parametrize("detail", ["", "XCF is not read here", "a (b): c"])
def test_the_detail_of_a_message(detail):
    message = Reason.UNSUPPORTED.message("decode", "/a (got: b", detail)
    assert SkippedFile("/a (got: b", "unsupported", message).detail == detail
