"""A receiver with an event loop in a thread of its own, for programs that have none."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Self

from reference_impl.audit.syslog.arrivals import DEFAULT_LIMITS, Arrived, Connection, ReceiverLimits
from reference_impl.audit.syslog.receiver import Address, Receiver
from reference_impl.audit.syslog.tls import ServerTls


class ReceiverThread:
    """Receives while the context is entered, or between :meth:`start` and :meth:`stop`.

    Messages go to `on_messages`, which is called in the thread of the loop and had better be quick; without it they
    are kept in `messages`. Connections that ended are kept in `connections` in any case (and told to `on_connection`).
    """

    def __init__(
        self,
        on_messages: Callable[[Sequence[Arrived]], None] | None = None,
        *,
        tls: ServerTls | None = None,
        tcp: Address | None = None,
        udp: Address | None = None,
        limits: ReceiverLimits = DEFAULT_LIMITS,
        on_connection: Callable[[Connection], None] | None = None,
    ) -> None:
        self._changed = threading.Condition()
        self._messages: list[Arrived] = []
        self._connections: list[Connection] = []
        self._tell = on_messages or self._messages.extend
        self._tell_of_connection = on_connection
        self._receiver = Receiver(
            self._take, tls=tls, tcp=tcp, udp=udp, limits=limits, on_connection=self._note_connection
        )
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="syslog-receiver", daemon=True)

    @property
    def addresses(self) -> Mapping[str, Address]:
        """Where it listens, by transport: "tls", "udp"."""
        return self._receiver.addresses

    @property
    def peak(self) -> int:
        """The most octets of messages that have been in hand at once."""
        return self._receiver.peak

    @property
    def messages(self) -> tuple[Arrived, ...]:
        """What has come, oldest first."""
        with self._changed:
            return tuple(self._messages)

    @property
    def connections(self) -> tuple[Connection, ...]:
        """The connections that have ended, in that order."""
        with self._changed:
            return tuple(self._connections)

    def await_messages(self, number: int, seconds: float) -> tuple[Arrived, ...]:
        """What has come as soon as there are `number` messages, at the latest after `seconds`."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._messages) >= number, seconds)
            return tuple(self._messages)

    def await_connections(self, number: int, seconds: float) -> tuple[Connection, ...]:
        """The connections that have ended as soon as there are `number`, at the latest after `seconds`."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._connections) >= number, seconds)
            return tuple(self._connections)

    def start(self) -> None:
        """Listen. Raises what :meth:`Receiver.start` raises."""
        self._thread.start()
        try:
            asyncio.run_coroutine_threadsafe(self._receiver.start(), self._loop).result()
        except BaseException:
            self._end_loop()
            raise

    def stop(self, timeout: float = 5.0) -> None:
        """End every connection properly within `timeout` seconds. Once is enough; more do nothing."""
        if not self._thread.is_alive():
            return
        asyncio.run_coroutine_threadsafe(self._receiver.stop(timeout), self._loop).result()
        self._end_loop()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()
        self._loop.close()

    def _end_loop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    async def _take(self, arrived: Sequence[Arrived]) -> None:
        with self._changed:
            self._tell(arrived)
            self._changed.notify_all()

    def _note_connection(self, connection: Connection) -> None:
        if self._tell_of_connection is not None:
            self._tell_of_connection(connection)
        with self._changed:
            self._connections.append(connection)
            self._changed.notify_all()
