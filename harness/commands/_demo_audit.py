"""The audit source and the audit repository that ``ps315 demo`` judges: reference systems in this process."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from fixtures.pki.campaign import Campaign
    from harness.commands._demo_objects import ObjectSuts
    from harness.drivers.base import Action, Stimulus
    from reference_impl.audit.source_node import AuditSource

PROFILES = ("A.5", "A.6", "A.7")
"""Profiles that are judged by audit messages."""
_NAME = "localhost"  # of the harness, as sources call it, and of the repository
_TRAIL = "audit-trail"
_TOLD = (
    *("application-start", "audit-log-used", "begin-transferring", "export", "import", "instances-accessed"),
    *("instances-transferred", "study-deleted", "network-attach", "query", "security-alert", "login", "login-failed"),
    *("logout", "order-record", "patient-record", "procedure-record", "application-stop"),
)
"""Events that are claimed: every message of A.5.3 reports one of them."""
_SQL = (
    "select octets from original where number > (select max(number) from original) - 300"  # the last ones
    " and cast(octets as text) like :pattern"
)
_SETTLE = 0.1
_SECONDS = 20.0
_FAULTY_SECONDS = 2.0  # for what is likely not to arrive at all
_Transport = Literal["tls", "udp"]


def add_audit_suts(
    suts: ObjectSuts, campaign: Campaign, stack: ExitStack, profile: str | None, faults: Mapping[str, Sequence[str]]
) -> None:
    """Add the audit source and repository for `profile`, or for all of `PROFILES`; `faults` by role.

    `stack` ends them. The two transports have an endpoint each; A.5 is claimed where messages come over TLS.
    """
    audit = _AuditSuts(suts, campaign, stack, faults)
    for name in (profile,) if profile else PROFILES:
        transport: _Transport = "udp" if name == "A.7" else "tls"
        for role, endpoint in (("audit-source", audit.source), ("audit-repository", audit.repository)):
            suts.claims.append({"profile": name, "role": role, "endpoint": endpoint(transport)})


@dataclass(frozen=True)
class _Ports:
    """Where a repository listens."""

    tls: tuple[str, int]
    udp: tuple[str, int]


@dataclass
class _AuditSuts:
    suts: ObjectSuts
    campaign: Campaign
    stack: ExitStack
    faults: Mapping[str, Sequence[str]]

    def source(self, transport: _Transport) -> str:
        """The endpoint of a source that reports over `transport`."""
        from harness.sut_clients import EMBEDDED
        from reference_impl.audit.source_node import AuditSource, certified

        name = f"audit-source-{transport}"
        if name not in self.suts.endpoints:
            pki = self.campaign.pki
            tls = certified(pki, self.campaign.directory / name, pki.trust_anchors_file())
            source = AuditSource(tuple(self.faults.get("audit-source", ())), tls=tls)
            self.stack.callback(source.close)
            audit: dict[str, Any] = {"events": list(_TOLD), "settle": _SETTLE}
            if transport == "tls":
                audit |= {"away": EMBEDDED, "nothing_lost": True}
            self.suts.endpoints[name] = {
                "protocol": f"syslog-{transport}",
                "host": "127.0.0.1",
                "listen": {"driver": EMBEDDED, "name": _NAME, "port": 0, "seconds": _SECONDS},
                "audit": audit,
            }
            self.suts.actions[name] = _reporting(source)
        return name

    def repository(self, transport: _Transport) -> str:
        """The endpoint of the repository that takes messages over `transport`."""
        name = f"audit-repository-{transport}"
        host, port = self._ports.tls if transport == "tls" else self._ports.udp
        self.suts.endpoints[name] = {
            "protocol": f"syslog-{transport}",
            "host": host,
            "port": port,
            "server_name": _NAME if transport == "tls" else "",
            "audit": {"arrived": _TRAIL},
        }
        return name

    @cached_property
    def _ports(self) -> _Ports:
        """Start the repository; the reading `_TRAIL` tells what it keeps. A faulty one is another, which is small."""
        faults = tuple(self.faults.get("audit-repository", ()))
        folder = self.campaign.directory / "audit-repository"
        folder.mkdir(exist_ok=True)
        return self._faulty(folder, faults) if faults else self._whole(folder)

    def _whole(self, folder: Path) -> _Ports:
        from reference_impl.audit.repository.ingest import IngestLimits
        from reference_impl.audit.repository.service import Repository, Settings
        from reference_impl.audit.repository_node import certified

        logging.getLogger("ps315.audit").addHandler(logging.NullHandler())  # alerts about deliveries concern nobody
        tls = certified(self.campaign.pki, folder)
        database = folder / "trail.sqlite"
        settings = Settings(
            database,
            tls_port=0,
            udp_port=0,
            certificate=tls.certificate,
            key=tls.key,
            client_ca=tls.trust.anchors,
            limits=IngestLimits(processes=0),  # this process has threads already, and the messages are few
        )
        ports = self.stack.enter_context(Repository(settings)).addresses
        assert ports.tls is not None and ports.udp is not None  # noqa: S101 - both were asked for
        self.suts.readings[_TRAIL] = {"sql": _SQL, "url": f"sqlite:///{database}", "seconds": _SECONDS}
        return _Ports(ports.tls, ports.udp)

    def _faulty(self, folder: Path, faults: tuple[str, ...]) -> _Ports:
        from reference_impl.audit.repository_node import FileTrail, RepositoryNode, certified

        trail = self.stack.enter_context(FileTrail(folder / "trail.log"))
        context = certified(self.campaign.pki, folder).context()
        node = self.stack.enter_context(RepositoryNode(trail.keep, context, faults))
        self.suts.readings[_TRAIL] = {"file": str(folder / "trail.log"), "seconds": _FAULTY_SECONDS}
        return _Ports(node.tls_address, node.udp_address)


def _reporting(source: AuditSource) -> Action:
    def report(stimulus: Stimulus) -> None:
        from reference_impl.audit.source_node import Collector

        transport: _Transport = "udp" if stimulus.protocol == "syslog-udp" else "tls"
        source.report([stimulus.event], Collector("127.0.0.1", stimulus.port, transport, stimulus.host))

    return report


__all__ = ["PROFILES", "add_audit_suts"]
