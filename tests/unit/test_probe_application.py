"""What is spoken inside the secure connection: every outcome that the model names, by servers that play it."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from fixtures.pki import Pki
from harness import dicom_ul as ul
from harness.observations import Observation, facts_of
from harness.observations.transport import TLS12, TLS13, Application
from harness.probes.base import Deadlines
from harness.probes.transport.application import probe_application
from tests.unit.session_servers import context_of, over_tls, serving

Talk = Callable[[ssl.SSLSocket], None]
PATIENT = Deadlines(connect=2.0, exchange=5.0, silence=1.5)
HTTP = b"HTTP/1.1 400 Bad Request\r\nServer: <script>\x80\r\n\r\n"


@pytest.fixture(scope="module")
def settings() -> ssl.SSLContext:
    pki = Pki.create()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pki.certificate_file("server"), pki.key_file("server"))
    return context


def accept(result: int = 0) -> bytes:
    def item(kind: int, data: bytes) -> bytes:
        return bytes((kind, 0)) + len(data).to_bytes(2, "big") + data

    body = b"\x00\x01\x00\x00" + bytes(32) + bytes(32) + item(0x10, ul.APPLICATION_CONTEXT.encode())
    body += item(0x21, bytes((1, 0, result, 0)) + item(0x40, ul.IMPLICIT_LITTLE_ENDIAN.encode()))
    return ul.encode_pdu(ul.ASSOCIATE_AC, body + item(0x50, item(0x51, bytes(4))))


def scp(*, delay: float = 0.0, echo: float = 0.0, step: int = 10_000, result: int = 0, status: int = 0) -> Talk:
    """A verification SCP that answers late (all, or C-ECHO), in small pieces, or with a refusal in the association."""

    def talk(secured: ssl.SSLSocket) -> None:
        pdus = ul.PduReader()
        while data := secured.recv(4096):
            try:
                arrived = pdus.feed(data)
            except ul.PduError:  # the HTTP request
                return
            for pdu in arrived:
                answer = {
                    ul.ASSOCIATE_RQ: accept(result),
                    ul.DATA: ul.echo_rsp(1, status),
                    ul.RELEASE_RQ: ul.encode_pdu(ul.RELEASE_RP, bytes(4)),
                }[pdu.type]
                if late := max(delay, echo if pdu.type == ul.DATA else 0.0):
                    threading.Event().wait(late)
                for at in range(0, len(answer), step):
                    secured.sendall(answer[at : at + step])

    return talk


def answering(answer: bytes) -> Talk:
    def talk(secured: ssl.SSLSocket) -> None:
        secured.recv(4096)
        secured.sendall(answer)

    return talk


def listening(secured: ssl.SSLSocket) -> None:
    while secured.recv(4096):
        pass


@contextmanager
def observed(
    settings: ssl.SSLContext, talk: Talk, protocol: str = "dicom-tls", version: int = TLS13
) -> Iterator[Observation]:
    with serving(over_tls(settings, talk)) as port:
        yield probe_application(context_of(port, protocol=protocol, deadlines=PATIENT, versions=(version,)))


def seen(settings: ssl.SSLContext, talk: Talk, protocol: str = "dicom-tls", version: int = TLS13) -> Application:
    with observed(settings, talk, protocol, version) as observation:
        facts = facts_of(observation, Application)
        assert facts is not None, observation.missing
        assert facts.exchanges
        assert facts.version == version
        return facts


@pytest.mark.parametrize("version", [TLS12, TLS13])
@pytest.mark.parametrize("step", [10_000, 7])
def test_association_and_echo(settings: ssl.SSLContext, version: int, step: int) -> None:
    facts = seen(settings, scp(step=step), version=version)
    assert (facts.association, facts.echo_status, facts.detail) == ("accepted", 0, "")
    assert (facts.calling_aet, facts.called_aet) == ("PS315-HARNESS", "ANY-SCP")


def test_slow_server_gets_its_time(settings: ssl.SSLContext) -> None:
    facts = seen(settings, scp(delay=0.5))
    assert (facts.association, facts.echo_status) == ("accepted", 0)


def test_busy_server_may_answer_the_echo_after_more_than_the_silence_of_others(settings: ssl.SSLContext) -> None:
    facts = seen(settings, scp(echo=PATIENT.silence + 0.3))
    assert (facts.association, facts.echo_status) == ("accepted", 0)


def test_slow_server_that_drops_its_answer_when_we_close_gets_its_time(settings: ssl.SSLContext) -> None:
    """It reacts to an HTTP request at once, so it reads what it is sent, and is not taken for a silent application."""

    def slow(secured: ssl.SSLSocket) -> None:
        first = secured.recv(4096)
        if first[:1] != bytes((ul.ASSOCIATE_RQ,)):
            return
        secured.settimeout(0.4)
        try:
            if not secured.recv(4096):
                return  # we were told that no more comes: the pending answer is dropped
        except TimeoutError:
            secured.settimeout(5)
        secured.sendall(accept())
        scp()(secured)

    facts = seen(settings, slow)
    assert (facts.association, facts.echo_status) == ("accepted", 0)


def test_echo_status_is_told(settings: ssl.SSLContext) -> None:
    assert seen(settings, scp(status=0x0122)).echo_status == 0x0122


def test_refused_presentation_context_is_no_echo(settings: ssl.SSLContext) -> None:
    facts = seen(settings, scp(result=3))
    assert (facts.association, facts.echo_status) == ("accepted", None)
    assert "presentation context" in facts.detail


@pytest.mark.parametrize(
    ("reason", "words"), [(7, "does not answer to the called AE title ANY-SCP"), (3, "register the calling AE title")]
)
def test_rejections_say_what_helps(settings: ssl.SSLContext, reason: int, words: str) -> None:
    facts = seen(settings, answering(ul.encode_pdu(ul.ASSOCIATE_RJ, bytes((0, 1, 1, reason)))))
    assert (facts.association, facts.rejection) == ("rejected", (1, 1, reason))
    assert words in facts.detail


@pytest.mark.parametrize(
    ("answer", "association"),
    [
        (ul.encode_pdu(ul.ABORT, bytes((0, 0, 2, 1))), "aborted"),
        (ul.encode_pdu(ul.ABORT, b""), "no-dicom"),
        (ul.release_rq(), "no-dicom"),
        (ul.encode_pdu(ul.ASSOCIATE_AC, b""), "no-dicom"),
        (b"220 mail.example ESMTP\r\n", "no-dicom"),
        (b"\x02\x00\xff\xff\xff\xff", "no-dicom"),
        (b"", "no-dicom"),
    ],
)
def test_what_is_no_association(settings: ssl.SSLContext, answer: bytes, association: str) -> None:
    facts = seen(settings, answering(answer))
    assert (facts.association, facts.echo_status, facts.http_answer) == (association, None, False)
    assert facts.detail


def test_silent_application_is_silence(settings: ssl.SSLContext) -> None:
    facts = seen(settings, listening)
    assert (facts.association, facts.http_answer) == ("silence", False)


def test_http_on_the_port_shows(settings: ssl.SSLContext) -> None:
    facts = seen(settings, answering(HTTP))
    assert facts.association == "no-dicom"
    assert facts.http_answer is True
    assert facts.http_status_line == "HTTP/1.1 400 Bad Request"


def test_https_endpoint_is_asked_for_both_protocols(settings: ssl.SSLContext) -> None:
    asked: list[bytes] = []

    def talk(secured: ssl.SSLSocket) -> None:
        asked.append(secured.recv(4096))
        secured.sendall(b"HTTP/1.1 200 OK\xff\r\n\r\n")

    facts = seen(settings, talk, "https")
    assert facts.association == "no-dicom"
    assert facts.http_answer is True
    assert facts.http_status_line == "HTTP/1.1 200 OK\\xff"
    assert any(request.startswith(b"GET / HTTP/1.1\r\nHost: localhost:") for request in asked)
    assert any(request.startswith(b"\x01\x00") for request in asked)


def test_nothing_is_written_into_a_log(settings: ssl.SSLContext) -> None:
    heard: list[bytes] = []

    def talk(secured: ssl.SSLSocket) -> None:
        heard.append(secured.recv(4096))

    facts = seen(settings, talk, "syslog-tls")
    assert heard == [b""]
    assert (facts.association, facts.http_answer) == ("", None)


def test_no_version_no_application() -> None:
    observation = probe_application(context_of(1, versions=()))
    assert observation.facts is None
    assert "no protocol version" in observation.missing
