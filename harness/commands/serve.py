"""``ps315 serve``: run the reference node for others to test against."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.commands import _options as option

if TYPE_CHECKING:
    from fixtures.pki import Pki
    from reference_impl.node import Node


def serve(
    *,
    profile: option.Profile = "B.12",
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
) -> int:
    """Serve until interrupted. Returns the exit status."""
    import threading

    try:
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
        ) as node:
            sys.stdout.write(_announcement(node, profile, fault or []))
            sys.stdout.flush()
            while not threading.Event().wait(0.5):
                continue  # a signal that comes just before a wait without end would be noticed only after it
    except KeyboardInterrupt:
        sys.stderr.write("ps315: stopped\n")
    return 0


def _announcement(node: Node, profile: str, faults: list[str]) -> str:
    """Where the node is, and the command that probes it."""
    host, port = node.address
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    of_edition, option_of_edition = (f" ({node.edition})", f" --edition {node.edition}") if node.edition else ("", "")
    broken = f" with {', '.join(faults)}" if faults else ""
    web = node.protocol == "https"
    named = "for HTTPS" if web else f"as {node.ae_title}"
    title = "" if web else f" --called-aet {node.ae_title}"
    scheme = "https://" if web else ""
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
    pki: Pki | None = None,
) -> Node:
    """The reference node, not yet started; without `protocol` it is what `faults` belong to.

    Raises `UsageProblem` for what it does not know or cannot bind, and for a fault that shows in another protocol only.
    """
    from harness.errors import UsageProblem
    from harness.sut import checked_ae_title, closest, unknown_profile
    from reference_impl.faults import load_faults
    from reference_impl.node import PROFILES, PROTOCOLS, Node

    if profile not in PROFILES:
        raise UsageProblem(f"--profile: {unknown_profile(profile, PROFILES)}")
    known = load_faults()
    for name in faults:
        if name not in known:
            raise UsageProblem(f"--fault: there is no fault {name!r}{closest(name, known) or '; see `ps315 faults`'}")
    if protocol not in (None, *PROTOCOLS):
        raise UsageProblem(f"--protocol: the node knows {' and '.join(PROTOCOLS)}, not {protocol!r}")
    belongs = {known[name].protocol for name in faults} - {PROTOCOLS[0]}
    chosen = protocol or next(iter(belongs), PROTOCOLS[0])
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
            pki=pki,
        )
    except ValueError as problem:
        raise UsageProblem(f"the node cannot be set up: {problem}") from None
    except OSError as problem:
        raise UsageProblem(f"{host}:{port}: cannot be listened at: {problem.strerror or problem}") from None
