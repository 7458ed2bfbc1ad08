"""Server flights made to measure: signed where the suite wants it, and good but for the deviation asked for."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dh, ec, padding, rsa, x448, x25519
from tlslite.mathtls import RFC2409_GROUP2, RFC7919_GROUPS

from reference_impl.transport import registry
from reference_impl.transport.front import FrontSettings, Hello, Identity, ScriptedChannel, alert_record, parse_hello
from reference_impl.transport.front.settings import TLS_1_2, TLS_1_3
from reference_impl.transport.wire import (
    DOWNGRADE_TLS11,
    DOWNGRADE_TLS12,
    HELLO_RETRY_RANDOM,
    SERVER_HELLO_DONE,
    CertificateEntry,
    CertificateMessage,
    CertificateStatus,
    ContentType,
    Extension,
    ExtensionType,
    KeyShare,
    ServerHello,
    ServerKeyExchange,
    encode_records,
    encode_server_key_exchange,
    extensions,
    vector,
)

HANDSHAKE_FAILURE, BAD_RECORD_MAC = 40, 20
P_256, X25519, X448 = 0x0017, 0x001D, 0x001E
_CURVES: dict[int, ec.EllipticCurve] = {
    0x0013: ec.SECP192R1(),
    0x0015: ec.SECP224R1(),
    0x0017: ec.SECP256R1(),
    0x0018: ec.SECP384R1(),
    0x0019: ec.SECP521R1(),
}
_RSA_PKCS1_SHA256, _RSA_PSS_SHA256, _ECDSA_SHA256 = 0x0401, 0x0804, 0x0403
_HASH_BY_SCHEME: dict[int, hashes.HashAlgorithm] = {
    0x01: hashes.MD5(),  # noqa: S303 - deviations sign with it
    0x02: hashes.SHA1(),  # noqa: S303
    0x03: hashes.SHA224(),
    0x04: hashes.SHA256(),
    0x05: hashes.SHA384(),
}

Exchange = Callable[[], ServerKeyExchange]
"""Makes the unsigned parameters of a ServerKeyExchange."""


@lru_cache(maxsize=16)
def _kept_ec_key(group: int) -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(_CURVES[group])


def ecdhe(group: int = P_256, *, reused: bool = False) -> Exchange:
    """Return a maker of ephemeral ECDH parameters on `group`; with `reused` (NIST curves) always the same key."""

    def make() -> ServerKeyExchange:
        if group in (X25519, X448):
            fresh = x25519.X25519PrivateKey.generate() if group == X25519 else x448.X448PrivateKey.generate()
            return ServerKeyExchange(fresh.public_key().public_bytes_raw(), group=group)
        key = _kept_ec_key(group) if reused else ec.generate_private_key(_CURVES[group])
        point = key.public_key().public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
        return ServerKeyExchange(point, group=group)

    return make


@lru_cache(maxsize=4)
def _dh_parameters(bits: int) -> dh.DHParameters:
    generator, prime = {1024: RFC2409_GROUP2, 2048: RFC7919_GROUPS[0]}[bits]
    return dh.DHParameterNumbers(int(prime), int(generator)).parameters()


@lru_cache(maxsize=4)
def _kept_dh_key(bits: int) -> dh.DHPrivateKey:
    return _dh_parameters(bits).generate_private_key()


def dhe(bits: int = 2048, *, reused: bool = False) -> Exchange:
    """Return a maker of finite-field parameters of 1024 or 2048 `bits`; with `reused` always the same key."""

    def make() -> ServerKeyExchange:
        key = _kept_dh_key(bits) if reused else _dh_parameters(bits).generate_private_key()
        numbers = key.public_key().public_numbers()
        group = numbers.parameter_numbers
        width = bits // 8
        return ServerKeyExchange(
            numbers.y.to_bytes(width, "big"), prime=group.p.to_bytes(width, "big"), generator=bytes([group.g])
        )

    return make


@dataclass(frozen=True)
class Flight:
    """A server's first flight of TLS 1.2 or less. The defaults are what a good server would say.

    `exchange` None takes what the suite calls for; `scheme` None the best that the client offers; `without` names
    extensions that are not answered, `extra` such as are answered though a good server would not.
    """

    suite: int
    version: int = TLS_1_2
    exchange: Exchange | None = None
    scheme: int | None = None
    compression: int = 0
    without: frozenset[int] = frozenset()
    extra: tuple[Extension, ...] = ()
    farewell: int = HANDSHAKE_FAILURE

    def channel(self, hello: Hello, settings: FrontSettings) -> ScriptedChannel:
        """Return the player that answers `hello` with the flight, then whatever comes with a fatal alert."""
        if self.exchange is None and registry.suite(self.suite).key_exchange == "ECDHE" and _usual_group(hello) is None:
            return ScriptedChannel((alert_record(HANDSHAKE_FAILURE, version=self.version),))
        return ScriptedChannel((self.records(hello, settings), alert_record(self.farewell, version=self.version)))

    def records(self, hello: Hello, settings: FrontSettings) -> bytes:
        """Return the flight in records."""
        suite = registry.suite(self.suite)
        identity = choose_identity(suite.authentication, settings)
        random = self._random(settings)
        answered = self._extensions(hello)
        named = bool(identity) and suite.authentication not in {"anon", "NULL"}
        stapled = named and bool(identity.ocsp_response) and ExtensionType.STATUS_REQUEST in hello.extensions
        if stapled:
            answered += (Extension(ExtensionType.STATUS_REQUEST, b""),)
        said = ServerHello(
            self.version, random, os.urandom(32), self.suite, self.compression, answered or None
        ).encode()
        if named:
            said += CertificateMessage(tuple(CertificateEntry(der) for der in chain_der(identity))).encode()
        if stapled:
            said += CertificateStatus(1, identity.ocsp_response).encode()
        said += self._key_exchange(hello, identity if named else None, random) + SERVER_HELLO_DONE
        return encode_records(ContentType.HANDSHAKE, said, self.version)

    def _random(self, settings: FrontSettings) -> bytes:
        if settings.maximum_version < TLS_1_3:
            return os.urandom(32)
        return os.urandom(24) + (DOWNGRADE_TLS12 if self.version == TLS_1_2 else DOWNGRADE_TLS11)

    def _extensions(self, hello: Hello) -> tuple[Extension, ...]:
        good: list[Extension] = []
        if ExtensionType.RENEGOTIATION_INFO in hello.extensions or 0x00FF in hello.suites:
            good.append(extensions.renegotiation_info())
        if ExtensionType.EXTENDED_MASTER_SECRET in hello.extensions:
            good.append(extensions.extended_master_secret())
        if ExtensionType.EC_POINT_FORMATS in hello.extensions:
            good.append(extensions.ec_point_formats())
        return tuple(e for e in good if e.type not in self.without) + self.extra

    def _key_exchange(self, hello: Hello, identity: Identity | None, server_random: bytes) -> bytes:
        exchange = self.exchange or _usual_exchange(registry.suite(self.suite).key_exchange, hello)
        if exchange is None:
            return b""
        made = exchange()
        if identity is None:
            return encode_server_key_exchange(made)
        if made.group is not None:
            parameters = b"\x03" + made.group.to_bytes(2, "big") + vector(made.public_key, 1)
        else:
            parameters = vector(made.prime, 2) + vector(made.generator, 2) + vector(made.public_key, 2)
        scheme = self.scheme if self.scheme is not None else best_scheme(identity, hello.signature_schemes)
        signature = sign(identity, scheme, hello.random + server_random + parameters)
        signed = ServerKeyExchange(made.public_key, made.group, "", made.prime, made.generator, scheme, signature)
        return encode_server_key_exchange(signed)


def _usual_exchange(key_exchange: str, hello: Hello) -> Exchange | None:
    if key_exchange in {"ECDHE", "ECDH_anon"}:
        return ecdhe(_usual_group(hello) or P_256)
    return dhe() if key_exchange in {"DHE", "DH_anon"} else None


def _usual_group(hello: Hello) -> int | None:
    """The group that a good server would take, P-256 first; None where the client offers none of these."""
    if not hello.groups:
        return P_256
    return next((group for group in (P_256, X25519, X448, 0x0018, 0x0019) if group in hello.groups), None)


def choose_identity(authentication: str, settings: FrontSettings) -> Identity:
    """Return the identity that a suite with this `authentication` uses (the first one where none fits)."""
    wanted = ec.EllipticCurvePrivateKey if authentication == "ECDSA" else rsa.RSAPrivateKey
    return next((i for i in settings.identities if isinstance(i.key, wanted)), settings.identities[0])


def chain_der(identity: Identity) -> tuple[bytes, ...]:
    """Return the chain in DER, leaf first."""
    return tuple(c.public_bytes(serialization.Encoding.DER) for c in identity.chain)


def best_scheme(identity: Identity, offered: Iterable[int]) -> int:
    """Return the signature scheme for the identity's key: RSA-PSS or ECDSA with SHA-256, where `offered`."""
    if isinstance(identity.key, ec.EllipticCurvePrivateKey):
        return _ECDSA_SHA256
    return _RSA_PSS_SHA256 if _RSA_PSS_SHA256 in set(offered) else _RSA_PKCS1_SHA256


def sign(identity: Identity, scheme: int, data: bytes) -> bytes:
    """Sign `data` by the TLS 1.2 signature `scheme`. Raises ValueError where the key cannot."""
    if isinstance(identity.key, rsa.RSAPrivateKey):
        if scheme == _RSA_PSS_SHA256:
            return identity.key.sign(data, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())
        return identity.key.sign(data, padding.PKCS1v15(), _HASH_BY_SCHEME[scheme >> 8])
    if isinstance(identity.key, ec.EllipticCurvePrivateKey):
        return identity.key.sign(data, ec.ECDSA(_HASH_BY_SCHEME[scheme >> 8]))
    raise ValueError("the flight is signed with RSA or ECDSA keys only")


def tls_1_3_hello(suite: int, hello: Hello) -> ScriptedChannel:
    """Return a player that selects `suite` in TLS 1.3, after a HelloRetryRequest where no share is usable."""
    farewell = alert_record(HANDSHAKE_FAILURE)
    share = _server_share(hello)
    if share is not None:
        return ScriptedChannel((_server_hello(suite, hello, share), farewell))
    group = X25519 if X25519 in hello.groups else P_256
    retry = ServerHello(
        TLS_1_2,
        HELLO_RETRY_RANDOM,
        hello.session_id,
        suite,
        0,
        (extensions.selected_version(TLS_1_3), extensions.retry_key_share(group)),
    )

    def second(data: bytes) -> bytes:
        again = parse_hello(data[data.find(b"\x16\x03") :])
        again_share = _server_share(again) if again else None
        return _server_hello(suite, again, again_share) if again and again_share else farewell

    return ScriptedChannel((encode_records(ContentType.HANDSHAKE, retry.encode()), second, farewell))


def _server_share(hello: Hello) -> KeyShare | None:
    shares = hello.key_shares
    if X25519 in shares:
        key = x25519.X25519PrivateKey.generate().public_key()
        return KeyShare(X25519, key.public_bytes_raw())
    if P_256 in shares:
        return KeyShare(P_256, ecdhe()().public_key)
    return None


def _server_hello(suite: int, hello: Hello, share: KeyShare) -> bytes:
    said = ServerHello(
        TLS_1_2,
        os.urandom(32),
        hello.session_id,
        suite,
        0,
        (extensions.selected_version(TLS_1_3), extensions.server_key_share(share)),
    )
    return encode_records(ContentType.HANDSHAKE, said.encode())
