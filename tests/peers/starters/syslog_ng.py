"""syslog-ng, which runs from a folder of its own beside rsyslog (``scripts/peers.sh`` fetches it)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fixtures.pki import Pki
from tests.peers.starters.collectors import Collector
from tests.peers.starters.process import PeerMissing, free_port, running

_HEAD = """@version: 3.38
options {{ keep-hostname(yes); use-dns(no); dns-cache(no); log-msg-size(131072); stats-freq(0); frac-digits(6); }};
"""
_COLLECTOR = """
source received {{
    syslog(ip("127.0.0.1") port({tls}) transport("tls") flags(store-raw-message)
           tls(key-file("{key}") cert-file("{certificate}") ca-file("{anchors}") peer-verify(required-trusted)));
    syslog(ip("127.0.0.1") port({udp}) transport("udp") flags(store-raw-message));
}};
destination kept {{ file("{directory}/received.log" template("${{RAWMSG}}\\n")); }};
log {{ source(received); destination(kept); }};
"""
_FORWARDER = """
source given {{ syslog(ip("127.0.0.1") port({given}) transport("tcp")); }};
destination collector {{
    syslog("localhost" port({port}) transport("tls")
           tls(key-file("{key}") cert-file("{certificate}") ca-file("{anchors}") peer-verify(required-trusted)));
}};
log {{ source(given); destination(collector); }};
"""


@contextmanager
def syslog_ng_collector(pki: Pki, directory: Path) -> Iterator[Collector]:
    """A repository that writes what it receives to a file as it came. Raises `PeerMissing`."""
    tls, udp, case = free_port(), free_port(), "server_key_encipherment"
    text = _COLLECTOR.format(
        directory=directory,
        tls=tls,
        udp=udp,
        anchors=pki.trust_anchors_file("ca"),
        certificate=pki.certificate_file(case),
        key=pki.key_file(case),
    )
    with _running(text, tls, directory):
        yield Collector(tls, udp, directory / "received.log")


@contextmanager
def syslog_ng_forwarder(pki: Pki, directory: Path, port: int) -> Iterator[int]:
    """What comes in frames to the port that it yields goes over TLS to `port` of localhost. Raises `PeerMissing`."""
    given = free_port()
    text = _FORWARDER.format(
        given=given,
        port=port,
        anchors=pki.trust_anchors_file("ca"),
        certificate=pki.certificate_file("client"),
        key=pki.key_file("client"),
    )
    with _running(text, given, directory):
        yield given


@contextmanager
def _running(configuration: str, port: int, directory: Path) -> Iterator[None]:
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(cache, "ps315", "syslog-ng")
    path = folder / "usr/sbin/syslog-ng"
    if not path.is_file():
        raise PeerMissing("syslog-ng was not fetched", optional=True)
    directory.mkdir(parents=True, exist_ok=True)
    file = directory / "syslog-ng.conf"
    file.write_text(_HEAD.format() + configuration, encoding="utf-8")
    libraries = [folder / "usr/lib/syslog-ng", *folder.glob("usr/lib/*-linux-gnu*"), *folder.glob("lib/*-linux-gnu*")]
    arguments = [str(path), "-F", "-f", str(file), "--no-caps", "--persist-file", str(directory / "persist")]
    arguments += ["--control", str(directory / "control"), "--pidfile", str(directory / "pid")]
    arguments += ["--module-path", str(folder / "usr/lib/syslog-ng/3.38")]
    environment = {"LD_LIBRARY_PATH": ":".join(map(str, libraries))}
    with running(arguments, port, directory, name="syslog-ng", environment=environment):
        yield
