"""Certificates that a SUT presents, turned into facts: bounded, and without exceptions whatever they hold."""

from __future__ import annotations

import hashlib
import warnings
from base64 import encodebytes
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, padding, rsa
from cryptography.x509.oid import AuthorityInformationAccessOID, NameOID

from harness.observations.transport import CertificateFacts

if TYPE_CHECKING:
    from cryptography.x509 import ocsp

MAX_DER_OCTETS = 65_536
MAX_TEXT = 1_024
MAX_NAMES = 100
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
HOSTILE = (
    ValueError,
    TypeError,
    OverflowError,
    LookupError,
    RecursionError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
    x509.InvalidVersion,
)
"""What reading a certificate that nobody vouches for may raise."""
_EC_OID, _RSA_OID, _PSS_OID = "1.2.840.10045.2.1", "1.2.840.113549.1.1.1", "1.2.840.113549.1.1.10"
_SIGNATURES: dict[str, tuple[str, str]] = {
    "1.2.840.113549.1.1.2": ("rsa", "md2"),
    "1.2.840.113549.1.1.4": ("rsa", "md5"),
    "1.2.840.113549.1.1.5": ("rsa", "sha1"),
    "1.3.14.3.2.29": ("rsa", "sha1"),
    "1.2.840.113549.1.1.14": ("rsa", "sha224"),
    "1.2.840.113549.1.1.11": ("rsa", "sha256"),
    "1.2.840.113549.1.1.12": ("rsa", "sha384"),
    "1.2.840.113549.1.1.13": ("rsa", "sha512"),
    "1.2.840.113549.1.1.15": ("rsa", "sha512-224"),
    "1.2.840.113549.1.1.16": ("rsa", "sha512-256"),
    _PSS_OID: ("rsa-pss", ""),
    "1.2.840.10045.4.1": ("ecdsa", "sha1"),
    "1.2.840.10045.4.3.1": ("ecdsa", "sha224"),
    "1.2.840.10045.4.3.2": ("ecdsa", "sha256"),
    "1.2.840.10045.4.3.3": ("ecdsa", "sha384"),
    "1.2.840.10045.4.3.4": ("ecdsa", "sha512"),
    "1.2.840.10040.4.3": ("dsa", "sha1"),
    "2.16.840.1.101.3.4.3.1": ("dsa", "sha224"),
    "2.16.840.1.101.3.4.3.2": ("dsa", "sha256"),
    "2.16.840.1.101.3.4.3.9": ("ecdsa", "sha3-224"),
    "2.16.840.1.101.3.4.3.10": ("ecdsa", "sha3-256"),
    "2.16.840.1.101.3.4.3.11": ("ecdsa", "sha3-384"),
    "2.16.840.1.101.3.4.3.12": ("ecdsa", "sha3-512"),
    "2.16.840.1.101.3.4.3.13": ("rsa", "sha3-224"),
    "2.16.840.1.101.3.4.3.14": ("rsa", "sha3-256"),
    "2.16.840.1.101.3.4.3.15": ("rsa", "sha3-384"),
    "2.16.840.1.101.3.4.3.16": ("rsa", "sha3-512"),
    "1.3.101.112": ("ed25519", ""),
    "1.3.101.113": ("ed448", ""),
}
_USAGES = {
    "digital_signature": "digitalSignature", "content_commitment": "contentCommitment",
    "key_encipherment": "keyEncipherment", "data_encipherment": "dataEncipherment", "key_agreement": "keyAgreement",
    "key_cert_sign": "keyCertSign", "crl_sign": "cRLSign",
}  # fmt: skip
"""RFC 5280 4.2.1.3's names, by attribute."""
_PURPOSES = {
    "2.5.29.37.0": "anyExtendedKeyUsage", "1.3.6.1.5.5.7.3.1": "serverAuth", "1.3.6.1.5.5.7.3.2": "clientAuth",
    "1.3.6.1.5.5.7.3.3": "codeSigning", "1.3.6.1.5.5.7.3.4": "emailProtection", "1.3.6.1.5.5.7.3.8": "timeStamping",
    "1.3.6.1.5.5.7.3.9": "OCSPSigning",
}  # fmt: skip
"""RFC 5280 4.2.1.12's names, by object identifier."""
T = TypeVar("T")


def clipped(text: str, limit: int = MAX_TEXT) -> str:
    """`text`, cut with an ellipsis where it is longer than `limit`; lone surrogates escaped."""
    text = text.encode("utf-8", "backslashreplace").decode("utf-8")
    return text if len(text) <= limit else text[:limit] + "…"


class _Readings:
    """Reads one field after another; what fails is noted instead of raised."""

    def __init__(self) -> None:
        self.problems: list[str] = []

    def take(self, what: str, read: Callable[[], T], default: T) -> T:
        """The field, or `default` and a problem."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return read()
        except x509.ExtensionNotFound:
            return default
        except HOSTILE as error:
            self.problems.append(clipped(f"{what}: {error}", 200))
            return default


def pem(der: bytes) -> str:
    """The PEM form of a certificate."""
    return f"-----BEGIN CERTIFICATE-----\n{encodebytes(der).decode('ascii')}-----END CERTIFICATE-----\n"


def load(der: bytes) -> x509.Certificate | None:
    """The certificate, or None if it cannot be read or exceeds the limit."""
    if len(der) > MAX_DER_OCTETS:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return x509.load_der_x509_certificate(der)
    except HOSTILE:
        return None


def _unreadable(der: bytes) -> CertificateFacts:
    problem = "the certificate cannot be parsed"
    if len(der) > MAX_DER_OCTETS:
        problem = f"the certificate has {len(der)} octets, at most {MAX_DER_OCTETS} are read"
    return CertificateFacts(
        sha256=hashlib.sha256(der).hexdigest(), pem=pem(der[:MAX_DER_OCTETS]), subject="", issuer="", serial="",
        version=0, not_before=_EPOCH, not_after=_EPOCH, key_type="unknown", key_bits=None,
        signature_algorithm="", signature_algorithm_oid="", signature_hash="", problems=(problem,),
    )  # fmt: skip


def certificate_facts(der: bytes) -> CertificateFacts:
    """What the certificate says. What cannot be parsed is listed in `problems`; nothing is raised."""
    certificate = load(der)
    if certificate is None:
        return _unreadable(der)
    read = _Readings()
    key_type, bits, curve = _key(certificate, read)
    algorithm, oid, digest = _signature(certificate, read)
    common = read.take("subject", lambda: _common_name(certificate), "")
    return CertificateFacts(
        sha256=hashlib.sha256(der).hexdigest(),
        pem=pem(der),
        subject=read.take("subject", lambda: clipped(certificate.subject.rfc4514_string()), ""),
        issuer=read.take("issuer", lambda: clipped(certificate.issuer.rfc4514_string()), ""),
        serial=read.take("serial number", lambda: f"{certificate.serial_number:X}", ""),
        version=read.take("version", lambda: certificate.version.value + 1, 0),
        not_before=read.take("notBefore", lambda: certificate.not_valid_before_utc, _EPOCH),
        not_after=read.take("notAfter", lambda: certificate.not_valid_after_utc, _EPOCH),
        key_type=key_type,
        key_bits=bits,
        curve=curve,
        signature_algorithm=algorithm,
        signature_algorithm_oid=oid,
        signature_hash=digest,
        names=_names(certificate, read),
        common_name=common,
        is_ca=read.take("basic constraints", lambda: _extension(certificate, x509.BasicConstraints).ca, None),
        key_usage=_key_usage(certificate, read),
        extended_key_usage=_extended_key_usage(certificate, read),
        ocsp_responders=_ocsp_responders(certificate, read),
        crl_urls=_crl_urls(certificate, read),
        self_signed=read.take("names", lambda: same_name(certificate, certificate), False),
        problems=tuple(dict.fromkeys(read.problems)),
    )


def _common_name(certificate: x509.Certificate) -> str:
    found = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return clipped(_text(found[0].value)) if found else ""


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.hex()


ExtensionT = TypeVar("ExtensionT", bound=x509.ExtensionType)


def _extension(certificate: x509.Certificate, kind: type[ExtensionT]) -> ExtensionT:
    return certificate.extensions.get_extension_for_class(kind).value


def same_name(issuer: x509.Certificate, certificate: x509.Certificate) -> bool:
    """Whether `certificate` names `issuer` as its issuer. Raises what `HOSTILE` lists."""
    return issuer.subject.public_bytes() == certificate.issuer.public_bytes()


def key_of(certificate: x509.Certificate) -> tuple[str, int | None]:
    """Type and length in bits of the subject's key."""
    key_type, bits, _ = _key(certificate, _Readings())
    return key_type, bits


def _key(certificate: x509.Certificate, read: _Readings) -> tuple[str, int | None, str]:
    oid = read.take("key algorithm", lambda: certificate.public_key_algorithm_oid.dotted_string, "")
    key = read.take("public key", certificate.public_key, None)
    match key:
        case rsa.RSAPublicKey():
            return "rsa-pss" if oid == _PSS_OID else "rsa", key.key_size, ""
        case ec.EllipticCurvePublicKey():
            return "ec", key.curve.key_size, key.curve.name
        case ed25519.Ed25519PublicKey():
            return "ed25519", 256, ""
        case ed448.Ed448PublicKey():
            return "ed448", 456, ""
        case dsa.DSAPublicKey():
            return "dsa", key.key_size, ""
    # A curve or size that the library does not know still has a type.
    return {_EC_OID: "ec", _RSA_OID: "rsa", _PSS_OID: "rsa-pss"}.get(oid, "unknown"), None, ""


def _signature(certificate: x509.Certificate, read: _Readings) -> tuple[str, str, str]:
    oid = read.take("signature algorithm", lambda: certificate.signature_algorithm_oid.dotted_string, "")
    algorithm, digest = _SIGNATURES.get(oid, (oid, ""))
    if algorithm in {"rsa-pss", oid}:
        found = read.take("signature hash", lambda: certificate.signature_hash_algorithm, None)
        digest = found.name if found is not None else ""
    return algorithm, oid, digest


def _names(certificate: x509.Certificate, read: _Readings) -> tuple[str, ...]:
    def names() -> tuple[str, ...]:
        found: list[str] = []
        for name in list(_extension(certificate, x509.SubjectAlternativeName))[:MAX_NAMES]:
            match name:
                case x509.DNSName():
                    found.append(f"DNS:{clipped(name.value)}")
                case x509.IPAddress():
                    found.append(f"IP:{name.value}")
                case x509.RFC822Name():
                    found.append(f"email:{clipped(name.value)}")
                case x509.UniformResourceIdentifier():
                    found.append(f"URI:{clipped(name.value)}")
                case x509.DirectoryName():
                    found.append(f"directory:{clipped(name.value.rfc4514_string())}")
                case _:
                    found.append(f"other:{type(name).__name__}")
        return tuple(found)

    return read.take("subject alternative name", names, ())


def _key_usage(certificate: x509.Certificate, read: _Readings) -> tuple[str, ...]:
    def usages() -> tuple[str, ...]:
        usage = _extension(certificate, x509.KeyUsage)
        return tuple(name for attribute, name in _USAGES.items() if getattr(usage, attribute))

    return read.take("key usage", usages, ())


def _extended_key_usage(certificate: x509.Certificate, read: _Readings) -> tuple[str, ...] | None:
    def usages() -> tuple[str, ...] | None:
        listed = list(_extension(certificate, x509.ExtendedKeyUsage))[:MAX_NAMES]
        return tuple(_PURPOSES.get(usage.dotted_string, usage.dotted_string) for usage in listed)

    return read.take("extended key usage", usages, None)


def _ocsp_responders(certificate: x509.Certificate, read: _Readings) -> tuple[str, ...]:
    def responders() -> tuple[str, ...]:
        return tuple(
            clipped(_text(access.access_location.value))
            for access in list(_extension(certificate, x509.AuthorityInformationAccess))[:MAX_NAMES]
            if access.access_method == AuthorityInformationAccessOID.OCSP
            and isinstance(access.access_location, x509.UniformResourceIdentifier)
        )

    return read.take("authority information access", responders, ())


def _crl_urls(certificate: x509.Certificate, read: _Readings) -> tuple[str, ...]:
    def urls() -> tuple[str, ...]:
        points = list(_extension(certificate, x509.CRLDistributionPoints))[:MAX_NAMES]
        names = [name for point in points for name in point.full_name or ()]
        return tuple(clipped(name.value) for name in names if isinstance(name, x509.UniformResourceIdentifier))

    return read.take("CRL distribution points", urls, ())


def ocsp_status(der: bytes, leaf: bytes = b"") -> str:
    """Status that an OCSP response gives: "good", "revoked", "unknown" or "unparsable".

    With `leaf` (DER), the entry about that certificate is meant; a response about others only is "unparsable".
    """
    from cryptography.x509 import ocsp

    certificate = load(leaf) if leaf else None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            response = ocsp.load_der_ocsp_response(der[:MAX_DER_OCTETS])
            if response.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
                return "unparsable"
            for entry in response.responses:
                if certificate is None or entry.serial_number == certificate.serial_number:
                    return _status_name(entry)
    except HOSTILE:
        return "unparsable"
    return "unparsable"


def _status_name(entry: ocsp.OCSPSingleResponse) -> str:
    return entry.certificate_status.name.lower()


def encrypt_to_leaf(der: bytes, data: bytes) -> bytes:
    """`data` encrypted to the RSA key of a certificate (PKCS #1 v1.5, RFC 5246 7.4.7.1). Raises `ValueError`."""
    certificate = load(der)
    try:
        key = None if certificate is None else certificate.public_key()
    except HOSTILE as error:
        raise ValueError(f"the public key cannot be read: {error}") from error
    if not isinstance(key, rsa.RSAPublicKey):
        raise ValueError("the certificate holds no RSA key")
    return key.encrypt(data, padding.PKCS1v15())


def distinguished_name(der: bytes) -> str:
    """A bare distinguished name (DER) in RFC 4514 form; the hex of its first octets where it cannot be read."""
    from asn1crypto import x509 as asn1

    short = {
        "common_name": "CN", "country_name": "C", "organization_name": "O", "organizational_unit_name": "OU",
        "locality_name": "L", "state_or_province_name": "ST", "domain_component": "DC", "user_id": "UID",
    }  # fmt: skip
    try:
        parts = [
            "+".join(f"{short.get(pair['type'].native, pair['type'].dotted)}={_escaped(pair.native['value'])}"
                     for pair in relative)
            for relative in list(asn1.Name.load(der[:MAX_DER_OCTETS]).chosen)[:MAX_NAMES]
        ]  # fmt: skip
    except HOSTILE:
        return f"#{der[:64].hex()}"
    return clipped(",".join(reversed(parts)))


def _escaped(value: object) -> str:
    text = str(value)
    return "".join(f"\\{sign}" if sign in ',+"\\<>;' else sign for sign in text)
