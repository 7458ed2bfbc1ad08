"""How the front behaves where it conforms, as values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from OpenSSL import crypto

from reference_impl.transport.front.channel import Limits

TLS_1_2, TLS_1_3 = 0x0303, 0x0304

SUITES_TLS_1_2: dict[str, tuple[int, ...]] = {
    "B.12": (0xC02C, 0xC030, 0xC02B, 0xC02F),
    "B.13": (0xC02C, 0xC030, 0xC0AD, 0xCCA9, 0xCCA8, 0xC02B, 0xC02F, 0xC0AC, 0xC0AF, 0xC0AE),
}
"""TLS 1.2 suites by profile in the server's order: RFC 9325 4.2 for B.12, the required list of B.13."""

SUITES_TLS_1_3: dict[str, tuple[int, ...]] = {
    "B.12": (0x1302, 0x1303, 0x1301),
    "B.13": (0x1302, 0x1303, 0x1301, 0x1304, 0x1305),
}
"""TLS 1.3 suites by profile in the server's order."""

SIGNATURE_SCHEMES = frozenset(
    {0x0403, 0x0503, 0x0603, 0x0804, 0x0805, 0x0806, 0x0809, 0x080A, 0x080B, 0x0401, 0x0501, 0x0601}
)
"""The signature schemes that the server signs with: ECDSA and RSA with SHA-256 or greater."""

GROUPS = frozenset({0x001D, 0x0017, 0x0018, 0x0019, 0x001E, 0x11EC, 0x11EB, 0x11ED})
"""The groups that the server agrees on: X25519, P-256, P-384, P-521, X448 and their hybrids with ML-KEM."""

IdentityKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey


@dataclass(frozen=True)
class Identity:
    """A certificate chain (leaf first), its private key, and the DER OCSP response to staple, if any."""

    chain: tuple[x509.Certificate, ...]
    key: IdentityKey
    ocsp_response: bytes = b""


@dataclass(frozen=True)
class PathStep:
    """One step of OpenSSL's path validation: the certificate at `depth` (0: the client's own) and its `error`.

    That is a code of X509_STORE_CTX_get_error, 0 where nothing is wrong.
    """

    error: int
    depth: int
    certificate: crypto.X509


PathVerdict: TypeAlias = Callable[[PathStep], bool | None]
"""Judges a step otherwise than OpenSSL does: True lets it pass, False refuses it, None leaves it to OpenSSL."""


@dataclass(frozen=True)
class FrontSettings:
    """Everything that decides how the front answers a conforming client.

    Where nothing else is in common, `legacy_suites` are served by another stack from TLS 1.0 to 1.2, and
    `flight_suites` are selected in TLS 1.2 though no stack can complete them (`reference_impl.transport.served`).
    `client_auth` is "required", "optional" or "off". Clients are trusted by `client_anchors` (which need not be
    authorities) unless one of `client_crls` (DER) revokes them; a missing or expired list revokes nobody.
    `path_verdict` is asked at every step of a client's path. `unknown_name_alert` is the fatal alert for a server name
    that is not among `server_names`, None to continue. `protocols` are the names that ALPN may choose, in the server's
    order; where a client names others only, `refuse_unknown_protocols` ends the handshake. `security_level` is
    OpenSSL's; it is lowered by itself where a CCM_8 suite is the only one left, since those count 64 bits.
    `extra_options` are further bits of SSL_CTX_set_options, `keep_secrets` lets a channel know its traffic secrets.
    """

    identities: tuple[Identity, ...]
    client_anchors: tuple[x509.Certificate, ...] = ()
    client_auth: str = "off"
    client_crls: tuple[bytes, ...] = ()
    path_verdict: PathVerdict | None = None
    suites_tls_1_2: tuple[int, ...] = SUITES_TLS_1_2["B.12"]
    suites_tls_1_3: tuple[int, ...] = SUITES_TLS_1_3["B.12"]
    legacy_suites: tuple[int, ...] = ()
    flight_suites: tuple[int, ...] = ()
    minimum_version: int = TLS_1_2
    maximum_version: int = TLS_1_3
    server_names: frozenset[str] = frozenset({"localhost"})
    unknown_name_alert: int | None = 112
    protocols: tuple[bytes, ...] = ()
    refuse_unknown_protocols: bool = True
    only_curve: str | None = None
    signature_schemes: frozenset[int] = SIGNATURE_SCHEMES
    extra_options: int = 0
    keep_secrets: bool = False
    security_level: int = 2
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        if self.client_auth not in ("required", "optional", "off"):
            raise ValueError(f"client_auth is required, optional or off, not {self.client_auth!r}")
