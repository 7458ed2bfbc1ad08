"""Verification and storage SCP on pynetdicom for sockets that somebody else accepted: it opens no port."""

from __future__ import annotations

import re
import socket
import threading
import time
from pathlib import Path
from typing import Any

from pydicom.uid import (
    JPEG2000,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLosslessSV1,
    RLELossless,
)
from pynetdicom import AE, AllStoragePresentationContexts, VerificationPresentationContexts, evt
from pynetdicom.presentation import PresentationContext
from pynetdicom.transport import AssociationServer

_SYNTAXES = [
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    JPEGBaseline8Bit,
    JPEGLosslessSV1,
    JPEG2000Lossless,
    JPEG2000,
    RLELossless,
]
_OUT_OF_RESOURCES, _CANNOT_UNDERSTAND = 0xA700, 0xC000
_MAXIMUM_ASSOCIATIONS = 200


class _HandedSockets(AssociationServer):
    """An association server that never listens: its sockets come through :meth:`process_request`."""

    def server_bind(self) -> None:
        """Bind nothing."""

    def server_activate(self) -> None:
        """Listen on nothing."""


class _Contexts(list[PresentationContext]):
    """Supported contexts that all associations share: what negotiation reads need not be copied for each of them."""

    def __deepcopy__(self, memo: dict[int, object]) -> _Contexts:
        return _Contexts(self)


class DicomServer:
    """An application entity that answers C-ECHO and keeps what C-STORE brings, up to a limit.

    `directory` receives the instances as ``<SOP Instance UID>.dcm`` until `limit` octets are stored; with None they are
    accepted and dropped. Associations that call another AE title than `ae_title` are rejected. C-ECHO is answered with
    `echo_status`.
    """

    def __init__(
        self,
        ae_title: str,
        directory: Path | None,
        limit: int = 1 << 30,
        network_timeout: float = 60,
        echo_status: int = 0x0000,
    ) -> None:
        self._directory = directory
        self._limit = limit
        self._stored = 0
        self._lock = threading.Lock()
        entity = AE(ae_title=ae_title)
        entity.require_called_aet = True
        entity.maximum_associations = _MAXIMUM_ASSOCIATIONS
        entity.network_timeout = network_timeout
        for context in (*VerificationPresentationContexts, *AllStoragePresentationContexts):
            entity.add_supported_context(str(context.abstract_syntax), _SYNTAXES)
        self._server = _HandedSockets(
            entity,
            ("127.0.0.1", 0),
            ae_title,
            _Contexts(entity.supported_contexts),
            evt_handlers=[(evt.EVT_C_STORE, self._store), (evt.EVT_C_ECHO, lambda _event: echo_status)],
        )

    def take(self, connection: socket.socket, address: tuple[str, int]) -> None:
        """Serve associations on `connection`, which came from `address`; returns at once."""
        self._server.process_request(connection, address)

    def stop(self, timeout: float = 5.0) -> None:
        """End what is still associated and wait up to `timeout` seconds for it to end."""
        running = self._server.active_associations
        for association in running:
            association.kill()
            # One that still waits for its A-ASSOCIATE-RQ does so for the whole ACSE timeout: nothing more will come.
            association.dul.to_user_queue.put(None)
        deadline = time.monotonic() + timeout
        for association in running:
            if not association.is_alive():  # over, or taken so lately that its thread has not begun
                continue
            association.join(max(0.0, deadline - time.monotonic()))
        self._server.server_close()

    def _store(self, event: Any) -> int:
        if self._directory is None:
            return 0x0000
        uid = str(event.request.AffectedSOPInstanceUID)
        if not re.fullmatch(r"[0-9.]{1,64}", uid):
            return _CANNOT_UNDERSTAND
        data = event.encoded_dataset()
        with self._lock:
            if self._stored + len(data) > self._limit:
                return _OUT_OF_RESOURCES
            self._stored += len(data)
        self._directory.mkdir(parents=True, exist_ok=True)
        (self._directory / f"{uid}.dcm").write_bytes(data)
        return 0x0000
