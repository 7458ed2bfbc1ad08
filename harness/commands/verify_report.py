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
    from reports.signing import verify

    from harness.errors import UsageProblem

    if not directory.is_dir():
        raise UsageProblem(f"{directory}: there is no such folder; name the folder of a signed report")
    if ca is None:
        raise UsageProblem("--ca is missing; name the trust anchors of the signer's certificate")
    sys.stdout.write(f"{verify(directory, ca)}\n")
    return 0
