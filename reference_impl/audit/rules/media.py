"""Export and import: users here and elsewhere, and the participant that stands for the media (A.5.3.4, A.5.3.5)."""

from __future__ import annotations

from collections.abc import Callable

from reference_impl.audit.codes import NOT_PHYSICAL, groups
from reference_impl.audit.limits import Limits
from reference_impl.audit.rules.collecting import Findings
from reference_impl.audit.rules.facts import Facts, Participant

_PERSON_AND_PROCESS = 2
_SEVERAL = 2
_TRIED = 16
_SOURCE, _DESTINATION = '(110153, DCM, "Source Role ID")', '(110152, DCM, "Destination Role ID")'

Reading = Callable[[Facts, Participant | None, Findings], None]
"""What a table says about the participants, one of them taken for the media."""


def check_export(facts: Facts, findings: Findings) -> None:
    """Participants of A.5.3.4."""
    _export(facts, _likeliest(facts, _candidates(facts, "A.5.3.4", findings), _export), findings)


def check_import(facts: Facts, findings: Findings) -> None:
    """Participants of A.5.3.5."""
    _import(facts, _likeliest(facts, _candidates(facts, "A.5.3.5", findings), _import), findings)


def _export(facts: Facts, medium: Participant | None, findings: Findings) -> None:
    users = [each for each in facts.participants if each is not medium]
    exporters = [each for each in users if each.plays("110153")]
    findings.told("A.5.3.4-exporter")
    if not exporters:
        _nobody(facts, findings, "A.5.3.4-exporter", _SOURCE, "exports")
    elif len(exporters) > _PERSON_AND_PROCESS:
        findings.add(
            "A.5.3.4-exporter",
            "open",
            exporters[_PERSON_AND_PROCESS].element,
            expected="a person, a process, or both",
            found=f"{len(exporters)} participants with the role Source",
            text="more participants have the role of the exporting user than the table counts",
        )
    _requestor_has_a_role(users, exporters, ("A.5.3.4-remote", "110152", _DESTINATION), findings)
    _one_requestor(facts, "A.5.3.4.1-one-requestor", findings)
    if medium is not None:
        _export_media(medium, findings)


def _import(facts: Facts, medium: Participant | None, findings: Findings) -> None:
    users = [each for each in facts.participants if each is not medium]
    importers = [each for each in users if each.plays("110152")]
    findings.told("A.5.3.5-importer")
    if not importers:
        _nobody(facts, findings, "A.5.3.5-importer", _DESTINATION, "imports")
    _requestor_has_a_role(users, importers, ("A.5.3.5-source", "110153", _SOURCE), findings)
    _one_requestor(facts, "A.5.3.5-one-requestor", findings)
    for each in users:
        if each.plays("110153"):
            _point_with_its_type(each, "A.5.3.5-source-network-access-point-id", findings)
    if medium is not None:
        _common(medium, "A.5.3.5", findings)
        _identifier(medium, findings)


def _candidates(facts: Facts, section: str, findings: Findings) -> list[Participant]:
    """Participants for the media: by role, by MediaIdentifier, or what takes the place of media (A.5.2.7).

    Media that the data come from may take part in an export, and the other way round, beside those that are meant.
    """
    rule = f"{section}-media"
    findings.told(rule)
    export = section == "A.5.3.4"
    by_role = [each for each in facts.participants if each.plays("110154" if export else "110155")]
    if len(by_role) > 1:
        findings.add(
            rule,
            "shall",
            by_role[1].element,
            expected="one participant for the media",
            found=f"{len(by_role)} participants with the role of media",
            text="the table has one participant for the media",
            remedy="Send a message for each medium.",
        )
    found = by_role or _media_without_role(facts, export)
    if not found:
        role = '(110154, DCM, "Destination Media")' if export else '(110155, DCM, "Source Media")'
        findings.add(
            rule,
            "shall",
            facts.root,
            expected=f"a participant for the media, with RoleIDCode {role} or what A.5.2.7 says otherwise"
            + ("" if export else ", and MediaIdentifier"),
            text="no participant stands for the media",
            remedy=f"Give a participant with RoleIDCode {role}" + ("." if export else " and MediaIdentifier."),
        )
    return found


def _likeliest(facts: Facts, candidates: list[Participant], check: Reading) -> Participant | None:
    """Of several, the one with which the fewest shalls are broken; the first of those."""
    if len(candidates) < _SEVERAL:
        return candidates[0] if candidates else None

    def broken(medium: Participant) -> int:
        tried = Findings(Limits())
        check(facts, medium, tried)
        return tried.broken

    return min(candidates[:_TRIED], key=broken)


def _media_without_role(facts: Facts, export: bool) -> list[Participant]:
    """Candidates where no participant has the role code, the likely ones first; users are the last.

    Whoever has media and no role of a user can be nothing else.
    """
    own = "110153" if export else "110152"
    identified = [each for each in facts.participants if each.media is not None]
    if alone := [each for each in identified if not each.plays("110152", "110153")]:
        return alone
    found = [each for each in identified if not each.plays(own)]
    found += _in_place_of_media(facts) if export else []
    found += [each for each in facts.participants if each.plays("110154", "110155")]
    return list(dict.fromkeys(found + identified))


def _in_place_of_media(facts: Facts) -> list[Participant]:
    """Endpoints and applications to which data are exported; the exporting user is none of them."""
    return [
        each
        for each in facts.participants
        if each.requestor is False and each.point is not None and each.roles and not each.plays("110153")
    ]


def _nobody(facts: Facts, findings: Findings, rule: str, role: str, does: str) -> None:
    findings.add(
        rule,
        "shall",
        facts.root,
        expected=f"a participant with RoleIDCode {role}",
        text=f"no participant has the role of who {does}",
        remedy=f"Give RoleIDCode {role} to who {does}.",
    )


def _requestor_has_a_role(
    users: list[Participant], here: list[Participant], there: tuple[str, str, str], findings: Findings
) -> None:
    """Who asked is a user here or elsewhere, and both have their role codes."""
    rule, code, role = there
    without = [each for each in users if each.requestor and not each.plays("110152", "110153")]
    initiates = bool(without) and without[0].plays("110156")
    if any(each.plays(code) for each in users) or (without and here):
        findings.told(rule)
    if without and here:
        findings.add(
            rule,
            "open" if initiates else "shall",
            without[0].element,
            expected=f"RoleIDCode {_SOURCE} or {_DESTINATION}",
            found=", ".join(map(str, without[0].roles)) or "no RoleIDCode",
            text="the requestor has none of the roles that the table gives to users"
            + ("; A.5.2.7 lets a person be an initiator alone" if initiates else ""),
            remedy=f"Give RoleIDCode {role} to the user elsewhere.",
        )


def _one_requestor(facts: Facts, rule: str, findings: Findings) -> None:
    findings.told(rule)
    requestors = [each for each in facts.participants if each.requestor]
    if len(requestors) != 1:
        findings.add(
            rule,
            "shall",
            requestors[1].element if requestors else facts.root,
            "UserIsRequestor" if requestors else "",
            expected="true for exactly one participant",
            found=f"true for {len(requestors)}",
            text="a single user is the requestor",
            remedy="Say UserIsRequestor true for the one who asked for it, and false for all others.",
        )


def _common(medium: Participant, section: str, findings: Findings) -> None:
    findings.told(f"{section}-media-user-is-requestor", f"{section}-media-role-id-code")
    if medium.requestor:
        findings.add(
            f"{section}-media-user-is-requestor",
            "shall",
            medium.element,
            "UserIsRequestor",
            expected="false",
            found="true",
            text="the media are said to be the requestor",
            remedy="Say UserIsRequestor false for the media.",
        )
    if not any(role.dcm and role.code in groups()[402].codes for role in medium.roles):
        findings.add(
            f"{section}-media-role-id-code",
            "open" if medium.roles else "shall",
            medium.element,
            expected="RoleIDCode of CID 402",
            found=", ".join(map(str, medium.roles)) or "no RoleIDCode",
            text="the role of the media is not on the list, which may be extended"
            if medium.roles
            else "the media have no role code",
            remedy="Give RoleIDCode (110154, DCM) or (110155, DCM), or what A.5.2.7 says otherwise.",
        )
    _point_with_its_type(medium, f"{section}-media-network-access-point-id", findings)


def _point_with_its_type(participant: Participant, rule: str, findings: Findings) -> None:
    if participant.point_type is None:
        return
    findings.told(rule)
    if participant.point is None:
        findings.add(
            rule,
            "shall",
            participant.element,
            expected="NetworkAccessPointID beside NetworkAccessPointTypeCode",
            text="NetworkAccessPointID is missing",
            remedy="Give NetworkAccessPointID beside NetworkAccessPointTypeCode.",
        )


def _export_media(medium: Participant, findings: Findings) -> None:
    _common(medium, "A.5.3.4", findings)
    findings.told("A.5.3.4-media-type")
    if medium.media_type is None and medium.point is None:
        findings.add(
            "A.5.3.4-media-type",
            "shall",
            medium.element,
            expected="MediaType, or NetworkAccessPointID",
            text="neither the type of the media nor a network access point is told",
            remedy="Give MediaIdentifier with MediaType, or NetworkAccessPointID.",
        )
    rule = "A.5.3.4-media-network-access-point-type-code"
    type_ = medium.media_type
    digital = type_ is not None and type_.dcm and type_.code in NOT_PHYSICAL
    endpoint = type_ is None and medium.point is not None
    if digital or endpoint or medium.point_type is not None:
        findings.told(rule)
    if endpoint and medium.point_type is None:
        findings.add(
            rule,
            "open",
            medium.element,
            expected="NetworkAccessPointTypeCode, or MediaType of physical media",
            text="it is not said whether data go to physical media, nor of which type the network access point is",
            remedy="Give NetworkAccessPointTypeCode beside NetworkAccessPointID.",
        )
    if digital and medium.point_type is None:
        findings.add(
            rule,
            "shall",
            medium.element,
            expected="NetworkAccessPointTypeCode",
            found=str(type_),
            text="data go to other than physical media, and the type of the network access point is not told",
            remedy="Give NetworkAccessPointTypeCode and NetworkAccessPointID.",
        )


def _identifier(medium: Participant, findings: Findings) -> None:
    findings.told("A.5.3.5-media-identifier")
    if medium.media is None or (medium.media_type is None and medium.point is None):
        findings.add(
            "A.5.3.5-media-identifier",
            "shall",
            medium.element if medium.media is None else medium.media,
            expected="MediaIdentifier with MediaType",
            text="the media have no MediaIdentifier" if medium.media is None else "MediaIdentifier holds no MediaType",
            remedy="Give MediaIdentifier with MediaType.",
        )
