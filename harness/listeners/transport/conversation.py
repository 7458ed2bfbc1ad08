"""One connection that a client made to a listener: played to its end within bounds, every octet of it kept."""

from __future__ import annotations

import logging
import select
import socket
import struct
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

from harness.certificates import certificate_facts
from harness.listeners.transport.applications import Application, Kind, application_for, kind_of
from harness.listeners.transport.hello_facts import hello_facts, ssl2_hello_facts
from harness.observations import Exchange
from harness.observations.clients import ClientConnection
from harness.probes.base import Deadlines
from reference_impl.transport.registry import SSL2_CIPHER_KINDS, alert_name, suite, version_name
from reference_impl.transport.trials import Notes, Script, Server, ServerStack
from reference_impl.transport.wire import Ssl2ServerHello

Opening = Literal["tls", "ssl2", "dicom", "http", "syslog", "other", "nothing"]
Ended = Literal["alert", "close_notify", "close", "reset", "silence", "harness"]

LOGGER = logging.getLogger(__name__)

MAXIMUM_OCTETS = 1 << 28
MAXIMUM_SECONDS = 600.0
_CHUNK = 1 << 16
_MAXIMUM_SEGMENTS = 256
_LINGER = 0.5
_FIRST = 64
_MAXIMUM_CERTIFICATES = 16
_PROTOCOL_VERSION_ALERT = struct.pack(">BHHBB", 0x15, 0x0300, 2, 2, 70)


@dataclass(frozen=True)
class Part:
    """What a connection gets: the script, what the server has besides, and whether the client is to be answered.

    `refuse`: the trial is one that a client has to refuse, so that its first application data ends it.
    """

    trial: str
    server: Server
    script: Script
    refuse: bool
    protocol: str
    called_aet: str
    ssl2: bool = False


@dataclass
class Conversation:
    """The connection `client` from `peer`, played by `part`. Nothing that the client does raises."""

    client: socket.socket
    peer: str
    part: Part
    deadlines: Deadlines
    exchange: str
    endpoint: str
    after_ms: float = 0.0
    keep_secrets: bool = False
    _segments: list[tuple[str, float, str]] = field(default_factory=list)
    _kept: int = 0
    _received: int = 0
    _truncated: bool = False
    _octets: int = 0
    _first: bytes = b""

    def __post_init__(self) -> None:
        self._at, self._start = datetime.now(UTC), time.perf_counter()
        self._notes = Notes()
        self._stack: ServerStack | None = None
        self._application: Application | None = None
        self._opening: Opening = "nothing"
        self._ended: Ended = "harness"
        self._detail = ""
        self._answered = False
        self._ssl2 = b""

    # -- the talk ------------------------------------------------------------------------------------------------

    def run(self) -> tuple[ClientConnection, Exchange]:
        """Play to the end; what the client did, and the evidence."""
        try:
            self.client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._talk()
        except TimeoutError:
            self._ended = "silence"
        except ConnectionError:
            self._ended = "reset"
        except OSError as problem:
            self._ended, self._detail = "reset", problem.strerror or str(problem)
        except Exception:
            LOGGER.exception("the listener failed at %s in trial %s", self.peer, self.part.trial)
            self._ended, self._detail = "harness", "the listener itself failed"
        self._settle()
        self._finish()
        return self._facts(), self._evidence()

    def _talk(self) -> None:
        data = self._receive()
        if not data:
            self._ended = "close"
            return
        if data[0] == 0x16:
            self._opening = "tls"
            self._serve(data)
        elif data[0] & 0x80 and not data[0] & 0x40:
            self._meet_ssl2(data)
        else:
            self._meet_plaintext(data)

    def _serve(self, data: bytes) -> None:
        stack = self._stack = ServerStack(self.part.server, self.part.script, self._notes)
        while data:
            stack.receive(data)
            self._hear(stack, stack.plaintext())
            self._send(stack.data_to_send())
            if stack.finished:
                return
            data = self._receive()
        self._ended = "close"

    def _hear(self, stack: ServerStack, data: bytes) -> None:
        """Take decrypted octets of the client and answer them, or end where a conforming client sends none."""
        if not data:
            return
        corrupting = self.part.script.corrupt == "application"
        # Where the answer to it is what fails, only what comes after that answer tells anything.
        if not corrupting or self._answered:
            self._note_application(data)
        if self._application is None:
            self._application = application_for(self.part.protocol, self.part.called_aet)
        if self.part.refuse and (self._answered or not corrupting):
            self._detail = self._detail or "the client sent application data, which ended the trial"
            stack.close()
            return
        if not stack.established:
            return
        answer = self._application.feed(data)
        if answer:
            stack.send_plaintext(answer)
            self._answered = True
        over = self._application.over and not corrupting  # what it makes of a broken answer has to be heard
        if over or (answer and self.part.script.bare_close):
            stack.close()

    def _note_application(self, data: bytes) -> None:
        self._octets += len(data)
        self._first = (self._first + data[:_FIRST])[:_FIRST]

    def _meet_ssl2(self, data: bytes) -> None:
        self._opening = "ssl2"
        wanted = 2 + (((data[0] & 0x7F) << 8) | data[1]) if len(data) > 1 else 2
        while len(data) < min(wanted, _CHUNK):
            more = self._receive()
            if not more:
                self._ended = "close"
                break
            data += more
            wanted = 2 + (((data[0] & 0x7F) << 8) | data[1])
        self._ssl2 = data
        self._notes.progress = "hello"
        if not self.part.ssl2:
            self._send(_PROTOCOL_VERSION_ALERT)
            return
        known = tuple(kind for kind in SSL2_CIPHER_KINDS if kind.to_bytes(3, "big") in data)
        leaf = self.part.server.shown.chain[0] if self.part.server.shown.chain else b""
        self._notes.version = 0x0002
        self._send(Ssl2ServerHello(known or (0x010080,), leaf, connection_id=bytes(range(16))).encode())
        if self._receive():
            self._notes.went_on()
        else:
            self._ended = "close"

    def _meet_plaintext(self, data: bytes) -> None:
        kind = kind_of(data, self.part.protocol)
        names: dict[Kind, Opening] = {"association": "dicom", "http": "http", "syslog": "syslog"}
        self._opening = names.get(kind, "other")
        self._note_application(data)
        self._detail = "the client spoke without TLS"

    # -- octets --------------------------------------------------------------------------------------------------

    def _elapsed(self) -> float:
        return time.perf_counter() - self._start

    def _receive(self) -> bytes:
        """The next octets; empty at the end of the stream. Raises OSError, TimeoutError at a bound."""
        left = min(self.deadlines.exchange, MAXIMUM_SECONDS - self._elapsed())
        if left <= 0:
            raise TimeoutError
        self.client.settimeout(left)
        data = self.client.recv(_CHUNK)
        self._received += len(data)
        if self._received > MAXIMUM_OCTETS:
            self._detail = f"more than {MAXIMUM_OCTETS} octets came"
            return b""
        self._keep("received", data)
        return data

    def _send(self, data: bytes) -> None:
        if data:
            self._keep("sent", data)
            self.client.settimeout(self.deadlines.exchange)
            self.client.sendall(data)

    def _keep(self, direction: str, data: bytes) -> None:
        room = self.deadlines.received_octets - self._kept
        self._truncated = self._truncated or len(data) > room
        data = data[: max(room, 0)]
        self._kept += len(data)
        if not data:
            return
        at = round(self._elapsed() * 1000, 3)
        if len(self._segments) >= _MAXIMUM_SEGMENTS and self._segments[-1][0] == direction:
            _direction, began, text = self._segments[-1]
            self._segments[-1] = (direction, began, text + data.hex())
        else:
            self._segments.append((direction, at, data.hex()))

    # -- the end -------------------------------------------------------------------------------------------------

    def _settle(self) -> None:
        """Who ended it: an alert of the client outranks what became of the connection after it."""
        notes = self._notes
        if notes.said is not None and notes.alert is None:
            self._ended = "harness"
        elif notes.alert is not None and (notes.alert.fatal or self._ended in {"harness", "close", "reset"}):
            self._ended = "alert"
        elif notes.close_notify:
            self._ended = "close_notify"
        if self.part.script.corrupt == "application" and notes.progress == "completed" and not self._answered:
            self._ended, self._detail = "harness", "the client asked for no answer that could have been spoiled"

    def _finish(self) -> None:
        """Close so that the last octets arrive; with a script that resets, without a word."""
        with suppress(OSError):
            if self.part.script.reset:
                self.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            elif self._ended in {"harness", "alert", "close_notify"}:
                self.client.shutdown(socket.SHUT_WR)
                self._drain()
        self.client.close()

    def _drain(self) -> None:
        deadline = time.perf_counter() + _LINGER
        waiter = select.poll()
        waiter.register(self.client, select.POLLIN)
        while (left := deadline - time.perf_counter()) > 0 and waiter.poll(left * 1000):
            data = self.client.recv(_CHUNK)
            if not data:
                return
            self._keep("received", data)

    # -- what is recorded -------------------------------------------------------------------------------------------

    def _facts(self) -> ClientConnection:
        notes, application = self._notes, self._application
        hellos = [hello_facts(record_version, message) for record_version, message in notes.hellos]
        hello = hellos[0] if hellos else (ssl2_hello_facts(self._ssl2) if self._ssl2 else None)
        shown = notes.certificates
        opened = self._opening == "tls" and hello is None
        return ClientConnection(
            exchange=self.exchange,
            peer=self.peer,
            after_ms=self.after_ms,
            opening="other" if opened and self._received else self._opening,
            hello=hello,
            second_hello=hellos[1] if len(hellos) > 1 else None,
            version=notes.version,
            suite=notes.suite,
            group=notes.group,
            progress=notes.progress,
            ended=self._ended,
            alert=notes.alert.description if notes.alert else None,
            fatal=notes.alert.fatal if notes.alert else None,
            certificates=None if shown is None else tuple(certificate_facts(d) for d in shown[:_MAXIMUM_CERTIFICATES]),
            scheme=notes.scheme,
            application_octets=self._octets,
            application_first=self._first.hex(),
            application=kind_of(self._first, self.part.protocol) if self._first else "",
            association_accepted=application.accepted if application else False,
            operations=tuple(application.operations) if application else (),
            dhe_public=notes.dhe_public.hex(),
            explicit_nonces=tuple(nonce.hex() for nonce in notes.explicit_nonces),
            detail=self._detail or notes.detail or (application.remark if application else ""),
        )

    def _evidence(self) -> Exchange:
        return Exchange(
            id=self.exchange,
            purpose=f"trial {self.part.trial}",
            endpoint=self.endpoint,
            started=self._at,
            duration_ms=round(self._elapsed() * 1000, 3),
            peer=self.peer,
            segments=tuple(self._segments),
            outcome=self._in_words(),
            decoded=tuple(self._notes.lines),
            secrets=tuple(self._notes.secrets) if self.keep_secrets else (),
            truncated=self._truncated,
        )

    def _in_words(self) -> str:
        notes = self._notes
        steps = {
            "nothing": "The client connected",
            "hello": "The client sent its hello",
            "went-on": "The client went on after the server's flight",
            "completed": "The handshake was completed",
        }
        text = steps[notes.progress]
        if notes.progress == "completed" and notes.version is not None and notes.suite is not None:
            text += f" ({version_name(notes.version)}, {suite(notes.suite).name})"
        if self._octets:
            text += f"; {self._octets} octets of application data came"
        if self._application is not None and self._application.operations:
            text += f" ({', '.join(self._application.operations[:3])})"
        ends = {
            "alert": f"the client ended it by the alert {alert_name(notes.alert.description) if notes.alert else ''}",
            "close_notify": "the client closed it",
            "close": "the client closed it without close_notify",
            "reset": "the connection was reset",
            "silence": "nothing more came",
            "harness": "the trial ended it",
        }
        return f"{text}; {ends[self._ended]}."
