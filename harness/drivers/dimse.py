"""A driver that is a DIMSE request at another endpoint of the SUT, on which the SUT connects to somebody: to us.

C-MOVE (PS3.4 C.4.2) makes it open an association for its C-STORE sub-operations, a storage commitment request (PS3.4
J.3.2) one for its N-EVENT-REPORT. The SUT has to be configured to know our AE title at the listener's address.
"""

from __future__ import annotations

import os
import ssl
import tempfile
from dataclasses import dataclass
from pathlib import Path

from harness.drivers.base import Driving, Expectation, InThread, Stimulus
from harness.observations.clients import DriverOutcome
from harness.probes.base import ClientCredentials, TlsTarget
from harness.sut_clients import DriverTable

_VERIFICATION = "1.2.840.10008.1.1"
_MOVE = "1.2.840.10008.5.1.4.1.2.2.2"  # Study Root Query/Retrieve Information Model - MOVE
_COMMITMENT, _COMMITMENT_INSTANCE = "1.2.840.10008.1.20.1", "1.2.840.10008.1.20.1.1"  # Storage Commitment Push Model
_SUCCESS, _UNKNOWN_DESTINATION = 0x0000, 0xA801
_MOVED = frozenset({_SUCCESS, 0xB000, 0xA702, 0xFE00})
"""PS3.4 C.4.2.1.5: sub-operations were made; that they failed is what a trial may be about."""
_PENDING = frozenset({0xFF00, 0xFF01})
_CONNECT_SECONDS = 10.0


@dataclass(frozen=True)
class Request:
    """What is asked of which endpoint. `plain`: its port speaks DICOM without TLS."""

    target: TlsTarget
    table: DriverTable

    def destination(self, stimulus: Stimulus) -> str:
        """The AE title that the SUT is to connect to."""
        return self.table.destination or stimulus.called_aet

    def text(self, stimulus: Stimulus) -> str:
        """The request in a sentence."""
        where = f"{self.target.called_aet} at {self.target.host}:{self.target.port}"
        if self.table.dimse == "c-move":
            return f"C-MOVE of study {self.table.study} to {self.destination(stimulus)}, asked of {where}"
        return f"storage commitment of instance {self.table.sop_instance}, asked of {where}"


class DimseDriver:
    """Sends the request of a driver's table, once per trial."""

    busy = True

    def __init__(self, target: TlsTarget, table: DriverTable) -> None:
        self._request = Request(target, table)

    def start(self, stimulus: Stimulus) -> Driving:
        """Begin the request."""
        # A C-MOVE ends after its sub-operations; commitment is reported whenever the SUT likes.
        then: Expectation = "begun" if self._request.table.dimse == "c-move" else "later"
        return InThread("dimse", lambda: send(self._request, stimulus), then=then)


def send(request: Request, stimulus: Stimulus) -> DriverOutcome:
    """Send `request` and wait for its answers. What goes wrong is told by the outcome."""
    from pynetdicom import AE

    target, text = request.target, request.text(stimulus)
    move = request.table.dimse == "c-move"
    entity = AE(ae_title=_calling(request, stimulus))
    entity.connection_timeout = _CONNECT_SECONDS
    entity.acse_timeout = entity.network_timeout = entity.dimse_timeout = stimulus.seconds
    wanted = _MOVE if move else _COMMITMENT
    entity.add_requested_context(wanted)
    entity.add_requested_context(_VERIFICATION)  # an association without any context would tell less
    try:
        plain = request.table.plain or target.protocol == "dicom"
        tls = None if plain else (tls_context(target), target.server_name or target.host)
    except (OSError, ValueError) as problem:
        return DriverOutcome(kind="dimse", action=text, problem=f"No TLS for the request: {problem}.")
    association = entity.associate(target.host, target.port, ae_title=target.called_aet, tls_args=tls)
    if not association.is_established:
        why = f"The SUT took no association for the request at {target.host}:{target.port}."
        if association.is_rejected:
            why = f"The SUT rejected the association of {entity.ae_title} for the request."
        return DriverOutcome(kind="dimse", action=text, problem=f"{why} Check endpoint, AE titles and credentials.")
    try:
        if wanted not in [context.abstract_syntax for context in association.accepted_contexts]:
            why = "The SUT takes the association, but no such request on it; name another endpoint."
            return DriverOutcome(kind="dimse", action=text, problem=why)
        output, why = _move(association, request, stimulus) if move else _commit(association, request)
    finally:
        association.release()
    return DriverOutcome(kind="dimse", action=text, output=output, problem=why)


def _calling(request: Request, stimulus: Stimulus) -> str:
    """Our AE title: the one that the SUT reports commitment to, else the one that the other endpoint knows."""
    return request.target.calling_aet if request.table.dimse == "c-move" else request.destination(stimulus)


def _move(association: object, request: Request, stimulus: Stimulus) -> tuple[str, str]:
    from pydicom import Dataset
    from pynetdicom.association import Association

    assert isinstance(association, Association)  # noqa: S101 - imported late
    identifier = Dataset()
    identifier.QueryRetrieveLevel = "STUDY"
    identifier.StudyInstanceUID = request.table.study
    destination = request.destination(stimulus)
    status = None
    for answer, _ in association.send_c_move(identifier, destination, _MOVE):
        status = answer.get("Status")
        if status not in _PENDING:
            break
    if status is None:
        return "", "The SUT did not answer the C-MOVE request."
    problem = ""
    if status == _UNKNOWN_DESTINATION:
        problem = f"The SUT does not know the move destination {destination}; configure it with our address and port."
    elif status not in _MOVED:
        problem = f"The SUT ended the move with {_status(status)}; if nothing came, check that it holds the study."
    return _status(status), problem


def _commit(association: object, request: Request) -> tuple[str, str]:
    from pydicom import Dataset
    from pydicom.uid import generate_uid
    from pynetdicom.association import Association

    assert isinstance(association, Association)  # noqa: S101 - imported late
    instance = Dataset()
    instance.ReferencedSOPClassUID = request.table.sop_class
    instance.ReferencedSOPInstanceUID = request.table.sop_instance
    information = Dataset()
    information.TransactionUID = generate_uid()
    information.ReferencedSOPSequence = [instance]
    answer, _ = association.send_n_action(information, 1, _COMMITMENT, _COMMITMENT_INSTANCE)
    status = answer.get("Status")
    if status is None:
        return "", "The SUT did not answer the storage commitment request."
    if status != _SUCCESS:
        return _status(status), f"The SUT refused the storage commitment request ({_status(status)})."
    return _status(status), ""


def _status(status: int) -> str:
    return f"status 0x{status:04X}"


def tls_context(target: TlsTarget) -> ssl.SSLContext:
    """A TLS client for `target` with its credentials. Raises `OSError` (`ssl.SSLError` is one) and `ValueError`.

    The name in the certificate is not checked: the endpoint is judged by claims of its own.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    if target.trust_anchors is None:
        context.verify_mode = ssl.CERT_NONE
    else:
        context.load_verify_locations(target.trust_anchors)
    if target.credentials is not None:
        _load(context, target.credentials)
    return context


def _load(context: ssl.SSLContext, credentials: ClientCredentials) -> None:
    """Give `context` its certificate; the ssl module reads it from a file, which is gone at once."""
    handle, name = tempfile.mkstemp(prefix="ps315-", suffix=".pem")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(credentials.key + b"\n" + credentials.certificate)
        context.load_cert_chain(name, password=credentials.password)
    finally:
        Path(name).unlink()
