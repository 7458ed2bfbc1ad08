"""What has come from a SUT over syslog and was not looked at yet: bounded, thread-safe, open to the SUT alone."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from reference_impl.audit.syslog.arrivals import Arrived, Connection

MOST_MESSAGES = 10_000
"""So many of one step are recorded."""
MOST_OCTETS = 1 << 24
"""Of all messages of one step."""
MESSAGE_OCTETS = 1 << 20
"""Of one message: the rest is not recorded."""
_STRANGERS = 16
_CONNECTIONS = 2000
_SLICE = 0.5


@dataclass(frozen=True)
class Kept:
    """A message as it is recorded: its first octets, how many came, the number of its connection."""

    octets: bytes
    length: int
    connection: int
    at: datetime


@dataclass(frozen=True)
class Taken:
    """What came in one step. `left_out` counts what is beyond the limits."""

    messages: tuple[Kept, ...] = ()
    connections: tuple[Connection, ...] = ()
    left_out: int = 0
    strangers: tuple[str, ...] = ()


@dataclass
class _Held:
    messages: list[Kept] = field(default_factory=list)
    connections: dict[int, Connection] = field(default_factory=dict)  # by number of ours
    octets: int = 0
    left_out: int = 0
    strangers: list[str] = field(default_factory=list)


class Inbox:
    """Takes what a receiver hands over, from `addresses` alone. Connections are numbered from `first` on."""

    def __init__(self, addresses: frozenset[str], first: int = 1) -> None:
        self._addresses = addresses
        self._changed = threading.Condition()
        self._held = _Held()
        self._numbers: dict[int, tuple[Connection, int]] = {}  # by identity, which lives as long as the connection
        self._next = first
        self._last = 0.0  # when something came last

    @property
    def admitted(self) -> int:
        """How many connections the SUT has made."""
        with self._changed:
            return len(self._numbers)

    @property
    def has_messages(self) -> bool:
        """Whether a message has come that was not taken yet."""
        with self._changed:
            return bool(self._held.messages)

    def number(self, connection: Connection) -> int:
        """The number of a connection over the whole run: a receiver that is opened again counts anew."""
        with self._changed:
            return self._number(connection)

    def renumber(self) -> None:
        """A new receiver begins: whatever is still held of connections stays as it is."""
        with self._changed:
            self._last = 0.0

    def on_messages(self, arrived: Sequence[Arrived]) -> None:
        """Messages have come."""
        with self._changed:
            for each in arrived:
                if self._is_known(each.connection):
                    self._keep(each)
            self._last = time.monotonic()
            self._changed.notify_all()

    def on_connection(self, connection: Connection) -> None:
        """A connection has ended."""
        with self._changed:
            if self._is_known(connection):
                self._note(connection)
                self._last = time.monotonic()
                self._changed.notify_all()

    def take(self) -> Taken:
        """What has come since this was asked last."""
        with self._changed:
            held, self._held = self._held, _Held()
        return Taken(tuple(held.messages), tuple(held.connections.values()), held.left_out, tuple(held.strangers))

    def wait_for(self, number: int, ends: float, stopping: threading.Event) -> None:
        """Return when so many messages have come, at the latest at `ends` (of the monotonic clock)."""
        with self._changed:
            while len(self._held.messages) < number and not stopping.is_set() and (left := ends - time.monotonic()) > 0:
                self._changed.wait(min(left, _SLICE))

    def settle(self, seconds: float, ends: float, stopping: threading.Event) -> bool:
        """Return when nothing has come for `seconds`, at the latest at `ends`; whether it was quiet."""
        quiet_since = time.monotonic()
        with self._changed:
            while not stopping.is_set():
                now = time.monotonic()
                quiet_since = max(quiet_since, self._last)
                left = min(quiet_since + seconds, ends) - now
                if left <= 0:
                    return now < ends
                self._changed.wait(min(left, _SLICE))
        return False

    def _is_known(self, connection: Connection) -> bool:
        if connection.host.removeprefix("::ffff:") in self._addresses:
            return True
        if connection.host not in self._held.strangers:
            self._held.strangers[_STRANGERS - 1 :] = [connection.host]
        return False

    def _number(self, connection: Connection) -> int:
        known = self._numbers.get(id(connection))
        if known is None:
            known = self._numbers[id(connection)] = connection, self._next
            self._next += 1
        return known[1]

    def _note(self, connection: Connection) -> int:
        """The number of a connection that something is recorded of; 0 where there are too many."""
        if len(self._held.connections) >= _CONNECTIONS and id(connection) not in self._numbers:
            return 0
        number = self._number(connection)
        self._held.connections[number] = connection
        return number

    def _keep(self, each: Arrived) -> None:
        held = self._held
        kept = each.octets[:MESSAGE_OCTETS]
        if len(held.messages) >= MOST_MESSAGES or held.octets + len(kept) > MOST_OCTETS:
            held.left_out += 1
            return
        held.octets += len(kept)
        held.messages.append(Kept(kept, len(each.octets), self._note(each.connection), each.at))


__all__ = ["MESSAGE_OCTETS", "MOST_MESSAGES", "MOST_OCTETS", "Inbox", "Kept", "Taken"]
