"""Hello extensions: builders for what a hello offers and readers for what it answers."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import NamedTuple

from reference_impl.transport.wire.codes import ExtensionType
from reference_impl.transport.wire.octets import Reader, numbers, vector


class Extension(NamedTuple):
    """One extension as it stands on the wire."""

    type: int
    data: bytes

    def encode(self) -> bytes:
        """Type, length and data."""
        return self.type.to_bytes(2, "big") + vector(self.data, 2)


class KeyShare(NamedTuple):
    """A key share: IANA group and the public key in the group's encoding."""

    group: int
    key_exchange: bytes


def encode_extensions(extensions: Sequence[Extension]) -> bytes:
    """The extension block with its length."""
    return vector(b"".join(extension.encode() for extension in extensions), 2)


def parse_extensions(data: bytes, where: str, limit: int = 256) -> tuple[Extension, ...]:
    """The extensions in `data` (without the length of the block). Raises `WireError`."""
    reader = Reader(data, f"extensions of {where}")
    found: list[Extension] = []
    while reader.remaining and len(found) < limit:
        found.append(Extension(reader.number(2, "type"), reader.vector(2, "data")))
    reader.end()
    return tuple(found)


def find(extensions: Sequence[Extension], extension_type: int) -> bytes | None:
    """The data of the first extension of that type, None if there is none."""
    return next((extension.data for extension in extensions if extension.type == extension_type), None)


def server_name(name: str) -> Extension | None:
    """server_name (RFC 6066 3); None for an IP address or a name without characters, which it cannot carry."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        pass
    else:
        return None
    try:
        host = name.rstrip(".").encode("ascii") if name.isascii() else name.rstrip(".").encode("idna")
    except UnicodeError:
        return None
    if not host:
        return None
    return Extension(ExtensionType.SERVER_NAME, vector(b"\x00" + vector(host, 2), 2))


def supported_groups(groups: Sequence[int]) -> Extension:
    """supported_groups (RFC 8446 4.2.7, RFC 8422 5.1.1)."""
    return Extension(ExtensionType.SUPPORTED_GROUPS, numbers(groups, 2, 2))


def ec_point_formats(formats: Sequence[int] = (0,)) -> Extension:
    """ec_point_formats (RFC 8422 5.1.2)."""
    return Extension(ExtensionType.EC_POINT_FORMATS, numbers(formats, 1, 1))


def signature_algorithms(schemes: Sequence[int]) -> Extension:
    """signature_algorithms (RFC 8446 4.2.3)."""
    return Extension(ExtensionType.SIGNATURE_ALGORITHMS, numbers(schemes, 2, 2))


def signature_algorithms_cert(schemes: Sequence[int]) -> Extension:
    """signature_algorithms_cert (RFC 8446 4.2.3)."""
    return Extension(ExtensionType.SIGNATURE_ALGORITHMS_CERT, numbers(schemes, 2, 2))


def supported_versions(versions: Sequence[int]) -> Extension:
    """supported_versions of a ClientHello (RFC 8446 4.2.1)."""
    return Extension(ExtensionType.SUPPORTED_VERSIONS, numbers(versions, 2, 1))


def selected_version(version: int) -> Extension:
    """supported_versions of a ServerHello."""
    return Extension(ExtensionType.SUPPORTED_VERSIONS, version.to_bytes(2, "big"))


def key_share(shares: Sequence[KeyShare]) -> Extension:
    """key_share of a ClientHello (RFC 8446 4.2.8); without shares the server has to ask by a HelloRetryRequest."""
    entries = b"".join(share.group.to_bytes(2, "big") + vector(share.key_exchange, 2) for share in shares)
    return Extension(ExtensionType.KEY_SHARE, vector(entries, 2))


def server_key_share(share: KeyShare) -> Extension:
    """key_share of a ServerHello."""
    return Extension(ExtensionType.KEY_SHARE, share.group.to_bytes(2, "big") + vector(share.key_exchange, 2))


def retry_key_share(group: int) -> Extension:
    """key_share of a HelloRetryRequest."""
    return Extension(ExtensionType.KEY_SHARE, group.to_bytes(2, "big"))


def psk_key_exchange_modes(modes: Sequence[int] = (1,)) -> Extension:
    """psk_key_exchange_modes (RFC 8446 4.2.9): 0 psk_ke, 1 psk_dhe_ke."""
    return Extension(ExtensionType.PSK_KEY_EXCHANGE_MODES, numbers(modes, 1, 1))


def alpn(protocols: Sequence[str]) -> Extension:
    """application_layer_protocol_negotiation (RFC 7301)."""
    names = b"".join(vector(protocol.encode("ascii"), 1) for protocol in protocols)
    return Extension(ExtensionType.ALPN, vector(names, 2))


def status_request() -> Extension:
    """status_request for OCSP without responder identities (RFC 6066 8)."""
    return Extension(ExtensionType.STATUS_REQUEST, b"\x01\x00\x00\x00\x00")


def extended_master_secret() -> Extension:
    """extended_master_secret (RFC 7627)."""
    return Extension(ExtensionType.EXTENDED_MASTER_SECRET, b"")


def encrypt_then_mac() -> Extension:
    """encrypt_then_mac (RFC 7366)."""
    return Extension(ExtensionType.ENCRYPT_THEN_MAC, b"")


def renegotiation_info(verify_data: bytes = b"") -> Extension:
    """renegotiation_info (RFC 5746); empty in an initial handshake."""
    return Extension(ExtensionType.RENEGOTIATION_INFO, vector(verify_data, 1))


def session_ticket(ticket: bytes = b"") -> Extension:
    """session_ticket (RFC 5077)."""
    return Extension(ExtensionType.SESSION_TICKET, ticket)


def truncated_hmac() -> Extension:
    """truncated_hmac (RFC 6066 7)."""
    return Extension(ExtensionType.TRUNCATED_HMAC, b"")


def heartbeat(mode: int = 2) -> Extension:
    """Heartbeat (RFC 6520): mode 2, the peer is not to send requests."""
    return Extension(ExtensionType.HEARTBEAT, bytes((mode,)))


def max_fragment_length(code: int = 4) -> Extension:
    """max_fragment_length (RFC 6066 4): 1 to 4 for 512 to 4096 octets."""
    return Extension(ExtensionType.MAX_FRAGMENT_LENGTH, bytes((code,)))


def padding(octets: int) -> Extension:
    """Padding (RFC 7685)."""
    return Extension(ExtensionType.PADDING, bytes(octets))


def early_data() -> Extension:
    """early_data of a ClientHello (RFC 8446 4.2.10)."""
    return Extension(ExtensionType.EARLY_DATA, b"")


def cookie(value: bytes) -> Extension:
    """Cookie, given back after a HelloRetryRequest (RFC 8446 4.2.2)."""
    return Extension(ExtensionType.COOKIE, vector(value, 2))


def parse_alpn(data: bytes) -> tuple[str, ...]:
    """Protocol names of an ALPN extension, unprintable octets escaped. Raises `WireError`."""
    outer = Reader(data, "ALPN")
    names = Reader(outer.vector(2, "protocols"), "ALPN")
    outer.end()
    found: list[str] = []
    while names.remaining:
        found.append(names.vector(1, "protocol").decode("ascii", "backslashreplace"))
    return tuple(found)


def parse_client_key_shares(data: bytes) -> tuple[KeyShare, ...]:
    """Key shares of a ClientHello. Raises `WireError`."""
    outer = Reader(data, "key_share")
    entries = Reader(outer.vector(2, "shares"), "key_share")
    outer.end()
    found: list[KeyShare] = []
    while entries.remaining:
        found.append(KeyShare(entries.number(2, "group"), entries.vector(2, "key")))
    return tuple(found)


def parse_numbers(data: bytes, length_octets: int, item_octets: int, where: str) -> tuple[int, ...]:
    """A vector of numbers that fills the extension `where`. Raises `WireError`."""
    reader = Reader(data, where)
    found = reader.numbers(length_octets, item_octets, "list")
    reader.end()
    return found


def parse_server_name(data: bytes) -> str:
    """The host name of a client's server_name, unprintable octets escaped; "" if none. Raises `WireError`."""
    outer = Reader(data, "server_name")
    names = Reader(outer.vector(2, "names"), "server_name")
    outer.end()
    while names.remaining:
        kind = names.number(1, "type")
        name = names.vector(2, "name")
        if kind == 0:
            return name.decode("ascii", "backslashreplace")
    return ""
