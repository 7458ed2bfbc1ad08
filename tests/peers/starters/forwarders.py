"""Senders of syslog that nobody here wrote: what they are given over plain TCP goes on over TLS or UDP."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fixtures.pki import Pki
from tests.peers.starters.process import free_port, program, running
from tests.peers.starters.rsyslog import check_driver

_RSYSLOG = """
global(workDirectory="{directory}" maxMessageSize="128k" net.enableDNS="off"
       parser.escapeControlCharactersOnReceive="off" defaultNetstreamDriver="{driver}"
       defaultNetstreamDriverCAFile="{anchors}"
       defaultNetstreamDriverCertFile="{certificate}" defaultNetstreamDriverKeyFile="{key}")
module(load="imptcp")
template(name="raw" type="string" string="%rawmsg%")
ruleset(name="forward") {{ action(type="omfwd" target="localhost" port="{port}" template="raw" {how}) }}
input(type="imptcp" address="127.0.0.1" port="{given}" ruleset="forward")
action(type="omfile" file="{directory}/internal.log")
"""
_TLS = (
    'protocol="tcp" TCP_Framing="octet-counted" StreamDriver="{driver}" StreamDriverMode="1"'
    ' StreamDriverAuthMode="x509/name" StreamDriverPermittedPeers="localhost"'
)
_STUNNEL = """
foreground = yes
pid =
[syslog]
client = yes
accept = 127.0.0.1:{given}
connect = 127.0.0.1:{port}
cert = {certificate}
key = {key}
CAfile = {anchors}
verifyChain = yes
"""


@contextmanager
def rsyslog_forwarder(pki: Pki, directory: Path, driver: str, port: int) -> Iterator[int]:
    """What comes in frames to the port that it yields goes on unchanged to `port` of localhost.

    `driver`: "gtls" or "ossl" over TLS, or "udp". Raises `PeerMissing`.
    """
    path, given, stream = program("rsyslogd"), free_port(), driver if driver != "udp" else "ossl"
    check_driver(stream)
    directory.mkdir(parents=True, exist_ok=True)
    configuration = directory / "rsyslog.conf"
    configuration.write_text(
        _RSYSLOG.format(
            directory=directory,
            driver=stream,
            how='protocol="udp"' if driver == "udp" else _TLS.format(driver=driver),
            given=given,
            port=port,
            **_identity(pki),
        ),
        encoding="utf-8",
    )
    arguments = [path, "-n", "-f", str(configuration), "-i", str(directory / "rsyslog.pid")]
    with running(arguments, given, directory, name="rsyslog"):
        yield given


@contextmanager
def stunnel_forwarder(pki: Pki, directory: Path, port: int) -> Iterator[int]:
    """Octets that come to the port that it yields go over TLS to `port` of localhost. Raises `PeerMissing`."""
    path, given = program("stunnel4"), free_port()
    directory.mkdir(parents=True, exist_ok=True)
    configuration = directory / "stunnel.conf"
    configuration.write_text(_STUNNEL.format(given=given, port=port, **_identity(pki)), encoding="utf-8")
    with running([path, str(configuration)], given, directory, name="stunnel"):
        yield given


def _identity(pki: Pki) -> dict[str, Path]:
    return {
        "anchors": pki.trust_anchors_file("ca"),
        "certificate": pki.certificate_file("client"),
        "key": pki.key_file("client"),
    }
