"""The DICOM Upper Layer protocol as far as one C-ECHO needs it, sans-I/O (PS3.8 9.3, PS3.7 9.1.5, 9.3.5).

Builders give the octets of a PDU; `PduReader` splits a stream into PDUs within limits, and the `parse_...`
functions read them. What is not well-formed raises `PduError`.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

ASSOCIATE_RQ, ASSOCIATE_AC, ASSOCIATE_RJ, DATA, RELEASE_RQ, RELEASE_RP, ABORT = range(1, 8)
PDU_NAMES = {
    ASSOCIATE_RQ: "A-ASSOCIATE-RQ",
    ASSOCIATE_AC: "A-ASSOCIATE-AC",
    ASSOCIATE_RJ: "A-ASSOCIATE-RJ",
    DATA: "P-DATA-TF",
    RELEASE_RQ: "A-RELEASE-RQ",
    RELEASE_RP: "A-RELEASE-RP",
    ABORT: "A-ABORT",
}
MAX_PDU_OCTETS = 131_072
VERIFICATION = "1.2.840.10008.1.1"
IMPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2"
APPLICATION_CONTEXT = "1.2.840.10008.3.1.1.1"
_IMPLEMENTATION_CLASS = "2.25.281472531853279461387243921705648295713"
_IMPLEMENTATION_VERSION = "PS315_1"
_CONTEXT_ID = 1
_RECEIVED_LENGTH = 16_384


class PduError(ValueError):
    """Octets that are no well-formed PDU of the DICOM Upper Layer, or exceed a limit."""


class Pdu(NamedTuple):
    """One PDU: its type and what follows the six octets of header."""

    type: int
    body: bytes


def encode_pdu(pdu_type: int, body: bytes) -> bytes:
    """A PDU with its header."""
    return struct.pack(">BBI", pdu_type, 0, len(body)) + body


def item(item_type: int, data: bytes) -> bytes:
    """An item of an A-ASSOCIATE PDU (PS3.8 9.3.2)."""
    return struct.pack(">BBH", item_type, 0, len(data)) + data


def user_information() -> bytes:
    """Our user information item: maximum length and implementation (PS3.8 9.3.2.3, PS3.7 D.3.3)."""
    user = item(0x51, struct.pack(">I", _RECEIVED_LENGTH)) + item(0x52, _IMPLEMENTATION_CLASS.encode("ascii"))
    return item(0x50, user + item(0x55, _IMPLEMENTATION_VERSION.encode("ascii")))


def _title(title: str) -> bytes:
    encoded = title.encode("ascii", "replace")[:16]
    return encoded.ljust(16, b" ")


def associate_rq(
    calling: str, called: str, sop_class: str = VERIFICATION, syntaxes: Sequence[str] = (IMPLICIT_LITTLE_ENDIAN,)
) -> bytes:
    """An A-ASSOCIATE-RQ that proposes one presentation context (PS3.8 9.3.2)."""
    context = bytes((_CONTEXT_ID, 0, 0, 0)) + item(0x30, sop_class.encode("ascii"))
    context += b"".join(item(0x40, syntax.encode("ascii")) for syntax in syntaxes)
    body = struct.pack(">HH", 1, 0) + _title(called) + _title(calling) + bytes(32)
    body += item(0x10, APPLICATION_CONTEXT.encode("ascii")) + item(0x20, context) + user_information()
    return encode_pdu(ASSOCIATE_RQ, body)


def release_rq() -> bytes:
    """An A-RELEASE-RQ."""
    return encode_pdu(RELEASE_RQ, bytes(4))


def abort() -> bytes:
    """An A-ABORT of the service user."""
    return encode_pdu(ABORT, bytes(4))


def _element(group: int, element: int, value: bytes) -> bytes:
    return struct.pack("<HHI", group, element, len(value)) + value


def _command(elements: bytes) -> bytes:
    return _element(0, 0, struct.pack("<I", len(elements))) + elements


def command(elements: Mapping[int, bytes]) -> bytes:
    """A command set of these elements (by element number of group 0000), in order, with its group length."""
    return _command(b"".join(_element(0, number, elements[number]) for number in sorted(elements)))


def _uid(value: str) -> bytes:
    encoded = value.encode("ascii")
    return encoded + b"\0" * (len(encoded) % 2)


def echo_rq(message_id: int = 1) -> bytes:
    """A C-ECHO-RQ in one P-DATA-TF on the one presentation context (PS3.7 9.3.5.1)."""
    elements = _element(0, 0x0002, _uid(VERIFICATION)) + _element(0, 0x0100, struct.pack("<H", 0x0030))
    elements += _element(0, 0x0110, struct.pack("<H", message_id)) + _element(0, 0x0800, struct.pack("<H", 0x0101))
    return data_tf(_CONTEXT_ID, _command(elements))


def echo_rsp(message_id: int = 1, status: int = 0) -> bytes:
    """A C-ECHO-RSP in one P-DATA-TF (PS3.7 9.3.5.2)."""
    elements = _element(0, 0x0002, _uid(VERIFICATION)) + _element(0, 0x0100, struct.pack("<H", 0x8030))
    elements += _element(0, 0x0120, struct.pack("<H", message_id)) + _element(0, 0x0800, struct.pack("<H", 0x0101))
    elements += _element(0, 0x0900, struct.pack("<H", status))
    return data_tf(_CONTEXT_ID, _command(elements))


def data_tf(context: int, command: bytes) -> bytes:
    """A P-DATA-TF with one value: the last fragment of a command (PS3.8 9.3.5, E.2)."""
    return encode_pdu(DATA, struct.pack(">IBB", len(command) + 2, context, 3) + command)


class PduReader:
    """Splits a stream into PDUs of known type, each of at most `max_octets`."""

    def __init__(self, max_octets: int = MAX_PDU_OCTETS) -> None:
        self._buffer = bytearray()
        self._max_octets = max_octets

    def feed(self, data: bytes) -> list[Pdu]:
        """The PDUs completed by `data`. Raises `PduError` for what cannot be one."""
        buffer = self._buffer
        buffer += data
        found: list[Pdu] = []
        while buffer:
            if buffer[0] not in PDU_NAMES:
                raise PduError(f"0x{buffer[0]:02X} is no PDU type")
            if len(buffer) < 6:
                break
            length = int.from_bytes(buffer[2:6], "big")
            if length > self._max_octets:
                raise PduError(f"a PDU of {length} octets, at most {self._max_octets} are read")
            if len(buffer) < 6 + length:
                break
            found.append(Pdu(buffer[0], bytes(buffer[6 : 6 + length])))
            del buffer[: 6 + length]
        return found


@dataclass(frozen=True)
class Acceptance:
    """What an A-ASSOCIATE-AC says: result per presentation context (0 accepted) and the peer's maximum length."""

    results: dict[int, int]
    max_length: int | None
    called: str
    calling: str

    @property
    def verification_accepted(self) -> bool:
        """Whether the one context that was proposed was accepted."""
        return self.results.get(_CONTEXT_ID) == 0


def _items(data: bytes) -> list[tuple[int, bytes]]:
    found: list[tuple[int, bytes]] = []
    at = 0
    while at < len(data):
        if at + 4 > len(data):
            raise PduError("an item without a whole header")
        item_type, length = data[at], int.from_bytes(data[at + 2 : at + 4], "big")
        at += 4
        if at + length > len(data):
            raise PduError("an item longer than what holds it")
        found.append((item_type, data[at : at + length]))
        at += length
    return found


def parse_associate_ac(body: bytes) -> Acceptance:
    """An A-ASSOCIATE-AC. Raises `PduError`."""
    if len(body) < 68:
        raise PduError("an A-ASSOCIATE-AC is too short")
    results: dict[int, int] = {}
    max_length: int | None = None
    for item_type, data in _items(body[68:]):
        if item_type == 0x21:
            if len(data) < 4:
                raise PduError("a presentation context is too short")
            results[data[0]] = data[2]
        elif item_type == 0x50:
            for sub_type, value in _items(data):
                if sub_type == 0x51 and len(value) == 4:
                    max_length = int.from_bytes(value, "big")
    return Acceptance(results, max_length, _read_title(body[4:20]), _read_title(body[20:36]))


@dataclass(frozen=True)
class Request:
    """What an A-ASSOCIATE-RQ asks for. `contexts`: id, abstract syntax and transfer syntaxes of each context."""

    called: str
    calling: str
    application_context: str
    contexts: tuple[tuple[int, str, tuple[str, ...]], ...]


def parse_associate_rq(body: bytes) -> Request:
    """An A-ASSOCIATE-RQ (PS3.8 9.3.2). Raises `PduError`."""
    if len(body) < 68:
        raise PduError("an A-ASSOCIATE-RQ is too short")
    application_context, contexts = "", []
    for item_type, data in _items(body[68:]):
        if item_type == 0x10:
            application_context = _read_title(data)
        elif item_type == 0x20:
            if len(data) < 4:
                raise PduError("a presentation context is too short")
            inner = [(kind, _read_title(value)) for kind, value in _items(data[4:])]
            abstract = next((value for kind, value in inner if kind == 0x30), "")
            contexts.append((data[0], abstract, tuple(value for kind, value in inner if kind == 0x40)))
    return Request(_read_title(body[4:20]), _read_title(body[20:36]), application_context, tuple(contexts))


def _read_title(data: bytes) -> str:
    return data.decode("ascii", "backslashreplace").strip(" \0")


def parse_associate_rj(body: bytes) -> tuple[int, int, int]:
    """Result, source and reason of an A-ASSOCIATE-RJ (PS3.8 9.3.4). Raises `PduError`."""
    if len(body) != 4:
        raise PduError("an A-ASSOCIATE-RJ has four octets")
    return body[1], body[2], body[3]


def parse_abort(body: bytes) -> tuple[int, int]:
    """Source and reason of an A-ABORT (PS3.8 9.3.8). Raises `PduError`."""
    if len(body) != 4:
        raise PduError("an A-ABORT has four octets")
    return body[2], body[3]


def parse_command(body: bytes) -> dict[int, bytes]:
    """Elements (by element number of group 0000) of the command in a P-DATA-TF. Raises `PduError`.

    Only the first value is read, which has to hold the last fragment of the command.
    """
    if len(body) < 6:
        raise PduError("a P-DATA-TF is too short")
    length = int.from_bytes(body[:4], "big")
    if length < 2 or 4 + length > len(body):
        raise PduError("a presentation data value longer than what holds it")
    if body[5] != 3:
        raise PduError("no last fragment of a command")
    return parse_command_elements(body[6 : 4 + length])


def parse_command_elements(data: bytes) -> dict[int, bytes]:
    """Elements (by element number of group 0000) of a whole command set. Raises `PduError`."""
    elements: dict[int, bytes] = {}
    at = 0
    while at < len(data):
        if at + 8 > len(data):
            raise PduError("an element without a whole header")
        group, element, size = struct.unpack_from("<HHI", data, at)
        at += 8
        if group or size > len(data) - at:
            raise PduError("an element that belongs to no command, or longer than what holds it")
        elements[element] = data[at : at + size]
        at += size
    return elements


def echo_status(body: bytes) -> int:
    """Status of the C-ECHO-RSP in a P-DATA-TF. Raises `PduError` if it is none."""
    elements = parse_command(body)
    if elements.get(0x0100) != b"\x30\x80":
        raise PduError("the command is no C-ECHO-RSP")
    status = elements.get(0x0900, b"")
    if len(status) != 2:
        raise PduError("a C-ECHO-RSP without a status")
    return int.from_bytes(status, "little")


REJECTIONS: dict[tuple[int, int], str] = {
    (1, 1): "no reason given",
    (1, 2): "application context name not supported",
    (1, 3): "calling AE title not recognized",
    (1, 7): "called AE title not recognized",
    (2, 1): "no reason given by the ACSE",
    (2, 2): "protocol version not supported",
    (3, 1): "temporary congestion",
    (3, 2): "local limit exceeded",
}
"""Meaning of source and reason of an A-ASSOCIATE-RJ (PS3.8 Table 9-21)."""
