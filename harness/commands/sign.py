"""``ps315 sign``: put digital signatures into DICOM files."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from reference_impl.signatures.creator import SigningOrder
    from reference_impl.signatures.keys import Signer

_WEAK = {"RIPEMD160", "MD5", "SHA1"}


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
            help="base (PS3.15 C.1), creator (C.2), authorization (C.3), sr (C.4: reports, key object selections), or "
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

    chosen = _signing.profile_of(profile, purpose, verification=verification)
    signer = _signing.signer_of(key, cert, password_env, chosen, allow_weak_key=allow_weak_key)
    orders = _signing.orders_of(
        chosen,
        algorithm=_signing.algorithm_of(mac),
        purpose="5" if verification else purpose,
        tags=tag or [],
        items=item or [],
        timestamp=timestamp,
        references=reference or [],
        allow_weak_key=allow_weak_key,
    )
    tasks = _signing.tasks_of(inputs, out, force=force)
    for note in _signing.notes_on(signer, orders[0]):
        _say(f"note: {note}")
    signed, skipped = _sign_all(tasks, orders, signer, quiet=quiet)
    if not quiet and len(tasks) > 1:
        left_out = f"; {_counted(skipped, 'file')} left out: not DICOM" if skipped else ""
        sys.stdout.write(f"{_counted(signed, 'file')} signed{left_out}\n")
    if not signed and len(tasks) > 1:
        _say("nothing was signed")
    return 0 if signed and signed + skipped == len(tasks) else 2


def _sign_all(
    tasks: Sequence[tuple[Path, Path]], orders: Sequence[SigningOrder], signer: Signer, *, quiet: bool
) -> tuple[int, int]:
    """Sign file after file; return how many were signed, and how many are none to sign.

    What cannot be signed is told and does not keep the rest from being signed.
    """
    from harness.errors import UsageProblem
    from reference_impl.signatures.creator import SigningError, sign_file
    from reference_impl.signatures.reader import NotDicomError, UnreadableError

    signed = skipped = 0
    for source, target in tasks:
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            uids = sign_file(source, target, orders, signer)
        except NotDicomError as problem:
            if len(tasks) == 1:
                raise UsageProblem(f"{source}: {problem}; name a DICOM file") from None
            skipped += 1
            continue
        except (SigningError, UnreadableError) as problem:
            sentence = f"{source}: {problem}"
        except OSError as problem:
            sentence = f"{target}: cannot be written: {problem.strerror}; name another place with --out"
        else:
            signed += 1
            if not quiet:
                sys.stdout.write(f"{target}: signed, {', '.join(uids)}\n")
            if orders[0].profile == "C.4" and (bare := _bare_references(target)):
                _say(
                    f"note: {target}: {_counted(bare, 'evidence reference')} without signature or MAC, though PS3.15 "
                    "A.4 demands one; name the folder of the instances with --reference"
                )
            continue
        _say(sentence)
    return signed, skipped


def _bare_references(path: Path) -> int:
    from reference_impl.signatures.references import bare_references

    return bare_references(path)


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _say(sentence: str) -> None:
    sys.stdout.flush()
    sys.stderr.write(f"ps315: {sentence}\n")
