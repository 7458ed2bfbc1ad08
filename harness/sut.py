"""The SUT file: what the tester says about the system under test, as TOML, validated key by key.

`load_sut` reads a file, `parse_sut` a text; both give a `Sut`. Everything that is wrong is a `UsageProblem` whose
sentences name the file, the key, what is wrong and the remedy. Credentials are loaded and checked, never shown.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from harness.claims import DEFAULT_EDITION, check_claims, unknown_profile
from harness.credentials import Credentials, load_credentials
from harness.drivers.base import Action
from harness.errors import UsageProblem
from harness.probes.base import TlsTarget
from harness.record import (
    AuditRecord,
    ClaimRecord,
    EndpointRecord,
    ListenRecord,
    ObjectsRecord,
    SutRecord,
    WaiverRecord,
)
from harness.sut_audit import AUDIT_ROLES, Audit
from harness.sut_clients import EMBEDDED, DriverKind, Listen
from harness.sut_file import SCHEMA, Role, SutFile, sentence_of
from harness.sut_objects import OBJECT_ROLES, Objects
from harness.sut_parts import checked_ae_title, closest
from harness.sut_readings import secrets_of


@dataclass(frozen=True)
class Sut:
    """A validated SUT: its file, its loaded credentials. `source` names it in messages.

    Commands run in `folder`. `embedded` holds, by endpoint, what makes a SUT within this process connect, sign or
    verify (`driver = "embedded"`, which no file may say).
    """

    file: SutFile
    source: str
    credentials: Credentials = field(repr=False)
    folder: Path = Path()
    embedded: Mapping[str, Action] = field(default_factory=dict, repr=False, compare=False)

    @property
    def id(self) -> str:
        """The SUT's id, which names its folder."""
        return self.file.identity.id

    @cached_property
    def record(self) -> SutRecord:
        """The SUT as record and report show it, without credentials."""
        file = self.file
        return SutRecord(
            **file.identity.model_dump(),
            claims=tuple(ClaimRecord(**claim.model_dump(mode="json")) for claim in file.claims),
            endpoints=tuple(self._endpoint_record(name) for name in file.endpoints),
            declarations=dict(file.declarations),
            waivers=tuple(WaiverRecord(**waiver.model_dump()) for waiver in file.waivers),
            credentials_given=self.credentials.given,
        )

    @property
    def claimed_endpoints(self) -> tuple[str, ...]:
        """Endpoints that a claim names, first named first; alternates too."""
        names = (name for claim in self.file.claims for name in (claim.endpoint, *claim.alternates))
        return tuple(dict.fromkeys(names))

    def listen(self, endpoint: str) -> Listen | None:
        """Where the harness listens for the SUT; None if it is the SUT that is reached at `endpoint`."""
        return self.file.endpoints[endpoint].listen

    def objects(self, endpoint: str) -> Objects:
        """How objects are handed over at `endpoint`; defaults where its table says nothing."""
        return self.file.endpoints[endpoint].objects or Objects()

    def audit(self, endpoint: str) -> Audit:
        """What is known of the audit source or repository at `endpoint`; defaults where its table says nothing."""
        return self.file.endpoints[endpoint].audit or Audit()

    def is_of_audit(self, endpoint: str) -> bool:
        """Whether `endpoint` is claimed in a role in which a SUT is judged by audit messages."""
        return not AUDIT_ROLES.isdisjoint(self.object_roles(endpoint))

    def object_roles(self, endpoint: str) -> tuple[str, ...]:
        """The roles claimed at `endpoint` in which a SUT is judged by objects, first named first."""
        return tuple(role for role in self._roles(endpoint) if role in OBJECT_ROLES)

    def has_transport(self, endpoint: str) -> bool:
        """Whether a claim names `endpoint` in a role in which a SUT is judged by connections."""
        return any(role not in OBJECT_ROLES for role in self._roles(endpoint))

    def _roles(self, endpoint: str) -> tuple[str, ...]:
        claims = (claim for claim in self.file.claims if endpoint in (claim.endpoint, *claim.alternates))
        return tuple(dict.fromkeys(claim.role.value for claim in claims))

    def driver_name(self, endpoint: str) -> str:
        """The driver that makes the SUT act at `endpoint`; empty: an operator, or none is needed."""
        listen = self.listen(endpoint)
        return self.objects(endpoint).driver if listen is None else listen.driver

    def event_driver(self, endpoint: str, event: str) -> str:
        """The driver that provokes `event` of the audit source at `endpoint`; empty: an operator."""
        return self.audit(endpoint).drivers.get(event) or self.driver_name(endpoint)

    def driver_kind(self, endpoint: str, driver: str | None = None) -> DriverKind:
        """What makes the SUT act at `endpoint`, by `driver` where that is given; an operator where none is named."""
        name = self.driver_name(endpoint) if driver is None else driver
        if not name:
            return "operator"
        return "embedded" if name == EMBEDDED else self.file.drivers[name].kind

    def _endpoint_record(self, name: str) -> EndpointRecord:
        where = self.file.endpoints[name]
        listen = where.listen
        return EndpointRecord(
            name=name,
            **where.model_dump(exclude={"port", "listen", "objects", "audit"}),
            port=where.port or 0,
            objects=self._objects_record(name),
            audit=self._audit_record(name),
            listen=None
            if listen is None
            else ListenRecord(
                **listen.model_dump(exclude={"address", "name"}),
                address=listen.bound_to(where.host),
                name=listen.called(where.host),
                driver_kind=self.driver_kind(name),
            ),
        )

    def _objects_record(self, name: str) -> ObjectsRecord | None:
        if not set(self.object_roles(name)) - AUDIT_ROLES:
            return None
        objects, named = self.objects(name), self.driver_name(name)
        keeps = "instance-storer" in self.object_roles(name)
        return ObjectsRecord(
            folder=objects.folder,
            driver=named,
            driver_kind=self.driver_kind(name) if named else "",
            seconds=objects.seconds,
            select=objects.select,
            retrieve=objects.retrieved_by(self.file.endpoints[name].protocol) if keeps else "",
            web=objects.web,
        )

    def _audit_record(self, name: str) -> AuditRecord | None:
        if not self.is_of_audit(name):
            return None
        audit = self.audit(name)
        provoked = {event: self.event_driver(name, event) for event in audit.events}
        return AuditRecord(
            **audit.model_dump(exclude={"drivers"}),
            drivers=provoked,
            driver_kinds={event: self.driver_kind(name, driver) for event, driver in provoked.items()},
        )

    def target(self, endpoint: str) -> TlsTarget:
        """What the probes need in order to reach `endpoint`. Raises `ValueError` for one that connects."""
        where = self.file.endpoints[endpoint]
        return TlsTarget(
            endpoint=endpoint,
            protocol=where.protocol,
            host=where.host,
            port=where.reached_at,
            server_name=where.server_name,
            called_aet=where.called_aet,
            calling_aet=where.calling_aet,
            credentials=self.credentials.client,
            trust_anchors=self.credentials.trust_anchors,
            campaign=self.credentials.campaign,
        )


def make_sut(content: Mapping[str, Any], *, source: str, folder: Path) -> Sut:
    """A `Sut` from parsed TOML; relative paths are taken from `folder`. Raises `UsageProblem`."""
    schema = content.get("schema")
    if isinstance(schema, int) and not isinstance(schema, bool) and schema > SCHEMA:
        raise UsageProblem(
            f"{source}: schema: {schema} is newer than this version of ps315 reads ({SCHEMA}); update ps315"
        )
    try:
        file = SutFile.model_validate(content)
    except ValidationError as problem:
        raise UsageProblem(
            "\n".join(sentence_of(source, error) for error in problem.errors(include_url=False))
        ) from None
    credentials = load_credentials(file.credentials, folder=folder, source=source)
    secrets = (*_secrets_of_commands(file, source), *_secrets_of_readings(file, source, folder))
    return Sut(file, source, replace(credentials, secrets=(*credentials.secrets, *secrets)), folder)


def _secrets_of_commands(file: SutFile, source: str) -> tuple[bytes, ...]:
    """The values of the environment variables that commands use and no record shows. Raises `UsageProblem`."""
    named = [(f"drivers.{driver}", name) for driver, table in file.drivers.items() for name in table.secrets]
    named += [(f"readings.{reading}", name) for reading, table in file.readings.items() for name in table.secrets]
    secrets = []
    for where, name in named:
        value = os.environ.get(name)
        if not value:
            raise UsageProblem(
                f"{source}: {where}.secrets: the environment variable {name} is not set; set it, or leave it out"
            )
        secrets.append(value.encode())
    return tuple(secrets)


def _secrets_of_readings(file: SutFile, source: str, folder: Path) -> tuple[bytes, ...]:
    """What readings are given that no record shows. Raises `UsageProblem`."""
    found = (
        secrets_of(reading, where=f"{source}: readings.{name}", folder=folder)
        for name, reading in file.readings.items()
    )
    return tuple(secret for each in found for secret in each.octets)


def parse_sut(text: str, *, source: str, folder: Path) -> Sut:
    """A `Sut` from TOML text. Raises `UsageProblem`."""
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as problem:
        raise UsageProblem(f"{source}: is no TOML: {problem}; mend the line, or start from `ps315 init`") from None
    return make_sut(content, source=source, folder=folder)


def load_sut(path: Path) -> Sut:
    """Read a SUT file. Raises `UsageProblem`."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise UsageProblem(f"{path}: is not UTF-8 text; a SUT file is TOML, `ps315 init` writes one") from None
    except OSError as problem:
        reason = problem.strerror or str(problem)
        raise UsageProblem(f"{path}: cannot be read: {reason}; `ps315 init` writes a SUT file") from None
    sut = parse_sut(text, source=str(path), folder=path.parent)
    for name, endpoint in sut.file.endpoints.items():
        table = "objects" if endpoint.listen is None else "listen"
        where = f"{table}.driver" if sut.driver_name(name) == EMBEDDED else ""
        if EMBEDDED in sut.audit(name).named_drivers:
            where = "audit"
        if where:
            raise UsageProblem(
                f"{path}: endpoints.{name}.{where}: {EMBEDDED!r} is for a SUT within this program; name a table of "
                "[drivers]"
            )
    return sut


def load_suts(paths: Sequence[Path]) -> tuple[Sut, ...]:
    """Read several SUT files; their ids differ. Raises `UsageProblem` naming everything that is wrong in them."""
    suts: list[Sut] = []
    problems: list[str] = []
    for path in paths:
        try:
            suts.append(load_sut(path))
        except UsageProblem as wrong:
            problems.append(str(wrong))
    taken: dict[str, str] = {}
    for sut in suts:
        other = taken.setdefault(sut.id.lower(), sut.source)
        if other != sut.source or sum(each.source == sut.source for each in suts) > 1:
            problem = f"{sut.source}: identity.id: {sut.id!r} is also the id of {other}; give each SUT an id of its own"
            if problem not in problems:
                problems.append(problem)
    if problems:
        raise UsageProblem("\n".join(problems))
    return tuple(suts)


def check_requirements(sut: Sut, known: Iterable[str]) -> None:
    """Raise `UsageProblem` for every declaration, answer or waiver that names no known requirement."""
    ids = frozenset(known)
    named = [(f"declarations.{name!r}", name) for name in sut.file.declarations]
    named += [(f"operator.{name!r}", name) for name in sut.file.operator]
    named += [(f"waivers #{number}: requirement", w.requirement) for number, w in enumerate(sut.file.waivers, 1)]
    problems = [
        f"{sut.source}: {where}: there is no requirement {name!r}"
        + (closest(name, ids) or "; `ps315 requirements` lists them")
        for where, name in named
        if name not in ids
    ]
    if problems:
        raise UsageProblem("\n".join(problems))


__all__ = [
    "DEFAULT_EDITION",
    "Role",
    "Sut",
    "SutFile",
    "check_claims",
    "check_requirements",
    "checked_ae_title",
    "closest",
    "load_sut",
    "load_suts",
    "make_sut",
    "parse_sut",
    "sentence_of",
    "unknown_profile",
]
