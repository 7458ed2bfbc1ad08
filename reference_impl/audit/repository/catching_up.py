"""When stored messages are sorted into the index: in quiet moments, now and then, and where too many wait for it."""

from __future__ import annotations

import logging
from time import monotonic
from typing import Final

from reference_impl.audit.repository.database import StoreError
from reference_impl.audit.repository.store import Store

LOG: Final = logging.getLogger("ps315.audit")
_QUIET: Final = 0.1  # seconds without a message
_EACH: Final = 1.0  # seconds, while messages are stored as fast as they arrive
_FEW: Final = 500  # messages on their way: beyond, they are not
_PAUSE: Final = 5.0  # seconds after a failure


class CatchingUp:
    """Sorts messages of `store` into the index behind the thread that writes them, which uses it.

    At most some `most` messages wait for the index while more arrive. A failure hinders no message: they wait on.
    """

    def __init__(self, store: Store, most: int) -> None:
        self._store, self._most = store, most
        self._stored = self._indexed = self._hurried = monotonic()
        self._paused = 0.0

    @property
    def due(self) -> float | None:
        """Seconds until the index has its turn if nothing arrives, 0 or less where it has; None: nothing waits."""
        if not self._store.behind:
            return None
        return max(self._stored + _QUIET, self._paused) - monotonic()

    def after_storing(self, on_their_way: int) -> None:
        """Messages were stored, and so many more are on their way: index some where it is time."""
        self._stored = monotonic()
        if on_their_way > _FEW:
            self._hurried = self._stored
        keeps_up = self._stored >= max(self._indexed, self._hurried) + _EACH
        if (keeps_up or self._store.behind >= self._most) and self._stored >= self._paused:
            self.index()

    def in_a_quiet_moment(self) -> None:
        """Nothing has arrived for a while: let the database tidy up, and index some messages."""
        self._store.settle()
        self.index()

    def index(self) -> bool:
        """Index some messages; False where none waits, or that cannot be done for now."""
        done = 0
        try:
            done = self._store.index()
        except StoreError as problem:
            LOG.warning("messages are stored, but cannot be indexed for now: %s", problem)
        except Exception:  # a mistake of ours must not keep messages from being stored
            LOG.exception("messages are stored, but cannot be indexed")
        now = monotonic()
        self._indexed = now
        if not done:
            self._paused = now + _PAUSE
        return done > 0
