"""JA4 against the example of its specification, and its rules for odd hellos."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.listeners.transport.ja4 import ja4
from reference_impl.transport.registry import GREASE

SUITES = (
    0x1301, 0x1302, 0x1303, 0xC02B, 0xC02F, 0xC02C, 0xC030, 0xCCA9, 0xCCA8, 0xC013, 0xC014, 0x009C, 0x009D, 0x002F,
    0x0035,
)  # fmt: skip
EXTENSIONS = (
    0x001B, 0x0000, 0x0033, 0x0010, 0x4469, 0x0017, 0x002D, 0x000D, 0x0005, 0x0023, 0x0012, 0x002B, 0xFF01, 0x000B,
    0x000A, 0x0015,
)  # fmt: skip
SCHEMES = (0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601)
"""The worked example of FoxIO's technical description of JA4."""


def test_the_example_of_the_specification() -> None:
    found = ja4(0x0303, (0x0304, 0x0303), SUITES, EXTENSIONS, schemes=SCHEMES, first_protocol=b"h2")
    assert found == "t13d1516h2_8daaf6152771_e5627efa2ab1"


def test_the_example_without_signature_algorithms() -> None:
    assert ja4(0x0303, (0x0304,), SUITES, EXTENSIONS, first_protocol=b"h2").endswith("_6d807ffa2a79")


@given(st.lists(st.sampled_from(GREASE), max_size=4), st.permutations(SUITES), st.permutations(EXTENSIONS))
def test_grease_and_order_change_nothing(
    grease: list[int], suites: tuple[int, ...], extensions: tuple[int, ...]
) -> None:
    found = ja4(
        0x0303, (*grease, 0x0304), (*grease, *suites), (*extensions, *grease), schemes=SCHEMES, first_protocol=b"h2"
    )
    assert found == "t13d1516h2_8daaf6152771_e5627efa2ab1"


@pytest.mark.parametrize(
    ("protocol", "shown"),
    [
        (b"", "00"), (b"h", "hh"), (b"http/1.1", "h1"), (b"\xab", "ab"), (b"\xab\xcd", "ad"), (b"0\xab", "3b"),
        (b"01\xab\xcd", "3d"), (b"0\xab\xcd1", "01"),
    ],
)  # fmt: skip
def test_protocol_names(protocol: bytes, shown: str) -> None:
    assert ja4(0x0303, (), SUITES, (), first_protocol=protocol)[8:10] == shown


def test_a_hello_of_nothing() -> None:
    assert ja4(0x0300, (), (), ()) == "ts3i000000_000000000000_000000000000"
    assert ja4(0x7F1C, (), (), ())[1:3] == "00"


def test_more_than_two_digits_are_cut() -> None:
    assert ja4(0x0303, (), range(0x2000, 0x2100), range(100, 300))[4:8] == "9999"
