"""Certificate chains that a SUT presents: their order, who signed them, and the names they cover. Nothing is raised."""

from __future__ import annotations

import ipaddress
import warnings
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature

from harness.certificates import HOSTILE, key_of, load, same_name
from harness.observations.transport import CertificateFacts

MAX_ANCHORS = 2_000
MAX_SEARCHED = 20  # certificates of one chain whose signers are looked for


def _issued(issuer: x509.Certificate, certificate: x509.Certificate) -> bool:
    """Whether `issuer` signed `certificate`: by name, and by signature where the library still verifies it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if not same_name(issuer, certificate):
                return False
            certificate.verify_directly_issued_by(issuer)
    except InvalidSignature:
        return False
    except HOSTILE:
        return True  # an old hash or curve: the name has to do
    return True


def in_order(chain: Sequence[bytes]) -> bool:
    """Whether each certificate (DER, leaf first) is issued by the next."""
    loaded = [load(der) for der in chain]
    if None in loaded:
        return len(chain) <= 1
    certificates = [certificate for certificate in loaded if certificate is not None]
    return all(_issued(issuer, issued) for issued, issuer in pairwise(certificates))


def signers(chain: Sequence[bytes], anchors: Sequence[x509.Certificate] = ()) -> tuple[tuple[int | None, str], ...]:
    """For each certificate the key length and type of whoever signed it, found in the chain or among `anchors`.

    (None, "") where the signer is not known.
    """
    loaded = [load(der) for der in chain[:MAX_SEARCHED]]
    known = [certificate for certificate in loaded if certificate is not None]
    found: list[tuple[int | None, str]] = []
    for certificate in loaded:
        if certificate is None:
            found.append((None, ""))
            continue
        candidates = [*(other for other in known if other is not certificate), *anchors, certificate]
        signer = next((issuer for issuer in candidates if _issued(issuer, certificate)), None)
        if signer is None:
            found.append((None, ""))
        else:
            key_type, bits = key_of(signer)
            found.append((bits, key_type))
    found.extend([(None, "")] * (len(chain) - len(found)))
    return tuple(found)


def load_anchors(path: Path | None) -> tuple[x509.Certificate, ...]:
    """Certificates of a PEM file of trust anchors; none if there is no such file or it cannot be read."""
    if path is None:
        return ()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return tuple(x509.load_pem_x509_certificates(path.read_bytes())[:MAX_ANCHORS])
    except (OSError, *HOSTILE):
        return ()


def name_matches(leaf: CertificateFacts, name: str) -> bool | None:
    """Whether `leaf` covers `name`, a host name or an IP address (RFC 6125 6.4); None for an empty name.

    The common name counts only where the certificate names no host and no address (RFC 6125 6.4.4).
    """
    wanted = name.strip("[]").rstrip(".").lower()
    if not wanted or leaf.version == 0:
        return None
    try:
        address = str(ipaddress.ip_address(wanted))
    except ValueError:
        address = ""
    if address:
        return f"IP:{address}" in leaf.names
    hosts = [entry.removeprefix("DNS:").rstrip(".").lower() for entry in leaf.names if entry.startswith("DNS:")]
    if not hosts and not any(entry.startswith("IP:") for entry in leaf.names):
        hosts = [leaf.common_name.rstrip(".").lower()]
    return any(_host_covers(pattern, wanted) for pattern in hosts)


def _host_covers(pattern: str, host: str) -> bool:
    if pattern.startswith("*."):
        label, dot, rest = host.partition(".")
        return bool(label and dot) and rest == pattern[2:] and "." in rest
    return pattern == host
