"""What the octets of one message say: examined once, however many judgements ask."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from functools import lru_cache

from reference_impl.audit.findings import Finding, MessageResult
from reference_impl.audit.parsing import UnreadableMessageError, parse_xml
from reference_impl.audit.syslog.messages import Parsed, parse
from reference_impl.audit.syslog.profiles import Profile, profile_findings
from reference_impl.audit.syslog.purpose import is_of_audit, names_audit_message

_REMEMBERED = 20_000  # messages
_BOM = b"\xef\xbb\xbf"
_NODES = frozenset({"1", "2"})
"""NetworkAccessPointTypeCode of what names a node: a machine name, an IP address."""
_PROFILES: tuple[Profile, ...] = ("A.6", "A.7", "IHE-ATX-TLS-Syslog", "IHE-ATX-UDP-Syslog")


@dataclass(frozen=True, slots=True)
class Codes:
    """What tells which event a message reports, and who says so; empty where it does not say."""

    event: str = ""
    types: tuple[str, ...] = ()
    action: str = ""
    outcome: str = ""
    date_time: str = ""
    source: str = ""
    site: str = ""
    applications: tuple[tuple[str, str], ...] = ()  # UserID and network access point of participants with role 110150
    participants: tuple[tuple[str, str], ...] = ()  # the same of all


@dataclass(frozen=True)
class Examined:
    """A message examined. `parsed` is None where no syslog header was expected."""

    parsed: Parsed | None
    body: bytes
    result: MessageResult
    codes: Codes
    ends_early: bool
    _profiles: dict[str, tuple[tuple[Finding, ...], frozenset[str]]] = field(default_factory=dict, repr=False)

    @property
    def is_of_audit(self) -> bool:
        """Whether it is a message of the audit trail."""
        return is_of_audit(self.parsed, self.body)

    def syslog(self, profile: str) -> tuple[tuple[Finding, ...], frozenset[str]]:
        """What was found in the syslog message, by RFC 5424 and by `profile`."""
        if self.parsed is None:
            return (), frozenset()
        if profile not in self._profiles:
            findings, checked = self.parsed.findings, self.parsed.checked
            if profile in _PROFILES:
                more, also = profile_findings(self.parsed, profile)
                findings, checked = (*findings, *more), checked | also
            self._profiles[profile] = findings, checked
        return self._profiles[profile]


@lru_cache(maxsize=_REMEMBERED)
def examined(octets: str, *, header: bool) -> Examined:
    """The message whose octets are `octets` in base64."""
    from reference_impl.audit.validator import validate

    raw = base64.b64decode(octets)
    parsed = parse(raw) if header else None
    body = parsed.body if parsed else raw.removeprefix(_BOM)
    codes, readable = _codes(body)
    return Examined(parsed, body, validate(body, want_checked=True), codes, not readable and _has_no_end(body))


def _has_no_end(body: bytes) -> bool:
    """Whether XML that is not well-formed lacks its end."""
    return names_audit_message(body) and b"</AuditMessage" not in body


def _codes(body: bytes) -> tuple[Codes, bool]:
    """What a message says of itself, and whether it is well-formed XML."""
    from reference_impl.audit.parsing import message_of

    try:
        root = parse_xml(body)
    except UnreadableMessageError:
        return Codes(), False
    try:
        message = message_of(root)
    except UnreadableMessageError:
        return Codes(), True
    at = [
        (each.user_id, each.access_point, {role.code for role in each.roles})
        for each in message.participants
        if each.access_point_type in _NODES
    ]
    return (
        Codes(
            message.event.id.code,
            tuple(each.code for each in message.event.types),
            message.event.action,
            message.event.outcome,
            message.event.date_time,
            message.source.id,
            message.source.enterprise_site,
            tuple((user, where) for user, where, roles in at if where and "110150" in roles),
            tuple((user, where) for user, where, _ in at if where),
        ),
        True,
    )
