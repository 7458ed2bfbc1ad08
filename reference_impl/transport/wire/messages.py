"""The other messages of a server: certificates, key exchange, requests, tickets (RFC 5246 7.4, RFC 8446 4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from reference_impl.transport.wire.codes import TLS12, TLS13, ExtensionType, HandshakeType
from reference_impl.transport.wire.extensions import Extension, encode_extensions, find, parse_extensions
from reference_impl.transport.wire.octets import Reader, WireError, numbers, vector
from reference_impl.transport.wire.records import HandshakeMessage

MAX_CERTIFICATES = 64


class CertificateEntry(NamedTuple):
    """A certificate (DER) and, in TLS 1.3, its extensions."""

    der: bytes
    extensions: tuple[Extension, ...] = ()


@dataclass(frozen=True, slots=True)
class CertificateMessage:
    """A Certificate message, leaf first as sent."""

    entries: tuple[CertificateEntry, ...]
    request_context: bytes = b""

    @property
    def certificates(self) -> tuple[bytes, ...]:
        """The certificates (DER) as sent."""
        return tuple(entry.der for entry in self.entries)

    def encode(self, version: int = TLS12) -> bytes:
        """The handshake message with its header, in the form of `version`."""
        if version >= TLS13:
            listed = b"".join(vector(entry.der, 3) + encode_extensions(entry.extensions) for entry in self.entries)
            body = vector(self.request_context, 1) + vector(listed, 3)
        else:
            body = vector(b"".join(vector(entry.der, 3) for entry in self.entries), 3)
        return HandshakeMessage(HandshakeType.CERTIFICATE, body).encode()


def parse_certificate(body: bytes, version: int = TLS12) -> CertificateMessage:
    """A Certificate message of `version`; the certificates themselves are not looked into. Raises `WireError`."""
    reader = Reader(body, "Certificate")
    context = reader.vector(1, "certificate_request_context") if version >= TLS13 else b""
    listed = Reader(reader.vector(3, "certificate_list"), "Certificate")
    reader.end()
    entries: list[CertificateEntry] = []
    while listed.remaining:
        if len(entries) == MAX_CERTIFICATES:
            raise WireError(f"more than {MAX_CERTIFICATES} certificates", "Certificate")
        der = listed.vector(3, "certificate")
        extensions = parse_extensions(listed.vector(2, "extensions"), "Certificate") if version >= TLS13 else ()
        entries.append(CertificateEntry(der, extensions))
    return CertificateMessage(tuple(entries), context)


@dataclass(frozen=True, slots=True)
class ServerKeyExchange:
    """A ServerKeyExchange.

    ECDHE: `group` is the named curve, or None and `explicit_curve` describes an explicit one;
    `public_key` is the point.
    DHE: `prime`, `generator` and `public_key` as octets. `scheme` is the SignatureAndHashAlgorithm (None below
    TLS 1.2 and where nothing is signed); `parameters` are the octets that the signature covers after both randoms.
    """

    public_key: bytes
    group: int | None = None
    explicit_curve: str = ""
    prime: bytes = b""
    generator: bytes = b""
    scheme: int | None = None
    signature: bytes = b""
    parameters: bytes = b""
    psk_hint: bytes | None = None

    @property
    def prime_bits(self) -> int:
        """The length of the prime in bits, 0 for an elliptic curve."""
        return int.from_bytes(self.prime, "big").bit_length()


def _explicit_prime(reader: Reader) -> str:
    prime = reader.vector(1, "prime_p")
    for name in ("a", "b", "base", "order", "cofactor"):
        reader.vector(1, name)
    return f"{int.from_bytes(prime, 'big').bit_length()}-bit explicit prime curve"


def _explicit_char2(reader: Reader) -> str:
    degree = reader.number(2, "m")
    basis = reader.number(1, "basis")
    if basis not in {1, 2}:
        raise WireError(f"basis {basis}", "ServerKeyExchange")
    for name in ("k",) if basis == 1 else ("k1", "k2", "k3"):
        reader.vector(1, name)
    for name in ("a", "b", "base", "order", "cofactor"):
        reader.vector(1, name)
    return f"{degree}-bit explicit characteristic-2 curve"


def _ec_parameters(reader: Reader) -> tuple[int | None, str]:
    curve_type = reader.number(1, "curve_type")
    if curve_type == 3:
        return reader.number(2, "namedcurve"), ""
    if curve_type == 1:
        return None, _explicit_prime(reader)
    if curve_type == 2:
        return None, _explicit_char2(reader)
    raise WireError(f"curve type {curve_type}", "ServerKeyExchange")


def parse_server_key_exchange(
    body: bytes, key_exchange: str, authentication: str, version: int = TLS12
) -> ServerKeyExchange:
    """A ServerKeyExchange of a suite with this `key_exchange` and `authentication` (registry words).

    Raises `WireError`, also for a key exchange other than DHE, ECDHE and their anonymous forms.
    """
    reader = Reader(body, "ServerKeyExchange")
    hint = reader.vector(2, "psk_identity_hint") if authentication == "PSK" else None
    start = reader.position
    group, explicit, prime, generator = None, "", b"", b""
    if key_exchange in {"ECDHE", "ECDH_anon"}:
        group, explicit = _ec_parameters(reader)
        public = reader.vector(1, "public")
    elif key_exchange in {"DHE", "DH_anon"} or (key_exchange == "RSA" and authentication == "RSA"):
        prime = reader.vector(2, "dh_p")  # with export RSA: modulus and exponent, and no third number
        generator = reader.vector(2, "dh_g")
        public = b"" if key_exchange == "RSA" else reader.vector(2, "dh_Ys")
    else:
        raise WireError(f"key exchange {key_exchange} is not read", "ServerKeyExchange")
    parameters = body[start : reader.position]
    scheme, signature = None, b""
    if authentication not in {"anon", "PSK"}:
        scheme = reader.number(2, "SignatureAndHashAlgorithm") if version >= TLS12 else None
        signature = reader.vector(2, "signature")
    reader.end()
    return ServerKeyExchange(public, group, explicit, prime, generator, scheme, signature, parameters, hint)


def encode_server_key_exchange(exchange: ServerKeyExchange) -> bytes:
    """The handshake message of a DHE or named-curve ECDHE exchange, with its header."""
    if exchange.group is not None:
        parameters = b"\x03" + exchange.group.to_bytes(2, "big") + vector(exchange.public_key, 1)
    else:
        parameters = vector(exchange.prime, 2) + vector(exchange.generator, 2) + vector(exchange.public_key, 2)
    hint = b"" if exchange.psk_hint is None else vector(exchange.psk_hint, 2)
    scheme = b"" if exchange.scheme is None else exchange.scheme.to_bytes(2, "big")
    signed = scheme + vector(exchange.signature, 2) if exchange.signature or scheme else b""
    return HandshakeMessage(HandshakeType.SERVER_KEY_EXCHANGE, hint + parameters + signed).encode()


@dataclass(frozen=True, slots=True)
class CertificateRequest:
    """A CertificateRequest. `certificate_types` is empty in TLS 1.3; `authorities` are DER distinguished names."""

    certificate_types: tuple[int, ...] = ()
    schemes: tuple[int, ...] = ()
    authorities: tuple[bytes, ...] = ()
    request_context: bytes = b""
    extensions: tuple[Extension, ...] = ()

    def encode(self, version: int = TLS12) -> bytes:
        """The handshake message with its header (TLS 1.2 and below; in 1.3 `extensions` as they are)."""
        if version >= TLS13:
            body = vector(self.request_context, 1) + encode_extensions(self.extensions)
        else:
            schemes = numbers(self.schemes, 2, 2) if version >= TLS12 else b""
            names = vector(b"".join(vector(name, 2) for name in self.authorities), 2)
            body = numbers(self.certificate_types, 1, 1) + schemes + names
        return HandshakeMessage(HandshakeType.CERTIFICATE_REQUEST, body).encode()


def _authorities(data: bytes) -> tuple[bytes, ...]:
    reader = Reader(data, "certificate_authorities")
    names: list[bytes] = []
    while reader.remaining:
        names.append(reader.vector(2, "name"))
    return tuple(names)


def parse_certificate_request(body: bytes, version: int = TLS12) -> CertificateRequest:
    """A CertificateRequest of `version`. Raises `WireError`."""
    reader = Reader(body, "CertificateRequest")
    if version >= TLS13:
        context = reader.vector(1, "certificate_request_context")
        extensions = parse_extensions(reader.vector(2, "extensions"), "CertificateRequest")
        reader.end()
        listed = find(extensions, ExtensionType.SIGNATURE_ALGORITHMS)
        schemes = Reader(listed, "signature_algorithms").numbers(2, 2, "schemes") if listed is not None else ()
        named = find(extensions, ExtensionType.CERTIFICATE_AUTHORITIES)
        authorities = _authorities(Reader(named, "certificate_authorities").vector(2, "names")) if named else ()
        return CertificateRequest((), schemes, authorities, context, extensions)
    types = tuple(reader.vector(1, "certificate_types"))
    schemes = reader.numbers(2, 2, "supported_signature_algorithms") if version >= TLS12 else ()
    authorities = _authorities(reader.vector(2, "certificate_authorities"))
    reader.end()
    return CertificateRequest(types, schemes, authorities)


@dataclass(frozen=True, slots=True)
class NewSessionTicket:
    """A NewSessionTicket: `lifetime` (hint) in seconds; `age_add`, `nonce` and `extensions` only in TLS 1.3."""

    lifetime: int
    ticket: bytes
    age_add: int | None = None
    nonce: bytes = b""
    extensions: tuple[Extension, ...] = ()

    @property
    def max_early_data(self) -> int | None:
        """max_early_data_size of the early_data extension, None without one."""
        data = find(self.extensions, ExtensionType.EARLY_DATA)
        return int.from_bytes(data, "big") if data is not None and len(data) == 4 else None

    def encode(self, version: int = TLS12) -> bytes:
        """The handshake message with its header."""
        body = self.lifetime.to_bytes(4, "big")
        if version >= TLS13:
            body += (self.age_add or 0).to_bytes(4, "big") + vector(self.nonce, 1)
        body += vector(self.ticket, 2)
        if version >= TLS13:
            body += encode_extensions(self.extensions)
        return HandshakeMessage(HandshakeType.NEW_SESSION_TICKET, body).encode()


def parse_new_session_ticket(body: bytes, version: int = TLS12) -> NewSessionTicket:
    """A NewSessionTicket of `version`. Raises `WireError`."""
    reader = Reader(body, "NewSessionTicket")
    lifetime = reader.number(4, "lifetime")
    if version < TLS13:
        ticket = reader.vector(2, "ticket")
        reader.end()
        return NewSessionTicket(lifetime, ticket)
    age_add = reader.number(4, "age_add")
    nonce = reader.vector(1, "nonce")
    ticket = reader.vector(2, "ticket")
    extensions = parse_extensions(reader.vector(2, "extensions"), "NewSessionTicket")
    reader.end()
    return NewSessionTicket(lifetime, ticket, age_add, nonce, extensions)


class CertificateStatus(NamedTuple):
    """A CertificateStatus: `status_type` 1 is OCSP; `response` is DER, not looked into."""

    status_type: int
    response: bytes

    def encode(self) -> bytes:
        """The handshake message with its header."""
        return HandshakeMessage(HandshakeType.CERTIFICATE_STATUS, self.encode_body()).encode()

    def encode_body(self) -> bytes:
        """The structure alone, as TLS 1.3 puts it into an extension of the leaf."""
        return bytes((self.status_type,)) + vector(self.response, 3)


def parse_certificate_status(body: bytes) -> CertificateStatus:
    """A CertificateStatus, from the message body or the TLS 1.3 extension. Raises `WireError`."""
    reader = Reader(body, "CertificateStatus")
    status = CertificateStatus(reader.number(1, "status_type"), reader.vector(3, "response"))
    reader.end()
    return status


class CertificateVerify(NamedTuple):
    """A CertificateVerify of TLS 1.2 and 1.3."""

    scheme: int
    signature: bytes


def parse_certificate_verify(body: bytes) -> CertificateVerify:
    """A CertificateVerify (TLS 1.2, 1.3). Raises `WireError`."""
    reader = Reader(body, "CertificateVerify")
    verify = CertificateVerify(reader.number(2, "algorithm"), reader.vector(2, "signature"))
    reader.end()
    return verify


def parse_encrypted_extensions(body: bytes) -> tuple[Extension, ...]:
    """The extensions of an EncryptedExtensions message. Raises `WireError`."""
    reader = Reader(body, "EncryptedExtensions")
    extensions = parse_extensions(reader.vector(2, "extensions"), "EncryptedExtensions")
    reader.end()
    return extensions


SERVER_HELLO_DONE = HandshakeMessage(HandshakeType.SERVER_HELLO_DONE, b"").encode()
"""ServerHelloDone with its header."""
