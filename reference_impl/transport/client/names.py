"""Whether a certificate names the server that was asked for: subjectAltName alone (RFC 9525 6)."""

from __future__ import annotations

import ipaddress

from cryptography import x509
from service_identity import CertificateError, VerificationError
from service_identity.cryptography import verify_certificate_hostname, verify_certificate_ip_address

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def fits_name(leaf: x509.Certificate, name: str, address: Address | None) -> bool:
    """Whether `leaf` names the host `name`, or where `address` is given that address.

    A wildcard stands for the whole left-most label.
    """
    try:
        if address is not None:
            verify_certificate_ip_address(leaf, str(address))
        else:
            verify_certificate_hostname(leaf, name.rstrip(".").encode("idna").decode("ascii"))
    except (VerificationError, CertificateError, UnicodeError):
        return False
    return True
