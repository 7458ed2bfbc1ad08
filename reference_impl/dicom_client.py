"""Verification and storage SCU: one request at a time, without a thread of its own."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

from pydicom import Dataset
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom.dsutils import encode

from reference_impl.dimse import MAXIMUM_CONTEXTS, Association, Context, DicomError, Message, Transport

VERIFICATION = "1.2.840.10008.1.1"
C_STORE, C_ECHO = 0x0001, 0x0030
RESPONSE = 0x8000
"""Command fields (PS3.7 E.1); a response has this bit beside that of its request."""
_SUCCESS = 0x0000
_WARNINGS = range(0xB000, 0xC000)
_MEDIUM = 0x0000
Proposal: TypeAlias = tuple[str, tuple[str, ...]]
"""A presentation context to be: abstract syntax and transfer syntaxes."""
_SYNTAXES = (str(ExplicitVRLittleEndian), str(ImplicitVRLittleEndian))
ECHO: Proposal = (VERIFICATION, _SYNTAXES)
"""What is proposed for C-ECHO."""


class Requestor:
    """An association that the client asks for: :meth:`associate`, operations, :meth:`release`.

    Every method raises `DicomError` for what the acceptor does wrong or refuses; errors of `transport` pass through.
    """

    def __init__(self, transport: Transport, calling: str, called: str) -> None:
        self._association = Association(transport)
        self._calling = calling
        self._called = called
        self._contexts: dict[Proposal, Context] = {}

    def associate(self, proposed: Iterable[Proposal]) -> None:
        """Ask for an association with these presentation contexts: abstract syntax and transfer syntaxes."""
        asked = list(proposed)[:MAXIMUM_CONTEXTS]
        wanted = [Context(2 * at + 1, name, syntaxes) for at, (name, syntaxes) in enumerate(asked)]
        by_id = dict(zip((one.id for one in wanted), asked, strict=True))
        self._association.request(self._calling, self._called, wanted)
        self._contexts = {by_id[number]: context for number, context in self._association.contexts.items()}

    def echo(self) -> int:
        """C-ECHO (PS3.7 9.1.5); returns the status."""
        command = Dataset()
        command.AffectedSOPClassUID = VERIFICATION
        command.CommandField = C_ECHO
        return self._operate(ECHO, command)

    def store(self, instance: Dataset) -> int:
        """C-STORE of `instance` (PS3.7 9.1.1); returns the status."""
        proposal = proposal_of(instance)
        syntax = UID(self._context(proposal).syntax)
        encoded = encode(instance, syntax.is_implicit_VR, syntax.is_little_endian, syntax.is_deflated)
        if encoded is None:
            raise DicomError("dimse", "the instance cannot be encoded")
        return self._operate(proposal, store_command(instance.SOPClassUID, instance.SOPInstanceUID), encoded)

    def release(self) -> None:
        """Release the association (PS3.8 7.2)."""
        self._association.release()

    def _context(self, proposal: Proposal) -> Context:
        if proposal not in self._contexts:
            raise DicomError("association", f"no presentation context was accepted for {UID(proposal[0]).name}")
        return self._contexts[proposal]

    def _operate(self, proposal: Proposal, command: Dataset, data: bytes | None = None) -> int:
        return operate(self._association, Message(self._context(proposal).id, command, data))


def store_command(sop_class: str, sop_instance: str) -> Dataset:
    """The command set of a C-STORE request, but for its number."""
    command = Dataset()
    command.AffectedSOPClassUID = sop_class
    command.CommandField = C_STORE
    command.Priority = _MEDIUM
    command.AffectedSOPInstanceUID = sop_instance
    return command


def operate(association: Association, request: Message) -> int:
    """Send a request that is numbered here, wait for its one response, return its status. Raises `DicomError`."""
    number = request.command.MessageID = association.next_id()
    association.send(request)
    answer = association.receive()
    if answer is None:
        raise DicomError("dimse", "the association was released instead of an answer")
    if answer.command.get("MessageIDBeingRespondedTo") != number:
        raise DicomError("dimse", "the response belongs to no request")
    return status_of(answer)


def status_of(answer: Message) -> int:
    """The status of a response. Raises `DicomError` where it has none."""
    status = answer.command.get("Status")
    if not isinstance(status, int):
        raise DicomError("dimse", "the response has no status")
    return status


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


def is_accepted(status: int) -> bool:
    """Whether a status of C-ECHO or C-STORE means success or a warning (PS3.7 C.1)."""
    return status == _SUCCESS or status in _WARNINGS


__all__ = [
    "C_ECHO",
    "C_STORE",
    "ECHO",
    "RESPONSE",
    "VERIFICATION",
    "DicomError",
    "Proposal",
    "Requestor",
    "Transport",
    "is_accepted",
    "operate",
    "proposal_of",
    "status_of",
    "store_command",
]
