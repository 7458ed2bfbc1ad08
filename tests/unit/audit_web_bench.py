"""A repository with its web page, running over TLS in a thread, and a small browser without a window to ask it."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import re
import ssl
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.cookies import SimpleCookie
from pathlib import Path
from urllib.parse import urlencode

from fixtures.pki import Pki
from reference_impl.audit.repository.examining import Arrival, examine
from reference_impl.audit.repository.facts import Received, microseconds
from reference_impl.audit.repository.ingest import IngestLimits
from reference_impl.audit.repository.service import Repository
from reference_impl.audit.repository.settings import Settings
from reference_impl.audit.repository.web.access import Access, server_context
from reference_impl.audit.repository.web.app import make_app
from reference_impl.audit.repository.web.serving import WebServer
from reference_impl.audit.repository.web.users import write_user
from reference_impl.audit.syslog.messages import audit_message, write

USER, PASSWORD = "officer", "correct horse battery"
SECONDS = 20
_CHECK = re.compile(r'name="check" value="([^"]*)"')


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def check(self) -> str:
        """The token of the forms on the page."""
        found = _CHECK.search(self.text)
        assert found is not None, self.text[:2000]
        return found[1]


@dataclass
class Visitor:
    """Keeps cookies, follows nothing by itself."""

    port: int
    context: ssl.SSLContext
    cookies: dict[str, str] = field(default_factory=dict)

    def ask(
        self,
        method: str,
        path: str,
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> Answer:
        sent = {"Host": f"localhost:{self.port}"}
        if self.cookies:
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        if form is not None:
            body = urlencode(form).encode()
            sent["Content-Type"] = "application/x-www-form-urlencoded"
        sent |= headers or {}
        connection = http.client.HTTPSConnection("localhost", self.port, context=self.context, timeout=SECONDS)
        with contextlib.closing(connection):
            connection.request(method, path, body, sent)
            response = connection.getresponse()
            answer = Answer(response.status, response.headers, response.read())
        for header in answer.headers.get_all("set-cookie", []):
            for name, morsel in SimpleCookie(header).items():
                self.cookies.pop(name, None)
                if morsel.value and morsel["max-age"] != "0":
                    self.cookies[name] = morsel.value
        return answer

    def get(self, path: str, **headers: str) -> Answer:
        return self.ask("GET", path, headers=headers)

    def log_in(self, name: str = USER, password: str = PASSWORD, following: str = "/") -> Answer:
        check = self.get("/log-in").check
        return self.ask("POST", "/log-in", {"name": name, "password": password, "check": check, "next": following})


class Bench:
    """A repository and its page; `url` is where it is."""

    def __init__(self, repository: Repository, pki: Pki, port: int) -> None:
        self.repository = repository
        self.pki = pki
        self.port = port
        self.url = f"https://localhost:{port}"

    def visitor(self, client: str = "") -> Visitor:
        """Somebody new, with the certificate of the case `client` where one is named."""
        context = ssl.create_default_context(cafile=self.pki.trust_anchors_file())
        if client:
            context.load_cert_chain(self.pki.certificate_file(client), self.pki.key_file(client))
        return Visitor(self.port, context)

    def officer(self) -> Visitor:
        """Somebody who is logged in."""
        visitor = self.visitor()
        assert visitor.log_in().status == 303
        return visitor

    def add(self, bodies: Sequence[bytes], *, host: str = "ct-1", at: datetime | None = None) -> list[int]:
        """Store audit messages as if they had come over TLS; returns their numbers, and tells who watches."""
        now = at or datetime.now(UTC)
        return self.add_octets([write(audit_message(body, now, hostname=host, app_name="app")) for body in bodies])

    def add_octets(self, messages: Sequence[bytes]) -> list[int]:
        """Store whatever came."""
        arrived = microseconds(datetime.now(UTC))
        batch = [
            Received(octets, arrived, "tls", "192.0.2.7", None, examine(octets, arrived, "tls", "192.0.2.7"))
            for octets in messages
        ]
        numbers = self.repository.store.add(batch)
        self.repository.live.publish(self.repository.search.since(numbers[0] - 1))
        return numbers

    def own(self) -> list[bytes]:
        """The octets of what the repository wrote itself, once everything is stored."""
        deadline = threading.Event()
        for _ in range(SECONDS * 50):
            status = self.repository.status
            if status.stored == status.received and not status.waiting:
                break
            deadline.wait(0.02)
        search = self.repository.search
        numbers = [row.number for row in search.since(0, size=1000) if "own" in row.marks]
        octets = search.octets(numbers)
        return [octets[number] for number in numbers]


@contextlib.contextmanager
def running(folder: Path, pki: Pki, access: Access | None = None, **settings: object) -> Iterator[Bench]:
    """A repository with its page; by default USER gets in with PASSWORD."""
    if access is None:
        write_user(folder / "users", USER, PASSWORD)
        access = Access(users=folder / "users", zone="UTC")
    asked = Settings(
        folder / "audit.sqlite",
        tls_port=None,
        udp_port=None,
        limits=IngestLimits(processes=0),
        **settings,  # type: ignore[arg-type]
    )
    with Repository(asked) as repository:
        context = server_context(pki.certificate_file("server"), pki.key_file("server"), access)
        server = WebServer(make_app(repository, access), ("127.0.0.1", 0), context)
        with _in_thread(server):
            yield Bench(repository, pki, server.address[1])


@contextlib.contextmanager
def _in_thread(server: WebServer) -> Iterator[None]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="web page", daemon=True)
    thread.start()
    asyncio.run_coroutine_threadsafe(server.start(), loop).result(SECONDS)
    try:
        yield
    finally:
        asyncio.run_coroutine_threadsafe(server.stop(), loop).result(SECONDS)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(SECONDS)
        loop.close()


__all__ = ["PASSWORD", "SECONDS", "USER", "Answer", "Arrival", "Bench", "Visitor", "running"]
