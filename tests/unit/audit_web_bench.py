"""A repository with its web page, running over TLS in a thread, and a small browser without a window to ask it."""

from __future__ import annotations

import contextlib
import http.client
import re
import socket
import ssl
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from pathlib import Path
from urllib.parse import urlencode

from fixtures.pki import Pki
from reference_impl.audit.parsing import read
from reference_impl.audit.repository.ingest import IngestLimits
from reference_impl.audit.repository.live import Subscription
from reference_impl.audit.repository.query import Row
from reference_impl.audit.repository.service import Repository
from reference_impl.audit.repository.settings import Settings
from reference_impl.audit.repository.web.access import Access
from reference_impl.audit.repository.web.users import write_user
from reference_impl.audit.syslog.messages import parse

USER, PASSWORD = "officer", "correct horse battery"
SECONDS = 20
_AT_ONCE = 25
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

    def add(self, messages: Sequence[bytes]) -> list[int]:
        """Send syslog messages as datagrams and wait until they are stored; returns their numbers."""
        address = self.repository.addresses.udp
        assert address is not None
        numbers: list[int] = []
        with (
            self.repository.subscribe() as subscription,
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sending,
        ):
            for first in range(0, len(messages), _AT_ONCE):
                part = messages[first : first + _AT_ONCE]
                for octets in part:
                    sending.sendto(octets, address)
                numbers += _arrived(subscription, len(part))
        return numbers

    def own(self) -> list[bytes]:
        """The octets of what the repository wrote itself, once everything is stored."""
        deadline = time.monotonic() + SECONDS
        while (status := self.repository.status).waiting and time.monotonic() < deadline:
            time.sleep(0.02)
        assert not status.waiting, status
        search = self.repository.search
        numbers = [row.number for row in search.since(0, size=1000) if "own" in row.marks]
        octets = search.octets(numbers)
        return [octets[number] for number in numbers]

    def events(self) -> list[tuple[str, tuple[str, ...], str, str]]:
        """What the repository wrote itself: event, kinds, outcome, who."""
        messages = [read(parse(octets).body) for octets in self.own()]
        return [
            (
                each.event.id.text,
                tuple(kind.text for kind in each.event.types),
                each.event.outcome,
                each.participants[0].user_id,
            )
            for each in messages
        ]

    def looks(self) -> list[bytes]:
        """What was looked at, as it is recorded."""
        messages = [read(parse(octets).body) for octets in self.own()]
        used = [each for each in messages if each.event.id.text == "Audit Log Used"]
        assert all(each.participants[0].user_id and each.participants[0].is_requestor for each in used)
        return [detail.value for each in used for item in each.objects for detail in item.details]


def _arrived(subscription: Subscription, number: int) -> list[int]:
    """The numbers of the next datagrams that are stored."""
    numbers: list[int] = []
    deadline = time.monotonic() + SECONDS
    while len(numbers) < number:
        assert time.monotonic() < deadline, f"{len(numbers)} of {number} messages were stored"
        numbers += [each.number for each in subscription.take(1.0) if isinstance(each, Row) and each.transport == "udp"]
    return numbers


@contextlib.contextmanager
def running(
    folder: Path, pki: Pki, access: Access | None = None, *, tls: bool = False, processes: int = 0
) -> Iterator[Bench]:
    """A repository with its page, which takes syslog over UDP, and TLS where wanted; USER gets in with PASSWORD."""
    if access is None:
        write_user(folder / "users", USER, PASSWORD)
        access = Access(users=folder / "users", zone="UTC")
    settings = Settings(
        folder / "audit.sqlite",
        tls_port=0 if tls else None,
        udp_port=0,
        web_port=0,
        certificate=pki.certificate_file("server"),
        key=pki.key_file("server"),
        access=access,
        limits=IngestLimits(processes=processes),
    )
    with Repository(settings) as repository:
        web = repository.addresses.web
        assert web is not None
        yield Bench(repository, pki, web[1])


__all__ = ["PASSWORD", "SECONDS", "USER", "Answer", "Bench", "Visitor", "running"]
