"""The tables and keys of a SUT file, and the sentences that say what is wrong with them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, ValidationInfo, field_validator, model_validator

from harness.claims import default_edition
from harness.credentials import CredentialSources
from harness.sut_audit import Audit
from harness.sut_audit_checks import check_audit_role
from harness.sut_clients import EMBEDDED, OBJECT_PLACEHOLDERS, DriverTable, Listen
from harness.sut_object_checks import check_objects, check_role
from harness.sut_objects import OBJECT_ROLES, Objects, Said
from harness.sut_parts import (
    DEFAULT_CALLED_AET,
    DEFAULT_CALLING_AET,
    DEFAULT_CLIENT_AET,
    PROTOCOLS,
    SYSLOG_PORTS,
    AeTitle,
    Part,
    closest,
    misplaced,
)
from harness.sut_readings import Reading

SCHEMA = 1


class Role(StrEnum):
    """In what part a SUT is judged; shared by claims, requirements and the report."""

    TLS_SERVER = "tls-server"
    TLS_CLIENT = "tls-client"
    ASSOCIATION_ACCEPTOR = "association-acceptor"
    ASSOCIATION_REQUESTOR = "association-requestor"
    SIGNATURE_CREATOR = "signature-creator"
    SIGNATURE_VERIFIER = "signature-verifier"
    INSTANCE_STORER = "instance-storer"
    AUDIT_SOURCE = "audit-source"
    AUDIT_REPOSITORY = "audit-repository"
    MEDIA_CREATOR = "media-creator"
    MEDIA_READER = "media-reader"
    DE_IDENTIFIER = "de-identifier"
    RE_IDENTIFIER = "re-identifier"


class Identity(Part):
    """Who is judged, by whom and where. `id` names the SUT's folder and stays the same over runs."""

    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
    vendor: str = ""
    product: str = ""
    version: str = ""
    serial: str = ""
    site: str = ""
    tester: str = ""


class Endpoint(Part):
    """Where the SUT is reached (`port`), where it connects from (`listen`), or that files are handed over.

    `called_aet` is the title of whoever is called: the SUT, or with `listen` the harness. `calling_aet` is the other.
    """

    protocol: Literal["dicom-tls", "https", "syslog-tls", "syslog-udp", "dicom", "http", "files"] = "dicom-tls"
    host: Annotated[str, Field(max_length=255)] = ""
    port: Annotated[int, Field(ge=1, le=65535, strict=True)] | None = None
    called_aet: AeTitle = DEFAULT_CALLED_AET
    calling_aet: AeTitle = DEFAULT_CALLING_AET
    server_name: Annotated[str, Field(max_length=255)] = ""
    listen: Listen | None = None
    objects: Objects | None = None
    audit: Audit | None = None

    @model_validator(mode="before")
    @classmethod
    def _titles_of_a_client(cls, given: object) -> object:
        if isinstance(given, Mapping) and given.get("listen") is not None:
            return {"called_aet": DEFAULT_CALLING_AET, "calling_aet": DEFAULT_CLIENT_AET, **given}
        return given

    @model_validator(mode="before")
    @classmethod
    def _default_port(cls, given: object) -> object:
        """The port of audit messages where none is written: that of A.6 or A.7."""
        if not isinstance(given, Mapping) or str(given.get("protocol")) not in SYSLOG_PORTS:
            return given
        if given["protocol"] != "syslog-udp" and given.get("audit") is None:
            return given  # judged by its connections alone
        port, listen = SYSLOG_PORTS[str(given["protocol"])], given.get("listen")
        if isinstance(listen, Mapping):
            return {**given, "listen": {"port": port, **listen}}
        return {"port": port, **given} if listen is None else given

    @field_validator("host")
    @classmethod
    def _bare_host(cls, host: str) -> str:
        host = host.removeprefix("[").removesuffix("]")
        if re.search(r"[\s/@?#]", host) or "://" in host:
            raise ValueError("is not a host name or address; write the name alone, the port has a key of its own")
        return host

    @model_validator(mode="after")
    def _one_direction(self) -> Endpoint:
        if self.audit is not None and self.protocol not in {*SYSLOG_PORTS, "files"}:
            raise ValueError(
                f'audit is no key of a {self.protocol} endpoint; write protocol = "syslog-tls", "syslog-udp" or "files"'
            )
        if self.protocol == "files":
            for key in ("port", "listen", "server_name"):
                if key in self.model_fields_set:
                    raise ValueError(f"{key} is no key where files are handed over; leave it out, or write protocol")
            return self
        if not self.host:
            raise ValueError("host is missing; write a host name or an address")
        if self.listen is None:
            if self.port is None:
                raise ValueError(
                    "port is missing; write a number from 1 to 65535, or add a table [endpoints.NAME.listen] if it is "
                    "the SUT that connects"
                )
            return self
        for key in ("port", "server_name"):
            if key in self.model_fields_set:
                raise ValueError(f"{key} is no key of an endpoint that connects to us; write it in its listen table")
        if self.listen.needs_name(self.host):
            raise ValueError(
                "listen.name is missing; write the host name or address under which the SUT calls this computer"
            )
        return self

    @property
    def reached_at(self) -> int:
        """The port at which the SUT is reached. Raises `ValueError` if it is the SUT that connects."""
        if self.port is None:
            raise ValueError("the SUT connects to us here, it is not reached")
        return self.port


class Claim(Part):
    """A PS3.15 profile that the SUT says it conforms to, in a role, at an endpoint (and alternates of it).

    Without an edition it is the last that holds the profile.
    """

    profile: Annotated[str, Field(min_length=1)]
    edition: str = ""
    role: Role = Role.TLS_SERVER
    endpoint: str
    alternates: tuple[str, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _last_edition(cls, claim: Any) -> Any:
        if isinstance(claim, Mapping) and not claim.get("edition"):
            return {**claim, "edition": default_edition(str(claim.get("profile", "")))}
        return claim


class OperatorAnswer(Part):
    """A recorded answer to a guided step."""

    answer: Annotated[str, Field(min_length=1)]
    confirmed_by: Annotated[str, Field(min_length=1)]
    at: datetime

    @field_validator("at")
    @classmethod
    def _with_zone(cls, at: datetime) -> datetime:
        return at if at.tzinfo else at.astimezone()


class Waiver(Part):
    """A finding that the site accepts, for a reason and until a day."""

    requirement: Annotated[str, Field(min_length=1)]
    reason: Annotated[str, Field(min_length=1)]
    until: date
    endpoint: str = ""


class SutFile(Part):
    """The whole SUT file."""

    schema_: Annotated[Literal[1], Field(alias="schema")]
    identity: Identity
    endpoints: Annotated[dict[str, Endpoint], Field(min_length=1)]
    claims: Annotated[tuple[Claim, ...], Field(min_length=1)]
    drivers: dict[str, DriverTable] = Field(default_factory=dict)
    readings: dict[str, Reading] = Field(default_factory=dict)
    credentials: CredentialSources = CredentialSources()
    declarations: dict[str, str] = Field(default_factory=dict)
    operator: dict[str, OperatorAnswer] = Field(default_factory=dict)
    waivers: tuple[Waiver, ...] = ()

    @field_validator("declarations", mode="before")
    @classmethod
    def _yes_or_no(cls, value: object) -> object:
        if not isinstance(value, Mapping):
            return value
        return {key: {True: "yes", False: "no"}[v] if isinstance(v, bool) else v for key, v in value.items()}

    @field_validator("endpoints", "drivers", "readings")
    @classmethod
    def _table_names(cls, tables: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        for name in tables:
            if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}", name):
                kind = str(info.field_name).removesuffix("s")
                raise ValueError(f"{name!r} is no {kind} name; use letters, digits, '-' and '_'")
        if EMBEDDED in tables and info.field_name == "drivers":
            raise ValueError(f"{EMBEDDED!r} is the driver of a SUT within this program; give yours another name")
        return tables

    @model_validator(mode="after")
    def _names_resolve(self) -> SutFile:
        for number, claim in enumerate(self.claims, 1):
            check_role(number, claim.profile, claim.role)
            for name in (claim.endpoint, *claim.alternates):
                if name not in self.endpoints:
                    known = ", ".join(self.endpoints)
                    raise ValueError(
                        f"claims #{number} names the endpoint {name!r}, which [endpoints] lacks (it has: {known})"
                    )
                if problem := misplaced(claim.profile, self.endpoints[name].protocol, claim.role):
                    raise ValueError(f"claims #{number}: endpoint {name!r}: {problem}")
                check_audit_role(number, claim.profile, claim.role)
                _check_direction(number, claim.role, name, self.endpoints[name])
                if claim.role in OBJECT_ROLES:
                    check_objects(number, claim.role, name, self)
        for name, driver in self.drivers.items():
            if driver.dimse is not None:
                _check_request(f"drivers.{name}", driver.endpoint, self.endpoints)
        for name, endpoint in self.endpoints.items():
            if endpoint.listen is not None:
                _check_driver(f"endpoints.{name}.listen", endpoint.listen, self.drivers)
            if endpoint.objects is not None and endpoint.objects.driver:
                _check_named(f"endpoints.{name}.objects", endpoint.objects.driver, self.drivers)
        for number, waiver in enumerate(self.waivers, 1):
            if waiver.endpoint and waiver.endpoint not in self.endpoints:
                raise ValueError(f"waivers #{number} names the endpoint {waiver.endpoint!r}, which [endpoints] lacks")
        return self


_CONNECTED_TO = frozenset({Role.TLS_SERVER, Role.ASSOCIATION_ACCEPTOR, Role.AUDIT_REPOSITORY})
_CONNECTING = frozenset({Role.TLS_CLIENT, Role.ASSOCIATION_REQUESTOR, Role.AUDIT_SOURCE})


def _check_direction(number: int, role: Role, name: str, endpoint: Endpoint) -> None:
    """Raise `ValueError` for a role in which the SUT connects, or is connected to, at an endpoint of the other kind."""
    if role is Role.AUDIT_SOURCE and endpoint.protocol == "files":
        return
    if role in _CONNECTING and endpoint.listen is None:
        raise ValueError(
            f"claims #{number}: as {role.value} the SUT connects to us, and the endpoint {name!r} says not where; add "
            f"a table [endpoints.{name}.listen] with port and driver, and leave its port out"
        )
    if role in _CONNECTED_TO and endpoint.listen is not None:
        raise ValueError(
            f"claims #{number}: as {role.value} the SUT is connected to, and the endpoint {name!r} listens for it; "
            'name an endpoint with a port, or write role = "tls-client"'
        )


def _check_driver(where: str, listen: Listen, drivers: Mapping[str, DriverTable]) -> None:
    """Raise `ValueError` for a driver that there is not, or one that cannot be told a port chosen anew in each run."""
    if listen.driver == EMBEDDED:
        return
    if listen.driver:
        _check_named(where, listen.driver, drivers)
    driver = drivers.get(listen.driver)
    for name in driver.names if driver else ():
        if name in OBJECT_PLACEHOLDERS:
            raise ValueError(
                f"{where}: the driver {listen.driver!r} uses {{{name}}}, and a SUT that connects is handed no file; "
                "leave it out, or name another driver"
            )
    if listen.port == 0 and (driver is None or driver.kind != "command"):
        told = f"the driver {listen.driver!r}" if listen.driver else "an operator"
        raise ValueError(
            f"{where}: port is missing: {told} cannot be told one that is chosen anew in each run; write the port that "
            "the SUT is configured for, for example port = 11113"
        )


def _check_named(where: str, name: str, drivers: Mapping[str, DriverTable]) -> None:
    """Raise `ValueError` for a driver that there is not."""
    if name != EMBEDDED and name not in drivers:
        known = f" (it has: {', '.join(drivers)})" if drivers else ""
        raise ValueError(
            f"{where}: names the driver {name!r}, which [drivers] lacks{known}"
            + (closest(name, drivers) or f"; add a table [drivers.{name}]")
        )


def _check_request(where: str, name: str, endpoints: Mapping[str, Endpoint]) -> None:
    """Raise `ValueError` unless the endpoint `name` takes DIMSE requests."""
    endpoint = endpoints.get(name)
    if endpoint is None:
        raise ValueError(
            f"{where}: names the endpoint {name!r}, which [endpoints] lacks (it has: {', '.join(endpoints)})"
        )
    if endpoint.listen is not None or endpoint.protocol not in {"dicom-tls", "dicom"}:
        raise ValueError(f"{where}: the endpoint {name!r} takes no DIMSE request; name one with a DICOM port")


_REMEDIES = {
    "schema": "write schema = 1 as the first line",
    "id": "use letters, digits, '.', '_' and '-', at most 64",
    "identity": "add a table [identity] with id, vendor, product, version",
    "driver": "name a table of [drivers]",
    "seconds": "write how long one trial or object waits for the SUT, at most 3600",
    "ports": 'write "one" (a port that plays the trials in turn) or "each" (one port per trial from port on)',
    "dimse": 'write "c-move" or "storage-commitment"',
    "retrieve": 'write "c-get", "c-move", "wado-rs" or "folder"',
    "web": 'write a URL such as "http://host:8042/dicom-web", or a path such as "/dicom-web"',
    "most": "write how many objects or messages of the SUT are looked at, from 1 to 100000",
    "settle": "write for how many seconds no further message has to come, at most 600",
    "exit": "write the exit statuses in brackets, for example exit = [1, 2]",
    "endpoints": "add a table [endpoints.dimse] with host and port",
    "claims": 'add a table [[claims]] with profile = "B.12" and endpoint = "dimse"',
    "endpoint": 'name a table of [endpoints], for example endpoint = "dimse"',
    "protocol": "write one of: " + ", ".join(PROTOCOLS),
    "role": "write one of: " + ", ".join(Role),
    "port": "write a number from 1 to 65535",
    "host": "write a host name or an address",
    "until": "write a day, for example until = 2027-06-30",
    "at": "write a time, for example at = 2026-11-22T10:00:00Z",
    "called_aet": "write the SUT's AE title",
    "calling_aet": "write the AE title under which the SUT knows this harness",
    "declarations": "write a text, true or false for each requirement id",
    "profile": 'write a profile, for example "B.12"',
}


def _where(location: Sequence[int | str]) -> str:
    path = ""
    for part in location:
        path += f" #{part + 1}" if isinstance(part, int) else f"{'.' if path else ''}{part}"
    return path


_TABLES: Mapping[str, type[BaseModel]] = {
    "identity": Identity,
    "endpoints": Endpoint,
    "claims": Claim,
    "drivers": DriverTable,
    "readings": Reading,
    "credentials": CredentialSources,
    "operator": OperatorAnswer,
    "waivers": Waiver,
}
_INNER: Mapping[str, type[BaseModel]] = {
    "listen": Listen,
    "objects": Objects,
    "audit": Audit,
    "valid": Said,
    "invalid": Said,
    "unverifiable": Said,
}


def _keys_at(location: Sequence[int | str]) -> tuple[str, ...]:
    """The keys that are known at the table in which an unknown one stands."""
    model: type[BaseModel] = SutFile
    if len(location) > 1:
        last = str(location[-2]) if len(location) > 3 else ""
        model = _INNER.get(last) or _TABLES.get(str(location[0]), SutFile)
    return tuple(info.alias or name for name, info in model.model_fields.items())


def sentence_of(source: str, error: Mapping[str, Any]) -> str:
    """What is wrong, where and how to mend it, for one `error` of pydantic."""
    location = tuple(part for part in error["loc"] if part not in {"Secret", "str"})
    last = next((str(part) for part in reversed(location) if isinstance(part, str)), "")
    where = f"{source}: {_where(location)}: " if location else f"{source}: "
    remedy = f"; {_REMEDIES[last]}" if last in _REMEDIES else ""
    match error["type"]:
        case "missing":
            return f"{where}is missing{remedy}"
        case "extra_forbidden":
            known = _keys_at(location)
            return f"{where}is no key of a SUT file{closest(last, known) or '; known here: ' + ', '.join(known)}"
        case "value_error":
            return where + str(error["ctx"]["error"])
        case "string_pattern_mismatch":
            return f"{where}has characters that are not allowed{remedy}"
        case _:
            message = str(error["msg"])
            return f"{where}{message[0].lower()}{message[1:]}{remedy}"
