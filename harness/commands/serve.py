"""``ps315 serve``: run the reference node for others to test against."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.commands import _options as option

if TYPE_CHECKING:
    from fixtures.pki.campaign import Campaign
    from reference_impl.node import Node
    from reference_impl.transport.front import Identity


def serve(
    *,
    profile: Annotated[str, typer.Option("--profile", help="Profile that the node keeps.")] = "B.12",
    edition: option.Edition = None,
    fault: option.Faults = None,
    protocol: option.NodeProtocol = None,
    host: Annotated[str, typer.Option("--host", help="Address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Port; 0 takes a free one.")] = 2762,
    ae_title: Annotated[str, typer.Option("--ae-title", help="AE title of the node.")] = "PS315-NODE",
    client_auth: Annotated[
        str, typer.Option("--client-auth", help="Client certificates: required, optional or off.")
    ] = "required",
    directory: Annotated[
        Path | None, typer.Option("--directory", help="Folder for certificates and stored instances.")
    ] = None,
    campaign: option.CampaignFolder = None,
    acme: Annotated[
        str | None, typer.Option("--acme", metavar="URL", help="Get the certificate from this ACME server (directory).")
    ] = None,
    acme_name: Annotated[
        list[str] | None, typer.Option("--acme-name", metavar="DNS", help="Name to order for; may be repeated.")
    ] = None,
    acme_ca: Annotated[
        Path | None, typer.Option("--acme-ca", metavar="FILE", help="Roots by which the ACME server is verified, PEM.")
    ] = None,
    acme_port: Annotated[
        int, typer.Option("--acme-port", min=1, max=65535, help="Port where the proof is served (HTTP-01).")
    ] = 80,
) -> int:
    """Serve until interrupted. Returns the exit status."""
    import threading

    try:
        identity = _from_acme(acme, acme_name or [], acme_ca, host, acme_port)
        with make_node(
            profile,
            fault or [],
            edition=edition,
            protocol=protocol,
            host=host,
            port=port,
            ae_title=ae_title,
            client_auth=client_auth,
            directory=directory,
            campaign=_campaign_of(campaign),
            identity=identity,
        ) as node:
            sys.stdout.write(_announcement(node, profile, fault or []))
            sys.stdout.flush()
            while not threading.Event().wait(0.5):
                continue  # a signal that comes just before a wait without end would be noticed only after it
    except KeyboardInterrupt:
        sys.stderr.write("ps315: stopped\n")
    return 0


def _campaign_of(folder: Path | None) -> Campaign | None:
    """The campaign in `folder`, None where none is asked. Raises `UsageProblem`."""
    from fixtures.pki.campaign import Campaign, CampaignError
    from harness.errors import UsageProblem

    try:
        return None if folder is None else Campaign.load(folder)
    except CampaignError as problem:
        raise UsageProblem(f"--campaign: {problem}; make one with ps315 pki") from None


def _from_acme(
    directory: str | None, names: list[str], authorities: Path | None, host: str, port: int
) -> Identity | None:
    """The identity that an ACME server issues, None where none is asked. Raises `UsageProblem`."""
    from harness.errors import UsageProblem

    if directory is None:
        if names or authorities:
            raise UsageProblem("--acme-name and --acme-ca belong to --acme; give it the URL of the ACME directory")
        return None
    if not names:
        raise UsageProblem("--acme: orders need a name; add --acme-name")
    if authorities is not None and not authorities.is_file():
        raise UsageProblem(f"--acme-ca: {authorities} cannot be read; name a PEM file with the server's roots")
    from reference_impl.transport.acme import AcmeError, AcmeOrder, obtain_identity

    try:
        return obtain_identity(AcmeOrder(directory, tuple(names), authorities, host, port))
    except AcmeError as problem:
        raise UsageProblem(f"--acme: {problem}") from None


def _announcement(node: Node, profile: str, faults: list[str]) -> str:
    """Where the node is, and the command that probes it."""
    host, port = node.address
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    of_edition, option_of_edition = (f" ({node.edition})", f" --edition {node.edition}") if node.edition else ("", "")
    broken = f" with {', '.join(faults)}" if faults else ""
    dicom = node.protocol == "dicom-tls"
    named = f"as {node.ae_title}" if dicom else f"for {'HTTPS' if node.protocol == 'https' else 'syslog'}"
    title = f" --called-aet {node.ae_title}" if dicom else ""
    scheme = "" if dicom else f"{node.protocol}://"
    return (
        f"serving {profile}{of_edition} at {address} {named}{broken}\n"
        f"  ps315 probe {scheme}{address} --profile {profile}{option_of_edition}"
        f" --server-name {node.server_name}{title}"
        f" --cert {node.client_certificate} --key {node.client_key} --ca {node.trust_anchors}\n"
    )


def make_node(
    profile: str,
    faults: list[str],
    *,
    edition: str | None = None,
    protocol: str | None = None,
    host: str = "127.0.0.1",
    port: int = 0,
    ae_title: str = "PS315-NODE",
    client_auth: str = "required",
    directory: Path | None = None,
    campaign: Campaign | None = None,
    identity: Identity | None = None,
) -> Node:
    """The reference node, not yet started; without `protocol` it is what `faults` belong to.

    With a `campaign` it is set up for that: it trusts the authority and the pinned client, and knows what is revoked.
    Raises `UsageProblem` for what it does not know or cannot bind, and for a fault that shows in another protocol only.
    """
    from harness.claims import check_kept
    from harness.errors import UsageProblem
    from harness.sut import checked_ae_title, closest
    from reference_impl.faults import load_faults
    from reference_impl.node import BESIDE, PROFILES, PROTOCOLS, Node

    check_kept(profile, edition, (*PROFILES, *BESIDE))
    known = load_faults()
    for name in faults:
        if name not in known:
            raise UsageProblem(f"--fault: there is no fault {name!r}{closest(name, known) or '; see `ps315 faults`'}")
    if protocol not in (None, *PROTOCOLS):
        raise UsageProblem(f"--protocol: the node knows {' and '.join(PROTOCOLS)}, not {protocol!r}")
    belongs = {known[name].protocol for name in faults} - {PROTOCOLS[0]}
    chosen = protocol or next(iter(belongs), BESIDE.get(profile, PROTOCOLS)[0])
    for name in faults:
        if known[name].protocol not in (chosen, PROTOCOLS[0]):
            raise UsageProblem(f"--fault: {name} shows at an endpoint of {known[name].protocol} only; add --protocol")
    try:
        title = checked_ae_title(ae_title)
        return Node(
            profile,
            faults,
            edition=edition or "",
            protocol=chosen,
            host=host,
            port=port,
            ae_title=title,
            client_auth=client_auth,
            directory=directory,
            pki=campaign.pki if campaign else None,
            client_anchors=[campaign.pinned["client"].certificate] if campaign else (),
            client_crls=[campaign.zoo().crl()] if campaign else (),
            identity=identity,
        )
    except ValueError as problem:
        raise UsageProblem(f"the node cannot be set up: {problem}") from None
    except OSError as problem:
        raise UsageProblem(f"{host}:{port}: cannot be listened at: {problem.strerror or problem}") from None
