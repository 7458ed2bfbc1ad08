"""The endpoints of a SUT as the record has them: where it is reached or connects from, what is handed over there."""

from __future__ import annotations

from pydantic import Field

from harness.observations.base import Frozen


class ListenRecord(Frozen):
    """Where the harness listens for a SUT, under which name the SUT calls it, and what makes the SUT connect.

    `port` 0: one that is free in each run. `ports` "each": one per trial from `port` on. `driver` names a table of
    [drivers] of the SUT file; `driver_kind` is "command", "dimse", "operator" or "embedded".
    """

    address: str
    port: int
    name: str
    ports: str = "one"
    driver: str = ""
    driver_kind: str = "operator"
    seconds: float
    trials: tuple[str, ...] = ()  # patterns of the trials that are played; empty: all


class ObjectsRecord(Frozen):
    """How objects are handed over at an endpoint, where a claim is judged by them.

    `folder` is where the SUT puts or finds them, `driver` what makes it act ("" without `driver_kind`: nothing has to),
    `retrieve` how what a storer was sent is retrieved: "c-get", "c-move", "wado-rs" or "folder".
    """

    folder: str = ""
    driver: str = ""
    driver_kind: str = ""
    seconds: float
    select: tuple[str, ...] = ()  # patterns of the instances or cases that are handed over; empty: all
    retrieve: str = ""
    web: str = ""


class AuditRecord(Frozen):
    """What an audit source can report, where its captured messages are, or how it is told what a repository keeps.

    `drivers` tells for each event of `events` the driver that provokes it (empty: a person), `driver_kinds` of what
    kind that is. The other keys are those of the table ``audit`` of the SUT file.
    """

    events: tuple[str, ...] = ()
    drivers: dict[str, str] = Field(default_factory=dict)
    driver_kinds: dict[str, str] = Field(default_factory=dict)
    settle: float = 0.0
    away: str = ""
    nothing_lost: bool = False
    folder: str = ""
    arrived: str = ""
    select: tuple[str, ...] = ()
    most: int = 0
    seconds: float = 0.0


class EndpointRecord(Frozen):
    """Where a SUT is reached, with `listen` where it connects from, or with neither that files are handed over.

    `protocol` is "dicom-tls", "https", "syslog-tls", "syslog-udp", "dicom", "http" or "files". `called_aet` is the
    title of whoever is called: of the SUT, or with `listen` of the harness.
    """

    name: str
    protocol: str
    host: str
    port: int = 0  # 0: the SUT connects
    called_aet: str = ""
    calling_aet: str = ""
    server_name: str = ""
    listen: ListenRecord | None = None
    objects: ObjectsRecord | None = None
    audit: AuditRecord | None = None

    @property
    def connects(self) -> bool:
        """Whether it is the SUT that connects."""
        return self.listen is not None
