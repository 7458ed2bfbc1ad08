"""Builders of the fifteen messages of PS3.15 A.5.3: what a table demands is a parameter, what it forbids ValueError.

Each takes the `Occasion`, and `types` (EventTypeCode) where the table leaves them open. At most one participant is the
requestor (A.5.2); export and import need exactly one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from reference_impl.audit.checking import coded, is_of_dcm, located
from reference_impl.audit.codes import dcm, groups, id_type
from reference_impl.audit.model import (
    ActiveParticipant,
    AuditMessage,
    Code,
    EventIdentification,
    ParticipantObject,
)
from reference_impl.audit.occasions import Occasion, Outcome, moment
from reference_impl.audit.parts import Medium, Party

__all__ = [
    "Action",
    "Occasion",
    "Outcome",
    "application_activity",
    "audit_log_used",
    "begin_transferring",
    "data_export",
    "data_import",
    "instances_accessed",
    "instances_transferred",
    "moment",
    "network_entry",
    "order_record",
    "patient_record",
    "procedure_record",
    "query",
    "security_alert",
    "study_deleted",
    "user_authentication",
]

Action = Literal["C", "R", "U", "D"]
_SOURCE, _DESTINATION = "110153", "110152"
_STARTS = {"start": "110120", "stop": "110121"}
_ENTRIES = {"attach": "110124", "detach": "110125"}
_SESSIONS = {"login": "110122", "logout": "110123"}


def application_activity(
    occasion: Occasion, *, activity: Literal["start", "stop"], application: Party, launchers: Sequence[Party] = ()
) -> AuditMessage:
    """A.5.3.1. An `application` that does DICOM has `ae_titles`. Raises ValueError."""
    return _message(
        _event(occasion, "110100", "E", [dcm(_one_of(_STARTS, activity))]),
        [application.participant("110150"), *(each.participant("110151") for each in launchers)],
        occasion,
    )


def audit_log_used(
    occasion: Occasion, *, person: Party | None, process: Party | None, log: str, types: Sequence[Code] = ()
) -> AuditMessage:
    """A.5.3.2: who read the audit trail at the URI `log`. Raises ValueError."""
    item = ParticipantObject(
        id=located(log, "the URI of the audit log"),
        id_type=id_type("12"),
        name="Security Audit Log",
        type="2",
        role="13",
    )
    return _message(_event(occasion, "110101", "R", types), _person_and_process(person, process), occasion, [item])


def begin_transferring(
    occasion: Occasion,
    *,
    sender: Party,
    receiver: Party,
    patient: ParticipantObject,
    studies: Sequence[ParticipantObject],
    others: Sequence[Party] = (),
    types: Sequence[Code] = (),
) -> AuditMessage:
    """A.5.3.3: of one patient. Raises ValueError."""
    return _message(
        _event(occasion, "110102", "E", types),
        _between(sender, receiver, others),
        occasion,
        [*_studies(studies), *_patients([patient])],
    )


def data_export(
    occasion: Occasion,
    *,
    person: Party | None,
    process: Party | None,
    media: Medium,
    patients: Sequence[ParticipantObject],
    studies: Sequence[ParticipantObject] = (),
    receivers: Sequence[Party] = (),
    types: Sequence[Code] = (),
) -> AuditMessage:
    """A.5.3.4. Exactly one of `person`, `process` and `receivers` is the requestor. Raises ValueError."""
    participants = [
        *(each.participant(_DESTINATION) for each in receivers),
        *_person_and_process(person, process, _SOURCE),
        media.participant("destination"),
    ]
    _one_requestor(participants)
    _one_medium("110154", [*receivers, person, process])
    return _message(
        _event(occasion, "110106", "R", types),
        participants,
        occasion,
        [*_studies(studies, fewest=0), *_patients(patients)],
    )


def data_import(
    occasion: Occasion,
    *,
    importers: Sequence[Party],
    media: Medium,
    patients: Sequence[ParticipantObject],
    studies: Sequence[ParticipantObject] = (),
    sources: Sequence[Party] = (),
    types: Sequence[Code] = (),
) -> AuditMessage:
    """A.5.3.5. Exactly one of `importers` and `sources` is the requestor. Raises ValueError."""
    if not importers:
        raise ValueError("an import is done by at least one user or process (A.5.3.5)")
    if media.media_type is None:
        raise ValueError("the source media of an import need a media type: MediaIdentifier is mandatory (A.5.3.5)")
    participants = [
        *(each.participant(_DESTINATION) for each in importers),
        media.participant("source"),
        *(each.participant(_SOURCE) for each in sources),
    ]
    _one_requestor(participants)
    _one_medium("110155", [*importers, *sources])
    return _message(
        _event(occasion, "110107", "C", types),
        participants,
        occasion,
        [*_studies(studies, fewest=0), *_patients(patients)],
    )


def instances_accessed(
    occasion: Occasion,
    *,
    action: Action,
    person: Party | None,
    process: Party | None,
    patient: ParticipantObject,
    studies: Sequence[ParticipantObject],
    types: Sequence[Code] = (),
) -> AuditMessage:
    """A.5.3.6: of one patient. Raises ValueError."""
    return _message(
        _event(occasion, "110103", _action(action), types),
        _person_and_process(person, process),
        occasion,
        [*_studies(studies), *_patients([patient])],
    )


def instances_transferred(
    occasion: Occasion,
    *,
    action: Literal["C", "R", "U"],
    sender: Party,
    receiver: Party,
    patient: ParticipantObject,
    studies: Sequence[ParticipantObject],
    others: Sequence[Party] = (),
    types: Sequence[Code] = (),
) -> AuditMessage:
    """A.5.3.7: `when` the transfer has completed. `action` is "R" where nobody knows what the receiver had before.

    Raises ValueError.
    """
    return _message(
        _event(occasion, "110104", _action(action, "CRU"), types),
        _between(sender, receiver, others),
        occasion,
        [*_studies(studies), *_patients([patient])],
    )


def study_deleted(
    occasion: Occasion,
    *,
    person: Party | None,
    process: Party | None,
    patient: ParticipantObject,
    studies: Sequence[ParticipantObject],
    types: Sequence[Code] = (),
) -> AuditMessage:
    """A.5.3.8: of one patient. Raises ValueError."""
    return _message(
        _event(occasion, "110105", "D", types),
        _person_and_process(person, process),
        occasion,
        [*_studies(studies), *_patients([patient])],
    )


def network_entry(occasion: Occasion, *, entry: Literal["attach", "detach"], node: Party) -> AuditMessage:
    """A.5.3.9: `node` is no requestor. Raises ValueError."""
    if node.requestor:
        raise ValueError("the node that enters or leaves the network is no requestor (A.5.3.9)")
    event = _event(occasion, "110108", "E", [dcm(_one_of(_ENTRIES, entry))])
    return _message(event, [node.participant()], occasion)


def query(
    occasion: Occasion,
    *,
    issuer: Party,
    responder: Party,
    queried: ParticipantObject,
    others: Sequence[Party] = (),
    types: Sequence[Code] = (),
) -> AuditMessage:
    """A.5.3.10: `queried` is made by `parts.dicom_query` or `parts.other_query`. Raises ValueError."""
    if queried.query is None:
        raise ValueError("the queried object holds the query; make it with parts.dicom_query or parts.other_query")
    return _message(_event(occasion, "110112", "E", types), _between(issuer, responder, others), occasion, [queried])


def security_alert(
    occasion: Occasion,
    *,
    alert: str | Code,
    person: Party | None,
    process: Party | None,
    performers: Sequence[Party] = (),
    subjects: Sequence[ParticipantObject] = (),
) -> AuditMessage:
    """A.5.3.11: `alert` is a code of CID 403 ("110126", Node Authentication) or of an extension. Raises ValueError."""
    if isinstance(alert, str):
        if alert not in groups()[403].codes:
            raise ValueError(f"{alert!r} is no security alert type of CID 403; give an extension as a Code")
        alert = dcm(alert)
    elif alert.code.strip() in groups()[403].codes and not is_of_dcm(alert):
        raise ValueError(f"{alert.code} is a security alert type of DCM, not of {alert.system[:80]!r}")
    if any(each.requestor for each in performers):
        raise ValueError("whoever performed what the alert is about is no requestor (A.5.3.11)")
    if any(not any(detail.type == "Alert Description" for detail in each.details) for each in subjects):
        raise ValueError("the subject of an alert needs an alert description; make it with parts.alert_subject")
    return _message(
        _event(occasion, "110113", "E", [alert]),
        [*_person_and_process(person, process), *(each.participant() for each in performers)],
        occasion,
        subjects,
    )


def user_authentication(
    occasion: Occasion, *, attempt: Literal["login", "logout"], person: Party, node: Party | None = None
) -> AuditMessage:
    """A.5.3.12: `person` has an access point. Raises ValueError."""
    if person.access_point is None:
        raise ValueError("the person who logs in or out needs a network access point (A.5.3.12)")
    return _message(
        _event(occasion, "110114", "E", [dcm(_one_of(_SESSIONS, attempt))]),
        [person.participant(), *([node.participant()] if node is not None else [])],
        occasion,
    )


def order_record(
    occasion: Occasion,
    *,
    action: Action,
    person: Party | None,
    process: Party | None,
    patient: ParticipantObject,
    types: Sequence[Code] = (),
) -> AuditMessage:
    """A.5.3.13: of one patient. Raises ValueError."""
    event = _event(occasion, "110109", _action(action), types)
    return _message(event, _person_and_process(person, process), occasion, _patients([patient]))


def patient_record(
    occasion: Occasion,
    *,
    action: Action,
    person: Party | None,
    process: Party | None,
    patient: ParticipantObject,
    types: Sequence[Code] = (),
) -> AuditMessage:
    """A.5.3.14. Raises ValueError."""
    event = _event(occasion, "110110", _action(action), types)
    return _message(event, _person_and_process(person, process), occasion, _patients([patient]))


def procedure_record(
    occasion: Occasion,
    *,
    action: Action,
    person: Party | None,
    process: Party | None,
    patient: ParticipantObject,
    studies: Sequence[ParticipantObject] = (),
    types: Sequence[Code] = (),
) -> AuditMessage:
    """A.5.3.15: of one patient. Raises ValueError."""
    return _message(
        _event(occasion, "110111", _action(action), types),
        _person_and_process(person, process),
        occasion,
        [*_studies(studies, fewest=0), *_patients([patient])],
    )


def _event(occasion: Occasion, code: str, action: str, types: Sequence[Code]) -> EventIdentification:
    return EventIdentification(
        id=dcm(code),
        date_time=moment(occasion.when),
        outcome=occasion.outcome,
        action=action,
        types=tuple(coded(each, "EventTypeCode") for each in types),
        outcome_description=occasion.description,
    )


def _message(
    event: EventIdentification,
    participants: Sequence[ActiveParticipant],
    occasion: Occasion,
    objects: Sequence[ParticipantObject] = (),
) -> AuditMessage:
    if sum(each.is_requestor for each in participants) > 1:
        raise ValueError("at most one participant is the requestor (A.5.2)")
    return AuditMessage(event, tuple(participants), occasion.source, tuple(objects))


def _one_requestor(participants: Sequence[ActiveParticipant]) -> None:
    if sum(each.is_requestor for each in participants) != 1:
        raise ValueError("exactly one user is the requestor of an export or import (A.5.3.4.1, A.5.3.5)")


def _one_medium(role: str, users: Sequence[Party | None]) -> None:
    roles = [each for one in users if one is not None for each in one.roles]
    if any(each.code.strip() == role and is_of_dcm(each) for each in roles):
        raise ValueError("the role of the media is that of one participant alone (A.5.3.4, A.5.3.5)")


def _person_and_process(person: Party | None, process: Party | None, *roles: str) -> list[ActiveParticipant]:
    found = [each.participant(*roles) for each in (person, process) if each is not None]
    if not found:
        raise ValueError("name the person, the process, or both")
    return found


def _between(sender: Party, receiver: Party, others: Sequence[Party]) -> list[ActiveParticipant]:
    return [sender.participant(_SOURCE), receiver.participant(_DESTINATION), *(each.participant() for each in others)]


def _studies(studies: Sequence[ParticipantObject], *, fewest: int = 1) -> list[ParticipantObject]:
    if len(studies) < fewest:
        raise ValueError("the message names at least one study")
    if not all(each.is_study for each in studies):
        raise ValueError("a study is made with parts.study")
    return list(studies)


def _patients(patients: Sequence[ParticipantObject]) -> list[ParticipantObject]:
    if not patients:
        raise ValueError("the message names at least one patient")
    if not all(each.is_patient for each in patients):
        raise ValueError("a patient is made with parts.patient")
    return list(patients)


def _action(action: str, permitted: str = "CRUD") -> str:
    if len(action) != 1 or action not in permitted:
        raise ValueError(f"the action is one of {', '.join(permitted)}, not {action!r}")
    return action


def _one_of(words: dict[str, str], word: str) -> str:
    if word not in words:
        raise ValueError(f"{word!r} is none of {', '.join(words)}")
    return words[word]
