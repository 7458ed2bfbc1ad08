"""The repository as a whole: it receives, stores and watches, writes messages about itself, and can be asked."""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from ipaddress import ip_address
from types import TracebackType
from typing import TYPE_CHECKING, Literal, Self
from urllib.parse import quote

from reference_impl.audit import builders
from reference_impl.audit.model import AuditMessage, AuditSource, Code
from reference_impl.audit.parts import Party, alert_subject, audit_source, machine
from reference_impl.audit.repository.detection.engine import Raised
from reference_impl.audit.repository.detection.rules import Rule, load_rules
from reference_impl.audit.repository.detection.watching import Watching
from reference_impl.audit.repository.facts import Received
from reference_impl.audit.repository.ingest import Ingest, IngestStatus
from reference_impl.audit.repository.listening import Listening
from reference_impl.audit.repository.live import Live, Subscription
from reference_impl.audit.repository.own import APPLICATION, arrival
from reference_impl.audit.repository.search import Search
from reference_impl.audit.repository.settings import Addresses, Settings
from reference_impl.audit.repository.store import AlertFacts, Store, StoreBusyError
from reference_impl.audit.syslog.receiver import Connection

if TYPE_CHECKING:
    from reference_impl.audit.repository.web.serving import WebServer

__all__ = ["Addresses", "Repository", "Settings"]

_AUDIT_REPOSITORY = "9"  # AuditSourceTypeCode: other, an audit repository has no number of its own
_NODE_AUTHENTICATION = "110126"
_AUDIT_ALERT = Code("Detected", "99PS315", "Detection rule")  # no code of CID 403 says this
LOG = logging.getLogger("ps315.audit")


class Repository:
    """An audit repository. Use it as a context manager, or :meth:`start` and :meth:`stop`.

    `store` and `search` may be used from any thread, before it starts too. Raises `StoreError` where the database
    cannot be used, `RulesError` where the rules cannot, ValueError where the settings do not go together.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.rules: tuple[Rule, ...] = load_rules(settings.rules)
        self.store = Store(settings.database)
        self.search = Search(self.store)
        self.live = Live()
        self._ingest = Ingest(self.store, self._stored, settings.limits)
        self._host = socket.gethostname()
        self.left: tuple[bytes, ...] = ()
        self._stopped = self._ticks = False
        self._watching = Watching(self.rules, self._alert)
        try:
            self._listening = Listening(
                settings, self._ingest, self.store, web=self._web(), tick=self._tick, refused=self._refused
            )
        except BaseException:
            self.store.close()
            raise

    @property
    def source(self) -> AuditSource:
        """How the repository calls itself in its own messages."""
        return audit_source(self.settings.name, site=self.settings.site, types=[_AUDIT_REPOSITORY])

    @property
    def process(self) -> Party:
        """The repository as one who takes part in an event."""
        return Party(str(os.getpid()), name=APPLICATION, access_point=machine(self._host))

    @property
    def status(self) -> IngestStatus:
        """How storing goes."""
        return self._ingest.status

    @property
    def addresses(self) -> Addresses:
        """Where it listens, once it has started."""
        return self._listening.addresses

    def start(self) -> None:
        """Listen. Raises OSError where an address cannot be had, ssl.SSLError where certificate and key do not fit."""
        self._watching.replay(self.search, _now())
        self._ingest.start()
        try:
            self._listening.start()
        except BaseException:
            self._ingest.stop(0)
            self.store.close()
            raise
        self._tell_activity("start")

    def stop(self, seconds: float = 30.0) -> int:
        """Listen no longer, store what was taken, and end; returns how many messages the database did not take.

        They are in `left`. To stop again does nothing.
        """
        if not self._stopped:
            self._stopped = True
            try:
                self._listening.stop()
                self._tell_activity("stop")
            finally:  # whatever fails, what was taken is stored
                self.left = tuple(each.octets for each in self._ingest.stop(seconds))
                self.live.close()
                self.store.close()
        return len(self.left)

    def subscribe(self) -> Subscription:
        """Watch messages as they are stored, and alerts as they are raised."""
        return self.live.subscribe()

    def record(self, message: AuditMessage) -> None:
        """Keep a message of the repository's own (Audit Log Used, User Authentication); from any thread, at once.

        Raises ValueError where `message` holds what XML cannot carry, `StoreBusyError` where far too much waits.
        """
        if not self._ingest.put_now([arrival(message)]):
            raise StoreBusyError(f"{self.store.name}: nothing can be recorded for now: {self.status.trouble}")

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def _tell_activity(self, activity: str) -> None:
        occasion = builders.Occasion(when=datetime.now(UTC), source=self.source)
        self._tell(
            builders.application_activity(
                occasion, activity="start" if activity == "start" else "stop", application=self.process
            )
        )

    def _tell(self, message: AuditMessage) -> None:
        """Keep a message of the repository's own if that can be: nobody is there to be told that it cannot."""
        try:
            self.record(message)
        except StoreBusyError as problem:
            LOG.warning("a message of the repository's own is not kept: %s", problem)

    def _web(self) -> WebServer | None:
        """The web page, None where none is wanted."""
        settings = self.settings
        if settings.web_port is None:
            return None
        if settings.access is None or settings.certificate is None or settings.key is None:
            raise ValueError("the web page needs a certificate, a key, and to be told who may look at it")
        from reference_impl.audit.repository.web.access import server_context
        from reference_impl.audit.repository.web.app import make_app
        from reference_impl.audit.repository.web.serving import WebServer

        context = server_context(settings.certificate, settings.key, settings.access)
        return WebServer(make_app(self, settings.access), (settings.host, settings.web_port), context)

    def _stored(self, batch: Sequence[Received], numbers: Sequence[int]) -> None:
        """Messages were stored: tell those who watch, and the rules. In the writing thread."""
        if self.live.watched and batch:
            self.live.publish(self.search.since(numbers[0] - 1, size=len(numbers)))
        self._watching.take(batch, numbers)

    def _tick(self) -> None:
        """A second has passed. In the event loop."""
        if not self._ticks:  # while the database takes nothing, one look waits, and not one for each second
            self._ticks = True
            self._ingest.put_job(self._look)

    def _look(self) -> None:
        """See what has not come. In the writing thread."""
        self._ticks = False
        self._watching.tick(_now())

    def _alert(self, raised: Sequence[tuple[Raised, AlertFacts]]) -> None:
        """Rules raised something. In the writing thread."""
        self._ingest.put_job(lambda: self._store_alerts([facts for _, facts in raised]))
        for each, facts in raised:
            if each.rule.send:
                self._tell(self._security_alert(facts.title, facts.node, _AUDIT_ALERT))

    def _store_alerts(self, facts: Sequence[AlertFacts]) -> None:
        numbers = self.store.add_alerts(facts)
        if self.live.watched:
            alerts = (self.search.alert(number) for number in numbers)
            self.live.publish(alert for alert in alerts if alert is not None)

    def _refused(self, connection: Connection, more: int) -> None:
        """A sender could not prove who it is (PS3.15 A.5.3.11, Node Authentication). In the event loop."""
        text = f"TLS of {connection.host} failed: {connection.refused}" + (f"; {more} more did" if more else "")
        self._tell(self._security_alert(text, connection.host, _NODE_AUTHENTICATION))

    def _security_alert(self, text: str, node: str, kind: str | Code) -> AuditMessage:
        text = "".join(each if each.isprintable() else "\ufffd" for each in text)
        occasion = builders.Occasion(when=datetime.now(UTC), source=self.source, outcome="4", description=text)
        identified, where = _identified(node or self.settings.name)
        subject = alert_subject(where, kind=identified, name=node or "several nodes", description=text)
        return builders.security_alert(occasion, alert=kind, person=None, process=self.process, subjects=[subject])


def _identified(node: str) -> tuple[Literal["uri", "node"], str]:
    """How a security alert names a node: by its address; else by a URI, as no domain of it is known (A.5.3.11)."""
    try:
        return "node", str(ip_address(node))
    except ValueError:
        return "uri", f"urn:ps315:node:{quote(node, safe='')}"


def _now() -> int:
    return time.time_ns() // 1000
