"""What the probes do at a syslog receiver, which answers nothing, and what they make of its silence."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from fixtures.pki import Pki
from harness.observations import Observation, ReactionKind, facts_of
from harness.observations.transport import TLS12, TLS13, Application, ClientAuthentication, Plaintext
from harness.probes.base import ClientCredentials, Deadlines, ProbeContext
from harness.probes.transport.admission import admission
from harness.probes.transport.application import probe_application
from harness.probes.transport.client_authentication import probe_client_authentication
from harness.probes.transport.plaintext import probe as probe_plaintext
from harness.probes.transport.session import Session
from harness.probes.transport.session_offers import given_identity, offer_of
from reference_impl.node import Node
from tests.unit.session_servers import context_of

PATIENT = Deadlines(connect=5.0, exchange=5.0, silence=1.0)


@pytest.fixture(scope="module")
def pki() -> Pki:
    return Pki.create()


@contextlib.contextmanager
def receiving(pki: Pki, *faults: str) -> Iterator[tuple[Node, ProbeContext]]:
    with Node("A.6", faults, protocol="syslog-tls", pki=pki) as node:
        given = ClientCredentials(node.client_certificate.read_bytes(), node.client_key.read_bytes())
        yield node, context_of(node.address[1], protocol="syslog-tls", credentials=given, deadlines=PATIENT)


def plaintext(observation: Observation) -> Plaintext:
    facts = facts_of(observation, Plaintext)
    assert facts is not None
    return facts


def test_a_message_in_the_clear_is_refused_at_once(pki: Pki) -> None:
    with receiving(pki) as (node, context):
        facts = plaintext(probe_plaintext(context))
        assert facts.reaction.kind is ReactionKind.ALERT
        assert facts.broken_record is None  # nothing to compare with is needed
        assert not facts.dicom_answer
        assert node.messages == ()


def test_a_message_that_is_taken_in_the_clear_shows_beside_a_broken_record(pki: Pki) -> None:
    with receiving(pki, "message-in-the-clear") as (node, context):
        observation = probe_plaintext(context)
        facts = plaintext(observation)
        assert facts.reaction.kind is ReactionKind.SILENCE
        assert facts.broken_record is not None
        assert facts.broken_record.refused
        assert len(observation.exchanges) == 2
        (message,) = node.await_messages(1, 5.0)
        assert b"PS315" in message  # whoever finds it in a log can tell where it came from


@pytest.mark.parametrize(
    ("faults", "detail"), [((), "close_notify"), (("no-close-notify",), "the connection was closed")]
)
def test_the_answer_to_close_notify_is_recorded(pki: Pki, faults: tuple[str, ...], detail: str) -> None:
    with receiving(pki, *faults) as (node, context):
        facts = facts_of(probe_application(context), Application)
        assert facts is not None
        assert facts.closing is not None
        assert (facts.closing.kind, facts.closing.detail) == (ReactionKind.CLOSE, detail)
        assert (facts.association, facts.http_answer) == ("", None)
        assert node.messages == ()


@pytest.mark.parametrize("faults", [(), ("no-close-notify",), ("refuses-without-alert",)])
def test_who_is_not_refused_at_once_is_admitted(pki: Pki, faults: tuple[str, ...]) -> None:
    with receiving(pki, *faults) as (node, context):
        observation = probe_client_authentication(context)
        facts = facts_of(observation, ClientAuthentication)
        assert facts is not None
        assert {(each.credential, each.version): each.admitted for each in facts.trials} == {
            (credential, version): credential == "given"
            for version in (TLS12, TLS13)
            for credential in ("none", "unknown-authority", "given")
        }
        context.learn(observation)  # from now on it is known that strangers are refused
        identity = given_identity(context.target.credentials)
        with Session(context, offer_of(context, TLS13, identity=identity), "once more") as session:
            seen = admission(session, session.handshake(), "good")
        assert (seen.admitted, seen.stage) == (True, "application")
        assert node.messages == ()
