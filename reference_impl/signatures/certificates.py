"""The certificates of signers and of time-stamping authorities: read, and their paths judged (RFC 5280 6).

OpenSSL validates a path at the time of the signature and at the time of verifying. PS3.15 C.1 leaves to the site whom
it trusts and how strong a key has to be: that is what `Trust` says. Weakness alone is told and makes nothing invalid.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, TypeVar

from reference_impl.signatures.results import CertificateResult, Reason, Standing

if TYPE_CHECKING:
    from cryptography import x509

    ExtensionT = TypeVar("ExtensionT", bound=x509.ExtensionType)

CERTIFICATE_TYPE = "X509_1993_SIG"
"""The one Certificate Type (0400,0110) that C.1 permits."""
LARGEST = 1 << 16
"""Octets of a certificate that are read at most."""
_MOST_OTHERS = 20
_KEPT = 4096
_STRONG_RSA_BITS = 2048
_STRONG_EC_BITS = 224
_WEAK_HASHES = ("md5", "sha1")
_UNTRUSTED = frozenset({2, 18, 19, 20, 21})
_NOT_YET = frozenset({9, 13})
_EXPIRED = frozenset({10, 14})


class Usage(Enum):
    """What a certificate is asked to be good for."""

    SIGNATURE = "signature"
    TIMESTAMP = "timestamp"


class UnreadableCertificateError(Exception):
    """A value is no X.509 certificate that can be read; the message says why."""


@dataclass(frozen=True, slots=True)
class Trust:
    """Whom a site believes, all in DER: `anchors`, authorities between them and the signers, revocation lists.

    An anchor may be a signer's own certificate, handed out by the site (C.1). RSA keys of less than `least_rsa_bits`
    are not accepted; None takes all.
    """

    anchors: tuple[bytes, ...] = ()
    intermediates: tuple[bytes, ...] = ()
    crls: tuple[bytes, ...] = ()
    least_rsa_bits: int | None = None


def read_certificates(data: bytes) -> tuple[bytes, ...]:
    """The certificates (DER) of a file, PEM or DER. Raises ValueError."""
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    if b"-----BEGIN" not in data:
        return (x509.load_der_x509_certificate(data).public_bytes(Encoding.DER),)
    return tuple(one.public_bytes(Encoding.DER) for one in x509.load_pem_x509_certificates(data))


def read_crls(data: bytes) -> tuple[bytes, ...]:
    """The revocation lists (DER) of a file, PEM (any number) or DER. Raises ValueError."""
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    if b"-----BEGIN" not in data:
        return (x509.load_der_x509_crl(data).public_bytes(Encoding.DER),)
    end = b"-----END X509 CRL-----"
    parts = [part + end for part in data.split(end)[:-1]]
    if not parts:
        raise ValueError("no revocation list in it")
    return tuple(x509.load_pem_x509_crl(part).public_bytes(Encoding.DER) for part in parts)


def der_of(value: bytes) -> bytes:
    """The DER encoding within an OB `value`, without the zero octet that makes its length even.

    Raises UnreadableCertificateError where it is none, is cut short, or is followed by anything else.
    """
    if len(value) > LARGEST:
        raise UnreadableCertificateError(f"it has {len(value)} octets, more than are read")
    if len(value) < 2 or value[0] != 0x30:
        raise UnreadableCertificateError("it does not begin as DER does")
    length, at = value[1], 2
    if length > 0x80:
        at += length - 0x80
        length = int.from_bytes(value[2:at])
    end = at + length
    if value[1] == 0x80 or end > len(value):
        raise UnreadableCertificateError("it is cut short")
    if value[end:] not in (b"", b"\0"):
        raise UnreadableCertificateError(f"{len(value) - end} octets follow it")
    return value[:end]


def load_certificate(value: bytes) -> x509.Certificate:
    """The certificate within an OB `value`. Raises UnreadableCertificateError."""
    found = _read(value).certificate
    if isinstance(found, str):
        raise UnreadableCertificateError(found)
    return found


def assess(
    value: bytes,
    others: Iterable[bytes],
    at: datetime | None,
    now: datetime,
    trust: Trust,
    *,
    usage: Usage = Usage.SIGNATURE,
) -> CertificateResult:
    """Judge the certificate within an OB `value` at the aware times `at` (of the signature, None: unknown) and `now`.

    `others` are certificates (DER) that came with it. Never raises for what a certificate says. The codes of reasons:
    "certificate-unreadable", "-untrusted", "-expired", "-not-yet-valid", "-revoked", "-usage", "-path", "-too-short",
    of which each makes it invalid, with "-since" where that holds now and did not at the time of the signature;
    "certificate-weak-key", "-weak-hash", "no-anchors", "no-date" and "revocation-unknown" make nothing invalid.
    """
    read = _read(value)
    if isinstance(read.certificate, str):
        unreadable = Reason("certificate-unreadable", f"the certificate cannot be read: {read.certificate}")
        return replace(read.result, at_signing=Standing.INVALID, now=Standing.INVALID, reasons=(unreadable,))
    judge = _judge(trust)
    between = tuple(others)[:_MOST_OTHERS]
    problems = _usage_problems(read.result, usage) + _length_problems(read.result, trust)
    notes = list(read.result.reasons)
    if not trust.anchors:
        unknown = Standing.INVALID if problems else Standing.UNKNOWN
        notes.append(Reason("no-anchors", "no trust anchors are given to judge the certificate by"))
        return replace(read.result, at_signing=unknown, now=unknown, reasons=(*problems, *notes))
    then = judge.problems(value, between, at, usage) if at is not None else []
    today = judge.problems(value, between, now, usage)
    if at is None:
        notes.append(Reason("no-date", "it is not known when the signature was made"))
    if judge.lists and judge.unlisted(value, between, now):
        notes.append(Reason("revocation-unknown", "no revocation list that is current tells of the certificate"))
    known = {reason.code for reason in then}
    since = [Reason(f"{one.code}-since", one.text) for one in today if one.code not in known]
    signing = Standing.UNKNOWN if at is None and not problems else _standing(problems + then)
    return replace(
        read.result,
        at_signing=signing,
        now=_standing(problems + today),
        reasons=(*problems, *then, *since, *notes),
    )


def _standing(problems: Sequence[Reason]) -> Standing:
    return Standing.INVALID if problems else Standing.VALID


# -- what a certificate says -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Read:
    """A certificate, or why it cannot be read; what it says, with the reasons that are only told."""

    certificate: x509.Certificate | str
    result: CertificateResult


@lru_cache(maxsize=_KEPT)
def _read(value: bytes) -> _Read:
    from cryptography import x509

    from reference_impl.paths import UNREADABLE

    nothing = CertificateResult(Standing.UNKNOWN, Standing.UNKNOWN)
    try:
        der = der_of(value)
        certificate = x509.load_der_x509_certificate(der)
        return _Read(certificate, _facts(certificate, der))
    except (UnreadableCertificateError, *UNREADABLE) as problem:
        return _Read(str(problem) or type(problem).__name__, nothing)


def _facts(certificate: x509.Certificate, der: bytes) -> CertificateResult:
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    key_type, bits = _key(certificate)
    digest = _hash_of(certificate)
    usage = extension_of(certificate, x509.KeyUsage)
    extended = extension_of(certificate, x509.ExtendedKeyUsage)
    notes = []
    if bits is not None and bits < {"rsa": _STRONG_RSA_BITS, "dsa": _STRONG_RSA_BITS}.get(key_type, _STRONG_EC_BITS):
        notes.append(Reason("certificate-weak-key", f"the key ({key_type.upper()}, {bits} bits) is short"))
    if digest in _WEAK_HASHES and certificate.issuer != certificate.subject:
        notes.append(Reason("certificate-weak-hash", f"the certificate is signed with {digest}, which is weak"))
    return CertificateResult(
        at_signing=Standing.UNKNOWN,
        now=Standing.UNKNOWN,
        subject=certificate.subject.rfc4514_string(),
        issuer=certificate.issuer.rfc4514_string(),
        serial=f"{certificate.serial_number:x}",
        not_before=certificate.not_valid_before_utc.isoformat(),
        not_after=certificate.not_valid_after_utc.isoformat(),
        key_type=key_type,
        key_bits=bits,
        signature_hash=digest,
        key_usage=None if usage is None else _usages(usage),
        extended_key_usage=None if extended is None else tuple(one.dotted_string for one in extended),
        sha256=hashlib.sha256(der).hexdigest(),
        pem=certificate.public_bytes(Encoding.PEM).decode("ascii"),
        version=certificate.version.value + 1,
        reasons=tuple(notes),
    )


def _key(certificate: x509.Certificate) -> tuple[str, int | None]:
    from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa

    from reference_impl.paths import UNREADABLE

    try:
        key = certificate.public_key()
    except UNREADABLE:  # a kind that the library does not know
        return "unknown", None
    if isinstance(key, rsa.RSAPublicKey):
        return "rsa", key.key_size
    if isinstance(key, ec.EllipticCurvePublicKey):
        return "ec", key.key_size
    if isinstance(key, dsa.DSAPublicKey):
        return "dsa", key.key_size
    return "unknown", None


def _hash_of(certificate: x509.Certificate) -> str:
    from cryptography.exceptions import UnsupportedAlgorithm

    try:
        found = certificate.signature_hash_algorithm
    except UnsupportedAlgorithm:
        return ""
    return found.name if found is not None else ""


def _usages(usage: x509.KeyUsage) -> tuple[str, ...]:
    names = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement")
    return tuple(name for name in (*names, "key_cert_sign", "crl_sign") if getattr(usage, name))


def extension_of(certificate: x509.Certificate, kind: type[ExtensionT]) -> ExtensionT | None:
    """The extension of that kind, or None."""
    from cryptography import x509

    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


# -- what makes it invalid -------------------------------------------------------------------------------------------


def _usage_problems(read: CertificateResult, usage: Usage) -> list[Reason]:
    """Key usage of either kind (RFC 5280 4.2.1.3); a timestamp's purpose is judged where its token is."""
    if read.key_usage is None or {"digital_signature", "content_commitment"} & set(read.key_usage):
        return []
    what = "signatures" if usage is Usage.SIGNATURE else "the signatures of timestamps"
    meant = ", ".join(read.key_usage).replace("_", " ") or "nothing"
    return [Reason("certificate-usage", f"the key is not meant for {what}, but for {meant}")]


def _length_problems(read: CertificateResult, trust: Trust) -> list[Reason]:
    least = trust.least_rsa_bits
    if read.key_type != "rsa" or read.key_bits is None or least is None or read.key_bits >= least:
        return []
    return [Reason("certificate-too-short", f"the RSA key has {read.key_bits} bits; the site demands {least}")]


@lru_cache(maxsize=8)
def _judge(trust: Trust) -> _Judge:
    return _Judge(trust)


class _Judge:
    """What one `Trust` makes of certificates; every path that was valid once is remembered for as long as it is."""

    def __init__(self, trust: Trust) -> None:
        from cryptography import x509

        self._anchors = [x509.load_der_x509_certificate(der) for der in trust.anchors]
        self._between = [x509.load_der_x509_certificate(der) for der in trust.intermediates]
        self.lists = tuple(x509.load_der_x509_crl(der) for der in trust.crls)
        self._good: dict[tuple[bytes, tuple[bytes, ...]], tuple[datetime, datetime, list[x509.Certificate]]] = {}

    def problems(self, value: bytes, others: tuple[bytes, ...], at: datetime, usage: Usage) -> list[Reason]:
        """What is wrong with the path, and whether a certificate of it was revoked, at that time."""
        from reference_impl.paths import UNREADABLE, PathError

        try:
            path = self._path(value, others, at)
            return [found for pair in pairwise(path) if (found := self._revocation(*pair, at, usage)) is not None]
        except PathError as problem:
            return [_path_reason(problem.code, problem.depth, problem.text)]
        except UNREADABLE as problem:
            return [Reason("certificate-path", f"its path cannot be judged: {problem}")]

    def unlisted(self, value: bytes, others: tuple[bytes, ...], now: datetime) -> bool:
        """Whether there is a path of which no current revocation list tells (of the certificate itself)."""
        from reference_impl.paths import UNREADABLE, PathError

        try:
            path = self._path(value, others, now)
        except (PathError, *UNREADABLE):
            return False
        mine = (each for each in self.lists if each.issuer == path[0].issuer)
        current = (each for each in mine if each.next_update_utc is None or each.next_update_utc > now)
        return len(path) > 1 and not any(True for _ in current)

    def _path(self, value: bytes, others: tuple[bytes, ...], at: datetime) -> list[x509.Certificate]:
        from OpenSSL import crypto

        from reference_impl.paths import valid_path

        begins, ends, path = self._good.get((value, others), (at, at, []))
        if path and begins <= at <= ends:
            return path
        leaf = load_certificate(value)
        came = [one.certificate for one in map(_read, others) if not isinstance(one.certificate, str)]
        flags = crypto.X509StoreFlags.PARTIAL_CHAIN  # an anchor may be whoever the site says
        path = valid_path(leaf, [*self._between, *came], self._anchors, at, flags)
        begins = max(each.not_valid_before_utc for each in path)
        ends = min(each.not_valid_after_utc for each in path)
        if len(self._good) < _KEPT:
            self._good[value, others] = (begins, ends, path)
        return path

    def _revocation(
        self, certificate: x509.Certificate, issuer: x509.Certificate, at: datetime, usage: Usage
    ) -> Reason | None:
        from cryptography import x509

        from reference_impl.paths import reason_of, revocation_of

        entry = revocation_of(certificate, issuer, self.lists)
        if entry is None:
            return None
        since = entry.revocation_date_utc
        why = reason_of(entry)
        try:  # RFC 5280 5.3.2: from then on the key was known or suspected to be in other hands
            invalid = entry.extensions.get_extension_for_class(x509.InvalidityDate).value.invalidity_date_utc
            since = min(since, invalid)
        except x509.ExtensionNotFound:
            pass
        # RFC 3161 4: timestamps of an authority survive its revocation only where its key was not compromised.
        harmless = why in {
            x509.ReasonFlags.unspecified,
            x509.ReasonFlags.affiliation_changed,
            x509.ReasonFlags.superseded,
            x509.ReasonFlags.cessation_of_operation,
        }
        if since > at and (usage is Usage.SIGNATURE or harmless):
            return None
        because = f" ({why.value})" if why is not None else ""
        text = f"{certificate.subject.rfc4514_string()} is revoked since {since.isoformat()}{because}"
        return Reason("certificate-revoked", text)


def _path_reason(code: int, depth: int, text: str) -> Reason:
    if code in _UNTRUSTED:
        return Reason("certificate-untrusted", f"the certificate leads to no trust anchor: {text}")
    which = "the certificate" if depth == 0 else f"certificate {depth} above the signer's"
    if code in _EXPIRED:
        return Reason("certificate-expired", f"{which} has expired")
    if code in _NOT_YET:
        return Reason("certificate-not-yet-valid", f"{which} is not yet valid")
    return Reason("certificate-path", f"{which}: {text}")


def timestamp_only(read: x509.Certificate) -> bool:
    """Whether a certificate has the one purpose of a time-stamping authority, marked critical (RFC 3161 2.3)."""
    from cryptography import x509
    from cryptography.x509.oid import ExtendedKeyUsageOID

    try:
        found = read.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    except x509.ExtensionNotFound:
        return False
    return found.critical and list(found.value) == [ExtendedKeyUsageOID.TIME_STAMPING]


__all__ = [
    "CERTIFICATE_TYPE",
    "LARGEST",
    "Trust",
    "UnreadableCertificateError",
    "Usage",
    "assess",
    "der_of",
    "extension_of",
    "load_certificate",
    "read_certificates",
    "read_crls",
    "timestamp_only",
]
