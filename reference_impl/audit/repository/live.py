"""What happens right now, for whoever watches: messages as they are stored, and alerts as they are raised."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Iterable
from types import TracebackType
from typing import Final, Self

from reference_impl.audit.repository.query import Alert, Row

_WAITING: Final = 1000
Happening = Row | Alert


class Subscription:
    """What has happened since the last look. A watcher who is too slow misses the oldest: `missed` counts them.

    Use it as a context manager, or :meth:`close` it. `take` waits in a thread, `wait` in an event loop.
    """

    def __init__(self, live: Live) -> None:
        self._live = live
        self._waiting: deque[Happening] = deque()
        self._arrived = threading.Condition()
        self._awaited: set[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = set()
        self.missed = 0
        self.closed = False

    def take(self, seconds: float = 0.0) -> tuple[Happening, ...]:
        """Everything new, waiting up to `seconds` for it; empty where there is nothing."""
        with self._arrived:
            if not self._waiting and seconds > 0:
                self._arrived.wait_for(lambda: bool(self._waiting) or self.closed, seconds)
            taken = tuple(self._waiting)
            self._waiting.clear()
            return taken

    async def wait(self, seconds: float) -> tuple[Happening, ...]:
        """Like `take`, in an event loop."""
        mark = (asyncio.get_running_loop(), asyncio.Event())
        with self._arrived:
            ready = bool(self._waiting) or self.closed
            self._awaited.add(mark)
        try:
            if not ready:
                async with asyncio.timeout(seconds):
                    await mark[1].wait()
        except TimeoutError:
            pass
        finally:
            with self._arrived:
                self._awaited.discard(mark)
        return self.take()

    def give(self, happened: Iterable[Happening]) -> None:
        """Hand over what happened; called by whoever publishes."""
        with self._arrived:
            self._waiting.extend(happened)
            while len(self._waiting) > _WAITING:
                self._waiting.popleft()
                self.missed += 1
            self._wake()

    def close(self) -> None:
        """No more is wanted."""
        with self._arrived:
            self.closed = True
            self._wake()
        self._live.leave(self)

    def _wake(self) -> None:
        self._arrived.notify_all()
        for loop, event in self._awaited:
            if not loop.is_closed():
                loop.call_soon_threadsafe(event.set)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


class Live:
    """Those who watch. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._watching: tuple[Subscription, ...] = ()

    @property
    def watched(self) -> bool:
        """Whether anybody watches."""
        return bool(self._watching)

    def subscribe(self) -> Subscription:
        """Watch from now on."""
        made = Subscription(self)
        with self._lock:
            self._watching = (*self._watching, made)
        return made

    def leave(self, subscription: Subscription) -> None:
        """Watch no longer."""
        with self._lock:
            self._watching = tuple(each for each in self._watching if each is not subscription)

    def publish(self, happened: Iterable[Happening]) -> None:
        """Tell everybody who watches."""
        happened = tuple(happened)
        for each in self._watching:
            each.give(happened)

    def close(self) -> None:
        """End every subscription."""
        for each in self._watching:
            each.close()
