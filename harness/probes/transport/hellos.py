"""The ClientHellos that probes send: an ordinary one per version, from which each probe departs in one point."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from functools import cache

from harness.observations.transport import SSL3, TLS10, TLS11, TLS12, TLS13
from harness.probes.base import TlsTarget
from reference_impl.transport import registry
from reference_impl.transport.wire import ClientHello, Extension, ExtensionType, KeyShare, ServerHello
from reference_impl.transport.wire import extensions as ext

X25519, X448, P256, P384, P521 = 0x001D, 0x001E, 0x0017, 0x0018, 0x0019
ORDINARY_SUITES = (
    0xC02C, 0xC030, 0xC0AD, 0xC0AF, 0xCCA9, 0xCCA8, 0xC02F, 0xC02B, 0xC0AC, 0xC0AE, 0x009F, 0x009E, 0xCCAA, 0xC09F,
    0xC09E, 0xC024, 0xC028, 0xC023, 0xC027, 0xC00A, 0xC014, 0xC009, 0xC013, 0x006B, 0x0067, 0x0039, 0x0033, 0x009D,
    0x009C, 0x003D, 0x003C, 0x0035, 0x002F, 0x000A, 0xC012, 0x0016, 0x0005, 0x0004,
)  # fmt: skip
"""What an ordinary client of the last decades offers up to TLS 1.2."""
TLS13_SUITES = (0x1302, 0x1303, 0x1301, 0x1304, 0x1305)
ORDINARY_GROUPS = (X25519, P256, X448, P521, P384, 0x001A, 0x001B, 0x001C)
_SIGNATURES_TLS13 = (
    0x0403, 0x0503, 0x0603, 0x0807, 0x0808, 0x0804, 0x0805, 0x0806, 0x0809, 0x080A, 0x080B, 0x081A, 0x081B, 0x081C,
    0x0401, 0x0501, 0x0601, 0x0203, 0x0201,
)  # fmt: skip


@cache
def all_suites() -> tuple[int, ...]:
    """Every suite that a version up to TLS 1.2 might select: all known code points but signals.

    The ordinary ones come first, for servers that read no further, the weakest of them foremost: a server that has
    preferences of its own then shows it in its first answer.
    """
    ordinary = tuple(reversed(ORDINARY_SUITES))
    others = [suite for suite in registry.SUITES.values() if not suite.signalling and suite.code not in ordinary]
    return ordinary + tuple(suite.code for suite in sorted(others, key=lambda suite: suite.versions == "tls1.3"))


@cache
def all_tls13_suites() -> tuple[int, ...]:
    """Every suite of TLS 1.3."""
    return tuple(suite.code for suite in registry.SUITES.values() if suite.versions == "tls1.3")


@cache
def curves_tls12() -> tuple[int, ...]:
    """Every named curve that may be used up to TLS 1.2."""
    return tuple(
        group.code for group in registry.GROUPS.values() if group.kind == "ecdhe" and group.versions != "tls1.3"
    )


@cache
def groups_tls13() -> tuple[int, ...]:
    """Every group that a TLS 1.3 server might name, obsolete curves included."""
    return tuple(group.code for group in registry.GROUPS.values() if group.kind != "explicit")


@cache
def schemes_tls12() -> tuple[int, ...]:
    """Every signature scheme that may sign a TLS 1.2 key exchange, the strong ones first."""
    known = [scheme for scheme in registry.SIGNATURE_SCHEMES.values() if scheme.versions != "tls1.3"]
    weak = {"md5": 2, "sha1": 1}
    return tuple(scheme.code for scheme in sorted(known, key=lambda scheme: weak.get(scheme.hash, 0)))


def name_to_send(target: TlsTarget) -> str:
    """The name for SNI: the given server name, or the host."""
    return target.server_name or target.host


def legacy_hello(
    target: TlsTarget,
    suites: Sequence[int],
    version: int = TLS12,
    *,
    groups: Sequence[int] | None = None,
    schemes: Sequence[int] | None = None,
    more: Sequence[Extension] = (),
    compression: Sequence[int] = (0,),
    server_name: str | None = None,
    renegotiation_info: bool = True,
) -> ClientHello:
    """A hello whose highest version is `version`, SSL 3.0 to TLS 1.2 (SSL 3.0 has no extensions)."""
    if version <= SSL3:
        return ClientHello(tuple(suites), version, None, compression_methods=tuple(compression))
    offered: list[Extension] = []
    named = ext.server_name(name_to_send(target) if server_name is None else server_name)
    if named is not None:
        offered.append(named)
    if renegotiation_info:
        offered.append(ext.renegotiation_info())
    offered.append(ext.supported_groups(ORDINARY_GROUPS if groups is None else groups))
    offered.append(ext.ec_point_formats())
    if version >= TLS12:
        offered.append(ext.signature_algorithms(schemes_tls12() if schemes is None else schemes))
    offered.extend(more)
    return ClientHello(tuple(suites), version, tuple(offered), compression_methods=tuple(compression))


def tls13_hello(
    target: TlsTarget,
    suites: Sequence[int] = TLS13_SUITES,
    *,
    versions: Sequence[int] = (TLS13,),
    groups: Sequence[int] = ORDINARY_GROUPS,
    shares: Sequence[int] = (X25519,),
    more: Sequence[Extension] = (),
    server_name: str | None = None,
) -> ClientHello:
    """A hello that offers TLS 1.3, alone or with other `versions`. `shares` are the groups with a key share."""
    keys = [share for share in map(share_for, shares) if share is not None]
    offered: list[Extension] = []
    named = ext.server_name(name_to_send(target) if server_name is None else server_name)
    if named is not None:
        offered.append(named)
    if min(versions) <= TLS12:
        offered += [ext.renegotiation_info(), ext.ec_point_formats(), ext.extended_master_secret()]
    offered += [
        ext.supported_groups(groups),
        ext.signature_algorithms(_SIGNATURES_TLS13),
        ext.supported_versions(versions),
        ext.psk_key_exchange_modes((1,)),
        *more,
        ext.key_share(keys),
    ]
    return ClientHello(tuple(suites), TLS12, tuple(offered), session_id=os.urandom(32))


def second_hello(first: ClientHello, retry: ServerHello) -> ClientHello | None:
    """The hello that answers a HelloRetryRequest (RFC 8446 4.1.2); None if no share of its group can be made."""
    share = share_for(retry.selected_group) if retry.selected_group is not None else None
    if share is None:
        return None
    offered = [
        ext.key_share([share]) if extension.type == ExtensionType.KEY_SHARE else extension
        for extension in first.extensions or ()
    ]
    cookie = retry.extension(ExtensionType.COOKIE)
    if cookie is not None:
        offered.append(Extension(ExtensionType.COOKIE, cookie))
    return replace(first, extensions=tuple(offered))


@cache
def share_for(group: int) -> KeyShare | None:
    """A key share that a server has to accept, None for a group without one.

    The probes that send it never complete the handshake, so nobody needs the private key: for X25519, X448 and
    ML-KEM any octets of the right form are a public key; for the NIST curves one is generated. Made once per process.
    """
    plain = {X25519: 32, X448: 56}
    if group in plain:
        return KeyShare(group, os.urandom(plain[group]))
    if group in {P256, P384, P521}:
        return KeyShare(group, _point(group))
    if group == 0x11EC:  # X25519MLKEM768: the encapsulation key comes first
        return KeyShare(group, _encapsulation_key(768) + os.urandom(32))
    if group == 0x11EB:
        return KeyShare(group, _point(P256) + _encapsulation_key(768))
    if group == 0x11ED:
        return KeyShare(group, _point(P384) + _encapsulation_key(1024))
    sizes = {0x0200: 512, 0x0201: 768, 0x0202: 1024}
    return KeyShare(group, _encapsulation_key(sizes[group])) if group in sizes else None


def _point(group: int) -> bytes:
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    curve: ec.EllipticCurve = {P256: ec.SECP256R1(), P384: ec.SECP384R1(), P521: ec.SECP521R1()}[group]
    return ec.generate_private_key(curve).public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def _encapsulation_key(parameter_set: int) -> bytes:
    """Octets in the form of an ML-KEM encapsulation key: coefficients below 3329, twelve bits each, and a seed."""
    pairs = parameter_set // 2
    drawn = os.urandom(pairs * 4)
    packed = bytearray()
    for at in range(0, len(drawn), 4):
        low = int.from_bytes(drawn[at : at + 2], "big") % 3329
        high = int.from_bytes(drawn[at + 2 : at + 4], "big") % 3329
        packed += (low | high << 12).to_bytes(3, "little")
    return bytes(packed) + os.urandom(32)


LEGACY_VERSIONS = (TLS12, TLS11, TLS10, SSL3)
