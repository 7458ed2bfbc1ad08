"""A ClientHello as facts: everything that it offers, in its own order; never raises, whatever the octets are."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from harness.listeners.transport.ja4 import ja4
from harness.observations.clients import ClientHelloFacts
from reference_impl.transport.registry import EMPTY_RENEGOTIATION_INFO_SCSV, FALLBACK_SCSV
from reference_impl.transport.wire import (
    ClientHello,
    ExtensionType,
    HandshakeType,
    Reader,
    WireError,
    parse_client_hello,
    parse_ssl2_client_hello,
    ssl2_record,
)
from reference_impl.transport.wire import extensions as ext

_MAXIMUM_LIST = 2048
_MAXIMUM_TEXT = 256
_HEADER = 4

ValueT = TypeVar("ValueT")


def hello_facts(record_version: int, message: bytes) -> ClientHelloFacts | None:
    """Facts of the handshake message `message` (with its header); None where it is no readable ClientHello."""
    if len(message) < _HEADER or message[0] != HandshakeType.CLIENT_HELLO:
        return None
    try:
        hello = parse_client_hello(message[_HEADER:])
    except WireError:
        return None
    types = tuple(extension.type for extension in hello.extensions or ())
    versions = _numbers(hello, ExtensionType.SUPPORTED_VERSIONS, 1, 2) or ()
    schemes = _numbers(hello, ExtensionType.SIGNATURE_ALGORITHMS, 2, 2)
    names = _read(hello, ExtensionType.ALPN, _alpn)
    return ClientHelloFacts(
        record_version=record_version,
        version=hello.client_version,
        supported_versions=versions,
        suites=hello.cipher_suites[:_MAXIMUM_LIST],
        compression_methods=hello.compression_methods,
        extensions=types,
        groups=_numbers(hello, ExtensionType.SUPPORTED_GROUPS, 2, 2),
        key_shares=_read(hello, ExtensionType.KEY_SHARE, _shares),
        schemes=schemes,
        certificate_schemes=_numbers(hello, ExtensionType.SIGNATURE_ALGORITHMS_CERT, 2, 2),
        point_formats=_numbers(hello, ExtensionType.EC_POINT_FORMATS, 1, 1),
        server_name=_read(hello, ExtensionType.SERVER_NAME, lambda data: ext.parse_server_name(data)[:_MAXIMUM_TEXT]),
        alpn=tuple(name.decode("ascii", "backslashreplace") for name in names) if names is not None else None,
        psk_modes=_numbers(hello, ExtensionType.PSK_KEY_EXCHANGE_MODES, 1, 1),
        renegotiation_info=ExtensionType.RENEGOTIATION_INFO in types,
        renegotiation_scsv=EMPTY_RENEGOTIATION_INFO_SCSV in hello.cipher_suites,
        fallback_scsv=FALLBACK_SCSV in hello.cipher_suites,
        session_id_octets=len(hello.session_id),
        length=len(message),
        ja4=ja4(
            hello.client_version,
            versions,
            hello.cipher_suites,
            types,
            schemes=schemes or (),
            first_protocol=names[0] if names else b"",
        ),
    )


def ssl2_hello_facts(data: bytes) -> ClientHelloFacts | None:
    """Facts of a CLIENT-HELLO in the format of SSL 2.0 (with its record header); None where it is not readable.

    `suites` are the TLS suites among its cipher kinds; those of SSL 2.0 itself have no code point there.
    """
    try:
        body = ssl2_record(data)
        hello = parse_ssl2_client_hello(body) if body is not None else None
    except WireError:
        return None
    if hello is None or body is None:
        return None
    suites = tuple(kind for kind in hello.cipher_kinds if kind <= 0xFFFF)[:_MAXIMUM_LIST]
    return ClientHelloFacts(
        record_version=0x0002,
        version=hello.version,
        suites=suites,
        renegotiation_scsv=EMPTY_RENEGOTIATION_INFO_SCSV in suites,
        fallback_scsv=FALLBACK_SCSV in suites,
        session_id_octets=len(hello.session_id),
        length=len(body),
        ssl2_format=True,
        ja4=ja4(hello.version, (), suites, ()),
    )


def _read(hello: ClientHello, extension: int, read: Callable[[bytes], ValueT]) -> ValueT | None:
    """What `read` makes of the extension; None where it is absent or not well-formed."""
    data = hello.extension(extension)
    if data is None:
        return None
    try:
        return read(data)
    except WireError:
        return None


def _numbers(hello: ClientHello, extension: int, length_octets: int, item_octets: int) -> tuple[int, ...] | None:
    return _read(
        hello, extension, lambda data: ext.parse_numbers(data, length_octets, item_octets, "list")[:_MAXIMUM_LIST]
    )


def _shares(data: bytes) -> tuple[int, ...]:
    return tuple(share.group for share in ext.parse_client_key_shares(data))[:_MAXIMUM_LIST]


def _alpn(data: bytes) -> tuple[bytes, ...]:
    outer = Reader(data, "ALPN")
    names = Reader(outer.vector(2, "protocols"), "ALPN")
    outer.end()
    found: list[bytes] = []
    while names.remaining and len(found) < _MAXIMUM_LIST:
        found.append(names.vector(1, "protocol"))
    return tuple(found)
