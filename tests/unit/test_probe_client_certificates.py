"""The zoo shown to servers that verify well, badly, above TLS, not at all, or lose their patience."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from fixtures.pki import Pki
from fixtures.pki.zoo import CASES, Zoo
from harness import dicom_ul as ul
from harness.endpoint_budget import TimeIsUpError
from harness.observations import ReactionKind, facts_of
from harness.observations.clients import ClientCertificates
from harness.observations.transport import TLS12, TLS13, ClientAuthentication
from harness.probes.base import ClientCredentials
from harness.probes.transport import client_certificates
from harness.probes.transport.client_certificates import client_cases, probe_client_certificates
from tests.unit.session_servers import context_of, over_tls, serving

ACCEPT = ul.encode_pdu(ul.ASSOCIATE_AC, bytes(68))
REJECT = ul.encode_pdu(ul.ASSOCIATE_RJ, bytes((0, 1, 1, 1)))
SHOWN = ("expired", "unknown-authority", "missing-extended-key-usage", "possession", "wrong-extended-key-usage")


@pytest.fixture(scope="module")
def pki() -> Pki:
    return Pki.create()


@pytest.fixture(autouse=True)
def _few_cases(monkeypatch: pytest.MonkeyPatch) -> None:
    few = {name: case for name, case in CASES.items() if name in SHOWN}
    monkeypatch.setattr(client_certificates, "CASES", few)


def verifying(pki: Pki, mode: ssl.VerifyMode = ssl.CERT_REQUIRED, authority: str = "ca") -> ssl.SSLContext:
    settings = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    settings.load_cert_chain(pki.certificate_file("server"), pki.key_file("server"))
    settings.load_verify_locations(pki.trust_anchors_file(authority))
    settings.verify_mode = mode
    return settings


def shown(
    pki: Pki,
    settings: ssl.SSLContext,
    answer: Callable[[], bytes],
    *,
    campaign: bool = True,
    versions: tuple[int, ...] = (TLS12, TLS13),
    protocol: str = "dicom-tls",
    credentials: ClientCredentials | None = None,
    requested: bool = True,
) -> ClientCertificates:
    """What the probe records of a server that says `answer` to whatever is said to it."""

    def talk(secured: ssl.SSLSocket) -> None:
        if secured.recv(4096) and (said := answer()):
            secured.sendall(said)
        while secured.recv(4096):
            pass

    with serving(over_tls(settings, talk)) as port:
        context = context_of(port, protocol=protocol, versions=versions, credentials=credentials)
        if campaign:
            held: Any = SimpleNamespace(zoo=lambda: Zoo(pki))
            context.target = replace(context.target, campaign=held)
        asked = ClientAuthentication(requested=dict.fromkeys(versions, requested))
        context.learn(context.observed("tls.client-authentication", asked))
        observation = probe_client_certificates(context)
    facts = facts_of(observation, ClientCertificates)
    assert facts is not None, observation.missing
    return facts


def admitted(facts: ClientCertificates, version: int) -> dict[str, bool | None]:
    return {each.case: each.admitted for each in facts.trials if each.version == version}


RIGHT = {name: name == "missing-extended-key-usage" for name in SHOWN}


@pytest.mark.parametrize("highest", [TLS12, TLS13])
def test_a_verifying_server_admits_what_is_good_and_refuses_the_rest(pki: Pki, highest: int) -> None:
    settings = verifying(pki)
    settings.maximum_version = ssl.TLSVersion(highest)
    facts = shown(pki, settings, lambda: ACCEPT, versions=tuple(v for v in (TLS12, TLS13) if v <= highest))
    assert admitted(facts, highest) == RIGHT
    assert facts.campaign
    assert {(each.admitted, each.stage) for each in facts.controls} == {(True, "application")}
    assert {each.stage for each in facts.trials if each.admitted is False} == {"handshake"}
    if highest == TLS13:
        assert admitted(facts, TLS12) == {name: False for name in SHOWN if name != "missing-extended-key-usage"}
        assert len(facts.controls) == 4


def test_a_server_that_asks_for_nothing_is_shown_nothing(pki: Pki) -> None:
    facts = shown(pki, verifying(pki, ssl.CERT_NONE), lambda: ACCEPT, requested=False)
    assert facts == ClientCertificates(requested=False)


def test_rejections_tell_nothing_where_the_good_one_is_rejected_too(pki: Pki) -> None:
    facts = shown(pki, verifying(pki), lambda: REJECT)
    assert {(each.admitted, each.stage) for each in facts.controls} == {(None, "association")}
    assert admitted(facts, TLS13) == RIGHT | {"missing-extended-key-usage": None}


def test_a_rejected_association_is_a_refusal_where_the_good_one_was_accepted(pki: Pki) -> None:
    """A server that judges certificates above TLS: it rejects all but the controls."""
    count = {"asked": 0}

    def answer() -> bytes:
        count["asked"] += 1
        first, last = count["asked"] == 1, count["asked"] == 3
        return ACCEPT if first or last else REJECT

    settings = verifying(pki)
    settings.maximum_version = ssl.TLSVersion.TLSv1_2
    facts = shown(pki, settings, answer, versions=(TLS12,))
    assert [each.admitted for each in facts.controls] == [True, True]
    odd = next(each for each in facts.trials if each.case == "missing-extended-key-usage")
    assert (odd.admitted, odd.stage, odd.reaction.kind) == (False, "association", ReactionKind.COMPLETED)


def test_a_web_server_that_forbids_by_status_refuses(pki: Pki) -> None:
    count = {"asked": 0}

    def answer() -> bytes:
        count["asked"] += 1
        return b"HTTP/1.1 " + (b"403 Forbidden" if count["asked"] == 2 else b"200 OK") + b"\r\n\r\n"

    settings = verifying(pki)
    settings.maximum_version = ssl.TLSVersion.TLSv1_2
    facts = shown(pki, settings, answer, versions=(TLS12,), protocol="https")
    odd = next(each for each in facts.trials if each.case == "missing-extended-key-usage")
    assert (odd.admitted, odd.stage) == (False, "association")


def test_who_loses_patience_is_left_alone(pki: Pki, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that shuts us out after a few bad certificates is noticed by the next control, and shown no more."""
    monkeypatch.setattr(client_certificates, "_BETWEEN_CONTROLS", 2)
    count = {"asked": 0}

    def answer() -> bytes:
        count["asked"] += 1
        return ACCEPT if count["asked"] == 1 else b""

    facts = shown(pki, verifying(pki), answer)
    assert [each.admitted for each in facts.controls if each.version == TLS13] == [True, None]
    assert len([each for each in facts.trials if each.version == TLS13]) == 2


def test_refusals_after_the_last_control_are_forgotten_when_time_is_up(
    pki: Pki, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server may have shut us out; who was let in, was let in."""
    real = client_certificates._one_trial

    def ending(context: Any, case: str, version: int, identity: Any) -> Any:
        if case == "wrong-extended-key-usage":
            raise TimeIsUpError
        return real(context, case, version, identity)

    monkeypatch.setattr(client_certificates, "_one_trial", ending)
    monkeypatch.setattr(client_certificates, "_BETWEEN_CONTROLS", 2)
    facts = shown(pki, verifying(pki), lambda: ACCEPT)
    order = [name for name in CASES if name in SHOWN]
    late = order.index("wrong-extended-key-usage") // 2 * 2
    assert [each.case for each in facts.trials] == [
        name for place, name in enumerate(order) if place < late or (RIGHT[name] and place < late + 1)
    ]
    assert len(facts.controls) == 1 + late // 2


def test_without_a_campaign_only_strangers_are_shown(pki: Pki) -> None:
    given = ClientCredentials(pki.certificate_file("client").read_bytes(), pki.key_file("client").read_bytes())
    facts = shown(pki, verifying(pki), lambda: ACCEPT, campaign=False, credentials=given)
    assert not facts.campaign
    assert admitted(facts, TLS13) == {"unknown-authority": False}
    assert [each.admitted for each in facts.controls] == [True] * 4


def test_a_refused_control_ends_the_show(pki: Pki) -> None:
    facts = shown(pki, verifying(pki, authority="ca_ec"), lambda: ACCEPT)
    assert [each.admitted for each in facts.controls] == [False, False]
    assert facts.trials == ()


@pytest.mark.parametrize("case", [case.name for case in client_cases(campaign=True)])
def test_every_case_can_be_presented(pki: Pki, case: str) -> None:
    identity = client_certificates.identity_of(Zoo(pki).present(case, "client"))
    assert identity is None or identity.chain
