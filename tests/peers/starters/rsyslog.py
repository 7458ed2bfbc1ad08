"""rsyslog as a receiver of syslog over TLS (imtcp), by the network stream drivers of GnuTLS or OpenSSL."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from fixtures.pki import Pki
from tests.peers.starters.process import Peer, PeerMissing, free_port, program, running

_CONFIGURATION = """
global(workDirectory="{directory}" maxMessageSize="64k" net.enableDNS="off"
       parser.escapeControlCharactersOnReceive="off"
       defaultNetstreamDriver="{driver}" defaultNetstreamDriverCAFile="{anchors}"
       defaultNetstreamDriverCertFile="{certificate}" defaultNetstreamDriverKeyFile="{key}")
module(load="imtcp" StreamDriver.Name="{driver}" StreamDriver.Mode="1" StreamDriver.AuthMode="{mode}")
template(name="raw" type="string" string="%rawmsg%\\n")
ruleset(name="received") {{
    action(type="omfile" file="{directory}/received.log" template="raw" asyncWriting="off" flushOnTXEnd="on")
}}
input(type="imtcp" address="127.0.0.1" port="{port}" ruleset="received")
action(type="omfile" file="{directory}/internal.log")
"""
DRIVERS = {"gtls": "lmnsd_gtls.so", "ossl": "lmnsd_ossl.so"}
"""The modules of the network stream drivers, one package each."""


def check_driver(driver: str) -> None:
    """Raise `PeerMissing` unless the driver's module is installed."""
    if not any(Path(folder, "rsyslog", DRIVERS[driver]).is_file() for folder in ("/usr/lib", *_libraries())):
        raise PeerMissing(f"rsyslog's driver {driver} is not installed")


def _libraries() -> Iterator[str]:
    yield from map(str, Path("/usr/lib").glob("*-linux-gnu*"))
    yield "/usr/lib64"


@contextmanager
def rsyslog(pki: Pki, directory: Path, options: Mapping[str, str]) -> Iterator[Peer]:
    """Options: `driver` ("gtls", "ossl"), `mode` ("x509/certvalid": any valid certificate; "anon": none asked for)."""
    path, driver, port = program("rsyslogd"), options.get("driver", "gtls"), free_port()
    check_driver(driver)
    directory.mkdir(parents=True, exist_ok=True)
    case = "server_key_encipherment"  # the mandatory suite of RFC 5425 needs that key usage
    configuration = directory / "rsyslog.conf"
    configuration.write_text(
        _CONFIGURATION.format(
            directory=directory,
            driver=driver,
            anchors=pki.trust_anchors_file("ca"),
            certificate=pki.certificate_file(case),
            key=pki.key_file(case),
            mode=options.get("mode", "x509/certvalid"),
            port=port,
        ),
        encoding="utf-8",
    )
    arguments = [path, "-n", "-f", str(configuration), "-i", str(directory / "rsyslog.pid")]
    with running(arguments, port, directory, name="rsyslog") as log:
        yield Peer("127.0.0.1", port, log)
