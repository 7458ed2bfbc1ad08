"""DIMSE messages over one association, as its requestor or its acceptor; data sets stay the octets that they are.

It speaks through whatever sends and receives octets, has no thread of its own, and reads what comes with limits
(PS3.8 9.3, PS3.7 6.3, D.3.3).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from typing import Any, Protocol, TypeVar

from pydicom import Dataset
from pydicom.filereader import read_dataset
from pydicom.uid import UID
from pynetdicom import PYNETDICOM_IMPLEMENTATION_UID, build_context
from pynetdicom.dsutils import encode
from pynetdicom.pdu import (
    A_ABORT_RQ,
    A_ASSOCIATE_AC,
    A_ASSOCIATE_RJ,
    A_ASSOCIATE_RQ,
    A_RELEASE_RP,
    A_RELEASE_RQ,
)
from pynetdicom.pdu_primitives import (
    A_ASSOCIATE,
    A_RELEASE,
    ImplementationClassUIDNotification,
    MaximumLengthNotification,
    SCP_SCU_RoleSelectionNegotiation,
)

ASSOCIATE_RQ, ASSOCIATE_AC, ASSOCIATE_RJ, DATA, RELEASE_RQ, RELEASE_RP, ABORT = range(1, 8)
NO_DATA_SET = 0x0101
MAXIMUM_CONTEXTS = 128
ACCEPTED, NO_SUCH_SYNTAX, NO_SUCH_SERVICE = 0, 4, 3
"""Results of a presentation context (PS3.8 Table 9-18)."""
_APPLICATION_CONTEXT = "1.2.840.10008.3.1.1.1"
_MAXIMUM_LENGTH, _MAXIMUM_PDU, _MAXIMUM_COMMAND = 16_384, 1 << 17, 1 << 16
_HEADER = 6
_PDUS: Mapping[int, type[Any]] = {
    ASSOCIATE_RQ: A_ASSOCIATE_RQ,
    ASSOCIATE_AC: A_ASSOCIATE_AC,
    ASSOCIATE_RJ: A_ASSOCIATE_RJ,
    RELEASE_RQ: A_RELEASE_RQ,
    RELEASE_RP: A_RELEASE_RP,
    ABORT: A_ABORT_RQ,
}
ItemT = TypeVar("ItemT")


class DicomError(Exception):
    """The association was refused, aborted or answered wrongly; `stage` is "association" or "dimse"."""

    def __init__(self, stage: str, reason: str) -> None:
        super().__init__(reason)
        self.stage = stage


class Transport(Protocol):
    """What carries octets to the other side and back."""

    def send(self, data: bytes) -> None:
        """Send all of `data`."""

    def receive(self, octets: int) -> bytes:
        """Return exactly that many octets."""


@dataclass(frozen=True)
class Context:
    """A presentation context: proposed where `syntaxes` are several, agreed where it is one and `result` is 0.

    `requestor_stores`: the requestor takes C-STORE requests on it (SCP role, PS3.7 D.3.3.4), as C-GET needs it.
    """

    id: int
    abstract: str
    syntaxes: tuple[str, ...]
    result: int = ACCEPTED
    requestor_stores: bool = False

    @property
    def syntax(self) -> str:
        """The transfer syntax that was agreed on."""
        return self.syntaxes[0]


@dataclass(frozen=True)
class Message:
    """A DIMSE message: its command set, and its data set as octets where it has one."""

    context: int
    command: Dataset
    data: bytes | None = None

    @property
    def kind(self) -> int:
        """The command field (PS3.7 E.1)."""
        return int(self.command.get("CommandField") or 0)

    @property
    def id(self) -> int:
        """The message's number, or that of the message that it answers."""
        return int(self.command.get("MessageID", self.command.get("MessageIDBeingRespondedTo", 0)) or 0)


@dataclass(frozen=True)
class Asked:
    """What an A-ASSOCIATE-RQ asks for."""

    calling: str
    called: str
    contexts: tuple[Context, ...]
    primitive: A_ASSOCIATE


class Association:
    """One association. Requestors begin with :meth:`request`, acceptors with :meth:`asked` and :meth:`accept`.

    `limit` is the most octets of a data set that are read. Every method raises `DicomError` for what the other side
    does wrong or refuses; errors of `transport` pass through.
    """

    def __init__(self, transport: Transport, limit: int = 1 << 30) -> None:
        self.transport = transport
        self._limit = limit
        self._message_id = 0
        self._peer_length = 0
        self.contexts: dict[int, Context] = {}
        """The agreed contexts by id."""

    def next_id(self) -> int:
        """A number for the next request."""
        self._message_id = self._message_id % 0xFFFF + 1
        return self._message_id

    def context_for(self, abstract: str, syntax: str = "") -> Context | None:
        """The first agreed context of that abstract syntax (and transfer syntax)."""
        fitting = (one for one in self.contexts.values() if one.abstract == abstract)
        return next((one for one in fitting if syntax in ("", one.syntax)), None)

    # -- setting up and ending ---------------------------------------------------------------------------------------

    def request(self, calling: str, called: str, proposed: Sequence[Context]) -> tuple[Context, ...]:
        """Ask for an association; every proposed context with its result (ids are given anew, odd from 1)."""
        numbered = [replace(one, id=2 * at + 1) for at, one in enumerate(proposed[:MAXIMUM_CONTEXTS])]
        self.transport.send(_encoded(A_ASSOCIATE_RQ(), _request(calling, called, numbered)))
        kind, pdu = self._receive("association", ASSOCIATE_AC, ASSOCIATE_RJ)
        if kind == ASSOCIATE_RJ:
            reason = f"result {pdu.result}, source {pdu.source}, reason {pdu.reason_diagnostic}"
            raise DicomError("association", f"the association was rejected: {reason}")
        accepted = pdu.to_primitive()
        by_id = {one.id: one for one in numbered}
        roles = {
            str(one.sop_class_uid): bool(one.scp_role) for one in _items(accepted, SCP_SCU_RoleSelectionNegotiation)
        }
        results = []
        for told in accepted.presentation_context_definition_results_list:
            asked = by_id.pop(told.context_id, None)
            if asked is None:
                continue
            syntaxes = tuple(str(name) for name in told.transfer_syntax[:1]) or asked.syntaxes[:1]
            stores = asked.requestor_stores and roles.get(asked.abstract, False)
            answered = replace(asked, syntaxes=syntaxes, result=int(told.result or 0), requestor_stores=stores)
            results.append(answered)
            if answered.result == ACCEPTED:
                self.contexts[answered.id] = answered
        self._learn_length(accepted)
        return tuple(results)

    def asked(self) -> Asked:
        """The next thing that comes, which has to be an A-ASSOCIATE-RQ."""
        _kind, pdu = self._receive("association", ASSOCIATE_RQ)
        primitive = pdu.to_primitive()
        self._learn_length(primitive)
        roles = _roles(primitive)
        contexts = tuple(
            Context(
                one.context_id,
                str(one.abstract_syntax or ""),
                tuple(str(name) for name in one.transfer_syntax),
                requestor_stores=roles.get(str(one.abstract_syntax or ""), False),
            )
            for one in primitive.presentation_context_definition_list
        )
        calling, called = str(primitive.calling_ae_title or ""), str(primitive.called_ae_title or "")
        return Asked(calling.strip(), called.strip(), contexts, primitive)

    def accept(self, asked: Asked, choose: Callable[[Context], str]) -> None:
        """Accept; `choose` names the transfer syntax of a context, or nothing where it is refused."""
        answered = []
        for one in asked.contexts:
            chosen = choose(one)
            result = ACCEPTED if chosen else NO_SUCH_SYNTAX
            final = replace(one, syntaxes=(chosen or (*one.syntaxes, "1.2.840.10008.1.2")[0],), result=result)
            answered.append(final)
            if chosen:
                self.contexts[final.id] = final
        self.transport.send(_encoded(A_ASSOCIATE_AC(), _acceptance(asked.primitive, answered)))

    def reject(self, source: int = 1, reason: int = 7) -> None:
        """Reject for good; called AE title not recognized, unless told else (PS3.8 Table 9-21)."""
        self.transport.send(struct.pack(">BBIBBBB", ASSOCIATE_RJ, 0, 4, 0, 1, source, reason))

    def release(self) -> None:
        """Release the association (PS3.8 7.2)."""
        self.transport.send(_encoded(A_RELEASE_RQ(), A_RELEASE()))
        self._receive("association", RELEASE_RP)

    def abort(self) -> None:
        """Abort as service-user."""
        self.transport.send(struct.pack(">BBIBBBB", ABORT, 0, 4, 0, 0, 0, 0))

    # -- messages ----------------------------------------------------------------------------------------------------

    def send(self, message: Message) -> None:
        """Send a message in fragments that the other side takes."""
        command = Dataset()
        command.update(message.command)
        command.CommandDataSetType = NO_DATA_SET if message.data is None else 0x0001
        self._send_value(message.context, 1, command_octets(command))
        if message.data is not None:
            self._send_value(message.context, 0, message.data)

    def _send_value(self, context: int, control: int, data: bytes) -> None:
        most = max((self._peer_length or _MAXIMUM_PDU) - _HEADER, 128)
        view = memoryview(data)
        for at in range(0, max(len(data), 1), most):
            part = view[at : at + most]
            flags = control | (2 if at + most >= len(data) else 0)
            header = struct.pack(">BBIIBB", DATA, 0, len(part) + _HEADER, len(part) + 2, context, flags)
            self.transport.send(header + bytes(part))

    def receive(self) -> Message | None:
        """The next message; None where the other side released the association, which is answered."""
        command: Dataset | None = None
        collected, context = bytearray(), 0
        while True:
            kind, body = self._receive("dimse", DATA, RELEASE_RQ)
            if kind == RELEASE_RQ:
                self.transport.send(struct.pack(">BBII", RELEASE_RP, 0, 4, 0))
                return None
            for context, flags, value in _values(body):
                limit = self._limit if command is not None else _MAXIMUM_COMMAND
                if len(collected) + len(value) > limit:
                    raise DicomError("dimse", f"a message of more than {limit} octets")
                if bool(flags & 1) == (command is not None) or context not in self.contexts:
                    raise DicomError("dimse", "a fragment that belongs to no message")
                collected += value
                if not flags & 2:
                    continue
                if command is not None:
                    return Message(context, command, bytes(collected))
                command = _command(bytes(collected))
                collected.clear()
                if command.get("CommandDataSetType", NO_DATA_SET) == NO_DATA_SET:
                    return Message(context, command)

    # -- PDUs --------------------------------------------------------------------------------------------------------

    def _learn_length(self, primitive: A_ASSOCIATE) -> None:
        lengths = _items(primitive, MaximumLengthNotification)
        self._peer_length = int(lengths[0].maximum_length_received or 0) if lengths else 0

    def _receive(self, stage: str, *expected: int) -> tuple[int, Any]:
        """Type and PDU of what comes next, one of `expected`; of P-DATA-TF its octets."""
        header = self.transport.receive(_HEADER)
        kind, length = header[0], int.from_bytes(header[2:], "big")
        if (kind not in _PDUS and kind != DATA) or length > _MAXIMUM_PDU:
            raise DicomError(stage, f"what came is no PDU of the DICOM upper layer: type {kind}, {length} octets")
        body = self.transport.receive(length)
        if kind == ABORT:
            raise DicomError(stage, "the association was aborted")
        if kind not in expected:
            raise DicomError(stage, f"a PDU of type {kind} at this point")
        if kind == DATA:
            return kind, body
        pdu = _PDUS[kind]()
        try:
            pdu.decode(header + body)
            if kind in {ASSOCIATE_RQ, ASSOCIATE_AC}:
                pdu.to_primitive()
        except Exception as problem:  # what the decoder raises for broken items is not said anywhere
            raise DicomError(stage, f"a PDU of type {kind} cannot be read: {problem}") from None
        return kind, pdu


def command_octets(command: Dataset) -> bytes:
    """A command set in its encoding, with its group length (PS3.7 6.3.1)."""
    command = Dataset({one.tag: one for one in command if one.tag != 0})
    encoded = encode(command, is_implicit_vr=True, is_little_endian=True)
    if encoded is None:
        raise ValueError("the command set cannot be encoded")
    return struct.pack("<HHII", 0, 0, 4, len(encoded)) + encoded


def _command(data: bytes) -> Dataset:
    try:
        command = read_dataset(BytesIO(data), is_implicit_VR=True, is_little_endian=True)
        for element in command:  # pydicom decodes late
            _ = element.value
    except Exception as problem:  # what pydicom raises for broken elements is not said anywhere
        raise DicomError("dimse", f"a command set cannot be read: {problem}") from None
    return command


def _values(body: bytes) -> Iterable[tuple[int, int, bytes]]:
    """The presentation data values of a P-DATA-TF: context, message control header, fragment (PS3.8 9.3.5)."""
    at = 0
    while at < len(body):
        length = int.from_bytes(body[at : at + 4], "big")
        if length < 2 or at + 4 + length > len(body):
            raise DicomError("dimse", "a presentation data value longer than what holds it")
        yield body[at + 4], body[at + 5], body[at + 6 : at + 4 + length]
        at += 4 + length


def _request(calling: str, called: str, proposed: Iterable[Context]) -> A_ASSOCIATE:
    primitive = A_ASSOCIATE()
    primitive.application_context_name = UID(_APPLICATION_CONTEXT)
    primitive.calling_ae_title = calling
    primitive.called_ae_title = called
    contexts = []
    storing: dict[str, bool] = {}
    for one in proposed:
        context = build_context(one.abstract, list(one.syntaxes))
        context.context_id = one.id
        contexts.append(context)
        if one.requestor_stores:
            storing[one.abstract] = True
    primitive.presentation_context_definition_list = contexts
    primitive.user_information = [*_ourselves(), *(_role(name, scp=True) for name in storing)]
    return primitive


def _acceptance(asked: A_ASSOCIATE, answered: Iterable[Context]) -> A_ASSOCIATE:
    primitive = A_ASSOCIATE()
    primitive.application_context_name = asked.application_context_name
    primitive.calling_ae_title = asked.calling_ae_title
    primitive.called_ae_title = asked.called_ae_title
    primitive.result = 0
    contexts = []
    for one in answered:
        context = build_context(one.abstract, [one.syntax])
        context.context_id = one.id
        context.result = one.result
        contexts.append(context)
    primitive.presentation_context_definition_results_list = contexts
    stores = dict.fromkeys(one.abstract for one in answered if one.requestor_stores and one.result == ACCEPTED)
    primitive.user_information = [*_ourselves(), *(_role(name, scp=True) for name in stores)]
    return primitive


def _ourselves() -> list[Any]:
    length = MaximumLengthNotification()
    length.maximum_length_received = _MAXIMUM_LENGTH
    implementation = ImplementationClassUIDNotification()
    implementation.implementation_class_uid = PYNETDICOM_IMPLEMENTATION_UID
    return [length, implementation]


def _role(abstract: str, *, scp: bool) -> SCP_SCU_RoleSelectionNegotiation:
    role = SCP_SCU_RoleSelectionNegotiation()
    role.sop_class_uid = UID(abstract)
    role.scu_role = True
    role.scp_role = scp
    return role


def _roles(primitive: A_ASSOCIATE) -> dict[str, bool]:
    """By abstract syntax: whether its requestor takes requests."""
    return {str(one.sop_class_uid): bool(one.scp_role) for one in _items(primitive, SCP_SCU_RoleSelectionNegotiation)}


def _encoded(pdu: Any, primitive: Any) -> bytes:
    pdu.from_primitive(primitive)
    return bytes(pdu.encode())


def _items(primitive: A_ASSOCIATE, kind: type[ItemT]) -> list[ItemT]:
    return [one for one in primitive.user_information if isinstance(one, kind)]
