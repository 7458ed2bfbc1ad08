"""What a server sends unasked is no answer to a broken record."""

from __future__ import annotations

import ssl
from collections.abc import Callable

import pytest

from fixtures.pki import Pki
from harness.observations import ReactionKind, facts_of
from harness.observations.transport import TLS12, TLS13, Integrity
from harness.probes.transport.integrity import probe_integrity
from tests.unit.session_servers import context_of, over_tls, serving

GREETING = b"220 device.example ESMTP\r\n"


def greets_and_reads(secured: ssl.SSLSocket) -> None:
    secured.sendall(GREETING)
    while secured.recv(4096):  # a broken record raises, after the alert was sent
        pass


def greets_and_ends(secured: ssl.SSLSocket) -> None:
    secured.sendall(GREETING)


@pytest.mark.parametrize(
    ("talk", "dropped", "kind"),
    [(greets_and_reads, True, ReactionKind.ALERT), (greets_and_ends, None, ReactionKind.COMPLETED)],
)
def test_a_greeting_answers_nothing(
    talk: Callable[[ssl.SSLSocket], None], dropped: bool | None, kind: ReactionKind
) -> None:
    pki = Pki.create()
    settings = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    settings.load_cert_chain(pki.certificate_file("server"), pki.key_file("server"))
    with serving(over_tls(settings, talk)) as port:
        facts = facts_of(probe_integrity(context_of(port)), Integrity)
    assert facts is not None
    assert facts.dropped == {TLS12: dropped, TLS13: dropped}
    assert {reaction.kind for reaction in facts.reactions.values()} == {kind}
