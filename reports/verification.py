"""Checking one detached CMS signature: structure by asn1crypto, every cryptographic step by cryptography."""

from __future__ import annotations

import hashlib
import hmac
from datetime import UTC, datetime, timedelta

from asn1crypto import cms
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509 import verification

LARGEST_SIGNATURE = 256 * 1024
CLOCK_TOLERANCE = timedelta(minutes=5)
_HASHES: dict[str, hashes.HashAlgorithm] = {
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}


class _Flaw(Exception):  # noqa: N818
    """What ends the check of a signature."""


def check_signature(
    name: str, content: bytes, signature: bytes, anchors: list[x509.Certificate], at: datetime | None = None
) -> list[str]:
    """What is wrong with the detached DER `signature` over `content`; `name` is how sentences call the content.

    Checked: RFC 5652 5.4 and 5.6 (content type, message digest, the signature over the signed attributes), and the
    signer's path to one of `anchors` at the signing time and at `at` (default: now). Hostile input raises nothing.
    """
    now = at or datetime.now(UTC)
    try:
        signed, signer = _parsed(signature)
        certificates = _certificates(signed)
        certificate = _signer_certificate(signer, certificates)
        signing_time = _check_signed_attributes(signer, content)
        _check_signature_value(signer, certificate)
    except _Flaw as flaw:
        return [f"{name}: {flaw}"]
    except (
        ValueError,
        TypeError,
        KeyError,
        IndexError,
        AttributeError,
        RecursionError,
        OverflowError,
        UnsupportedAlgorithm,
    ):
        return [f"{name}: the signature is not a well-formed CMS signature"]
    if signing_time > now + CLOCK_TOLERANCE:
        return [f"{name}: the signing time {signing_time.isoformat()} lies in the future"]
    return [f"{name}: {problem}" for problem in _check_path(certificate, certificates, anchors, signing_time, now)]


def _parsed(signature: bytes) -> tuple[cms.SignedData, cms.SignerInfo]:
    if len(signature) > LARGEST_SIGNATURE:
        raise _Flaw("the signature is larger than any this tool makes")
    info = cms.ContentInfo.load(signature, strict=True)
    if info["content_type"].native != "signed_data":
        raise _Flaw("the file holds no signature")
    signed = info["content"]
    if signed["encap_content_info"]["content"].native is not None:
        raise _Flaw("the signature is not detached: it brings content of its own")
    if len(signed["signer_infos"]) != 1:
        raise _Flaw("there is not exactly one signer")
    return signed, signed["signer_infos"][0]


def _certificates(signed: cms.SignedData) -> list[x509.Certificate]:
    return [
        x509.load_der_x509_certificate(choice.chosen.dump())
        for choice in signed["certificates"]
        if choice.name == "certificate"
    ]


def _signer_certificate(signer: cms.SignerInfo, certificates: list[x509.Certificate]) -> x509.Certificate:
    identifier = signer["sid"]
    for certificate in certificates:
        if identifier.name == "issuer_and_serial_number":
            same_issuer = identifier.chosen["issuer"].dump() == certificate.issuer.public_bytes()
            if same_issuer and identifier.chosen["serial_number"].native == certificate.serial_number:
                return certificate
        else:
            own = x509.SubjectKeyIdentifier.from_public_key(certificate.public_key()).digest
            if identifier.chosen.native == own:
                return certificate
    raise _Flaw("the signature does not contain the signer's certificate")


def _check_signed_attributes(signer: cms.SignerInfo, content: bytes) -> datetime:
    digest_name = signer["digest_algorithm"]["algorithm"].native
    if digest_name not in _HASHES:
        raise _Flaw(f"the digest algorithm {digest_name} is not accepted")
    values: dict[str, object] = {}
    for attribute in signer["signed_attrs"] or ():
        kind = attribute["type"].native
        if kind in values or len(attribute["values"]) != 1:
            raise _Flaw("a signed attribute is there more than once")
        values[kind] = attribute["values"][0].native
    if values.get("content_type") != "data":
        raise _Flaw("the signature is not over plain data")
    digest = values.get("message_digest")
    if not isinstance(digest, bytes) or not hmac.compare_digest(digest, hashlib.new(digest_name, content).digest()):
        raise _Flaw("it is not what was signed: it was changed after signing, or the signature belongs to another file")
    signing_time = values.get("signing_time")
    if not isinstance(signing_time, datetime):
        raise _Flaw("the signature states no signing time")
    return signing_time if signing_time.tzinfo else signing_time.replace(tzinfo=UTC)


def _check_signature_value(signer: cms.SignerInfo, certificate: x509.Certificate) -> None:
    # RFC 5652 5.4: the signature is over the DER of a SET OF, not of the [0] in which the attributes are carried.
    attributes = signer["signed_attrs"].untag().dump()
    value = signer["signature"].native
    digest = _HASHES[signer["digest_algorithm"]["algorithm"].native]
    algorithm = signer["signature_algorithm"]
    if algorithm.signature_algo == "rsassa_pkcs1v15" and algorithm["algorithm"].native != "rsassa_pkcs1v15":
        digest = _HASHES.get(algorithm.hash_algo, digest)
    key = certificate.public_key()
    try:
        if isinstance(key, rsa.RSAPublicKey) and algorithm.signature_algo == "rsassa_pkcs1v15":
            key.verify(value, attributes, padding.PKCS1v15(), digest)
        elif isinstance(key, ec.EllipticCurvePublicKey) and algorithm.signature_algo == "ecdsa":
            key.verify(value, attributes, ec.ECDSA(digest))
        else:
            raise _Flaw("the signature algorithm does not fit the signer's key")
    except InvalidSignature as wrong:
        raise _Flaw("the signature is not valid") from wrong


def _check_path(
    certificate: x509.Certificate,
    others: list[x509.Certificate],
    anchors: list[x509.Certificate],
    signing_time: datetime,
    now: datetime,
) -> list[str]:
    who = certificate.subject.rfc4514_string()
    begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if not begin <= signing_time <= end:
        return [f"the certificate of {who} was not valid at the signing time {signing_time.isoformat()}"]
    if not _chains(certificate, others, anchors, signing_time):
        return [f"the certificate of {who} does not lead to a trusted authority"]
    if now > end:
        return [
            f"the certificate of {who} expired on {end.isoformat()}; the signing time {signing_time.isoformat()}, "
            "before that, is the signer's own word"
        ]
    if not _chains(certificate, others, anchors, now):
        return [f"the certificates between {who} and the trusted authority are no longer valid"]
    return []


def _chains(
    certificate: x509.Certificate, others: list[x509.Certificate], anchors: list[x509.Certificate], at: datetime
) -> bool:
    """Whether a path as of RFC 5280 leads to an anchor. Signers need no particular key usage: sites differ there."""
    any_extension = verification.ExtensionPolicy.permit_all()
    authority = any_extension.require_present(
        x509.BasicConstraints, verification.Criticality.AGNOSTIC, _is_authority
    ).may_be_present(x509.KeyUsage, verification.Criticality.AGNOSTIC, _may_sign_certificates)
    verifier = (
        verification.PolicyBuilder()
        .store(verification.Store(anchors))
        .time(at)
        .max_chain_depth(6)
        .extension_policies(ca_policy=authority, ee_policy=any_extension)
        .build_client_verifier()
    )
    try:
        verifier.verify(certificate, [other for other in others if other != certificate])
    except verification.VerificationError:
        return False
    return True


def _is_authority(_policy: verification.Policy, _certificate: x509.Certificate, found: x509.BasicConstraints) -> None:
    if not found.ca:
        raise ValueError("not an authority")


def _may_sign_certificates(
    _policy: verification.Policy, _certificate: x509.Certificate, found: x509.KeyUsage | None
) -> None:
    if found is not None and not found.key_cert_sign:
        raise ValueError("not for signing certificates")
