"""Signatures of the handshake: RFC 9325 4.5."""

from __future__ import annotations

from harness import verifies
from suites.transport.expectations import expect_no_signature
from suites.transport.view import TlsServer

pytest_plugins = ("suites.transport.fixtures",)


@verifies("RFC9325-4.5-no-sha1-md5-handshake-signatures")
def test_no_handshake_is_signed_with_sha_1_or_md5(tls: TlsServer) -> None:
    """RFC 9325 4.5: under TLS 1.2 and 1.3 the server signs with neither SHA-1 nor MD5, whatever it is offered."""
    expect_no_signature(tls, ["SHA-1 or MD5"], lambda scheme: scheme.hash in {"sha1", "md5"})
