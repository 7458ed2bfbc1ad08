"""What certificates of either side are held against: key lengths and the hash under their signatures."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from harness import Missing
from suites.transport.expectations import expect_certificates
from suites.transport.view import SeenCertificate

EC_KEYS = frozenset({"ec"})
RSA_SIGNATURES = frozenset({"rsa", "rsa-pss"})
WEAK_HASHES = frozenset({"md2", "md4", "md5", "ripemd160", "sha1", "sha224"})  # all of less than 256 bits
BROKEN_HASHES = frozenset({"md2", "md4", "md5", "sha1"})
STRONG_HASHES = frozenset({"sha256", "sha384", "sha512", "sha512_256", "sha3_256", "sha3_384", "sha3_512"})
BUILT_IN_HASH = ""  # Ed25519 and Ed448 hash by themselves, more strongly than SHA-256


def key_lengths(
    certificates: Iterable[SeenCertificate], what: str, bits: Callable[[SeenCertificate], int | None], least: int
) -> None:
    """Every key has `least` bits or more; `bits` tells the length, None where it is not known."""
    certificates = list(certificates)
    known = [each for each in certificates if bits(each) is not None]
    expect_certificates(known, what, lambda each: (bits(each) or 0) >= least, f"at least {least} bits")
    if unknown := [each for each in certificates if bits(each) is None]:
        raise Missing(
            f"{what}: not to be told for {unknown[0]}",
            "Let its whole chain be sent, the certificate of the issuer included.",
            unknown[0].chain.exchange,
        )


def key_bits(certificate: SeenCertificate) -> int | None:
    """Length of the subject's key."""
    return certificate.facts.key_bits


def are_signed_strongly(judged: Iterable[SeenCertificate]) -> None:
    """The signatures of certificates use SHA-256 or stronger hashes."""
    judged = list(judged)
    expect_certificates(
        judged,
        "signatures of certificates",
        lambda each: each.facts.signature_hash not in WEAK_HASHES,
        "SHA-256 or stronger",
    )
    unknown = [each for each in judged if each.facts.signature_hash not in STRONG_HASHES | {BUILT_IN_HASH}]
    if unknown:
        raise Missing(
            f"whether {unknown[0].facts.signature_hash} under {unknown[0]} is as strong as SHA-256 is not known",
            "Have the certificate signed with SHA-256.",
            unknown[0].chain.exchange,
        )


def not_broken(judged: Iterable[SeenCertificate]) -> None:
    """The signatures of certificates use neither SHA-1 nor MD5."""
    expect_certificates(
        judged,
        "signatures of certificates",
        lambda each: each.facts.signature_hash not in BROKEN_HASHES,
        "neither SHA-1 nor MD5",
    )
