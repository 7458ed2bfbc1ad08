"""Record protection and key schedules: round trips, broken records, and published values."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.probes.transport.session_offers import SUITES_TLS13, suites_tls12
from reference_impl.transport.protection import keys
from reference_impl.transport.protection.records import (
    DirectionKeys,
    KeyShape,
    ProtectionError,
    RecordProtection,
    key_shape,
    protection,
)
from reference_impl.transport.wire.codes import TLS10, TLS11, TLS12, TLS13
from reference_impl.transport.wire.records import Record, RecordReader

CASES = [
    *((TLS13, code, False) for code in SUITES_TLS13),
    *((TLS12, code, etm) for code in suites_tls12() for etm in (False, True)),
    *((version, code, False) for version in (TLS10, TLS11) for code in suites_tls12(old=True)),
]


def pair(version: int, code: int, *, encrypt_then_mac: bool) -> tuple[RecordProtection, RecordProtection]:
    shape = key_shape(code)
    assert shape is not None
    material = DirectionKeys(os.urandom(shape.mac), os.urandom(shape.key), os.urandom(shape.fixed_iv))
    ours, theirs = (protection(shape, version, material, encrypt_then_mac=encrypt_then_mac) for _ in range(2))
    return ours, theirs


def record_of(data: bytes) -> Record:
    (record,) = RecordReader().feed(data)
    return record


@pytest.mark.parametrize(("version", "code", "etm"), CASES)
def test_records_are_opened_in_order_and_broken_ones_are_not(version: int, code: int, etm: bool) -> None:
    ours, theirs = pair(version, code, encrypt_then_mac=etm)
    for payload in (b"first", b"", bytes(100)):
        assert theirs.open(record_of(ours.seal(23, payload))) == (23, payload)
    with pytest.raises(ProtectionError):
        theirs.open(record_of(ours.seal(23, b"broken", corrupt=True)))


def test_replay_is_noticed() -> None:
    ours, theirs = pair(TLS12, 0xC02F, encrypt_then_mac=False)
    sealed = record_of(ours.seal(23, b"once"))
    assert theirs.open(sealed) == (23, b"once")
    with pytest.raises(ProtectionError):
        theirs.open(sealed)


@given(payload=st.binary(max_size=200), case=st.sampled_from(CASES))
def test_hostile_records_raise_nothing_else(payload: bytes, case: tuple[int, int, bool]) -> None:
    version, code, etm = case
    _, theirs = pair(version, code, encrypt_then_mac=etm)
    with pytest.raises(ProtectionError):
        theirs.open(Record(23, 0x0303, payload))


def test_suites_that_no_session_speaks_have_no_shape() -> None:
    for code in (0x0003, 0x00FF, 0x5600, 0x0000, 0xC07A, 0x0019, 0xFFFF):
        assert key_shape(code) is None


def test_pseudorandom_function_of_tls_1_2() -> None:
    # Published test vector for P_SHA256 (IETF TLS working group, 2009)
    out = keys.prf(
        TLS12,
        "sha256",
        bytes.fromhex("9bbe436ba940f017b17652849a71db35"),
        b"test label",
        seed=bytes.fromhex("a0ba9f936cda311827a6f796ffd5198c"),
        octets=32,
    )
    assert out.hex() == "e3f229ba727be17b8d122620557cd453c2aab21d07c3d495329b52d4e61edb5a"


def test_key_schedule_of_tls_1_3() -> None:
    # RFC 8448, section 3: derived secret of the early secret, and keys of the server's handshake traffic
    early = keys.extract("sha256", bytes(32), bytes(32))
    assert early.hex() == "33ad0a1c607ec03b09e6cd9893680ce210adf300aa1f2660e1b22e10f170f92a"
    shape = key_shape(0x1301)
    assert isinstance(shape, KeyShape)
    secret = bytes.fromhex("b67b7d690cc16c4e75e54213cb2d37b4e9c912bcded9105d42befd59d391ad38")
    material = keys.Schedule13("sha256").traffic_keys(shape, secret)
    assert material.key.hex() == "3fce516009c21727d0f2e4e86ee403bc"
    assert material.iv.hex() == "5d313eb2671276ee13000b30"


@pytest.mark.parametrize("group", [*keys.GROUPS_TLS12, 0x0100, 0x0101])
def test_both_ends_agree(group: int) -> None:
    ours, theirs = keys.key_pair(group), keys.key_pair(group)
    assert ours.agree(theirs.public) == theirs.agree(ours.public)


@given(group=st.sampled_from([0x001D, 0x0017, 0x0018, 0x001E, 0x0100]), peer=st.binary(max_size=140))
def test_useless_public_values_are_refused(group: int, peer: bytes) -> None:
    try:
        assert keys.key_pair(group).agree(peer)
    except keys.KeyAgreementError as error:
        assert str(error)


def test_groups_that_are_not_computed_say_so() -> None:
    for group in (0x11EC, 0x0001, 0xFFFF):
        with pytest.raises(keys.KeyAgreementError):
            keys.key_pair(group)
    for prime, generator in ((1 << 4000 - 1, 2), (7, 3), ((1 << 1024) - 1, 0)):
        with pytest.raises(keys.KeyAgreementError):
            keys.FiniteField(prime, generator, padded=False)
