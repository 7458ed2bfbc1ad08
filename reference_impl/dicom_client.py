"""Verification and storage SCU on the messages of pynetdicom, one request at a time, without a thread of its own.

It speaks through whatever sends and receives octets, and reads what comes with limits (PS3.8 9.3, PS3.7 9.1).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from io import BytesIO
from typing import Any, Protocol, TypeAlias, TypeVar

from pydicom import Dataset
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import PYNETDICOM_IMPLEMENTATION_UID, build_context
from pynetdicom.dimse_messages import C_ECHO_RQ, C_STORE_RQ, DIMSEMessage
from pynetdicom.dimse_primitives import C_ECHO, C_STORE
from pynetdicom.dsutils import encode
from pynetdicom.pdu import (
    A_ABORT_RQ,
    A_ASSOCIATE_AC,
    A_ASSOCIATE_RJ,
    A_ASSOCIATE_RQ,
    A_RELEASE_RP,
    A_RELEASE_RQ,
    P_DATA_TF,
)
from pynetdicom.pdu_primitives import (
    A_ASSOCIATE,
    A_RELEASE,
    ImplementationClassUIDNotification,
    MaximumLengthNotification,
)

VERIFICATION = "1.2.840.10008.1.1"
_APPLICATION_CONTEXT = "1.2.840.10008.3.1.1.1"
_MAXIMUM_LENGTH = 16_384
_MAXIMUM_PDU = 1 << 17
_HEADER = 6
_MAXIMUM_CONTEXTS = 128
_ANSWERS: dict[int, type[Any]] = {
    0x02: A_ASSOCIATE_AC,
    0x03: A_ASSOCIATE_RJ,
    0x04: P_DATA_TF,
    0x06: A_RELEASE_RP,
    0x07: A_ABORT_RQ,
}
_ACCEPTED, _SUCCESS = 0, 0x0000
_WARNINGS = range(0xB000, 0xC000)
ItemT = TypeVar("ItemT")
Proposal: TypeAlias = tuple[str, tuple[str, ...]]
"""A presentation context to be: abstract syntax and transfer syntaxes."""
_SYNTAXES = (str(ExplicitVRLittleEndian), str(ImplicitVRLittleEndian))
ECHO: Proposal = (VERIFICATION, _SYNTAXES)
"""What is proposed for C-ECHO."""


class DicomError(Exception):
    """The association was refused, aborted or answered wrongly; `stage` is "association" or "dimse"."""

    def __init__(self, stage: str, reason: str) -> None:
        super().__init__(reason)
        self.stage = stage


class Transport(Protocol):
    """What carries octets to the acceptor and back."""

    def send(self, data: bytes) -> None:
        """Send all of `data`."""

    def receive(self, octets: int) -> bytes:
        """Return exactly that many octets."""


class Requestor:
    """An association that the client asks for: :meth:`associate`, operations, :meth:`release`.

    Every method raises `DicomError` for what the acceptor does wrong or refuses; errors of `transport` pass through.
    """

    def __init__(self, transport: Transport, calling: str, called: str) -> None:
        self._transport = transport
        self._calling = calling
        self._called = called
        self._contexts: dict[Proposal, tuple[int, UID]] = {}
        self._peer_length = 0
        self._message_id = 0

    def associate(self, proposed: Iterable[Proposal]) -> None:
        """Ask for an association with these presentation contexts: abstract syntax and transfer syntaxes."""
        self._transport.send(self._request(list(proposed)[:_MAXIMUM_CONTEXTS]))
        answer = self._receive("association", 0x02, 0x03)
        if isinstance(answer, A_ASSOCIATE_RJ):
            reason = f"result {answer.result}, source {answer.source}, reason {answer.reason_diagnostic}"
            raise DicomError("association", f"the association was rejected: {reason}")
        accepted = answer.to_primitive()
        asked = {2 * at + 1: one for at, one in enumerate(self._proposed)}
        for context in accepted.presentation_context_definition_results_list:
            if context.result == _ACCEPTED and context.context_id in asked:
                self._contexts[asked[context.context_id]] = (context.context_id, UID(context.transfer_syntax[0]))
        lengths = _items(accepted.user_information, MaximumLengthNotification)
        self._peer_length = lengths[0].maximum_length_received if lengths else 0

    def _request(self, proposed: list[Proposal]) -> bytes:
        self._proposed = proposed
        primitive = A_ASSOCIATE()
        primitive.application_context_name = UID(_APPLICATION_CONTEXT)
        primitive.calling_ae_title = self._calling
        primitive.called_ae_title = self._called
        contexts = []
        for at, (name, syntaxes) in enumerate(proposed):
            context = build_context(name, list(syntaxes))
            context.context_id = 2 * at + 1
            contexts.append(context)
        primitive.presentation_context_definition_list = contexts
        length = MaximumLengthNotification()
        length.maximum_length_received = _MAXIMUM_LENGTH
        implementation = ImplementationClassUIDNotification()
        implementation.implementation_class_uid = PYNETDICOM_IMPLEMENTATION_UID
        primitive.user_information = [length, implementation]
        pdu = A_ASSOCIATE_RQ()
        pdu.from_primitive(primitive)
        return bytes(pdu.encode())

    def echo(self) -> int:
        """C-ECHO (PS3.7 9.1.5); returns the status."""
        primitive = C_ECHO()
        primitive.MessageID = self._next_id()
        primitive.AffectedSOPClassUID = UID(VERIFICATION)
        return self._operate(ECHO, C_ECHO_RQ(), primitive)

    def store(self, instance: Dataset) -> int:
        """C-STORE of `instance` (PS3.7 9.1.1); returns the status."""
        proposal = proposal_of(instance)
        _context, syntax = self._context(proposal)
        primitive = C_STORE()
        primitive.MessageID = self._next_id()
        primitive.AffectedSOPClassUID = instance.SOPClassUID
        primitive.AffectedSOPInstanceUID = instance.SOPInstanceUID
        primitive.Priority = 0x0002
        encoded = encode(instance, syntax.is_implicit_VR, syntax.is_little_endian, syntax.is_deflated)
        if encoded is None:
            raise DicomError("dimse", "the instance cannot be encoded")
        primitive.DataSet = BytesIO(encoded)
        return self._operate(proposal, C_STORE_RQ(), primitive)

    def release(self) -> None:
        """Release the association (PS3.8 7.2)."""
        pdu = A_RELEASE_RQ()
        pdu.from_primitive(A_RELEASE())
        self._transport.send(bytes(pdu.encode()))
        self._receive("association", 0x06)

    def _next_id(self) -> int:
        self._message_id = self._message_id % 0xFFFF + 1
        return self._message_id

    def _context(self, proposal: Proposal) -> tuple[int, UID]:
        if proposal not in self._contexts:
            raise DicomError("association", f"no presentation context was accepted for {UID(proposal[0]).name}")
        return self._contexts[proposal]

    def _operate(self, proposal: Proposal, message: DIMSEMessage, primitive: Any) -> int:
        """Send one request, wait for its response, return its status."""
        context, _syntax = self._context(proposal)
        message.primitive_to_message(primitive)
        for fragment in message.encode_msg(context, self._peer_length):
            pdu = P_DATA_TF()
            pdu.from_primitive(fragment)
            self._transport.send(bytes(pdu.encode()))
        answer = DIMSEMessage()
        try:
            while not answer.decode_msg(self._receive("dimse", 0x04).to_primitive()):
                continue
            status = answer.command_set.Status
        except (AttributeError, KeyError, ValueError, TypeError, IndexError, struct.error) as problem:
            raise DicomError("dimse", f"the response cannot be read: {problem}") from None
        if answer.command_set.get("MessageIDBeingRespondedTo") != primitive.MessageID:
            raise DicomError("dimse", "the response belongs to no request")
        return int(status)

    def _receive(self, stage: str, *expected: int) -> Any:
        """The next PDU, of one of the types `expected`."""
        header = self._transport.receive(_HEADER)
        kind, length = header[0], int.from_bytes(header[2:], "big")
        if kind not in _ANSWERS or length > _MAXIMUM_PDU:
            raise DicomError(stage, f"what came is no PDU of an acceptor: type {kind}, {length} octets")
        body = self._transport.receive(length)
        pdu = _ANSWERS[kind]()
        try:
            pdu.decode(header + body)
        except Exception as problem:  # what the decoder raises for broken items is not said anywhere
            raise DicomError(stage, f"a PDU of type {kind} cannot be read: {problem}") from None
        if kind == 0x07:
            raise DicomError(stage, "the association was aborted")
        if kind not in expected:
            raise DicomError(stage, f"a PDU of type {kind} at this point")
        return pdu


def proposal_of(instance: Dataset) -> Proposal:
    """What is proposed for storing `instance`: its own transfer syntax where pixel data is compressed.

    Raises ValueError where the instance does not say what it is.
    """
    if not instance.get("SOPClassUID") or not instance.get("SOPInstanceUID"):
        raise ValueError("it has no SOP Class UID or no SOP Instance UID")
    meta = getattr(instance, "file_meta", None)
    syntax = UID(str(meta.get("TransferSyntaxUID", ""))) if meta is not None else UID("")
    if syntax and syntax.is_transfer_syntax and syntax.is_encapsulated:
        return str(instance.SOPClassUID), (str(syntax),)
    return str(instance.SOPClassUID), _SYNTAXES


def _items(listed: Iterable[object], kind: type[ItemT]) -> list[ItemT]:
    return [one for one in listed if isinstance(one, kind)]


def is_accepted(status: int) -> bool:
    """Whether a status of C-ECHO or C-STORE means success or a warning (PS3.7 C.1)."""
    return status == _SUCCESS or status in _WARNINGS
