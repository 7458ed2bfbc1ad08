"""A repository at free ports of this machine, and senders that bring it messages."""

from __future__ import annotations

import contextlib
import random
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fixtures.pki import Pki
from reference_impl.audit.repository.facts import Facts, Received, microseconds, packed
from reference_impl.audit.repository.ingest import IngestLimits
from reference_impl.audit.repository.query import FIELDS, Query
from reference_impl.audit.repository.service import Repository
from reference_impl.audit.repository.settings import Settings
from reference_impl.audit.repository.store import Store
from reference_impl.audit.syslog.messages import audit_message, write
from reference_impl.syslog_frames import frame

SECONDS = 30.0
NOW = microseconds(datetime.now(UTC))
HOUR = 3_600_000_000


def settings(folder: Path, pki: Pki, **changes: Any) -> Settings:
    """A repository over TLS with mutual authentication and over UDP, that examines messages in its own process."""
    given: dict[str, Any] = {
        "database": folder / "audit.sqlite",
        "tls_port": 0,
        "udp_port": 0,
        "certificate": pki.certificate_file("server"),
        "key": pki.key_file("server"),
        "client_ca": pki.trust_anchors_file(),
        "limits": IngestLimits(processes=0),
    }
    return Settings(**given | changes)


@contextlib.contextmanager
def connected(repository: Repository, pki: Pki, certificate: str = "client") -> Iterator[ssl.SSLSocket]:
    """A TLS connection to the repository, ended properly."""
    context = ssl.create_default_context(cafile=str(pki.trust_anchors_file()))
    if certificate:
        context.load_cert_chain(pki.certificate_file(certificate), pki.key_file(certificate))
    assert repository.addresses.tls is not None
    with socket.create_connection(repository.addresses.tls, timeout=SECONDS) as plain:
        secure = context.wrap_socket(plain, server_hostname="localhost")
        try:
            yield secure
            secure.unwrap()
        finally:
            secure.close()


def send(repository: Repository, pki: Pki, messages: Iterable[bytes]) -> None:
    """Bring messages over one connection."""
    with connected(repository, pki) as connection:
        connection.sendall(b"".join(frame(message) for message in messages))


def send_beside(repository: Repository, pki: Pki, batches: Sequence[Sequence[bytes]]) -> None:
    """Bring several batches at once, each over a connection of its own."""
    failures: list[BaseException] = []

    def bring(batch: Sequence[bytes]) -> None:
        try:
            send(repository, pki, batch)
        except BaseException as problem:  # told where the test sees it
            failures.append(problem)

    threads = [threading.Thread(target=bring, args=(batch,)) for batch in batches]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, failures


def syslog(body: bytes, host: str = "node.example.org") -> bytes:
    """A syslog message of now around an audit message."""
    return write(audit_message(body, datetime.now(UTC), hostname=host, app_name="test"))


def until(holds: Callable[[], bool], seconds: float = SECONDS) -> None:
    """Return when something holds; fail where it does not in time."""
    deadline, pause = time.monotonic() + seconds, threading.Event()
    while not holds():
        assert time.monotonic() < deadline, "it did not come to hold in time"
        pause.wait(0.01)


def until_stored(repository: Repository, number: int) -> None:
    """Return when so many messages are stored, beside the repository's own."""
    until(lambda: repository.search.last() - len(own(repository)) >= number)


def own(repository: Repository) -> list[int]:
    """The numbers of the repository's own messages."""
    return [row.number for row in repository.search.all(Query(mark="own"))]


def received(number: int, *, at: int = NOW, octets: bytes = b"", **terms: str | Sequence[str]) -> Received:
    """A message as it is given to the store, with these values."""
    listed = [
        (kind.replace("_", "-"), value)
        for kind, values in ({"node": "node-1"} | terms).items()
        for value in ((values,) if isinstance(values, str) else values)
    ]
    first: dict[str, str] = {}
    for kind, value in listed:
        first.setdefault(kind, value)
    facts = Facts(
        event_time=at,
        event=first.get("event", ""),
        outcome=first.get("outcome", ""),
        node=first["node"],
        users=first.get("user", ""),
        patients=first.get("patient", ""),
        shall=int("shall" in [value for kind, value in listed if kind == "level"]),
        values=packed(dict.fromkeys(listed)),
    )
    return Received(octets or b"message %d" % number, at, "tls", "192.0.2.1", None, facts)


def trail_of(store: Store, number: int = 400, seed: int = 3) -> list[Received]:
    """Messages in which every field takes few values, so that any combination is found now and then."""
    chance = random.Random(seed)  # noqa: S311 - test material
    made = [
        received(
            place,
            at=NOW - chance.randrange(100) * HOUR,
            node=f"node-{chance.randrange(4)}",
            user=[f"User-{chance.randrange(5)}" for _ in range(chance.randrange(3))] or "nobody",
            patient=f"P{chance.randrange(20)}",
            event=chance.choice(("110114", "110104", "110103")),
            outcome=chance.choice(("0", "0", "8")),
            level=chance.choice(((), ("shall",), ("should",), ("shall", "should"))),
        )
        for place in range(number)
    ]
    for start in range(0, number, 90):
        store.add(made[start : start + 90])
    return made


def holds(message: Received, query: Query) -> bool:
    """What a query means, told without any index."""
    if query.since and message.arrived < microseconds(query.since):
        return False
    if query.until and message.arrived >= microseconds(query.until):
        return False
    terms = {(kind, value.casefold()) for kind, value in message.facts.terms}
    for field, kinds in FIELDS.items():
        wanted = getattr(query, field).casefold()
        if not wanted:
            continue
        prefix = wanted[:-1] if wanted.endswith("*") else None
        if not any(
            kind in kinds and (value == wanted if prefix is None else value.startswith(prefix)) for kind, value in terms
        ):
            return False
    return not query.only_findings or bool({("level", "shall"), ("level", "should")} & terms)
