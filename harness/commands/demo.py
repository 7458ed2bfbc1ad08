"""``ps315 demo``: start the embedded reference node, judge it and write the report."""

from __future__ import annotations

import tempfile
import tomllib
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.commands import _options as option

if TYPE_CHECKING:
    from fixtures.pki.campaign import Campaign
    from harness.sut import Sut
    from reference_impl.node import Node

_DESCRIPTION = Path(__file__).with_name("demo.toml")
_CURRENT = ("B.12", "B.13")


def demo(
    *,
    profile: Annotated[
        str | None, typer.Option("--profile", help="Only this profile (default: B.12 and B.13).")
    ] = None,
    edition: option.Edition = None,
    fault: option.Faults = None,
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
    """Start the node for each current profile (or `profile`), judge it, write the report. Returns the exit status."""
    from fixtures.pki.campaign import Campaign
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
    with ExitStack() as stack:
        campaign = Campaign.create(Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ps315-demo-"))))
        nodes = {
            name: stack.enter_context(make_node(name, fault or [], edition=edition, campaign=campaign))
            for name in ([profile] if profile else _CURRENT)
        }
        sut = demo_sut(nodes, campaign)
        return perform([sut], settings, checked_catalogue([sut], suites))


def demo_sut(nodes: dict[str, Node], campaign: Campaign) -> Sut:
    """The SUT description of running `nodes`, by profile: one endpoint and claim each, examined with `campaign`."""
    from harness.credentials import CredentialSources, load_credentials
    from harness.sut import Sut, SutFile
    from harness.version import version

    content: dict[str, Any] = tomllib.loads(_DESCRIPTION.read_text(encoding="utf-8"))
    content["schema"] = 1
    content["identity"]["version"] = version()
    content["endpoints"], content["claims"] = {}, []
    for profile, node in nodes.items():
        name = f"{'web' if node.protocol == 'https' else 'dimse'}-{profile.replace('.', '').lower()}"
        host, port = node.address
        content["endpoints"][name] = {
            "protocol": node.protocol,
            "host": host,
            "port": port,
            "server_name": node.server_name,
            "called_aet": node.ae_title,
        }
        content["claims"].append({"profile": profile, "edition": node.edition, "endpoint": name})
    first = next(iter(nodes.values()))
    sources = CredentialSources(campaign=str(campaign.directory), trust_anchors=str(first.trust_anchors))
    credentials = load_credentials(sources, folder=Path(), source="demo")
    return Sut(SutFile.model_validate(content), "demo", credentials)
