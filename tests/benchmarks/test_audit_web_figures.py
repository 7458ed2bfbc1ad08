"""Figures of the page of the audit repository: how it answers while much arrives, how live views keep up; printed only.

``python -m pytest tests/benchmarks/test_audit_web_figures.py -m benchmark -s``
"""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import pytest

from fixtures.pki import Pki
from reference_impl.syslog_frames import frame
from tests.unit.audit_web_bench import Bench, Visitor, running
from tests.unit.audit_web_material import afternoon

pytestmark = pytest.mark.benchmark

MESSAGES, VIEWS, PARTS = 10_000, 5, 200
DEADLINE = 300.0


@dataclass
class View:
    """One live view: how many rows it was sent, in how many events, and up to which message."""

    rows: int = 0
    events: int = 0
    reached: int = 0
    largest: int = 0
    ended: threading.Event = field(default_factory=threading.Event)

    def follow(self, bench: Bench, officer: Visitor) -> None:
        connection = http.client.HTTPSConnection("localhost", bench.port, context=officer.context, timeout=DEADLINE)
        cookie = "; ".join(f"{name}={value}" for name, value in officer.cookies.items())
        with contextlib.suppress(OSError, http.client.HTTPException):
            connection.request("GET", "/live", headers={"Cookie": cookie})
            for line in connection.getresponse():
                if line.startswith(b"id: "):
                    self.reached = int(line[4:])
                elif line.startswith(b"data: {"):
                    self.events += 1
                    self.rows += len(json.loads(line[6:])["rows"])
                    self.largest = max(self.largest, len(line))
        self.ended.set()


@contextlib.contextmanager
def sending(bench: Bench, messages: list[bytes]) -> Iterator[threading.Thread]:
    address = bench.repository.addresses.tls
    assert address is not None
    context = ssl.create_default_context(cafile=bench.pki.trust_anchors_file())

    def send() -> None:
        with context.wrap_socket(socket.create_connection(address), server_hostname="localhost") as connection:
            for message in messages:
                connection.sendall(frame(message))
            connection.unwrap()

    thread = threading.Thread(target=send, daemon=True)
    thread.start()
    yield thread
    thread.join(DEADLINE)


def seconds(ask: Callable[[], object]) -> float:
    begun = time.monotonic()
    ask()
    return time.monotonic() - begun


def test_the_page_answers_while_much_arrives(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    part = MESSAGES // PARTS
    messages = [octets for number in range(PARTS) for octets in afternoon(now, part, seed=number)]
    views = [View() for _ in range(VIEWS)]
    with running(tmp_path, Pki.create(), tls=True, processes=2) as bench:
        officer = bench.officer()
        threads = [threading.Thread(target=view.follow, args=(bench, officer), daemon=True) for view in views]
        for thread in threads:
            thread.start()
        busy: list[float] = []
        begun = time.monotonic()
        with sending(bench, messages):
            while bench.repository.status.stored < MESSAGES and time.monotonic() < begun + DEADLINE:
                busy.append(seconds(lambda: officer.get("/")))
        took = time.monotonic() - begun
        last = bench.repository.search.last()
        while min(view.reached for view in views) < last and time.monotonic() < begun + DEADLINE:
            time.sleep(0.05)
        quiet = [seconds(lambda: officer.get("/")) for _ in range(20)]
    assert last >= MESSAGES
    assert min(view.reached for view in views) >= last
    assert max(view.largest for view in views) < 200_000
    print(
        f"\npage while {MESSAGES} messages arrived in {took:.1f} s: {median(busy) * 1000:.0f} ms"
        f" (at most {max(busy) * 1000:.0f}), {median(busy) / median(quiet):.1f} of the {median(quiet) * 1000:.0f} ms"
        f" when nothing does; {VIEWS} live views kept up with {views[0].events} events of {views[0].rows} rows"
    )
