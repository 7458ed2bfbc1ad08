"""The audit repository as a process: messages sent over TLS and UDP by the command line are seen on its page."""

from __future__ import annotations

import os
import re
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from harness import cli
from reference_impl.audit.syslog.tls import fingerprint
from tests.unit.audit_web_bench import Visitor
from tests.unit.audit_web_material import afternoon, hostile

_REPOSITORY = Path(__file__).resolve().parents[2]
_SECONDS = 60


@dataclass
class Served:
    """A running repository: its folder, and what it said when it began."""

    folder: Path
    said: str
    process: subprocess.Popen[str]

    def port(self, label: str) -> int:
        found = re.search(rf"{label}.*?:(\d+)", self.said)
        assert found is not None, self.said
        return int(found[1])

    @property
    def password(self) -> str:
        found = re.search(r"password (\S+)", self.said)
        assert found is not None, self.said
        return found[1]

    def visitor(self) -> Visitor:
        import ssl

        visitor = Visitor(self.port("web page"), ssl.create_default_context(cafile=self.folder / "pki" / "anchors.pem"))
        assert visitor.log_in("auditor", self.password).status == 303
        return visitor


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("served") / "own"
    ports = ["--tls-port", "0", "--udp-port", "0", "--web-port", "0"]
    process = subprocess.Popen(
        [sys.executable, "-m", "harness", "audit", "serve", "--directory", str(folder), *ports],
        env={**os.environ, "PYTHONPATH": str(_REPOSITORY), "PYTHONUNBUFFERED": "1"},
        cwd=folder.parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield Served(folder, _announcement(process), process)
    finally:
        process.send_signal(signal.SIGINT)
        try:
            _, errors = process.communicate(timeout=_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
    assert process.returncode == 0, errors
    assert "Traceback" not in errors


def _announcement(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    said = ""
    while "try it" not in said:
        line = process.stdout.readline()
        assert line, process.communicate(timeout=5)
        said += line
    return said


def _sent(served: Served, tmp_path: Path, messages: list[bytes], transport: str) -> None:
    files = []
    for number, octets in enumerate(messages):
        path = tmp_path / f"{transport}-{number}.log"
        path.write_bytes(octets)
        files.append(str(path))
    port = served.port("over TLS" if transport == "tls" else "over UDP")
    pki = served.folder / "pki"
    with_tls = ["--cert", str(pki / "client.pem"), "--key", str(pki / "client.key"), "--ca", str(pki / "anchors.pem")]
    arguments = ["audit", "send", *files, "--to", f"syslog-{transport}://127.0.0.1:{port}", "--quiet"]
    assert cli.run([*arguments, *(with_tls if transport == "tls" else [])]) == 0


def _shown(visitor: Visitor, address: str, wanted: str) -> str:
    """The page, once `wanted` is on it."""
    deadline = time.monotonic() + _SECONDS
    while True:
        text = visitor.get(address).text
        if wanted in text:
            return text
        assert time.monotonic() < deadline, text[-3000:]
        time.sleep(0.1)


def test_its_fingerprints_are_told(served: Served) -> None:
    der = ssl.PEM_cert_to_DER_cert(ssl.get_server_certificate(("127.0.0.1", served.port("web page"))))
    assert fingerprint(der) in served.said
    assert fingerprint(der, "sha-1") in served.said


@pytest.mark.parametrize("transport", ["tls", "udp"])
def test_what_is_sent_is_seen_on_the_page(served: Served, tmp_path: Path, transport: str) -> None:
    messages = list(afternoon(datetime.now(UTC), 5, seed=31 if transport == "tls" else 32))
    visitor = served.visitor()
    _sent(served, tmp_path, messages, transport)
    number = _number_of(visitor, messages[-1])
    text = visitor.get(f"/message/{number}").text
    assert ("syslog over TLS (RFC 5425)" if transport == "tls" else "syslog over UDP (RFC 5426)") in text
    if transport == "tls":
        assert "TLSv1.3" in text
        assert "CN=" in text


def _number_of(visitor: Visitor, octets: bytes) -> str:
    """The number of the message that came with these octets, once it is there."""
    deadline = time.monotonic() + _SECONDS
    while time.monotonic() < deadline:
        for number in re.findall(r'<td class="event"><a href="/message/(\d+)"', visitor.get("/").text):
            if visitor.get(f"/message/{number}/octets").body == octets:
                return str(number)
        time.sleep(0.1)
    raise AssertionError("the message is not on the page")


def test_a_hostile_message_harms_neither_repository_nor_page(served: Served, tmp_path: Path) -> None:
    visitor = served.visitor()
    _sent(served, tmp_path, [hostile()], "tls")
    text = _shown(visitor, "/", "&lt;script&gt;")
    assert "<script>document" not in text
    assert visitor.get("/nodes").status == 200
    assert served.process.poll() is None


def test_the_alerts_page_tells_its_rules(served: Served) -> None:
    text = served.visitor().get("/alerts").text
    assert "Detection rules at work" in text
    assert "failed-log-ins" in text
