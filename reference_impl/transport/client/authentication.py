"""Who is who: the server's proof that its key is its own, and the client's certificate and proof."""

from __future__ import annotations

import contextlib
import hashlib

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding

from reference_impl.transport.client.channel import ClientChannel
from reference_impl.transport.client.refusal import AlertDescription, RefusalError
from reference_impl.transport.client.settings import Check, Dread
from reference_impl.transport.front.settings import Identity
from reference_impl.transport.protection.signing import (
    PublicKey,
    choose_scheme,
    is_pss_only,
    is_signed,
    schemes_of,
    sign,
    signed_content,
)
from reference_impl.transport.wire import (
    TLS12,
    TLS13,
    CertificateEntry,
    CertificateMessage,
    CertificateRequest,
    CertificateVerify,
    HandshakeMessage,
    HandshakeType,
    vector,
)


def leaf_of(shown: tuple[bytes, ...]) -> x509.Certificate | None:
    """The server's own certificate, None where there is none that can be read."""
    with contextlib.suppress(ValueError, IndexError):
        return x509.load_der_x509_certificate(shown[0])
    return None


def key_of(leaf: x509.Certificate) -> PublicKey | None:
    """The certified key, None where it is of a kind that signs no handshake, or cannot be read."""
    with contextlib.suppress(ValueError, UnsupportedAlgorithm):
        key = leaf.public_key()
        return key if isinstance(key, PublicKey) else None
    return None


def check_kind(channel: ClientChannel, authentication: str) -> None:
    """In TLS 1.2 and less the suite says what kind of key authenticates (RFC 8422 2, RFC 5246 7.4.2)."""
    leaf = channel.peer_certificate
    key = None if leaf is None else key_of(leaf)
    if key is None or authentication not in {"RSA", "ECDSA"}:
        return
    if isinstance(key, rsa.RSAPublicKey) is not (authentication == "RSA"):
        raise RefusalError(AlertDescription.ILLEGAL_PARAMETER, "the server's key does not suit the suite")


def check_certificate_verify(channel: ClientChannel, verify: CertificateVerify, hash_name: str) -> None:
    """The server's CertificateVerify of TLS 1.3 over the transcript so far (RFC 8446 4.4.3)."""
    data = signed_content("server", hashlib.new(hash_name, channel.transcript).digest())
    check_signature(channel, verify.scheme, verify.signature, data)


def check_signature(channel: ClientChannel, scheme: int, signature: bytes, data: bytes) -> None:
    """A signature of the server's key: by a scheme that was offered, that suits the key, and good."""
    offered = scheme in channel.settings.schemes
    reason = f"signature scheme 0x{scheme:04X} was not offered"
    channel.heed(lambda: channel.require(Check.SCHEME, offered, AlertDescription.ILLEGAL_PARAMETER, reason))
    leaf = channel.peer_certificate
    if leaf is None:  # no certificate, or none that can be read, has been let pass
        return
    key, wrong = key_of(leaf), AlertDescription.DECRYPT_ERROR
    good = key is not None and is_signed(key, scheme, signature, data)
    reason = "the server's key did not sign the handshake"
    channel.heed(lambda: channel.require(Check.SERVER_SIGNATURE, good, wrong, reason))
    fits = channel.version < TLS13
    if not fits and key is not None:
        fits = scheme in schemes_of(key, TLS13, pss_only=is_pss_only(leaf))
    unfit = f"signature scheme 0x{scheme:04X} does not belong to TLS 1.3 and this key"
    channel.heed(lambda: channel.require(Check.SCHEME_OF_VERSION, fits, AlertDescription.ILLEGAL_PARAMETER, unfit))


def _usable(identity: Identity | None, version: int, request: CertificateRequest) -> int | None:
    """The scheme that our key signs with, None where there is nothing to show (RFC 8446 4.4.2)."""
    return None if identity is None else choose_scheme(identity.key, version, request.schemes)


def own_certificate(identity: Identity | None, version: int, request: CertificateRequest) -> bytes:
    """Our Certificate message, with an empty list where we have none that the server can use."""
    entries: tuple[CertificateEntry, ...] = ()
    if identity is not None and (version < TLS12 or _usable(identity, version, request) is not None):
        entries = tuple(CertificateEntry(one.public_bytes(Encoding.DER)) for one in identity.chain)
    return CertificateMessage(entries, request.request_context).encode(version)


def own_certificate_verify(
    identity: Identity | None, version: int, request: CertificateRequest, transcript: bytes, hash_name: str
) -> bytes:
    """Our CertificateVerify of TLS 1.2 or 1.3 over `transcript`; empty where no certificate was shown."""
    scheme = _usable(identity, version, request)
    if identity is None or scheme is None:
        return b""
    data = transcript
    if version >= TLS13:
        data = signed_content("client", hashlib.new(hash_name, transcript).digest())
    signature = sign(identity.key, scheme, data)
    body = scheme.to_bytes(2, "big") + vector(signature, 2)
    return HandshakeMessage(HandshakeType.CERTIFICATE_VERIFY, body).encode()


def check_request(channel: ClientChannel, request: CertificateRequest) -> None:
    """Any request is answered, with an empty list if need be; a client may be made to break off instead."""
    if not request.authorities and channel.settings.dreads(Dread.OPEN_REQUEST):
        raise RefusalError(AlertDescription.HANDSHAKE_FAILURE, "the request names no authorities")
