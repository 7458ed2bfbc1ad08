"""A secure DICOM node: an SCP or a web server behind the TLS front, conforming unless told otherwise."""

from __future__ import annotations

import socket
import tempfile
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

from cryptography import x509

from fixtures.pki import Pki
from reference_impl.dicom_server import DicomServer
from reference_impl.faults import check_names
from reference_impl.http_server import HttpServer, by_first_words
from reference_impl.transport.faults import BEHAVIOURS
from reference_impl.transport.faults.certificates import identity_of
from reference_impl.transport.front import (
    Front,
    FrontSettings,
    Limits,
    Router,
)
from reference_impl.transport.profiles import edition_problem, profiles
from reference_impl.transport.served import RULES, serving

PROFILES = tuple(dict.fromkeys(name for name, _ in profiles()))
"""The TLS profiles of Annex B, the retired ones too."""
PROTOCOLS = ("dicom-tls", "https")
_APPLICATION_PROTOCOLS = {"dicom-tls": (), "https": (b"http/1.1",)}  # no ALPN name is registered for DIMSE
_ROOTS = ("ca", "ca_ec")
_STATIC_RSA = ("server_key_encipherment", "server_ec")  # it needs the key usage (RFC 5246 7.4.2)
_IDENTITIES = {"B.1": _STATIC_RSA, "B.3": _STATIC_RSA}


class Node:
    """The reference node. Use it as a context manager, or :meth:`start` and :meth:`stop`.

    `profile` is one of `PROFILES` in `edition` (by default the last that holds it); `faults` are names from ``faults.toml``; `directory` receives
    certificates and stored instances (a temporary one by default). `protocol` says what the port is for: "dicom-tls"
    for a verification and storage SCP, "https" for a small web server in the place of DICOMweb. Beside the authority of
    `pki` the node trusts `client_anchors`, and refuses clients that one of `client_crls` (DER) revokes. Raises ValueError
    for an unknown profile, protocol, fault or mode of `client_auth`, OSError when the address cannot be bound.
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
        client_anchors: Iterable[x509.Certificate] = (),
        client_crls: Iterable[bytes] = (),
        directory: Path | None = None,
        limits: Limits | None = None,
    ) -> None:
        if profile not in PROFILES:
            raise ValueError(f"unknown profile {profile!r}; the node knows {', '.join(PROFILES)}")
        if protocol not in PROTOCOLS:
            raise ValueError(f"unknown protocol {protocol!r}; the node knows {', '.join(PROTOCOLS)}")
        if problem := edition_problem(profile, edition) if edition else "":
            raise ValueError(problem)
        self.profile = profile
        self.edition = edition
        self.protocol = protocol
        self.ae_title = ae_title
        self.server_name = "localhost"
        self._temporary = tempfile.TemporaryDirectory(prefix="ps315-node-") if directory is None else None
        self.directory = directory or Path(self._temporary.name if self._temporary else ".")
        self.pki = pki or Pki.create(self.directory / "pki")
        self.faults = check_names(faults)
        behaviours = [BEHAVIOURS[name] for name in self.faults]
        settings = FrontSettings(
            identities=tuple(identity_of(self.pki, case) for case in _IDENTITIES.get(profile, ("server", "server_ec"))),
            client_anchors=(self.pki.issue("ca").certificate, *client_anchors),
            client_crls=tuple(client_crls),
            client_auth=client_auth,
            protocols=_APPLICATION_PROTOCOLS[protocol],
            server_names=frozenset({"localhost", host.lower(), socket.gethostname().lower()}),
            limits=limits or Limits(),
        )
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
        self._front = Front(router, self._serve, host, port)

    @property
    def address(self) -> tuple[str, int]:
        """Host and port of the secure port."""
        return self._front.address

    @property
    def trust_anchors(self) -> Path:
        """PEM file with the roots that the server's certificates lead to."""
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

    def start(self) -> None:
        """Begin to serve."""
        self._front.start()

    def stop(self) -> None:
        """Close the port and every connection; afterwards no thread of the node runs."""
        self._front.stop()
        self._http.stop()
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
        else:
            self._dicom.take(connection, address)


__all__ = ["PROFILES", "PROTOCOLS", "Node"]
