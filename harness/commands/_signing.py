"""What ``ps315 sign`` does; apart from its options, so that it starts at once."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness.commands import _signing_arguments as arguments
from harness.commands._plain import Plain
from harness.errors import UsageProblem

if TYPE_CHECKING:
    from reference_impl.signatures.creator import SigningOrder
    from reference_impl.signatures.keys import Signer

OPERANDS = "inputs"
OPTIONS = {
    "--out": Plain("out", str),
    "--key": Plain("key", Path),
    "--cert": Plain("cert", Path),
    "--profile": Plain("profile", str),
    "--mac": Plain("mac", str),
    "--tag": Plain("tag", str, many=True),
    "--item": Plain("item", str, many=True),
    "--purpose": Plain("purpose", str),
    "--verification": Plain("verification"),
    "--timestamp": Plain("timestamp", str),
    "--reference": Plain("reference", Path, many=True),
    "--password-env": Plain("password_env", str),
    "--allow-weak-key": Plain("allow_weak_key"),
    "--force": Plain("force"),
    "--quiet": Plain("quiet"),
}
"""The options as `harness.commands.sign` declares them, for `harness.commands._plain`."""


def sign(
    inputs: Sequence[str],
    *,
    out: str = "",
    key: Path | None = None,
    cert: Path | None = None,
    profile: str = "",
    mac: str = "SHA256",
    tag: Sequence[str] | None = None,
    item: Sequence[str] | None = None,
    purpose: str | None = None,
    verification: bool = False,
    timestamp: str | None = None,
    reference: Sequence[Path] | None = None,
    password_env: str | None = None,
    allow_weak_key: bool = False,
    force: bool = False,
    quiet: bool = False,
) -> int:
    """Sign every file of the inputs and say what was written. Returns the exit status."""
    if not out:
        raise UsageProblem("--out is missing; name the file to write, or a folder")
    if key is None or cert is None:
        raise UsageProblem("--key or --cert is missing; name the private key and its certificate")
    chosen = arguments.profile_of(profile, purpose, verification=verification)
    signer = arguments.signer_of(key, cert, password_env, chosen, allow_weak_key=allow_weak_key)
    orders = arguments.orders_of(
        chosen,
        algorithm=arguments.algorithm_of(mac),
        purpose="5" if verification else purpose,
        tags=tag or [],
        items=item or [],
        timestamp=timestamp,
        references=reference or [],
        allow_weak_key=allow_weak_key,
    )
    tasks = arguments.tasks_of(inputs, out, force=force)
    for note in arguments.notes_on(signer, orders[0]):
        _say(f"note: {note}")
    signed, skipped = _sign_all(tasks, orders, signer, named={Path(each) for each in inputs}, quiet=quiet)
    if not quiet and len(tasks) > 1:
        left_out = f"; {_counted(skipped, 'file')} left out: not DICOM" if skipped else ""
        sys.stdout.write(f"{_counted(signed, 'file')} signed{left_out}\n")
    if not signed and len(tasks) > 1:
        _say("nothing was signed")
    return 0 if signed and signed + skipped == len(tasks) else 2


def _sign_all(
    tasks: Sequence[tuple[Path, Path]], orders: Sequence[SigningOrder], signer: Signer, *, named: set[Path], quiet: bool
) -> tuple[int, int]:
    """Sign file after file; return how many were signed, and how many are none to sign.

    What cannot be signed is told and does not keep the rest from being signed. `named` are the files that the user
    named one by one: such as are no DICOM files are told, too.
    """
    from reference_impl.signatures.creator import SigningError, sign_file
    from reference_impl.signatures.reader import NotDicomError, UnreadableError

    signed = skipped = 0
    for source, target in tasks:
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            uids = sign_file(source, target, orders, signer)
        except NotDicomError as problem:
            if source not in named:
                skipped += 1
                continue
            sentence = f"{source}: {problem}; name a DICOM file"
        except (SigningError, UnreadableError) as problem:
            sentence = f"{source}: {problem}"
        except OSError as problem:
            sentence = f"{target}: cannot be written: {problem.strerror}; name another place with --out"
        else:
            signed += 1
            if not quiet:
                sys.stdout.write(_printable(f"{target}: signed, {', '.join(uids)}") + "\n")
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
    sys.stderr.write(_printable(f"ps315: {sentence}") + "\n")


def _printable(text: str) -> str:
    """`text` without what would do something to a terminal: names of files and what files hold may be anybody's."""
    return "".join(each if each.isprintable() else f"\\x{ord(each):02x}" for each in text)
