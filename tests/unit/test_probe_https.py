"""HTTPS endpoints as the probes see them: certificates judged above TLS, silence, and ALPN in either version."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from fixtures.pki import Pki
from harness import dicom_ul as ul
from harness.observations import ReactionKind, facts_of
from harness.observations.transport import TLS12, TLS13, Application, ClientAuthentication, Extensions
from harness.probes.base import ClientCredentials, Deadlines, ProbeContext
from harness.probes.transport import extensions
from harness.probes.transport.application import probe_application
from harness.probes.transport.client_authentication import probe_client_authentication
from harness.probes.transport.http_answers import admitted_by_http, http_status
from harness.probes.transport.session_offers import obstacle_to_completion
from reference_impl.node import Node
from reference_impl.transport.faults.certificates import identity_of
from reference_impl.transport.front import Front, FrontSettings, Router
from tests.unit.session_servers import context_of, over_tls, serving

KNOWN, STRANGER, NOBODY = "given", "unknown-authority", "none"
NGINX = b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/html\r\n\r\n<title>400 The SSL certificate error</title>"
PLAIN_400 = b"HTTP/1.1 400 Bad Request\r\n\r\nInvalid host"
OK = b"HTTP/1.1 200 OK\r\n\r\n"
REDIRECTION = b"HTTP/1.1 302 Found\r\nLocation: /login\r\n\r\n"
UNAUTHORIZED, FORBIDDEN = b"HTTP/1.1 401 Unauthorized\r\n\r\n", b"HTTP/1.1 403 Forbidden\r\n\r\n"
SILENCE = b""
Answers = Callable[[str], bytes]
Admitted = dict[str, bool | None]


@pytest.fixture(scope="module")
def pki() -> Pki:
    return Pki.create()


def credentials(pki: Pki) -> ClientCredentials:
    return ClientCredentials(pki.certificate_file("client").read_bytes(), pki.key_file("client").read_bytes())


@contextmanager
def judging_above_tls(pki: Pki, answers: Answers, *, strict: bool = False) -> Iterator[int]:
    """A server that asks for a certificate, takes any (`strict`: only known ones), and then answers who it met."""
    ca = pki.issue("ca").certificate.subject

    def application(connection: socket.socket, _address: tuple[str, int], shown: x509.Certificate | None) -> None:
        client = NOBODY if shown is None else KNOWN if shown.issuer == ca else STRANGER

        def run() -> None:
            with contextlib.suppress(OSError), connection:
                connection.recv(4096)
                answer = answers(client)
                for piece in filter(None, (answer[:20], answer[20:])):  # never in one record alone
                    connection.sendall(piece)
                while not answer and connection.recv(4096):
                    pass

        threading.Thread(target=run, daemon=True).start()

    settings = FrontSettings(
        identities=(identity_of(pki, "server"),),
        client_anchors=(pki.issue("ca").certificate,),
        client_auth="optional",
        path_verdict=None if strict else lambda _step: True,
    )
    with Front(Router(settings), application) as front:
        yield front.address[1]


def trials(context: ProbeContext) -> dict[int, Admitted]:
    """What became of each credential, by version."""
    observation = probe_client_authentication(context)
    context.learn(observation)
    facts = facts_of(observation, ClientAuthentication)
    assert facts is not None, observation.missing
    assert facts.requested == {TLS12: True, TLS13: True}
    found: dict[int, Admitted] = {TLS12: {}, TLS13: {}}
    for trial in facts.trials:
        found[trial.version][trial.credential] = trial.admitted
    return found


def admitted(nobody: bool | None, stranger: bool | None, known: bool | None) -> Admitted:
    return {NOBODY: nobody, STRANGER: stranger, KNOWN: known}


@pytest.mark.parametrize(
    ("nobody", "stranger", "known", "expected"),
    [
        pytest.param(OK, OK, OK, admitted(True, True, True), id="whoever comes"),
        pytest.param(NGINX, NGINX, OK, admitted(False, False, True), id="nginx"),
        pytest.param(NGINX, NGINX, NGINX, admitted(False, False, False), id="nginx knows other authorities"),
        pytest.param(NGINX, NGINX, UNAUTHORIZED, admitted(False, False, True), id="nginx, and a password"),
        pytest.param(FORBIDDEN, FORBIDDEN, OK, admitted(None, False, True), id="forbidden to strangers"),
        pytest.param(FORBIDDEN, FORBIDDEN, FORBIDDEN, admitted(None, False, None), id="forbidden to all"),
        pytest.param(UNAUTHORIZED, UNAUTHORIZED, UNAUTHORIZED, admitted(None, False, None), id="password only"),
        pytest.param(PLAIN_400, PLAIN_400, PLAIN_400, admitted(None, None, None), id="does not like the request"),
        pytest.param(REDIRECTION, REDIRECTION, REDIRECTION, admitted(None, None, None), id="login page"),
        pytest.param(SILENCE, SILENCE, SILENCE, admitted(None, None, None), id="silence"),
        pytest.param(b"no HTTP at all, no", OK, OK, admitted(None, True, True), id="another protocol"),
    ],
)
def test_who_is_let_in_above_tls(
    pki: Pki, nobody: bytes, stranger: bytes, known: bytes, expected: dict[str, bool | None]
) -> None:
    by_client = {NOBODY: nobody, STRANGER: stranger, KNOWN: known}
    with judging_above_tls(pki, by_client.__getitem__) as port:
        context = context_of(port, protocol="https", credentials=credentials(pki))
        assert trials(context) == {TLS12: expected, TLS13: expected}
        # Whatever HTTP says, the handshake can be completed: what is to be seen of TLS can be seen.
        assert obstacle_to_completion(context, TLS13) is None
        assert obstacle_to_completion(context, TLS12) is None


@pytest.mark.parametrize("answer", [SILENCE, UNAUTHORIZED, REDIRECTION, PLAIN_400])
def test_the_given_certificate_is_told_from_one_that_tls_refuses(pki: Pki, answer: bytes) -> None:
    with judging_above_tls(pki, lambda _client: answer, strict=True) as port:
        found = trials(context_of(port, protocol="https", credentials=credentials(pki)))
    assert {(each[STRANGER], each[KNOWN]) for each in found.values()} == {(False, True)}


def test_silence_admits_nobody_to_dicom_either(pki: Pki) -> None:
    with judging_above_tls(pki, lambda _client: SILENCE) as port:
        found = trials(context_of(port, credentials=credentials(pki)))
    assert found == dict.fromkeys((TLS12, TLS13), admitted(None, None, None))


def test_a_witnessed_welcome_of_a_stranger_is_still_one(pki: Pki) -> None:
    answer = ul.encode_pdu(ul.ASSOCIATE_AC, bytes(100))
    with judging_above_tls(pki, lambda _client: answer) as port:
        found = trials(context_of(port, credentials=credentials(pki)))
    assert {each[STRANGER] for each in found.values()} == {True}


def test_silence_is_told_as_what_it_is(pki: Pki) -> None:
    with judging_above_tls(pki, lambda _client: SILENCE) as port:
        facts = facts_of(probe_client_authentication(context_of(port, protocol="https")), ClientAuthentication)
    assert facts is not None
    for trial in facts.trials:
        assert trial.reaction.kind is ReactionKind.COMPLETED
        assert trial.reaction.detail == "neither refused nor answered until the deadline"


@pytest.mark.parametrize("credential", [NOBODY, STRANGER, KNOWN])
@pytest.mark.parametrize(("status", "answer"), [(200, True), (204, True), (404, True), (405, True), (503, None)])
def test_statuses_that_do_not_depend_on_who_asks(credential: str, status: int, answer: bool | None) -> None:
    assert admitted_by_http(b"HTTP/1.1 %d x\r\n\r\n" % status, credential) == (answer, f"HTTP status {status}")


@pytest.mark.parametrize("status", [495, 496])
def test_statuses_about_certificates_refuse(status: int) -> None:
    for credential in (NOBODY, STRANGER, KNOWN):
        assert admitted_by_http(b"HTTP/1.1 %d x\r\n\r\n" % status, credential)[0] is False


def test_a_400_is_no_refusal_for_the_word_in_its_reason_phrase_alone() -> None:
    assert admitted_by_http(b"HTTP/1.1 400 certificate\r\n\r\n", STRANGER)[0] is None
    assert admitted_by_http(b"HTTP/1.1 400 x\r\n\r\nNo required SSL certificate was sent", NOBODY)[0] is False


@given(st.binary(max_size=60) | st.binary(max_size=30).map(b"HTTP/1.1 ".__add__))
def test_any_answer_is_understood_or_not(answer: bytes) -> None:
    status = http_status(answer)
    assert status is None or 0 <= status <= 999
    for credential in (NOBODY, STRANGER, KNOWN):
        let_in, told = admitted_by_http(answer, credential)
        assert told
        assert status is not None or let_in is None


# -- ALPN --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [TLS12, TLS13])
@pytest.mark.parametrize(("offered", "chosen"), [(["http/1.1"], "http/1.1"), (["h2"], "h2"), (None, "")])
def test_alpn_is_seen_in_either_version(pki: Pki, version: int, offered: list[str] | None, chosen: str) -> None:
    settings = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    settings.load_cert_chain(pki.certificate_file("server"), pki.key_file("server"))
    settings.minimum_version = settings.maximum_version = ssl.TLSVersion(version)
    if offered is not None:
        settings.set_alpn_protocols(offered)
    with serving(over_tls(settings, lambda _secured: None)) as port:
        context = context_of(port, protocol="https", versions=(version,))
        facts = facts_of(extensions.probe(context), Extensions)
    assert facts is not None
    assert facts.alpn_selected == chosen
    assert facts.alpn_exchange


@pytest.mark.parametrize("version", [TLS12, TLS13])
def test_alpn_of_a_server_that_refuses_is_not_established(version: int) -> None:
    with serving(lambda connection: connection.sendall(b"\x15\x03\x03\x00\x02\x02\x28")) as port:
        facts = facts_of(extensions.probe(context_of(port, protocol="https", versions=(version,))), Extensions)
    assert facts is not None
    assert (facts.alpn_selected, facts.alpn_exchange) == (None, "")


# -- the port ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("gentle", [False, True])
@pytest.mark.parametrize(("faults", "association"), [((), "no-dicom"), (("dicom-on-https-port",), "rejected")])
def test_the_https_node_is_asked_for_an_association(
    pki: Pki, gentle: bool, faults: tuple[str, ...], association: str
) -> None:
    with Node(faults=faults, protocol="https", pki=pki) as node:
        context = context_of(node.address[1], protocol="https", credentials=credentials(pki), deadlines=Deadlines())
        context.gentle = gentle
        facts = facts_of(probe_application(context), Application)
    assert facts is not None
    assert (facts.association, facts.http_answer) == (association, True)
    assert facts.http_status_line == "HTTP/1.1 200 OK"
