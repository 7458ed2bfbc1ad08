"""The judgements of A.6 and of IHE ATNA on clients: each spoilt trial turns what it should and no more."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from importlib import import_module
from inspect import signature
from typing import Any

import pytest

from harness.catalogue import load_catalogue
from harness.judging import Observations
from harness.judging.expect import recording
from harness.judging.findings import Case, finding_of
from harness.judging.lookup import Endpoints
from harness.judging.outcomes import Outcome
from harness.judging.verifies import verified_by
from harness.record.models import ClaimRecord, EndpointRecord
from suites.transport.client_view import TlsClient
from tests.unit.client_observations import (
    SUITES,
    accepted,
    changed_everywhere,
    conforming,
    observations,
    refused,
    trial,
    with_hello,
)
from tests.unit.tls_observations import NOW, TLS12, TLS13

A6 = ClaimRecord(profile="A.6", edition="2026c", role="tls-client", endpoint="scu")
STX = A6.model_copy(update={"profile": "IHE-STX-TLS-1.2-Floor", "edition": "ITI-20.0"})
FQDN = STX.model_copy(update={"profile": "IHE-FQDN"})
RECORD = with_hello(conforming(), suites=(*SUITES, 0x009E, 0x009F, 0x002F))
UNTOUCHED = RECORD | {"certificate/common-name-only": trial(refused())}
Record = Mapping[str, dict[str, Any]]


@cache
def functions() -> dict[str, Callable[..., None]]:
    """The judgements by requirement."""
    found: dict[str, Callable[..., None]] = {}
    for module in ("test_syslog_tls_client", "test_ihe_stx_client"):
        for name, function in vars(import_module(f"suites.transport.{module}")).items():
            if name.startswith("test_"):
                found |= dict.fromkeys(verified_by(function), function)
    return found


def turned(claim: ClaimRecord, record: Record) -> dict[str, str]:
    """Every verdict that is no pass, as the engine would find it."""
    protocol = "syslog-tls" if claim is A6 else "dicom-tls"
    scu = Endpoints(EndpointRecord(name="scu", protocol=protocol, host="127.0.0.1"))
    lookup = Observations.of(observations(UNTOUCHED | dict(record)), NOW)
    found = {}
    for requirement in load_catalogue().select(claim.profile, claim.edition, claim.role, protocol):
        if requirement.judged != "automatically":
            continue
        judge = functions()[requirement.id]
        more = {"requirement": requirement} if "requirement" in signature(judge).parameters else {}
        raised: Outcome | None = None
        with recording() as ledger:
            try:
                judge(TlsClient(lookup.fresh(), scu, claim), **more)
            except Outcome as outcome:
                raised = outcome
        found[requirement.id] = finding_of(Case(claim, requirement, scu), raised, ledger, ()).kind.value
    return {name: kind for name, kind in found.items() if kind != "pass"}


def offering(**changed: Any) -> Record:
    return with_hello(UNTOUCHED, **changed)


def ending(how: str) -> Record:
    """The ordinary connection ends so."""
    return with_hello({"ordinary": trial(accepted(ended=how))}, suites=(*SUITES, 0x002F))


AUTHENTICATES, PATHS = "RFC5425-4.2.1-client-certificate-authentication", "RFC5425-4.2.1-client-path-validation"
ALERTS, NAMES = "RFC5425-5-client-aborts-with-alert", "RFC5425-5.2-client-host-names"
RECEIVERS, CLOSES = "RFC5425-5.4-client-authenticates-receiver", "RFC5425-4.4-client-close-notify"
SUITE = "RFC5425-4.2-client-mandatory-suite"
STRANGER, SELF_SIGNED = "certificate/unknown-authority", "certificate/self-signed-unknown"
TAKEN = trial(accepted())

SYSLOG_CASES: dict[str, tuple[Record, dict[str, str]]] = {
    "nothing": ({}, {}),
    "a message in the clear": (
        {"only-tls-1.1": trial(refused(), {**refused(), "opening": "syslog", "hello": None})},
        {"A.6-client-uses-tls": "fail"},
    ),
    "SSL 3.0 offered": (offering(supported_versions=(TLS13, TLS12, 0x0300)), {"A.6-client-no-ssl": "fail"}),
    "SSL 3.0 taken": ({"only-ssl-3.0": trial(accepted(0x0300))}, {"A.6-client-no-ssl": "fail"}),
    "TLS 1.0 offered": (offering(supported_versions=(TLS13, TLS12, 0x0301)), {"A.6-client-no-older-tls": "warning"}),
    "TLS 1.1 taken": ({"only-tls-1.1": trial(accepted(0x0302))}, {"A.6-client-no-older-tls": "warning"}),
    "no mandatory suite": (offering(suites=SUITES), {SUITE: "fail"}),
    "TLS 1.2 alone": (offering(supported_versions=(TLS12,)), {f"{SUITE}-tls-1.3": "not_applicable"}),
    "a stranger taken": (
        {STRANGER: TAKEN},
        {RECEIVERS: "warning", AUTHENTICATES: "inconclusive", PATHS: "inconclusive", NAMES: "inconclusive"},
    ),
    "everybody taken": (
        {STRANGER: TAKEN, SELF_SIGNED: TAKEN},
        {RECEIVERS: "warning", AUTHENTICATES: "inconclusive", PATHS: "inconclusive", NAMES: "inconclusive",
         ALERTS: "not_applicable"},
    ),
    "expired taken": ({"certificate/expired": TAKEN}, {PATHS: "fail"}),
    "another name taken": ({"certificate/wrong-host-name": TAKEN}, {NAMES: "fail"}),
    "without the key taken": ({"certificate/possession": TAKEN}, {AUTHENTICATES: "fail"}),
    "no certificate to present": (changed_everywhere(UNTOUCHED, certificates=()), {AUTHENTICATES: "inconclusive"}),
    "refusals by closing": (
        dict.fromkeys((STRANGER, SELF_SIGNED), trial(refused(ended="close", alert=None, fatal=None))), {ALERTS: "fail"},
    ),
    "refusals by a reset": (
        dict.fromkeys((STRANGER, SELF_SIGNED), trial(refused(ended="reset", alert=None, fatal=None))),
        {ALERTS: "inconclusive"},
    ),
    "closed without close_notify": (ending("close"), {CLOSES: "fail"}),
    "kept open": (ending("harness"), {CLOSES: "inconclusive"}),
}  # fmt: skip


@pytest.mark.parametrize("case", SYSLOG_CASES)
def test_a_spoilt_sender_turns_what_it_should(case: str) -> None:
    record, expected = SYSLOG_CASES[case]
    assert turned(A6, record) == expected


def test_a_sender_that_never_came_is_inconclusive_throughout() -> None:
    assert set(turned(A6, {name: trial() for name in UNTOUCHED}).values()) == {"inconclusive"}


PREFIX = "IHE-3.19.6.2.3-client-"
STX_CASES: dict[str, tuple[Record, dict[str, str]]] = {
    "nothing": ({}, {}),
    "TLS 1.1 taken": ({"only-tls-1.1": trial(accepted(0x0302))}, {f"{PREFIX}restricted-to-tls-1.2": "inconclusive"}),
    "no DHE": (
        offering(suites=SUITES),
        {f"{PREFIX}suite-dhe-rsa-with-aes-{each}": "fail" for each in ("128-gcm-sha256", "256-gcm-sha384")},
    ),
    "no certificate to present": (
        changed_everywhere(UNTOUCHED, certificates=()),
        {"IHE-3.19.5-client-authenticates-every-connection": "fail",
         "IHE-3.19.6.1.3-client-rsa-key-length": "inconclusive"},
    ),
    "a stranger taken": ({STRANGER: TAKEN}, {"IHE-3.19.6.1-client-validates-by-authority": "inconclusive"}),
    "an unusual certificate refused": (
        {"certificate/missing-extended-key-usage": trial(refused())},
        {"IHE-3.19.6.1.3-client-no-demands-on-attributes": "fail"},
    ),
    "another name taken": ({"certificate/wrong-host-name": TAKEN}, {}),
}  # fmt: skip


@pytest.mark.parametrize("case", STX_CASES)
def test_a_spoilt_node_turns_what_it_should(case: str) -> None:
    record, expected = STX_CASES[case]
    assert turned(STX, record) == expected


@pytest.mark.parametrize("case", ["wrong-host-name", "common-name-only", "nul-in-name"])
def test_the_dns_id_is_matched_with_nothing_else(case: str) -> None:
    assert turned(FQDN, {}) == {}
    assert turned(FQDN, {f"certificate/{case}": TAKEN}) == {"IHE-3.19.6.1.4-client-matches-dns-id": "fail"}
