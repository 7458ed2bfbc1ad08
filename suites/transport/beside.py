"""What the judgements of A.6, RFC 5425 and IHE ATNA have in common for both roles."""

from __future__ import annotations

from collections.abc import Iterable

from harness import expect
from suites.transport.view import SeenCertificate

MANDATORY, MANDATORY_TLS13 = 0x002F, 0x1301
"""The mandatory cipher suites of RFC 5425 4.2: up to TLS 1.2, and in TLS 1.3 (RFC 8446 9.1)."""
APPROPRIATE = frozenset({40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 71, 116})
"""Alerts that tell why a peer does not meet a policy (RFC 8446 6.2): from handshake_failure to certificate_required."""
PATH_RULES = (
    *("validity", "signature", "encoding", "basic-constraints", "version", "path-length"),
    *("key-usage", "name-constraints", "critical-extension"),
)
"""The rules of the certificate zoo that path validation is about (RFC 5280 6.1), beside trust in the authority."""
UNUSUAL_ATTRIBUTES = (
    *("empty-subject", "international-names", "missing-extended-key-usage", "both-extended-key-usages"),
    *("critical-extended-key-usage", "missing-key-usage", "unknown-extension", "certificate-policies"),
)
"""Cases of the certificate zoo that are valid and have unusual contents."""
_LEAST_RSA_BITS, _BCP_195_CURVES = 1024, frozenset({"secp256r1", "secp384r1", "secp521r1"})


def expect_ihe_key_lengths(leaves: Iterable[SeenCertificate], whose: str) -> None:
    """RSA of 1024 to 4096 bits by site policy, or as BCP 195 recommends (longer RSA, P-256 and beyond)."""
    leaves = tuple(leaves)
    short = [
        each
        for each in leaves
        if (each.facts.key_type == "rsa" and (each.facts.key_bits or 0) < _LEAST_RSA_BITS)
        or (each.facts.key_type == "ec" and each.facts.curve not in _BCP_195_CURVES)
    ]
    expect(short, evidence=[each.chain.exchange for each in short or leaves], what=f"keys of the {whose}").to_be_empty(
        expected=("RSA of at least 1024 bits", "a key that BCP 195 recommends"),
        describe=lambda each: f"{each}: {each.facts.curve or each.facts.key_bits}",
    )
