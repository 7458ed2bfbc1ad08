"""What answers behind TLS in a trial, sans-I/O: a DICOM upper layer, a small web server, a sink for syslog."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Literal, Protocol

from harness import dicom_ul
from harness.dicom_ul import ASSOCIATE_AC, ASSOCIATE_RQ, DATA, RELEASE_RP, RELEASE_RQ, PduError, PduReader

Kind = Literal["association", "http", "syslog", "other", ""]
_MAXIMUM_COMMAND = 65_536
_MAXIMUM_OPERATIONS = 100
_MAXIMUM_HEAD = 65_536
_MAXIMUM_UID = 64
_NO_DATA_SET = 0x0101
_OPERATIONS = {
    0x0001: "C-STORE", 0x0010: "C-GET", 0x0020: "C-FIND", 0x0021: "C-MOVE", 0x0030: "C-ECHO", 0x0100: "N-EVENT-REPORT",
    0x0110: "N-GET", 0x0120: "N-SET", 0x0130: "N-ACTION", 0x0140: "N-CREATE", 0x0150: "N-DELETE",
}  # fmt: skip
"""PS3.7 E.1: command fields of requests."""


class Application(Protocol):
    """What is behind TLS: octets of the client in, octets for it out."""

    kind: Kind
    accepted: bool
    operations: list[str]
    over: bool
    remark: str

    def feed(self, data: bytes) -> bytes:
        """The answer to `data`. Never raises for what the client does."""


@dataclass
class Sink:
    """Takes everything and answers nothing, as a syslog collector does."""

    kind: Kind = "syslog"
    accepted: bool = False
    operations: list[str] = field(default_factory=list)
    over: bool = False
    remark: str = ""

    def feed(self, data: bytes) -> bytes:
        """See `Application.feed`."""
        del data
        return b""


@dataclass
class WebServer:
    """Answers one HTTP request by 200 with a small body, when all of it has come."""

    kind: Kind = "http"
    accepted: bool = False
    operations: list[str] = field(default_factory=list)
    over: bool = False
    remark: str = ""
    _head: bytearray = field(default_factory=bytearray)
    _left: int = -1  # octets of the body that are still to come; -1: the head is not complete
    _tail: bytes = b""
    _chunked: bool = False

    def feed(self, data: bytes) -> bytes:
        """See `Application.feed`."""
        if self.over:
            return b""
        out = b""
        if self._left < 0:
            self._head += data
            end = self._head.find(b"\r\n\r\n")
            if end < 0:
                self.over = len(self._head) > _MAXIMUM_HEAD
                return b""
            head, data = bytes(self._head[:end]), bytes(self._head[end + 4 :])
            out = self._take_head(head)
        self._left -= 0 if self._chunked else len(data)
        self._tail = (self._tail + data)[-5:]
        if self._left > 0 or (self._chunked and not self._tail.endswith(b"0\r\n\r\n")):
            return out
        self.over = True
        body = b"PS315\n"
        answer = (
            f"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        )
        return out + answer.encode("ascii") + body

    def _take_head(self, head: bytes) -> bytes:
        first, *lines = head.decode("latin-1").split("\r\n")
        fields = {name.strip().lower(): value.strip().lower() for name, _, value in (li.partition(":") for li in lines)}
        self.operations.append(first[:200])
        length = fields.get("content-length", "0")
        self._left = int(length) if length.isascii() and length.isdigit() and len(length) < 12 else 0
        self._chunked = "chunked" in fields.get("transfer-encoding", "")
        return b"HTTP/1.1 100 Continue\r\n\r\n" if fields.get("expect") == "100-continue" else b""


@dataclass
class UpperLayer:
    """Accepts every association and answers every request as done (PS3.8 9.3, PS3.7 9, 10); data sets are dropped.

    That another title than `called_aet` was called is remarked, and makes no difference: it is no matter of transport.
    """

    called_aet: str = ""
    kind: Kind = "association"
    accepted: bool = False
    operations: list[str] = field(default_factory=list)
    over: bool = False
    remark: str = ""
    _reader: PduReader = field(default_factory=PduReader)
    _command: bytearray = field(default_factory=bytearray)
    _waiting: tuple[int, dict[int, bytes]] | None = None

    def feed(self, data: bytes) -> bytes:
        """See `Application.feed`."""
        if self.over:
            return b""
        out = b""
        try:
            for pdu in self._reader.feed(data):
                out += self._answer(pdu.type, pdu.body)
                if self.over:
                    break
        except PduError:
            self.over = True
            out += dicom_ul.abort()
        return out

    def _answer(self, kind: int, body: bytes) -> bytes:
        if kind == ASSOCIATE_RQ and not self.accepted:
            return self._accept(body)
        if kind == DATA and self.accepted:
            return self._take_data(body)
        if kind == RELEASE_RQ and self.accepted:
            return dicom_ul.encode_pdu(RELEASE_RP, bytes(4))
        self.over = True
        return b"" if kind == dicom_ul.ABORT else dicom_ul.abort()

    def _accept(self, body: bytes) -> bytes:
        request = dicom_ul.parse_associate_rq(body)
        self.accepted = True
        if self.called_aet and request.called != self.called_aet:
            self.remark = f"the client calls the AE title {request.called!r}, not {self.called_aet!r}"
        items = dicom_ul.item(0x10, request.application_context.encode("ascii", "replace"))
        for context, _abstract, syntaxes in request.contexts:
            syntax = syntaxes[0] if syntaxes else dicom_ul.IMPLICIT_LITTLE_ENDIAN
            items += dicom_ul.item(
                0x21, bytes((context, 0, 0, 0)) + dicom_ul.item(0x40, syntax[:_MAXIMUM_UID].encode("ascii"))
            )
        items += dicom_ul.user_information()
        return dicom_ul.encode_pdu(ASSOCIATE_AC, struct.pack(">HH", 1, 0) + body[4:68] + items)

    def _take_data(self, body: bytes) -> bytes:
        out, at = b"", 0
        while at + 6 <= len(body):
            length = int.from_bytes(body[at : at + 4], "big")
            if length < 2 or at + 4 + length > len(body):
                raise PduError("a presentation data value longer than what holds it")
            context, control, value = body[at + 4], body[at + 5], body[at + 6 : at + 4 + length]
            out += self._take_fragment(context, control, value)
            at += 4 + length
        return out

    def _take_fragment(self, context: int, control: int, value: bytes) -> bytes:
        is_command, last = bool(control & 1), bool(control & 2)
        if not is_command:
            if not last or self._waiting is None:
                return b""
            (waiting, command), self._waiting = self._waiting, None
            return self._respond(waiting, command)
        self._command += value
        if len(self._command) > _MAXIMUM_COMMAND:
            raise PduError("a command longer than any that there is")
        if not last:
            return b""
        command = dicom_ul.parse_command_elements(bytes(self._command))
        self._command.clear()
        if int.from_bytes(command.get(0x0800, b"\x01\x01"), "little") == _NO_DATA_SET:
            return self._respond(context, command)
        self._waiting = (context, command)
        return b""

    def _respond(self, context: int, command: dict[int, bytes]) -> bytes:
        code = int.from_bytes(command.get(0x0100, b""), "little")
        if code not in _OPERATIONS:
            return b""  # a response, or a cancel request
        sop_class = command.get(0x0002) or command.get(0x0003, b"")
        name = _OPERATIONS[code]
        if code != 0x0030:
            name += f" {sop_class[:_MAXIMUM_UID].decode('ascii', 'backslashreplace').rstrip(chr(0))}"
        if len(self.operations) < _MAXIMUM_OPERATIONS:
            self.operations.append(name)
        answered = {
            0x0002: sop_class,
            0x0100: struct.pack("<H", code | 0x8000),
            0x0120: command.get(0x0110, b"\0\0"),
            0x0800: struct.pack("<H", _NO_DATA_SET),
            0x0900: b"\0\0",
        }
        instance = command.get(0x1000) or command.get(0x1001)
        if instance:
            answered[0x1000] = instance
        if code in (0x0100, 0x0130) and (event := command.get(0x1002) or command.get(0x1008)):
            answered[0x1002 if code == 0x0100 else 0x1008] = event
        return dicom_ul.data_tf(context, dicom_ul.command(answered))


def application_for(protocol: str, called_aet: str) -> Application:
    """A fresh application for one connection to a listener of `protocol` (of the SUT file)."""
    if protocol == "https":
        return WebServer()
    return Sink() if protocol == "syslog-tls" else UpperLayer(called_aet)


def kind_of(data: bytes, protocol: str) -> Kind:
    """What the first octets of a client's application data are."""
    if data[:1] == b"\x01" and data[1:2] in (b"\0", b""):
        return "association"
    if data.split(b" ", 1)[0].decode("ascii", "replace") in _METHODS:
        return "http"
    if protocol == "syslog-tls" and (data[:1].isdigit() or data[:1] == b"<"):
        return "syslog"
    return "other"


_METHODS = frozenset({"GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "CONNECT", "TRACE", "PRI"})
