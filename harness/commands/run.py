"""``ps315 run``: judge all that SUT files claim."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.commands import _options as option

if TYPE_CHECKING:
    from harness.catalogue import Catalogue
    from harness.sut import Sut


def run(
    files: Annotated[list[Path], typer.Argument(metavar="SUT.toml...", help="SUT files; `ps315 init` writes one.")],
    *,
    no_second_opinion: option.NoSecondOpinion = False,
    gentle: option.Gentle = False,
    intrusive: option.Intrusive = False,
    suite: option.Suites = None,
    out: option.Out = option.DEFAULT_OUT,
    resume: option.Resume = False,
    force: option.Force = False,
    non_interactive: option.NonInteractive = False,
    operator_page: option.OperatorPage = None,
    allow_inconclusive: option.AllowInconclusive = False,
    keylog: option.KeyLogFile = None,
    pcap: option.Pcap = False,
    sign: option.Sign = None,
    sign_cert: option.SignCertificate = None,
    quiet: option.Quiet = False,
    as_json: option.AsJson = False,
) -> int:
    """Judge all that SUT files claim, side by side. Returns the exit status."""
    from harness.commands._pipeline import perform
    from harness.commands._settings import Settings, check_output_options
    from harness.operator_page.address import parse_address
    from harness.sut import load_suts

    suites = tuple(suite or ())
    check_output_options(sign, sign_cert, suites)
    suts = load_suts(files)
    catalogue = checked_catalogue(suts, suites)
    settings = Settings(
        command="run",
        out=out,
        resume=resume,
        force=force,
        quiet=quiet,
        non_interactive=non_interactive,
        allow_inconclusive=allow_inconclusive,
        second_opinion=not no_second_opinion,
        gentle=gentle,
        intrusive=intrusive,
        suites=suites,
        keylog=keylog,
        pcap=pcap,
        sign=sign,
        sign_certificate=sign_cert,
        json=as_json,
        operator_page=parse_address(operator_page) if operator_page is not None else None,
    )
    return perform(suts, settings, catalogue)


def checked_catalogue(suts: Sequence[Sut], suites: Sequence[Path]) -> Catalogue:
    """The catalogue with the vendors' `suites`. Raises `UsageProblem` for claims and ids that it does not know."""
    from harness.catalogue import load_catalogue
    from harness.claims import check_claims, held_by
    from harness.errors import UsageProblem
    from harness.sut import check_requirements

    catalogue = load_catalogue(*(folder.resolve() for folder in suites))
    held = held_by(catalogue)
    ids = [requirement.id for requirement in catalogue]
    problems = []
    for sut in suts:
        for check in (partial(check_claims, sut, held), partial(check_requirements, sut, ids)):
            try:
                check()
            except UsageProblem as problem:
                problems.append(str(problem))
    if problems:
        raise UsageProblem("\n".join(problems))
    return catalogue
