"""``ps315 demo``: start the embedded reference nodes and clients, judge them and write the report."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from harness.commands import _options as option

_CURRENT = ("B.12", "B.13")
_OVER_TLS_TOO = frozenset({"A.6"})
"""Profiles that are judged by objects and by connections, both."""


def demo(
    *,
    profile: Annotated[
        str | None,
        typer.Option("--profile", help="Only this profile (default: TLS by B.12, B.13; signatures; audit trail)."),
    ] = None,
    edition: option.Edition = None,
    fault: Annotated[
        list[str] | None,
        typer.Option("--fault", help="Switch on a fault of the node or the client; may be repeated.", metavar="NAME"),
    ] = None,
    no_second_opinion: option.NoSecondOpinion = False,
    gentle: option.Gentle = False,
    intrusive: option.Intrusive = False,
    suite: option.Suites = None,
    out: option.Out = option.DEFAULT_OUT,
    force: option.Force = False,
    allow_inconclusive: option.AllowInconclusive = False,
    keylog: option.KeyLogFile = None,
    pcap: option.Pcap = False,
    sign: option.Sign = None,
    sign_cert: option.SignCertificate = None,
    quiet: option.Quiet = False,
    as_json: option.AsJson = False,
) -> int:
    """Start the reference systems for each current profile (or `profile`), judge them, report. Returns the status."""
    from fixtures.pki.campaign import Campaign
    from harness.catalogue import load_catalogue
    from harness.claims import chosen_edition, held_by
    from harness.commands._demo_objects import PROFILES, object_suts
    from harness.commands._demo_sut import clients_for, demo_sut, split_faults
    from harness.commands._directory import check_directory
    from harness.commands._pipeline import perform
    from harness.commands._settings import Settings
    from harness.commands.run import checked_catalogue
    from harness.commands.serve import make_node
    from harness.errors import UsageProblem

    if edition and not profile:
        raise UsageProblem("--edition is given without --profile; name the profile that it is an edition of")
    check_directory(out, resume=False, force=force)
    suites = tuple(suite or ())
    settings = Settings(
        command="demo",
        out=out,
        force=force,
        quiet=quiet,
        non_interactive=True,
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
    )
    chosen = chosen_edition(profile, edition, held_by(load_catalogue())) if profile else ""
    faults = split_faults(fault or [])
    by_objects = profile in PROFILES
    with ExitStack() as stack:
        campaign = Campaign.create(Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ps315-demo-"))))
        served: tuple[str, ...] = (profile,) if profile else _CURRENT
        if by_objects and profile not in _OVER_TLS_TOO:
            served = ()
        nodes = {
            name: stack.enter_context(make_node(name, faults["tls-server"], edition=chosen, campaign=campaign))
            for name in served
        }
        objects = object_suts(campaign, stack, profile, faults) if by_objects or not profile else None
        sut = demo_sut(nodes, clients_for(nodes, faults["tls-client"], campaign), campaign, chosen, objects)
        return perform([sut], settings, checked_catalogue([sut], suites))
