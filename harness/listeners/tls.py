"""The trials of TLS clients as a domain of the executor: whose certificates are shown, and what a SUT can be shown."""

from __future__ import annotations

import ipaddress
import socket
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from fixtures.pki.campaign import Campaign, Names
from fixtures.pki.revocation import Responder
from fixtures.pki.zoo import CASES, Zoo, ZooCase
from harness.errors import UsageProblem
from harness.listeners.base import Opening, Trial
from harness.listeners.transport.server import TrialServer
from harness.listeners.transport.trials import TRIALS, skipped
from harness.observations.clients import ClientConnection
from harness.sut_clients import is_loopback, placeholders

if TYPE_CHECKING:
    from harness.sut import Sut

_STATUS_REQUEST = 5  # extension type
_LOOPBACK = frozenset({"127.0.0.1", "::1"})
_NEEDS = {
    "crl": "the SUT cannot reach a revocation list; make the campaign with a revocation URL: `ps315 pki`",
    "ocsp": "the SUT cannot reach an OCSP responder; make the campaign with a revocation URL: `ps315 pki`",
    "pinned": "the SUT was not told to trust this very certificate; install what `ps315 pki` made",
    "stapling": "the client does not ask for a stapled OCSP response",
    "by-name": "the SUT calls the harness by its address; give the key name in its listen table a host name",
    "by-address": "the SUT calls the harness by its name; give the key name in its listen table an address",
    "qualified-name": "the SUT does not call the harness by a name of three labels; write such a one as the key name",
}


@dataclass(frozen=True)
class _Shown:
    """The certificates that one SUT is shown. `trusted`: it was told to trust their authority."""

    campaign: Campaign
    trusted: bool
    anchors: Path


class TlsTrials:
    """`harness.listeners.base.Domain` for TLS. A context manager: responders and made-up authorities end with it."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._shown: dict[str, _Shown] = {}
        self._zoos: dict[tuple[str, str], Zoo] = {}

    def __enter__(self) -> TlsTrials:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stack.close()

    @property
    def trials(self) -> Mapping[str, Trial]:
        """Every trial by id, in playing order."""
        return TRIALS

    def trust_anchors(self, sut: Sut) -> Path | None:
        """The authority of what is shown, with the certificate that is to be trusted itself."""
        return self._of(sut).anchors

    def skipped(self, sut: Sut, endpoint: str, trial: Trial, ordinary: ClientConnection | None) -> str:
        """Why `trial` cannot be played; empty if it can."""
        known = TRIALS[trial.id]
        if why := skipped(known, ordinary):
            return why
        if not known.case:
            return ""
        case = CASES[known.case]
        for need in sorted(case.needs):
            if not self._given(need, sut, endpoint, ordinary):
                return _NEEDS[need]
        untrusted = not self._of(sut).trusted and ordinary is not None and not ordinary.application_octets
        if untrusted and not _tells_without_trust(case):
            return "the SUT does not trust the authority of the harness; install the test authority made by `ps315 pki`"
        return ""

    def open(self, opening: Opening) -> TrialServer:
        """A server of trials at an endpoint. Raises `OSError` if it cannot have the port.

        Raises `UsageProblem` for a SUT whose address is not known: whoever came could not be told from it.
        """
        endpoint = opening.sut.file.endpoints[opening.endpoint]
        assert endpoint.listen is not None  # noqa: S101 - only endpoints that listen are opened
        try:
            addresses = addresses_of(endpoint.host)
        except (OSError, UnicodeError):
            raise UsageProblem(
                f"{opening.sut.source}: endpoints.{opening.endpoint}.host: {endpoint.host!r} cannot be resolved to an "
                "address; check the name"
            ) from None
        return TrialServer(
            endpoint=opening.endpoint,
            protocol=endpoint.protocol,
            address=endpoint.listen.bound_to(endpoint.host),
            port=opening.port,
            zoo=self.zoo(opening.sut, opening.endpoint),
            sut_addresses=addresses,
            called_aet=endpoint.called_aet,
            deadlines=opening.deadlines,
            on_exchange=opening.on_exchange,
            next_exchange_id=opening.next_exchange_id,
            keep_secrets=opening.keep_secrets,
        )

    def zoo(self, sut: Sut, endpoint: str) -> Zoo:
        """The certificates that are shown at `endpoint`, for the name under which the SUT calls us there."""
        key = sut.id, endpoint
        if key not in self._zoos:
            campaign = self._of(sut).campaign
            name = _name(sut, endpoint)
            address = _is_address(name)
            # The certificate that a SUT trusts itself was made with the campaign, for the campaign's names.
            covered = name in (*campaign.names.dns_names, *campaign.names.ip_addresses)
            self._zoos[key] = Zoo(
                campaign.pki,
                dns_names=() if address else (name,),
                ip_addresses=(name,) if address else (),
                revocation_url=self._revocation(sut, endpoint, campaign),
                client_name=campaign.names.client_name,
                pinned=campaign.pinned if covered else {},
            )
        return self._zoos[key]

    def _of(self, sut: Sut) -> _Shown:
        if sut.id not in self._shown:
            given = sut.credentials.campaign
            folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="ps315-listen-")))
            campaign = given or Campaign.create(folder / "campaign", names=_names(sut))
            anchors = folder / "trust-anchors.pem"
            anchors.write_bytes(campaign.authority.certificate_pem + campaign.pinned["server"].certificate_pem)
            self._shown[sut.id] = _Shown(campaign, given is not None, anchors)
        return self._shown[sut.id]

    def _revocation(self, sut: Sut, endpoint: str, campaign: Campaign) -> str:
        """Where the SUT can ask about revocation: as the campaign says, or on this computer alone; else nowhere."""
        url = campaign.names.revocation_url
        where = sut.file.endpoints[endpoint]
        assert where.listen is not None  # noqa: S101 - only endpoints that listen are opened
        bound = where.listen.bound_to(where.host)
        try:
            if url:
                parts = urlsplit(url)
                self._stack.enter_context(Responder(campaign.pki, bound, parts.port or 80))
            elif is_loopback(where.host) and ":" not in bound:
                return self._stack.enter_context(Responder(campaign.pki)).url
        except (OSError, ValueError):
            return url  # somebody else serves it there
        return url

    def _given(self, need: str, sut: Sut, endpoint: str, ordinary: ClientConnection | None) -> bool:
        name = _name(sut, endpoint)
        match need:
            case "crl" | "ocsp":
                return bool(self.zoo(sut, endpoint).revocation_url)
            case "pinned":
                told = self._of(sut).trusted or takes_trust_anchors(sut, endpoint)
                return told and "server" in self.zoo(sut, endpoint).pinned
            case "stapling":
                hello = ordinary.hello if ordinary else None
                return hello is None or _STATUS_REQUEST in hello.extensions
            case "by-name":
                return not _is_address(name)
            case "by-address":
                return _is_address(name)
            case "qualified-name":
                return not _is_address(name) and len(name.rstrip(".").split(".")) >= 3
        return True


def takes_trust_anchors(sut: Sut, endpoint: str) -> bool:
    """Whether the driver of `endpoint` tells the SUT in each trial whom to trust."""
    kind = sut.driver_kind(endpoint)
    if kind != "command":
        return kind == "embedded"
    listen = sut.listen(endpoint)
    table = sut.file.drivers.get(listen.driver) if listen else None
    return "trust_anchors" in placeholders((table.command if table else None) or "")


def addresses_of(host: str) -> frozenset[str]:
    """Every address that the SUT may connect from."""
    if host.lower() == "localhost":
        return _LOOPBACK
    if _is_address(host):
        return frozenset({host})
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return frozenset(str(address[4][0]) for address in found)


def _name(sut: Sut, endpoint: str) -> str:
    where = sut.file.endpoints[endpoint]
    assert where.listen is not None  # noqa: S101 - only endpoints that listen are asked about
    return where.listen.called(where.host)


def _names(sut: Sut) -> Names:
    """Every name under which `sut` calls us."""
    names = [_name(sut, name) for name, endpoint in sut.file.endpoints.items() if endpoint.listen is not None]
    return Names(
        dns_names=tuple(dict.fromkeys(name for name in names if not _is_address(name))),
        ip_addresses=tuple(dict.fromkeys(name for name in names if _is_address(name))),
    )


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _tells_without_trust(case: ZooCase) -> bool:
    """Whether accepting the certificate would tell something though the SUT trusts no authority of ours."""
    return case.rule == "trust" and case.server == "refuse"
