"""The length of the key that signed a certificate, read from the signature alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given
from hypothesis import strategies as st

from harness.observations.transport import CertificateFacts
from suites.transport.signers import signer_bits
from tests.unit.tls_observations import certificate


def facts(algorithm: str, pem: str) -> CertificateFacts:
    return CertificateFacts.model_validate(certificate("rsa", signature_algorithm=algorithm, pem=pem))


def signed_by(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> str:
    now = datetime.now(UTC)
    subject = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(subject.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM).decode("ascii")


@pytest.mark.parametrize("bits", [1024, 2048, 3072])
def test_an_rsa_signature_tells_the_length_of_its_key(bits: int) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=bits)
    assert signer_bits(facts("rsa", signed_by(key))) == bits


@pytest.mark.parametrize(
    "curve", [ec.SECP224R1(), ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1()], ids=lambda c: c.name
)
def test_an_ecdsa_signature_tells_the_length_of_its_curve(curve: ec.EllipticCurve) -> None:
    assert signer_bits(facts("ecdsa", signed_by(ec.generate_private_key(curve)))) == curve.key_size


def test_a_signature_of_another_kind_tells_nothing() -> None:
    pem = signed_by(ec.generate_private_key(ec.SECP256R1()))
    assert signer_bits(facts("ed25519", pem)) is None
    assert signer_bits(facts("rsa-pss", "")) is None


@given(st.text(max_size=200))
def test_what_is_no_certificate_tells_nothing(pem: str) -> None:
    assert signer_bits(facts("rsa", pem)) is None
