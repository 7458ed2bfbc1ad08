"""The SUT that ``ps315 demo`` judges: the reference node and the reference client, described as a SUT file would."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fixtures.pki.campaign import Campaign
    from harness.commands._demo_objects import ObjectSuts
    from harness.drivers.base import Action, Stimulus
    from harness.sut import Sut
    from reference_impl.node import Node

_DESCRIPTION = Path(__file__).with_name("demo.toml")
_KINDS = {"dicom-tls": "dimse", "https": "web", "syslog-tls": "syslog"}
_CALLED = "harness.ps315.example"
"""How the client calls the harness: a name of three labels, as wildcards need; it is never looked up."""


@dataclass(frozen=True)
class DemoClient:
    """The reference client in a profile, which is made to connect in this process."""

    profile: str
    edition: str
    protocol: str
    faults: tuple[str, ...]
    campaign: Campaign

    def connect(self, stimulus: Stimulus) -> None:
        """Come to the listener once."""
        from cryptography.x509 import load_pem_x509_certificates

        from reference_impl.scu import Scu
        from reference_impl.transport.client import ClientLimits

        anchors = stimulus.trust_anchors.read_bytes() if stimulus.trust_anchors else b""
        client = Scu(
            self.profile,
            self.faults,
            edition=self.edition,
            protocol=self.protocol,
            pki=self.campaign.pki,
            trust_anchors=load_pem_x509_certificates(anchors) if anchors else [],
            asks_online=True,
            limits=ClientLimits(connect=5.0, handshake=2.0, answer=2.0, linger=0.2),
        )
        client.run("127.0.0.1", stimulus.port, stimulus.called_aet, stimulus.host)


def split_faults(names: Iterable[str]) -> dict[str, list[str]]:
    """The faults by the role that they are of. Raises `UsageProblem` for a name that is no fault."""
    from harness.errors import UsageProblem
    from harness.sut import closest
    from reference_impl.faults import load_faults

    chosen = list(names)
    known: dict[str, Iterable[str]] = {role: load_faults(role) for role in ("tls-server", "tls-client")}
    if any(all(name not in of_role for of_role in known.values()) for name in chosen):
        from reference_impl.faults.objects import ROLES, texts_of_objects

        known |= {role: texts_of_objects(role) for role in ROLES}
    for name in chosen:
        if all(name not in of_role for of_role in known.values()):
            hint = closest(name, [each for of_role in known.values() for each in of_role]) or "; see `ps315 faults`"
            raise UsageProblem(f"--fault: there is no fault {name!r}{hint}")
    return {role: [name for name in chosen if name in of_role] for role, of_role in known.items()}


def clients_for(nodes: Mapping[str, Node], faults: Sequence[str], campaign: Campaign) -> dict[str, DemoClient]:
    """The reference client in the profile of each of `nodes`; it speaks what `faults` belong to, else as the node."""
    from reference_impl.faults import load_faults
    from reference_impl.scu import PROTOCOLS

    known = load_faults("tls-client")
    belongs = next((known[name].protocol for name in faults if known[name].protocol != PROTOCOLS[0]), "")
    return {
        profile: DemoClient(profile, node.edition, belongs or node.protocol, tuple(faults), campaign)
        for profile, node in nodes.items()
        if (belongs or node.protocol) in PROTOCOLS
    }


def demo_sut(
    nodes: Mapping[str, Node],
    clients: Mapping[str, DemoClient],
    campaign: Campaign,
    edition: str = "",
    objects: ObjectSuts | None = None,
) -> Sut:
    """The SUT description of running `nodes` and of `clients`, by profile: one endpoint and claim each; and `objects`.

    Claims are of `edition`, or of the last that holds the profile.
    """
    from harness.credentials import CredentialSources, load_credentials
    from harness.sut import Sut, SutFile
    from harness.sut_clients import EMBEDDED
    from harness.version import version

    content: dict[str, Any] = tomllib.loads(_DESCRIPTION.read_text(encoding="utf-8"))
    content["schema"] = 1
    content["identity"]["version"] = version()
    content["endpoints"], content["claims"] = {}, []
    for profile, node in nodes.items():
        name = f"{_KINDS[node.protocol]}-{_suffix(profile)}"
        host, port = node.address
        content["endpoints"][name] = {
            "protocol": node.protocol,
            "host": host,
            "port": port,
            "server_name": node.server_name,
            "called_aet": node.ae_title,
        }
        content["claims"].append({"profile": profile, "edition": edition, "endpoint": name})
    actions: dict[str, Action] = {}
    for profile, client in clients.items():
        name = f"client-{_suffix(profile)}"
        content["endpoints"][name] = {
            "protocol": client.protocol,
            "host": "127.0.0.1",
            "listen": {"driver": EMBEDDED, "name": _CALLED, "seconds": 20},
        }
        claim = {"profile": profile, "edition": edition, "role": "tls-client", "endpoint": name}
        content["claims"].append(claim)
        actions[name] = client.connect
    if objects is not None:
        content["endpoints"] |= objects.endpoints
        content["readings"] = objects.readings
        content["claims"] += [{**claim, "edition": edition} for claim in objects.claims]
        actions |= objects.actions
    first = next(iter(nodes.values()), None)
    anchors = first.trust_anchors if first is not None else campaign.trust_anchors_of_sut
    sources = CredentialSources(campaign=str(campaign.directory), trust_anchors=str(anchors))
    credentials = load_credentials(sources, folder=Path(), source="demo")
    return Sut(SutFile.model_validate(content), "demo", credentials, embedded=actions)


def _suffix(profile: str) -> str:
    return profile.replace(".", "").lower()
