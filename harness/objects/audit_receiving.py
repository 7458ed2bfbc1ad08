"""Has a SUT report events to us over syslog, and records every message with the connection over which it came."""

from __future__ import annotations

import base64
import hashlib
import time
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from datetime import UTC, datetime

from harness.drivers.base import Driver, Driving, Stimulus
from harness.drivers.choice import driver_for
from harness.errors import UsageProblem
from harness.listeners.base import Opening
from harness.listeners.opening import port_problem
from harness.objects.audit_inbox import Inbox, Taken
from harness.objects.audit_port import open_port, sender_addresses
from harness.objects.base import MESSAGES, Found, InterruptedStepError, Work
from harness.observations.audit import AuditMessages, ReceivedMessage, SyslogConnection, Transport
from harness.observations.clients import DriverOutcome
from harness.plan import FileStep
from harness.sut_audit import AWAY_AND_BACK
from reference_impl.audit.events import events
from reference_impl.audit.syslog.arrivals import Connection

_SLICE = 0.5
_LINES = 8
_AWAY = 0.5  # of the seconds that are left: how long nobody listens at most, how long something is waited for then


class ReceivingMessages:
    """Listens for the audit messages of one SUT, event by event. A `harness.objects.base.Handler`.

    Raises `UsageProblem` for a port that cannot be had, and for a SUT whose address is not known.
    """

    def __init__(self, work: Work) -> None:
        self._work = work
        listen = work.where.listen
        assert listen is not None  # noqa: S101 - only endpoints that listen are received at
        self._listen = listen
        self._transport: Transport = "udp" if work.where.protocol == "syslog-udp" else "tls"
        self._inbox = Inbox(sender_addresses(work), first=_next_number(work))
        self._address = listen.bound_to(work.where.host), listen.port
        self._drivers: dict[str, Driver] = {}
        self._paced = self._number = 0
        try:
            self._port = open_port(work, self._inbox, self._address)
        except OSError as problem:
            opening = Opening(
                work.sut, work.endpoint, listen.port, work.conduct.deadlines, work.on_exchange, work.next_exchange_id
            )
            raise UsageProblem(port_problem(opening, problem)) from None
        self._address = self._address[0], self._port.addresses[self._transport][1]

    def start(self) -> None:
        """The port is open already; what came before the first step belongs to it."""

    def stop(self) -> None:
        """Close the port."""
        self._port.stop()
        self._work.budget.count(max(self._inbox.admitted - self._paced, 0))

    def do(self, step: FileStep) -> Found:
        """Provoke the event of `step`, and take what comes until nothing has come for a while."""
        return self._away(step) if step.subject == AWAY_AND_BACK else self._present(step)

    def _present(self, step: FileStep) -> Found:
        began = datetime.now(UTC)
        ends = time.monotonic() + step.seconds
        outcome = self._drive(step, step.subject, ends)
        if _can_bring(outcome):
            self._settle(ends)
        return self._found(step, step.subject, outcome, began, int(_can_bring(outcome)))

    def _away(self, step: FileStep) -> Found:
        """The same with the port closed while the event is provoked.

        Where nothing comes when it is open again, the event is provoked once more: a source that kept nothing has no
        reason to come back, and one that tries again after a long pause may be hurried by it.
        """
        began = datetime.now(UTC)
        event = self._away_event()
        ends = time.monotonic() + step.seconds
        before, provoked = self._inbox.take(), 0
        self._port.stop()
        outcome = self._drive(step, event, time.monotonic() + step.seconds * _AWAY)
        self._inbox.renumber()
        try:
            self._port = open_port(self._work, self._inbox, self._address)
        except OSError as problem:
            why = f"The port {self._address[1]} could not be opened again: {problem.strerror or problem}."
            return Found(None, why, "End the program that has taken it, and run again.")
        if _can_bring(outcome):
            provoked = 1
            now = time.monotonic()
            self._inbox.wait_for(1, now + (ends - now) * _AWAY, self._work.stopping)
            if not self._inbox.has_messages and _can_bring(self._drive(step, event, ends)):
                provoked += 1
                now = time.monotonic()
                self._inbox.wait_for(provoked, now + (ends - now) * _AWAY, self._work.stopping)
            self._settle(ends)
        found = self._found(step, event, outcome, began, provoked)
        if before.messages:  # sent while we listened, after the last step had ended
            note = f"Messages that came between two steps, and are not recorded: {len(before.messages)}."
            return replace(found, note=f"{note} {found.note}".strip())
        return found

    def _away_event(self) -> str:
        """The event that the driver for an absent repository provokes, where that can be told."""
        audit = self._work.audit
        return next(
            (event for event in audit.events if self._work.sut.event_driver(self._work.endpoint, event) == audit.away),
            "",
        )

    def _drive(self, step: FileStep, event: str, ends: float) -> DriverOutcome:
        """Have the SUT do what brings about `event`. Raises `InterruptedStepError` if the run is being stopped."""
        self._work.check_running()
        self._number += 1
        driver = self._driver(step.driver, event)
        with self._pace(driver):
            driving = driver.start(self._stimulus(step, event, max(ends - time.monotonic(), 0.1)))
            self._over(driving, ends)
            outcome = driving.stop()
        self._work.check_running()
        return outcome

    def _driver(self, name: str, event: str) -> Driver:
        known = events().get(event)
        instruction = known.instruction if known else ""
        key = f"{name} {event}"
        if key not in self._drivers:
            work = self._work
            self._drivers[key] = driver_for(
                work.sut, work.endpoint, work.board, named=name, instruction=instruction or _SEND
            )
        return self._drivers[key]

    def _over(self, driving: Driving, ends: float) -> None:
        while not self._work.stopping.is_set() and (left := ends - time.monotonic()) > 0:
            if driving.over.wait(min(left, _SLICE)):
                return

    def _settle(self, ends: float) -> None:
        """Return when nothing has come for `settle` seconds. Raises `InterruptedStepError`."""
        settled = self._inbox.settle(self._work.audit.settle, ends, self._work.stopping)
        if not settled and self._work.stopping.is_set():
            raise InterruptedStepError

    def _pace(self, driver: Driver) -> AbstractContextManager[None]:
        """A SUT that is made to work is asked for one connection within its host's budget; a person is not hurried."""
        if not driver.busy:
            return nullcontext()
        self._paced += 1
        return self._work.budget.connection()

    def _stimulus(self, step: FileStep, event: str, seconds: float) -> Stimulus:
        work = self._work
        return Stimulus(
            endpoint=work.endpoint,
            protocol=work.where.protocol,
            host=self._listen.called(work.where.host),
            port=self._address[1],
            called_aet=work.where.called_aet,
            calling_aet=work.where.calling_aet,
            event=event,
            text=step.text,
            seconds=seconds,
            trust_anchors=work.material.trust_anchors,
            number=self._number,
            of=max(work.count, self._number),
        )

    def _found(self, step: FileStep, event: str, outcome: DriverOutcome, began: datetime, provoked: int) -> Found:
        taken = self._inbox.take()
        connections = tuple(self._recorded(step, each, taken, began) for each in taken.connections)
        facts = AuditMessages(
            text=step.text,
            event=event,
            transport=self._transport,
            messages=tuple(
                ReceivedMessage(
                    octets=base64.b64encode(each.octets).decode(),
                    length=each.length,
                    truncated=len(each.octets) < each.length,
                    connection=each.connection,
                    at=each.at,
                )
                for each in taken.messages
            ),
            connections=connections,
            left_out=taken.left_out,
            provoked=provoked,
            away=step.subject == AWAY_AND_BACK,
            driver=outcome,
        )
        exchanges = tuple(each.exchange for each in connections if each.exchange)
        return Found(facts, exchanges=exchanges, note=self._note(taken))

    def _note(self, taken: Taken) -> str:
        told = []
        if taken.strangers:
            told.append(f"Not taken, because it is not the SUT's address: {', '.join(taken.strangers)}.")
        if taken.left_out:
            told.append(f"Messages that came besides, and are not recorded: {taken.left_out}.")
        return " ".join(told)

    def _recorded(self, step: FileStep, of: Connection, taken: Taken, began: datetime) -> SyslogConnection:
        """A connection with its messages as evidence."""
        number = self._inbox.number(of)
        came = [each.octets for each in taken.messages if each.connection == number]
        exchange = ""
        if came or of.no_frame:
            exchange = self._work.record(
                step.text,
                [("received", octets) for octets in (*came, of.no_frame) if octets],
                of.refused or of.framing or f"Messages that came: {len(came)}.",
                peer=of.peer,
                started=max(of.opened, began),
                decoded=[_line(octets) for octets in came[:_LINES]],
            )
        return SyslogConnection(
            number=number,
            transport=of.transport,
            peer=of.peer,
            opened=of.opened,
            version=of.version,
            suite=of.suite,
            client_certificate=_digest(of.certificate),
            asked=of.transport == "tls" and self._work.sut.credentials.trust_anchors is not None,
            messages=len(came),
            framing=of.framing,
            octets=base64.b64encode(of.no_frame).decode(),
            pending=of.pending,
            ending=of.ending,
            refused=of.refused,
            exchange=exchange,
        )


_SEND = "Let the device report something to the audit repository."


def _can_bring(outcome: DriverOutcome) -> bool:
    """Whether what the driver did may have brought something about."""
    return not (outcome.problem and not outcome.timed_out)


def _line(octets: bytes) -> str:
    return octets[:200].decode("utf-8", "replace")


def _digest(der: bytes) -> str:
    return hashlib.sha256(der).hexdigest() if der else ""


def _next_number(work: Work) -> int:
    """The number of the next connection, after those of an interrupted run."""
    used = [0]
    for (kind, _), observation in work.before.items():
        if kind == MESSAGES and observation.facts:
            used += [each["number"] for each in observation.facts.get("connections", ())]
    return max(used) + 1


__all__ = ["ReceivingMessages"]
