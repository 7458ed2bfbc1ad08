"""kind ``tls.resumption``: session ids and tickets of TLS 1.2, tickets, PSK modes and early data of TLS 1.3."""

from __future__ import annotations

from dataclasses import dataclass, field

from harness.observations import Observation, ReactionKind
from harness.observations.transport import TLS12, TLS13, Resumption, TicketFacts
from harness.probes.base import ProbeContext
from harness.probes.transport.session import Offer, Resumable, Session
from harness.probes.transport.session_offers import (
    SUITES_TLS13,
    Obstacle,
    greeting,
    no_version,
    obstacle_of,
    obstacle_to_completion,
    offer_of,
    supported_versions,
)
from reference_impl.transport.registry import SUITES

_PSK_KE, _PSK_DHE_KE = 0, 1


@dataclass
class _Findings:
    facts: dict[str, bool | None] = field(default_factory=dict)
    tickets: list[TicketFacts] = field(default_factory=list)
    exchanges: list[str] = field(default_factory=list)
    obstacles: list[Obstacle] = field(default_factory=list)
    seen: bool = False  # at least one first session was completed


def _first(
    context: ProbeContext, findings: _Findings, offer: Offer, purpose: str, *, again: bool = True
) -> list[Resumable]:
    """What a completed full handshake leaves to resume. That a busy server was silent is no answer: it is asked
    `again`, once."""
    told = True
    with Session(context, offer, purpose) as session:
        reaction = session.handshake()
        findings.exchanges.append(session.id)
        if session.established and session.version >= TLS13:
            told = _wait_for_tickets(session)
    if again and not told and not session.resumable:
        return _first(context, findings, offer, f"{purpose}, once more", again=False)
    if not session.established:
        requested = session.flight.request is not None
        findings.obstacles.append(obstacle_of(context, reaction, "resumption", requested=requested))
        return []
    findings.seen = True
    for ticket in session.tickets:
        findings.tickets.append(
            TicketFacts(
                version=session.version,
                lifetime=ticket.lifetime,
                length=len(ticket.ticket),
                max_early_data=ticket.max_early_data,
            )
        )
    return session.resumable


def _wait_for_tickets(session: Session) -> bool:
    """Tickets come when the server has judged us, so before it answers or closes; False if it did neither."""
    if first := greeting(session.context.target):
        session.send(first)
    end = session.drain(session.context.deadlines.silence, until_data=True)
    return end is None or end.kind is not ReactionKind.SILENCE


def _resumes(
    context: ProbeContext, findings: _Findings, offer: Offer, purpose: str, *, more_tickets: bool = False
) -> tuple[bool | None, Session]:
    """Whether the server takes the session up again; None if it said neither."""
    with Session(context, offer, purpose) as session:
        reaction = session.handshake()
        if session.established and more_tickets:
            _wait_for_tickets(session)
    findings.exchanges.append(session.id)
    if session.established or session.flight.resumed:
        return session.flight.resumed, session
    return (False if reaction.refused or reaction.kind is ReactionKind.SERVER_HELLO else None), session


def _tls12(context: ProbeContext, findings: _Findings) -> None:
    for name, ticket in (("session_id_tls12", False), ("ticket_tls12", True)):
        what = "session ticket" if ticket else "session id"
        offer = offer_of(context, TLS12, session_ticket=ticket)
        left = _first(context, findings, offer, f"resumption: full handshake for a {what}")
        kept = next((entry for entry in left if bool(entry.ticket) == ticket), None)
        if kept is None:
            if left or findings.seen:
                findings.facts[name] = False
            continue
        offer = offer_of(context, TLS12, session_ticket=ticket, resume=kept, suites=(kept.suite,))
        findings.facts[name], _ = _resumes(context, findings, offer, f"resumption by {what}")


class _Tickets:
    """Tickets of TLS 1.3, each used once while there are enough."""

    def __init__(self, left: list[Resumable]) -> None:
        self._left = list(left)

    @property
    def few(self) -> bool:
        """Whether the next one taken is the last."""
        return len(self._left) < 2

    def take(self) -> Resumable:
        return self._left.pop(0) if len(self._left) > 1 else self._left[0]

    def only(self, one: Resumable) -> None:
        self._left = [one]

    def add(self, more: list[Resumable]) -> None:
        self._left.extend(more)


def _tls13(context: ProbeContext, findings: _Findings) -> None:
    both = (_PSK_DHE_KE, _PSK_KE)
    offer = offer_of(context, TLS13, psk_modes=both)
    left = _first(context, findings, offer, "resumption: full handshake for tickets of TLS 1.3")
    facts = findings.facts
    if not left:
        if findings.seen:
            facts["psk_dhe_ke"] = facts["psk_ke"] = False
        return
    tickets = _Tickets(left)

    def resume(modes: tuple[int, ...], purpose: str, early_data: bytes = b"") -> tuple[bool | None, Session]:
        kept = tickets.take()
        offer = offer_of(context, TLS13, psk_modes=modes, resume=kept, suites=_same_hash(kept), early_data=early_data)
        resumed, session = _resumes(context, findings, offer, purpose, more_tickets=tickets.few)
        tickets.add(session.resumable)
        return resumed, session

    resumed, session = resume(both, "resumption: psk_dhe_ke and psk_ke offered")
    hello = session.flight.hello
    without_share = bool(resumed and hello is not None and hello.key_share is None)
    if resumed:
        facts["selected_without_key_share"] = without_share
    facts["psk_dhe_ke"] = resumed
    if without_share or not resumed:
        facts["psk_dhe_ke"], _ = resume((_PSK_DHE_KE,), "resumption: psk_dhe_ke only")
    facts["psk_ke"], _ = (True, session) if without_share else resume((_PSK_KE,), "resumption: psk_ke only")
    allowed = [entry for entry in (*left, *session.resumable) if entry.max_early_data]
    if allowed:
        tickets.only(allowed[-1])
        data = (greeting(context.target) or b"\n")[: allowed[-1].max_early_data or 0]
        _, session = resume((_PSK_DHE_KE,), "resumption: early data", data)
        if session.flight.encrypted_extensions is not None or session.flight.retried:
            facts["early_data_accepted"] = session.flight.early_data_accepted
    else:
        facts["early_data_accepted"] = False  # no ticket allows it (RFC 8446 4.2.10)


def _same_hash(kept: Resumable) -> tuple[int, ...]:
    """The suites that may take up a session, its own first: those with the same hash."""
    others = (code for code in SUITES_TLS13 if SUITES[code].hash == SUITES[kept.suite].hash)
    return tuple(dict.fromkeys((kept.suite, *others)))


def probe_resumption(context: ProbeContext) -> Observation:
    """Which earlier sessions the server takes up again, and how."""
    findings = _Findings()
    versions = [version for version in supported_versions(context) if version in {TLS12, TLS13}]
    for version, look in ((TLS12, _tls12), (TLS13, _tls13)):
        if version not in versions:
            continue
        obstacle = obstacle_to_completion(context, version)
        if obstacle is None:
            look(context, findings)
        else:
            findings.obstacles.append(obstacle)
    exchanges = tuple(findings.exchanges)
    if not findings.seen:
        obstacle = findings.obstacles[0] if findings.obstacles else no_version("resumption")
        return context.observed(
            "tls.resumption", None, missing=obstacle.missing, remedy=obstacle.remedy, exchanges=exchanges
        )
    facts = Resumption.model_validate({**findings.facts, "tickets": tuple(findings.tickets), "exchanges": exchanges})
    return context.observed("tls.resumption", facts, exchanges=exchanges)
