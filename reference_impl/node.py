"""A secure DICOM node: an SCP, a web server or a syslog receiver behind the TLS front, conforming if not told else."""

from __future__ import annotations

import socket
import tempfile
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from fixtures.pki import Pki
from reference_impl.dicom_server import DicomServer
from reference_impl.faults import check_names
from reference_impl.http_server import HttpServer, by_first_words
from reference_impl.syslog_server import SyslogServer
from reference_impl.transport.beside import BESIDE, SERVED
from reference_impl.transport.faults import BEHAVIOURS
from reference_impl.transport.faults.certificates import identity_of
from reference_impl.transport.front import (
    Front,
    FrontSettings,
    Identity,
    Limits,
    Router,
)
from reference_impl.transport.profiles import edition_problem, profiles
from reference_impl.transport.served import RULES, serving

PROFILES = tuple(dict.fromkeys(name for name, _ in profiles()))
"""The TLS profiles of Annex B, the retired ones too."""
PROTOCOLS = ("dicom-tls", "https", "syslog-tls")
_APPLICATION_PROTOCOLS = {"https": (b"http/1.1",)}  # no ALPN name is registered for DIMSE and syslog
_ROOTS = ("ca", "ca_ec")
_STATIC_RSA = ("server_key_encipherment", "server_ec")
_IDENTITIES = {
    "A.6": _STATIC_RSA,
    "B.1": _STATIC_RSA,
    "B.3": _STATIC_RSA,
}  # static RSA needs the key usage (RFC 5246 7.4.2)


class Node:
    """The reference node. Use it as a context manager, or :meth:`start` and :meth:`stop`.

    `profile` is one of `PROFILES` in `edition` (by default the last that holds it), or one of `BESIDE`; `faults`
    are names from ``faults/``; `directory` receives certificates and stored instances (a temporary one by
    default). With `identity` (from an ACME server, say) the node serves that one instead of its own certificates.
    `protocol` says what the port is for: "dicom-tls" for a verification and storage SCP, "https" for a
    small web server in the place of DICOMweb, "syslog-tls" for a receiver of messages (A.6). Beside the authority
    of `pki` the node trusts `client_anchors`, and refuses clients that one of `client_crls` (DER) revokes. Raises
    ValueError for an unknown profile, protocol, fault or mode of `client_auth` and for a profile that is for
    another kind of endpoint, OSError when the address cannot be bound.
    """

    def __init__(
        self,
        profile: str = "B.12",
        faults: Iterable[str] = (),
        *,
        edition: str = "",
        protocol: str = "dicom-tls",
        host: str = "127.0.0.1",
        port: int = 0,
        ae_title: str = "PS315-NODE",
        client_auth: str = "required",
        pki: Pki | None = None,
        identity: Identity | None = None,
        client_anchors: Iterable[x509.Certificate] = (),
        client_crls: Iterable[bytes] = (),
        directory: Path | None = None,
        limits: Limits | None = None,
    ) -> None:
        if profile not in (*PROFILES, *BESIDE):
            raise ValueError(f"unknown profile {profile!r}; the node knows {', '.join((*PROFILES, *BESIDE))}")
        if protocol not in PROTOCOLS:
            raise ValueError(f"unknown protocol {protocol!r}; the node knows {', '.join(PROTOCOLS)}")
        if problem := edition_problem(profile, edition) if edition else "":
            raise ValueError(problem)
        if protocol not in BESIDE.get(profile, PROTOCOLS[:2]):
            raise ValueError(f"{profile} is not for an endpoint of {protocol}")
        self.profile = profile
        self.edition = edition
        self.protocol = protocol
        self.ae_title = ae_title
        self._identity = identity
        self.server_name = next(iter(_names(identity)), "localhost")
        self._temporary = tempfile.TemporaryDirectory(prefix="ps315-node-") if directory is None else None
        self.directory = directory or Path(self._temporary.name if self._temporary else ".")
        self.pki = pki or Pki.create(self.directory / "pki")
        self.faults = check_names(faults)
        behaviours = [BEHAVIOURS[name] for name in self.faults]
        settings = FrontSettings(
            identities=(identity,) if identity is not None else self._own_identities(),
            client_anchors=(self.pki.issue("ca").certificate, *client_anchors),
            client_crls=tuple(client_crls),
            client_auth=client_auth,
            suites_tls_1_2=SERVED.get(profile, ()),
            protocols=_APPLICATION_PROTOCOLS.get(protocol, ()),
            server_names=frozenset({"localhost", host.lower(), socket.gethostname().lower(), *_names(identity)}),
            limits=limits or Limits(),
        )
        if profile in PROFILES:
            settings = serving(settings, profile, edition)
        for behaviour in behaviours:
            settings = behaviour.adjust(settings, self.pki)
        added = {anchor for behaviour in behaviours for anchor in behaviour.anchors} - set(_ROOTS)
        self._anchors = (*_ROOTS, *sorted(added)) if added else ()
        self._shares_port = any(behaviour.shares_port for behaviour in behaviours)
        router = Router(
            settings,
            [*(rule for behaviour in behaviours for rule in behaviour.rules), *RULES],
            [behaviour.unprotected for behaviour in behaviours if behaviour.unprotected],
        )
        echo_status = max((behaviour.echo_status for behaviour in behaviours), default=0x0000)
        self._dicom = DicomServer(ae_title, self.directory / "stored", echo_status=echo_status)
        self._http = HttpServer()
        self._syslog = SyslogServer()
        self._front = Front(router, self._serve, host, port)

    @property
    def address(self) -> tuple[str, int]:
        """Host and port of the secure port."""
        return self._front.address

    @property
    def trust_anchors(self) -> Path:
        """PEM file with the roots of the server's certificates; for a given identity the last of its chain."""
        if self._identity is not None:
            self.directory.mkdir(parents=True, exist_ok=True)
            path = self.directory / "issuer.pem"
            path.write_bytes(self._identity.chain[-1].public_bytes(serialization.Encoding.PEM))
            return path
        return self.pki.trust_anchors_file(*self._anchors)

    @property
    def client_certificate(self) -> Path:
        """PEM file with a client certificate that the node accepts."""
        return self.pki.certificate_file("client")

    @property
    def client_key(self) -> Path:
        """PEM file with the private key of :attr:`client_certificate`."""
        return self.pki.key_file("client")

    @property
    def stored_objects(self) -> tuple[Path, ...]:
        """The instances stored so far."""
        return tuple(sorted((self.directory / "stored").glob("*.dcm")))

    @property
    def messages(self) -> tuple[bytes, ...]:
        """The last syslog messages that came."""
        return self._syslog.messages

    def await_messages(self, number: int, seconds: float) -> tuple[bytes, ...]:
        """The last syslog messages as soon as there are `number` of them, at the latest after `seconds`."""
        return self._syslog.await_messages(number, seconds)

    def _own_identities(self) -> tuple[Identity, ...]:
        cases = _IDENTITIES.get(self.profile, ("server", "server_ec"))
        return tuple(identity_of(self.pki, case) for case in cases)

    def start(self) -> None:
        """Begin to serve."""
        self._front.start()

    def stop(self) -> None:
        """Close the port and every connection; afterwards no thread of the node runs."""
        self._front.stop()
        self._http.stop()
        self._syslog.stop()
        self._dicom.stop()
        if self._temporary is not None:
            self._temporary.cleanup()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _serve(self, connection: socket.socket, address: tuple[str, int], certificate: x509.Certificate | None) -> None:
        del certificate
        if self._shares_port:
            by_first_words(
                connection, lambda http: self._http.take(http, address), lambda dicom: self._dicom.take(dicom, address)
            )
        elif self.protocol == "https":
            self._http.take(connection, address)
        elif self.protocol == "syslog-tls":
            self._syslog.take(connection)
        else:
            self._dicom.take(connection, address)


def _names(identity: Identity | None) -> tuple[str, ...]:
    """The DNS names of a given identity, in lower case."""
    if identity is None:
        return ()
    try:
        found = identity.chain[0].extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return ()
    return tuple(name.lower() for name in found.value.get_values_for_type(x509.DNSName))


__all__ = ["BESIDE", "PROFILES", "PROTOCOLS", "Node"]
