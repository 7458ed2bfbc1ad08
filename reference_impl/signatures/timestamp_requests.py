"""Asking a time-stamping authority for the timestamp of a signature (RFC 3161 2.4, 3.4)."""

from __future__ import annotations

import secrets
from typing import Any

from reference_impl.http_exchange import HttpExchangeError, ask
from reference_impl.signatures.algorithms import ALGORITHMS
from reference_impl.signatures.certificates import UnreadableCertificateError, der_of
from reference_impl.signatures.signed_data import (
    BROKEN,
    SignedDataError,
    check_signature,
    hash_of,
    is_there,
    open_signed_data,
    signer_certificate,
)
from reference_impl.signatures.timestamp_content import read_content

QUERY, REPLY = "application/timestamp-query", "application/timestamp-reply"
_OK = 200
_LARGEST = 1 << 16
_GRANTED = frozenset({0, 1})
_FAILURES = {
    "bad_alg": "it does not know the hash algorithm",
    "bad_request": "it does not take such requests",
    "bad_data_format": "the data has the wrong format",
    "time_not_available": "its time source is not available",
    "unaccepted_policy": "it does not have the policy that was asked for",
    "unaccepted_extensions": "it does not know an extension of the request",
    "add_info_not_available": "it cannot give what was asked for beside",
    "system_failure": "it has a failure of its own",
}
_STATUS = {2: "refused the request", 3: "put the request off"}
_MOST_WORDS, _LONGEST_WORD = 4, 200


class TimestampError(Exception):
    """There is no timestamp, or none that answers the request: one sentence that says why."""


def make_request(signature_value: bytes, algorithm: str = "SHA256", policy: str = "") -> bytes:
    """The DER request for a timestamp of `signature_value`: with a nonce, and asking for the certificate.

    `algorithm` is one of (0400,0015), `policy` an object identifier, empty for any. Raises TimestampError.
    """
    from asn1crypto import tsp

    if algorithm not in ALGORITHMS:
        raise TimestampError(f"{algorithm!r} is no hash algorithm for timestamps; use {', '.join(ALGORITHMS)}")
    oid = ALGORITHMS[algorithm].oid
    request = {
        "version": "v1",
        "message_imprint": {"hash_algorithm": {"algorithm": oid}, "hashed_message": hash_of(oid, signature_value)},
        "nonce": secrets.randbits(64),
        "cert_req": True,
    }
    try:
        return bytes(tsp.TimeStampReq({**request, "req_policy": policy} if policy else request).dump())
    except BROKEN:
        raise TimestampError(f"{policy!r} is no object identifier of a policy") from None


def token_of(reply: bytes, request: bytes) -> bytes:
    """The token (DER) in the authority's `reply` to `request`, made sure to answer it. Raises TimestampError."""
    from asn1crypto import tsp

    from reference_impl.signatures.timestamp_reply import Reply

    try:
        read = Reply.load(reply, strict=True)
        status = int(read["status"]["status"])
        if status not in _GRANTED:
            raise TimestampError(_refusal(read["status"], status))
        if not is_there(read["token"]):
            raise TimestampError("the time-stamping authority granted the request and sent no timestamp")
        token = bytes(read["token"].dump())
        asked = tsp.TimeStampReq.load(request)
        _check_answer(token, asked)
    except BROKEN as problem:
        raise TimestampError(f"the time-stamping authority's reply cannot be read: {problem}") from None
    except SignedDataError as problem:
        raise TimestampError(f"the time-stamping authority's timestamp is wrong: {problem}") from None
    return token


def request_timestamp(
    url: str, signature_value: bytes, algorithm: str = "SHA256", *, policy: str = "", seconds: float = 10.0
) -> bytes:
    """Have the authority at `url` (HTTP or HTTPS) stamp the value of Signature (0400,0120); returns the token (DER).

    Raises TimestampError: a sentence that says what the authority did not do.
    """
    request = make_request(signature_value, algorithm, policy)
    try:
        answer = ask(url, request, QUERY, seconds=seconds, largest=_LARGEST)
    except HttpExchangeError as problem:
        raise TimestampError(f"no timestamp was to be had from {url}: {problem}") from None
    if answer.status != _OK:
        raise TimestampError(f"no timestamp was to be had from {url}: HTTP status {answer.status}")
    if answer.media_type != REPLY:
        said = answer.media_type or "no media type"
        raise TimestampError(f"no timestamp was to be had from {url}: it answered with {said}, not with {REPLY}")
    return token_of(answer.body, request)


def _refusal(info: Any, status: int) -> str:
    """A sentence for a status other than granted."""
    said = f"the time-stamping authority {_STATUS.get(status, f'answered with status {status}')}"
    reasons = sorted(_FAILURES.get(name, f"failure {name}") for name in info["fail_info"].native or ())
    words = info["status_string"].native or ()
    if words:
        reasons.append("it says " + "; ".join(repr(str(word)[:_LONGEST_WORD]) for word in words[:_MOST_WORDS]))
    return f"{said}: {', '.join(reasons)}" if reasons else said


def _check_answer(token: bytes, asked: Any) -> None:
    """Raise TimestampError or SignedDataError unless the token is of what was asked, signed, with its certificate."""
    try:
        opened = open_signed_data(der_of(token))
    except UnreadableCertificateError as problem:
        raise TimestampError(f"the time-stamping authority's timestamp cannot be read: {problem}") from None
    content = read_content(opened)
    imprint = asked["message_imprint"]
    wanted = (imprint["hash_algorithm"]["algorithm"].dotted, imprint["hashed_message"].native)
    if (content.hash_oid, content.imprint) != wanted:
        raise TimestampError("the time-stamping authority stamped something else")
    if content.nonce != asked["nonce"].native:
        raise TimestampError("the time-stamping authority's timestamp is not the answer to this request: another nonce")
    policy = asked["req_policy"]
    if policy.native is not None and policy.dotted != content.policy:
        raise TimestampError(f"the time-stamping authority stamped under policy {content.policy}, not as asked")
    check_signature(opened, signer_certificate(opened, ()))
