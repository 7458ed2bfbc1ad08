"""The probes that complete handshakes, against the reference node and against programs that nobody here wrote."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import pytest

from fixtures.pki import Pki
from harness.conduct import Budget
from harness.observations import Exchange, Frozen, Observation, facts_of
from harness.observations.transport import (
    TLS12,
    TLS13,
    Application,
    Certificates,
    ClientAuthentication,
    Integrity,
    RecordProtection,
    Renegotiation,
    Resumption,
    SignatureSchemes,
)
from harness.probes.base import ClientCredentials, Deadlines, ProbeContext, TlsTarget
from harness.probes.transport import PROBES
from reference_impl.node import Node
from tests.peers.starters import STARTERS, PeerMissing

FactsT = TypeVar("FactsT", bound=Frozen)
MODELS: dict[str, type[Frozen]] = {
    "tls.certificates": Certificates,
    "tls.signature-schemes": SignatureSchemes,
    "tls.client-authentication": ClientAuthentication,
    "tls.resumption": Resumption,
    "tls.integrity": Integrity,
    "tls.record-protection": RecordProtection,
    "tls.renegotiation": Renegotiation,
    "tls.application": Application,
}
FIRST = ("tls.reachability", "tls.versions", "tls.cipher-suites")


class Run:
    """The observations of one server, and what it took."""

    def __init__(self, target: TlsTarget, *kinds: str) -> None:
        self.exchanges: dict[str, Exchange] = {}
        self.observations: dict[str, Observation] = {}
        context = ProbeContext(target, Budget(), deadlines=Deadlines(silence=1.0), on_exchange=self._keep)
        by_kind = {probe.kind: probe for probe in PROBES}
        before = 0
        for kind in (*FIRST, *(kinds or MODELS)):
            if kind not in FIRST and not before:
                before = context.budget.connections
            self.observations[kind] = by_kind[kind].run(context)
            context.learn(self.observations[kind])
        self.connections = context.budget.connections - before

    def _keep(self, exchange: Exchange) -> None:
        assert exchange.id not in self.exchanges
        self.exchanges[exchange.id] = exchange

    def facts(self, model: type[FactsT]) -> FactsT:
        kind = next(kind for kind, known in MODELS.items() if known is model)
        observation = self.observations[kind]
        facts = facts_of(observation, model)
        assert facts is not None, observation.missing
        assert set(observation.exchanges) <= set(self.exchanges)
        return facts


@pytest.fixture(scope="module")
def pki() -> Pki:
    return Pki.create()


def credentials(pki: Pki, case: str = "client") -> ClientCredentials:
    return ClientCredentials(pki.certificate_file(case).read_bytes(), pki.key_file(case).read_bytes())


@contextmanager
def node(pki: Pki, *faults: str, profile: str = "B.12", client: str = "client") -> Iterator[TlsTarget]:
    with Node(profile, faults, pki=pki) as running:
        host, port = running.address
        target = TlsTarget("node", "dicom-tls", host, port, "localhost", running.ae_title)
        yield replace(target, credentials=credentials(pki, client) if client else None)


@contextmanager
def peer(pki: Pki, directory: Path, family: str, options: Mapping[str, str]) -> Iterator[TlsTarget]:
    try:
        starting = STARTERS[family](pki, directory, options)
        with starting as running:
            yield TlsTarget("peer", "dicom-tls", running.host, running.port, "localhost", running.called_aet)
    except PeerMissing as missing:
        pytest.skip(str(missing))


@pytest.mark.parametrize("profile", ["B.12", "B.13"])
def test_conforming_node_is_seen_as_it_is(pki: Pki, profile: str) -> None:
    with node(pki, profile=profile) as target:
        run = Run(target)
    certificates = run.facts(Certificates)
    assert {chain.key_kind for chain in certificates.chains} == {"rsa", "ec"}
    assert (certificates.rsa_refused, certificates.ecdsa_refused) == (False, False)
    for chain in certificates.chains:
        assert chain.presented_in == (TLS12, TLS13)
        assert chain.in_order
        assert chain.name_matches
        assert (chain.ocsp_stapled, chain.ocsp_status) == (True, "good")
        assert None not in chain.signer_bits
    schemes = run.facts(SignatureSchemes)
    assert all(schemes.complete.values())
    assert {entry.code for entry in schemes.versions[TLS13]} == {0x0403, 0x0804, 0x0805, 0x0806}
    resumption = run.facts(Resumption)
    assert resumption.psk_dhe_ke is True
    assert resumption.early_data_accepted is False
    assert {ticket.version for ticket in resumption.tickets} == {TLS12, TLS13}
    assert run.facts(Integrity).dropped == {TLS12: True, TLS13: True}
    assert all(reaction.alert == 20 for reaction in run.facts(Integrity).reactions.values())
    nonces = [int(nonce, 16) for nonce in run.facts(RecordProtection).explicit_nonces]
    assert nonces == list(range(nonces[0], nonces[0] + len(nonces)))
    assert len(nonces) >= 3
    assert run.facts(Renegotiation).insecure_accepted is False
    application = run.facts(Application)
    assert (application.association, application.echo_status) == ("accepted", 0)
    assert application.version == TLS13
    assert application.http_answer is False
    assert run.connections <= 45


def test_trials_of_client_certificates(pki: Pki) -> None:
    with node(pki) as target:
        facts = Run(target, "tls.client-authentication").facts(ClientAuthentication)
    assert facts.requested == {TLS12: True, TLS13: True}
    assert facts.authorities == ("CN=PS315 Test Root RSA,O=PS315 Test",)
    admitted = {(trial.credential, trial.version): trial.admitted for trial in facts.trials}
    assert admitted == {
        (credential, version): credential == "given"
        for credential in ("none", "unknown-authority", "given")
        for version in (TLS12, TLS13)
    }


def test_without_a_certificate_the_remedy_is_told(pki: Pki) -> None:
    with node(pki, client="") as target:
        run = Run(target)
    for kind in ("tls.resumption", "tls.integrity", "tls.record-protection", "tls.renegotiation", "tls.application"):
        observation = run.observations[kind]
        assert observation.facts is None
        assert observation.missing == "the server requires a client certificate and none was given"
        assert observation.remedy == "give --cert and --key (or [credentials])"
    assert run.facts(Certificates).chains
    assert run.facts(ClientAuthentication).credentials_given is False


def test_a_refused_certificate_is_told(pki: Pki) -> None:
    with node(pki, client="client_unknown_ca") as target:
        observation = Run(target, "tls.client-authentication", "tls.application").observations["tls.application"]
    assert observation.facts is None
    assert "unknown_ca" in observation.missing


FAULTS = [
    ("any-client-certificate", "tls.client-authentication", lambda f: f.trials[1].admitted is True),
    ("ticket-lifetime", "tls.resumption", lambda f: max(ticket.lifetime for ticket in f.tickets) > 604_800),
    ("resumption-without-key-share", "tls.resumption", lambda f: f.selected_without_key_share is True),
    ("early-data", "tls.resumption", lambda f: any(ticket.max_early_data for ticket in f.tickets)),
    ("nonce-repeated", "tls.record-protection", lambda f: len(set(f.explicit_nonces)) == 1),
    ("bad-mac-ignored", "tls.integrity", lambda f: f.dropped == {TLS12: False, TLS13: False}),
    ("http-on-dicom-port", "tls.application", lambda f: f.http_answer and f.http_status_line.startswith("HTTP/1.1")),
    ("no-ocsp-staple", "tls.certificates", lambda f: not any(chain.ocsp_stapled for chain in f.chains)),
    ("rsa-1024-signer", "tls.certificates", lambda f: 1024 in f.chains[0].signer_bits),
    ("ed25519-certificate", "tls.certificates", lambda f: "eddsa" in {c.key_kind for c in f.chains}),
    ("p-224-certificate", "tls.certificates", lambda f: 224 in {c.certificates[0].key_bits for c in f.chains}),
    ("sha-1-handshake-signature", "tls.signature-schemes", lambda f: 0x0201 in {s.code for s in f.versions[TLS12]}),
    ("md5-handshake-signature", "tls.signature-schemes", lambda f: 0x0101 in {s.code for s in f.versions[TLS12]}),
    ("tls-1.0-only", "tls.application", lambda f: (f.version, f.echo_status) == (0x0301, 0)),
]


@pytest.mark.parametrize(("fault", "kind", "shows"), FAULTS, ids=[fault for fault, _, _ in FAULTS])
def test_faults_show(pki: Pki, fault: str, kind: str, shows: object) -> None:
    with node(pki, fault) as target:
        run = Run(target, *dict.fromkeys(("tls.client-authentication", kind)))
    assert callable(shows)
    facts = run.facts(MODELS[kind])
    assert shows(facts), facts


def test_rejection_names_the_title_to_register(pki: Pki, tmp_path: Path) -> None:
    with node(pki) as target:
        run = Run(replace(target, called_aet="SOMEBODY-ELSE"), "tls.application")
    facts = run.facts(Application)
    if facts.association == "accepted":
        pytest.skip("the node answers to every title")
    assert facts.association == "rejected"
    assert facts.rejection == (1, 1, 7)
    assert "SOMEBODY-ELSE" in facts.detail


# -- peers -------------------------------------------------------------------------------------------------------


@pytest.mark.peer
@pytest.mark.parametrize("profile", ["+py", "+pn", "+pa"])
def test_storescp(pki: Pki, tmp_path: Path, profile: str) -> None:
    options = {"profile": profile, "client_certificate": "-rc"}
    with peer(pki, tmp_path, "storescp", options) as target:
        run = Run(replace(target, credentials=credentials(pki)))
    application = run.facts(Application)
    assert (application.association, application.echo_status) == ("accepted", 0)
    assert application.http_answer is False
    integrity = run.facts(Integrity)
    assert set(integrity.dropped.values()) == {True}
    trials = {(t.credential, t.version): t.admitted for t in run.facts(ClientAuthentication).trials}
    assert trials["given", TLS12] is True
    assert trials["none", TLS12] is False
    assert trials["unknown-authority", TLS12] is False
    resumption = run.facts(Resumption)
    assert resumption.ticket_tls12 is True
    assert resumption.psk_dhe_ke is (True if profile == "+py" else None)
    assert run.connections <= 40


@pytest.mark.peer
def test_s_server_with_all_its_tricks(pki: Pki, tmp_path: Path) -> None:
    arguments = "-early_data -max_early_data 1000 -allow_no_dhe_kex -client_renegotiation -cipher ALL:@SECLEVEL=0"
    options = {"second_certificate": "server_ec", "arguments": arguments}
    with peer(pki, tmp_path, "s_server", options) as target:
        run = Run(target)
    certificates = run.facts(Certificates)
    assert {chain.key_kind for chain in certificates.chains} == {"rsa", "ec"}
    resumption = run.facts(Resumption)
    assert resumption.session_id_tls12 is True
    assert resumption.ticket_tls12 is True
    assert resumption.psk_dhe_ke is True
    assert resumption.psk_ke is True
    assert resumption.early_data_accepted is True
    renegotiation = run.facts(Renegotiation)
    assert (renegotiation.secure_accepted, renegotiation.insecure_accepted) == (True, False)
    assert run.facts(Application).association == "silence"
    assert run.facts(ClientAuthentication).requested == {TLS12: False, TLS13: False}
    assert run.connections <= 45


@pytest.mark.peer
@pytest.mark.parametrize("required", [True, False])
def test_gnutls(pki: Pki, tmp_path: Path, required: bool) -> None:
    options = {"client_authentication": "required"} if required else {}
    with peer(pki, tmp_path, "gnutls-serv", options) as target:
        run = Run(replace(target, credentials=credentials(pki)))
    admitted = {(t.credential, t.version): t.admitted for t in run.facts(ClientAuthentication).trials}
    assert admitted["none", TLS13] is not required
    assert run.facts(Certificates).ecdsa_refused is True
    assert run.facts(Integrity).dropped == {TLS12: True, TLS13: True}
    assert run.facts(Renegotiation).secure_accepted is True
    assert len(run.facts(RecordProtection).explicit_nonces) >= 3


@pytest.mark.peer
def test_stunnel_in_front_of_a_plain_scp(pki: Pki, tmp_path: Path) -> None:
    options = {"more": "requireCert = yes\nverifyChain = yes\nCAfile = ANCHORS"}
    with peer(pki, tmp_path, "stunnel", options) as target:
        run = Run(replace(target, credentials=credentials(pki)))
    facts = run.facts(ClientAuthentication)
    assert facts.requested == {TLS12: True, TLS13: True}
    assert all(trial.admitted is (trial.credential == "given") for trial in facts.trials)
    assert run.facts(Application).echo_status == 0
