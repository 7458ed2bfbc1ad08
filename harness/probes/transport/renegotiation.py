"""kind ``tls.renegotiation`` and ``tls.record-protection``: a second ClientHello inside a TLS 1.2 connection.

The answers to it are also protected records of the server, whose explicit nonces are what the second kind is about.
"""

from __future__ import annotations

from harness.dicom_ul import ASSOCIATE_AC, DATA, PduError, PduReader, echo_rq, release_rq
from harness.observations import Observation, Reaction, ReactionKind
from harness.observations.transport import TLS12, RecordProtection, Renegotiation
from harness.probes.base import ProbeContext
from harness.probes.transport.session import Session
from harness.probes.transport.session_handshake import legacy_hello
from harness.probes.transport.session_offers import (
    Obstacle,
    completable_suites,
    greeting,
    no_version,
    obstacle_of,
    obstacle_to_completion,
    offer_of,
    suites_tls12,
    supported_versions,
)
from reference_impl.transport.wire.codes import ContentType, HandshakeType

_NO_RENEGOTIATION = 100
_ENOUGH_NONCES = 3


def _ask_again(session: Session) -> bool:
    hello = legacy_hello(session.offer, renegotiation=session.client_verify_data)
    return session.send(hello.encode(), content_type=ContentType.HANDSHAKE)


def _answer(session: Session) -> Reaction:
    """How the server answers the second ClientHello."""
    witness = Reaction(
        kind=ReactionKind.SERVER_HELLO, version=session.version, suite=session.suite, exchange=session.id
    )
    while True:
        incoming = session.read(session.context.deadlines.silence)
        if incoming.end is not None:
            return incoming.end
        if incoming.message is not None and incoming.message.type == HandshakeType.SERVER_HELLO:
            return witness
        if incoming.alert == _NO_RENEGOTIATION:
            update = {"kind": ReactionKind.ALERT, "alert": incoming.alert, "fatal": False}
            return witness.model_copy(update=update)


def _accepted(reaction: Reaction) -> bool | None:
    if reaction.kind is ReactionKind.SERVER_HELLO:
        return True
    return False if reaction.refused else None


def _obstacle(context: ProbeContext, what: str) -> Obstacle | None:
    if TLS12 not in supported_versions(context):
        return no_version(what)
    return obstacle_to_completion(context, TLS12)


def _unobserved(context: ProbeContext, kind: str, obstacle: Obstacle, exchanges: tuple[str, ...] = ()) -> Observation:
    return context.observed(kind, None, missing=obstacle.missing, remedy=obstacle.remedy, exchanges=exchanges)


def probe_renegotiation(context: ProbeContext) -> Observation:
    """Client-initiated renegotiation, with renegotiation_info (RFC 5746) and without."""
    kind = "tls.renegotiation"
    obstacle = _obstacle(context, "renegotiation")
    if obstacle is not None:
        return _unobserved(context, kind, obstacle)
    reactions: list[Reaction | None] = []
    exchanges: list[str] = []
    for secure in (True, False):
        purpose = f"client-initiated renegotiation {'with' if secure else 'without'} renegotiation_info"
        with Session(context, offer_of(context, TLS12, renegotiation_info=secure), purpose) as session:
            reaction = session.handshake()
            if session.established:
                _ask_again(session)
                answer = _answer(session)
                reactions.append(answer)
                session.outcome = f"second ClientHello: {answer.kind.value}"
            elif secure:
                requested = session.flight.request is not None
                obstacle = obstacle_of(context, reaction, "renegotiation", requested=requested)
                reactions.append(None)
            else:  # who shakes hands with nobody that lacks the extension does not renegotiate with him either
                reactions.append(reaction if reaction.refused else None)
        exchanges.append(session.id)
        if obstacle is not None:
            return _unobserved(context, kind, obstacle, tuple(exchanges))
    with_info, without_info = reactions
    facts = Renegotiation(
        secure_accepted=None if with_info is None else _accepted(with_info),
        insecure_accepted=None if without_info is None else _accepted(without_info),
        reaction=with_info,
    )
    return context.observed(kind, facts, exchanges=tuple(exchanges))


def _provoke(session: Session) -> None:
    """Make the server send protected records without any application: it answers a second hello, and our close."""
    for _ in range(2):
        if not _ask_again(session) or not _answer(session).alert:
            break
    if len(session.explicit_nonces) < _ENOUGH_NONCES:
        session.drain(session.context.deadlines.silence)


def _converse(session: Session) -> None:
    """Make the server send protected records by talking to what is behind it."""
    first, silence = greeting(session.context.target), session.context.deadlines.silence
    if not first or not session.send(first):
        session.drain(silence)
        return
    pdus = PduReader()
    replies = [echo_rq(), release_rq()] if session.context.target.protocol == "dicom-tls" else []
    while (incoming := session.read(silence)).data is not None:
        try:
            arrived = pdus.feed(incoming.data)
        except PduError:
            break
        if replies and any(pdu.type in {ASSOCIATE_AC, DATA} for pdu in arrived):
            session.send(replies.pop(0))
    if len(session.explicit_nonces) < _ENOUGH_NONCES:
        session.drain(silence)


def probe_record_protection(context: ProbeContext) -> Observation:
    """Explicit nonces of consecutive records of the server under an AES-GCM suite of TLS 1.2."""
    kind = "tls.record-protection"
    obstacle = _obstacle(context, "an explicit nonce")
    if obstacle is not None:
        return _unobserved(context, kind, obstacle)
    gcm = suites_tls12(modes=frozenset({"GCM"}))
    usual = completable_suites(context, TLS12)
    suites = tuple(code for code in usual if code in gcm) or gcm
    exchanges: list[str] = []
    seen = 0
    for talk in (_provoke, _converse):
        with Session(context, offer_of(context, TLS12, suites=suites), "explicit nonces of AES-GCM records") as session:
            reaction = session.handshake()
            if session.established:
                talk(session)
                session.outcome = f"{len(session.explicit_nonces)} explicit nonces seen"
        exchanges.append(session.id)
        if not session.established:
            requested = session.flight.request is not None
            obstacle = obstacle_of(context, reaction, "AES-GCM records", requested=requested)
            return _unobserved(context, kind, obstacle, tuple(exchanges))
        nonces = tuple(nonce.hex() for nonce in session.explicit_nonces)
        if len(nonces) >= _ENOUGH_NONCES:
            facts = RecordProtection(explicit_nonces=nonces, suite=session.suite, exchange=session.id)
            return context.observed(kind, facts, exchanges=tuple(exchanges))
        seen = max(seen, len(nonces))
    missing = (
        f"the server sent {seen} protected records on one connection, {_ENOUGH_NONCES} are needed to compare nonces"
    )
    return _unobserved(context, kind, Obstacle(missing), tuple(exchanges))
