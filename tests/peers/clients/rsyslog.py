"""rsyslog as a sender of syslog over TLS (omfwd): one process for each trial, driven by `logger` over UDP."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from tests.peers.clients.command import Client, Identity, command_of
from tests.peers.starters.process import program
from tests.peers.starters.rsyslog import check_driver

_CONFIGURATION = """
global(workDirectory="@DIRECTORY@" maxMessageSize="64k" net.enableDNS="off" defaultNetstreamDriver="@DRIVER@"
       defaultNetstreamDriverCAFile="@ANCHORS@" defaultNetstreamDriverCertFile="@CERTIFICATE@"
       defaultNetstreamDriverKeyFile="@KEY@")
module(load="imudp")
template(name="rfc5424" type="string"
         string="<%pri%>1 %timestamp:::date-rfc3339% %hostname% %app-name% %procid% %msgid% - %msg%")
ruleset(name="forward") {
    action(type="omfwd" target="@HOST@" port="@PORT@" protocol="tcp" TCP_Framing="octet-counted" template="rfc5424"
           StreamDriver="@DRIVER@" StreamDriverMode="1" StreamDriverAuthMode="@MODE@" @PERMITTED@
           action.resumeRetryCount="0")
}
input(type="imudp" address="127.0.0.1" port="@INPUT@" ruleset="forward")
"""
_PROGRAM = """
import pathlib, socket, subprocess, sys, tempfile, time
rsyslogd, logger, text, host, port = sys.argv[1:]
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
    probe.bind(("127.0.0.1", 0))
    udp = str(probe.getsockname()[1])
OPEN = {"01", "02", "03"}  # established, or about to be
def connections(of=lambda state: state != "0A"):  # of the listener, whatever became of them
    rows = (line.split() for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:])
    wanted = f":{int(port):04X}"
    return {(row[1], row[2]) for row in rows if of(row[3]) and (row[1].endswith(wanted) or row[2].endswith(wanted))}
def until(holds, seconds=5):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and not holds():
        time.sleep(0.02)
before = connections()
with tempfile.TemporaryDirectory() as folder:
    filled = pathlib.Path(text).read_text()
    for word, value in {"HOST": host, "PORT": port, "INPUT": udp, "DIRECTORY": folder}.items():
        filled = filled.replace(f"@{word}@", value)
    configuration = pathlib.Path(folder, "rsyslog.conf")
    configuration.write_text(filled)
    daemon = subprocess.Popen([rsyslogd, "-n", "-f", configuration, "-i", f"{folder}/pid"], stderr=subprocess.DEVNULL)
    listening = f"0100007F:{int(udp):04X}"
    until(lambda: listening in pathlib.Path("/proc/net/udp").read_text())
    subprocess.run([logger, "-n", "127.0.0.1", "-P", udp, "-d", "-t", "PS315", "A test of ps315."], check=True)
    until(lambda: connections() - before)
    # It shakes hands and sends, or closes; an accepted connection it keeps as long as it runs.
    until(lambda: not connections(OPEN.__contains__) - before, 0.7)
    daemon.terminate()
    try:
        daemon.wait(3)
    except subprocess.TimeoutExpired:
        daemon.kill()
        daemon.wait()
"""


def rsyslog(identity: Identity, directory: Path, options: Mapping[str, str]) -> Client:
    """Options: `driver` ("gtls", "ossl"), `mode` ("x509/name": path, name; "x509/certvalid": path; "anon": nothing)."""
    driver, mode = options.get("driver", "gtls"), options.get("mode", "x509/name")
    check_driver(driver)
    text = _CONFIGURATION
    for word, value in {
        "DRIVER": driver,
        "MODE": mode,
        "ANCHORS": str(identity.trust_anchors),
        "CERTIFICATE": str(identity.certificate),
        "KEY": str(identity.key),
        "PERMITTED": 'StreamDriverPermittedPeers="@HOST@"' if mode == "x509/name" else "",
    }.items():
        text = text.replace(f"@{word}@", value)
    configuration, script = directory / "rsyslog-sender.conf", directory / "send.py"
    configuration.write_text(text, encoding="utf-8")
    script.write_text(_PROGRAM, encoding="utf-8")
    arguments: list[str | Path] = [
        sys.executable, script, program("rsyslogd"), program("logger"), configuration, "{host}", "{port}",
    ]  # fmt: skip
    return Client(command_of(arguments), protocol="syslog-tls")
