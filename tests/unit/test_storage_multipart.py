"""Bodies of several parts: what is joined is parted again, and what is none is told."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_impl.storage.multipart import MOST_PARTS, MultipartError, joined, media_type, parameter, parted


@given(st.lists(st.binary(max_size=200), min_size=1, max_size=5))
def test_parts_come_back_octet_for_octet(parts: list[bytes]) -> None:
    content_type, body = joined(parts, "application/dicom; transfer-syntax=1.2.840.10008.1.2.1")
    assert [octets for _, octets in parted(content_type, body)] == parts
    assert {media_type(kind) for kind, _ in parted(content_type, body)} == {"application/dicom"}


@given(st.binary(max_size=300))
def test_any_octets_end_in_parts_or_an_error(body: bytes) -> None:
    try:
        parted('multipart/related; type="application/dicom"; boundary=x', body)
    except MultipartError as problem:
        assert str(problem)


@given(st.data())
def test_a_body_cut_anywhere_is_no_whole_one(data: st.DataObject) -> None:
    content_type, body = joined([b"first", b"second"])
    cut = body[: data.draw(st.integers(0, len(body) - 5))]
    with pytest.raises(MultipartError):
        parted(content_type, cut)


def test_what_stands_before_the_first_boundary_is_left_out() -> None:
    content_type, body = joined([b"one"])
    assert [part for _, part in parted(content_type, b"preamble\r\n" + body)] == [b"one"]


@pytest.mark.parametrize("content_type", ["", "application/dicom", "multipart/related", "text/plain; boundary=x"])
def test_without_a_boundary_there_are_no_parts(content_type: str) -> None:
    with pytest.raises(MultipartError, match="boundary"):
        parted(content_type, b"--x--")


def test_there_is_a_limit_to_parts() -> None:
    content_type, body = joined([b""] * (MOST_PARTS + 1))
    with pytest.raises(MultipartError, match="more than"):
        parted(content_type, body)


def test_parameters_may_be_quoted() -> None:
    field = 'multipart/related; type="application/dicom"; Boundary="a b"'
    assert (parameter(field, "type"), parameter(field, "boundary")) == ("application/dicom", "a b")
