"""Facts of certificates: of every case of the test material, of chains, of names, and of octets that are none."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fixtures.pki import LEAF_CASES, Pki
from harness import certificate_chains as chains
from harness import certificates
from harness.observations.transport import CertificateFacts


@pytest.fixture(scope="module")
def pki() -> Pki:
    return Pki.create()


def der(pki: Pki, case: str) -> bytes:
    return pki.issue(case).certificate.public_bytes(Encoding.DER)


def facts(pki: Pki, case: str) -> CertificateFacts:
    return certificates.certificate_facts(der(pki, case))


@pytest.mark.parametrize("case", sorted(LEAF_CASES))
def test_every_case_is_read_without_a_problem(pki: Pki, case: str) -> None:
    found = facts(pki, case)
    assert found.problems == ()
    assert found.key_type in {"rsa", "ec", "ed25519"}
    assert found.version == 3
    assert found.not_before < found.not_after


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        ("server", ("rsa", 2048, "rsa", "sha256")),
        ("server_ec", ("ec", 256, "ecdsa", "sha256")),
        ("server_p224", ("ec", 224, "ecdsa", "sha256")),
        ("server_p192", ("ec", 192, "ecdsa", "sha256")),
        ("server_rsa_1024", ("rsa", 1024, "rsa", "sha256")),
        ("server_sha1", ("rsa", 2048, "rsa", "sha1")),
        ("server_md5", ("rsa", 2048, "rsa", "md5")),
        ("server_ed25519", ("ed25519", 256, "ecdsa", "sha256")),
    ],
)
def test_keys_and_signatures(pki: Pki, case: str, expected: tuple[str, int, str, str]) -> None:
    found = facts(pki, case)
    assert (found.key_type, found.key_bits, found.signature_algorithm, found.signature_hash) == expected


def test_what_a_good_server_certificate_says(pki: Pki) -> None:
    found = facts(pki, "server")
    assert "DNS:localhost" in found.names
    assert "IP:127.0.0.1" in found.names
    assert found.extended_key_usage == ("serverAuth",)
    assert set(found.key_usage) >= {"digitalSignature"}
    assert found.ocsp_responders == ("http://ocsp.ps315.test/",)
    assert found.is_ca is False
    assert not found.self_signed
    assert facts(pki, "ca").self_signed
    assert found.not_after > datetime.now(UTC)


def test_expired_is_told_by_its_dates(pki: Pki) -> None:
    assert facts(pki, "server_expired").not_after < datetime.now(UTC)


def test_order_of_a_chain(pki: Pki) -> None:
    leaf, root, other = der(pki, "server"), der(pki, "ca"), der(pki, "ca_ec")
    assert chains.in_order([leaf])
    assert chains.in_order([leaf, root])
    assert not chains.in_order([root, leaf])
    assert not chains.in_order([leaf, other])


def test_signers_come_from_the_chain_or_the_anchors(pki: Pki) -> None:
    leaf = der(pki, "server_signed_by_rsa_1024")
    root = der(pki, "ca_rsa_1024")
    assert chains.signers([leaf]) == ((None, ""),)
    assert chains.signers([leaf, root]) == ((1024, "rsa"), (1024, "rsa"))
    anchors = chains.load_anchors(pki.trust_anchors_file("ca_rsa_1024"))
    assert chains.signers([leaf], anchors) == ((1024, "rsa"),)
    assert chains.signers([der(pki, "server")], anchors) == ((None, ""),)


def test_anchors_that_cannot_be_read_are_none(tmp_path: Path) -> None:
    broken = tmp_path / "anchors.pem"
    broken.write_text("nothing of the kind")
    assert chains.load_anchors(broken) == ()
    assert chains.load_anchors(tmp_path / "missing.pem") == ()
    assert chains.load_anchors(None) == ()


@pytest.mark.parametrize(
    ("names", "common", "asked", "covered"),
    [
        (("DNS:pacs.example",), "", "pacs.example", True),
        (("DNS:pacs.example",), "", "PACS.example.", True),
        (("DNS:pacs.example",), "", "ris.example", False),
        (("DNS:*.example.org",), "", "pacs.example.org", True),
        (("DNS:*.example.org",), "", "a.pacs.example.org", False),
        (("DNS:*.org",), "", "example.org", False),
        (("IP:127.0.0.1",), "", "127.0.0.1", True),
        (("IP:::1",), "", "[0:0::1]", True),
        (("DNS:127.0.0.1",), "", "127.0.0.1", False),
        ((), "pacs.example", "pacs.example", True),
        (("DNS:other.example",), "pacs.example", "pacs.example", False),
        (("DNS:pacs.example",), "", "", None),
    ],
)
def test_names_cover_hosts(pki: Pki, names: tuple[str, ...], common: str, asked: str, covered: bool | None) -> None:
    leaf = facts(pki, "server").model_copy(update={"names": names, "common_name": common})
    assert chains.name_matches(leaf, asked) is covered


def test_staple_about_the_leaf(pki: Pki) -> None:
    staple = pki.ocsp_response("server")
    assert certificates.ocsp_status(staple, der(pki, "server")) == "good"
    assert certificates.ocsp_status(staple) == "good"
    assert certificates.ocsp_status(staple, der(pki, "server_ec")) == "unparsable"
    assert certificates.ocsp_status(b"\x30\x03\x0a\x01\x06") == "unparsable"  # unauthorized
    assert certificates.ocsp_status(b"nothing") == "unparsable"


def test_names_of_authorities(pki: Pki) -> None:
    name = pki.issue("ca").certificate.subject
    assert certificates.distinguished_name(name.public_bytes()) == name.rfc4514_string()
    assert certificates.distinguished_name(b"\xff\x00") == "#ff00"


def test_encryption_needs_an_rsa_key(pki: Pki) -> None:
    assert len(certificates.encrypt_to_leaf(der(pki, "server"), bytes(48))) == 256
    for other in (der(pki, "server_ec"), b"", b"\x30\x80"):
        with pytest.raises(ValueError, match="no RSA key"):
            certificates.encrypt_to_leaf(other, bytes(48))


def test_too_long_a_certificate_is_not_looked_into() -> None:
    found = certificates.certificate_facts(bytes(certificates.MAX_DER_OCTETS + 1))
    assert found.key_type == "unknown"
    assert "octets" in found.problems[0]
    assert len(found.pem) < 2 * certificates.MAX_DER_OCTETS


def test_script_in_names_stays_text(pki: Pki) -> None:
    assert "<script>" in facts(pki, "server_script_names").common_name


@given(st.binary(max_size=400))
def test_octets_that_are_no_certificate(data: bytes) -> None:
    found = certificates.certificate_facts(data)
    assert found.problems
    assert chains.in_order([data, data]) is False
    assert chains.signers([data]) == ((None, ""),)
    assert certificates.ocsp_status(data) == "unparsable"
    assert certificates.distinguished_name(data) is not None


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(at=st.integers(0, 2000), value=st.integers(0, 255), case=st.sampled_from(["server", "server_ec", "ca"]))
def test_one_wrong_octet_anywhere_raises_nothing(pki: Pki, at: int, value: int, case: str) -> None:
    data = bytearray(der(pki, case))
    data[at % len(data)] = value
    found = certificates.certificate_facts(bytes(data))
    assert found.sha256
    assert CertificateFacts.model_validate_json(found.model_dump_json()) == found
    chains.in_order([bytes(data), der(pki, "ca")])
    chains.signers([bytes(data)])
    chains.name_matches(found, "localhost")
