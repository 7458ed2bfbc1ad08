"""What the instructions of a test campaign say works: lines of its README.txt, run with the programs they are for."""

from __future__ import annotations

import re
import shlex
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPSConnection
from pathlib import Path

import pytest

from fixtures.pki.campaign import Campaign
from fixtures.pki.campaign_files import write_files
from tests.missing import lacking
from tests.peers.starters import PeerMissing
from tests.peers.starters.process import free_port, program, running

pytestmark = pytest.mark.peer


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("campaign") / "set"
    write_files(Campaign.create(made))
    return made


def found(name: str) -> str:
    """The program, or the end of the test."""
    try:
        return program(name)
    except PeerMissing as missing:
        lacking(str(missing))


def line_of(folder: Path, start: str) -> list[str]:
    """The arguments of the line of README.txt that begins so."""
    text = (folder / "README.txt").read_text(encoding="utf-8")
    (line,) = (each.strip() for each in text.splitlines() if each.strip().startswith(start))
    return shlex.split(line)


def test_dcmtk_as_the_instructions_say(folder: Path) -> None:
    """storescp takes the harness's client certificate and echoscu the server's; neither takes an expired one."""
    echo, port = found("echoscu"), free_port()
    arguments = [found("storescp"), *line_of(folder, "storescp")[1:]]
    assert arguments.pop() == "11112"
    (folder / "received").mkdir(exist_ok=True)
    with running([*arguments, str(port)], port, folder, name="storescp"):
        for stem, accepted in (("harness-client", True), ("zoo/client/good", True), ("zoo/client/expired", False)):
            done = subprocess.run(
                [
                    echo,
                    "+tls",
                    f"{stem}.key",
                    f"{stem}.pem",
                    "+cf",
                    "harness-trust-anchors.pem",
                    "localhost",
                    str(port),
                ],
                cwd=folder,
                capture_output=True,
                timeout=30,
                check=False,
            )
            assert (done.returncode == 0) == accepted, (stem, done.stderr)


@contextmanager
def nginx(folder: Path, directory: Path) -> Iterator[int]:
    """nginx with the directives of README.txt."""
    path, port = found("nginx"), free_port()
    text = (folder / "README.txt").read_text(encoding="utf-8")
    directives = "\n".join(re.findall(r"^\s+ssl_\w+\s+[^;]+;$", text, re.MULTILINE))
    assert "ssl_crl" in directives
    configuration = f"""
        daemon off; worker_processes 1; error_log {directory}/error.log; pid {directory}/pid;
        events {{ worker_connections 64; }}
        http {{ access_log off;
          client_body_temp_path {directory}/b; proxy_temp_path {directory}/p; fastcgi_temp_path {directory}/f;
          uwsgi_temp_path {directory}/u; scgi_temp_path {directory}/s;
          server {{ listen 127.0.0.1:{port} ssl; {directives}
            location / {{ return 204; }} }} }}
    """
    directory.mkdir()
    (directory / "nginx.conf").write_text(configuration)
    with running([path, "-c", str(directory / "nginx.conf"), "-p", str(directory)], port, directory, name="nginx"):
        yield port


def status(folder: Path, port: int, stem: str) -> int:
    """What nginx answers to the client certificate `stem`: 400 where it does not believe it."""
    context = ssl.create_default_context(cafile=str(folder / "harness-trust-anchors.pem"))
    context.load_cert_chain(folder / f"{stem}.pem", folder / f"{stem}.key")
    connection = HTTPSConnection("localhost", port, context=context, timeout=10)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status
    finally:
        connection.close()


def test_nginx_as_the_instructions_say(folder: Path, tmp_path: Path) -> None:
    expected = {
        "harness-client": 204,
        "zoo/client/good": 204,
        "zoo/client/expired": 400,
        "zoo/client/unknown-authority": 400,
        "zoo/client/wrong-extended-key-usage": 400,
        "zoo/client/revoked-crl": 400,
        "zoo/client/revoked-intermediate": 400,
        "zoo/client/through-intermediate": 204,
        "zoo/client/through-two-intermediates": 204,
        "zoo/client/missing-extended-key-usage": 204,
    }
    with nginx(folder, tmp_path / "nginx") as port:
        assert {stem: status(folder, port, stem) for stem in expected} == expected
