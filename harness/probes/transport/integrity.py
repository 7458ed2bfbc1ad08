"""kind ``tls.integrity``: a record whose MAC or tag is wrong, after a completed handshake (RFC 5246 7.2.2)."""

from __future__ import annotations

from harness.observations import Observation, Reaction, ReactionKind
from harness.observations.transport import TLS12, TLS13, Integrity
from harness.probes.base import ProbeContext
from harness.probes.transport.session import Incoming, Session
from harness.probes.transport.session_offers import (
    CERTIFICATE_ALERTS,
    Obstacle,
    greeting,
    no_version,
    obstacle_of,
    obstacle_to_completion,
    offer_of,
    supported_versions,
)

_SYSLOG_NOTHING = b"0 "
_ANSWERED = "the content of the corrupted record was answered"
_BAD_RECORD_MAC = 20
_CLOSING = 0.05  # seconds in which a connection is seen to end after a fatal alert


def _answer(session: Session) -> Incoming:
    """Application data or the end; warnings and messages are passed over."""
    while True:
        incoming = session.read(session.context.deadlines.silence)
        if incoming.data is not None or incoming.end is not None:
            return incoming


def _end(session: Session) -> Reaction | None:
    """How the connection ends, whatever comes before; None if it does not."""
    while (incoming := _answer(session)).end is None:
        pass  # bounded by the connection's deadline and octets
    return None if incoming.end.kind is ReactionKind.SILENCE else incoming.end


def _ended_after(session: Session, reaction: Reaction) -> Reaction:
    """A fatal alert, completed with whether the connection was then seen to end."""
    if reaction.kind is not ReactionKind.ALERT:
        return reaction
    after = session.read(min(_CLOSING, session.context.deadlines.silence)).end
    closed = after is not None and after.kind in {ReactionKind.CLOSE, ReactionKind.RESET}
    return reaction.model_copy(update={"closed": closed or None})


def _dropped(session: Session, completed: Reaction) -> tuple[Reaction, bool | None]:
    """The reaction to a corrupted record: True if the connection ended, False if the server went on."""
    message = greeting(session.context.target) or _SYSLOG_NOTHING
    writing = session.write_protection
    sequence = writing.sequence if writing is not None else 0
    # The record would be answered if its content were accepted: whoever answers did not check it.
    session.send(message, corrupt=True)
    incoming = _answer(session)
    if incoming.data is not None:
        end = _end(session)
        if end is not None and end.alert == _BAD_RECORD_MAC:  # the data had been under way
            return _ended_after(session, end), True
        return completed.model_copy(update={"detail": _ANSWERED}), False
    end = incoming.end or completed
    if end.kind is ReactionKind.ALERT and end.alert in CERTIFICATE_ALERTS:
        return end, None
    if end.refused:
        return _ended_after(session, end), True
    if end.kind is not ReactionKind.SILENCE or not greeting(session.context.target):
        return end, None
    # Whoever passed over the broken record counted it, or did not: one of these two records is the next for him.
    session.send(message)
    if writing is not None:
        writing.sequence = sequence
        session.send(message)
    incoming = _answer(session)
    if incoming.data is not None:
        detail = "the corrupted record was passed over, and an intact one answered on the same connection"
        return completed.model_copy(update={"detail": detail}), False
    return end, None


def _ends_anyway(context: ProbeContext, version: int) -> bool:
    """Whether the server ends a connection without an answer also after an intact record."""
    with Session(context, offer_of(context, version), "integrity: the same with an intact record") as control:
        control.handshake()
        if not control.established:
            return False
        control.send(greeting(context.target) or _SYSLOG_NOTHING)
        incoming = _answer(control)
    return incoming.end is not None and incoming.end.kind in {ReactionKind.CLOSE, ReactionKind.RESET}


def _speaks_unasked(context: ProbeContext, version: int) -> bool:
    """Whether the server sends application data to whoever has sent none: then data is no answer."""
    with Session(context, offer_of(context, version), "integrity: nothing sent") as control:
        control.handshake()
        return control.established and _answer(control).data is not None


def probe_integrity(context: ProbeContext) -> Observation:
    """Whether a broken record ends the connection, in TLS 1.2 and 1.3."""
    reactions: dict[int, Reaction] = {}
    dropped: dict[int, bool | None] = {}
    exchanges: list[str] = []
    obstacles: list[Obstacle] = []
    supported = supported_versions(context)
    for version in [v for v in supported if v in {TLS12, TLS13}] or supported[:1]:
        obstacle = obstacle_to_completion(context, version)
        if obstacle is not None:
            obstacles.append(obstacle)
            continue
        with Session(context, offer_of(context, version), "integrity: a record with a wrong MAC") as session:
            reaction = session.handshake()
            if session.established:
                reactions[version], dropped[version] = _dropped(session, reaction)
                session.outcome = f"after a record with a wrong MAC: {reactions[version].kind.value}"
            else:
                requested = session.flight.request is not None
                obstacles.append(obstacle_of(context, reaction, "its reaction", requested=requested))
        exchanges.append(session.id)
        # After the first connection is closed: some servers serve one at a time, and --gentle allows one at a time.
        if dropped.get(version) is False and _speaks_unasked(context, version):
            detail = "the server sends data unasked, which tells nothing of the broken record"
            reactions[version] = reactions[version].model_copy(update={"detail": detail})
            dropped[version] = None
        if (
            dropped.get(version)
            and reactions[version].kind is not ReactionKind.ALERT
            and _ends_anyway(context, version)
        ):
            detail = "the connection ends in the same way without a broken record"
            reactions[version] = reactions[version].model_copy(update={"detail": detail})
            dropped[version] = None
    if not reactions:
        obstacle = obstacles[0] if obstacles else no_version("integrity protection")
        return context.observed(
            "tls.integrity", None, missing=obstacle.missing, remedy=obstacle.remedy, exchanges=tuple(exchanges)
        )
    facts = Integrity(reactions=reactions, dropped=dropped)
    return context.observed("tls.integrity", facts, exchanges=tuple(exchanges))
