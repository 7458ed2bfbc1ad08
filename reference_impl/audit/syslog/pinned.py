"""TLS of a receiver that knows senders by the fingerprints of their certificates alone (RFC 5425 4.2.1, 5.1).

Python's ssl believes no certificate that leads nowhere; pyOpenSSL asks us.
"""

from __future__ import annotations

import ssl
from pathlib import Path

from OpenSSL import SSL, crypto

from reference_impl.audit.syslog.tls import SUITES, matches_fingerprint

_CHUNK = 1 << 16
_OPTIONS = SSL.OP_CIPHER_SERVER_PREFERENCE | SSL.OP_NO_COMPRESSION | SSL.OP_NO_RENEGOTIATION | SSL.OP_NO_TICKET


def pinned_context(certificate: Path, key: Path, fingerprints: tuple[str, ...]) -> SSL.Context:
    """A context for senders with these fingerprints. Raises `ssl.SSLError` for files that are no certificate or key."""
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.set_options(_OPTIONS)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.set_cipher_list(":".join(SUITES).encode())

    def is_known(_: SSL.Connection, shown: crypto.X509, error: int, depth: int, ok: int) -> bool:  # noqa: ARG001
        der = crypto.dump_certificate(crypto.FILETYPE_ASN1, shown)
        return depth > 0 or any(matches_fingerprint(der, each) for each in fingerprints)

    context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, is_known)
    try:
        context.use_certificate_chain_file(str(certificate))
        context.use_privatekey_file(str(key))
        context.check_privatekey()
    except SSL.Error as problem:
        raise ssl.SSLError(f"{certificate} and {key} are no certificate with its key") from problem
    return context


class PinnedLayer:
    """The TLS layer of one connection (see `Layer`)."""

    def __init__(self, context: SSL.Context) -> None:
        self._connection = SSL.Connection(context, None)
        self._connection.set_accept_state()
        self._holds_back = False

    def write(self, octets: memoryview) -> int:
        """Take octets of the wire."""
        rest = bytes(octets)
        while rest:
            rest = rest[self._connection.bio_write(rest) :]
        return len(octets)

    def do_handshake(self) -> None:
        """Go on with the handshake. Raises `ssl.SSLWantReadError` until it is over, and `ssl.SSLError`."""
        try:
            self._connection.do_handshake()
        except SSL.WantReadError:
            raise ssl.SSLWantReadError from None
        except SSL.Error as problem:
            raise _as_ssl(problem) from None
        # Tickets go with close_notify: a sender that closes at once would answer them by a reset, and lose messages.
        self._holds_back = self.version() == "TLSv1.3"

    def read(self, length: int, buffer: memoryview) -> int:
        """Put plain octets into `buffer`. Raises `ssl.SSLWantReadError`, `ssl.SSLZeroReturnError`, `ssl.SSLError`."""
        try:
            return self._connection.recv_into(buffer, min(length, _CHUNK))
        except SSL.WantReadError:
            raise ssl.SSLWantReadError from None
        except SSL.ZeroReturnError:
            raise ssl.SSLZeroReturnError from None
        except SSL.Error as problem:
            self._holds_back = False
            raise _as_ssl(problem) from None

    def unwrap(self) -> None:
        """Send close_notify. Raises `ssl.SSLError`."""
        self._holds_back = False
        try:
            self._connection.shutdown()
        except SSL.Error as problem:
            raise _as_ssl(problem) from None

    def outgoing(self) -> bytes:
        """Octets for the wire."""
        if self._holds_back:
            return b""
        found = b""
        try:
            while True:
                found += self._connection.bio_read(_CHUNK)
        except SSL.WantReadError:
            return found

    def version(self) -> str:
        """The protocol: "TLSv1.3"."""
        return self._connection.get_protocol_version_name()

    def suite(self) -> str:
        """The suite, by OpenSSL's name."""
        return self._connection.get_cipher_name() or ""

    def certificate(self) -> bytes:
        """The sender's certificate (DER)."""
        shown = self._connection.get_peer_certificate()
        return crypto.dump_certificate(crypto.FILETYPE_ASN1, shown) if shown is not None else b""


def _as_ssl(problem: SSL.Error) -> ssl.SSLError:
    """The same as an error of ssl, with OpenSSL's reason."""
    queue = problem.args[0] if problem.args and isinstance(problem.args[0], list) else []
    reason = str(queue[-1][2]) if queue else "the connection broke"
    return ssl.SSLError(reason)
