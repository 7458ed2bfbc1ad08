"""``ps315 audit validate``: check audit messages in files, folders and captures."""

from __future__ import annotations

from typing import Annotated

import typer

from harness.commands import _options as option


def validate(
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH...",
            help="Files and folders of messages, captures of syslog or of packets (pcap, pcapng); -: standard input.",
        ),
    ],
    *,
    profile: Annotated[
        str,
        typer.Option(
            "--profile",
            help="What syslog headers are held against: A.6, A.7, IHE-ATX-TLS-Syslog, IHE-ATX-UDP-Syslog, or A.5: "
            "nothing (default: A.7 for datagrams, else A.6).",
            metavar="P",
        ),
    ] = "",
    section: Annotated[
        list[str] | None,
        typer.Option(
            "--section", help="Only messages of this section (A.5.3.12) or event code; may be repeated.", metavar="S"
        ),
    ] = None,
    as_json: option.AsJson = False,
    json_lines: Annotated[
        str,
        typer.Option(
            "--json-lines", help="Write the result of each message as a line of JSON (-: print).", metavar="FILE"
        ),
    ] = "",
    allow_inconclusive: option.AllowInconclusive = False,
    quiet: option.Quiet = False,
) -> int:
    """Check and print. Returns 0 if all conform, 1 if some do not, 3 if something cannot be judged."""
    from harness.commands._audit_validating import validate as run

    return run(
        paths,
        profile=profile,
        section=section,
        as_json=as_json,
        json_lines=json_lines,
        allow_inconclusive=allow_inconclusive,
        quiet=quiet,
    )
