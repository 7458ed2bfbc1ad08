"""What an HTTP answer says about a client certificate: some servers judge it above TLS, after a completed handshake."""

from __future__ import annotations

from harness.probes.transport.session import Session

_MAX_ANSWER = 1 << 14
_ABOUT_CERTIFICATE = frozenset({495, 496})  # nginx's own: certificate error, certificate required
_REFUSED = frozenset({401, 403, 407, 511})  # RFC 9110 15.5, RFC 6585 6: who asks is not allowed to
_FOR_REASONS_OF_THEIR_OWN = frozenset({400, 408, 421, 426, 429})


def http_status(answer: bytes) -> int | None:
    """The status code of an HTTP/1.x answer; None if it is none."""
    code = answer[9:12]
    return int(code) if answer.startswith(b"HTTP/1.") and len(code) == 3 and code.isdigit() else None


def read_http_answer(session: Session, data: bytes) -> bytes:
    """The answer that begins with `data`; a 400 to its end, since only its text says why (bounded size and time)."""
    silence = session.context.deadlines.silence
    while (len(data) < 12 or http_status(data) == 400) and len(data) < _MAX_ANSWER:
        incoming = session.read(silence)
        if incoming.end is not None:
            break
        data += incoming.data or b""
    return data[:_MAX_ANSWER]


def admitted_by_http(answer: bytes, credential: str) -> tuple[bool | None, str]:
    """Whether `answer` to a plain request lets in who showed `credential` (see `CredentialTrial`), and how to tell it.

    A 400 that speaks of a certificate is a refusal (nginx: "No required SSL certificate was sent", "The SSL certificate
    error"). 401 and the like refuse the request: for a certificate of an unknown authority that is what is due, while
    the given one, or none, may lack nothing but a password. Redirections, server errors and other complaints about the
    request say nothing about the certificate.
    """
    status = http_status(answer)
    if status is None:
        return None, "the answer is no HTTP"
    told = f"HTTP status {status}"
    if status in _ABOUT_CERTIFICATE:
        return False, f"{told}, about the certificate"
    if status == 400 and b"certificate" in answer.partition(b"\r\n")[2].lower():
        return False, f"{told}, which speaks of the certificate"
    if status in _REFUSED:
        return (False if credential == "unknown-authority" else None), told
    unclear = status < 200 or 300 <= status < 400 or status >= 500 or status in _FOR_REASONS_OF_THEIR_OWN
    return (None if unclear else True), told
