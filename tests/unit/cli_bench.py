"""Runs the command line as a process of its own, and servers for it to meet."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reference_impl.node import Node

ROOT = Path(__file__).resolve().parents[2]
DEADLINE = 120.0


@dataclass(frozen=True)
class Ended:
    """A command that ended."""

    status: int
    out: str
    err: str


DECLARED = """
[declarations]
"B.12-mutual-authentication-declared" = true
"B.12-statement-ports" = "2762"
"B.12-statement-key-management" = "see 7.1"
"B.12-statement-algorithms" = "see 7.2"
"B.12-statement-provider-reasons" = "see 7.3"
"RFC9325-3.8-alpn-supported" = true
"RFC9325-7.5-revocation-strategy" = "OCSP"
"""


def campaign_of(node: Node) -> Path:
    """The folder of the test campaign that a node of the fixtures is set up for."""
    return node.trust_anchors.parent.parent


def sut_text(node: Node, more: str = DECLARED, *, name: str = "pacs", port: int | None = None) -> str:
    return f"""
schema = 1
[identity]
id = "{name}"
vendor = "ACME"
[endpoints.dimse]
host = "127.0.0.1"
port = {port or node.address[1]}
called_aet = "{node.ae_title}"
server_name = "localhost"
[[claims]]
profile = "B.12"
endpoint = "dimse"
[credentials]
campaign = "{campaign_of(node)}"
client_certificate = "{node.client_certificate}"
client_key = "{node.client_key}"
trust_anchors = "{node.trust_anchors}"
{more}
"""


def write_sut(folder: Path, text: str, name: str = "pacs.toml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def probe_arguments(node: Node, port: int | None = None) -> list[str | Path]:
    return [
        "probe",
        f"127.0.0.1:{port or node.address[1]}",
        "--called-aet",
        node.ae_title,
        "--server-name",
        "localhost",
        "--cert",
        node.client_certificate,
        "--key",
        node.client_key,
        "--ca",
        node.trust_anchors,
        "--campaign",
        campaign_of(node),
        "--no-second-opinion",
    ]


def document(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / "report.json").read_bytes())
    return content


def verdicts(folder: Path) -> dict[str, str]:
    return {verdict["key"]: verdict["verdict"] for verdict in document(folder)["verdicts"]}


def start(*arguments: str | Path, cwd: Path, **environment: str) -> subprocess.Popen[str]:
    """Start ``ps315`` with `arguments`."""
    return subprocess.Popen(
        [sys.executable, "-m", "harness", *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> Ended:
    """Wait for the end of a command."""
    try:
        out, err = process.communicate(timeout=DEADLINE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise
    return Ended(process.returncode, out, err)


def ps315(*arguments: str | Path, cwd: Path, **environment: str) -> Ended:
    """Run ``ps315`` with `arguments` to its end."""
    return finish(start(*arguments, cwd=cwd, **environment))


class Relay:
    """Relays connections to `address`; from the connection `hold_at` on, connections hang until `release`."""

    def __init__(self, address: tuple[str, int], hold_at: int) -> None:
        self._address, self._hold_at = address, hold_at
        self._released = threading.Event()
        self.holding = threading.Event()
        self._count = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def release(self) -> None:
        """Relay everything from now on."""
        self._released.set()

    def close(self) -> None:
        """Stop listening."""
        self._released.set()
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._count += 1
            if self._count >= self._hold_at:
                self.holding.set()
            held = self._count >= self._hold_at and not self._released.is_set()
            threading.Thread(target=self._relay, args=(client, held), daemon=True).start()

    def _relay(self, client: socket.socket, held: bool) -> None:
        if held:
            self._released.wait(DEADLINE)
            client.close()
            return
        with client, socket.create_connection(self._address) as server:
            back = threading.Thread(target=self._pump, args=(server, client), daemon=True)
            back.start()
            self._pump(client, server)
            back.join(DEADLINE)

    @staticmethod
    def _pump(source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)


@contextmanager
def tcp_server(serve: Callable[[socket.socket], None]) -> Iterator[int]:
    """A server at a free port that lets `serve` handle each connection in a thread; yields the port."""
    listener = socket.create_server(("127.0.0.1", 0))

    def work(client: socket.socket) -> None:
        with client, contextlib.suppress(OSError):
            serve(client)

    def accept() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=work, args=(client,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.close()


def unused_port() -> int:
    """A port at which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port
