"""Who takes part, by the tables of A.5.3.

Participants are told apart by their role codes, and where that does not do, so that the fewest findings result. Further
participants are always allowed: a message that can be read as conforming is.
"""

from __future__ import annotations

from collections.abc import Callable

from reference_impl.audit.codes import groups
from reference_impl.audit.rules.collecting import Findings
from reference_impl.audit.rules.facts import Facts, Participant
from reference_impl.audit.rules.media import check_export, check_import
from reference_impl.audit.tables import MessageTable

_COUNTED = ("A.5.3.2", "A.5.3.6", "A.5.3.8", "A.5.3.9", "A.5.3.11", "A.5.3.12", "A.5.3.13", "A.5.3.14", "A.5.3.15")
_ONE_OR_TWO = frozenset(_COUNTED) - {"A.5.3.9", "A.5.3.11", "A.5.3.12"}
_REPORTERS = 2


def check_participants(facts: Facts, table: MessageTable, findings: Findings) -> None:
    """Everything that a table says about participants."""
    if table.section in _COUNTED:
        _counted(facts, table, findings)
    special = _SPECIAL.get(table.section)
    if special is not None:
        special(facts, findings)


def _counted(facts: Facts, table: MessageTable, findings: Findings) -> None:
    rule = "A.5.3-participants"
    findings.told(rule)
    plain = [each for each in facts.participants if not each.roles]
    if not facts.participants:
        findings.add(
            rule,
            "shall",
            facts.root,
            expected="an ActiveParticipant",
            text="nobody is said to take part",
            remedy="Give an ActiveParticipant for whoever did it.",
        )
    elif table.section in _ONE_OR_TWO and len(plain) > _REPORTERS:
        findings.add(
            rule,
            "open",
            plain[_REPORTERS].element,
            expected="a person, a process, or both",
            found=f"{len(plain)} participants without RoleIDCode",
            text="more participants than the table counts, and no role tells which are meant",
        )


def _missing(findings: Findings, rule: str, facts: Facts, role: str, meaning: str) -> None:
    findings.add(
        rule,
        "shall",
        facts.root,
        expected=f'a participant with RoleIDCode ({role}, DCM, "{meaning}")',
        text=f'no participant has the role "{meaning}"',
        remedy=f"Give RoleIDCode ({role}, DCM) to the participant that has this role.",
    )


def _application_activity(facts: Facts, findings: Findings) -> None:
    rule = "A.5.3.1-application"
    findings.told(rule)
    applications = [each for each in facts.participants if each.plays("110150")]
    alone = [each for each in applications if not each.plays("110151")]
    if not applications:
        _missing(findings, rule, facts, "110150", "Application")
    elif len(alone) > 1:
        findings.add(
            rule,
            "open",
            alone[1].element,
            expected="one application that starts or stops",
            found=f"{len(alone)} participants with the role Application",
            text="the table has one application, and further participants may be applications, too",
        )
    launchers = [each for each in facts.participants if each.plays("110151")]
    asked = [each for each in facts.participants if each.requestor and not each.plays("110150", "110151")]
    if launchers or (asked and applications):
        findings.told("A.5.3.1-launcher")
    if applications and asked:
        _role_of_requestor(findings, "A.5.3.1-launcher", asked[0], '(110151, DCM, "Application Launcher")')


def _role_of_requestor(findings: Findings, rule: str, requestor: Participant, role: str) -> None:
    findings.add(
        rule,
        "shall",
        requestor.element,
        expected=f"RoleIDCode {role}",
        found=", ".join(map(str, requestor.roles)) or "no RoleIDCode",
        text="the requestor has none of the roles that the table gives",
        remedy=f"Give the requestor RoleIDCode {role}.",
    )


def _both_ends(section: str) -> Callable[[Facts, Findings], None]:
    """Source and destination; others may have the same roles, as the tables leave theirs open."""

    def check(facts: Facts, findings: Findings) -> None:
        for part, role, meaning in (
            ("source", "110153", "Source Role ID"),
            ("destination", "110152", "Destination Role ID"),
        ):
            findings.told(f"{section}-{part}")
            if not any(each.plays(role) for each in facts.participants):
                _missing(findings, f"{section}-{part}", facts, role, meaning)

    return check


def _transferred(facts: Facts, findings: Findings) -> None:
    """Roles are of CID 402 here, and may be extended; but a source is no destination (A.5.2.7)."""
    ends = {"source": ("110153", "110155"), "destination": ("110152", "110154")}
    found = {part: [each for each in facts.participants if each.plays(*codes)] for part, codes in ends.items()}
    taken: list[Participant] = [each[0] for each in found.values() if each]
    for part, codes in ends.items():
        rule = f"A.5.3.7-{part}"
        findings.told(rule)
        if found[part]:
            continue
        others = {code for name, of in ends.items() if name != part for code in of}
        free = [
            each
            for each in facts.participants
            if each not in taken and any(not (role.dcm and role.code in others) for role in each.roles)
        ]
        listed = [each for each in free if any(role.dcm and role.code in groups()[402].codes for role in each.roles)]
        if listed or free:
            taken.append((listed or free)[0])
        if listed:
            continue
        if free:
            findings.add(
                rule,
                "open",
                free[0].element,
                expected=f"RoleIDCode ({codes[0]}, DCM), or another of CID 402",
                found=", ".join(map(str, free[0].roles)),
                text=f"the {part} may be a participant with a role of its own",
            )
        else:
            meaning = "Source Role ID" if part == "source" else "Destination Role ID"
            _missing(findings, rule, facts, codes[0], meaning)
    for each in facts.participants:
        if each.media is not None:
            findings.told("A.5.3.7-media-type")
            if each.media_type is None:
                findings.add(
                    "A.5.3.7-media-type",
                    "shall",
                    each.media,
                    expected="MediaType",
                    text="MediaIdentifier holds no MediaType",
                    remedy="Give MediaType within MediaIdentifier.",
                )


def _network_entry(facts: Facts, findings: Findings) -> None:
    rule = "A.5.3.9-node-user-is-requestor"
    if not facts.participants:
        return
    findings.told(rule)
    if all(each.requestor for each in facts.participants):
        findings.add(
            rule,
            "shall",
            facts.participants[0].element,
            "UserIsRequestor",
            expected="false",
            found="true",
            text="the node that enters or leaves the network is said to be the requestor",
            remedy="Say UserIsRequestor false for the node.",
        )


def _security_alert(facts: Facts, findings: Findings) -> None:
    rule = "A.5.3.11-performer-user-is-requestor"
    findings.told(rule)
    requestors = [each for each in facts.participants if each.requestor]
    if len(requestors) > _REPORTERS:
        findings.add(
            rule,
            "shall",
            requestors[_REPORTERS].element,
            "UserIsRequestor",
            expected="false for whoever does not report",
            found=f"true for {len(requestors)} participants",
            text="more participants than may report are said to be the requestor",
            remedy="Say UserIsRequestor false for whoever caused the alert.",
        )


def _user_authentication(facts: Facts, findings: Findings) -> None:
    rule = "A.5.3.12-user-network-access-point"
    if not facts.participants:
        return
    findings.told(rule)
    named = {each for each in facts.participants if each.point is not None and each.point_type is not None}
    requestors = [each for each in facts.participants if each.requestor]
    expected = "NetworkAccessPointID and NetworkAccessPointTypeCode of the person"
    if not named:
        findings.add(
            rule,
            "shall",
            (requestors or facts.participants)[0].element,
            expected=expected,
            text="the network access point of the person is not told in full",
            remedy="Give NetworkAccessPointTypeCode and NetworkAccessPointID for the person.",
        )
        return
    unnamed = [each for each in requestors if each not in named]
    if unnamed:
        findings.add(
            rule,
            "open",
            unnamed[0].element,
            expected=expected,
            text="the requestor has no network access point; it is not said whether the person is another participant",
        )


_SPECIAL: dict[str, Callable[[Facts, Findings], None]] = {
    "A.5.3.1": _application_activity,
    "A.5.3.3": _both_ends("A.5.3.3"),
    "A.5.3.4": check_export,
    "A.5.3.5": check_import,
    "A.5.3.7": _transferred,
    "A.5.3.9": _network_entry,
    "A.5.3.10": _both_ends("A.5.3.10"),
    "A.5.3.11": _security_alert,
    "A.5.3.12": _user_authentication,
}
