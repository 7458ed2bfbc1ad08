"""CMS signed data around a timestamp (RFC 5652 5, RFC 3161 2.4.2): opened, and held against a certificate."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reference_impl.signatures.algorithms import ALGORITHMS
from reference_impl.signatures.certificates import UnreadableCertificateError, load_certificate

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.hashes import HashAlgorithm

BROKEN = (ValueError, TypeError, KeyError, AttributeError, IndexError, OverflowError, RecursionError)
"""What the ASN.1 library raises for structures that are not what they should be."""
HASHES = {algorithm.oid: algorithm.hash_name for algorithm in ALGORITHMS.values()} | {
    "2.16.840.1.101.3.4.2.4": "sha224"
}
"""Names in `hashlib` by object identifier."""
_MOST_CERTIFICATES = 20
_SET = b"\x31"


class SignedDataError(Exception):
    """Signed data is not what it should be: `code` names the kind of reason. `unable`: it cannot be judged here."""

    def __init__(self, code: str, text: str, *, unable: bool = False) -> None:
        super().__init__(text)
        self.code = code
        self.unable = unable


@dataclass(frozen=True, slots=True)
class Opened:
    """The content of signed data with its type, its one signer, and the certificates (DER) that came with it."""

    content_type: str
    content: bytes
    signer: Any  # asn1crypto.cms.SignerInfo
    certificates: tuple[bytes, ...]


def hash_of(oid: str, octets: bytes) -> bytes:
    """The hash by the algorithm with that object identifier. Raises SignedDataError where it is not known."""
    if oid not in HASHES:
        raise SignedDataError("timestamp-algorithm", f"the hash algorithm {oid} is not known", unable=True)
    return hashlib.new(HASHES[oid], octets, usedforsecurity=False).digest()


def is_there(value: Any) -> bool:
    """Whether an optional part of a structure is present; asking for its native form would convert all of it."""
    from asn1crypto import core

    return not isinstance(value, core.Void)


def open_signed_data(der: bytes) -> Opened:
    """Open ContentInfo with SignedData. Raises SignedDataError."""
    from asn1crypto import cms, tsp  # noqa: F401 - tsp makes the attributes known

    try:
        info = cms.ContentInfo.load(der, strict=True)
        if info["content_type"].native != "signed_data":
            raise SignedDataError("timestamp-unreadable", "it is no CMS signed data")
        data = info["content"]
        signers = list(data["signer_infos"])
        if len(signers) != 1:
            raise SignedDataError("timestamp-unreadable", f"it has {len(signers)} signers; one is permitted")
        encapsulated = data["encap_content_info"]
        content = encapsulated["content"]
        certificates = data["certificates"]
        return Opened(
            content_type=encapsulated["content_type"].dotted,
            content=bytes(content) if is_there(content) else b"",
            signer=signers[0],
            certificates=tuple(
                one.chosen.dump()
                for one in (certificates if is_there(certificates) else ())
                if one.name == "certificate"
            )[:_MOST_CERTIFICATES],
        )
    except BROKEN as problem:
        raise SignedDataError("timestamp-unreadable", f"it cannot be read: {problem}") from None


def signer_certificate(opened: Opened, further: tuple[bytes, ...]) -> bytes:
    """The certificate (DER) that the signer names, from those that came or from `further`. Raises SignedDataError."""
    for der in (*opened.certificates, *further):
        try:
            if _named(opened.signer["sid"], load_certificate(der)):
                return der
        except UnreadableCertificateError:
            continue
        except BROKEN as problem:
            raise SignedDataError("timestamp-unreadable", f"its signer cannot be read: {problem}") from None
    raise SignedDataError("timestamp-certificate-missing", "the certificate of its signer is not at hand", unable=True)


def check_signature(opened: Opened, certificate: bytes) -> None:
    """Hold the signer's attributes and signature against content and certificate. Raises SignedDataError."""
    try:
        attributes = opened.signer["signed_attrs"]
        if not is_there(attributes):
            raise SignedDataError("timestamp-signature", "it has no signed attributes")
        found = _attributes(attributes)
        digest_oid = opened.signer["digest_algorithm"]["algorithm"].dotted
        if _single(found, "content_type").dotted != opened.content_type:
            raise SignedDataError("timestamp-signature", "its signed attributes name another type of content")
        if _single(found, "message_digest").native != hash_of(digest_oid, opened.content):
            raise SignedDataError("timestamp-signature", "its content was changed after it was signed")
        _check_certificate_attribute(found, certificate)
        signed = _SET + attributes.dump()[1:]  # signed as a SET OF, RFC 5652 5.4
        _check_value(opened.signer, load_certificate(certificate), signed)
    except BROKEN as problem:
        raise SignedDataError("timestamp-unreadable", f"its signature cannot be read: {problem}") from None


def _named(identifier: Any, certificate: x509.Certificate) -> bool:
    from cryptography import x509 as read

    if identifier.name == "issuer_and_serial_number":
        named = identifier.chosen
        issuer = bytes(named["issuer"].dump())
        return (
            issuer == certificate.issuer.public_bytes() and named["serial_number"].native == certificate.serial_number
        )
    try:
        key = certificate.extensions.get_extension_for_class(read.SubjectKeyIdentifier).value
    except read.ExtensionNotFound:
        return False
    return bool(key.digest == identifier.chosen.native)


def _attributes(attributes: Any) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for attribute in attributes:
        found.setdefault(attribute["type"].native, []).extend(attribute["values"])
    return found


def _single(attributes: dict[str, list[Any]], name: str) -> Any:
    values = attributes.get(name, [])
    if len(values) != 1:
        which = name.replace("_", " ")
        raise SignedDataError("timestamp-signature", f"its signed attributes have {len(values)} values of {which}")
    return values[0]


def _check_certificate_attribute(attributes: dict[str, list[Any]], certificate: bytes) -> None:
    """Signing certificate (RFC 2634 5.4, SHA-1) or its second version (RFC 5035): first comes the signer's own."""
    if "signing_certificate_v2" in attributes:
        named = _single(attributes, "signing_certificate_v2")["certs"][0]
        digest = hash_of(named["hash_algorithm"]["algorithm"].dotted, certificate)
    else:
        named = _single(attributes, "signing_certificate")["certs"][0]
        digest = hashlib.sha1(certificate, usedforsecurity=False).digest()
    if named["cert_hash"].native != digest:
        raise SignedDataError("timestamp-signature", "its signed attributes name another certificate than its signer's")


def _check_value(signer: Any, certificate: x509.Certificate, signed: bytes) -> None:
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa

    algorithm = signer["signature_algorithm"]
    scheme = algorithm.signature_algo
    value = signer["signature"].native
    try:
        key = certificate.public_key()
        if isinstance(key, rsa.RSAPublicKey) and scheme == "rsassa_pkcs1v15":
            key.verify(value, signed, padding.PKCS1v15(), _hash(signer, algorithm))
        elif isinstance(key, rsa.RSAPublicKey) and scheme == "rsassa_pss":
            chosen = _named_hash(algorithm.hash_algo)
            mask = _named_hash(algorithm["parameters"]["mask_gen_algorithm"]["parameters"]["algorithm"].native)
            salt = algorithm["parameters"]["salt_length"].native
            key.verify(value, signed, padding.PSS(padding.MGF1(mask), salt), chosen)
        elif isinstance(key, ec.EllipticCurvePublicKey) and scheme == "ecdsa":
            key.verify(value, signed, ec.ECDSA(_hash(signer, algorithm)))
        elif isinstance(key, (ed25519.Ed25519PublicKey, ed448.Ed448PublicKey)):
            key.verify(value, signed)
        else:
            raise SignedDataError("timestamp-signature", "its signature is not by the key of its certificate")
    except InvalidSignature:
        raise SignedDataError("timestamp-signature", "its signature is wrong") from None
    except UnsupportedAlgorithm as problem:
        raise SignedDataError("timestamp-algorithm", f"it cannot be verified here: {problem}", unable=True) from None


def _hash(signer: Any, algorithm: Any) -> HashAlgorithm:
    """The hash that the signature algorithm names, else that of the signer."""
    name = str(algorithm["algorithm"].native)
    if "_" in name and not name.startswith("rsassa"):
        return _named_hash(algorithm.hash_algo)
    return _named_hash(HASHES.get(signer["digest_algorithm"]["algorithm"].dotted, ""))


def _named_hash(name: str) -> HashAlgorithm:
    from cryptography.hazmat.primitives import hashes

    known: dict[str, Callable[[], HashAlgorithm]] = {
        "md5": hashes.MD5,
        "sha1": hashes.SHA1,
        "sha224": hashes.SHA224,
        "sha256": hashes.SHA256,
        "sha384": hashes.SHA384,
        "sha512": hashes.SHA512,
    }
    if name not in known:
        text = f"its hash algorithm {name or 'without a name'} cannot be used"
        raise SignedDataError("timestamp-algorithm", text, unable=True)
    return known[name]()
