"""Whose certificates a SUT is shown, under which name, and which trials that leaves out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from fixtures.pki.campaign import Campaign, Names
from fixtures.pki.zoo import CASES
from harness.errors import UsageProblem
from harness.listeners.base import Opening
from harness.listeners.tls import TlsTrials, addresses_of, takes_trust_anchors
from harness.listeners.transport.trials import CERTIFICATE_PREFIX, TRIALS
from harness.observations.clients import ClientConnection, ClientHelloFacts
from harness.probes.base import Deadlines
from harness.sut import Sut, parse_sut


def a_client(
    *, name: str = "localhost", command: str = "scu {trust_anchors}", host: str = "127.0.0.1", campaign: str = ""
) -> Sut:
    credentials = f'[credentials]\ncampaign = "{campaign}"' if campaign else ""
    text = f"""
schema = 1
[identity]
id = "{name.replace(":", "-")}{"-campaign" if campaign else ""}"
[endpoints.scu]
host = "{host}"
[endpoints.scu.listen]
driver = "run"
name = "{name}"
[drivers.run]
command = "{command}"
[[claims]]
profile = "B.12"
role = "tls-client"
endpoint = "scu"
{credentials}
"""
    return parse_sut(text, source="ct.toml", folder=Path())


def ordinary(*, octets: int = 100, extensions: tuple[int, ...] = (5, 43)) -> ClientConnection:
    """What a modern client did in the ordinary trial."""
    hello = ClientHelloFacts(
        record_version=0x0301,
        version=0x0303,
        supported_versions=(0x0304, 0x0303),
        suites=(0x1301, 0xC02F),
        extensions=extensions,
        groups=(29, 23),
        key_shares=(29,),
        schemes=(0x0403, 0x0804),
    )
    return ClientConnection(
        exchange="scu-0001",
        peer="127.0.0.1:1",
        opening="tls",
        hello=hello,
        progress="completed",
        ended="close_notify",
        application_octets=octets,
    )


@pytest.fixture
def domain() -> Iterator[TlsTrials]:
    with TlsTrials() as opened:
        yield opened


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Campaign:
    names = Names(dns_names=("harness.example.org",), ip_addresses=())
    return Campaign.create(tmp_path_factory.mktemp("campaign"), names=names)


def left_out(domain: TlsTrials, sut: Sut, seen: ClientConnection | None = None) -> dict[str, str]:
    """Cases of the zoo that are not shown, and why."""
    reasons = {trial.case: domain.skipped(sut, "scu", trial, seen) for trial in TRIALS.values() if trial.case}
    return {case: why for case, why in reasons.items() if why}


class TestNames:
    @pytest.mark.parametrize("name", ["localhost", "harness.example.org", "127.0.0.1"])
    def test_the_good_certificate_holds_the_name_that_the_sut_uses(self, domain: TlsTrials, name: str) -> None:
        leaf = x509.load_der_x509_certificate(domain.zoo(a_client(name=name), "scu").good("server").chain[0])
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert name in [*names.get_values_for_type(x509.DNSName), *map(str, names.get_values_for_type(x509.IPAddress))]

    @pytest.mark.parametrize(
        ("name", "unmet"),
        [
            ("localhost", {"by-address", "qualified-name"}),
            ("harness.example.org", {"by-address"}),
            ("127.0.0.1", {"by-name", "qualified-name"}),
        ],
    )
    def test_cases_that_need_another_name_are_left_out(self, domain: TlsTrials, name: str, unmet: set[str]) -> None:
        reasons = left_out(domain, a_client(name=name))
        for case in CASES.values():
            if case.server is not None:
                assert (case.name in reasons) == bool(case.needs & unmet), (case, reasons.get(case.name))

    def test_every_case_that_is_not_left_out_can_be_shown(self, domain: TlsTrials) -> None:
        for name in ("localhost", "harness.example.org", "127.0.0.1"):
            sut = a_client(name=name)
            reasons = left_out(domain, sut)
            for case in CASES.values():
                if case.server is not None and case.name not in reasons:
                    assert domain.zoo(sut, "scu").present(case.name, "server").chain is not None


class TestTrust:
    def test_the_anchors_hold_the_authority_and_the_certificate_that_is_trusted_itself(
        self, domain: TlsTrials, campaign: Campaign
    ) -> None:
        for sut in (a_client(), a_client(name="harness.example.org", campaign=str(campaign.directory))):
            anchors = domain.trust_anchors(sut)
            assert anchors is not None
            authority, pinned = x509.load_pem_x509_certificates(anchors.read_bytes())
            zoo = domain.zoo(sut, "scu")
            assert authority == zoo.pki.issue("ca").certificate
            assert zoo.present("self-signed-pinned", "server").chain[0] == pinned.public_bytes(Encoding.DER)
        assert authority == campaign.authority.certificate

    def test_what_was_made_for_the_run_is_gone_after_it(self) -> None:
        with TlsTrials() as domain:
            anchors = domain.trust_anchors(a_client())
            assert anchors is not None
            assert anchors.exists()
        assert not anchors.exists()

    def test_one_that_refuses_even_the_good_certificate_is_shown_what_needs_no_trust(self, domain: TlsTrials) -> None:
        reasons = left_out(domain, a_client(command="scu"), ordinary(octets=0))
        assert "install the test authority made by `ps315 pki`" in reasons["expired"]
        assert "unknown-authority" not in reasons
        assert "self-signed-unknown" not in reasons
        assert left_out(domain, a_client(command="scu"), ordinary()).keys() < reasons.keys()

    def test_one_that_was_told_to_trust_a_campaign_is_shown_all_of_it(
        self, domain: TlsTrials, campaign: Campaign
    ) -> None:
        sut = a_client(name="harness.example.org", command="scu", campaign=str(campaign.directory))
        reasons = left_out(domain, sut, ordinary(octets=0))
        assert "expired" not in reasons
        assert "self-signed-pinned" not in reasons
        other = a_client(name="other.example.org", command="scu", campaign=str(campaign.directory))
        assert "self-signed-pinned" in left_out(domain, other)  # it was made for the campaign's names

    def test_a_pinned_certificate_has_to_have_been_told(self, domain: TlsTrials) -> None:
        assert takes_trust_anchors(a_client(), "scu")
        assert "self-signed-pinned" not in left_out(domain, a_client())
        told = a_client(command="scu")
        assert not takes_trust_anchors(told, "scu")
        assert "was not told to trust this very certificate" in left_out(domain, told)["self-signed-pinned"]


class TestRevocation:
    def test_a_client_on_this_computer_reaches_a_responder(self, domain: TlsTrials) -> None:
        sut = a_client()
        assert domain.zoo(sut, "scu").revocation_url.startswith("http://127.0.0.1:")
        assert "revoked-crl" not in left_out(domain, sut)

    def test_another_needs_a_campaign_that_says_where(self, domain: TlsTrials) -> None:
        sut = a_client(host="192.0.2.7")
        assert domain.zoo(sut, "scu").revocation_url == ""
        assert "revocation URL" in left_out(domain, sut)["revoked-crl"]

    def test_stapling_is_for_those_who_ask(self, domain: TlsTrials) -> None:
        case = next(case.name for case in CASES.values() if "stapling" in case.needs and case.server)
        trial = TRIALS[CERTIFICATE_PREFIX + case]
        assert domain.skipped(a_client(), "scu", trial, ordinary()) == ""
        assert "stapled" in domain.skipped(a_client(), "scu", trial, ordinary(extensions=(43,)))


@pytest.mark.parametrize(
    ("host", "addresses"),
    [
        ("localhost", {"127.0.0.1", "::1"}),
        ("127.0.0.2", {"127.0.0.2"}),
        ("192.0.2.7", {"192.0.2.7"}),
        ("2001:db8::7", {"2001:db8::7"}),
    ],
)
def test_where_a_sut_may_come_from(host: str, addresses: set[str]) -> None:
    assert addresses_of(host) == addresses


def test_a_sut_whose_address_is_not_known_is_told(domain: TlsTrials) -> None:
    opening = Opening(
        a_client(host="no-such-host.invalid"), "scu", 0, Deadlines(), lambda _exchange: None, lambda: "scu-0001"
    )
    with pytest.raises(UsageProblem, match=r"endpoints\.scu\.host: 'no-such-host\.invalid' cannot be resolved"):
        domain.open(opening)
