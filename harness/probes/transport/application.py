"""kind ``tls.application``: what is spoken inside the secure connection. It comes last."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from harness.dicom_ul import (
    ABORT,
    ASSOCIATE_AC,
    ASSOCIATE_RJ,
    DATA,
    PDU_NAMES,
    REJECTIONS,
    RELEASE_RP,
    Acceptance,
    Pdu,
    PduError,
    PduReader,
    associate_rq,
    echo_rq,
    echo_status,
    parse_abort,
    parse_associate_ac,
    parse_associate_rj,
    release_rq,
)
from harness.observations import Observation, Reaction, ReactionKind
from harness.observations.transport import TLS13, Application
from harness.probes.base import ProbeContext
from harness.probes.transport.session import Incoming, Session
from harness.probes.transport.session_offers import (
    CERTIFICATE_ALERTS,
    Obstacle,
    http_request,
    no_version,
    obstacle_of,
    obstacle_to_completion,
    offer_of,
    supported_versions,
    told,
)

# How much longer than `Deadlines.patience` we wait where the handshake was slow, in its times: it tells how slow
# network and server are. Who speaks HTTP answers a request for the root at once, in a part of that time.
_HANDSHAKES, _QUICK_HANDSHAKES, _QUICK = 20, 8, 0.4
_STATUS_LINE = 200


@dataclass
class _Dialogue:
    """One connection and what came of it."""

    session: Session
    reaction: Reaction
    facts: dict[str, object] = field(default_factory=dict)
    handshake_seconds: float = 0.0
    late: bool = False  # the answer came only after we had closed our side

    def patience(self, part: float, handshakes: int) -> float:
        """`part` of the deadline for an answer in seconds, more where the handshake was slow."""
        return max(part * self.session.context.deadlines.patience, handshakes * self.handshake_seconds)

    @property
    def unanswered(self) -> bool:
        """Whether what we sent was met with silence: at most our own closing was answered, by closing."""
        kind = self.reaction.kind
        return kind is ReactionKind.SILENCE or (self.late and kind is ReactionKind.CLOSE)


def _read(session: Session, patience: float | None) -> tuple[Incoming, bool]:
    """The next data or the end, and whether it was late: silent for `patience` seconds (None: as long as there are).

    A peer that was is told that no more will come, which ends most silences.
    """
    silence = session.context.deadlines.silence
    first = silence if patience is None else min(patience, silence)
    late = False
    while True:
        incoming = session.read(first)
        if patience is not None and not late and incoming.end is not None and incoming.end.kind is ReactionKind.SILENCE:
            session.close_writing()
            late, first = True, max(silence - first, 0.0)
            continue
        if incoming.data is not None or incoming.end is not None:
            return incoming, late


def _with_session(context: ProbeContext, version: int, purpose: str, talk: Callable[[_Dialogue], None]) -> _Dialogue:
    with Session(context, offer_of(context, version), purpose) as session:
        began = time.monotonic()
        dialogue = _Dialogue(session, session.handshake())
        dialogue.handshake_seconds = time.monotonic() - began
        if session.established:
            talk(dialogue)
    return dialogue


# -- DICOM -------------------------------------------------------------------------------------------------------


def _next_pdu(dialogue: _Dialogue, pdus: PduReader, *, hurry: bool = False) -> Pdu | Reaction:
    """The next PDU, or how the connection ended; not in a `hurry`, a busy peer has until the connection's deadline.

    Raises `PduError` for data that is none.
    """
    session = dialogue.session
    while True:  # the session's octets and deadline are bounded
        if hurry:
            incoming, late = _read(session, dialogue.patience(1, _HANDSHAKES))
        else:
            incoming, late = session.read(session.context.deadlines.exchange), False
        dialogue.late = dialogue.late or late
        if incoming.end is not None:
            return incoming.end
        if found := pdus.feed(incoming.data or b""):
            return found[0]


def _associate(dialogue: _Dialogue, *, hurry: bool) -> None:
    target = dialogue.session.context.target
    pdus = PduReader()
    facts = dialogue.facts
    dialogue.session.send(associate_rq(target.calling_aet, target.called_aet))
    try:
        answer = _next_pdu(dialogue, pdus, hurry=hurry)
        if isinstance(answer, Reaction):
            _no_answer(dialogue, answer)
        elif answer.type == ASSOCIATE_AC:
            acceptance = parse_associate_ac(answer.body)
            facts["association"] = "accepted"
            if not dialogue.late:
                _echo(dialogue, acceptance, pdus)
        elif answer.type == ASSOCIATE_RJ:
            _rejected(facts, parse_associate_rj(answer.body), target.calling_aet, target.called_aet)
        elif answer.type == ABORT:
            source, reason = parse_abort(answer.body)
            facts |= {"association": "aborted", "detail": f"A-ABORT, source {source}, reason {reason}"}
        else:
            facts |= {"association": "no-dicom", "detail": f"{PDU_NAMES[answer.type]} instead of an answer"}
    except PduError as error:
        if facts.get("association") != "accepted":
            facts["association"] = "no-dicom"
        facts["detail"] = f"the answer is no DICOM: {error}"


def _no_answer(dialogue: _Dialogue, end: Reaction) -> None:
    dialogue.reaction = end
    if dialogue.unanswered:
        detail = "an A-ASSOCIATE-RQ was not answered before the deadline"
        dialogue.facts |= {"association": "silence", "detail": detail}
    else:
        dialogue.facts |= {"association": "no-dicom", "detail": f"an A-ASSOCIATE-RQ was answered by: {told(end)}"}


def _rejected(facts: dict[str, object], rejection: tuple[int, int, int], calling: str, called: str) -> None:
    _, source, reason = rejection
    meaning = REJECTIONS.get((source, reason), f"source {source}, reason {reason}")
    detail = f"association rejected: {meaning}"
    if (source, reason) == (1, 3):
        detail += f"; register the calling AE title {calling} at the device, or give one that it knows"
    elif (source, reason) == (1, 7):
        detail += f"; the device does not answer to the called AE title {called}, give its own"
    facts |= {"association": "rejected", "rejection": rejection, "detail": detail}


def _echo(dialogue: _Dialogue, acceptance: Acceptance, pdus: PduReader) -> None:
    facts, session = dialogue.facts, dialogue.session
    if not acceptance.verification_accepted:
        facts["detail"] = "the association was accepted, but not its presentation context for verification"
    else:
        session.send(echo_rq())
        reply = _next_pdu(dialogue, pdus)
        if isinstance(reply, Reaction):
            facts["detail"] = f"a C-ECHO-RQ was answered by: {told(reply)}"
            return
        if reply.type != DATA:
            facts["detail"] = f"a C-ECHO-RQ was answered by {PDU_NAMES[reply.type]}"
            return
        facts["echo_status"] = echo_status(reply.body)
    session.send(release_rq())
    released = _next_pdu(dialogue, pdus)
    if isinstance(released, Reaction) or released.type != RELEASE_RP:
        facts.setdefault("detail", "the association was not released in good order")


def _association(context: ProbeContext, version: int, *, hurry: bool) -> _Dialogue:
    purpose = "A-ASSOCIATE and C-ECHO over the secure connection"
    return _with_session(context, version, purpose, lambda dialogue: _associate(dialogue, hurry=hurry))


def _dicom(context: ProbeContext, version: int, http: Callable[[], _Dialogue]) -> tuple[_Dialogue, ...]:
    """The association; a second time, with all the time there is, where the first was answered late.

    Or not at all, by a server that does react to an HTTP request (`http`): it reads what it is sent, and may be slow to
    decide on an association.
    """
    first = _association(context, version, hurry=True)
    association = first.facts.get("association")
    if not first.late or association in {"no-dicom", None}:
        return (first,)
    if association == "silence" and (context.target.protocol == "https" or http().unanswered):
        return (first,)
    return (_association(context, version, hurry=False), first)


# -- HTTP --------------------------------------------------------------------------------------------------------


def _http(context: ProbeContext, version: int, asked: threading.Event | None = None) -> _Dialogue:
    """An HTTP request; `asked` is set as soon as it is on its way, or cannot be."""

    def talk(dialogue: _Dialogue) -> None:
        dialogue.session.send(http_request(context.target))
        if asked is not None:
            asked.set()
        quick = dialogue.patience(_QUICK, _QUICK_HANDSHAKES)
        incoming, dialogue.late = _read(dialogue.session, None if context.target.protocol == "https" else quick)
        data = incoming.data or b""
        dialogue.reaction = incoming.end or dialogue.reaction
        refused_us = dialogue.reaction.kind is ReactionKind.ALERT and dialogue.reaction.alert in CERTIFICATE_ALERTS
        if data or not refused_us:
            dialogue.facts["http_answer"] = data.startswith(b"HTTP/")
        if data.startswith(b"HTTP/"):
            line = data.split(b"\n", 1)[0].strip()[:_STATUS_LINE]
            dialogue.facts["http_status_line"] = line.decode("ascii", "backslashreplace")

    try:
        return _with_session(context, version, "an HTTP request over the secure connection", talk)
    finally:
        if asked is not None:
            asked.set()


# -- the observation ---------------------------------------------------------------------------------------------


def _dialogues(context: ProbeContext, version: int) -> tuple[_Dialogue, ...]:
    """The telling dialogue first."""
    protocol = context.target.protocol
    if protocol not in {"https", "dicom-tls"}:  # whatever is sent to a syslog port ends in somebody's log
        drain = context.deadlines.silence
        purpose = "a secure connection without application data"
        return (_with_session(context, version, purpose, lambda dialogue: _drained(dialogue, drain)),)
    if context.gentle and protocol == "https":
        http = _http(context, version)
        return (http, *_dicom(context, version, lambda: http))
    if context.gentle:
        http = _http(context, version)
        return (*_dicom(context, version, lambda: http), http)
    with ThreadPoolExecutor(1) as pool:
        asked = threading.Event()
        asking = pool.submit(_http, context, version, asked)
        asked.wait()  # where one is served after the other, the shorter silence comes first, and its handshake is timed
        dicom = _dicom(context, version, asking.result)  # at an HTTPS port, too: the two have ports of their own
        return (asking.result(), *dicom) if protocol == "https" else (*dicom, asking.result())


def _drained(dialogue: _Dialogue, seconds: float) -> None:
    """Say nothing but that nothing will come, and see how that is answered (RFC 5425 4.4)."""
    dialogue.reaction = dialogue.session.drain(seconds) or dialogue.reaction
    dialogue.facts |= {"detail": "nothing was sent to the application", "closing": dialogue.reaction}


def _obstacle(context: ProbeContext, dialogue: _Dialogue) -> Obstacle | None:
    """Why the telling dialogue told nothing, if so."""
    session, reaction = dialogue.session, dialogue.reaction
    requested = session.flight.request is not None
    if not session.established:
        return obstacle_of(context, reaction, "the application", requested=requested)
    about_certificate = reaction.kind is ReactionKind.ALERT and reaction.alert in CERTIFICATE_ALERTS
    if session.version >= TLS13 and requested and about_certificate:
        return obstacle_of(context, reaction, "the application", requested=True)
    return None


def probe_application(context: ProbeContext) -> Observation:
    """A-ASSOCIATE, C-ECHO and release in the highest version, and an HTTP request ("https": the other way round)."""
    kind = "tls.application"
    versions = supported_versions(context)
    if not versions:
        return context.observed(kind, None, missing=no_version("the application").missing)
    obstacles = [obstacle_to_completion(context, version) for version in versions]
    version = next((v for v, obstacle in zip(versions, obstacles, strict=True) if obstacle is None), None)
    if version is None:
        obstacle = obstacles[0] or no_version("the application")
        return context.observed(kind, None, missing=obstacle.missing, remedy=obstacle.remedy)
    dialogues = _dialogues(context, version)
    exchanges = tuple(dialogue.session.id for dialogue in dialogues)
    found = _obstacle(context, dialogues[0])
    if found is not None:
        return context.observed(kind, None, missing=found.missing, remedy=found.remedy, exchanges=exchanges)
    target, session = context.target, dialogues[0].session
    merged: dict[str, object] = {"association": ""}
    for dialogue in reversed(dialogues):
        merged |= dialogue.facts
    if target.protocol == "dicom-tls":
        merged |= {"calling_aet": target.calling_aet, "called_aet": target.called_aet}
    facts = Application.model_validate(
        {**merged, "version": session.version, "suite": session.suite, "exchanges": exchanges}
    )
    return context.observed(kind, facts, exchanges=exchanges)
