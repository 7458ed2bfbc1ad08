"""The MAC algorithms of (0400,0015), as PS3.3 C.12.1.1.3 defines the terms and PS3.15 C.1 obliges to accept."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from reference_impl.signatures.parsing import UnreadableError


class Hash(Protocol):
    """A hash that is being formed, as of `hashlib`."""

    def update(self, data: bytes | bytearray | memoryview, /) -> None:
        """Take in octets."""

    def digest(self) -> bytes:
        """Return the hash of what was taken in."""

    def copy(self) -> Hash:
        """Return another in the same state."""


class UnknownAlgorithmError(UnreadableError):
    """No MAC algorithm of that name is defined."""


@dataclass(frozen=True, slots=True)
class MacAlgorithm:
    """One algorithm: its defined term, its name in `hashlib`, and how PKCS#1 v1.5 names it (RFC 8017 9.2, DigestInfo).

    `octets` is the length of a hash; `weak`: collisions are known or within reach.
    """

    name: str
    hash_name: str
    oid: str
    prefix: bytes
    octets: int
    weak: bool

    def new(self) -> Hash:
        """Start a hash."""
        try:
            return hashlib.new(self.hash_name, usedforsecurity=False)
        except ValueError:  # a build of OpenSSL without its legacy algorithms
            from Crypto.Hash import RIPEMD160

            return RIPEMD160.new()

    def digest_info(self, digest: bytes) -> bytes:
        """Return the DER DigestInfo that an RSA signature by PKCS#1 v1.5 holds."""
        return self.prefix + digest


def _algorithm(name: str, hash_name: str, oid: str, prefix: str, octets: int, *, weak: bool = False) -> MacAlgorithm:
    return MacAlgorithm(name, hash_name, oid, bytes.fromhex(prefix), octets, weak)


ALGORITHMS: Mapping[str, MacAlgorithm] = {
    algorithm.name: algorithm
    for algorithm in (
        _algorithm("RIPEMD160", "ripemd160", "1.3.36.3.2.1", "3021300906052b2403020105000414", 20, weak=True),
        _algorithm("MD5", "md5", "1.2.840.113549.2.5", "3020300c06082a864886f70d020505000410", 16, weak=True),
        _algorithm("SHA1", "sha1", "1.3.14.3.2.26", "3021300906052b0e03021a05000414", 20, weak=True),
        _algorithm(
            "SHA256", "sha256", "2.16.840.1.101.3.4.2.1", "3031300d060960864801650304020105000420", 32, weak=False
        ),
        _algorithm(
            "SHA384", "sha384", "2.16.840.1.101.3.4.2.2", "3041300d060960864801650304020205000430", 48, weak=False
        ),
        _algorithm(
            "SHA512", "sha512", "2.16.840.1.101.3.4.2.3", "3051300d060960864801650304020305000440", 64, weak=False
        ),
    )
}
"""By defined term of (0400,0015)."""


def algorithm_of(name: str) -> MacAlgorithm:
    """Return the algorithm of that defined term. Raises UnknownAlgorithmError."""
    try:
        return ALGORITHMS[name]
    except KeyError:
        raise UnknownAlgorithmError("", f"the MAC algorithm {name!r} is not defined") from None
