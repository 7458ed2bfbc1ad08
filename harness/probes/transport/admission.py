"""Whether a server goes on with a client that showed a certificate (or none): what follows the handshake tells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from harness.dicom_ul import ABORT, ASSOCIATE_RJ, PDU_NAMES, abort
from harness.observations import Reaction, ReactionKind
from harness.observations.transport import ClientAuthentication
from harness.probes.transport.http_answers import admitted_by_http, read_http_answer
from harness.probes.transport.session import Incoming, Session
from harness.probes.transport.session_offers import greeting

Stage = Literal["handshake", "association", "application", ""]


@dataclass(frozen=True)
class Admission:
    """What came of a client certificate. `stage` is what decided: see `harness.observations.clients.CertificateTrial`.

    `admitted` None with the stage "association": refused above TLS, because of the certificate or for a reason that has
    nothing to do with it, such as an AE title or a missing password.
    """

    admitted: bool | None
    reaction: Reaction
    stage: Stage = ""


def admission(session: Session, reaction: Reaction, credential: str) -> Admission:
    """Whether the server admits who showed `credential` in `session`, whose handshake ended in `reaction`.

    Silence tells nothing: a server may be slow to refuse, or hold its tongue with those whom it does not know.
    """
    if reaction.kind is ReactionKind.COMPLETED:
        # Nobody who asks for no certificate refuses one: the handshake is all there is to see.
        return (
            Admission(True, reaction) if session.flight.request is None else _afterwards(session, reaction, credential)
        )
    if session.flight.request is not None and reaction.refused:
        return Admission(False, reaction, "handshake")
    return Admission(None, reaction)


def _afterwards(session: Session, completed: Reaction, credential: str) -> Admission:
    """What the server does after the handshake; in TLS 1.3 it judges the certificate only then."""
    first = greeting(session.context.target)
    if first:
        session.send(first)
        incoming = _next(session)
    else:
        incoming = _next(session)  # who refuses us ends the connection without being told anything
        if incoming.end is not None and incoming.end.kind is ReactionKind.SILENCE:
            session.close_writing()  # a server that let us in closes in good order
            return _closed(_next(session), completed, refuses_strangers=_refuses_strangers(session))
    if incoming.data is not None:
        return _answered(session, incoming.data, completed, credential)
    end = incoming.end or completed
    if end.kind is ReactionKind.SILENCE:
        return Admission(
            None, completed.model_copy(update={"detail": "neither refused nor answered until the deadline"})
        )
    return Admission(False, end, "handshake") if end.refused else Admission(None, end)


def _next(session: Session) -> Incoming:
    """The next application data, or the end."""
    incoming = Incoming(alert=0)
    while incoming.alert is not None or incoming.message is not None:
        incoming = session.read(session.context.deadlines.silence)
    return incoming


def _refuses_strangers(session: Session) -> bool:
    """Whether a certificate of an unknown authority was seen to be refused, without being asked, in this version."""
    facts = session.context.facts(ClientAuthentication)
    return facts is not None and any(
        each.credential == "unknown-authority" and each.version == session.version and each.admitted is False
        for each in facts.trials
    )


def _closed(incoming: Incoming, completed: Reaction, *, refuses_strangers: bool) -> Admission:
    """Who kept the connection open until we closed it, and then closed it in good order, had let us in.

    A server that closes without close_notify had let us in if it refuses strangers, which it does at once.
    """
    end = incoming.end
    if incoming.data is not None or (
        end is not None and end.kind is ReactionKind.CLOSE and end.detail == "close_notify"
    ):
        return Admission(True, completed, "application")
    if end is not None and end.kind is ReactionKind.ALERT:
        return Admission(False, end, "handshake")
    if end is not None and end.kind is ReactionKind.CLOSE:
        kept = completed.model_copy(update={"detail": "kept the connection open until we closed it"})
        return Admission(True, kept, "application") if refuses_strangers else Admission(None, kept)
    return Admission(None, end or completed)


def _answered(session: Session, data: bytes, completed: Reaction, credential: str) -> Admission:
    """Application data came back: it may be a refusal above TLS."""
    protocol = session.context.target.protocol
    admitted: bool | None = True
    detail, stage = "application data came back", "application"
    if protocol == "https":
        admitted, detail = admitted_by_http(read_http_answer(session, data), credential)
        stage = "application" if admitted else "association"
    elif protocol == "dicom-tls":
        session.send(abort())
        if data[0] in {ASSOCIATE_RJ, ABORT}:
            admitted, stage = None, "association"
            detail = f"{PDU_NAMES[data[0]]}: because of the certificate, or of the AE titles"
    reaction = completed.model_copy(update={"detail": detail})
    return Admission(admitted, reaction, stage)  # type: ignore[arg-type] # one of the stages above
