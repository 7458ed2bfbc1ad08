"""Whether a syslog message is one of the audit trail: others may go over the same connections (PS3.15 A.6, note)."""

from __future__ import annotations

import re

from reference_impl.audit.syslog.messages import Parsed
from reference_impl.audit.syslog.model import DICOM_MSGID, IHE_MSGID, SECURITY

_AUDIT = frozenset({DICOM_MSGID, IHE_MSGID})
_NAMED = re.compile(rb"(?:</?|&lt;)(?:[\w.-]+:)?(?:AuditMessage|IHEYr4)\b")
_LOOKED_AT = 8192
_XML = re.compile(rb"\s*<[?!A-Za-z_]|\xff\xfe<\x00|\xfe\xff\x00<|<\x00|\x00<")
"""How XML begins, in UTF-16 too."""


def names_audit_message(body: bytes) -> bool:
    """Whether the beginning of `body` has an element of the name of audit messages, of older schemas, too."""
    return _NAMED.search(body, 0, _LOOKED_AT) is not None


def is_of_audit(parsed: Parsed | None, body: bytes) -> bool:
    """Whether it is a message of the audit trail: it says so, or is XML without a header or of facility 10.

    `parsed` is None where no syslog header was expected before `body`.
    """
    if names_audit_message(body):
        return True
    is_xml = _XML.match(body) is not None
    if parsed is None:
        return is_xml
    if is_xml and parsed.pri is not None and parsed.pri // 8 == SECURITY:
        return True
    return parsed.message is not None and parsed.message.msgid in _AUDIT
