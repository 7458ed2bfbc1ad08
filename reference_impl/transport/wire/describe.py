"""What a stream of TLS octets says, in lines for a reader: the evidence behind a verdict."""

from __future__ import annotations

from collections.abc import Iterable

from reference_impl.transport import registry
from reference_impl.transport.wire import extensions as ext
from reference_impl.transport.wire import messages, ssl2
from reference_impl.transport.wire.codes import TLS12, TLS13, ContentType, ExtensionType, HandshakeType
from reference_impl.transport.wire.hello import ClientHello, parse_client_hello, parse_server_hello
from reference_impl.transport.wire.octets import WireError
from reference_impl.transport.wire.records import HandshakeMessage, HandshakeReader, Record, RecordReader, parse_alert

_HANDSHAKE_NAMES = {code.value: code.name.lower() for code in HandshakeType}
_CONTENT_NAMES = {code.value: code.name.lower() for code in ContentType}
_SHOWN = 24  # octets of hex that a line shows of opaque data


class _Stream:
    """Decodes one direction; remembers what later messages depend on (version, suite, protection)."""

    def __init__(self, suite: int | None, version: int) -> None:
        self.handshake = HandshakeReader()
        self.suite = suite
        self.version = version
        self.protected = False

    def record(self, record: Record) -> Iterable[str]:
        name = _CONTENT_NAMES.get(record.content_type, str(record.content_type))
        yield f"record {name}, version {{03,{record.version & 0xFF:02X}}}, {len(record.payload)} octets"
        if self.protected and record.content_type != ContentType.CHANGE_CIPHER_SPEC:
            yield "  protected"
        elif record.content_type == ContentType.HANDSHAKE:
            for message in self.handshake.feed(record.payload):
                yield from self.message(message)
        elif record.content_type == ContentType.ALERT:
            alert = parse_alert(record.payload)
            yield f"  alert {'fatal' if alert.fatal else 'warning'} {registry.alert_name(alert.description)}"
        elif record.content_type == ContentType.CHANGE_CIPHER_SPEC:
            self.protected = self.version < TLS13
        elif record.content_type == ContentType.APPLICATION_DATA:
            yield f"  {_hex(record.payload)}"

    def message(self, message: HandshakeMessage) -> Iterable[str]:
        yield f"  handshake {_HANDSHAKE_NAMES.get(message.type, message.type)}, {len(message.body)} octets"
        yield from (f"    {line}" for line in self._fields(message))

    def _fields(self, message: HandshakeMessage) -> Iterable[str]:
        match message.type:
            case HandshakeType.CLIENT_HELLO:
                return _client_hello(parse_client_hello(message.body))
            case HandshakeType.SERVER_HELLO:
                return self._server_hello(message.body)
            case HandshakeType.CERTIFICATE:
                parsed = messages.parse_certificate(message.body, self.version)
                return [f"certificate of {len(der)} octets" for der in parsed.certificates]
            case HandshakeType.SERVER_KEY_EXCHANGE:
                return self._key_exchange(message.body)
            case HandshakeType.CERTIFICATE_REQUEST:
                return _request(messages.parse_certificate_request(message.body, self.version))
            case HandshakeType.CERTIFICATE_STATUS:
                status = messages.parse_certificate_status(message.body)
                return [f"status type {status.status_type}, response of {len(status.response)} octets"]
            case HandshakeType.NEW_SESSION_TICKET:
                ticket = messages.parse_new_session_ticket(message.body, self.version)
                return [f"lifetime {ticket.lifetime} s, ticket of {len(ticket.ticket)} octets"]
        return []

    def _server_hello(self, body: bytes) -> list[str]:
        hello = parse_server_hello(body)
        self.suite, self.version = hello.cipher_suite, hello.version
        lines = ["HelloRetryRequest"] if hello.is_hello_retry_request else []
        lines += [
            f"version {registry.version_name(hello.version)} (server_version 0x{hello.legacy_version:04X})",
            f"random {hello.random.hex()}",
            f"session_id {_hex(hello.session_id)}",
            f"cipher suite {_suite(hello.cipher_suite)}",
            f"compression method {hello.compression_method}",
        ]
        return lines + [_extension(extension, from_server=True) for extension in hello.extensions or ()]

    def _key_exchange(self, body: bytes) -> list[str]:
        suite = registry.suite(self.suite if self.suite is not None else 0xFFFF)
        exchange = messages.parse_server_key_exchange(body, suite.key_exchange, suite.authentication, self.version)
        lines = []
        if exchange.group is not None:
            lines.append(f"group {_group(exchange.group)}")
        if exchange.explicit_curve:
            lines.append(exchange.explicit_curve)
        if exchange.prime:
            lines.append(f"prime of {exchange.prime_bits} bits, generator {_hex(exchange.generator)}")
        lines.append(f"public key {_hex(exchange.public_key)}")
        if exchange.scheme is not None:
            lines.append(f"signed with {_scheme(exchange.scheme)}")
        return lines


def describe(data: bytes, *, suite: int | None = None, version: int = TLS12, max_lines: int = 2000) -> list[str]:
    """One direction of a connection in readable lines; never raises, whatever the octets are.

    `suite` and `version` are those negotiated, where this direction does not say so itself. What breaks the format
    is said in the line where the decoding ends.
    """
    lines: list[str] = []
    try:
        for line in _lines(data, suite, version):
            lines.append(line)
            if len(lines) >= max_lines:
                return [*lines, "more lines than are shown"]
    except WireError as error:
        lines.append(f"not decodable: {error}")
    return lines


def _lines(data: bytes, suite: int | None, version: int) -> Iterable[str]:
    if data[:1] and data[0] & 0x80:
        yield from _ssl2(data)
        return
    if data[:1] and data[0] not in _CONTENT_NAMES:
        yield f"not TLS: {_hex(data)} {data[:_SHOWN].decode('ascii', 'replace')!r}"
        return
    reader = RecordReader()
    stream = _Stream(suite, version)
    for record in reader.feed(data):
        yield from stream.record(record)
    if reader.broken:
        raise reader.broken
    if reader.pending:
        yield f"{reader.pending} octets of an unfinished record"
    if stream.handshake.pending:
        yield f"{stream.handshake.pending} octets of an unfinished handshake message"


def _ssl2(data: bytes) -> Iterable[str]:
    body = ssl2.ssl2_record(data)
    if body is None:
        yield f"{len(data)} octets of an unfinished SSL 2.0 record"
        return
    yield f"SSL 2.0 record, {len(body)} octets"
    if body[:1] == bytes((ssl2.CLIENT_HELLO,)):
        kinds = ssl2.parse_ssl2_client_hello(body).cipher_kinds
        yield "  CLIENT-HELLO"
    else:
        hello = ssl2.parse_ssl2_server_hello(body)
        kinds = hello.cipher_kinds
        yield f"  SERVER-HELLO, certificate of {len(hello.certificate)} octets"
    for code in kinds:
        known = registry.SSL2_CIPHER_KINDS.get(code)
        yield f"    {known.name if known else f'cipher kind 0x{code:06X}'}"


def _client_hello(hello: ClientHello) -> list[str]:
    lines = [
        f"client_version 0x{hello.client_version:04X}",
        f"random {hello.random.hex()}",
        f"session_id {_hex(hello.session_id)}",
        f"cipher suites ({len(hello.cipher_suites)}): " + _listed(_suite(code) for code in hello.cipher_suites),
        f"compression methods {list(hello.compression_methods)}",
    ]
    if hello.extensions is None:
        lines.append("no extension block")
    return lines + [_extension(extension, from_server=False) for extension in hello.extensions or ()]


def _request(request: messages.CertificateRequest) -> list[str]:
    return [
        f"certificate types {list(request.certificate_types)}",
        "signature schemes " + _listed(_scheme(code) for code in request.schemes),
        f"{len(request.authorities)} certificate authorities",
    ]


def _extension(extension: ext.Extension, *, from_server: bool) -> str:
    name = registry.EXTENSIONS.get(extension.type)
    if name is None:
        name = f"unknown 0x{extension.type:04X}" + (" (GREASE)" if extension.type in registry.GREASE else "")
    try:
        value = _server_value(extension) if from_server else _client_value(extension)
    except WireError as error:
        value = f"not decodable: {error}"
    return f"extension {name}: {value or _hex(extension.data)}"


def _server_value(extension: ext.Extension) -> str:
    data = extension.data
    match extension.type:
        case ExtensionType.SUPPORTED_VERSIONS if len(data) == 2:
            return registry.version_name(int.from_bytes(data, "big"))
        case ExtensionType.KEY_SHARE if len(data) >= 2:
            return _group(int.from_bytes(data[:2], "big")) + f", {max(len(data) - 4, 0)} octets of key"
        case ExtensionType.ALPN:
            return ", ".join(ext.parse_alpn(data))
    return ""


def _client_value(extension: ext.Extension) -> str:
    data = extension.data
    match extension.type:
        case ExtensionType.SUPPORTED_VERSIONS:
            codes = ext.parse_numbers(data, 1, 2, "supported_versions")
            return _listed(registry.version_name(code) for code in codes)
        case ExtensionType.SUPPORTED_GROUPS:
            return _listed(_group(code) for code in ext.parse_numbers(data, 2, 2, "supported_groups"))
        case ExtensionType.SIGNATURE_ALGORITHMS | ExtensionType.SIGNATURE_ALGORITHMS_CERT:
            return _listed(_scheme(code) for code in ext.parse_numbers(data, 2, 2, "signature_algorithms"))
        case ExtensionType.KEY_SHARE:
            return _listed(_group(share.group) for share in ext.parse_client_key_shares(data)) or "no share"
        case ExtensionType.SERVER_NAME:
            return ext.parse_server_name(data)
        case ExtensionType.ALPN:
            return _listed(ext.parse_alpn(data))
    return ""


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)


def _suite(code: int) -> str:
    return f"0x{code:04X} {registry.suite(code).name}"


def _group(code: int) -> str:
    return registry.group(code).name


def _scheme(code: int) -> str:
    return registry.signature_scheme(code).name


def _hex(data: bytes) -> str:
    shown = data[:_SHOWN].hex(" ")
    return f"{shown} ... ({len(data)} octets)" if len(data) > _SHOWN else shown
