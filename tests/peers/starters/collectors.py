"""rsyslog as a repository of audit messages: over TLS and UDP, what it receives is written to a file as it came."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from fixtures.pki import Pki
from tests.peers.starters.process import free_port, program, running
from tests.peers.starters.rsyslog import check_driver

_CONFIGURATION = """
global(workDirectory="{directory}" {maximum} net.enableDNS="off"
       parser.escapeControlCharactersOnReceive="{escape}"
       defaultNetstreamDriver="{driver}" defaultNetstreamDriverCAFile="{anchors}"
       defaultNetstreamDriverCertFile="{certificate}" defaultNetstreamDriverKeyFile="{key}")
module(load="imtcp" StreamDriver.Name="{driver}" StreamDriver.Mode="1" StreamDriver.AuthMode="x509/certvalid")
module(load="imudp")
template(name="raw" type="string" string="%rawmsg%\\n")
ruleset(name="received") {{
    action(type="omfile" file="{directory}/received.log" template="raw" asyncWriting="off" flushOnTXEnd="on")
}}
input(type="imtcp" address="127.0.0.1" port="{tls}" ruleset="received")
input(type="imudp" address="127.0.0.1" port="{udp}" ruleset="received")
action(type="omfile" file="{directory}/internal.log")
"""


@dataclass(frozen=True)
class Collector:
    """A running repository: its ports on the loopback interface, and the file that it appends to."""

    tls: int
    udp: int
    received: Path


@contextmanager
def rsyslog_collector(pki: Pki, directory: Path, options: Mapping[str, str]) -> Iterator[Collector]:
    """Options: `driver` ("gtls", "ossl"), `maximum` (maxMessageSize), `escape` ("on": control characters are escaped).

    Raises `PeerMissing`.
    """
    path, driver = program("rsyslogd"), options.get("driver", "gtls")
    check_driver(driver)
    directory.mkdir(parents=True, exist_ok=True)
    tls, udp = free_port(), free_port()
    case = "server_key_encipherment"
    configuration = directory / "rsyslog.conf"
    configuration.write_text(
        _CONFIGURATION.format(
            directory=directory,
            driver=driver,
            maximum=f'maxMessageSize="{options["maximum"]}"' if "maximum" in options else "",
            escape=options.get("escape", "off"),
            anchors=pki.trust_anchors_file("ca"),
            certificate=pki.certificate_file(case),
            key=pki.key_file(case),
            tls=tls,
            udp=udp,
        ),
        encoding="utf-8",
    )
    arguments = [path, "-n", "-f", str(configuration), "-i", str(directory / "rsyslog.pid")]
    with running(arguments, tls, directory, name="rsyslog"):
        yield Collector(tls, udp, directory / "received.log")
