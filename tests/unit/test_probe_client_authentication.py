"""Trials of client certificates where the refusal comes above TLS, late, or not at all."""

from __future__ import annotations

import ssl

import pytest

from fixtures.pki import Pki
from harness import dicom_ul as ul
from harness.observations import facts_of
from harness.observations.transport import TLS12, TLS13, ClientAuthentication
from harness.probes.base import ClientCredentials
from harness.probes.transport.client_authentication import probe_client_authentication
from tests.unit.session_servers import context_of, over_tls, serving

REJECT = ul.encode_pdu(ul.ASSOCIATE_RJ, bytes((0, 1, 1, 1)))


@pytest.fixture(scope="module")
def pki() -> Pki:
    return Pki.create()


def trials(pki: Pki, answer: bytes, protocol: str = "dicom-tls") -> dict[tuple[str, int], bool | None]:
    """Against a server that asks for a certificate, takes none as well, and says `answer` to whatever comes."""
    settings = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    settings.load_cert_chain(pki.certificate_file("server"), pki.key_file("server"))
    settings.verify_mode = ssl.CERT_OPTIONAL
    settings.load_verify_locations(pki.trust_anchors_file())

    def talk(secured: ssl.SSLSocket) -> None:
        while secured.recv(4096):
            if answer:
                secured.sendall(answer)

    given = ClientCredentials(pki.certificate_file("client").read_bytes(), pki.key_file("client").read_bytes())
    with serving(over_tls(settings, talk)) as port:
        observation = probe_client_authentication(context_of(port, protocol=protocol, credentials=given))
    facts = facts_of(observation, ClientAuthentication)
    assert facts is not None
    assert facts.requested == {TLS12: True, TLS13: True}
    assert facts.credentials_given
    return {(trial.credential, trial.version): trial.admitted for trial in facts.trials}


def expected(none: bool | None, given: bool | None) -> dict[tuple[str, int], bool | None]:
    return {
        (credential, version): admitted
        for version in (TLS12, TLS13)
        for credential, admitted in (("none", none), ("unknown-authority", False), ("given", given))
    }


def test_a_rejected_association_may_be_about_the_certificate(pki: Pki) -> None:
    assert trials(pki, REJECT) == expected(None, True)


def test_whoever_is_answered_is_let_in(pki: Pki) -> None:
    assert trials(pki, ul.encode_pdu(ul.ASSOCIATE_AC, bytes(68))) == expected(True, True)


def test_silence_tells_nothing_but_beside_a_refusal(pki: Pki) -> None:
    """Nobody knows what silence means; for the given certificate, the refusal of an unknown one tells it apart."""
    assert trials(pki, b"") == expected(None, True)


@pytest.mark.parametrize(
    ("answer", "none", "given"),
    [
        (b"400 Bad Request\r\n\r\nNo required SSL certificate was sent", False, False),
        (b"400 Bad Request", None, True),
        (b"403 Forbidden", None, True),
        (b"200 OK", True, True),
    ],
)
def test_web_servers_refuse_by_status(pki: Pki, answer: bytes, none: bool | None, given: bool | None) -> None:
    assert trials(pki, b"HTTP/1.1 " + answer + b"\r\n\r\n", "https") == expected(none, given)


@pytest.mark.parametrize("protocol", ["syslog-tls"])
def test_nothing_is_sent_to_a_syslog_receiver(pki: Pki, protocol: str) -> None:
    assert trials(pki, b"never", protocol) == expected(True, True)
