"""The report on client SUTs: what they offered and did in each trial, and what servers did with certificates."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fixtures.pki import Pki
from harness.observations import Observation, Reaction, ReactionKind
from harness.observations.clients import (
    CertificateTrial,
    ClientCertificates,
    ClientConnection,
    ClientHelloFacts,
    ClientTrial,
    DriverOutcome,
)
from harness.record.models import ObservationEvent, RunRecord, VerdictKind
from reports import render
from reports.trials import cited_by, introduction_of, rows_of, seen_of, shown_rows
from tests.unit.reports_material import AT, observation, realistic, verdict

HELLO = ClientHelloFacts(
    record_version=0x0301,
    version=0x0303,
    supported_versions=(0x2A2A, 0x0304, 0x0303),
    suites=(0x1A1A, 0x1301, 0xC02F, 0x000A, 0x00FF),
    groups=(0x001D, 0x0017),
    schemes=(0x0403, 0x0804),
    extensions=(0x0000, 0x000A),
    server_name="pacs.example",
    ja4="t13d030200_0123456789ab_0123456789ab",
)


def connection(**fields: Any) -> ClientConnection:
    values: dict[str, Any] = {
        "exchange": "scu-0001", "peer": "127.0.0.1:40000", "opening": "tls", "progress": "hello", "ended": "alert"
    }  # fmt: skip
    return ClientConnection.model_validate(values | fields)


def trial(*connections: ClientConnection, **fields: Any) -> ClientTrial:
    return ClientTrial.model_validate({"trial": "certificate/expired", "connections": connections, **fields})


@pytest.mark.parametrize(
    ("played", "told"),
    [
        (trial(connection(alert=45, fatal=True)), "It sent the alert certificate_expired."),
        (trial(connection(ended="reset")), "It reset the connection."),
        (
            trial(
                connection(progress="completed", version=0x0304, suite=0x1301, ended="close", application_octets=200,
                           application="association", operations=("C-ECHO",))
            ),
            "It completed TLS 1.3 with TLS_AES_128_GCM_SHA256 and sent an A-ASSOCIATE-RQ (C-ECHO).",
        ),
        (
            trial(connection(progress="completed", version=0x0304, ended="close_notify")),
            "It completed TLS 1.3, sent no data and closed the connection in good order.",
        ),
        (trial(connection(opening="dicom", progress="nothing")), "It sent plain DICOM."),
        (trial(connection(), connection(ended="reset")), "In all 2 connections."),
        (trial(skipped="the client offers no TLS 1.2"), "Not played: the client offers no TLS 1.2"),
        (
            trial(driver=DriverOutcome(kind="command", exit_status=127, problem="The driver's program was not found.")),
            "The device did not come. The driver's program was not found.",
        ),
        (trial(driver=DriverOutcome(kind="command", timed_out=True)), "did not end in time"),
    ],
)  # fmt: skip
def test_a_trial_is_told_in_words(played: ClientTrial, told: str) -> None:
    assert told in seen_of(played)


def test_the_hello_of_the_ordinary_trial_introduces_the_client() -> None:
    other = HELLO.model_copy(update={"server_name": "other.example"})
    trials = (trial(connection(hello=other)), trial(connection(hello=HELLO), trial="ordinary"))
    introduction = introduction_of(trials)
    assert introduction is not None
    assert introduction.fingerprint == HELLO.ja4
    said = {offer.name: [name for name, _ in offer.members] for offer in introduction.offers}
    assert said["Protocol versions"] == ["TLS 1.3", "TLS 1.2"]
    assert said["Cipher suites, in the client's order"] == [
        "TLS_AES_128_GCM_SHA256", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "TLS_RSA_WITH_3DES_EDE_CBC_SHA",
    ]  # fmt: skip
    assert said["Server name (SNI)"] == ["pacs.example"]
    assert introduction_of((trial(),)) is None


def test_certificates_shown_to_a_server_are_told() -> None:
    refused = Reaction(kind=ReactionKind.ALERT, alert=48, exchange="dimse-0007")
    rows = shown_rows(
        (
            CertificateTrial(case="unknown-authority", text="Nobody knows its issuer.", treatment="refuse",
                             version=0x0304, admitted=False, stage="application", reaction=refused),
            CertificateTrial(case="expired", version=0x0303, admitted=None,
                             reaction=Reaction(kind=ReactionKind.SILENCE, detail="silence")),
        ),
        {},
    )  # fmt: skip
    assert rows[0].seen == "refused after the handshake, alert unknown_ca"
    assert (rows[0].expected, rows[0].version) == ("refuses", "TLS 1.3")
    assert rows[1].seen == "not established: silence"


def test_the_report_shows_both(tmp_path: Path) -> None:
    hostile = "<script>alert(1)</script>"
    played = trial(
        connection(hello=HELLO.model_copy(update={"server_name": hostile}), alert=45),
        text="The server's certificate has expired.", treatment="refuse",
    )  # fmt: skip
    seen = Observation(
        kind="tls.client-trial",
        subject=played.trial,
        endpoint="scu",
        observed_at=AT,
        facts=played.model_dump(mode="json"),
    )
    shown = ClientCertificates(
        requested=True,
        trials=(
            CertificateTrial(
                case="expired", version=0x0304, admitted=True, reaction=Reaction(kind=ReactionKind.COMPLETED)
            ),
        ),
    )
    record = realistic(Pki.create())
    events = (
        *record.observations,
        ObservationEvent(step="scu/x", observation=seen),
        observation("tls.client-certificates", shown),
    )
    render(
        RunRecord.model_validate_json(record.model_copy(update={"observations": events}).model_dump_json()), tmp_path
    )
    html = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "The device as a client" in html
    assert "The server&#39;s certificate has expired." in html
    assert "Client certificates that the device was shown" in html
    assert hostile not in html
    assert rows_of((played,), {})[0].exchanges == ("scu-0001",)


def test_what_a_finding_rests_on_comes_first() -> None:
    kept = trial(connection(exchange="scu-0001"), trial="ordinary")
    warned = trial(connection(exchange="scu-0002"), trial="certificate/wrong-host-name")
    failed = trial(connection(exchange="scu-0003"), connection(exchange="scu-0002"), trial="certificate/expired")
    findings = [
        verdict("RFC9325-7.1-client-host-name", VerdictKind.WARNING, evidence=("scu-0002",)),
        verdict("RFC5280-6.1-server-certificate-validity", VerdictKind.FAIL, evidence=("scu-0003",)),
        verdict("RFC9325-4.1-client-no-null", VerdictKind.PASS, evidence=("scu-0001",)),
        verdict("B.12-client-bcp-195", VerdictKind.FAIL, evidence=("scu-0001",), derived=True),
    ]
    cited = cited_by(findings)
    assert cited == {"scu-0002": "warning", "scu-0003": "fail"}
    rows = rows_of((kept, warned, failed), cited)
    assert [(row.name, row.kind) for row in rows] == [
        ("certificate/expired", "fail"), ("certificate/wrong-host-name", "warning"), ("ordinary", ""),
    ]  # fmt: skip
