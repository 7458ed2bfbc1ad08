"""The repository as a whole: it receives, stores and watches, writes messages about itself, and can be asked."""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from reference_impl.audit import builders
from reference_impl.audit.model import AuditMessage, AuditSource
from reference_impl.audit.parts import Party, audit_source, machine
from reference_impl.audit.repository.examining import Arrival
from reference_impl.audit.repository.facts import Received, microseconds
from reference_impl.audit.repository.ingest import Ingest, IngestStatus
from reference_impl.audit.repository.live import Live, Subscription
from reference_impl.audit.repository.search import Search
from reference_impl.audit.repository.settings import Addresses, Settings
from reference_impl.audit.repository.store import Store
from reference_impl.audit.syslog.messages import audit_message, write
from reference_impl.audit.writing import to_xml

__all__ = ["Addresses", "Repository", "Settings"]

_AUDIT_REPOSITORY = "9"  # AuditSourceTypeCode: other, an audit repository has no number of its own
_APPLICATION = "ps315"


class Repository:
    """An audit repository. Use it as a context manager, or :meth:`start` and :meth:`stop`.

    `store` and `search` may be used from any thread, before it starts too. Raises `StoreError` where the database
    cannot be used.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.store = Store(settings.database)
        self.search = Search(self.store)
        self.live = Live()
        self._ingest = Ingest(self.store, self._stored, settings.limits)
        self._host = socket.gethostname()

    @property
    def source(self) -> AuditSource:
        """How the repository calls itself in its own messages."""
        return audit_source(self.settings.name, site=self.settings.site, types=[_AUDIT_REPOSITORY])

    @property
    def process(self) -> Party:
        """The repository as one who takes part in an event."""
        return Party(str(os.getpid()), name=_APPLICATION, access_point=machine(self._host))

    @property
    def status(self) -> IngestStatus:
        """How storing goes."""
        return self._ingest.status

    @property
    def addresses(self) -> Addresses:
        """Where it listens, once it has started."""
        return Addresses()

    def start(self) -> None:
        """Listen. Raises OSError where an address cannot be had, ssl.SSLError where certificate and key do not fit."""
        self._ingest.start()
        self._tell_activity("start")

    def stop(self, seconds: float = 30.0) -> int:
        """Listen no longer, store what was taken, and end; returns how many messages the database did not take."""
        self._tell_activity("stop")
        left = self._ingest.stop(seconds)
        self.live.close()
        self.store.close()
        return len(left)

    def subscribe(self) -> Subscription:
        """Watch messages as they are stored, and alerts as they are raised."""
        return self.live.subscribe()

    def record(self, message: AuditMessage) -> None:
        """Keep a message of the repository's own (Audit Log Used, User Authentication); from any thread, at once.

        Raises ValueError where `message` holds what XML cannot carry.
        """
        now = datetime.now(UTC)
        body = to_xml(message)
        syslog = audit_message(body, now, hostname=self._host, app_name=_APPLICATION, procid=str(os.getpid()))
        self._ingest.put_now([Arrival(write(syslog), microseconds(now), "own", "")])

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def _tell_activity(self, activity: str) -> None:
        occasion = builders.Occasion(when=datetime.now(UTC), source=self.source)
        self.record(
            builders.application_activity(
                occasion, activity="start" if activity == "start" else "stop", application=self.process
            )
        )

    def _stored(self, batch: Sequence[Received], numbers: Sequence[int]) -> None:
        """Messages were stored: tell those who watch. In the writing thread."""
        if self.live.watched and batch:
            self.live.publish(self.search.since(numbers[0] - 1, size=len(numbers)))
