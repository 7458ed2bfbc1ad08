"""What a realistic record holds beside a server's facts: trials of a client, certificates shown, a superseded claim."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import cycle

from fixtures.pki.zoo import CASES
from harness.listeners.transport.trials import TRIALS, Trial
from harness.observations import Observation, Reaction, ReactionKind
from harness.observations.clients import (
    CertificateTrial,
    ClientCertificates,
    ClientConnection,
    ClientHelloFacts,
    ClientTrial,
    DriverOutcome,
)
from harness.observations.transport import CertificateFacts
from harness.record.models import ObservationEvent, SeparationRecord, SourceRecord, VerdictKind, VerdictRecord

HELLO = ClientHelloFacts(
    record_version=0x0301,
    version=0x0303,
    supported_versions=(0x2A2A, 0x0304, 0x0303),
    suites=(0x1A1A, 0x1301, 0x1302, 0x1303, 0xC02F, 0xC030, 0x009E, 0x002F, 0x000A, 0x00FF),
    extensions=(0x0000, 0x000A, 0x000B, 0x000D, 0x0010, 0x002B, 0x0033),
    groups=(0x001D, 0x0017, 0x0018, 0x0100),
    schemes=(0x0403, 0x0503, 0x0804, 0x0805, 0x0401, 0x0201),
    server_name="harness.hospital.example",
    alpn=("http/1.1",),
    ja4="t13d090700_0123456789ab_0123456789ab",
)


def _connection(exchange: str, *, accepted: bool, shown: tuple[CertificateFacts, ...]) -> ClientConnection:
    """A connection on which the client took what it was told, or sent an alert."""
    if not accepted:
        return ClientConnection(
            exchange=exchange, peer="10.20.30.41:40000", opening="tls", hello=HELLO, progress="hello", ended="alert",
            alert=42, fatal=True,
        )  # fmt: skip
    return ClientConnection(
        exchange=exchange, peer="10.20.30.41:40000", opening="tls", hello=HELLO, version=0x0304, suite=0x1302,
        progress="completed", ended="close_notify", certificates=shown, application_octets=301,
        application="association", association_accepted=True, operations=("C-ECHO",),
    )  # fmt: skip


def _played(position: int, trial: Trial, exchange: str, shown: tuple[CertificateFacts, ...]) -> ClientTrial:
    known = {"trial": trial.id, "text": trial.text, "treatment": trial.treatment}
    if position % 11 == 7:
        return ClientTrial.model_validate(known | {"skipped": "the client offers no suite with finite-field DHE"})
    if position % 29 == 5:
        driver = DriverOutcome(kind="command", timed_out=True, problem="The command had not ended after 60 s.")
        return ClientTrial.model_validate(known | {"driver": driver})
    accepted = (trial.treatment != "refuse") != (position % 13 == 3)  # some deviate
    return ClientTrial.model_validate(known | {"connections": (_connection(exchange, accepted=accepted, shown=shown),)})


def client_trials(at: datetime, shown: tuple[CertificateFacts, ...]) -> Iterator[ObservationEvent]:
    """Every trial as a client took it: mostly well, some badly, some not played, some without it."""
    exchanges = cycle(f"dimse-{number:04}" for number in range(1, 161))
    for position, (trial, exchange) in enumerate(zip(TRIALS.values(), exchanges, strict=False)):
        facts = _played(position, trial, exchange, shown).model_dump(mode="json")
        seen = Observation(kind="tls.client-trial", subject=trial.id, endpoint="scu", observed_at=at, facts=facts)
        yield ObservationEvent(step=f"listen:scu:{trial.id}", observation=seen)


def shown_certificates() -> ClientCertificates:
    """The zoo as a server took it: as it should, but for some."""
    trials = []
    for position, case in enumerate(case for case in CASES.values() if case.client is not None):
        admitted = (case.client != "refuse") != (position % 17 == 3)
        kind = ReactionKind.COMPLETED if admitted else ReactionKind.ALERT
        trials.append(
            CertificateTrial(
                case=case.name, text=case.text, treatment=case.client or "", version=0x0304, admitted=admitted,
                stage="application" if admitted else "handshake",
                reaction=Reaction(kind=kind, alert=None if admitted else 46, exchange="dimse-0007"),
            )
        )  # fmt: skip
    return ClientCertificates(requested=True, campaign=True, controls=tuple(trials[:1]), trials=tuple(trials[1:]))


def separation() -> SeparationRecord:
    """What separates a client that claims a retired profile from the current one."""

    def deviation(requirement: str, kind: VerdictKind, title: str) -> VerdictRecord:
        return VerdictRecord(
            key=f"ct-1/scu/B.12-2026c-tls-client/{requirement}", requirement=requirement, title=title, text=title,
            verdict=kind, level="shall" if kind is VerdictKind.FAIL else "should", judged="automatically",
            imported=True, profile="B.12", edition="2026c", role="tls-client", endpoint="scu",
            reason="Expected a refusal, observed an association request.", remedy="Switch it off in the device.",
            sources=(SourceRecord(document="RFC 9325", edition="2022", section="4.5", paragraph=""),),
            evidence=("dimse-0011",),
        )  # fmt: skip

    return SeparationRecord(
        profile="B.3", edition="2018a", role="tls-client", endpoint="scu",
        title="AES TLS Secure Transport Connection Profile", retired_after="2018a",
        against_profile="B.12", against_edition="2026c",
        against_title="BCP 195 RFC 8996, 9325 TLS Secure Transport Connection Profile",
        counts={"pass": 81, "fail": 1, "warning": 1, "inconclusive": 1},
        deviations=(
            deviation("RFC9325-4.5-client-dhe-2048", VerdictKind.FAIL, "DHE groups have at least 2048 bits"),
            deviation("RFC9325-7.1-client-host-name", VerdictKind.WARNING, "The server's host name is verified"),
        ),
        inconclusive=("RFC6066-8-client-checks-stapled-response",),
    )  # fmt: skip
