"""``ps315 verify``: verify the digital signatures of files, folders and DICOMDIRs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.commands import _options as option


def verify(
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH...", help="Files, folders (with all below), DICOMDIRs (what they refer to), globs."
        ),
    ],
    *,
    anchors: Annotated[
        list[Path] | None,
        typer.Option("--anchors", help="Trusted certificates, PEM or DER; may be repeated.", metavar="FILE"),
    ] = None,
    crl: Annotated[
        list[Path] | None, typer.Option("--crl", help="Revocation list, PEM or DER; may be repeated.", metavar="FILE")
    ] = None,
    intermediates: Annotated[
        list[Path] | None,
        typer.Option(
            "--intermediates",
            help="Certificates of authorities between --anchors and signers, PEM or DER; trusted only through those.",
            metavar="FILE",
        ),
    ] = None,
    tsa_anchors: Annotated[
        list[Path] | None,
        typer.Option(
            "--tsa-anchors",
            help="Trusted certificates of time-stamping authorities (default: the --anchors).",
            metavar="FILE",
        ),
    ] = None,
    integrity_only: Annotated[
        bool, typer.Option("--integrity-only", help="Judge no certificates: only whether what was signed is unchanged.")
    ] = False,
    at: Annotated[
        str,
        typer.Option(
            "--at", help="Judge certificates at this time (ISO 8601), not at that of signing.", metavar="TIME"
        ),
    ] = "",
    require_signature: Annotated[
        bool, typer.Option("--require-signature", help="An unsigned object counts as invalid.")
    ] = False,
    require_profile: Annotated[
        str,
        typer.Option(
            "--require-profile", help="A signed object without a signature of this profile is invalid.", metavar="P"
        ),
    ] = "",
    as_json: option.AsJson = False,
    json_lines: Annotated[
        str,
        typer.Option(
            "--json-lines", help="Write the result of each file as a line of JSON (-: print).", metavar="FILE"
        ),
    ] = "",
    jobs: Annotated[int, typer.Option("--jobs", help="Processes (0: one for each core).", min=0, metavar="N")] = 0,
    quiet: option.Quiet = False,
) -> int:
    """Verify and print. Returns 0 if all are valid, 1 if some are not, 3 if some cannot be judged or none is signed."""
    from harness.commands._verifying import verify as run

    return run(
        paths,
        anchors=anchors,
        crl=crl,
        intermediates=intermediates,
        tsa_anchors=tsa_anchors,
        integrity_only=integrity_only,
        at=at,
        require_signature=require_signature,
        require_profile=require_profile,
        as_json=as_json,
        json_lines=json_lines,
        jobs=jobs,
        quiet=quiet,
    )
