"""Sends messages to an audit repository, and tells what became of them (PS3.15 A.5, A.6, A.7).

A plain message goes first: where that does not arrive, it is more likely the reading that is wrong. Another follows
wherever something may have gone wrong: it tells a message that was lost from a repository that takes nothing any more.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from fixtures.audit_deliveries import DELIVERIES, Composed, Delivery, Tokens, Transport, compose, follower, new_tokens
from harness.drivers.dimse import tls_context
from harness.objects.audit_arrival import best
from harness.objects.audit_looking import Arrivals, ByPerson, LookedFor, Seen, arrivals_at, asked_now
from harness.objects.audit_readings import Looker, looker_for
from harness.objects.audit_sending import Sender, Sent
from harness.objects.base import Found, InterruptedStepError, Subject, Work
from harness.observations.audit import Arrival, Delivered
from harness.sut_readings import Reading, secrets_of

if TYPE_CHECKING:
    from harness.plan import FileStep
    from harness.sut import Sut

_TRIES = {"tls": 2, "udp": 3}
"""How often a message that did not arrive is sent again: a datagram may be lost, a SUT may be busy."""
_FOLLOWERS = 3
_PAUSE = 0.5  # seconds after which a repository that cannot be reached is tried again
_GRACE, _LEAST_GRACE, _MOST_GRACE = 4.0, 0.05, 2.0
"""How much longer than the slowest arrival so far what is missing is waited for, once what was sent later is there."""
_PATIENCE, _LEAST_PATIENCE = 10.0, 2.0
"""The same for what has to arrive, once something has not arrived in all the time that the SUT file gives it."""
_DECODED = 12
_TRANSPORTS: dict[str, Transport] = {"syslog-tls": "tls", "syslog-udp": "udp"}
INTRUSIVE = "It may disturb the repository; run with --intrusive."
_IN_VAIN = 3
_UNSEEN: dict[Arrival, str] = {
    "absent": "what is read ({by}) has not its mark",
    "cut": "what is read ({by}) has the mark near its beginning (UserID), and not that near its end (AuditSourceID)",
    "altered": "what is read ({by}) has the mark near its end (AuditSourceID), not that near its beginning (UserID)",
}
_ONE_CONNECTION = "It needs two connections at once, and only one is allowed (--gentle)."


def transport_of(protocol: str) -> Transport:
    """What messages are sent over to an endpoint of `protocol`."""
    return _TRANSPORTS[protocol]


def subjects(sut: Sut, endpoint: str) -> Sequence[Subject]:
    """Every delivery; where a person tells what arrived, only some unless the SUT file selects them."""
    where = sut.file.endpoints[endpoint]
    transport, audit = transport_of(where.protocol), sut.audit(endpoint)
    reading = sut.file.readings.get(audit.arrived) if audit.arrived else None
    by_person = reading is None or reading.kind == "operator"
    return [
        Subject(name, f"deliver: {delivery.text}", only_if_named=by_person and not delivery.brief)
        for name, delivery in DELIVERIES.items()
        if transport in delivery.transports
    ]


def handler(work: Work) -> Delivering:
    """What executes the steps at an endpoint."""
    return Delivering(work)


@dataclass
class _Try:
    """One try of a delivery."""

    looked_for: LookedFor
    composed: Composed
    sent: Sent
    seen: Seen


class Delivering:
    """Makes one delivery after another. A `harness.objects.base.Handler`."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._transport = transport_of(work.where.protocol)
        self._sender = Sender(work, self._transport)
        self._arrivals: Arrivals = arrivals_at(work, self._looker)
        name = work.audit.arrived
        reading = work.sut.file.readings.get(name) if name else None
        self._seconds = reading.seconds if reading is not None else work.audit.seconds
        self._slowest = 0.0  # of what arrived whole
        self._patience = self._seconds
        self._gone = ""
        self._unread = 0
        self._by_person = isinstance(self._arrivals, ByPerson)
        self._arrived = False  # a plain message did

    def _looker(self, reading: Reading) -> Looker:
        sut = self._work.sut
        where = f"{sut.source}: readings.{self._work.audit.arrived}"
        context = tls_context(sut.target(self._work.endpoint)) if reading.kind == "web" else None
        return looker_for(reading, secrets_of(reading, where=where, folder=sut.folder), sut.folder, context)

    def start(self) -> None:
        """Nothing has to be got ready."""

    def stop(self) -> None:
        """Nothing is kept."""

    def do(self, step: FileStep) -> Found:
        """Make the delivery of `step`, as often as it takes, and see what has arrived."""
        delivery = DELIVERIES[step.subject]
        if why := self._why_not(delivery):
            return Found(self._facts(delivery, skipped=why))
        if not self._arrived and not self._gone:
            self._calibrate()
        if self._gone:
            return Found(self._facts(delivery, skipped=self._gone))
        started = datetime.now(UTC)
        last, arrivals, followed, tries = self._delivered(delivery)
        self._notice(last.seen)
        detail = last.seen.problem or self._gone or (f"sent {tries} times" if tries > 1 else "")
        facts = self._facts(
            delivery,
            octets=last.composed.octets,
            sent=last.composed.messages,
            arrivals=arrivals,
            follower=followed,
            refused=last.sent.refused,
            answered_close=last.sent.answered_close,
            detail=detail,
        )
        name = self._record(delivery, last, facts, started)
        return Found(facts.model_copy(update={"exchange": name}), exchanges=(name,))

    def _delivered(self, delivery: Delivery) -> tuple[_Try, tuple[Arrival, ...], Arrival, int]:
        """Deliver as often as it takes: the last try, what became of the messages and of the follower, how often."""
        arrivals: tuple[Arrival, ...] = ()
        followed: Arrival = ""
        tries = _TRIES[self._transport] if delivery.telling and not self._by_person else 1
        for number in range(1, tries + 1):
            last = self._made(delivery)
            seen = last.seen.arrivals
            if not last.sent.reached:
                if self._plain_message_arrives() != "whole":
                    self._gone = self._gone or f"The repository could no longer be reached: {last.sent.refused}."
                    return last, arrivals or seen, "", number
                last = self._made(delivery)
                seen = last.seen.arrivals
            if delivery.wanted != "whole" or not last.seen.whole:
                followed, seen = self._followed(last, closely=delivery.telling)
            arrivals = seen if number == 1 else tuple(best(*pair) for pair in zip(arrivals, seen, strict=True))
            if self._gone or "absent" not in arrivals:
                break
        return last, arrivals, followed, number

    def _notice(self, seen: Seen) -> None:
        """After several looks in vain, no more are made."""
        self._unread = self._unread + 1 if seen.problem else 0
        if self._unread >= _IN_VAIN:
            self._gone = f"What arrived could not be told several times: {seen.problem}."

    def _why_not(self, delivery: Delivery) -> str:
        if delivery.intrusive and not self._work.conduct.intrusive:
            return INTRUSIVE
        if delivery.options.get("begun") is not None and self._work.budget.at_once < 2:
            return _ONE_CONNECTION
        return ""

    # -- one try ---------------------------------------------------------------------------------------------------

    def _made(self, delivery: Delivery) -> _Try:
        tokens = new_tokens()
        composed = compose(delivery.name, tokens, self._transport)
        return self._tried(tokens, composed, self._patience if delivery.wanted == "whole" else None)

    def _tried(self, tokens: Tokens, composed: Composed, seconds: float | None) -> _Try:
        """Send, and look for `seconds` (None: not before something was sent afterwards)."""
        looked_for = asked_now(tokens, composed.asked)
        self._arrivals.begin()
        sent = self._sender.send(composed)
        if not sent.reached:
            return _Try(looked_for, composed, sent, Seen(_all("", composed)))
        if seconds is None and not self._by_person:
            return _Try(looked_for, composed, sent, Seen(_all("absent", composed)))
        seen = self._arrivals.of(looked_for, seconds or 0.0) if composed.asked else Seen(())
        if seen.whole and composed.asked:
            self._slowest = max(self._slowest, seen.seconds)
        return _Try(looked_for, composed, sent, seen)

    # -- what tells that it is still there -------------------------------------------------------------------------

    def _calibrate(self) -> None:
        """Send plain messages until one arrives: it is read rightly, and shown as it was received or not."""
        tries = 1 if self._by_person else _TRIES[self._transport]
        for _ in range(tries):
            tokens = new_tokens()
            tried = self._tried(tokens, follower(tokens, self._transport), self._seconds)
            if tried.seen.whole:
                self._arrived = True
                return
        refused = self._sender.why_refused() or tried.sent.refused
        why = refused or tried.seen.problem or _UNSEEN.get(tried.seen.arrivals[0], "").format(by=self._arrivals.told_by)
        self._gone = f"No plain message arrived, so that others tell nothing: {why.rstrip('.')}."

    def _followed(self, last: _Try, *, closely: bool) -> tuple[Arrival, tuple[Arrival, ...]]:
        """What became of a plain message sent afterwards, and by then of what was sent before."""
        arrivals = last.seen.arrivals
        arrived = self._plain_message_arrives()
        if arrived == "absent":
            self._gone = "The repository took no plain message any more after the delivery before."
        if arrived != "whole" or not last.composed.asked or self._by_person or not last.sent.reached:
            return arrived, arrivals
        grace = min(max(_GRACE * self._slowest, _LEAST_GRACE), _MOST_GRACE if closely else _LEAST_GRACE)
        late = self._arrivals.of(last.looked_for, grace).arrivals
        if "absent" in late:
            self._patience = min(self._patience, max(_PATIENCE * self._slowest, _LEAST_PATIENCE))
        return arrived, tuple(best(*pair) for pair in zip(arrivals, late, strict=True))

    def _plain_message_arrives(self) -> Arrival:
        """What becomes of a plain message; empty where that cannot be told, or it could not be sent.

        Who cannot be reached may have crashed, or may shut out who sent something odd.
        """
        arrived: Arrival = ""
        for _ in range(1 if self._by_person else _FOLLOWERS):
            tokens = new_tokens()
            composed = follower(tokens, self._transport)
            looked_for = asked_now(tokens, composed.asked)
            sent = self._sender.send(composed)
            if sent.reached:
                arrived = self._arrivals.of(looked_for, self._seconds).arrivals[0]
                if arrived != "absent":
                    break
            elif self._work.stopping.wait(_PAUSE):
                raise InterruptedStepError
        if not sent.reached:
            self._gone = f"The repository could no longer be reached after the delivery before: {sent.refused}."
            return ""
        return arrived

    # -- what is recorded ------------------------------------------------------------------------------------------

    def _facts(self, delivery: Delivery, **more: Any) -> Delivered:
        return Delivered(
            case=delivery.name,
            text=delivery.text,
            rule=delivery.rule,
            wanted=delivery.wanted,
            level=delivery.level,
            transport=self._transport,
            told_by=self._arrivals.told_by,
            as_received=self._arrivals.as_received,
            **more,
        )

    def _record(self, delivery: Delivery, last: _Try, facts: Delivered, started: datetime) -> str:
        where = self._work.where
        octets = b"".join(write for line in last.composed.lines for write in line.writes)
        asked = [
            f"{one.begin}: {arrival or 'not told'}"
            for one, arrival in zip(last.composed.asked, facts.arrivals, strict=True)
        ]
        lines = [delivery.text, delivery.because, f"marks: {last.looked_for.tokens.common}", *asked[:_DECODED]]
        outcome = ", ".join(
            filter(
                None,
                (
                    counted(facts.arrivals),
                    f"a plain message afterwards: {facts.follower}" if facts.follower else "",
                    facts.refused,
                    facts.detail,
                ),
            )
        )
        return self._work.record(
            f"deliver {delivery.name}",
            [("sent", octets)],
            outcome,
            peer=f"{where.host}:{where.port}",
            started=started,
            decoded=[line for line in lines if line],
        )


def counted(arrivals: Sequence[Arrival]) -> str:
    """ "3 whole, 1 absent"."""
    told = Counter(arrival or "not told" for arrival in arrivals)
    return ", ".join(f"{number} {arrival}" for arrival, number in told.items())


def _all(arrival: Arrival, composed: Composed) -> tuple[Arrival, ...]:
    return tuple(arrival for _ in composed.asked)
