"""Facts about audit trails for the tests of the renderers: a source, captured files and a repository, good and bad."""

from __future__ import annotations

import base64
import re
from datetime import timedelta
from html import escape
from typing import Any

from fixtures.audit.mutants import mutants
from fixtures.audit.samples import SAMPLES
from harness.observations.audit import AuditMessages, Delivered, ReceivedMessage, SyslogConnection
from harness.observations.clients import DriverOutcome
from harness.record.models import EndpointRecord, ObservationEvent, RunRecord
from tests.unit.reports_material import AT
from tests.unit.reports_signatures_material import event

HEADER = b"<85>1 2026-03-14T09:26:53.589Z pacs.example.org archive 4711 DICOM+RFC3881 - "
LOGIN = SAMPLES["user-authentication-full"].octets
TWO_REQUESTORS = mutants()["two-requestors"].octets
UNLISTED = mutants()["unlisted-event"].octets
SCRIPT = "<script>document.title='pwned'</script>"
HOSTILE = SAMPLES["query-minimal"].octets.replace(
    b"PS315-TEST-modality", b"&lt;script&gt;document.title='pwned'&lt;/script&gt;\xe2\x80\xae<![CDATA["
)


def message(octets: bytes, **fields: Any) -> ReceivedMessage:
    values = {"octets": base64.b64encode(octets).decode(), "length": len(octets), "at": AT, "connection": 1}
    return ReceivedMessage.model_validate({**values, **fields})


def connection(number: int = 1, **fields: Any) -> SyslogConnection:
    values = {
        "number": number,
        "transport": "tls",
        "peer": "192.0.2.7:50614",
        "opened": AT,
        "version": "TLSv1.3",
        "suite": "TLS_AES_256_GCM_SHA384",
        "client_certificate": "ab" * 32,
        "messages": 2,
        "ending": "close-notify",
        "exchange": "audit-0001",
    }
    return SyslogConnection.model_validate({**values, **fields})


def steps() -> tuple[AuditMessages, ...]:
    """Four steps: an event that was reported rightly, one wrongly, one not at all, one in a hostile way."""
    quick = DriverOutcome(kind="command", exit_status=0)
    return (
        AuditMessages(
            text="login: somebody logs in",
            event="login",
            messages=(message(HEADER + LOGIN), message(b"<34>1 - - sshd - - - session opened")),
            connections=(connection(),),
            driver=quick,
        ),
        AuditMessages(
            text="query: a query is sent",
            event="query",
            messages=(
                message(HEADER.replace(b"<85>", b"<165>") + TWO_REQUESTORS, connection=2, at=AT + timedelta(seconds=5)),
                message(HEADER + UNLISTED, connection=2),
            ),
            connections=(
                connection(1, messages=1, ending="open"),
                connection(2, peer="[2001:db8::7]:40000", client_certificate="", ending="reset", pending=17, suite=""),
            ),
            driver=quick,
        ),
        AuditMessages(
            text="export: data leave the system",
            event="export",
            connections=(connection(3, refused="tlsv1 alert unknown ca", version="", suite="", client_certificate=""),),
            driver=DriverOutcome(kind="command", timed_out=True),
        ),
        AuditMessages(
            text="away-and-back: nobody listens",
            event="away-and-back",
            away=True,
            messages=(
                message(HEADER.replace(b"archive", SCRIPT.replace(" ", "").encode()[:48]) + HOSTILE),
                message(HEADER + LOGIN[:300], length=70_000, truncated=True),
            ),
            left_out=3,
        ),
    )


def captured() -> AuditMessages:
    return AuditMessages(
        transport="files",
        messages=(
            message(LOGIN, name="captured/login.xml", first_line=1, header=False, connection=0, at=None),
            message(TWO_REQUESTORS, name=f"captured/{SCRIPT}.xml", first_line=7, header=False, connection=0, at=None),
        ),
        unreadable=("captured/tls.pcap: TLS, which cannot be read",),
    )


def deliveries() -> tuple[Delivered, ...]:
    def delivered(case: str, wanted: str, *arrivals: str, **fields: Any) -> Delivered:
        values = {"case": case, "text": f"Delivery {case}", "rule": "A.6-repository-any", "sent": len(arrivals) or 1}
        return Delivered.model_validate(
            {**values, "wanted": wanted, "arrivals": arrivals, "told_by": "file /var/log/audit.log", **fields}
        )

    return (
        delivered("kind/query", "whole", "whole", octets=1300, follower="whole", answered_close=True),
        delivered("size/32768", "whole", "cut", octets=32768, follower="whole", exchange="audit-0007"),
        delivered("size/1048576", "whole-or-cut", "cut", octets=1048576, answered_close=False),
        delivered("nodes/20", "whole", *["whole"] * 19, "absent", octets=900),
        delivered("framing/off-by-one", "either", "absent", follower="absent", refused="the connection was reset"),
        delivered("time/leap-second", "whole", level="should", skipped="it was not asked for"),
        delivered("udp/plain", "whole", "altered", transport="udp", detail=f"differs from octet 1: {SCRIPT}"),
        delivered("asked", "whole", "", driver=DriverOutcome(kind="operator", confirmed_by="Ann"), told_by=""),
    )


def hostile_everywhere() -> tuple[AuditMessages, Delivered]:
    """Facts in which every text that a device or a person can choose is a script, and so is all in the message."""
    text = SCRIPT + "\u202e\x1b[2J"
    octets = SAMPLES["instances-transferred-full"].octets
    values = set(re.findall(rb'="([^"]+)"|>([^<]+)<', octets))
    for value in sorted({each for pair in values for each in pair if each}, key=len, reverse=True):
        octets = octets.replace(b'"' + value + b'"', b'"' + escape(SCRIPT).encode() + b'"')
        octets = octets.replace(b">" + value + b"<", b">" + escape(SCRIPT).encode() + b"<")
    header = b"<85>1 " + b" ".join([SCRIPT.encode()] * 5) + b" [" + SCRIPT.encode() + b' a="b"] '
    came = message(header + octets, name=text, first_line=3)
    driver = DriverOutcome(kind="operator", confirmed_by=text, problem=text)
    there = connection(peer=text, version=text, suite=text, framing=text, refused=text, client_certificate=text)
    return (
        AuditMessages(text=text, event=text, messages=(came,), connections=(there,), driver=driver, unreadable=(text,)),
        Delivered(case=text, text=text, rule=text, wanted="whole", told_by=text, refused=text, detail=text),
    )


def with_trails(record: RunRecord, *more: ObservationEvent) -> RunRecord:
    """`record` with a source, captured files and a repository."""
    sut = record.header.sut
    endpoints = (
        EndpointRecord(name="trail", protocol="syslog-tls", host="192.0.2.7"),
        EndpointRecord(name="captured", protocol="files", host=""),
        EndpointRecord(name="repository", protocol="syslog-udp", host="192.0.2.8"),
    )
    changed = sut.model_copy(update={"endpoints": (*sut.endpoints, *endpoints)})
    found = [
        *(event("audit.messages", each.event, each, "trail") for each in steps()),
        event("audit.messages", "", captured(), "captured"),
        *(event("audit.delivered", each.case, each, "repository") for each in deliveries()),
        *more,
    ]
    return record.model_copy(
        update={
            "header": record.header.model_copy(update={"sut": changed}),
            "observations": (*record.observations, *found),
        }
    )


def many_messages(number: int) -> ObservationEvent:
    """A step in which `number` messages came, each with everything wrong that fits."""
    broken = LOGIN.replace(b"csd-code", b"code")
    made = tuple(message(HEADER + broken) for _ in range(number))
    return event("audit.messages", "login-failed", AuditMessages(event="login-failed", messages=made), "trail")
