"""What the reference node and client know beside the TLS profiles of PS3.15 Annex B: syslog (A.6) and IHE ATNA."""

from __future__ import annotations

from collections.abc import Mapping

_ALL = ("dicom-tls", "https", "syslog-tls")
BESIDE: Mapping[str, tuple[str, ...]] = {"A.6": ("syslog-tls",), "IHE-STX-TLS-1.2-Floor": _ALL, "IHE-FQDN": _ALL}
"""The kinds of endpoint that each is for, the usual one first."""

EDITIONS: Mapping[str, str] = {"A.6": "2026c", "IHE-STX-TLS-1.2-Floor": "ITI-20.0", "IHE-FQDN": "ITI-20.0"}
"""The edition by which each is judged: of PS3.15, or of the IHE ITI Technical Framework."""

SERVED: Mapping[str, tuple[int, ...]] = {
    "A.6": (0xC02F, 0xC030, 0xC02B, 0xC02C, 0x002F),  # RFC 9662 4 in its order, RFC 5425 4.2 last
    "IHE-STX-TLS-1.2-Floor": (0xC02C, 0xC030, 0xC02B, 0xC02F, 0x009F, 0x009E),  # IHE ITI TF-2 3.19.6.2.3, and ECDSA
    "IHE-FQDN": (0xC02C, 0xC030, 0xC02B, 0xC02F),
}
"""TLS 1.2 suites in the server's order."""

OFFERED: Mapping[str, tuple[int, ...]] = {
    "A.6": (0x002F,),
    "IHE-STX-TLS-1.2-Floor": (0x009E, 0x009F),
    "IHE-FQDN": (),
}
"""TLS 1.2 suites that a client offers after those of B.12."""
