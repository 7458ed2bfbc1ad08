"""The run record (``run.jsonl``): header, events, footer; everything that renderers may know.

One JSON object a line, each with its ``event``. The record is append-only: an interrupted run is resumed by
appending, and a new judgement of an old run appends a ``judging`` with its verdicts, which then are the ones that
count.
Nothing in it is secret: redaction happens where things are recorded.
"""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import Field

from harness.observations.base import Exchange, Frozen, Observation
from harness.record.endpoints import AuditRecord, EndpointRecord, ListenRecord, ObjectsRecord

__all__ = [
    "AdviceEvent",
    "AdviceRecord",
    "AnswerEvent",
    "AuditRecord",
    "ClaimEvent",
    "ClaimRecord",
    "ClaimVerdict",
    "EndpointRecord",
    "Event",
    "ExchangeEvent",
    "Footer",
    "Header",
    "JudgingEvent",
    "Limits",
    "ListenRecord",
    "NotExamined",
    "NotExaminedEvent",
    "NoteEvent",
    "ObjectsRecord",
    "ObservationEvent",
    "ResumedEvent",
    "RunRecord",
    "SCHEMA_VERSION",
    "SeparationEvent",
    "SeparationRecord",
    "SourceRecord",
    "StoredObjectEvent",
    "SutRecord",
    "ToolRecord",
    "VerdictEvent",
    "VerdictKind",
    "VerdictRecord",
    "WaiverRecord",
]

SCHEMA_VERSION = 1


class VerdictKind(StrEnum):
    """The six verdicts of the design, from worst to best for roll-ups."""

    ERROR = "error"
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"
    WARNING = "warning"
    PASS = "pass"  # noqa: S105 - a verdict
    NOT_APPLICABLE = "not_applicable"


class ToolRecord(Frozen):
    """What judged: versions that a reader needs to repeat the run."""

    name: str = "ps315"
    version: str
    python: str
    platform: str
    libraries: dict[str, str] = Field(default_factory=dict)


class ClaimRecord(Frozen):
    """A PS3.15 profile, its edition and the role in which the SUT says that it conforms."""

    profile: str
    edition: str
    role: str
    endpoint: str
    alternates: tuple[str, ...] = ()


class WaiverRecord(Frozen):
    """A finding the site accepts for a reason and until a day; expired ones are void (judged at `observed_at`)."""

    requirement: str
    reason: str
    until: date
    endpoint: str = ""  # empty: every endpoint
    expired: bool = False


class SutRecord(Frozen):
    """The SUT as the report shows it: identity, claims, endpoints, declarations; no credentials."""

    id: str
    vendor: str = ""
    product: str = ""
    version: str = ""
    serial: str = ""
    site: str = ""
    tester: str = ""
    claims: tuple[ClaimRecord, ...]
    endpoints: tuple[EndpointRecord, ...]
    declarations: dict[str, str] = Field(default_factory=dict)
    waivers: tuple[WaiverRecord, ...] = ()
    credentials_given: tuple[str, ...] = ()  # names only: "client certificate"


class Limits(Frozen):
    """Conduct and size limits that held during the run."""

    connections_at_once: int
    connections_per_second: float
    connect_seconds: float
    exchange_seconds: float
    received_octets: int
    evidence_octets: int


class Header(Frozen):
    """First line of a record."""

    event: Literal["header"] = "header"
    schema_version: int = SCHEMA_VERSION
    tool: ToolRecord
    started: datetime
    command: str  # "run", "probe", "demo"
    sut: SutRecord
    plan: tuple[dict[str, Any], ...] = ()  # dumps of the plan's typed steps
    limits: Limits
    probe_versions: dict[str, int] = Field(default_factory=dict)
    seeds: dict[str, int] = Field(default_factory=dict)
    suites: tuple[str, ...] = ()  # vendor suite folders, by name
    options: dict[str, Any] = Field(default_factory=dict)  # second_opinion, gentle, intrusive, in-scope rule


class ObservationEvent(Frozen):
    """An observation was made (a plan step ended)."""

    event: Literal["observation"] = "observation"
    step: str  # id of the plan step
    observation: Observation


class ExchangeEvent(Frozen):
    """Evidence of one connection."""

    event: Literal["exchange"] = "exchange"
    exchange: Exchange


class AnswerEvent(Frozen):
    """An operator's answer to an ask step, with who confirmed it."""

    event: Literal["answer"] = "answer"
    step: str
    requirement: str
    answer: str
    confirmed_by: str
    at: datetime


class NoteEvent(Frozen):
    """Something worth telling that is no verdict (second opinion crashed, a step was retried, ...)."""

    event: Literal["note"] = "note"
    at: datetime
    text: str


class ResumedEvent(Frozen):
    """The run went on after an interruption."""

    event: Literal["resumed"] = "resumed"
    at: datetime


class StoredObjectEvent(Frozen):
    """An object that the harness left in the SUT."""

    event: Literal["stored_object"] = "stored_object"
    endpoint: str
    sop_instance_uid: str
    description: str


class SourceRecord(Frozen):
    """Where a requirement stands."""

    document: str
    edition: str = ""
    section: str
    paragraph: str = ""
    url: str = ""


class VerdictRecord(Frozen):
    """One requirement of one claim at one endpoint, judged.

    `reason` is one sentence saying why; `evidence` holds ids of exchanges; `deviations` the endpoint-wise details.
    """

    key: str  # "<sut>/<endpoint>/<profile>-<edition>-<role>/<requirement>", stable over runs
    requirement: str
    title: str
    text: str
    verdict: VerdictKind
    level: Literal["shall", "should", "may"]
    judged: str
    imported: bool  # brought in by reference (BCP 195, TLS), not DICOM's own
    derived: bool = False  # an umbrella
    vendor_suite: str = ""  # name of the vendor suite it stems from; empty: built in
    profile: str
    edition: str
    role: str
    endpoint: str
    expected: tuple[str, ...] = ()
    observed: Any = None
    reason: str = ""
    remedy: str = ""
    waiver: WaiverRecord | None = None
    second_opinion: str | None = None
    sources: tuple[SourceRecord, ...] = ()
    see_also: tuple[str, ...] = ()  # tests of others that are about the same
    evidence: tuple[str, ...] = ()
    members: tuple[str, ...] = ()


class ClaimVerdict(Frozen):
    """Verdict of a claim; `own` counts DICOM's own requirements, `imported` what it brings in by reference."""

    profile: str
    edition: str
    role: str
    endpoint: str
    verdict: VerdictKind
    own: dict[str, int] = Field(default_factory=dict)
    imported: dict[str, int] = Field(default_factory=dict)
    reason: str = ""


class AdviceRecord(Frozen):
    """What newer rules than the claim, or good practice, would say: outside verdicts and exit status."""

    id: str
    endpoint: str
    text: str
    remedy: str = ""
    source: str = ""
    evidence: tuple[str, ...] = ()


class SeparationRecord(Frozen):
    """What separates the SUT of a superseded claim from the current profile (B.12): outside verdicts and exit status.

    The claim's profile is retired (`retired_after` is the last edition that held it) or an older wording (then empty).
    `deviations` are the automatic requirements of the current profile that fail, then those that warn, each with its
    standing in `level` and `imported`; `counts` tells how many ended how; `inconclusive` names what stayed open.
    """

    profile: str
    edition: str
    role: str
    endpoint: str
    title: str
    retired_after: str = ""
    against_profile: str
    against_edition: str
    against_title: str
    counts: dict[str, int] = Field(default_factory=dict)
    deviations: tuple[VerdictRecord, ...] = ()
    inconclusive: tuple[str, ...] = ()


class NotExamined(Frozen):
    """A requirement that is out of this run's scope, and why."""

    requirement: str
    title: str
    text: str
    level: str
    profile: str
    judged: str
    reason: str


class JudgingEvent(Frozen):
    """One judgement of the recorded observations begins; the last one in the record counts."""

    event: Literal["judging"] = "judging"
    at: datetime
    tool_version: str
    observed_at: datetime  # validity and waivers are judged at this time
    profile: str = ""  # another profile than claimed, or empty
    edition: str = ""  # another edition than claimed, or empty
    allow_inconclusive: bool = False


class VerdictEvent(Frozen):
    """A verdict of the current judging."""

    event: Literal["verdict"] = "verdict"
    verdict: VerdictRecord


class ClaimEvent(Frozen):
    """A claim's verdict of the current judging."""

    event: Literal["claim"] = "claim"
    claim: ClaimVerdict


class AdviceEvent(Frozen):
    """One piece of advice of the current judging."""

    event: Literal["advice"] = "advice"
    advice: AdviceRecord


class SeparationEvent(Frozen):
    """What separates a superseded claim of the current judging from the current profile."""

    event: Literal["separation"] = "separation"
    separation: SeparationRecord


class NotExaminedEvent(Frozen):
    """One requirement left out of the current judging's scope."""

    event: Literal["not_examined"] = "not_examined"
    item: NotExamined


class Footer(Frozen):
    """Last line: a record without one was interrupted."""

    event: Literal["footer"] = "footer"
    finished: datetime
    connections: int
    summary: dict[VerdictKind, int]
    exit_status: int


Event = Annotated[
    Header
    | ObservationEvent
    | ExchangeEvent
    | AnswerEvent
    | NoteEvent
    | ResumedEvent
    | StoredObjectEvent
    | JudgingEvent
    | VerdictEvent
    | ClaimEvent
    | AdviceEvent
    | SeparationEvent
    | NotExaminedEvent
    | Footer,
    Field(discriminator="event"),
]


class RunRecord(Frozen):
    """A whole record, read: observations by step, the last judging with its verdicts, and the footer if any."""

    header: Header
    observations: tuple[ObservationEvent, ...] = ()
    exchanges: dict[str, Exchange] = Field(default_factory=dict)
    answers: tuple[AnswerEvent, ...] = ()
    notes: tuple[NoteEvent, ...] = ()
    resumed: tuple[ResumedEvent, ...] = ()
    stored_objects: tuple[StoredObjectEvent, ...] = ()
    judging: JudgingEvent | None = None
    verdicts: tuple[VerdictRecord, ...] = ()
    claims: tuple[ClaimVerdict, ...] = ()
    advice: tuple[AdviceRecord, ...] = ()
    separations: tuple[SeparationRecord, ...] = ()
    not_examined: tuple[NotExamined, ...] = ()
    footer: Footer | None = None
