"""Who signs: keys and certificates from files, and signature values over digests."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from reference_impl.signatures.algorithms import ALGORITHMS
from reference_impl.signatures.keys import Signer, SigningError, load_signer
from tests.unit.signing_material import pem, pki, signer

TEXT = b"what is signed"


def digest(name: str) -> bytes:
    return hashlib.new(ALGORITHMS[name].hash_name, TEXT).digest()


@pytest.mark.parametrize("name", ALGORITHMS)
def test_rsa_holds_the_digest_info_of_every_algorithm(name: str) -> None:
    mine = signer()
    value = mine.sign(name, digest(name))
    key = mine.key.public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    assert len(value) == key.key_size // 8
    opened = key.recover_data_from_signature(value, padding.PKCS1v15(), None)
    assert opened == ALGORITHMS[name].prefix + digest(name)


@pytest.mark.parametrize("name", ALGORITHMS)
def test_ecdsa_signs_the_digest_alone(name: str) -> None:
    mine = signer("signer_ec")
    key = mine.key.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    of_that_size: dict[int, Callable[[], hashes.HashAlgorithm]] = {
        16: hashes.MD5,
        20: hashes.SHA1,
        32: hashes.SHA256,
        48: hashes.SHA384,
        64: hashes.SHA512,
    }
    value = mine.sign(name, digest(name))
    key.verify(value, digest(name), ec.ECDSA(Prehashed(of_that_size[len(digest(name))]())))
    assert mine.scheme == "ecdsa"


def test_dsa_is_told_apart() -> None:
    key = dsa.generate_private_key(1024)  # noqa: S505 - quickly made
    mine = Signer(key, b"")
    key.public_key().verify(mine.sign("SHA256", digest("SHA256")), digest("SHA256"), Prehashed(hashes.SHA256()))
    assert mine.scheme == "dsa"
    assert not mine.is_weak


def test_wrong_paddings_are_wrong() -> None:
    mine = signer()
    key = mine.key.public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    salted = mine.sign("SHA256", digest("SHA256"), "pss")
    key.verify(
        salted,
        digest("SHA256"),
        padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.AUTO),
        Prehashed(hashes.SHA256()),
    )
    other = mine.sign("SHA256", digest("SHA256"), "other-digest-info")
    opened = key.recover_data_from_signature(other, padding.PKCS1v15(), None)
    assert opened.endswith(digest("SHA256"))
    assert opened != ALGORITHMS["SHA256"].prefix + digest("SHA256")
    with pytest.raises(SigningError, match="SHA1"):
        mine.sign("SHA1", digest("SHA1"), "other-digest-info")


@pytest.mark.parametrize("name", ["SHA512", "RIPEMD160"])
def test_what_does_not_fit_into_the_key_is_told(name: str) -> None:
    short = signer("signer_rsa_1024")
    assert short.is_weak
    assert not signer().is_weak
    assert len(short.sign(name, digest(name))) == 128
    with pytest.raises(SigningError, match="longer RSA key"):
        short.sign(name, bytes(200))


def test_a_damaged_key_signs_nothing() -> None:
    good = signer().key
    assert isinstance(good, rsa.RSAPrivateKey)
    numbers = good.private_numbers()
    damaged = rsa.RSAPrivateNumbers(
        numbers.p, numbers.q, numbers.d + 2, numbers.dmp1 + 2, numbers.dmq1 + 2, numbers.iqmp, numbers.public_numbers
    ).private_key(unsafe_skip_rsa_key_validation=True)
    for name in ("SHA256", "RIPEMD160"):
        with pytest.raises(SigningError):
            Signer(damaged, b"").sign(name, digest(name))


def test_files_in_pem_and_der_are_read(tmp_path: Path) -> None:
    mine = signer()
    key, certificate = tmp_path / "key.der", tmp_path / "cert.der"
    key.write_bytes(
        mine.key.private_bytes(
            serialization.Encoding.DER, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        )
    )
    certificate.write_bytes(mine.certificate)
    assert load_signer(key, certificate).certificate == mine.certificate
    assert load_signer(pki().key_file("signer"), certificate, b"not needed").certificate == mine.certificate


def test_the_certificate_is_found_among_others(tmp_path: Path) -> None:
    both = tmp_path / "both.pem"
    both.write_bytes(pki().certificate_file("signer_ec").read_bytes() + pki().certificate_file("signer").read_bytes())
    assert load_signer(pki().key_file("signer"), both).certificate == signer().certificate
    everything = tmp_path / "everything.pem"
    everything.write_bytes(pki().key_file("signer").read_bytes() + both.read_bytes())
    assert load_signer(everything, everything).certificate == signer().certificate


def test_an_encrypted_key_needs_its_password(tmp_path: Path) -> None:
    key = tmp_path / "key.pem"
    key.write_bytes(pem(signer().key, b"secret"))
    certificate = pki().certificate_file("signer")
    assert load_signer(key, certificate, b"secret").certificate == signer().certificate
    with pytest.raises(SigningError, match="is encrypted; give its password"):
        load_signer(key, certificate)
    with pytest.raises(SigningError, match="check its password"):
        load_signer(key, certificate, b"wrong")


def test_what_is_no_signer_is_told(tmp_path: Path) -> None:
    good_key, good = pki().key_file("signer"), pki().certificate_file("signer")
    text, large, edwards = tmp_path / "text", tmp_path / "large", tmp_path / "edwards"
    text.write_text("neither")
    large.write_bytes(bytes(2 << 20))
    edwards.write_bytes(pem(ed25519.Ed25519PrivateKey.generate()))
    for key, certificate, says in (
        (text, good, "no private key"),
        (good_key, text, "no certificate"),
        (good_key, pki().certificate_file("signer_ec"), "not the key of a certificate"),
        (tmp_path / "absent", good, "cannot be read"),
        (large, good, "too large"),
        (edwards, good, "name an RSA key"),
        (good, good_key, "no private key"),
    ):
        with pytest.raises(SigningError, match=says):
            load_signer(key, certificate)
