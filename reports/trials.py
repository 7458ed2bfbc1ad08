"""What a report says about a client SUT's trials, and about the certificates that a server SUT was shown."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from harness.record import VerdictKind, VerdictRecord
from harness.record.facts import (
    CertificateTrial,
    ClientConnection,
    ClientHelloFacts,
    ClientTrial,
    DriverOutcome,
)
from harness.record.names import (
    alert_name,
    extension_name,
    group_name,
    scheme_name,
    suite_name,
    suite_quality,
    version_name,
)
from reports.text import plural

EXPECTED = {"accept": "goes on", "refuse": "refuses", "either": "either", "": ""}
"""What a conforming peer does, in words."""
_FINDINGS = frozenset({VerdictKind.FAIL, VerdictKind.WARNING})
_ORDER = {"fail": 0, "warning": 1, "": 2}
_GREASE = frozenset(0x0A0A + 0x1010 * step for step in range(16))
_SIGNALLING = frozenset({0x00FF, 0x5600})
_ENDED = {
    "close_notify": "closed the connection in good order",
    "close": "closed the connection",
    "reset": "reset the connection",
    "silence": "fell silent",
    "harness": "was sent away by the harness",
}
_SPOKE = {"dicom": "plain DICOM", "http": "plain HTTP", "syslog": "plain syslog", "ssl2": "an SSL 2.0 hello"}
_PROTOCOL = {"association": "an A-ASSOCIATE-RQ", "http": "an HTTP request", "syslog": "syslog messages"}


@dataclass(frozen=True)
class TrialRow:
    """One line of the table of trials. `exchanges` are ids of evidence, `kind` the worst verdict that rests on them."""

    name: str
    text: str
    expected: str
    seen: str
    exchanges: tuple[str, ...]
    kind: str = ""


@dataclass(frozen=True)
class Offer:
    """One list of the ClientHello: what it is, and its members, each with the quality of a suite or ""."""

    name: str
    members: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Introduction:
    """What a client's ordinary ClientHello says."""

    offers: tuple[Offer, ...]
    fingerprint: str


def cited_by(verdicts: Iterable[VerdictRecord]) -> dict[str, str]:
    """The exchanges that findings rest on, each with the worse of "fail" and "warning"; umbrellas add nothing."""
    found: dict[str, str] = {}
    for verdict in verdicts:
        if verdict.verdict in _FINDINGS and not verdict.derived:
            for exchange in verdict.evidence:
                found[exchange] = min(verdict.verdict.value, found.get(exchange, "warning"))  # "fail" sorts first
    return found


def rows_of(trials: Iterable[ClientTrial], cited: Mapping[str, str]) -> tuple[TrialRow, ...]:
    """The trials: those that a finding rests on (`cited_by`) first, else in the order in which they were played."""
    rows = [
        TrialRow(
            name=trial.trial,
            text=trial.text or trial.trial,
            expected=EXPECTED[trial.treatment],
            seen=seen_of(trial),
            exchanges=(exchanges := tuple(each.exchange for each in trial.connections if each.exchange)),
            kind=min((cited[each] for each in exchanges if each in cited), default=""),
        )
        for trial in trials
    ]
    return tuple(sorted(rows, key=lambda row: _ORDER[row.kind]))


def seen_of(trial: ClientTrial) -> str:
    """What the client did in `trial`, in one or two sentences."""
    if trial.skipped:
        return f"Not played: {trial.skipped}"
    if not trial.connections:
        return f"The device did not come. {driver_of(trial.driver)}".strip()
    told = list(dict.fromkeys(_connection(each) for each in trial.connections))
    more = f" In all {plural(len(trial.connections), 'connection')}." if len(trial.connections) > 1 else ""
    return "; then it ".join(told[:4]).join(("It ", ".")) + more


def driver_of(driver: DriverOutcome) -> str:
    """How the device was made to come, where that is worth telling."""
    if driver.problem:
        return driver.problem
    if driver.timed_out:
        return "Its driver did not end in time."
    if driver.exit_status is not None:
        return f"Its driver ended with status {driver.exit_status}."
    return f"Confirmed by {driver.confirmed_by}." if driver.confirmed_by else ""


def _connection(connection: ClientConnection) -> str:
    if connection.opening == "nothing":
        return f"connected and said nothing ({_end(connection)})"
    if connection.opening != "tls":
        return f"sent {_SPOKE.get(connection.opening, 'octets that are no TLS')}"
    if connection.application_octets:
        sent = _PROTOCOL.get(connection.application, "application data")
        done = f" ({', '.join(connection.operations[:4])})" if connection.operations else ""
        return f"completed {_negotiated(connection)} and sent {sent}{done}"
    if connection.progress == "completed":
        return f"completed {_negotiated(connection)}, sent no data and {_end(connection)}"
    if connection.progress == "went-on":
        return f"went on with {_negotiated(connection)} and then {_end(connection)}"
    return _end(connection)


def _negotiated(connection: ClientConnection) -> str:
    version = version_name(connection.version) if connection.version is not None else "the handshake"
    suite = f" with {suite_name(connection.suite)}" if connection.suite is not None else ""
    return version + suite


def _end(connection: ClientConnection) -> str:
    if connection.ended == "alert":
        level = "" if connection.fatal is not False else "warning "
        name = alert_name(connection.alert) if connection.alert is not None else "unknown"
        return f"sent the {level}alert {name}"
    return _ENDED[connection.ended]


def introduction_of(trials: Iterable[ClientTrial]) -> Introduction | None:
    """What the first ClientHello of the ordinary trial (else of any) offers; None where none came."""
    ordered = sorted(trials, key=lambda trial: trial.trial != "ordinary")
    hello = next((c.hello for trial in ordered for c in trial.connections if c.hello is not None), None)
    return None if hello is None else _introduction(hello)


def _introduction(hello: ClientHelloFacts) -> Introduction:
    versions = hello.supported_versions or (hello.version,)
    suites = [code for code in hello.suites if code not in _GREASE | _SIGNALLING]
    lists = (
        ("Protocol versions", [(version_name(code), "") for code in versions if code not in _GREASE]),
        ("Cipher suites, in the client's order", [(suite_name(code), suite_quality(code)) for code in suites]),
        ("Groups", _named(hello.groups, group_name)),
        ("Signature schemes", _named(hello.schemes, scheme_name)),
        ("Extensions", _named(hello.extensions, extension_name)),
        ("Server name (SNI)", [(hello.server_name, "")] if hello.server_name else []),
        ("Application protocols (ALPN)", [(name, "") for name in hello.alpn or ()]),
    )
    return Introduction(tuple(Offer(name, tuple(members[:200])) for name, members in lists), hello.ja4)


def _named(codes: Iterable[int] | None, name: Callable[[int], str]) -> list[tuple[str, str]]:
    return [(name(code), "") for code in codes or () if code not in _GREASE]


@dataclass(frozen=True)
class ShownRow:
    """One certificate that a server was shown."""

    name: str
    text: str
    version: str
    expected: str
    seen: str
    exchange: str
    kind: str = ""


def shown_rows(trials: Iterable[CertificateTrial], cited: Mapping[str, str]) -> tuple[ShownRow, ...]:
    """The certificates that a server was shown, and what it did; those that a finding rests on (`cited_by`) first."""
    rows = [
        ShownRow(
            name=trial.case,
            text=trial.text or trial.case,
            version=version_name(trial.version),
            expected={"accept": "admits", "refuse": "refuses", "either": "either", "": ""}[trial.treatment],
            seen=_admission(trial),
            exchange=trial.reaction.exchange,
            kind=cited.get(trial.reaction.exchange, ""),
        )
        for trial in trials
    ]
    return tuple(sorted(rows, key=lambda row: _ORDER[row.kind]))


def _admission(trial: CertificateTrial) -> str:
    if trial.admitted is None:
        return "not established" + (f": {trial.reaction.detail}" if trial.reaction.detail else "")
    if trial.admitted:
        return "admitted"
    where = {
        "handshake": " in the handshake",
        "association": " above TLS",
        "application": " after the handshake",
        "": "",
    }
    alert = f", alert {alert_name(trial.reaction.alert)}" if trial.reaction.alert is not None else ""
    return f"refused{where[trial.stage]}{alert}"
