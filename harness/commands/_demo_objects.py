"""The SUTs that ``ps315 demo`` judges by what they sign, store and report: reference nodes, driven in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.commands._demo_audit import PROFILES as AUDIT
from harness.commands._demo_audit import add_audit_suts

if TYPE_CHECKING:
    from fixtures.pki.campaign import Campaign
    from harness.drivers.base import Action, Stimulus
    from harness.observations.clients import DriverOutcome
    from reference_impl.signatures.signing_node import SigningNode
    from reference_impl.signatures.verifying_node import VerifyingNode

CREATORS = ("C.1", "C.2", "C.3", "C.4", "A.4")
VERIFIERS = ("C.1", "C.2", "C.3", "A.2")
STORERS = ("A.2", "A.3")
PROFILES = frozenset((*CREATORS, *VERIFIERS, *STORERS, *AUDIT))
"""Profiles that are judged by objects, or by audit messages."""
_DOCUMENTS = ("sr-unverified", "sr-verified", "sr-partial", "kos")
_OF_DOCUMENTS = frozenset({"C.4", "A.4"})
_ROLES = {"signature-creator": CREATORS, "signature-verifier": VERIFIERS, "instance-storer": STORERS}
DEFAULT = (
    ("signature-verifier", "C.1"),
    ("signature-creator", "C.2"),
    ("signature-creator", "C.3"),
    ("signature-creator", "C.4"),
    ("signature-creator", "A.4"),
    ("instance-storer", "A.2"),
    ("instance-storer", "A.3"),
)
"""What is judged where no profile is asked for."""


@dataclass
class ObjectSuts:
    """Endpoints, claims and readings of a SUT file, and what makes the SUT act at each endpoint."""

    endpoints: dict[str, dict[str, Any]] = field(default_factory=dict)
    claims: list[dict[str, str]] = field(default_factory=list)
    readings: dict[str, dict[str, Any]] = field(default_factory=dict)
    actions: dict[str, Action] = field(default_factory=dict)


def object_suts(
    campaign: Campaign, stack: ExitStack, profile: str | None, faults: Mapping[str, Sequence[str]]
) -> ObjectSuts:
    """The SUTs for `profile` in every role that it has, or for `DEFAULT`; `faults` by role. `stack` ends them."""
    chosen = [(role, profile) for role, held in _ROLES.items() if profile in held] if profile else DEFAULT
    suts = ObjectSuts()
    if profile is None or profile in AUDIT:
        add_audit_suts(suts, campaign, stack, profile, faults)
    for role, name in chosen:
        endpoint = _ENDPOINTS[role](suts, name or "", campaign, stack, tuple(faults.get(role, ())))
        suts.claims.append({"profile": name or "", "role": role, "endpoint": endpoint})
    return suts


def _creator(suts: ObjectSuts, profile: str, campaign: Campaign, stack: ExitStack, faults: tuple[str, ...]) -> str:
    del stack
    from reference_impl.signatures.signing_node import SigningNode

    documents = profile in _OF_DOCUMENTS
    name = f"signer-{_suffix('C.4' if documents else profile)}"
    if name not in suts.endpoints:
        node = SigningNode(profile, faults, campaign.pki, _lookup(campaign.directory / "instances"))
        suts.endpoints[name] = _files(select=_DOCUMENTS if documents else ())
        suts.actions[name] = _signing(node)
    return name


def _verifier(suts: ObjectSuts, profile: str, campaign: Campaign, stack: ExitStack, faults: tuple[str, ...]) -> str:
    del profile, stack
    from cryptography.hazmat.primitives.serialization import Encoding

    from fixtures.signatures import SIGNED_CASES
    from reference_impl.signatures.verifying_node import VerifyingNode

    pki = campaign.pki
    anchor = pki.issue("ca").certificate.public_bytes(Encoding.DER)
    node = VerifyingNode((anchor,), (pki.revocation_list(),), faults, lambda name: SIGNED_CASES[name].rule)
    suts.endpoints["verifier"] = _files()
    suts.actions["verifier"] = _verifying(node)
    return "verifier"


def _storer(suts: ObjectSuts, profile: str, campaign: Campaign, stack: ExitStack, faults: tuple[str, ...]) -> str:
    from reference_impl.storage.node import StorageNode

    name = f"archive-{_suffix(profile)}"
    node = stack.enter_context(StorageNode(profile, faults, pki=campaign.pki))
    host, port = node.address
    suts.endpoints[name] = {
        "protocol": node.protocol,
        "host": host,
        "port": port,
        "called_aet": node.ae_title,
        "objects": {"retrieve": "c-get", "seconds": 20},
    }
    return name


_ENDPOINTS = {"signature-creator": _creator, "signature-verifier": _verifier, "instance-storer": _storer}


def _files(select: Iterable[str] = ()) -> dict[str, Any]:
    from harness.sut_clients import EMBEDDED

    return {"protocol": "files", "objects": {"driver": EMBEDDED, "seconds": 20, "select": list(select)}}


def _signing(node: SigningNode) -> Action:
    def sign(stimulus: Stimulus) -> DriverOutcome | None:
        from harness.observations.clients import DriverOutcome
        from reference_impl.signatures.keys import SigningError

        assert stimulus.input is not None and stimulus.output is not None  # noqa: S101 - a creator is handed both
        try:
            node.sign(stimulus.input, stimulus.output)
        except SigningError as problem:
            return DriverOutcome(kind="embedded", problem=str(problem))
        return None

    return sign


def _verifying(node: VerifyingNode) -> Action:
    def verify(stimulus: Stimulus) -> DriverOutcome:
        from harness.observations.clients import DriverOutcome

        assert stimulus.input is not None  # noqa: S101 - a verifier is handed a file
        return DriverOutcome(kind="embedded", output=node.answer(stimulus.input, stimulus.object))

    return verify


def _lookup(folder: Path) -> Callable[[str], Path | None]:
    """Finds the instances that documents refer to, which are written into `folder`."""
    from harness.objects.material import write_instances

    return write_instances(folder).get


def _suffix(profile: str) -> str:
    return profile.replace(".", "").lower()
