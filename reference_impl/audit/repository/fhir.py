"""Audit messages as FHIR R4 AuditEvent resources, along the mapping that FHIR gives for DICOM audit messages.

A resource is a dictionary as JSON has it; the library `fhir.resources` checks it where that is wanted.
"""

from __future__ import annotations

import base64
import tomllib
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, Final

from reference_impl.audit.model import ActiveParticipant, AuditMessage, AuditSource, Code, ParticipantObject

_TABLE: Final = Path(__file__).with_suffix(".toml")
_OUTCOMES: Final = ("0", "4", "8", "12")
_NETWORKS: Final = ("1", "2", "3", "4", "5")
_LONGEST: Final = 10_000
Resource = dict[str, Any]


def audit_event(message: AuditMessage, *, number: str, arrived: datetime) -> Resource:
    """The AuditEvent of `message`; `number` is its id, `arrived` stands in where it tells no time with a zone."""
    event = message.event
    resource: Resource = {
        "resourceType": "AuditEvent",
        "id": number,
        "type": _coding(event.id) or {"display": "no EventID"},
        "subtype": _some(_coding(each) for each in event.types),
        "action": event.action if event.action in tuple("CRUDE") else None,
        "recorded": (event.at or arrived).isoformat(timespec="milliseconds"),
        "outcome": event.outcome if event.outcome in _OUTCOMES else None,
        "outcomeDesc": _text(event.outcome_description),
        "agent": [_agent(each) for each in message.participants] or [{"requestor": False}],
        "source": _source(message.source),
        "entity": _some(_entity(each) for each in message.objects),
    }
    resource = _without_nothing(resource)
    profile = _profile(message)
    if profile:
        resource["meta"] = {"profile": [profile]}
    return resource


def checked(resource: Resource) -> Resource:
    """`resource` as the library writes it. Raises ValueError where it is none of FHIR R4, ImportError without it."""
    import json

    from fhir.resources.R4B.auditevent import AuditEvent

    read = AuditEvent.model_validate(resource)
    written: Resource = json.loads(read.model_dump_json(exclude_none=True))
    return written


@cache
def _table() -> Mapping[str, Any]:
    return tomllib.loads(_TABLE.read_text(encoding="utf-8"))


def _agent(participant: ActiveParticipant) -> Resource:
    roles = _some(_concept(each) for each in participant.roles) or []
    network = None
    if address := _text(participant.access_point):
        kind = participant.access_point_type
        network = _without_nothing({"address": address, "type": kind if kind in _NETWORKS else None})
    return _without_nothing(
        {
            "type": roles[0] if roles else None,
            "role": roles[1:] or None,
            "who": _identifier(participant.user_id),
            "altId": _text(participant.alternative_user_id),
            "name": _text(participant.user_name),
            "requestor": participant.is_requestor,
            "media": _coding(participant.media_type) if participant.media_type is not None else None,
            "network": network,
        }
    )


def _source(source: AuditSource) -> Resource:
    types = _some(_numbered(each, "source_type") for each in source.types)
    observer = _identifier(source.id) or {"display": "no AuditSourceID"}
    return _without_nothing({"site": _text(source.enterprise_site), "observer": observer, "type": types})


def _entity(thing: ParticipantObject) -> Resource:
    what = _identifier(thing.id)
    kind = _id_type(thing.id_type)
    if what is not None and kind is not None:
        what["identifier"]["type"] = kind
    name = _text(thing.name)
    details = [
        {"type": _text(each.type) or "unnamed", "valueBase64Binary": base64.b64encode(each.value).decode()}
        for each in thing.details
        if each.value
    ]
    sensitivity = _text(thing.sensitivity)
    return _without_nothing(
        {
            "what": what,
            "type": _number(thing.type, "entity_type"),
            "role": _number(thing.role, "entity_role"),
            "lifecycle": _number(thing.life_cycle, "life_cycle"),
            "securityLabel": [{"display": sensitivity}] if sensitivity else None,
            "name": name,
            "query": base64.b64encode(thing.query).decode() if thing.query and not name else None,
            "detail": [*details, *_described(thing)] or None,
        }
    )


def _described(thing: ParticipantObject) -> list[Resource]:
    """ParticipantObjectDescription, for which an AuditEvent has no elements, as details."""
    told: list[tuple[str, str]] = []
    for each in thing.descriptions:
        told += [("MPPS", uid) for uid in each.mpps]
        told += [("Accession", number) for number in each.accessions]
        told += [("StudyIDs", uid) for uid in each.studies]
        for sop_class in each.sop_classes:
            number = "" if sop_class.number is None else f" ({sop_class.number} instances)"
            told.append(("SOPClass", f"{sop_class.uid}{number}"))
            told += [("Instance", uid) for uid in sop_class.instances]
        for name, value in (("Encrypted", each.encrypted), ("Anonymized", each.anonymized)):
            if value is not None:
                told.append((name, "true" if value else "false"))
    return [{"type": kind, "valueString": text} for kind, value in told if (text := _text(value))]


def _profile(message: AuditMessage) -> str:
    """The pattern of BALP that `message` follows, as far as that can be told: empty where it follows none."""
    balp = _table()["balp"]
    event = message.event
    if event.id.code != "rest" or event.outcome != "0" or event.at is None:
        return ""
    subtypes = {each.code for each in event.types}
    for pattern in balp["pattern"]:
        if subtypes.intersection(pattern["subtypes"]) and event.action == pattern["action"]:
            roles = (pattern["client"], pattern["server"])
            if all(_has_one(message.participants, role) for role in roles) and _has_data(message.objects):
                patients = len(message.patients)
                name = pattern["patient"] if patients == 1 else pattern["profile"] if not patients else ""
                return f"{balp['base']}{name}" if name else ""
    return ""


def _has_one(participants: Sequence[ActiveParticipant], role: str) -> bool:
    """Whether just one participant has the role, with an id and an access point, and without media."""
    found = [each for each in participants if any(code.code == role for code in each.roles)]
    return len(found) == 1 and bool(found[0].user_id and found[0].access_point and found[0].media_type is None)


def _has_data(objects: Sequence[ParticipantObject]) -> bool:
    return sum(each.type == "2" and each.role in {"3", "4", "20", "24"} for each in objects) == 1


def _coding(code: Code) -> Resource | None:
    found = _without_nothing(
        {"system": _system(code.system), "code": _text(code.code), "display": _text(code.display or code.text)}
    )
    return found or None


def _concept(code: Code) -> Resource | None:
    coding = _coding(code)
    return None if coding is None else _without_nothing({"coding": [coding], "text": _text(code.text)})


def _id_type(code: Code) -> Resource | None:
    if code.code.isdecimal() and code.system in {"", "RFC-3881"}:
        coding = {"system": _table()["id_types"]["system"], "code": code.code, "display": _text(code.text)}
        return {"coding": [_without_nothing(coding)]}
    return _concept(code)


def _numbered(code: Code, name: str) -> Resource | None:
    return _number(code.code, name) if not code.system else _coding(code)


def _number(value: str, name: str) -> Resource | None:
    text = _text(value)
    return {"system": _table()["numbers"][name], "code": text} if text else None


def _system(name: str) -> str | None:
    known: str | None = _table()["systems"].get(name)
    if known is None and name.replace(".", "").isdecimal() and "." in name:
        return f"urn:oid:{name}"
    return known


def _identifier(value: str) -> Resource | None:
    text = _text(value)
    return {"identifier": {"value": text}} if text else None


def _text(value: str) -> str | None:
    """`value` as a string or code of FHIR: no control characters, no white space around, not empty."""
    cut = value[:_LONGEST]
    printable = "".join(each if each.isprintable() else " " for each in cut)
    return " ".join(printable.split()) or None


def _some(found: Any) -> list[Resource] | None:
    return [each for each in found if each] or None


def _without_nothing(resource: Resource) -> Resource:
    return {name: value for name, value in resource.items() if value is not None}
