"""Parts of audit messages for whoever builds them: participants, media, patients, studies, queries, subjects of alerts.

Everything here refuses (ValueError) what PS3.15 A.5.1 and A.5.2 forbid in any message: empty texts, characters that
XML cannot carry, access points that are not what they say, UIDs that are none.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from reference_impl.audit.checking import another_id, checked, coded, is_of_dcm, located, optional, uid
from reference_impl.audit.codes import NOT_PHYSICAL, dcm, groups, id_type, source_type
from reference_impl.audit.identifiers import is_ae_title, may_name_a_transfer_syntax, names_a_node
from reference_impl.audit.model import (
    ActiveParticipant,
    AuditSource,
    Code,
    Detail,
    ObjectDescription,
    ParticipantObject,
    SopClass,
)

_PERSON, _SYSTEM_OBJECT = "1", "2"
_MEDIA_CODES = groups()[405].codes
Direction = Literal["source", "destination"]


@dataclass(frozen=True, slots=True)
class AccessPoint:
    """NetworkAccessPointID with its type, made by the functions below: neither stands without the other (A.5.2.4)."""

    id: str
    type: Literal["1", "2", "3", "4", "5"]

    def __post_init__(self) -> None:
        checked(self.id, "NetworkAccessPointID")
        if self.type not in {"1", "2", "3", "4", "5"}:
            raise ValueError(f"{self.type!r} is no NetworkAccessPointTypeCode of A.5.1.2.5")
        if self.type == "2":
            ipaddress.ip_address(self.id)


def machine(name: str) -> AccessPoint:
    """A machine name or DNS name."""
    return AccessPoint(name, "1")


def address(ip: str) -> AccessPoint:
    """An IP address. Raises ValueError for what is none."""
    return AccessPoint(ip, "2")


def telephone(number: str) -> AccessPoint:
    """A telephone number."""
    return AccessPoint(number, "3")


def email(mailbox: str) -> AccessPoint:
    """An e-mail address."""
    return AccessPoint(mailbox, "4")


def uri(text: str) -> AccessPoint:
    """A URI."""
    return AccessPoint(text, "5")


@dataclass(frozen=True, slots=True)
class Party:
    """A person, process or node that takes part; the builder adds the role that the message's table demands.

    `user_id` is loginName@domain for a person, else what the system's own logs call it (A.5.2.1). Of `ae_titles` and
    `alternative_id` one may be given: they share an attribute (A.5.2.2). `roles` are said besides the demanded one.
    `media_type` is for a transfer to or from media (A.5.3.7).
    """

    user_id: str
    requestor: bool = False
    name: str = ""
    alternative_id: str = ""
    ae_titles: Sequence[str] = ()
    access_point: AccessPoint | None = None
    roles: Sequence[Code] = ()
    media_type: Code | None = None

    def __post_init__(self) -> None:
        checked(self.user_id, "UserID")
        optional(self.name, "UserName")
        another_id(self.alternative_id, "AlternativeUserID")
        if self.alternative_id and self.ae_titles:
            raise ValueError("AlternativeUserID holds AE titles or another identifier, not both")
        for title in self.ae_titles:
            if not is_ae_title(title) or ";" in title:
                raise ValueError(f"{title!r} cannot be an AE title in a list of them")
        for role in self.roles:
            coded(role, "RoleIDCode")
        if self.media_type is not None:
            coded(self.media_type, "MediaType")

    def participant(self, *demanded: str) -> ActiveParticipant:
        """The element, with the roles (codes of DCM) that a table demands before its own."""
        own = tuple(role for role in self.roles if role.code not in demanded)
        titles = f"AETITLES= {';'.join(self.ae_titles)}" if self.ae_titles else ""
        return ActiveParticipant(
            user_id=self.user_id,
            is_requestor=self.requestor,
            alternative_user_id=titles or self.alternative_id,
            user_name=self.name,
            roles=(*(dcm(code) for code in demanded), *own),
            media_type=self.media_type,
            access_point=self.access_point.id if self.access_point else "",
            access_point_type=self.access_point.type if self.access_point else "",
        )


@dataclass(frozen=True, slots=True)
class Medium:
    """What data is exported to or imported from (A.5.2.7). Made by the functions below."""

    kind: Literal["physical", "digital", "network", "application"]
    user_id: str
    media_type: Code | None = None
    access_point: AccessPoint | None = None
    alternative_id: str = ""
    name: str = ""

    def __post_init__(self) -> None:
        checked(self.user_id, "UserID of the media")
        another_id(self.alternative_id, "AlternativeUserID of the media")
        optional(self.name, "UserName of the media")
        if self.media_type is not None:
            coded(self.media_type, "MediaType")
        if self.kind in {"physical", "digital"} and self.media_type is None:
            raise ValueError(f"{self.kind} media need a media type (A.5.2.7)")
        if self.access_point is None and self.media_type is not None and self.media_type.code.strip() in NOT_PHYSICAL:
            raise ValueError(
                f"{self.media_type.text} is no physical medium, and needs a network access point (A.5.3.4)"
            )
        if self.kind != "physical" and self.access_point is None:
            raise ValueError("what is no physical medium needs a network access point (A.5.3.4)")

    def participant(self, direction: Direction) -> ActiveParticipant:
        """The element of the media; it requests nothing (A.5.3.4, A.5.3.5)."""
        return ActiveParticipant(
            user_id=self.user_id,
            is_requestor=False,
            alternative_user_id=self.alternative_id,
            user_name=self.name,
            roles=(dcm(self._role(direction)),),
            media_type=self.media_type,
            access_point=self.access_point.id if self.access_point else "",
            access_point_type=self.access_point.type if self.access_point else "",
        )

    def _role(self, direction: Direction) -> str:
        if self.kind == "application":
            return "110150"
        if self.kind == "network":
            return "110153" if direction == "source" else "110152"
        return "110155" if direction == "source" else "110154"


def media_type(code: str) -> Code:
    """A media type of CID 405 ("110032", CD). Raises ValueError for a code that it does not list."""
    if code not in _MEDIA_CODES:
        raise ValueError(f"{code!r} is no media type of CID 405")
    return dcm(code)


def physical_medium(user_id: str, media: Code, *, label: str = "", name: str = "") -> Medium:
    """A disc, a stick, film, paper; `label`: a volume label, serial number or File-set ID (A.5.2.2)."""
    return Medium("physical", user_id, media, alternative_id=label, name=name)


def digital_medium(user_id: str, media: Code, access_point: AccessPoint, *, name: str = "") -> Medium:
    """An e-mail, an object in a cloud, a file share: `user_id` is its URI, the preferred form (A.5.2.1)."""
    return Medium("digital", user_id, media, access_point, name=name)


def network_medium(user_id: str, access_point: AccessPoint, media: Code | None = None, *, name: str = "") -> Medium:
    """A network end point, a DICOM application for example. An import needs `media` (A.5.3.5)."""
    return Medium("network", user_id, media, access_point, name=name)


def application_medium(user_id: str, access_point: AccessPoint, media: Code | None = None, *, name: str = "") -> Medium:
    """A service that identifies no single transaction, a clipboard manager for example."""
    return Medium("application", user_id, media, access_point, name=name)


def audit_source(id: str, *, site: str = "", types: Iterable[str | Code] = ()) -> AuditSource:  # noqa: A002
    """Who reports: its identifier, its site, its types (numbers of A.5.1.2.1, or codes of any terminology)."""
    kinds = tuple(source_type(each) if isinstance(each, str) else each for each in types)
    return reporting(AuditSource(id, site, kinds))


def reporting(source: AuditSource) -> AuditSource:
    """`source`. Raises ValueError for one without identifier, or with a type that is neither a number nor a code."""
    checked(source.id, "AuditSourceID")
    optional(source.enterprise_site, "AuditEnterpriseSiteID")
    for each in source.types:
        if each == Code(each.code):
            source_type(each.code)
        else:
            coded(each, "AuditSourceTypeCode")
    return source


def patient(id: str, name: str, *, sensitivity: str = "", life_cycle: str = "") -> ParticipantObject:  # noqa: A002
    """A patient: Patient ID and Patient's Name; the schema requires a name even where a table does not."""
    return ParticipantObject(
        id=checked(id, "Patient ID"),
        id_type=id_type("2"),
        name=checked(name, "Patient's Name"),
        type=_PERSON,
        role="1",
        life_cycle=_life_cycle(life_cycle),
        sensitivity=optional(sensitivity, "ParticipantObjectSensitivity"),
    )


def instances(sop_class: str, number: int, uids: Iterable[str] = ()) -> SopClass:
    """Instances of one SOP Class, by number, with their UIDs where wanted. Raises ValueError where these disagree."""
    listed = tuple(uid(each, "SOP Instance UID") for each in uids)
    if number < 0 or len(listed) > number:
        raise ValueError(f"{len(listed)} SOP Instance UIDs of {number} instances")
    return SopClass(uid(sop_class, "SOP Class UID"), number, listed)


def study(
    uid_: str,
    *,
    name: str = "",
    query: bytes | None = None,
    sop_classes: Sequence[SopClass] = (),
    accessions: Sequence[str] = (),
    mpps: Sequence[str] = (),
    encrypted: bool | None = None,
    anonymized: bool | None = None,
    contains_sop_classes: Sequence[str] = (),
    sensitivity: str = "",
    life_cycle: str = "",
) -> ParticipantObject:
    """A study: its UID, and either a name or a query. Raises ValueError where what SOPClass is required for is given
    without it (A.5.2). `contains_sop_classes` makes details of the type "ContainsSOPClass".
    """
    if bool(name) == bool(query):
        raise ValueError("a study has either a name or a query (A.5.2)")
    description = ObjectDescription(
        mpps=tuple(uid(each, "MPPS") for each in mpps),
        accessions=tuple(checked(each, "Accession Number") for each in accessions),
        sop_classes=tuple(sop_classes),
        encrypted=encrypted,
        anonymized=anonymized,
    )
    described = description != ObjectDescription()
    if described and not sop_classes:
        raise ValueError("a study that is described needs its SOP Classes (A.5.2, SOPClass)")
    return ParticipantObject(
        id=uid(uid_, "Study Instance UID"),
        id_type=dcm("110180"),
        name=optional(name, "ParticipantObjectName"),
        query=query or None,
        type=_SYSTEM_OBJECT,
        role="3",
        life_cycle=_life_cycle(life_cycle),
        sensitivity=optional(sensitivity, "ParticipantObjectSensitivity"),
        details=tuple(
            Detail("ContainsSOPClass", uid(each, "SOP Class UID").encode("ascii")) for each in contains_sop_classes
        ),
        descriptions=(description,) if described else (),
    )


def dicom_query(sop_class: str, data_set: bytes, transfer_syntax: str) -> ParticipantObject:
    """A DICOM query: the SOP Class that is queried, the data set of the query and its transfer syntax (A.5.3.10)."""
    if not may_name_a_transfer_syntax(transfer_syntax):
        raise ValueError(f"{transfer_syntax[:80]!r} is no transfer syntax of DICOM")
    return _query(
        uid(sop_class, "SOP Class UID"),
        dcm("110181"),
        data_set,
        (Detail("TransferSyntax", uid(transfer_syntax, "Transfer Syntax UID").encode("ascii")),),
    )


def other_query(id: str, id_type: Code, query: bytes) -> ParticipantObject:  # noqa: A002
    """A query that is no DICOM query, in the format of its protocol."""
    if id_type.code == "110181":
        raise ValueError("a DICOM query says its transfer syntax; make it with dicom_query")
    return _query(checked(id, "ParticipantObjectID"), coded(id_type, "ParticipantObjectIDTypeCode"), query, ())


def _query(id_: str, kind: Code, query: bytes, details: tuple[Detail, ...]) -> ParticipantObject:
    if not query:
        raise ValueError("the query is empty (A.5.2)")
    return ParticipantObject(id=id_, id_type=kind, query=query, type=_SYSTEM_OBJECT, role="3", details=details)


def alert_subject(
    id: str,  # noqa: A002
    *,
    kind: Literal["uri", "node"] | Code,
    name: str,
    description: str,
    role: Literal["", "5", "13"] = "",
) -> ParticipantObject:
    """What a security alert is about: a URI, a node (name@domain or IP address), or what `kind` says (A.5.3.11)."""
    identified = coded(kind, "ParticipantObjectIDTypeCode") if isinstance(kind, Code) else _SUBJECTS[kind]
    if identified.code.strip() == _URI:
        located(id, "ParticipantObjectID")
    elif identified.code.strip() == _NODE and is_of_dcm(identified) and not names_a_node(checked(id, "a node")):
        raise ValueError(f"{id[:80]!r} names no node: write node_name@domain_name or an IP address (A.5.3.11)")
    return ParticipantObject(
        id=checked(id, "ParticipantObjectID"),
        id_type=identified,
        name=checked(name, "ParticipantObjectName"),
        type=_SYSTEM_OBJECT,
        role=role,
        details=(Detail("Alert Description", checked(description, "Alert Description").encode()),),
    )


_URI, _NODE = "12", "110182"
_SUBJECTS = {"uri": id_type(_URI), "node": dcm(_NODE)}


def _life_cycle(value: str) -> str:
    if value and not (value.isdecimal() and value.isascii() and 1 <= int(value) <= 15 and value[0] != "0"):
        raise ValueError(f"{value!r} is no life cycle stage of A.5.1.2.3")
    return value
