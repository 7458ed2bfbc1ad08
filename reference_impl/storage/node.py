"""The archive as a running node: a plain port for DIMSE or DICOMweb, with the faults that are switched in."""

from __future__ import annotations

import socket
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from fixtures.pki import Pki
from reference_impl.connections import Listener
from reference_impl.http_server import HttpServer
from reference_impl.storage.archive import Address, Archive
from reference_impl.storage.behaviour import StorerBehaviour
from reference_impl.storage.faults import check_storer_faults
from reference_impl.storage.instances import InstanceStore
from reference_impl.storage.renewing import Renewal
from reference_impl.storage.web import handler_of

PROFILES = ("A.2", "A.3")
PROTOCOLS = ("dicom", "http")
_BACKLOG = 16


class StorageNode(Listener):
    """The reference archive at a plain port. Use it as a context manager, or :meth:`start` and :meth:`stop`.

    Under the `profile` A.3 it keeps instances octet for octet. Under A.2 it trims what padding is superfluous, removes
    the signatures that this makes invalid and signs anew, by the signer of `pki`, what they covered; whom it trusts is
    the authority of `pki`. `faults` are names from ``instance_storer.toml``. `directory` receives the instances (a
    temporary one by default). Raises ValueError for an unknown profile, protocol or fault, OSError when the address
    cannot be bound.
    """

    def __init__(
        self,
        profile: str = "A.3",
        faults: Iterable[str] = (),
        *,
        protocol: str = "dicom",
        host: str = "127.0.0.1",
        port: int = 0,
        ae_title: str = "PS315-ARCHIVE",
        pki: Pki | None = None,
        directory: Path | None = None,
        destinations: Mapping[str, Address] | None = None,
    ) -> None:
        if profile not in PROFILES:
            raise ValueError(f"unknown profile {profile!r}; the archive knows {' and '.join(PROFILES)}")
        if protocol not in PROTOCOLS:
            raise ValueError(f"unknown protocol {protocol!r}; the archive knows {' and '.join(PROTOCOLS)}")
        chosen = check_storer_faults(faults)
        self._temporary = tempfile.TemporaryDirectory(prefix="ps315-archive-") if directory is None else None
        self.directory = directory or Path(self._temporary.name if self._temporary else ".")
        behaviours = [one.behaviour for one in chosen]
        if profile == "A.2":
            flaws = frozenset(flaw for one in chosen for flaw in one.flaws)
            renewal = Renewal(pki or Pki.create(self.directory / "pki"), flaws)
            behaviours.insert(0, StorerBehaviour(on_receipt=renewal))
        self.archive = Archive(
            ae_title,
            InstanceStore(self.directory / "stored"),
            behaviours=behaviours,
            destinations=destinations,
        )
        self.protocol, self.profile, self.ae_title = protocol, profile, ae_title
        self._http = HttpServer(handler_of(self.archive))
        super().__init__(host, port, name="archive-port", backlog=_BACKLOG)

    def stop(self, timeout: float = 10.0) -> None:
        """Close the port and every connection; afterwards no thread of the node runs."""
        super().stop(timeout)
        self.archive.stop()
        self._http.stop()
        if self._temporary is not None:
            self._temporary.cleanup()

    def _admit(self, client: socket.socket, address: tuple[str, int]) -> None:
        (self._http if self.protocol == "http" else self.archive).take(client, address)
