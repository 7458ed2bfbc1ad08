"""``ps315 verify-report``: check a signed report."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from harness.commands import _options as option


def verify_report(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of a signed report.")],
    *,
    ca: option.Authorities = None,
) -> int:
    """Check signature and hashes of the report in DIR. Returns the exit status."""
    from harness.errors import UsageProblem
    from reports.signing import SigningProblem, verify

    if not directory.is_dir():
        raise UsageProblem(f"{directory}: there is no such folder; name the folder of a signed report")
    if ca is None:
        raise UsageProblem("--ca is missing; name the trust anchors of the signer's certificate")
    try:
        problems = verify(directory, ca)
    except SigningProblem as problem:
        raise UsageProblem(str(problem)) from None
    for sentence in problems:
        sys.stdout.write(f"{sentence}\n")
    sys.stdout.write("the report is NOT what was signed\n" if problems else "the report is what was signed\n")
    return 1 if problems else 0
