"""TLS for syslog: RFC 5425 with the suites of RFC 9662, both sides authenticated.

A peer is authorised by path validation against authorities, or by comparison with end entities that are known by
certificate or by fingerprint (RFC 5425 4.2.1, 5.1), and may have to bear one of certain names (5.2).
"""

from __future__ import annotations

import hashlib
import re
import ssl
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from reference_impl.audit.syslog.revocation import check_revocation

SUITES = (
    "ECDHE-RSA-AES128-GCM-SHA256",  # RFC 9662 4: mandatory, and preferred
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-CHACHA20-POLY1305",
    "ECDHE-ECDSA-CHACHA20-POLY1305",
    "AES128-SHA",  # TLS_RSA_WITH_AES_128_CBC_SHA: RFC 5425 4.2 and RFC 9662 4, for who has nothing better
)
"""Suites up to TLS 1.2, the preferred first. With TLS 1.3, which is preferred to all of them, OpenSSL's own."""

DEFAULT_PORT = 6514
"""The port of syslog over TLS (RFC 5425 4.1)."""

_HASHES = {"sha-1": "sha1", "sha-256": "sha256"}
_PEM = re.compile("-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)


@dataclass(frozen=True)
class Trust:
    """Whom to believe.

    `anchors`: a PEM file of authorities; `certificates`: PEM files of end entities that are believed themselves.
    `fingerprints` ("sha-256:AB:CD:..." or "sha-1:...", RFC 5425 4.2.2): the peer is one of these end entities.
    `names`: the peer's certificate bears one of these (RFC 5425 5.2); empty: any.
    `revoked`: a PEM file of revocation lists, see `revocation.check_revocation`.
    """

    anchors: Path | None = None
    certificates: tuple[Path, ...] = ()
    fingerprints: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    revoked: Path | None = None

    @property
    def by_path(self) -> bool:
        """Whether a certificate has to lead to something that is trusted."""
        return self.anchors is not None or bool(self.certificates)

    def load(self, context: ssl.SSLContext) -> None:
        """Tell `context`. Raises OSError and `ssl.SSLError` for files that cannot be read."""
        for path in (*((self.anchors,) if self.anchors else ()), *self.certificates):
            context.load_verify_locations(path)
        if self.certificates:
            context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        if self.revoked is not None:
            check_revocation(context, self.revoked)

    def objection(self, der: bytes) -> str:
        """Why the end entity with the certificate `der` is not believed, after path validation; empty: it is."""
        if self.fingerprints and not any(matches_fingerprint(der, each) for each in self.fingerprints):
            return f"the certificate {fingerprint(der)} is none of those that are known"
        if self.names and not any(matches_name(der, name) for name in self.names):
            return "the certificate bears none of the names " + ", ".join(self.names)
        return ""


@dataclass(frozen=True)
class ServerTls:
    """The TLS of a receiver: its certificate chain and key (PEM files), and the senders that it believes.

    Without anything to believe by, senders are not asked for certificates (RFC 5425 5.3: not recommended).
    """

    certificate: Path
    key: Path = field(repr=False)
    trust: Trust = Trust()

    def context(self) -> ssl.SSLContext:
        """A context. Raises OSError and `ssl.SSLError` for files, and ValueError where it takes more than that.

        Senders that are known by fingerprints alone are believed by `layers.layers`; names alone prove nothing.
        """
        if (self.trust.fingerprints or self.trust.names) and not self.trust.by_path:
            raise ValueError("a receiver needs authorities or certificates beside names")
        context = _context(ssl.PROTOCOL_TLS_SERVER, self.certificate, self.key, self.trust)
        context.num_tickets = 0  # a sender that closes at once would answer tickets by a reset that costs its messages
        context.options |= ssl.OP_NO_TICKET
        if self.trust.by_path:
            context.verify_mode = ssl.CERT_REQUIRED
        return context


@dataclass(frozen=True)
class ClientTls:
    """The TLS of a sender: its certificate chain and key (PEM files), and the receiver that it believes.

    `server_name` is the name that the receiver's certificate has to bear, by default the host that is connected to.
    """

    trust: Trust
    certificate: Path | None = None
    key: Path | None = field(default=None, repr=False)
    server_name: str = ""

    def context(self) -> ssl.SSLContext:
        """A context. Raises OSError, `ssl.SSLError`, and ValueError where any receiver would be believed."""
        if not (self.trust.by_path or self.trust.fingerprints):
            raise ValueError("a sender needs authorities, certificates or fingerprints to know its receiver by")
        context = _context(ssl.PROTOCOL_TLS_CLIENT, self.certificate, self.key, self.trust)
        # An end entity that is known by itself need not bear a name (RFC 5425 5.1).
        context.check_hostname = self.trust.anchors is not None and not self.trust.names
        context.verify_mode = ssl.CERT_REQUIRED if self.trust.by_path else ssl.CERT_NONE
        return context


def _context(side: int, certificate: Path | None, key: Path | None, trust: Trust) -> ssl.SSLContext:
    context = ssl.SSLContext(side)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(":".join(SUITES))
    context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE | ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    if certificate is not None:
        context.load_cert_chain(certificate, key)
    trust.load(context)
    return context


def fingerprint(der: bytes, label: str = "sha-256") -> str:
    """The fingerprint of a certificate as RFC 5425 4.2.2 writes it: ``sha-256:AB:CD:...``; `label` may be "sha-1"."""
    digest = hashlib.new(_HASHES[label], der, usedforsecurity=label != "sha-1").hexdigest().upper()
    return f"{label}:" + ":".join(re.findall("..", digest))


def fingerprint_of(certificate: Path, label: str = "sha-256") -> str:
    """The fingerprint of the first certificate in a PEM file. Raises `OSError`, or ValueError where it holds none."""
    found = _PEM.search(certificate.read_text(encoding="ascii", errors="replace"))
    if found is None:
        raise ValueError(f"{certificate}: holds no certificate in PEM")
    return fingerprint(ssl.PEM_cert_to_DER_cert(found[0]), label)


def matches_fingerprint(der: bytes, wanted: str) -> bool:
    """Whether `der` has the fingerprint `wanted`, which is as :func:`fingerprint` writes it, or 64 hex digits."""
    label = "sha-1" if wanted.startswith("sha-1:") else "sha-256"
    digits = wanted.removeprefix(f"{label}:")
    return _digits(fingerprint(der, label).removeprefix(f"{label}:")) == _digits(digits)


def _digits(text: str) -> str:
    return text.replace(":", "").upper()


def matches_name(der: bytes, name: str) -> bool:
    """Whether the certificate `der` bears `name`: as dNSName, with a wildcard or without, or else as common name."""
    return any(_alike(pattern, name) for pattern in _names_of(der))


def _names_of(der: bytes) -> Iterable[str]:
    from cryptography import x509

    certificate = x509.load_der_x509_certificate(der)
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        names = found.value.get_values_for_type(x509.DNSName)
    except x509.ExtensionNotFound:
        names = []
    common = certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    return names or [str(each.value) for each in common]


def _alike(pattern: str, name: str) -> bool:
    first, dot, rest = pattern.lower().rstrip(".").partition(".")
    wanted, _, others = name.lower().rstrip(".").partition(".")
    return rest == others and (first == wanted or (first == "*" and bool(dot) and bool(wanted)))
