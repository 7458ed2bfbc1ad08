"""Certificates of signers: what they say, and what a site's trust makes of them at signing and now."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given, settings
from hypothesis import strategies as st

from fixtures.pki import Pki
from fixtures.pki.revocation_status import revocation_list
from reference_impl.signatures.certificates import (
    Trust,
    UnreadableCertificateError,
    assess,
    der_of,
    load_certificate,
    read_certificates,
    read_crls,
)
from reference_impl.signatures.results import CertificateResult, Standing

VALID, INVALID, UNKNOWN = Standing.VALID, Standing.INVALID, Standing.UNKNOWN
NOW = datetime.now(UTC)
BEFORE = NOW - timedelta(hours=15)  # before certificates end and are revoked


@pytest.fixture(scope="module")
def pki() -> Pki:
    return Pki.create()


def der(pki: Pki, case: str) -> bytes:
    return pki.issue(case).certificate.public_bytes(Encoding.DER)


@pytest.fixture(scope="module")
def trust(pki: Pki) -> Trust:
    return Trust(anchors=(der(pki, "ca"), der(pki, "ca_ec")), crls=(pki.revocation_list(),))


def codes(result: CertificateResult) -> set[str]:
    return {reason.code for reason in result.reasons}


@pytest.mark.parametrize(
    ("case", "at", "outcome"),
    [
        ("signer", NOW, (VALID, VALID, set())),
        ("signer_ec", NOW, (VALID, VALID, {"revocation-unknown"})),
        ("signer_rsa_1024", NOW, (VALID, VALID, {"certificate-weak-key"})),
        ("signer_rsa_4096", NOW, (VALID, VALID, set())),
        ("signer_sha1", NOW, (VALID, VALID, {"certificate-weak-hash"})),
        ("signer_without_key_usage", NOW, (VALID, VALID, set())),
        ("signer_expired", NOW, (INVALID, INVALID, {"certificate-expired"})),
        ("signer_expired", BEFORE, (VALID, INVALID, {"certificate-expired-since"})),
        ("signer_not_yet_valid", NOW, (INVALID, INVALID, {"certificate-not-yet-valid"})),
        ("signer_revoked", NOW, (INVALID, INVALID, {"certificate-revoked"})),
        ("signer_revoked", BEFORE, (VALID, INVALID, {"certificate-revoked-since"})),
        ("signer_unknown_ca", NOW, (INVALID, INVALID, {"certificate-untrusted"})),
        ("signer_through_intermediate", NOW, (INVALID, INVALID, {"certificate-untrusted"})),
        ("signer_tls_only", NOW, (INVALID, INVALID, {"certificate-usage"})),
    ],
)
def test_what_becomes_of_each_case(
    pki: Pki, trust: Trust, case: str, at: datetime, outcome: tuple[Standing, Standing, set[str]]
) -> None:
    for _ in range(2):  # a path that is remembered says the same
        result = assess(der(pki, case), (), at, NOW, trust)
        assert (result.at_signing, result.now, codes(result)) == outcome


def test_an_intermediate_may_come_from_the_site_or_with_the_certificate(pki: Pki, trust: Trust) -> None:
    value, between = der(pki, "signer_through_intermediate"), der(pki, "intermediate")
    for result in (
        assess(value, [between], NOW, NOW, trust),
        assess(value, (), NOW, NOW, Trust(anchors=trust.anchors, intermediates=(between,))),
        assess(value, (), NOW, NOW, Trust(anchors=(between,))),
        assess(value, (), NOW, NOW, Trust(anchors=(value,))),
    ):
        assert (result.at_signing, result.now) == (VALID, VALID)


def test_without_anchors_nothing_is_said_of_the_path(pki: Pki) -> None:
    result = assess(der(pki, "signer_expired"), (), NOW, NOW, Trust())
    assert (result.at_signing, result.now, codes(result)) == (UNKNOWN, UNKNOWN, {"no-anchors"})
    misused = assess(der(pki, "signer_tls_only"), (), NOW, NOW, Trust())
    assert (misused.at_signing, codes(misused)) == (INVALID, {"certificate-usage", "no-anchors"})


def test_without_a_date_only_today_is_judged(pki: Pki, trust: Trust) -> None:
    result = assess(der(pki, "signer"), (), None, NOW, trust)
    assert (result.at_signing, result.now, codes(result)) == (UNKNOWN, VALID, {"no-date"})


@pytest.mark.parametrize("year", [1, 1960, 2060, 9999])
@pytest.mark.parametrize("hours", [-12, 0, 14])
def test_dates_beyond_all_clocks_are_no_times_of_validity(pki: Pki, trust: Trust, year: int, hours: int) -> None:
    at = datetime(year, 1 if year < 9999 else 12, 1 if year < 9999 else 31, tzinfo=timezone(timedelta(hours=hours)))
    result = assess(der(pki, "signer"), (), at, NOW, trust)
    assert (result.at_signing, result.now) == (INVALID, VALID)
    assert codes(result) <= {"certificate-path", "certificate-not-yet-valid", "certificate-expired"}


def test_a_long_list_is_searched_once(pki: Pki, trust: Trust) -> None:
    authority = pki.issue("ca")
    number = pki.issue("signer").certificate.serial_number
    long = revocation_list(authority.certificate.subject, authority.key, [*range(1, 2000), number])
    mine = Trust(anchors=trust.anchors, crls=(long,))
    for _ in range(2):
        assert codes(assess(der(pki, "signer"), (), NOW, NOW, mine)) == {"certificate-revoked"}
        assert codes(assess(der(pki, "signer_second"), (), NOW, NOW, mine)) == set()


def test_a_site_may_demand_longer_keys(pki: Pki, trust: Trust) -> None:
    strict = Trust(anchors=trust.anchors, least_rsa_bits=2048)
    short = assess(der(pki, "signer_rsa_1024"), (), NOW, NOW, strict)
    assert (short.at_signing, codes(short)) == (INVALID, {"certificate-too-short", "certificate-weak-key"})
    assert assess(der(pki, "signer"), (), NOW, NOW, strict).at_signing is VALID


def test_a_list_of_another_authority_revokes_nothing(pki: Pki, trust: Trust) -> None:
    stranger = pki.issue("ca_unknown")
    number = pki.issue("signer").certificate.serial_number
    name = pki.issue("ca").certificate.subject
    forged = revocation_list(name, stranger.key, [number])
    result = assess(der(pki, "signer"), (), NOW, NOW, Trust(anchors=trust.anchors, crls=(forged,)))
    assert result.now is VALID
    genuine = revocation_list(name, pki.issue("ca").key, [number])
    result = assess(der(pki, "signer"), (), NOW, NOW, Trust(anchors=trust.anchors, crls=(forged, genuine)))
    assert (result.now, codes(result)) == (INVALID, {"certificate-revoked"})


def test_a_list_that_is_out_of_date_still_revokes_and_vouches_for_nobody(pki: Pki, trust: Trust) -> None:
    authority = pki.issue("ca")
    name = authority.certificate.subject
    number = pki.issue("signer").certificate.serial_number
    for revoked, standing, expected in (
        ([], VALID, {"revocation-unknown"}),
        ([number], INVALID, {"certificate-revoked", "revocation-unknown"}),
    ):
        old = revocation_list(name, authority.key, revoked, moved=-timedelta(days=30), since=timedelta(0))
        result = assess(der(pki, "signer"), (), NOW, NOW, Trust(anchors=trust.anchors, crls=(old,)))
        assert (result.now, codes(result)) == (standing, expected)


def test_what_a_certificate_says(pki: Pki, trust: Trust) -> None:
    result = assess(der(pki, "signer"), (), NOW, NOW, trust)
    made = pki.issue("signer").certificate
    assert result.subject == "CN=PS315 Test Signer,O=PS315 Test"
    assert result.serial == f"{made.serial_number:x}"
    assert (result.key_type, result.key_bits, result.signature_hash, result.version) == ("rsa", 2048, "sha256", 3)
    assert result.key_usage == ("digital_signature", "content_commitment")
    assert result.extended_key_usage is None
    assert result.not_after == made.not_valid_after_utc.isoformat()
    assert x509.load_pem_x509_certificate(result.pem.encode()) == made


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda _: b"", "does not begin"),
        (lambda _: b"\0" * 4, "does not begin"),
        (lambda der: der[:-1], "cut short"),
        (lambda der: der + b"\0\0", "2 octets follow"),
        (lambda der: der + b"\1", "1 octets follow"),
        (lambda der: b"\x30\x80" + der, "cut short"),
        (lambda der: b"\x30\x82\xff\xff" + der, "cut short"),
        (lambda der: b"\x30\xff" + der, "cut short"),
        (lambda _: b"\x30\x03\x02\x01\x00", ""),
        (lambda _: b"\x30" * 70_000, "more than are read"),
    ],
)
def test_what_is_no_certificate_is_told_as_such(pki: Pki, trust: Trust, change: object, why: str) -> None:
    assert callable(change)
    value = change(der(pki, "signer"))
    result = assess(value, (), NOW, NOW, trust)
    assert (result.at_signing, result.now, codes(result)) == (INVALID, INVALID, {"certificate-unreadable"})
    assert why in result.reasons[0].text
    with pytest.raises(UnreadableCertificateError):
        load_certificate(value)


def test_the_octet_that_makes_a_length_even_is_no_part_of_it(pki: Pki, trust: Trust) -> None:
    value = der(pki, "signer")
    assert der_of(value + b"\0") == der_of(value) == value
    assert assess(value + b"\0", (), NOW, NOW, trust).at_signing is VALID


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_octets_changed_at_will_raise_nothing_and_are_never_valid(pki: Pki, trust: Trust, data: st.DataObject) -> None:
    value = bytearray(der(pki, "signer"))
    place = data.draw(st.integers(0, len(value) - 1))
    value[place] ^= data.draw(st.integers(1, 255))
    result = assess(bytes(value), (), NOW, NOW, trust)
    assert result.at_signing is result.now is INVALID


def test_files_of_the_site_are_read_in_pem_and_der(pki: Pki) -> None:
    authority, crl = pki.issue("ca"), pki.revocation_list()
    pem = x509.load_der_x509_crl(crl).public_bytes(Encoding.PEM)
    assert read_crls(crl) == (crl,)
    assert read_crls(pem + pem) == (crl, crl)
    assert read_certificates(authority.certificate_pem * 2) == (der(pki, "ca"),) * 2
    assert read_certificates(der(pki, "ca")) == (der(pki, "ca"),)
    for read in (read_certificates, read_crls):
        for nothing in (b"", b"-----BEGIN X-----", b"0\0"):
            with pytest.raises(ValueError):
                read(nothing)
