"""``ps315 sign``: put digital signatures into DICOM files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def sign(
    inputs: Annotated[
        list[str],
        typer.Argument(metavar="INPUT", help="DICOM files, folders, DICOMDIRs or patterns; not written to."),
    ],
    *,
    out: Annotated[str, typer.Option("--out", help="File to write, or folder for several.", metavar="FILE|DIR")],
    key: Annotated[Path, typer.Option("--key", help="Private key, PEM or DER.", metavar="FILE")],
    cert: Annotated[Path, typer.Option("--cert", help="Its certificate, PEM or DER.", metavar="FILE")],
    profile: Annotated[
        str,
        typer.Option(
            "--profile",
            metavar="NAME",
            help="base (or C.1), creator (C.2), authorization (C.3), sr (C.4: reports, key object selections), or "
            "none: outside them, for ECDSA and DSA keys. Each signs what it demands; base and none sign everything.",
        ),
    ] = "",
    mac: Annotated[
        str, typer.Option("--mac", metavar="NAME", help="SHA256, SHA384, SHA512; RIPEMD160, MD5 and SHA1 are weak.")
    ] = "SHA256",
    tag: Annotated[
        list[str] | None,
        typer.Option(
            "--tag",
            metavar="TAG",
            help="Element to sign, (0010,0020) or PatientID; may be repeated. With base and none these alone, else "
            "these too.",
        ),
    ] = None,
    item: Annotated[
        list[str] | None,
        typer.Option(
            "--item",
            help="Sequence item to sign instead of the whole, (0040,A730)[2] or ContentSequence[2], counted from 1; "
            "may be repeated.",
            metavar="PATH",
        ),
    ] = None,
    purpose: Annotated[
        str | None,
        typer.Option("--purpose", help="Why it is signed: 1 author, 5 verification, 13 review, ... 18.", metavar="N"),
    ] = None,
    verification: Annotated[
        bool, typer.Option("--verification", help="Verification signature of a VERIFIED report: sr with purpose 5.")
    ] = False,
    timestamp: Annotated[
        str | None,
        typer.Option("--timestamp", help="Time-stamping authority (RFC 3161) to ask for a timestamp.", metavar="URL"),
    ] = None,
    reference: Annotated[
        list[Path] | None,
        typer.Option(
            "--reference",
            help="Folder of the instances that a report refers to: its references get their signatures or MACs (A.4); "
            "may be repeated.",
            metavar="FOLDER",
        ),
    ] = None,
    password_env: Annotated[
        str | None,
        typer.Option("--password-env", help="Environment variable with the key's password.", metavar="NAME"),
    ] = None,
    allow_weak_key: Annotated[
        bool, typer.Option("--allow-weak-key", help="Sign with an RSA key below 2048 bits.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace files that are there already.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Say nothing but what went wrong.")] = False,
) -> int:
    """Sign every file of the inputs and say what was written. Returns the exit status."""
    from harness.commands import _signing

    return _signing.sign(
        inputs,
        out=out,
        key=key,
        cert=cert,
        profile=profile,
        mac=mac,
        tag=tag,
        item=item,
        purpose=purpose,
        verification=verification,
        timestamp=timestamp,
        reference=reference,
        password_env=password_env,
        allow_weak_key=allow_weak_key,
        force=force,
        quiet=quiet,
    )
