"""Certified timestamps of signatures (PS3.3 C.12.1.1.3.1.3, CMS_TSP): verified as RFC 3161 says."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from reference_impl.signatures.certificates import (
    Trust,
    UnreadableCertificateError,
    Usage,
    assess,
    der_of,
    load_certificate,
    timestamp_only,
)
from reference_impl.signatures.results import CertificateResult, Reason, Standing, TimestampResult
from reference_impl.signatures.signed_data import (
    SignedDataError,
    check_signature,
    open_signed_data,
    signer_certificate,
)
from reference_impl.signatures.timestamp_content import TokenContent, read_content
from reference_impl.signatures.timestamp_requests import TimestampError, request_timestamp

if TYPE_CHECKING:
    from collections.abc import Iterator

TIMESTAMP_TYPE = "CMS_TSP"
"""The one Certified Timestamp Type (0400,0305) that PS3.15 C.1 permits."""
_CLOCKS_DIFFER = timedelta(minutes=5)


def verify_timestamp(
    token: bytes,
    signature_value: bytes,
    trust: Trust,
    now: datetime,
    *,
    kind: str = TIMESTAMP_TYPE,
) -> TimestampResult:
    """Judge a Certified Timestamp `token` (0400,0310) of `kind` over the value of Signature (0400,0120).

    It is valid where it is of this signature, is signed by the authority it names, and that authority's certificate
    was good for timestamps at the time it tells. Never raises for what it says. The codes of reasons: "timestamp-type",
    "-unreadable", "-imprint", "-signature", "-purpose", "-future", those of the authority's certificate, and, where it
    cannot be judged, "timestamp-algorithm" and "timestamp-certificate-missing".
    """
    result = TimestampResult(kind, Standing.UNKNOWN)
    if kind != TIMESTAMP_TYPE:
        return replace(result, reasons=(Reason("timestamp-type", f"its type {kind!r} is not {TIMESTAMP_TYPE}"),))
    try:
        opened = open_signed_data(der_of(token))
        content = read_content(opened)
    except SignedDataError as problem:
        return _told(result, problem)
    except UnreadableCertificateError as problem:
        return _told(result, SignedDataError("timestamp-unreadable", f"it cannot be read: {problem}"))
    result = replace(
        result,
        time=content.time.isoformat(),
        policy=content.policy,
        hash_algorithm=content.hash_algorithm,
    )
    reasons = list(_content_reasons(content, now))
    try:
        fits = any(content.is_of(octets) for octets in _as_stamped(signature_value))
        result = replace(result, of_this_signature=fits)
        if not fits:
            reasons.append(Reason("timestamp-imprint", "it is the timestamp of something else"))
        der = signer_certificate(opened, trust.intermediates)
        authority = assess(der, opened.certificates, content.time, now, trust, usage=Usage.TIMESTAMP)
        result = replace(result, authority=authority)
        check_signature(opened, der)
        if not timestamp_only(load_certificate(der)):
            text = "its certificate has not, as the only and critical extended key usage, that of time stamping"
            reasons.append(Reason("timestamp-purpose", text))
    except SignedDataError as problem:
        return _told(replace(result, reasons=tuple(reasons)), problem)
    return _concluded(result, authority, reasons)


def _as_stamped(value: bytes) -> Iterator[bytes]:
    """The value as it stands, and without the octet that makes its length even."""
    yield value
    if value.endswith(b"\0"):
        yield value[:-1]


def _content_reasons(content: TokenContent, now: datetime) -> Iterator[Reason]:
    if content.version != 1:
        yield Reason("timestamp-unreadable", f"it is of version {content.version}, which is not defined")
    if content.time > now + _CLOCKS_DIFFER:
        yield Reason("timestamp-future", f"its time {content.time.isoformat()} has not come yet")


def _told(result: TimestampResult, problem: SignedDataError) -> TimestampResult:
    """The result where `problem` ended its verification; what was found before counts first."""
    known = bool(result.reasons) or not problem.unable
    standing = Standing.INVALID if known else Standing.UNKNOWN
    return replace(result, standing=standing, reasons=(*result.reasons, Reason(problem.code, str(problem))))


def _concluded(result: TimestampResult, authority: CertificateResult, reasons: list[Reason]) -> TimestampResult:
    standing = Standing.INVALID if reasons else authority.at_signing
    return replace(result, standing=standing, reasons=(*reasons, *authority.reasons))


__all__ = ["TIMESTAMP_TYPE", "TimestampError", "request_timestamp", "verify_timestamp"]
