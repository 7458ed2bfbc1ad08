"""Whether an endpoint can show what a SUT does as audit source or repository, and the sentences where not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.sut_audit import AUDIT_ROLES
from harness.sut_clients import EMBEDDED, OBJECT_PLACEHOLDERS
from harness.sut_parts import AUDIT_PROFILES, closest

if TYPE_CHECKING:
    from harness.sut_file import Endpoint, SutFile

_SYSLOG = ("syslog-tls", "syslog-udp")


def audit_source_problem(name: str, endpoint: Endpoint, file: SutFile) -> str:
    """Why nothing can be seen of an audit source at an endpoint; empty where something can."""
    if endpoint.protocol == "files":
        return _captured_problem(name, endpoint)
    if endpoint.protocol not in _SYSLOG:
        return (
            f"audit messages come by syslog, and the endpoint {name!r} is {endpoint.protocol}; write protocol = "
            '"syslog-tls", "syslog-udp", or "files" for captured ones'
        )
    for key in ("trials", "ports"):
        if endpoint.listen is not None and key in endpoint.listen.model_fields_set:
            return f"endpoint {name!r}: listen.{key} is no key where audit messages are awaited; leave it out"
    return _reporting_problem(name, endpoint) or _driver_problem(name, endpoint, file)


def _captured_problem(name: str, endpoint: Endpoint) -> str:
    """What is wrong where captured messages are looked at."""
    audit = endpoint.audit
    if audit is None or not audit.folder:
        return (
            f"captured messages are looked at, and the endpoint {name!r} says not where they are; add a table "
            f"[endpoints.{name}.audit] with folder"
        )
    for key in ("events", "drivers", "away", "nothing_lost", "arrived", "settle"):
        if key in audit.model_fields_set:
            return f"endpoint {name!r}: audit.{key} is no key where captured messages are looked at; leave it out"
    return ""


def _reporting_problem(name: str, endpoint: Endpoint) -> str:
    """What is wrong with the table of a source that sends to us."""
    audit = endpoint.audit
    if audit is None:
        return ""
    for key in ("folder", "arrived", "most", "seconds"):
        if key in audit.model_fields_set:
            return f"endpoint {name!r}: audit.{key} is no key of a source that sends to us; leave it out"
    if unclaimed := [event for event in audit.drivers if event not in audit.events]:
        return (
            f"endpoint {name!r}: audit.drivers names {unclaimed[0]!r}, which audit.events lacks; add it there, or "
            "leave the driver out"
        )
    if audit.away and endpoint.protocol == "syslog-udp":
        return (
            f"endpoint {name!r}: audit.away is no key over UDP, where nobody notices that a repository is away; "
            "leave it out"
        )
    if audit.nothing_lost and not audit.away:
        return (
            f"endpoint {name!r}: audit.nothing_lost is claimed, and nothing is sent while nobody listens; name a "
            "driver as audit.away"
        )
    return ""


def audit_repository_problem(name: str, endpoint: Endpoint, file: SutFile) -> str:
    """Why nothing can be seen of a repository at an endpoint; empty where something can."""
    if endpoint.listen is not None or endpoint.protocol not in _SYSLOG:
        how = "listens for it" if endpoint.listen is not None else f"is {endpoint.protocol}"
        return (
            f"as audit-repository the SUT is sent messages by syslog, and the endpoint {name!r} {how}; name one with "
            'protocol "syslog-tls" or "syslog-udp" and a port'
        )
    if endpoint.audit is not None:
        for key in ("events", "drivers", "settle", "away", "nothing_lost", "folder", "most"):
            if key in endpoint.audit.model_fields_set:
                return f"endpoint {name!r}: audit.{key} is a key of sources; leave it out"
        arrived = endpoint.audit.arrived
        if arrived and arrived not in file.readings:
            known = f" (it has: {', '.join(file.readings)})" if file.readings else ""
            near = closest(arrived, file.readings) or f"; add a table [readings.{arrived}]"
            return f"endpoint {name!r}: audit.arrived names {arrived!r}, which [readings] lacks{known}{near}"
    return ""


def audit_sharing_problem(role: str, name: str, file: SutFile) -> str:
    """Why an audit role cannot share an endpoint with another role; empty where it can."""
    here = {str(claim.role) for claim in file.claims if name in (claim.endpoint, *claim.alternates)} - {role}
    if role == "audit-source" and here:
        return (
            f"the endpoint {name!r} is claimed as {min(here)}, too; name an endpoint of its own, with a port of its "
            "own, for the messages"
        )
    return ""


def _driver_problem(name: str, endpoint: Endpoint, file: SutFile) -> str:
    """What is wrong with the drivers of the events of a source."""
    named = endpoint.audit.named_drivers if endpoint.audit is not None else ()
    for driver in named:
        table = file.drivers.get(driver)
        if driver == EMBEDDED:
            continue
        if table is None:
            known = f" (it has: {', '.join(file.drivers)})" if file.drivers else ""
            near = closest(driver, file.drivers) or f"; add a table [drivers.{driver}]"
            return f"endpoint {name!r}: audit names the driver {driver!r}, which [drivers] lacks{known}{near}"
        if used := [one for one in table.names if one in OBJECT_PLACEHOLDERS]:
            return (
                f"the driver {driver!r} uses {{{used[0]}}}, and a SUT that reports events is handed no file; leave it "
                "out, or name another driver"
            )
    return ""


def check_audit_role(number: int, profile: str, role: str) -> None:
    """Raise `ValueError` where a profile of the audit trail is claimed in a role that it is not judged in."""
    by_connections = profile == "A.6" and role in {"tls-server", "tls-client"}
    if profile in AUDIT_PROFILES and role not in AUDIT_ROLES and not by_connections:
        raise ValueError(
            f"claims #{number}: {profile} is judged by audit messages, not as {role}; write role = "
            '"audit-source" or "audit-repository"'
        )
