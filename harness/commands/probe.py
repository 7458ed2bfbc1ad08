"""``ps315 probe``: judge one TLS endpoint without a SUT file."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

import typer

from harness.commands import _options as option


def probe(
    target: Annotated[
        str, typer.Argument(metavar="TARGET", help="HOST:PORT or a URL (dicom-tls://, https://, syslog-tls://).")
    ],
    *,
    profile: option.ProbedProfile = None,
    edition: option.Edition = None,
    cert: option.Certificate = None,
    key: option.Key = None,
    ca: option.Authorities = None,
    campaign: option.CampaignFolder = None,
    server_name: Annotated[str, typer.Option("--server-name", help="Name to ask for and to check.")] = "",
    calling_aet: Annotated[str, typer.Option("--calling-aet", help="AE title of this harness.")] = "",
    called_aet: Annotated[str, typer.Option("--called-aet", help="AE title of the device.")] = "",
    no_second_opinion: option.NoSecondOpinion = False,
    gentle: option.Gentle = False,
    intrusive: option.Intrusive = False,
    suite: option.Suites = None,
    out: option.Out = option.DEFAULT_OUT,
    resume: option.Resume = False,
    force: option.Force = False,
    allow_inconclusive: option.AllowInconclusive = False,
    keylog: option.KeyLogFile = None,
    pcap: option.Pcap = False,
    sign: option.Sign = None,
    sign_cert: option.SignCertificate = None,
    quiet: option.Quiet = False,
    as_json: option.AsJson = False,
) -> int:
    """Judge one TLS endpoint. Returns the exit status."""
    from pydantic import ValidationError

    from harness.commands._pipeline import perform
    from harness.commands._settings import Settings
    from harness.credentials import CredentialSources, load_credentials
    from harness.errors import UsageProblem
    from harness.sut import Sut, SutFile, checked_ae_title, sentence_of
    from harness.target import ENDPOINT_NAMES, parse_target

    where = parse_target(target)
    profile = profile or where.profile
    chosen = _edition_of(profile, edition, suite)
    titles = {"called_aet": called_aet or where.called_aet, "calling_aet": calling_aet}
    for name, title in titles.items():
        try:
            titles[name] = checked_ae_title(title) if title else ""
        except ValueError as problem:
            raise UsageProblem(f"--{name.replace('_', '-')} {title!r}: {problem}") from None
    flags = {"client_certificate": "--cert", "client_key": "--key", "trust_anchors": "--ca", "campaign": "--campaign"}
    if (cert is None) != (key is None):
        given, other = ("--cert", "--key") if key is None else ("--key", "--cert")
        raise UsageProblem(f"{given} is given without {other}; a client certificate needs both")
    named = {"client_certificate": cert, "client_key": key, "trust_anchors": ca, "campaign": campaign}
    sources = CredentialSources(**{name: str(path) for name, path in named.items() if path is not None})
    endpoint = ENDPOINT_NAMES[where.protocol]
    content: dict[str, Any] = {
        "schema": 1,
        "identity": {"id": re.sub(r"[^A-Za-z0-9.]+", "-", where.address).strip("-.")[:64]},
        "endpoints": {
            endpoint: {"protocol": where.protocol, "host": where.host, "port": where.port, "server_name": server_name}
            | {name: title for name, title in titles.items() if title}
        },
        "claims": [{"profile": profile, "edition": chosen, "endpoint": endpoint}],
    }
    credentials = load_credentials(sources, folder=Path(), source="", called=flags)
    try:
        sut = Sut(SutFile.model_validate(content), "", credentials)
    except ValidationError as problem:
        error = problem.errors(include_url=False)[0]
        raise UsageProblem(sentence_of(f"TARGET {target!r}", error)) from None
    settings = Settings(
        command="probe",
        out=out,
        resume=resume,
        force=force,
        quiet=quiet,
        non_interactive=True,
        allow_inconclusive=allow_inconclusive,
        second_opinion=not no_second_opinion,
        gentle=gentle,
        intrusive=intrusive,
        suites=tuple(suite or ()),
        keylog=keylog,
        pcap=pcap,
        sign=sign,
        sign_certificate=sign_cert,
        json=as_json,
    )
    return perform([sut], settings)


def _edition_of(profile: str, edition: str | None, suites: list[Path] | None) -> str:
    """The edition to judge `profile` by: the one given, the current one, or the last in which it is held.

    Raises `UsageProblem` for what is not held. The whole catalogue is read only where that is needed.
    """
    from harness.claims import chosen_edition, held_by
    from reference_impl.transport.profiles import load_profile, profiles

    held = frozenset((name, load_profile(name, of).span, "tls-server") for name, of in profiles())
    if profile not in {name for name, _, _ in held}:
        from harness.catalogue import load_catalogue

        held = held_by(load_catalogue(*(folder.resolve() for folder in suites or ())))
    return chosen_edition(profile, edition, held)
