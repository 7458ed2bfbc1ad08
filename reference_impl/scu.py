"""A secure DICOM client: verification and storage SCU, web client or syslog sender; conforming if not told else."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from cryptography import x509
from pydicom import Dataset

from fixtures.pki import Pki
from reference_impl.dicom_client import ECHO, DicomError, Requestor, is_accepted, proposal_of
from reference_impl.faults import check_names
from reference_impl.http_client import get_page
from reference_impl.syslog_frames import frame
from reference_impl.transport.beside import BESIDE, OFFERED
from reference_impl.transport.client import (
    ClientChannel,
    ClientLimits,
    EndedError,
    OnlineRevocation,
    SecureConnection,
    Trust,
    Verifier,
    settings_for,
)
from reference_impl.transport.client_faults import CLIENT_BEHAVIOURS, ClientBehaviour
from reference_impl.transport.client_faults.behaviour import Attempt
from reference_impl.transport.front import Channel, Identity
from reference_impl.transport.profiles import load_profile
from reference_impl.transport.wire import TLS12

PROTOCOLS = ("dicom-tls", "https", "syslog-tls")
_APPLICATION_PROTOCOLS: dict[str, tuple[str, ...]] = {"https": ("http/1.1",)}
_MESSAGE = b"<85>1 - - PS315-SCU - PS315-TEST - A test of ps315."
_ROOTS = ("ca", "ca_ec")
Stage: TypeAlias = Literal["tcp", "tls", "association", "dimse"]
Talk: TypeAlias = Callable[[SecureConnection], None]


@dataclass(frozen=True)
class Outcome:
    """How one attempt ended: whether all was done, a sentence, and how far it came (`stage`, the last one reached).

    `refused`: it was the client that broke off.
    """

    ok: bool
    detail: str
    stage: Stage
    refused: bool = False


@dataclass(frozen=True)
class _Place:
    """Where the server is, and what its certificate has to name."""

    host: str
    port: int
    server_name: str

    @property
    def reference(self) -> str:
        return self.server_name or self.host


class Scu:
    """The reference client. Each call makes one connection (a fault may make more) and leaves nothing behind.

    `profile` is a TLS profile of PS3.15 in `edition` (by default the last that holds it), or one beside them; `faults`
    are names of client faults. Without `trust_anchors` and `identity` those of `pki` are used, or none. `crls` are
    revocation lists in DER; with `asks_online` those places are asked too that certificates name. Raises ValueError for
    an unknown protocol or fault, LookupError for an unknown profile. The calls never raise for what a server does.
    """

    def __init__(
        self,
        profile: str = "B.12",
        faults: Iterable[str] = (),
        *,
        edition: str = "",
        protocol: str = "dicom-tls",
        pki: Pki | None = None,
        trust_anchors: Sequence[x509.Certificate] | None = None,
        identity: Identity | None = None,
        ae_title: str = "PS315-SCU",
        crls: Sequence[bytes] = (),
        asks_online: bool = False,
        limits: ClientLimits | None = None,
    ) -> None:
        if protocol not in PROTOCOLS:
            raise ValueError(f"unknown protocol {protocol!r}; the client knows {', '.join(PROTOCOLS)}")
        self.profile = profile
        self.protocol = protocol
        self.ae_title = ae_title
        self.faults = check_names(faults, role="tls-client")
        if trust_anchors is None:
            trust_anchors = [pki.issue(name).certificate for name in _ROOTS] if pki else []
        online = OnlineRevocation() if asks_online else None
        self._trust = Trust(tuple(trust_anchors), tuple(map(x509.load_der_x509_crl, crls)), online)
        self._identity = identity or (_identity_of(pki) if pki else None)
        self._limits = limits or ClientLimits()
        if profile in BESIDE:
            settings = settings_for(load_profile("B.12"))
            settings = replace(settings, suites=(*settings.suites, *OFFERED[profile]))
        else:
            settings = settings_for(load_profile(profile, edition))
        self.settings = replace(settings, protocols=_APPLICATION_PROTOCOLS.get(protocol, ()))
        self._last_version, self._began = 0, False
        self._behaviours: list[ClientBehaviour] = [CLIENT_BEHAVIOURS[name] for name in self.faults]
        for behaviour in self._behaviours:
            self.settings = behaviour.adjust(self.settings)
            if behaviour.shows is not None:
                issued = (pki or Pki.create()).issue_spec(*behaviour.shows)
                self._identity = Identity((issued.certificate, *issued.intermediates), issued.key)
            if behaviour.shows_nothing:
                self._identity = None

    def echo(self, host: str, port: int, called_aet: str = "ANY-SCP", server_name: str = "") -> Outcome:
        """Verify the connection with one C-ECHO. `server_name` is the name that the certificate has to bear."""

        def talk(connection: SecureConnection) -> None:
            requestor = Requestor(connection, self.ae_title, called_aet)
            requestor.associate([ECHO])
            status = requestor.echo()
            requestor.release()
            if not is_accepted(status):
                raise DicomError("dimse", f"C-ECHO was answered with status 0x{status:04X}")

        return self._attempt(_Place(host, port, server_name), talk, "C-ECHO succeeded")

    def store(
        self, host: str, port: int, called_aet: str, instances: Sequence[Dataset], server_name: str = ""
    ) -> Outcome:
        """Store `instances` over one association. Raises ValueError for one without SOP Class and Instance UID."""
        proposed = dict.fromkeys(proposal_of(one) for one in instances)

        def talk(connection: SecureConnection) -> None:
            requestor = Requestor(connection, self.ae_title, called_aet)
            requestor.associate(proposed)
            statuses = [requestor.store(one) for one in instances]
            requestor.release()
            wrong = [status for status in statuses if not is_accepted(status)]
            if wrong:
                raise DicomError("dimse", f"C-STORE was answered with status 0x{wrong[0]:04X}")

        return self._attempt(_Place(host, port, server_name), talk, f"{len(instances)} stored")

    def get(self, host: str, port: int, path: str = "/", server_name: str = "") -> Outcome:
        """Get one page over HTTPS."""

        def talk(connection: SecureConnection) -> None:
            status = get_page(connection, server_name or host, port, path)
            if status >= 400:
                raise DicomError("dimse", f"the request was answered with status {status}")

        return self._attempt(_Place(host, port, server_name), talk, "the page was got")

    def send(self, host: str, port: int, messages: Sequence[bytes] = (_MESSAGE,), server_name: str = "") -> Outcome:
        """Send syslog messages; nobody acknowledges them."""

        def talk(connection: SecureConnection) -> None:
            for message in messages:
                connection.send(frame(message))

        return self._attempt(_Place(host, port, server_name), talk, f"{len(messages)} sent")

    def run(self, host: str, port: int, called_aet: str = "ANY-SCP", server_name: str = "") -> Outcome:
        """What the protocol is for: a C-ECHO, with "https" a GET, with "syslog-tls" a message."""
        if self.protocol == "syslog-tls":
            return self.send(host, port, server_name=server_name)
        if self.protocol == "https":
            return self.get(host, port, server_name=server_name)
        return self.echo(host, port, called_aet, server_name)

    def _attempt(self, place: _Place, talk: Talk, success: str) -> Outcome:
        """The one attempt of a conforming client, and those that faults make beside it."""
        outcome = Outcome(False, "no attempt was made", "tcp")
        for attempt in self._beforehand():
            self._once(attempt, place, talk, success)
        before = [one for behaviour in self._behaviours for one in behaviour.before]
        for attempt in (*before, Attempt()):
            outcome = self._once(attempt, place, talk, success)
            if outcome.ok:
                return outcome
        for attempt in (one for behaviour in self._behaviours for one in behaviour.after_failure):
            if outcome.stage != "tls" or outcome.refused:
                break
            outcome = self._once(attempt, place, talk, success)
        return outcome

    def _beforehand(self) -> list[Attempt]:
        """Attempts that faults make whatever becomes of them."""
        began, self._began = self._began, True
        found = [] if began else [one for behaviour in self._behaviours for one in behaviour.at_first]
        if self._last_version == TLS12:
            found += [one for behaviour in self._behaviours for one in behaviour.after_tls_1_2]
        return found

    def _once(self, attempt: Attempt, place: _Place, talk: Talk, success: str) -> Outcome:
        """One connection from beginning to end."""
        stage: Stage = "tcp"
        connection = SecureConnection(lambda: self._channel(attempt, place.reference), self._limits)
        with connection:
            try:
                connection.connect(place.host, place.port)
                stage = "tls"
                connection.shake_hands()
                stage = "association"
                talk(connection)
            except EndedError as problem:
                return Outcome(False, str(problem), stage, refused=connection.refused)
            except DicomError as problem:
                return Outcome(False, str(problem), "dimse" if problem.stage == "dimse" else "association")
        self._last_version = getattr(connection.channel, "version", 0)
        return Outcome(True, success, "dimse")

    def _channel(self, attempt: Attempt, reference: str) -> Channel:
        settings = attempt.adjust(self.settings)
        if attempt.channel is not None:
            return attempt.channel(settings, reference)
        stacks = [one.stack for one in self._behaviours if one.stack is not ClientChannel]
        stack = stacks[-1] if stacks else ClientChannel
        return stack(settings, Verifier(self._trust, settings, reference).verify, reference, self._identity)


def _identity_of(pki: Pki) -> Identity:
    issued = pki.issue("client")
    return Identity((issued.certificate, *issued.intermediates), issued.key)


__all__ = ["PROTOCOLS", "Outcome", "Scu"]
