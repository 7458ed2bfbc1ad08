"""What the reference audit source reports about each event: messages as full as its tables allow (PS3.15 A.5.3).

Patients, users and studies are made up.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from reference_impl.audit import builders as build
from reference_impl.audit.model import AuditMessage, AuditSource, Code, ParticipantObject
from reference_impl.audit.parts import (
    AccessPoint,
    Medium,
    Party,
    address,
    alert_subject,
    audit_source,
    dicom_query,
    digital_medium,
    instances,
    machine,
    media_type,
    patient,
    physical_medium,
    study,
)

CT_STORAGE, STUDY_ROOT_FIND = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.2.2.1"
IMPLICIT_VR = "1.2.840.10008.1.2"
_ARCHIVE = Code("archive", "99PS315", "Archive of images")  # other values than 1 to 9 are allowed with a scheme
_ROOT = "2.25.329800735698586629295641978511506172918"
_QUERY = b"\x08\x00\x52\x00\x06\x00\x00\x00STUDY \x10\x00\x10\x00\x04\x00\x00\x00OTT*"


@dataclass(frozen=True)
class Scene:
    """The node that reports, and who and what takes part in its events."""

    site: str = "Example Hospital"
    host: str = "archive.hospital.example"
    ip: str = "192.0.2.10"
    process: str = "4711"
    title: str = "ARCHIVE"
    user: str = "alice@hospital.example"
    user_name: str = "Alice Öztürk"
    station: str = "192.0.2.21"
    remote_title: str = "MODALITY"
    remote_process: str = "815"
    remote_address: str = "192.0.2.30"
    long_list: int = 700  # SOP Instance UIDs in the largest message, of more than 32,768 octets

    @property
    def source(self) -> AuditSource:
        """Who reports."""
        return audit_source(f"{self.title}@{self.host}", site=self.site, types=["4", _ARCHIVE])

    def at(self, when: datetime, outcome: build.Outcome = "0", told: str = "") -> build.Occasion:
        """An event of the node, how it went, and what is told of that."""
        return build.Occasion(when=when, source=self.source, outcome=outcome, description=told)

    @property
    def here(self) -> AccessPoint:
        """The network access point of the node: one for all messages (A.5.2.4)."""
        return address(self.ip)

    @property
    def program(self) -> Party:
        """The process of the node."""
        return Party(self.process, name="archived", ae_titles=[self.title], access_point=self.here)

    @property
    def person(self) -> Party:
        """Who uses the node, and asked for it."""
        return Party(
            self.user,
            requestor=True,
            name=self.user_name,
            alternative_id="alice@EXAMPLE.REALM",
            access_point=address(self.station),
        )

    @property
    def remote(self) -> Party:
        """The process of another node, which asked for it."""
        return Party(
            self.remote_process,
            requestor=True,
            name="scanner",
            ae_titles=[self.remote_title],
            access_point=address(self.remote_address),
        )

    @property
    def patient(self) -> ParticipantObject:
        """The patient."""
        return patient("PS315-0815", "Ött^Ögilvie", sensitivity="VIP", life_cycle="6")

    @property
    def study(self) -> ParticipantObject:
        """A study of the patient with all that can be told of it."""
        return self._study(3, 2)

    @property
    def large_study(self) -> ParticipantObject:
        """The same with so many instances that the message is large."""
        return self._study(self.long_list, self.long_list)

    def _study(self, number: int, listed: int) -> ParticipantObject:
        return study(
            f"{_ROOT}.1",
            name="CT of the head",
            sop_classes=[instances(CT_STORAGE, number, [f"{_ROOT}.1.{each}" for each in range(1, listed + 1)])],
            accessions=["A4711"],
            mpps=[f"{_ROOT}.2"],
            encrypted=False,
            anonymized=False,
            contains_sop_classes=[CT_STORAGE],
            life_cycle="6",
        )

    @property
    def disc(self) -> Medium:
        """A disc."""
        return physical_medium("CD labelled OTT 4711", media_type("110032"), label="PS315DISC", name="disc")

    @property
    def mail(self) -> Medium:
        """An e-mail."""
        server = machine("mail.hospital.example")
        return digital_medium("mailto:bob@practice.example", media_type("110031"), server, name="e-mail")


Report = Callable[[Scene, datetime], AuditMessage]


def _activity(activity: Literal["start", "stop"]) -> Report:
    def report(scene: Scene, when: datetime) -> AuditMessage:
        return build.application_activity(
            scene.at(when),
            activity=activity,
            application=scene.program,
            launchers=[scene.person],
        )

    return report


def _log_used(scene: Scene, when: datetime) -> AuditMessage:
    log = f"https://{scene.host}/audit"
    return build.audit_log_used(scene.at(when), person=scene.person, process=scene.program, log=log)


def _begin_transferring(scene: Scene, when: datetime) -> AuditMessage:
    return build.begin_transferring(
        scene.at(when),
        sender=scene.remote,
        receiver=scene.program,
        patient=scene.patient,
        studies=[scene.study],
    )


def _transferred(scene: Scene, when: datetime) -> AuditMessage:
    return build.instances_transferred(
        scene.at(when),
        action="C",
        sender=scene.remote,
        receiver=scene.program,
        patient=scene.patient,
        studies=[scene.study],
    )


def _many_transferred(scene: Scene, when: datetime) -> AuditMessage:
    return build.instances_transferred(
        scene.at(when),
        action="R",
        sender=replace(scene.remote, media_type=media_type("110032")),
        receiver=scene.program,
        patient=scene.patient,
        studies=[scene.large_study],
    )


def _export(medium: Callable[[Scene], Medium]) -> Report:
    def report(scene: Scene, when: datetime) -> AuditMessage:
        return build.data_export(
            scene.at(when),
            person=scene.person,
            process=scene.program,
            media=medium(scene),
            patients=[scene.patient],
            studies=[scene.study],
            receivers=[Party("bob@practice.example", name="Bob Ost", access_point=address("192.0.2.40"))],
        )

    return report


def _import(medium: Callable[[Scene], Medium]) -> Report:
    def report(scene: Scene, when: datetime) -> AuditMessage:
        return build.data_import(
            scene.at(when),
            importers=[scene.person, scene.program],
            media=medium(scene),
            sources=[Party("bob@practice.example", name="Bob Ost", access_point=address("192.0.2.40"))],
            patients=[scene.patient],
            studies=[scene.study],
        )

    return report


def _accessed(scene: Scene, when: datetime) -> AuditMessage:
    return build.instances_accessed(
        scene.at(when),
        action="R",
        person=scene.person,
        process=scene.program,
        patient=scene.patient,
        studies=[scene.study],
    )


def _deleted(scene: Scene, when: datetime) -> AuditMessage:
    return build.study_deleted(
        scene.at(when),
        person=scene.person,
        process=scene.program,
        patient=scene.patient,
        studies=[scene.study],
    )


def _network(entry: Literal["attach", "detach"]) -> Report:
    def report(scene: Scene, when: datetime) -> AuditMessage:
        return build.network_entry(scene.at(when), entry=entry, node=scene.program)

    return report


def _query(scene: Scene, when: datetime) -> AuditMessage:
    queried = dicom_query(STUDY_ROOT_FIND, _QUERY, IMPLICIT_VR)
    return build.query(
        scene.at(when),
        issuer=Party(
            scene.remote_process,
            name="scanner",
            ae_titles=[scene.remote_title],
            access_point=address(scene.remote_address),
        ),
        responder=scene.program,
        others=[scene.person],
        queried=queried,
    )


def _alert(code: str, outcome: build.Outcome, told: str) -> Report:
    def report(scene: Scene, when: datetime) -> AuditMessage:
        person = Party(scene.user, name=scene.user_name, access_point=address(scene.station))
        return build.security_alert(
            scene.at(when, outcome, told),
            alert=code,
            person=person,
            process=scene.program,
            performers=[replace(scene.remote, requestor=False)],
            subjects=[
                alert_subject(scene.remote_address, kind="node", name="scanner", description=told, role="13"),
                alert_subject("file:///etc/archive/peers", kind="uri", name="peers", description=told, role="5"),
            ],
        )

    return report


def _session(attempt: Literal["login", "logout"], outcome: build.Outcome, told: str = "") -> Report:
    def report(scene: Scene, when: datetime) -> AuditMessage:
        return build.user_authentication(
            scene.at(when, outcome, told),
            attempt=attempt,
            person=scene.person,
            node=scene.program,
        )

    return report


def _record(make: Callable[..., AuditMessage]) -> Report:
    def report(scene: Scene, when: datetime) -> AuditMessage:
        return make(
            scene.at(when),
            action="U",
            person=scene.person,
            process=scene.program,
            patient=scene.patient,
        )

    return report


def _procedure(scene: Scene, when: datetime) -> AuditMessage:
    return build.procedure_record(
        scene.at(when),
        action="C",
        person=scene.person,
        process=scene.program,
        patient=scene.patient,
        studies=[scene.study],
    )


_ALERTS: Mapping[str, tuple[str, build.Outcome, str]] = {
    "security-alert": ("110136", "0", "The roles of a user were changed."),
    "node-authentication-failure": ("110126", "4", "The certificate of a node is not trusted."),
    "emergency-override-start": ("110127", "0", "Emergency access begins."),
    "emergency-override-stop": ("110138", "0", "Emergency access ends."),
    "network-configuration": ("110128", "0", "An address was changed."),
    "security-configuration": ("110129", "0", "An authority is trusted no more."),
    "software-configuration": ("110131", "0", "A new version was installed."),
    "restricted-function": ("110132", "0", "The service menu was opened."),
    "audit-recording-start": ("110134", "0", "Audit recording begins."),
    "audit-recording-stop": ("110133", "8", "Audit recording ends."),
    "user-security-attributes-changed": ("110137", "0", "A user was given a right."),
}
REPORTS: Mapping[str, tuple[Report, ...]] = {
    "application-start": (_activity("start"),),
    "application-stop": (_activity("stop"),),
    "audit-log-used": (_log_used,),
    "begin-transferring": (_begin_transferring,),
    "export": (_export(lambda scene: scene.disc), _export(lambda scene: scene.mail)),
    "import": (_import(lambda scene: scene.disc), _import(lambda scene: scene.mail)),
    "instances-accessed": (_accessed,),
    "instances-transferred": (_transferred, _many_transferred),
    "study-deleted": (_deleted,),
    "network-attach": (_network("attach"),),
    "network-detach": (_network("detach"),),
    "query": (_query,),
    **{name: (_alert(*row),) for name, row in _ALERTS.items()},
    "login": (_session("login", "0"),),
    "login-failed": (_session("login", "4", "The password is wrong."),),
    "logout": (_session("logout", "0"),),
    "order-record": (_record(build.order_record),),
    "patient-record": (_record(build.patient_record),),
    "procedure-record": (_procedure,),
}
"""By event, the messages that report it."""
