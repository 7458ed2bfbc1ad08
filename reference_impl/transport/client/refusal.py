"""Why the client ends a handshake or a connection, with the alert that says so (RFC 8446 6.2)."""

from __future__ import annotations

from enum import IntEnum


class AlertDescription(IntEnum):
    """The alerts that the client sends."""

    CLOSE_NOTIFY = 0
    UNEXPECTED_MESSAGE = 10
    BAD_RECORD_MAC = 20
    RECORD_OVERFLOW = 22
    HANDSHAKE_FAILURE = 40
    BAD_CERTIFICATE = 42
    UNSUPPORTED_CERTIFICATE = 43
    CERTIFICATE_REVOKED = 44
    CERTIFICATE_EXPIRED = 45
    CERTIFICATE_UNKNOWN = 46
    ILLEGAL_PARAMETER = 47
    UNKNOWN_CA = 48
    DECODE_ERROR = 50
    DECRYPT_ERROR = 51
    PROTOCOL_VERSION = 70
    INSUFFICIENT_SECURITY = 71
    NO_RENEGOTIATION = 100
    MISSING_EXTENSION = 109
    UNSUPPORTED_EXTENSION = 110


class RefusalError(Exception):
    """What the server did is not accepted: the fatal `alert` to send and the `reason` in words."""

    def __init__(self, alert: AlertDescription, reason: str) -> None:
        super().__init__(reason)
        self.alert = alert
        self.reason = reason
