"""The IANA TLS registries as tables: cipher suites, groups, signature schemes, alerts, extensions.

Each CSV file beside this module is one table; it is read when the table is first used. Source: the IANA registries
"TLS Cipher Suites", "TLS Supported Groups", "TLS SignatureScheme", "TLS Alerts" and "TLS ExtensionType Values" as of
2026-11, and, marked ``iana = no``, code points that were never assigned but are found in the field (drafts of
ChaCha20-Poly1305, Salsa20, EXPORT1024, FIPS and GOST suites, GM/T 0024). Properties of a suite follow from the document
that defines it; ``any`` is what TLS 1.3 negotiates apart from the suite.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Generic, NamedTuple, TypeVar

_FOLDER = Path(__file__).parent


class CipherSuite(NamedTuple):
    """A TLS cipher suite.

    `key_exchange`: RSA, DH, DHE, DH_anon, ECDH, ECDHE, ECDH_anon, PSK, KRB5, SRP, GOST, ...; ``any`` in TLS 1.3.
    `authentication`: RSA, DSS, ECDSA, PSK, anon, NULL, ...; ``any`` in TLS 1.3.
    `cipher`: AES, CAMELLIA, ARIA, CHACHA20, 3DES, RC4, NULL, ...; `mode`: GCM, CCM, CCM_8, CBC, POLY1305, stream, ...
    `strength_bits`: nominal key strength (3DES: 112). `mac`: AEAD, SHA1, SHA256, MD5, ...; `hash`: the hash the
    suite names or implies. `versions`: ``any`` (SSL 3.0 to TLS 1.2), ``tls1.2`` (only there) or ``tls1.3``.
    `signalling`: no suite but a signal (RFC 5746, RFC 7507), never selected by a server.
    """

    code: int
    name: str
    key_exchange: str
    authentication: str
    cipher: str
    mode: str
    strength_bits: int
    mac: str
    hash: str
    forward_secrecy: bool
    versions: str
    export: bool
    iana: bool
    signalling: bool

    @property
    def aead(self) -> bool:
        """Whether records are protected by an AEAD algorithm."""
        return self.mac == "AEAD"


class Group(NamedTuple):
    """A named group. `kind`: ecdhe, ffdhe, hybrid, pq or explicit; `bits`: nominal key length (0: not fixed).

    For hybrids `bits` is that of the elliptic curve, for plain ML-KEM its security category as an AES key length.
    `versions`: ``any``, ``tls1.2`` (not to be negotiated in 1.3) or ``tls1.3``.
    """

    code: int
    name: str
    kind: str
    bits: int
    versions: str
    iana: bool


class SignatureScheme(NamedTuple):
    """A signature scheme. `signature`: rsa (PKCS#1 v1.5), rsa-pss, ecdsa, ed25519, ...; `hash`: "" where built in."""

    code: int
    name: str
    signature: str
    hash: str
    versions: str


class Ssl2CipherKind(NamedTuple):
    """A CIPHER-KIND of SSL 2.0 (three octets)."""

    code: int
    name: str
    cipher: str
    strength_bits: int
    export: bool


EntryT = TypeVar("EntryT")


class Table(Mapping[int, EntryT], Generic[EntryT]):
    """A read-only table by code point, read from its file when it is first used."""

    def __init__(self, file_name: str, make: Callable[[list[str]], tuple[int, EntryT]]) -> None:
        self._file = _FOLDER / file_name
        self._make = make
        self._entries: dict[int, EntryT] | None = None

    def _loaded(self) -> dict[int, EntryT]:
        if self._entries is None:
            with self._file.open(newline="", encoding="ascii") as lines:
                rows = csv.reader(lines)
                next(rows)
                self._entries = dict(map(self._make, rows))
        return self._entries

    def __getitem__(self, code: int) -> EntryT:
        return self._loaded()[code]

    def __iter__(self) -> Iterator[int]:
        return iter(self._loaded())

    def __len__(self) -> int:
        return len(self._loaded())


def _suite(row: list[str]) -> tuple[int, CipherSuite]:
    code, name, exchange, authentication, cipher, mode, bits, mac, digest, secrecy, versions, *flags = row
    export, iana, signalling = (flag == "yes" for flag in flags)
    entry = CipherSuite(
        int(code, 16), name, exchange, authentication, cipher, mode, int(bits), mac, digest, secrecy == "yes",
        versions, export, iana, signalling,
    )  # fmt: skip
    return entry.code, entry


def _group(row: list[str]) -> tuple[int, Group]:
    code, name, kind, bits, versions, iana = row
    return int(code, 16), Group(int(code, 16), name, kind, int(bits), versions, iana == "yes")


def _scheme(row: list[str]) -> tuple[int, SignatureScheme]:
    code, name, signature, digest, versions = row
    return int(code, 16), SignatureScheme(int(code, 16), name, signature, digest, versions)


def _ssl2(row: list[str]) -> tuple[int, Ssl2CipherKind]:
    code, name, cipher, bits, export = row
    return int(code, 16), Ssl2CipherKind(int(code, 16), name, cipher, int(bits), export == "yes")


def _name(row: list[str]) -> tuple[int, str]:
    return int(row[0], 0), row[1]


SUITES: Mapping[int, CipherSuite] = Table("cipher_suites.csv", _suite)
GROUPS: Mapping[int, Group] = Table("groups.csv", _group)
SIGNATURE_SCHEMES: Mapping[int, SignatureScheme] = Table("signature_schemes.csv", _scheme)
SSL2_CIPHER_KINDS: Mapping[int, Ssl2CipherKind] = Table("ssl2_cipher_kinds.csv", _ssl2)
ALERTS: Mapping[int, str] = Table("alerts.csv", _name)
EXTENSIONS: Mapping[int, str] = Table("extensions.csv", _name)

FALLBACK_SCSV = 0x5600
EMPTY_RENEGOTIATION_INFO_SCSV = 0x00FF
GREASE = tuple(0x0A0A + 0x1010 * step for step in range(16))
"""The reserved values of RFC 8701 for suites, groups, extensions and versions."""
VERSION_NAMES: Mapping[int, str] = {
    0x0002: "SSL 2.0",
    0x0300: "SSL 3.0",
    0x0301: "TLS 1.0",
    0x0302: "TLS 1.1",
    0x0303: "TLS 1.2",
    0x0304: "TLS 1.3",
}


@cache
def _dh_primes() -> dict[str, str]:
    with (_FOLDER / "dh_primes.csv").open(newline="", encoding="ascii") as lines:
        return {row["sha256"]: row["name"] for row in csv.DictReader(lines)}


def dh_prime_name(prime: bytes) -> str:
    """The name of a well-known Diffie-Hellman prime (RFC 2409, 3526, 5054, 5114, 7919), "" if it is none."""
    return _dh_primes().get(sha256(prime.lstrip(b"\0")).hexdigest(), "")


def suite(code: int) -> CipherSuite:
    """The suite with this code point; one named ``unknown 0x....``, with empty properties, if it is not registered."""
    known = SUITES.get(code)
    if known is not None:
        return known
    return CipherSuite(code, f"unknown 0x{code:04X}", "", "", "", "", 0, "", "", False, "any", False, False, False)


def group(code: int) -> Group:
    """The group with this code point; one named ``unknown 0x....`` of kind "" if it is not registered."""
    return GROUPS.get(code) or Group(code, f"unknown 0x{code:04X}", "", 0, "any", False)


def signature_scheme(code: int) -> SignatureScheme:
    """The scheme with this code point; one named ``unknown 0x....`` if it is not registered."""
    return SIGNATURE_SCHEMES.get(code) or SignatureScheme(code, f"unknown 0x{code:04X}", "", "", "any")


def alert_name(code: int) -> str:
    """The name of an AlertDescription, ``unknown (n)`` if it is not registered."""
    return ALERTS.get(code, f"unknown ({code})")


def version_name(code: int) -> str:
    """ "TLS 1.2" for 0x0303 and so on; the code point in hex if there is no such version."""
    return VERSION_NAMES.get(code, f"0x{code:04X}")
