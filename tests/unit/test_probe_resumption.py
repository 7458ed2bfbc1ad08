"""A server that is busy for a while has not said that it issues no tickets; nor has it stopped answering."""

from __future__ import annotations

import itertools
import socket
import ssl
import threading
import time

from fixtures.pki import Pki
from harness.observations import ReactionKind, facts_of
from harness.observations.transport import TLS13, Resumption
from harness.probes.transport.resumption import probe_resumption
from harness.probes.transport.session_transport import note_answer, unanswered, worth_another_try
from tests.unit.session_servers import context_of, over_tls, serving


def test_a_server_too_busy_to_send_its_tickets_is_asked_again() -> None:
    pki = Pki.create()
    quiet, open_ = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    quiet.num_tickets = 0
    for settings in (quiet, open_):
        settings.load_cert_chain(pki.certificate_file("server"), pki.key_file("server"))
    numbers, over = itertools.count(), threading.Event()

    def holds_its_tongue(_secured: ssl.SSLSocket) -> None:
        over.wait(5)

    def answers(secured: ssl.SSLSocket) -> None:
        while secured.recv(4096):
            pass

    busy, ready = over_tls(quiet, holds_its_tongue), over_tls(open_, answers)

    def first_busy(connection: socket.socket) -> None:
        script = ready if next(numbers) else busy
        script(connection)

    with serving(first_busy) as port:
        facts = facts_of(probe_resumption(context_of(port, versions=(TLS13,))), Resumption)
        over.set()
    assert facts is not None
    assert facts.tickets
    assert facts.psk_dhe_ke is True


def test_sessions_that_wait_at_the_same_time_are_one_silence() -> None:
    context, began = context_of(1), time.monotonic()
    for _ in range(8):
        note_answer(context, ReactionKind.SILENCE, began)
    assert unanswered(context) == 1
    assert worth_another_try(context, ReactionKind.SILENCE)
    for _ in range(3):
        note_answer(context, ReactionKind.SILENCE, time.monotonic())
    assert not worth_another_try(context, ReactionKind.SILENCE)
