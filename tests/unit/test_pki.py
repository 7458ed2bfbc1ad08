"""The certificate builder: good by default, one deviation a case, relative to now."""

from __future__ import annotations

import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID
from hypothesis import given, settings
from hypothesis import strategies as st

from fixtures.pki import CLIENT, LEAF_CASES, SERVER, CertificateSpec, Pki, certify, make_key

GOOD = ("server", "server_ec", "server_through_intermediate")


@pytest.fixture(scope="module")
def pki() -> Pki:
    return Pki.create()


@pytest.mark.parametrize("case", sorted(LEAF_CASES))
def test_every_case_is_signed_by_its_authority(pki: Pki, case: str) -> None:
    leaf, anchor = pki.issue(case), pki.root_of(case)
    assert leaf.certificate.public_key() == leaf.key.public_key()
    anchors, chain = pki.trust_anchors_file(LEAF_CASES[case][1]), pki.certificate_file(case)
    if leaf.intermediates:
        anchors = pki.trust_anchors_file("ca")
    assert anchor.certificate_pem in anchors.read_bytes()
    done = subprocess.run(
        ["openssl", "verify", "-auth_level", "0", "-no_check_time", "-CAfile", anchors, "-untrusted", chain, chain],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_openssl_verifies_the_good_and_refuses_the_others(pki: Pki, tmp_path: Path) -> None:
    anchors = pki.trust_anchors_file()
    for case, reason in (
        *((case, None) for case in GOOD),
        ("server_expired", "has expired"),
        ("client_unknown_ca", "unable to get local issuer"),
        ("server_md5", "signature digest algorithm too weak"),
        ("server_rsa_1024", "certificate key too weak"),
    ):
        chain = pki.certificate_file(case)
        done = subprocess.run(
            ["openssl", "verify", "-auth_level", "2", "-CAfile", anchors, "-untrusted", chain, chain],
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode == 0) is (reason is None), (case, done.stdout, done.stderr)
        assert (reason or "OK") in done.stdout + done.stderr, case


def test_a_good_server_certificate_says_what_it_should(pki: Pki) -> None:
    certificate = pki.issue("server").certificate
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost"]
    assert [str(address) for address in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1", "::1"]
    usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.SERVER_AUTH]
    access = certificate.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    assert [description.access_method for description in access] == [AuthorityInformationAccessOID.OCSP]
    now = datetime.now(UTC)
    assert certificate.not_valid_before_utc < now < certificate.not_valid_after_utc


@pytest.mark.parametrize(
    ("case", "size"),
    [
        ("server", 2048),
        ("server_rsa_1024", 1024),
        ("server_ec", 256),
        ("server_p192", 192),
        ("server_p224", 224),
        ("server_p384", 384),
    ],
)
def test_keys_have_the_size_of_the_case(pki: Pki, case: str, size: int) -> None:
    key = pki.issue(case).certificate.public_key()
    assert isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey)
    assert key.key_size == size


@pytest.mark.parametrize(("case", "name"), [("server_sha1", "sha1"), ("server_md5", "md5")])
def test_broken_signatures_differ_from_good_ones_by_the_hash_alone(pki: Pki, case: str, name: str) -> None:
    broken, good = pki.issue(case).certificate, pki.issue("server").certificate
    algorithm = broken.signature_hash_algorithm
    assert algorithm is not None
    assert algorithm.name == name
    assert {e.oid for e in broken.extensions} == {e.oid for e in good.extensions}
    assert broken.subject == good.subject
    assert broken.issuer == good.issuer


def test_the_ocsp_response_says_good_and_is_signed_by_the_authority(pki: Pki) -> None:
    response = ocsp.load_der_ocsp_response(pki.ocsp_response("server"))
    assert response.certificate_status is ocsp.OCSPCertStatus.GOOD
    assert response.serial_number == pki.issue("server").certificate.serial_number
    assert response.next_update_utc is not None
    assert response.next_update_utc > datetime.now(UTC)


def test_script_tags_stand_in_the_names(pki: Pki) -> None:
    certificate = pki.issue("server_script_names").certificate
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert "<script>" in certificate.subject.rfc4514_string().replace("\\", "")
    assert any("<script>" in name for name in names.get_values_for_type(x509.DNSName))


def test_files_are_written_on_demand_and_keys_are_private(tmp_path: Path) -> None:
    pki = Pki.create(tmp_path / "made")
    assert not (tmp_path / "made").exists()
    chain, key = pki.certificate_file("server_through_intermediate"), pki.key_file("server")
    assert chain.read_text().count("BEGIN CERTIFICATE") == 2
    assert key.stat().st_mode & 0o777 == 0o600
    assert pki.trust_anchors_file("ca").read_bytes() == pki.issue("ca").certificate_pem


def test_keys_are_made_once_an_owner() -> None:
    assert make_key("rsa-2048", "one") is make_key("rsa-2048", "one")
    assert make_key("ec-secp256r1", "one") is not make_key("ec-secp256r1", "two")
    with pytest.raises(ValueError, match="unknown kind of key"):
        make_key("rsa-512")


@given(
    start=st.integers(min_value=-5000, max_value=5000),
    days=st.integers(min_value=1, max_value=5000),
    base=st.sampled_from([SERVER, CLIENT]),
)
@settings(max_examples=25, deadline=None)
def test_validity_is_relative_to_now(start: int, days: int, base: CertificateSpec) -> None:
    now = datetime(2026, 3, 1, 12, tzinfo=UTC)
    spec = replace(base, key="ec-secp256r1", not_before=timedelta(days=start), not_after=timedelta(days=start + days))
    certificate = certify(spec, now=now).certificate
    assert certificate.not_valid_before_utc == now + timedelta(days=start)
    assert certificate.not_valid_after_utc - certificate.not_valid_before_utc == timedelta(days=days)


@given(
    names=st.lists(st.from_regex(r"[a-z]{1,10}\.example", fullmatch=True), max_size=4),
    authority=st.booleans(),
    signature_hash=st.sampled_from(["sha256", "sha384", "sha512", "sha1"]),
)
@settings(max_examples=25, deadline=None)
def test_a_deviation_changes_what_it_names_and_nothing_else(
    names: list[str], authority: bool, signature_hash: str
) -> None:
    good = replace(SERVER, key="ec-secp256r1")
    spec = replace(good, dns_names=tuple(names), is_authority=authority, signature_hash=signature_hash)
    certificate = certify(spec).certificate
    assert certificate.signature_hash_algorithm is not None
    assert certificate.signature_hash_algorithm.name == signature_hash
    constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    assert constraints.ca is authority
    found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert found.get_values_for_type(x509.DNSName) == names
    assert certificate.subject == certify(good).certificate.subject


def test_threads_share_an_infrastructure(tmp_path: Path) -> None:
    """Whoever asks first: certificate and key of a case belong together, and there is one of each."""
    pki, kind = Pki.create(tmp_path), "server_p384"
    together = threading.Barrier(8)

    def ask(_number: int) -> tuple[bytes, bytes]:
        together.wait(timeout=10)
        return pki.certificate_file(kind).read_bytes(), pki.key_file(kind).read_bytes()

    with ThreadPoolExecutor(8) as executor:
        assert len(set(executor.map(ask, range(8)))) == 1
    assert make_key("rsa-1024", "threads") is make_key("rsa-1024", "threads")
