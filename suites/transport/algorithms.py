"""The algorithms of a cipher suite, function by function, as PS3.15 B.13 lists them."""

from __future__ import annotations

from collections.abc import Callable

from reference_impl.transport.registry import CipherSuite

NULL_WITH_NULL_NULL = 0x0000
STREAM_CIPHERS = frozenset({"RC4", "CHACHA20", "SALSA20"})
NO_CIPHER = frozenset({"NULL", ""})  # nothing is encrypted: RFC 9325 4.1 and the closed list speak of that
SIGNATURES = {"RSA": "rsa", "ECDSA": "ecdsa", "DSS": "dsa", "SM2": "sm2", "GOSTR3410-2012": "gostr3410-2012"}
"""Signature algorithms, in the names of signature schemes, by the authentication that suites name."""
HASHES = frozenset({"MD5", "SHA1", "SHA224", "SHA256", "SHA384", "SHA512", "SM3", "GOSTR3411"})
UNDECIDED_HASH = "SHA512"  # "SHA-256 or greater" for certificates, yet not on the list of hash functions


def key_exchange(suite: CipherSuite) -> frozenset[str]:
    """How keys are exchanged; TLS 1.3 suites say nothing about it."""
    return frozenset({suite.key_exchange}) - {"any", ""}


def signature(suite: CipherSuite) -> frozenset[str]:
    """By which algorithm the server signs; nothing where nobody does."""
    named = SIGNATURES.get(suite.authentication)
    if named is None and suite.authentication.startswith("GOST"):
        named = suite.authentication.lower()
    return frozenset({named} if named else ())


def block_cipher(suite: CipherSuite) -> frozenset[str]:
    """The block cipher, if it is one."""
    return frozenset({suite.cipher}) - STREAM_CIPHERS - NO_CIPHER


def block_mode(suite: CipherSuite) -> frozenset[str]:
    """The mode in which the block cipher works."""
    return frozenset({suite.mode} if block_cipher(suite) else ()) - {""}


def stream_cipher(suite: CipherSuite) -> frozenset[str]:
    """The stream cipher, if it is one."""
    return frozenset({suite.cipher}) & STREAM_CIPHERS


def hashes(suite: CipherSuite) -> frozenset[str]:
    """The hash functions: the one that the suite names and the one of its HMAC."""
    return frozenset({suite.hash, suite.mac}) & HASHES


Function = Callable[[CipherSuite], frozenset[str]]
"""What of a suite serves one function, in the names of the profile's table."""

BY_FUNCTION: dict[str, Function] = {
    "key_exchange": key_exchange,
    "signature": signature,
    "block_cipher": block_cipher,
    "block_mode": block_mode,
    "stream_cipher": stream_cipher,
    "hash": hashes,
}
"""The functions by their keys in the profile's table."""


def encrypts(each: CipherSuite) -> bool:
    """Whether the suite encrypts, and is one that is known."""
    return each.cipher not in {"NULL", ""}


def is_anonymous(each: CipherSuite) -> bool:
    """Whether nobody signs the key exchange, or no hash function is named."""
    return each.authentication in {"anon", "NULL"}
