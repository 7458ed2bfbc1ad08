"""What PS3.15 A.6 and A.7, and IHE ITI-20, add to RFC 5424 for the syslog message around an audit message."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from reference_impl.audit.findings import Finding, Level
from reference_impl.audit.syslog.messages import Parsed
from reference_impl.audit.syslog.model import IHE_MSGID, SECURITY
from reference_impl.audit.syslog.telling import finding

Profile = Literal["A.6", "A.7", "IHE-ATX-TLS-Syslog", "IHE-ATX-UDP-Syslog"]


def profile_findings(parsed: Parsed, profile: Profile) -> tuple[tuple[Finding, ...], frozenset[str]]:
    """What is wrong by `profile`, and the rules that could be told. Ids: "A.6-source-facility" and the like.

    Under A.7 severities other than 5 and 4 are a should; under A.6 any is allowed. IHE demands one MSGID and
    discourages a BOM.
    """
    if profile in {"A.6", "A.7"}:
        return _dicom(parsed, profile)
    return _ihe(parsed)


def _dicom(parsed: Parsed, profile: str) -> tuple[tuple[Finding, ...], frozenset[str]]:
    told = list(_told(parsed, profile))
    findings = (
        finding(
            f"{profile}-source-{each.slug}",
            each.level,
            each.place,
            expected=each.expected,
            found=each.found,
            text=each.text,
            remedy=_REMEDIES[each.slug],
        )
        for each in told
        if each.wrong
    )
    return tuple(findings), frozenset(f"{profile}-source-{each.slug}" for each in told)


@dataclass(frozen=True, slots=True)
class _Told:
    slug: str
    level: Level
    place: str
    wrong: bool
    expected: str
    found: str | int
    text: str


def _told(parsed: Parsed, profile: str) -> Iterator[_Told]:
    """What can be told of a message by A.6 or A.7."""
    if parsed.pri is not None:
        facility, severity = divmod(parsed.pri, 8)
        text = f"The facility is {facility}."
        yield _Told("facility", "shall", "PRI", facility != SECURITY, "facility 10", facility, text)
        if profile == "A.7":
            text = f"The severity is {severity}."
            yield _Told("severity", "should", "PRI", severity not in {4, 5}, "5, or 4", severity, text)
    if parsed.message is not None:
        set_ = bool(parsed.message.msgid)
        yield _Told("msgid", "shall", "MSGID", not set_, 'a value other than "-"', "-", "MSGID is not set.")
    if parsed.message is not None or parsed.legacy:
        yield _Told("msg-present", "shall", "MSG", not parsed.body.strip(), "an audit message", "", "MSG is empty.")


def _ihe(parsed: Parsed) -> tuple[tuple[Finding, ...], frozenset[str]]:
    findings: list[Finding] = []
    message = parsed.message
    if message is None:
        return (), frozenset()
    msgid, bom = "IHE-3.20.4.1.2-source-msgid", "IHE-3.20.4.1.2-source-no-bom"
    if message.msgid != IHE_MSGID:
        text, remedy = "MSGID is not the one of IHE.", f"Write {IHE_MSGID} as MSGID."
        findings.append(
            finding(msgid, "shall", "MSGID", expected=IHE_MSGID, found=message.msgid or "-", text=text, remedy=remedy)
        )
    if message.bom:
        text, remedy = "The message begins with a BOM, which IHE discourages.", "Leave the BOM out."
        findings.append(finding(bom, "should", "MSG", expected="no BOM", found="EF BB BF", text=text, remedy=remedy))
    return tuple(findings), frozenset({msgid, bom})


_REMEDIES = {
    "facility": "Use the facility 10 (security/authorization messages): <85> with severity 5.",
    "severity": "Use the severity 5 (normal but significant), or 4 (warning condition) where it is appropriate.",
    "msgid": 'Set MSGID; "DICOM+RFC3881" may be used.',
    "msg-present": "Send an audit message in XML as MSG.",
}
