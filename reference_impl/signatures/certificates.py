"""The certificates of signers and of time-stamping authorities: read, and their paths judged (RFC 5280 6).

OpenSSL validates a path at the time of the signature and at the time of verifying. PS3.15 C.1 leaves to the site whom
it trusts and how strong a key has to be: that is what `Trust` says. Weakness alone is told and makes nothing invalid.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING

from reference_impl.signatures.certificate_reading import (
    LARGEST,
    UnreadableCertificateError,
    der_of,
    extension_of,
    load_certificate,
    read_certificate,
    read_certificates,
    read_crls,
    timestamp_only,
)
from reference_impl.signatures.results import CertificateResult, Reason, Standing

if TYPE_CHECKING:
    from cryptography import x509

CERTIFICATE_TYPE = "X509_1993_SIG"
"""The one Certificate Type (0400,0110) that C.1 permits."""
_MOST_OTHERS = 20
_KEPT = 4096
_UNTRUSTED = frozenset({2, 18, 19, 20, 21})
_NOT_YET = frozenset({9, 13})
_EXPIRED = frozenset({10, 14})


class Usage(Enum):
    """What a certificate is asked to be good for."""

    SIGNATURE = "signature"
    TIMESTAMP = "timestamp"


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
    read = read_certificate(value)
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
        self._entries: dict[tuple[x509.Certificate, x509.Certificate], x509.RevokedCertificate | None] = {}

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
        came = [one.certificate for one in map(read_certificate, others) if not isinstance(one.certificate, str)]
        flags = crypto.X509StoreFlags.PARTIAL_CHAIN  # an anchor may be whoever the site says
        path = valid_path(leaf, [*self._between, *came], self._anchors, at, flags)
        begins = max(each.not_valid_before_utc for each in path)
        ends = min(each.not_valid_after_utc for each in path)
        if len(self._good) >= _KEPT:
            self._good.clear()
        self._good[value, others] = (begins, ends, path)
        return path

    def _entry(self, certificate: x509.Certificate, issuer: x509.Certificate) -> x509.RevokedCertificate | None:
        """What the lists have of a certificate; they are long, and searched once."""
        from reference_impl.paths import revocation_of

        key = (certificate, issuer)
        if key not in self._entries:
            if len(self._entries) >= _KEPT:
                self._entries.clear()
            self._entries[key] = revocation_of(certificate, issuer, self.lists)
        return self._entries[key]

    def _revocation(
        self, certificate: x509.Certificate, issuer: x509.Certificate, at: datetime, usage: Usage
    ) -> Reason | None:
        from cryptography import x509

        from reference_impl.paths import reason_of

        entry = self._entry(certificate, issuer)
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
