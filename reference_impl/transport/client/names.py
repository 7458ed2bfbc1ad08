"""Whether a certificate names the server that was asked for: subjectAltName alone (RFC 9525 6)."""

from __future__ import annotations

import ipaddress
import re

from cryptography import x509
from service_identity import CertificateError, VerificationError
from service_identity.cryptography import verify_certificate_hostname, verify_certificate_ip_address

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def fits_name(leaf: x509.Certificate, name: str, address: Address | None, *, partial_wildcards: bool = False) -> bool:
    """Whether `leaf` names the host `name`, or where `address` is given that address.

    A wildcard stands for the whole left-most label; with `partial_wildcards` for any part of a label.
    """
    try:
        if address is not None:
            verify_certificate_ip_address(leaf, str(address))
        else:
            verify_certificate_hostname(leaf, name.rstrip("."))
    except (VerificationError, CertificateError):
        return partial_wildcards and address is None and _fits_loosely(leaf, name)
    return True


def _fits_loosely(leaf: x509.Certificate, name: str) -> bool:
    """What a careless client does: an asterisk for whatever stands there."""
    try:
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return False
    patterns = (re.escape(one).replace(r"\*", ".*") for one in names.get_values_for_type(x509.DNSName))
    return any(re.fullmatch(pattern, name, re.IGNORECASE) for pattern in patterns)
