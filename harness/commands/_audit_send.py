"""``ps315 audit send``: send audit messages over syslog."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.commands import _options as option


def send(
    paths: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[PATH...]",
            help="Files and folders of audit messages, captures of syslog or of packets; -: standard input. "
            "None: what waits in --spool.",
        ),
    ] = None,
    *,
    to: Annotated[
        str, typer.Option("--to", help="Receiver: syslog-tls://HOST[:6514] or syslog-udp://HOST[:514].", metavar="URL")
    ],
    cert: Annotated[
        Path | None, typer.Option("--cert", help="Certificate chain to show over TLS (PEM).", metavar="FILE")
    ] = None,
    key: Annotated[Path | None, typer.Option("--key", help="Its private key (PEM).", metavar="FILE")] = None,
    ca: Annotated[
        Path | None, typer.Option("--ca", help="Authorities that the receiver is believed by (PEM).", metavar="FILE")
    ] = None,
    fingerprint: Annotated[
        list[str] | None,
        typer.Option(
            "--fingerprint",
            help="The receiver's certificate (sha-256:AB:CD:...), with --ca or in its place; may be repeated.",
            metavar="F",
        ),
    ] = None,
    server_name: Annotated[
        str, typer.Option("--server-name", help="Name in the receiver's certificate (default: HOST).", metavar="NAME")
    ] = "",
    spool: Annotated[
        Path | None,
        typer.Option("--spool", help="File in which messages wait until they have gone, if need be for the next time."),
    ] = None,
    seconds: Annotated[float, typer.Option("--seconds", help="How long to try.", min=0, metavar="N")] = 30.0,
    facility: Annotated[int, typer.Option("--facility", help="Facility.", min=0, max=23)] = 10,
    severity: Annotated[int, typer.Option("--severity", help="Severity.", min=0, max=7)] = 5,
    hostname: Annotated[
        str, typer.Option("--hostname", help="HOSTNAME (default: that of this computer).", metavar="NAME")
    ] = "",
    app_name: Annotated[str, typer.Option("--app-name", help="APP-NAME.", metavar="NAME")] = "ps315",
    msgid: Annotated[str, typer.Option("--msgid", help="MSGID.", metavar="ID")] = "DICOM+RFC3881",
    quiet: option.Quiet = False,
) -> int:
    """Send messages in their order; those that have a syslog header keep it. Returns 0 if all have gone, else 1."""
    from harness.commands._audit_sending import Header, Receiver
    from harness.commands._audit_sending import send as run

    return run(
        paths or [],
        Receiver(to, cert, key, ca, tuple(fingerprint or ()), server_name),
        Header(facility, severity, hostname, app_name, msgid),
        spool=spool,
        seconds=seconds,
        quiet=quiet,
    )
